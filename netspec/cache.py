"""netspec's cache on the disk: files that can be made again, all kinds under one limit, those used longest ago first to go.

Files of a kind lie in a folder of their own. One is written beside its place under a hidden name, flushed and renamed, so two processes at
once do no harm, and what a killed one has left is swept a day later. The two kinds, decoded images and values of frozen parts, know what
is in their files; here it is about room alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol
from weakref import WeakSet

from netspec.diagnostics import failure
from netspec.diagnostics.caching import WrongCacheSize
from netspec.diagnostics.text import storage
from netspec.resources import cache_folder

Kind = Literal["decoded", "features"]
_SUFFIXES: Final[dict[Kind, str]] = {"decoded": ".pixels", "features": ".features"}
LIMIT: Final = "NETSPEC_CACHE_GB"
_USUAL_GIGABYTES: Final = 20.0
_LEFT_BEHIND: Final = 24 * 3600
"""Seconds after which a file that was never finished belongs to nobody any more."""


@dataclass(frozen=True)
class Cache:
    """The cache below ``root``, of at most ``limit`` bytes; with 0 nothing is kept."""

    root: Path
    limit: int

    @staticmethod
    def usual() -> Cache:
        """The user's: at most 20 GB, or what ``$NETSPEC_CACHE_GB`` says. Raises N734."""
        given = os.environ.get(LIMIT)
        try:
            limit = int((float(given) if given else _USUAL_GIGABYTES) * 10**9)
        except (ValueError, OverflowError):
            limit = -1
        if limit < 0:
            raise failure(WrongCacheSize(given or ""))
        return Cache(cache_folder(), limit)

    def folder(self, kind: Kind) -> Path:
        """Where files of a kind lie."""
        return self.root / kind

    @property
    def room(self) -> int:
        """How many bytes a new file may have: half of what the disk has free, within the limit; 0 where that cannot be told."""
        for folder in (self.root.absolute(), *self.root.absolute().parents):
            with contextlib.suppress(OSError):
                return min(shutil.disk_usage(folder).free // 2, self.limit)
        return 0

    def place(self, kind: Kind, name: str) -> Path:
        """Where the file of a name lies, or would."""
        return self.folder(kind) / f"{name}{_SUFFIXES[kind]}"

    def has(self, kind: Kind, name: str) -> bool:
        """Whether there is a file of that name."""
        with contextlib.suppress(OSError):
            return self.place(kind, name).exists()
        return False

    def files(self, kind: Kind, start: str = "") -> list[Path]:
        """The finished files of a kind whose names start so, the one used last first."""
        try:
            return [path for _, path in sorted(_used(self.folder(kind).glob(f"{start}*{_SUFFIXES[kind]}")), reverse=True)]
        except OSError:
            return []

    def lacks_room(self, kind: Kind, size: int) -> str | None:
        """Make room for a file of so many bytes; where that cannot be, gives why not. What this process reads stays. Raises
        :class:`OSError`."""
        if size > self.limit:
            return f"they take {storage(size)}, and the limit is {storage(self.limit)}"
        self.folder(kind).mkdir(parents=True, exist_ok=True)
        self._sweep()
        free = shutil.disk_usage(self.folder(kind)).free
        if size > free // 2:
            return f"they take {storage(size)}, and of the {storage(free)} that are free on that disk half is left alone"
        files = [path for _, path in sorted(_used(path for every in _SUFFIXES for path in self.files(every)))]
        taken, held = {path: _size(path) for path in files}, {reader.path for reader in _READERS}
        used = sum(taken[path] for path in files if path in held)
        if used + size > self.limit:
            return f"they take {storage(size)}, and of the limit of {storage(self.limit)} this training itself uses {storage(used)}"
        for path in (path for path in files if path not in held):
            if sum(taken.values()) + size <= self.limit:
                break
            remove(path)
            del taken[path]
        return None

    def new_file(self, kind: Kind) -> tuple[int, Path]:
        """A descriptor and the hidden name of a file to be written, and then put in its place. Raises :class:`OSError`."""
        descriptor, name = tempfile.mkstemp(prefix=".", suffix=f"{_SUFFIXES[kind]}.tmp", dir=self.folder(kind))
        return descriptor, Path(name)

    def _sweep(self) -> None:
        """Remove what processes that were ended left half written."""
        for kind, suffix in _SUFFIXES.items():
            for used, path in _used(self.folder(kind).glob(f".*{suffix}.tmp")):
                if time.time() - used > _LEFT_BEHIND:
                    remove(path)


class Reader(Protocol):
    """Who reads from a file of the cache as long as it lives."""

    @property
    def path(self) -> Path: ...


_READERS: Final[WeakSet[Reader]] = WeakSet()


def using(reader: Reader) -> None:
    """Say that a file is used from now on: it counts as used last, and does not give way while its reader lives."""
    _READERS.add(reader)
    with contextlib.suppress(OSError):
        os.utime(reader.path)


def remove(path: Path) -> None:
    """Remove a file, if that can be."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _used(paths: Iterator[Path]) -> list[tuple[float, Path]]:
    """When each file was used last; those that are gone are left out."""
    found = []
    for path in paths:
        with contextlib.suppress(OSError):
            found.append((path.stat().st_mtime, path))
    return found


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0
