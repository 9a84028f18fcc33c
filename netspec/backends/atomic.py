"""Files written whole or not at all, and read without surprises."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from netspec.diagnostics import failure
from netspec.diagnostics.models import CannotRead, CannotWrite, TargetNotAFile

Chunk = bytes | bytearray | memoryview


def open_regular(name: str) -> BinaryIO:
    """A regular file opened to be read. Anything else, as a pipe or a device, could wait or flow for ever.

    Raises a :class:`~netspec.diagnostics.NetspecError` N801.
    """
    try:
        descriptor = os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        raise failure(CannotRead(name, getattr(error, "strerror", None) or str(error))) from error
    return regular(descriptor, name)


def regular(descriptor: int, name: str) -> BinaryIO:
    """The file of a descriptor; raises N801 and closes it where that is anything but a regular one."""
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise failure(CannotRead(name, "it is a directory" if stat.S_ISDIR(mode) else "it is not a regular file"))
    return os.fdopen(descriptor, "rb")


def write_atomically(path: str | os.PathLike[str], chunks: Iterable[Chunk], size: int) -> None:
    """Write ``chunks``, together ``size`` bytes, so that ``path`` holds its old or its complete new content at every moment.

    A temporary file in the same directory, readable by its owner alone, is written, flushed to the disk and renamed; then
    the directory is flushed. A symbolic link at ``path`` is replaced, not followed.

    Raises a :class:`~netspec.diagnostics.NetspecError` N810 (exit 5) where that fails, N812 where ``path`` is no file.
    """
    target = Path(path)
    refuse_other_than_file(target)
    try:
        _write(target, chunks)
    except OSError as error:
        raise failure(CannotWrite(str(path), error.strerror or str(error), size)) from error


def refuse_other_than_file(target: Path) -> None:
    """Raise N812 where a directory or a device stands in place of the file to write."""
    with contextlib.suppress(OSError):
        mode = target.stat().st_mode
        if not stat.S_ISREG(mode):
            raise failure(TargetNotAFile(str(target), "a directory" if stat.S_ISDIR(mode) else "not a regular file"))


def _write(target: Path, chunks: Iterable[Chunk]) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name[:40]}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644 & ~_umask())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _flush_directory(target.parent)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _flush_directory(folder: Path) -> None:
    if os.name == "nt":  # Windows opens no directories
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
