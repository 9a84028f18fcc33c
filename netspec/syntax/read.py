"""Files to sources."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from netspec.diagnostics import failure, problems
from netspec.diagnostics.text import closest
from netspec.limits import MAX_BYTES
from netspec.source import Source


def read_source(path: str | Path, max_bytes: int = MAX_BYTES) -> Source:
    """The text of a spec, ``-`` for standard input; a byte order mark is dropped, CR LF counts as LF.

    Raises :class:`NetspecError` where there is no such file, it is a folder, cannot be read, is too large or not UTF-8.
    """
    name = str(path)
    data = sys.stdin.buffer.read(max_bytes + 1) if name == "-" else _read_file(Path(path), max_bytes)
    name = "<stdin>" if name == "-" else name
    if len(data) > max_bytes:
        raise failure(problems.SpecTooLarge(name, len(data), max_bytes))
    return Source(name, _decode(name, data))


def _read_file(path: Path, max_bytes: int) -> bytes:
    name = str(path)
    try:
        information = path.stat()
        if stat.S_ISDIR(information.st_mode):
            raise failure(problems.SpecIsFolder(name, tuple(sorted(p.name for p in path.glob("*.net"))[:5])))
        if not stat.S_ISREG(information.st_mode):
            raise failure(problems.SpecIsFolder(name, (), "a device or a pipe"))
        if information.st_size > max_bytes:
            raise failure(problems.SpecTooLarge(name, information.st_size, max_bytes))
        return path.read_bytes()
    except FileNotFoundError:
        raise failure(problems.SpecMissing(name, _nearby(path))) from None
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise failure(problems.SpecUnreadable(name, reason)) from None


def _nearby(path: Path) -> tuple[str, ...]:
    try:
        beside = sorted(p.name for p in path.parent.iterdir() if p.suffix == ".net")
    except OSError:
        return ()
    near = closest(path.name, beside)
    return (near,) if near else tuple(beside[:5])


def _decode(name: str, data: bytes) -> str:
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
        raise failure(problems.NotUtf8(name, error.start, guess)) from None
    if data.count(0) > len(data) // 4:
        raise failure(problems.NotUtf8(name, data.index(0), "UTF-16"))
    return text
