"""Reading decoded images from files of the cache, and the table that stands at the end of each.

Rows are read by position, and files are not mapped into memory: if something else cuts a mapped file short, touching it ends the
process (SIGBUS), and no check before can rule that out; reading says so instead. The system keeps what was read in memory in both cases.
A row of 150 kB takes 10 microseconds this way, 7 mapped, and 500 and more to decode.
"""

from __future__ import annotations

import hashlib
import os
import struct
import weakref
from collections.abc import Iterable, Sequence
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

from netspec.cache import remove, using
from netspec.data.images.decode import MAX_PIXELS, RULES, ImageFormat, Pixels
from netspec.diagnostics import failure
from netspec.diagnostics.caching import CacheLost

Indices = NDArray[np.int64]

_DIGEST: Final = 32
_HEAD: Final = struct.Struct("<8s32sIIIQ")
"""Magic, maker, channels, height, width, count: behind the digests, and before the checksum of all of the table."""
_MAGIC: Final = b"netspec1"


@cache
def decoding() -> bytes:
    """SHA-256 of what decides, beside an image's file, which bytes come out: our rules, the libraries, and the kind of processor."""
    versions = (PIL.__version__, simplejpeg.__version__, torch.__version__, torch.backends.cpu.get_cpu_capability())
    return hashlib.sha256(repr((RULES, *versions)).encode()).digest()


@dataclass(frozen=True)
class Table:
    """What stands at the end of a file; ``sizes``, `N x 2`, where the images are whole."""

    wanted: ImageFormat
    digests: Sequence[bytes]
    sizes: Indices | None

    def packed(self) -> bytes:
        """Digests, sizes, the head, and the checksum of all that."""
        sizes = b"" if self.sizes is None else self.sizes.astype("<u4").tobytes()
        table = b"".join(self.digests) + sizes + _HEAD.pack(_MAGIC, decoding(), *self.wanted.shape, len(self.digests))
        return table + hashlib.sha256(table).digest()

    def starts(self) -> Indices:
        """Where each image begins, and where the last one ends."""
        if self.sizes is None:
            return np.arange(len(self.digests) + 1) * prod(self.wanted.shape)
        return np.cumsum(np.append(0, self.wanted.channels * self.sizes.prod(1)))

    @staticmethod
    def of(wanted: ImageFormat, packed: bytes, count: int) -> Table | None:
        """The table of so many images, if these bytes are one."""
        digests = [packed[start : start + _DIGEST] for start in range(0, count * _DIGEST, _DIGEST)]
        sizes = None
        if wanted.whole:
            sizes = np.frombuffer(packed, "<u4", 2 * count, count * _DIGEST).astype(np.int64).reshape(-1, 2)
            if not ((sizes > 0) & (sizes <= MAX_PIXELS)).all() or (sizes.prod(1) > MAX_PIXELS).any():
                return None
        found = Table(wanted, digests, sizes)
        return found if found.packed() == packed else None


def table_bytes(wanted: ImageFormat, count: int) -> int:
    """How many bytes a table has."""
    return count * (_DIGEST + 8 * wanted.whole) + _HEAD.size + _DIGEST


class CachedFile:
    """A file of the cache that is read from.

    It may be removed meanwhile, as it stays open. Raises a :class:`~netspec.diagnostics.NetspecError` N733 where it cannot be read.
    """

    def __init__(self, path: Path, descriptor: int, table: Table) -> None:
        self.path = path
        self.table = table
        self._descriptor = descriptor
        self._lock = Lock()
        weakref.finalize(self, os.close, descriptor)

    def read(self, targets: Iterable[Pixels], starts: Iterable[int]) -> None:
        """Fill arrays with the bytes from these places on."""
        try:
            for target, start in zip(targets, starts, strict=True):
                if _read_at(self._descriptor, target, start, self._lock) != target.nbytes:
                    raise failure(CacheLost(str(self.path), "it ends too early"))
        except OSError as error:
            raise failure(CacheLost(str(self.path), error.strerror or str(error))) from error


def _read_at(descriptor: int, target: Pixels, start: int, lock: Lock) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, (target,), start)  # type: ignore[arg-type]
    with lock:  # Windows reads by position only after moving there
        os.lseek(descriptor, start, os.SEEK_SET)
        content = os.read(descriptor, target.nbytes)
    target.reshape(-1)[: len(content)] = np.frombuffer(content, np.uint8)
    return len(content)


def open_file(path: Path, wanted: ImageFormat) -> CachedFile | None:
    """A file of the cache; ``None`` where it cannot be read, and where it is none of this format, complete and sound: then it is
    removed."""
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
    return CachedFile(path, descriptor, table)


def _checked(descriptor: int, wanted: ImageFormat) -> Table | None:
    size, end = os.fstat(descriptor).st_size, _HEAD.size + _DIGEST
    if size < end:
        return None
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(size - end)
        count = _HEAD.unpack(file.read(_HEAD.size))[-1]
        start = size - table_bytes(wanted, count)
        if start < 0:
            return None
        file.seek(start)
        table = Table.of(wanted, file.read(), count)
    return table if table is not None and int(table.starts()[-1]) == start else None


@dataclass(frozen=True)
class Gathered:
    """Where images lie: of each the number of its file, -1 where it is in none, and its row there."""

    files: Sequence[CachedFile]
    file: Indices
    row: Indices

    @property
    def lacking(self) -> list[int]:
        """The images that are in no file."""
        found: list[int] = np.flatnonzero(self.file < 0).tolist()
        return found

    def starts(self) -> Indices:
        """Where each image begins in its file. All files count as used."""
        found = np.zeros(len(self.file), np.int64)
        for number, one in enumerate(self.files):
            using(one)
            found[self.file == number] = one.table.starts()[self.row[self.file == number]]
        return found

    def sizes(self) -> Indices:
        """The height and width of each image, `N x 2`, where they are whole."""
        found = np.zeros((len(self.file), 2), np.int64)
        for number, one in enumerate(self.files):
            assert one.table.sizes is not None
            found[self.file == number] = one.table.sizes[self.row[self.file == number]]
        return found


class CachedPixels:
    """Images in files of the cache, `N x C x H x W` bytes, in the order asked for: ``pixels[rows]`` reads some of them."""

    def __init__(self, found: Gathered, wanted: ImageFormat) -> None:
        self.paths = [file.path for file in found.files]
        self.shape = (len(found.file), *wanted.shape)
        self._found = found
        self._starts = found.starts()

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        return prod(self.shape)

    def __getitem__(self, rows: Indices) -> Pixels:
        found = np.empty((len(rows), *self.shape[1:]), np.uint8)
        for target, file, start in zip(found, self._found.file[rows].tolist(), self._starts[rows].tolist(), strict=True):
            self._found.files[file].read((target,), (start,))
        return found


class CachedPhotographs:
    """Whole images in files of the cache, in the order asked for; ``sizes``, `N x 2`, are their heights and widths."""

    kept = True

    def __init__(self, found: Gathered, wanted: ImageFormat) -> None:
        self._channels = wanted.channels
        self._found = found
        self._starts, self.sizes = found.starts(), found.sizes()

    def window(self, index: int, rows: slice, columns: slice) -> Pixels:
        """Some rows and columns of an image, `C x rows x columns`."""
        height, width = self.sizes[index].tolist()
        found = np.empty((self._channels, rows.stop - rows.start, width), np.uint8)
        first = int(self._starts[index]) + rows.start * width
        self._found.files[self._found.file[index]].read(found, range(first, first + self._channels * height * width, height * width))
        return found[:, :, columns]
