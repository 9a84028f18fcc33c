"""Files to sources."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from pathlib import Path
from typing import BinaryIO, Final

from netspec.diagnostics import failure, problems
from netspec.diagnostics.text import closest
from netspec.limits import MAX_BYTES
from netspec.resources import folder
from netspec.source import Source

LIBRARY: Final = "netspec:"
"""Begins the name of a spec of the library."""

_LIBRARY_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)


def read_source(path: str | Path, max_bytes: int = MAX_BYTES) -> Source:
    """The text of a spec, ``-`` for standard input; a byte order mark is dropped, CR LF counts as LF.

    Raises :class:`NetspecError` where there is no such file, it is a folder, cannot be read, is too large or not UTF-8.
    """
    name = str(path)
    if name.startswith(LIBRARY):
        path = folder("specs") / f"{name.removeprefix(LIBRARY)}.net"
    identity = None
    if name == "-":
        name, data = "<stdin>", sys.stdin.buffer.read(max_bytes + 1)
    else:
        data, identity = _read_file(Path(path), max_bytes)
    if len(data) > max_bytes:
        raise failure(problems.SpecTooLarge(name, len(data), max_bytes))
    try:
        text = _decode(data)
    except _NoText as error:
        raise failure(problems.NotUtf8(name, error.byte, error.guess)) from None
    return Source(name, text, "." if identity is None else str(Path(path).parent), identity)


def _read_file(path: Path, max_bytes: int) -> tuple[bytes, tuple[int, int]]:
    name = str(path)
    try:
        information = path.stat()
        if stat.S_ISDIR(information.st_mode):
            raise failure(problems.SpecIsFolder(name, tuple(sorted(p.name for p in path.glob("*.net"))[:5])))
        if not stat.S_ISREG(information.st_mode):
            raise failure(problems.SpecIsFolder(name, (), "a device or a pipe"))
        if information.st_size > max_bytes:
            raise failure(problems.SpecTooLarge(name, information.st_size, max_bytes))
        return path.read_bytes(), (information.st_dev, information.st_ino)
    except FileNotFoundError:
        raise failure(problems.SpecMissing(name, _nearby(path))) from None
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise failure(problems.SpecUnreadable(name, reason)) from None


def read_used(path: str, using: Source, max_bytes: int = MAX_BYTES) -> Source:
    """The file that ``use … from "path"`` means in a source: ``netspec:name`` of the library, else one relative to the source's folder.

    On the way to it, from the folder of the spec itself or that of the library, no symbolic link is followed, so that what is opened is
    what the path says, even if folders are exchanged meanwhile. Raises :class:`CannotRead` with a reason where there is none.
    """
    base, parts, name = _route(path, using)
    try:
        descriptor = _open_without_links(base, parts)
    except CannotRead as error:
        if path.startswith(LIBRARY):
            error.near = tuple(LIBRARY + n.removesuffix(".net") for n in error.near)
        raise
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise CannotRead("it is a folder")
    with os.fdopen(descriptor, "rb") as file:
        try:
            data, identity = _read_open(file, max_bytes)
            text = _decode(data)
        except OSError as error:
            raise CannotRead(os.strerror(error.errno or 0)) from None
        except _NoText as error:
            guess = f", and looks like {error.guess}" if error.guess else ""
            raise CannotRead(f"it is not UTF-8 at byte {error.byte:,}{guess}") from None
    return Source(name, text, base, identity, parts[:-1])


def _read_open(file: BinaryIO, max_bytes: int) -> tuple[bytes, tuple[int, int]]:
    """The bytes of an open file, and which file it is."""
    information = os.fstat(file.fileno())
    if not stat.S_ISREG(information.st_mode):
        raise CannotRead("it is a device or a pipe")
    data = file.read(max_bytes + 1)
    if (size := max(len(data), information.st_size)) > max_bytes:
        raise CannotRead(f"it has {size:,} bytes, and a spec has at most {max_bytes:,}")
    return data, (information.st_dev, information.st_ino)


class CannotRead(Exception):
    """A used file cannot be read: the reason, and files of the library or the folder with names like it.

    With ``forbidden``, the system does not let us read it.
    """

    def __init__(self, reason: str, near: tuple[str, ...] = (), forbidden: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.near = near
        self.forbidden = forbidden


def _route(path: str, using: Source) -> tuple[str, tuple[str, ...], str]:
    """The folder to begin at, the way from there, and the name to show."""
    if path.startswith(LIBRARY):
        if not _LIBRARY_NAME.fullmatch(path.removeprefix(LIBRARY)):
            raise CannotRead("names of the library have letters, digits and underscores")
        return str(folder("specs")), (f"{path.removeprefix(LIBRARY)}.net",), path
    if "://" in path:
        raise CannotRead("nothing is fetched from the network")
    if not path.endswith(".net") or "\0" in path:
        raise CannotRead("a spec's name ends in .net")
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if path.startswith("/"):
        return "/", parts, path
    return using.folder, using.way + parts, os.path.normpath("/".join((using.folder, *using.way, path)))


def _open_without_links(base: str, parts: tuple[str, ...]) -> int:
    """A descriptor of the file at ``base/parts``; each step is taken from the folder that was really opened."""
    here = -1
    try:
        here = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for i, part in enumerate(parts):
            last = i == len(parts) - 1
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_NONBLOCK if last else os.O_DIRECTORY)
            there = os.open(part, flags, dir_fd=here)
            os.close(here)
            here = there
        return here
    except OSError as error:
        near = _beside(here, parts[-1]) if error.errno == errno.ENOENT and here >= 0 and part == parts[-1] else ()
        if here >= 0:
            os.close(here)
        link = error.errno == errno.ELOOP or (error.errno == errno.ENOTDIR and part != parts[-1])
        reason = "a symbolic link, which is not followed, is on the way to it" if link else os.strerror(error.errno or 0)
        forbidden = error.errno in (errno.EACCES, errno.EPERM)
        raise CannotRead("there is no such file" if error.errno == errno.ENOENT else reason, near, forbidden) from None


def _beside(descriptor: int, name: str) -> tuple[str, ...]:
    """Specs of a folder with a name like this one, else the first few."""
    try:
        beside = sorted(n for n in os.listdir(descriptor) if n.endswith(".net"))
    except OSError:
        return ()
    near = closest(name, beside)
    return (near,) if near else tuple(beside[:5])


def _nearby(path: Path) -> tuple[str, ...]:
    try:
        beside = sorted(p.name for p in path.parent.iterdir() if p.suffix == ".net")
    except OSError:
        return ()
    near = closest(path.name, beside)
    return (near,) if near else tuple(beside[:5])


class _NoText(Exception):
    """Bytes that are no UTF-8: the first of them, and what the encoding may be."""

    def __init__(self, byte: int, guess: str | None) -> None:
        super().__init__(byte, guess)
        self.byte = byte
        self.guess = guess


def _decode(data: bytes) -> str:
    if data[:3] == b"\xef\xbb\xbf":
        data = data[3:]
    try:
        text = data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        guess = (
            "UTF-16"
            if data[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\x00" in data[:4]
            else "Latin-1"
            if error.object[error.start] >= 0xA0
            else None
        )
        raise _NoText(error.start, guess) from None
    if data.count(0) > len(data) // 4:
        raise _NoText(data.index(0), "UTF-16")
    return text
