"""Decoded images on disk: what was decoded once is read from then on.

A file holds images of one format, as ``RULES`` and the libraries at hand decode them, all of one size or, where they are whole, each of its
own; each is known by the SHA-256 of the file it was decoded from, so names, folders, order and splits of the data do not matter, and a
changed image is another image. What several files have together is read from all of them. Files lie in the folder `decoded` of netspec's
cache (`cache.py`). Of two processes at once, the later takes the place of the earlier, which says the same. The last bytes of a file are
its table, with a checksum; a file whose table or length is wrong is removed, and written anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netspec.cache import Cache, remove
from netspec.data.images.cached import (
    CachedFile,
    CachedPhotographs,
    CachedPixels,
    Gathered,
    Indices,
    Table,
    decoding,
    open_file,
    table_bytes,
)
from netspec.data.images.decode import ImageFormat, Pixels
from netspec.diagnostics import Problem
from netspec.diagnostics.caching import CacheUnused

Tell = Callable[[Problem], None]


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
        """The images decoded from files of these SHA-256, if all are there; photographs where they are ``whole``."""
        found = self._gathered(wanted, digests)
        if found.lacking or not digests:
            return None
        return CachedPhotographs(found, wanted) if wanted.whole else CachedPixels(found, wanted)

    def lacking(self, wanted: ImageFormat, digests: Sequence[bytes]) -> list[int]:
        """Which of these images are not there."""
        return self._gathered(wanted, digests).lacking

    def _gathered(self, wanted: ImageFormat, digests: Sequence[bytes]) -> Gathered:
        files: list[CachedFile] = []
        found = Gathered(files, np.full(len(digests), -1), np.zeros(len(digests), np.int64))
        for path in self._files(wanted):
            if not (lacking := found.lacking):
                break
            if (file := open_file(path, wanted)) is None:
                continue
            places = {digest: row for row, digest in enumerate(file.table.digests)}
            there = [(index, row) for index in lacking if (row := places.get(digests[index])) is not None]
            if there:
                indices, rows = zip(*there, strict=True)
                found.file[list(indices)], found.row[list(indices)] = len(files), rows
                files.append(file)
        return found

    @contextlib.contextmanager
    def begin(self, wanted: ImageFormat, count: int, pixels: int) -> Iterator[CacheWriter | None]:
        """A writer for ``count`` images of about so many bytes of ``pixels``; ``None`` where there is no room, and ``tell`` has heard of
        it. What is not finished is removed."""
        size = pixels + table_bytes(wanted, count)
        writer = None
        try:
            if (lack := self.disk.lacks_room("decoded", size)) is None:
                writer = CacheWriter(self, wanted, size)
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

    Where the disk does not take them, or they are more than there is ``room`` for and no more can be made, that is told once, and nothing
    more is written. ``finished`` says that all of it is in its place.
    """

    def __init__(self, cache: DecodedCache, wanted: ImageFormat, room: int) -> None:
        self._cache = cache
        self._wanted = wanted
        self._room = room
        self._written = 0
        descriptor, self._temporary = cache.disk.new_file("decoded")
        self._file = os.fdopen(descriptor, "wb")
        self.finished = False

    def write(self, images: Iterable[Pixels]) -> None:
        """The next images, `C x H x W` each."""
        if not self._file.closed:
            self._trying(lambda: self._written_down(images))

    def _written_down(self, images: Iterable[Pixels]) -> None:
        for image in images:
            self._written += self._file.write(np.ascontiguousarray(image).data)
        if self._written > self._room:
            self._room = 2 * self._written  # more than was expected
            if (lack := self._cache.disk.lacks_room("decoded", self._room)) is not None:
                self._cache.unused(lack)
                self.abandon()

    def finish(self, digests: Sequence[bytes], sizes: Indices | None = None) -> None:
        """Put the file in its place, where all of it could be written; ``digests`` are those of all images, in their order, and ``sizes``
        their heights and widths where they are whole."""
        if not self._file.closed:
            self._trying(lambda: self._place(digests, sizes))

    def _place(self, digests: Sequence[bytes], sizes: Indices | None) -> None:
        self._file.write(Table(self._wanted, digests, sizes).packed())
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


def _prefix(wanted: ImageFormat) -> str:
    return f"{'whole-' * wanted.whole}{'x'.join(map(str, wanted.shape))}-{decoding().hex()[:8]}-"
