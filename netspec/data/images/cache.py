"""Decoded images on disk: what was decoded once is read from then on.

A file holds images of one format, as ``RULES`` and the libraries at hand decode them, all of one size or, where they are whole, each of its
own; each is known by the SHA-256 of the file it was decoded from, so names, folders, order and splits of the data do not matter, and a
changed image is another image. Files lie in the folder `decoded` of netspec's cache (`cache.py`). Of two processes at once, the later takes
the place of the earlier, which says the same. The last bytes of a file are its table, with a checksum; a file whose table or length is
wrong is removed, and written anew.

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
from collections.abc import Callable, Iterable, Iterator, Sequence
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


class _Opened:
    """A file of the cache that is read from.

    The file may be removed meanwhile, as it stays open. Raises a :class:`~netspec.diagnostics.NetspecError` N733 where it cannot be read.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._lock = Lock()
        weakref.finalize(self, os.close, descriptor)
        using(self)

    def _read(self, targets: Iterable[Pixels], starts: Iterable[int]) -> None:
        """Fill arrays with the bytes from these places on."""
        try:
            for target, start in zip(targets, starts, strict=True):
                if _read_at(self._descriptor, target, start, self._lock) != target.nbytes:
                    raise failure(CacheLost(str(self.path), "it ends too early"))
        except OSError as error:
            raise failure(CacheLost(str(self.path), error.strerror or str(error))) from error


class CachedPixels(_Opened):
    """Images in a file of the cache, `N x C x H x W` bytes, in the order asked for: ``pixels[rows]`` reads some of them."""

    def __init__(self, path: Path, descriptor: int, rows: NDArray[np.int64], wanted: ImageFormat) -> None:
        super().__init__(path, descriptor)
        self.shape = (len(rows), *wanted.shape)
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def nbytes(self) -> int:
        return prod(self.shape)

    def __getitem__(self, rows: NDArray[np.int64]) -> Pixels:
        found = np.empty((len(rows), *self.shape[1:]), np.uint8)
        self._read(found, (self._rows[rows] * prod(self.shape[1:])).tolist())
        return found


class CachedPhotographs(_Opened):
    """Whole images in a file of the cache, in the order asked for; ``sizes``, `N x 2`, are their heights and widths."""

    kept = True

    def __init__(self, path: Path, descriptor: int, rows: NDArray[np.int64], table: _Table) -> None:
        super().__init__(path, descriptor)
        assert table.sizes is not None
        self._channels = table.wanted.channels
        starts = np.cumsum(np.append(0, self._channels * table.sizes.prod(1)))
        self._starts: list[int] = starts[rows].tolist()
        self.sizes = table.sizes[rows]
        self._shapes: list[list[int]] = self.sizes.tolist()

    def window(self, index: int, rows: slice, columns: slice) -> Pixels:
        """Some rows and columns of an image, `C x rows x columns`."""
        height, width = self._shapes[index]
        found = np.empty((self._channels, rows.stop - rows.start, width), np.uint8)
        first = self._starts[index] + rows.start * width
        self._read(found, range(first, first + self._channels * height * width, height * width))
        return found[:, :, columns]


def _read_at(descriptor: int, target: Pixels, start: int, lock: Lock) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, (target,), start)  # type: ignore[arg-type]
    with lock:  # Windows reads by position only after moving there
        os.lseek(descriptor, start, os.SEEK_SET)
        content = os.read(descriptor, target.nbytes)
    target.reshape(-1)[: len(content)] = np.frombuffer(content, np.uint8)
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

    def find(self, wanted: ImageFormat, digests: Sequence[bytes]) -> CachedPixels | CachedPhotographs | None:
        """The images decoded from files of these SHA-256, if one file has them all; photographs where they are ``whole``."""
        for path in self._files(wanted):
            opened = _open(path, wanted)
            if opened is None:
                continue
            descriptor, table = opened
            places = {digest: row for row, digest in enumerate(table.digests)}
            rows = np.array([places.get(digest, -1) for digest in digests], np.int64)
            if -1 not in rows:
                if wanted.whole:
                    return CachedPhotographs(path, descriptor, rows, table)
                return CachedPixels(path, descriptor, rows, wanted)
            os.close(descriptor)
        return None

    def lacking(self, wanted: ImageFormat, digests: Sequence[bytes]) -> list[int]:
        """Which of these images the file that has most of them has not."""
        best = list(range(len(digests)))
        for path in self._files(wanted):
            if (opened := _open(path, wanted)) is not None:
                os.close(opened[0])
                there = frozenset(opened[1].digests)
                best = min(best, [i for i, digest in enumerate(digests) if digest not in there], key=len)
        return best

    @contextlib.contextmanager
    def begin(self, wanted: ImageFormat, count: int, pixels: int) -> Iterator[CacheWriter | None]:
        """A writer for ``count`` images of so many bytes of ``pixels``; ``None`` where there is no room, and ``tell`` has heard of it. What
        is not finished is removed."""
        size = pixels + count * _entry(wanted) + _HEAD.size + _DIGEST
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

    def removed(self) -> None:
        """Say that a file that was written is gone."""
        self.unused("another process has removed them already")

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

    def write(self, images: Iterable[Pixels]) -> None:
        """The next images, `C x H x W` each."""
        if not self._file.closed:
            self._trying(lambda: self._file.writelines(np.ascontiguousarray(image).data for image in images))

    def finish(self, digests: Sequence[bytes], sizes: NDArray[np.int64] | None = None) -> None:
        """Put the file in its place, where all of it could be written; ``digests`` are those of all images, in their order, and ``sizes``
        their heights and widths where they are whole."""
        if not self._file.closed:
            self._trying(lambda: self._place(digests, sizes))

    def _place(self, digests: Sequence[bytes], sizes: NDArray[np.int64] | None) -> None:
        self._file.write(_Table(self._wanted, digests, sizes).packed())
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


@dataclass(frozen=True)
class _Table:
    """What stands at the end of a file; ``sizes``, `N x 2`, where the images are whole."""

    wanted: ImageFormat
    digests: Sequence[bytes]
    sizes: NDArray[np.int64] | None

    def packed(self) -> bytes:
        """Digests, sizes, the head, and the checksum of all that."""
        sizes = b"" if self.sizes is None else self.sizes.astype("<u4").tobytes()
        table = b"".join(self.digests) + sizes + _HEAD.pack(_MAGIC, decoding(), *self.wanted.shape, len(self.digests))
        return table + hashlib.sha256(table).digest()

    @property
    def pixels(self) -> int:
        """How many bytes there are before it."""
        each = prod(self.wanted.shape) * len(self.digests)
        return each if self.sizes is None else int(self.wanted.channels * self.sizes.prod(1).sum())

    @staticmethod
    def of(wanted: ImageFormat, packed: bytes, count: int) -> _Table | None:
        """The table of so many images, if these bytes are one."""
        digests = [packed[start : start + _DIGEST] for start in range(0, count * _DIGEST, _DIGEST)]
        sizes = None
        if wanted.whole:
            sizes = np.frombuffer(packed, "<u4", 2 * count, count * _DIGEST).astype(np.int64).reshape(-1, 2)
        found = _Table(wanted, digests, sizes)
        return found if found.packed() == packed else None


def _entry(wanted: ImageFormat) -> int:
    """Bytes of a table for each image."""
    return _DIGEST + 8 * wanted.whole


def _open(path: Path, wanted: ImageFormat) -> tuple[int, _Table] | None:
    """A descriptor of a file of the cache and its table; ``None`` where it cannot be read, and where it is none of this format, whole and
    sound: then it is removed."""
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


def _checked(descriptor: int, wanted: ImageFormat) -> _Table | None:
    size, end = os.fstat(descriptor).st_size, _HEAD.size + _DIGEST
    if size < end:
        return None
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(size - end)
        count = _HEAD.unpack(file.read(_HEAD.size))[-1]
        start = size - end - count * _entry(wanted)
        if start < 0:
            return None
        file.seek(start)
        table = _Table.of(wanted, file.read(), count)
    return table if table is not None and table.pixels == start else None


@cache
def decoding() -> bytes:
    """SHA-256 of what decides, beside an image's file, which bytes come out: our rules, the libraries, and the kind of processor."""
    versions = (PIL.__version__, simplejpeg.__version__, torch.__version__, torch.backends.cpu.get_cpu_capability())
    return hashlib.sha256(repr((RULES, *versions)).encode()).digest()


def _prefix(wanted: ImageFormat) -> str:
    return f"{'whole-' * wanted.whole}{'x'.join(map(str, wanted.shape))}-{decoding().hex()[:8]}-"
