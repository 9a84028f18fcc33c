"""Files that a spec names: opened without following links, so that what is read is what the path says."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path, PurePath
from typing import BinaryIO, Final

from netspec.backends.atomic import open_regular
from netspec.diagnostics import failure
from netspec.diagnostics.models import CannotRead
from netspec.source import Source

_LINK: Final = "a symbolic link, which is not followed where a spec names a file, is on the way to it"


def open_beside(source: Source, name: str) -> BinaryIO:
    """The regular file that a source calls ``name``: relative to the folder it stands in, or absolute.

    Each step is taken from the folder that was really opened, and no link is followed in a relative path, nor at the end of an absolute
    one: folders that are exchanged meanwhile change nothing. Raises a :class:`~netspec.diagnostics.NetspecError` N801.
    """
    path = PurePath(name)
    base, parts = (str(path.parent), (path.name,)) if path.is_absolute() else (source.folder, source.way + path.parts)
    shown = str(Path(base, *parts))
    if "\0" in name or not path.parts:
        raise failure(CannotRead(name, "it is not the name of a file"))
    if os.open not in os.supports_dir_fd or not hasattr(os, "O_NOFOLLOW"):  # Windows
        return _open_checked(shown, base, parts)
    try:
        descriptor = _descend(base, parts)
    except OSError as error:
        linked = error.errno in (errno.ELOOP, errno.EMLINK) or _is_link(base, parts)
        raise failure(CannotRead(shown, _LINK if linked else error.strerror or str(error))) from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise failure(CannotRead(shown, "it is a directory" if stat.S_ISDIR(mode) else "it is not a regular file"))
    return os.fdopen(descriptor, "rb")


def _descend(base: str, parts: tuple[str, ...]) -> int:
    """A descriptor of ``base/parts``; that of each folder on the way is closed again."""
    here = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for number, part in enumerate(parts, 1):
        kind = os.O_NONBLOCK if number == len(parts) else os.O_DIRECTORY
        try:
            there = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | kind, dir_fd=here)
        finally:
            os.close(here)
        here = there
    return here


def _is_link(base: str, parts: tuple[str, ...]) -> bool:
    """Whether a step of the way is a link: a folder that is one is told as something that is no folder."""
    return any(Path(base, *parts[: i + 1]).is_symlink() for i in range(len(parts)))


def _open_checked(shown: str, base: str, parts: tuple[str, ...]) -> BinaryIO:
    if _is_link(base, parts):
        raise failure(CannotRead(shown, _LINK))
    return open_regular(shown)
