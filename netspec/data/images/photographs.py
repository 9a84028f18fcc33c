"""Whole images: each of its own size, in memory, in the cache, or decoded when a part of one is asked for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from netspec.data.images.cache import DecodedCache
from netspec.data.images.cached import CachedPhotographs
from netspec.data.images.decode import ImageFormat, Pixels, Unreadable, decode_window, read_bytes
from netspec.data.images.loading import Progress, each_decoded, known, pays, stored
from netspec.diagnostics import failure
from netspec.diagnostics.data import BadImages


class Photographs(Protocol):
    """Whole images. ``sizes``, `N x 2`, are their heights and widths; ``kept`` says that none has to be decoded any more."""

    @property
    def sizes(self) -> NDArray[np.int64]: ...

    @property
    def kept(self) -> bool: ...

    def window(self, index: int, rows: slice, columns: slice) -> Pixels:
        """Some rows and columns of an image, `C x rows x columns`."""


class HeldPhotographs:
    """Whole images in memory."""

    kept = True

    def __init__(self, images: Sequence[Pixels]) -> None:
        self.sizes = _sizes(images)
        self._images = images

    def window(self, index: int, rows: slice, columns: slice) -> Pixels:
        return self._images[index][:, rows, columns]


class FilePhotographs:
    """Whole images that are decoded from their files when they are asked for. Raises N711 where one cannot be read any more, or has another
    size by now."""

    kept = False

    def __init__(self, files: Sequence[Path], wanted: ImageFormat, sizes: NDArray[np.int64]) -> None:
        self.sizes = sizes
        self._files = files
        self._wanted = wanted

    def window(self, index: int, rows: slice, columns: slice) -> Pixels:
        path, (height, width) = self._files[index], self.sizes[index].tolist()
        try:
            return decode_window(read_bytes(path), self._wanted, (height, width), (rows, columns))
        except Unreadable as error:
            raise failure(BadImages(((str(path), str(error)),))) from error


def scan_photographs(
    files: Sequence[Path], wanted: ImageFormat, *, keep: bool, progress: Progress | None = None, cache: DecodedCache | None = None
) -> tuple[Photographs, list[bytes]]:
    """Read and decode every file once: the images in memory where they are to be kept, else in the cache where there is one that takes
    them, and the SHA-256 of every file. Raises N711."""
    if cache is not None and (found := known(files, wanted, cache, progress)):
        photographs, digests = found
        assert isinstance(photographs, CachedPhotographs)
        if not keep:
            return photographs, digests
        return HeldPhotographs(
            [photographs.window(i, slice(0, h), slice(0, w)) for i, (h, w) in enumerate(photographs.sizes.tolist())]
        ), digests
    return _to_memory(files, wanted, progress, cache) if keep else _to_disk(files, wanted, progress, cache)


def _to_memory(
    files: Sequence[Path], wanted: ImageFormat, progress: Progress | None, cache: DecodedCache | None
) -> tuple[Photographs, list[bytes]]:
    images: list[Pixels] = []
    digests: list[bytes] = []
    began = time.perf_counter()
    for part in each_decoded(files, wanted, progress):
        digests += [digest for digest, _ in part]
        images += [image for _, image in part]
    size = sum(image.nbytes for image in images)
    if cache is not None and pays(time.perf_counter() - began, size):
        with cache.begin(wanted, len(images), size) as writer:
            if writer is not None:
                writer.write(images)
                writer.finish(digests, _sizes(images))
    return HeldPhotographs(images), digests


def _to_disk(
    files: Sequence[Path], wanted: ImageFormat, progress: Progress | None, cache: DecodedCache | None
) -> tuple[Photographs, list[bytes]]:
    if cache is None:
        digests, sizes = [], [_sizes([])]
        for part in each_decoded(files, wanted, progress):
            digests += [digest for digest, _ in part]
            sizes.append(_sizes([image for _, image in part]))
        return FilePhotographs(files, wanted, np.concatenate(sizes)), digests
    found, digests, heights_and_widths = stored(files, wanted, cache, progress)
    return found if isinstance(found, CachedPhotographs) else FilePhotographs(files, wanted, heights_and_widths), digests


def _sizes(images: Sequence[Pixels]) -> NDArray[np.int64]:
    return np.array([image.shape[1:] for image in images], np.int64).reshape(-1, 2)
