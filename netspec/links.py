"""Files by the paths that a text names, opened without following links: what is read is what the path says."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_LINKED: Final = "a symbolic link, which is not followed, is on the way to it"
_FROM_FOLDERS: Final = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
"""Whether the system opens a file from a folder that is open. Windows does not: there the way is looked at before."""


def open_without_links(base: str, parts: Sequence[str]) -> int:
    """A descriptor, to be read, of whatever stands at ``base/parts``.

    Each step is taken from the folder that was really opened, and behind ``base`` no link is followed: folders that are exchanged
    meanwhile change nothing. Raises :class:`OSError`; ``ELOOP`` where a link is on the way.
    """
    try:
        if _FROM_FOLDERS:
            return _descend(base, parts)
        if not _passes_link(base, parts):
            return os.open(Path(base, *parts), os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EMLINK) and not _passes_link(base, parts):
            raise
    raise OSError(errno.ELOOP, _LINKED)


def _descend(base: str, parts: Sequence[str]) -> int:
    """Step by step; the descriptor of each folder on the way is closed again."""
    here = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for number, part in enumerate(parts, 1):
        kind = os.O_NONBLOCK if number == len(parts) else os.O_DIRECTORY
        try:
            there = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | kind, dir_fd=here)
        finally:
            os.close(here)
        here = there
    return here


def _passes_link(base: str, parts: Sequence[str]) -> bool:
    """Whether a step of the way is a link: the system says of a link to a folder that it is no folder."""
    return any(Path(base, *parts[: i + 1]).is_symlink() for i in range(len(parts)))
