"""Files that a spec names: opened without following links, so that what is read is what the path says."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import BinaryIO

from netspec.backends.atomic import regular
from netspec.diagnostics import failure
from netspec.diagnostics.models import CannotRead
from netspec.links import open_without_links
from netspec.source import Source


def open_beside(source: Source, name: str) -> BinaryIO:
    """The regular file that a source calls ``name``: relative to the folder it stands in, or absolute.

    No link is followed in a relative path, nor at the end of an absolute one; see :func:`~netspec.links.open_without_links`. Raises a
    :class:`~netspec.diagnostics.NetspecError` N801.
    """
    path = PurePath(name)
    base, parts = (str(path.parent), (path.name,)) if path.is_absolute() else (source.folder, source.way + path.parts)
    shown = str(Path(base, *parts))
    if "\0" in name or not path.parts:
        raise failure(CannotRead(name, "it is not the name of a file"))
    try:
        descriptor = open_without_links(base, parts)
    except OSError as error:
        raise failure(CannotRead(shown, error.strerror or str(error))) from error
    return regular(descriptor, shown)


def is_beside(source: Source, name: str) -> bool:
    """Whether there is anything by the name that a source calls a file, which is not opened."""
    path = PurePath(name)
    return os.path.lexists(path if path.is_absolute() else Path(source.folder, *source.way, *path.parts)) if "\0" not in name else False
