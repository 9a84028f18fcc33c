"""Decoded images on disk: what was decoded once is read from then on.

A file holds images of one format, as ``RULES`` and the libraries at hand decode them; each is known by the SHA-256 of the file it was
decoded from, so names, folders, order and splits of the data do not matter, and a changed image is another image. Files lie in the folder
`decoded` of netspec's cache (`cache.py`). Of two processes at once, the later takes the place of the earlier, which says the same. The
last bytes of a file are its table, with a checksum; a file whose table or length is wrong is removed, and written anew.

Rows are read by position, and the file is not mapped into memory: if something else cuts a mapped file short, touching it ends the
process (SIGBUS), and no check before can rule that out; reading says so instead. The system keeps what was read in memory in both cases.
A row of 150 kB takes 10 microseconds this way, 7 mapped, and 500 and more to decode.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
import PIL
import simplejpeg
import torch
from numpy.typing import NDArray

from netspec.cache import Cache, remove, using
from netspec.data.images.decode import RULES, ImageFormat, Pixels
from netspec.diagnostics import Problem, failure
from netspec.diagnostics.caching import CacheLost, CacheUnused

_DIGEST: Final = 32
_HEAD: Final = struct.Struct("<8s32sIIIQ")
"""Magic, maker, channels, height, width, count: behind the digests, and before the checksum of all of the table."""
_MAGIC: Final = b"netspec1"

Tell = Callable[[Problem], None]


class CachedPixels:
    """Images in a file of the cache, `N x C x H x W` bytes, in the order asked for: ``pixels[rows]`` reads some of them.

    The file may be removed meanwhile, as it stays open. Raises a :class:`~netspec.diagnostics.NetspecError` N733 where it cannot be read.
    """

    def __init__(self, path: Path, descriptor: int, rows: NDArray[np.int64], wanted: ImageFormat) -> None:
        self.path = path
        self.shape = (len(rows), *wanted.shape)
        self._rows = rows
        self._descriptor = descriptor
        self._lock = Lock()
        weakref.finalize(self, os.close, descriptor)
        using(self)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def nbytes(self) -> int:
        return prod(self.shape)

    def __getitem__(self, rows: NDArray[np.int64]) -> Pixels:
        found = np.empty((len(rows), *self.shape[1:]), np.uint8)
        size = prod(self.shape[1:])
        flat = memoryview(found.reshape(-1))  # type: ignore[arg-type]
        for number, row in enumerate(self._rows[rows].tolist()):
            self._read(flat[number * size : (number + 1) * size], row * size)
        return found

    def _read(self, target: memoryview, start: int) -> None:
        try:
            got = _read_at(self._descriptor, target, start, self._lock)
        except OSError as error:
            raise failure(CacheLost(str(self.path), error.strerror or str(error))) from error
        if got != len(target):
            raise failure(CacheLost(str(self.path), "it ends too early"))


def _read_at(descriptor: int, target: memoryview, start: int, lock: Lock) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [target], start)
    with lock:  # Windows reads by position only after moving there
        os.lseek(descriptor, start, os.SEEK_SET)
        content = os.read(descriptor, len(target))
    target[: len(content)] = content
    return len(content)


@dataclass(frozen=True)
class DecodedCache:
    """The decoded images of a cache; ``tell`` hears why something is not kept."""

    disk: Cache
    tell: Tell

    @staticmethod
    def usual(tell: Tell) -> DecodedCache | None:
        """The user's, ``None`` where nothing is to be kept. Raises N734."""
        cache = Cache.usual()
        return DecodedCache(cache, tell) if cache.limit else None

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return self.disk.folder("decoded")

    def may_have(self, wanted: ImageFormat) -> bool:
        """Whether there is any file of images of this format."""
        return bool(self._files(wanted))

    def find(self, wanted: ImageFormat, digests: Sequence[bytes]) -> CachedPixels | None:
        """The images decoded from files of these SHA-256, if one file has them all."""
        for path in self._files(wanted):
            opened = _open(path, wanted)
            if opened is None:
                continue
            descriptor, table = opened
            places = {digest: row for row, digest in enumerate(table)}
            rows = [places.get(digest, -1) for digest in digests]
            if -1 not in rows:
                return CachedPixels(path, descriptor, np.array(rows, np.int64), wanted)
            os.close(descriptor)
        return None

    def lacking(self, wanted: ImageFormat, digests: Sequence[bytes]) -> list[int]:
        """Which of these images the file that has most of them has not."""
        best = list(range(len(digests)))
        for path in self._files(wanted):
            if (opened := _open(path, wanted)) is not None:
                os.close(opened[0])
                there = frozenset(opened[1])
                best = min(best, [i for i, digest in enumerate(digests) if digest not in there], key=len)
        return best

    @contextlib.contextmanager
    def begin(self, wanted: ImageFormat, count: int) -> Iterator[CacheWriter | None]:
        """A writer for ``count`` images; ``None`` where there is no room, and ``tell`` has heard of it. What is not finished is removed."""
        size = count * (prod(wanted.shape) + _DIGEST) + _HEAD.size + _DIGEST
        writer = None
        try:
            if (lack := self.disk.lacks_room("decoded", size)) is None:
                writer = CacheWriter(self, wanted)
            else:
                self.unused(lack)
        except OSError as error:
            self.unused(error.strerror or str(error))
        try:
            yield writer
        finally:
            if writer is not None:
                writer.abandon()

    def unused(self, reason: str) -> None:
        """Say why images are not kept."""
        self.tell(CacheUnused(str(self.folder), reason))

    def _files(self, wanted: ImageFormat) -> list[Path]:
        """Files of images of this format, the one used last first."""
        return self.disk.files("decoded", _prefix(wanted))


class CacheWriter:
    """A file of the cache while it is written: rows of pixels one after the other, then :meth:`finish`.

    Where the disk does not take them, that is told once, and nothing more is written. ``finished`` says that all of it is in its place.
    """

    def __init__(self, cache: DecodedCache, wanted: ImageFormat) -> None:
        self._cache = cache
        self._wanted = wanted
        descriptor, self._temporary = cache.disk.new_file("decoded")
        self._file = os.fdopen(descriptor, "wb")
        self.finished = False

    def write(self, pixels: Pixels) -> None:
        """The next images, `N x C x H x W`."""
        if not self._file.closed:
            self._trying(lambda: self._file.write(np.ascontiguousarray(pixels).data))

    def finish(self, digests: Sequence[bytes]) -> None:
        """Put the file in its place, where all of it could be written; ``digests`` are those of all images, in their order."""
        if not self._file.closed:
            self._trying(lambda: self._place(digests))

    def _place(self, digests: Sequence[bytes]) -> None:
        self._file.write(_table(self._wanted, digests))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        key = hashlib.sha256(b"".join(sorted(digests))).hexdigest()[:32]
        self._temporary.replace(self._cache.disk.place("decoded", _prefix(self._wanted) + key))
        self.finished = True

    def _trying(self, work: Callable[[], object]) -> None:
        try:
            work()
        except OSError as error:
            self._cache.unused(error.strerror or str(error))
            self.abandon()

    def abandon(self) -> None:
        """Remove what is not in its place yet."""
        with contextlib.suppress(OSError):
            self._file.close()
        remove(self._temporary)


def _table(wanted: ImageFormat, digests: Sequence[bytes]) -> bytes:
    table = b"".join(digests) + _HEAD.pack(_MAGIC, decoding(), *wanted.shape, len(digests))
    return table + hashlib.sha256(table).digest()


def _open(path: Path, wanted: ImageFormat) -> tuple[int, list[bytes]] | None:
    """A descriptor of a file of the cache and the digests in its table; ``None`` where it cannot be read, and where it is none of this
    format, whole and sound: then it is removed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    try:
        table = _checked(descriptor, wanted)
    except OSError:
        os.close(descriptor)
        return None
    if table is None:
        os.close(descriptor)
        remove(path)
        return None
    return descriptor, table


def _checked(descriptor: int, wanted: ImageFormat) -> list[bytes] | None:
    size = os.fstat(descriptor).st_size
    row, end = prod(wanted.shape), _HEAD.size + _DIGEST
    count, rest = divmod(size - end, row + _DIGEST)
    if rest or count < 0:
        return None
    os.lseek(descriptor, count * row, os.SEEK_SET)
    with os.fdopen(os.dup(descriptor), "rb") as file:
        table = file.read()
    names = [table[start : start + _DIGEST] for start in range(0, count * _DIGEST, _DIGEST)]
    return names if table == _table(wanted, names) else None


@cache
def decoding() -> bytes:
    """SHA-256 of what decides, beside an image's file, which bytes come out: our rules, the libraries, and the kind of processor."""
    versions = (PIL.__version__, simplejpeg.__version__, torch.__version__, torch.backends.cpu.get_cpu_capability())
    return hashlib.sha256(repr((RULES, *versions)).encode()).digest()


def _prefix(wanted: ImageFormat) -> str:
    return f"{'x'.join(map(str, wanted.shape))}-{decoding().hex()[:8]}-"
