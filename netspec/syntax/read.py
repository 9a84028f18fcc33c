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
from netspec.links import open_without_links
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
        descriptor = open_without_links(base, parts)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise CannotRead(error.strerror or str(error), (), error.errno in (errno.EACCES, errno.EPERM)) from None
        near = _beside(base, parts)
        if path.startswith(LIBRARY):
            near = tuple(LIBRARY + n.removesuffix(".net") for n in near)
        raise CannotRead("there is no such file", near) from None
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


def _beside(base: str, parts: tuple[str, ...]) -> tuple[str, ...]:
    """Specs with a name like that of a file which is not there, from the folder where it should be."""
    try:
        folder: int = open_without_links(base, parts[:-1])
    except OSError:
        return ()
    try:
        return _like(parts[-1], os.listdir(folder))
    except OSError:
        return ()
    finally:
        os.close(folder)


def _nearby(path: Path) -> tuple[str, ...]:
    """Specs beside a file that is not there: those with a name like it, else the first few."""
    try:
        there = [p.name for p in path.parent.iterdir()]
    except OSError:
        return ()
    return _like(path.name, there) or tuple(sorted(n for n in there if n.endswith(".net"))[:5])


_ALIKE: Final = 0.8
"""How much of two names is the same where they are a slip of the fingers apart, as `lbi.net` and `lib.net`."""


def _like(name: str, there: list[str]) -> tuple[str, ...]:
    """The specs whose names are like this one."""
    from difflib import get_close_matches

    specs = sorted(n for n in there if n.endswith(".net"))
    family = [n for n in specs if re.fullmatch(rf"{re.escape(name.removesuffix('.net'))}_?v?[0-9]+\.net", n)]
    stem = closest(name.removesuffix(".net"), [n.removesuffix(".net") for n in specs])  # the ending, which all have, makes none alike
    near = f"{stem}.net" if stem else next(iter(get_close_matches(name, specs, n=1, cutoff=_ALIKE)), None)
    return tuple(family) or ((near,) if near else ())


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
