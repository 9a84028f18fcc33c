"""From what a layout gives to columns: images decoded once and kept where they fit, numbers as tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from netspec.data.cutting import Cut, CutColumn
from netspec.data.found import Paths, Values
from netspec.data.images.cache import DecodedCache
from netspec.data.images.cached import CachedPixels
from netspec.data.images.decode import ImageFormat, Pixels, Unreadable, decode, read_bytes
from netspec.data.images.loading import Progress, scan, scan_to_disk
from netspec.data.images.photographs import Photographs, scan_photographs
from netspec.data.samples import Column, MappedColumn, MemoryColumn, ReadColumn
from netspec.diagnostics import NetspecError, failure
from netspec.diagnostics.data import BadImages

_ROWS: int = 4096
"""How many rows of an array that is mapped into memory are looked at in one go."""


@dataclass(frozen=True)
class Decoded:
    """The images of a column, one after the other: their pixels where they are kept, or photographs where they are whole, and the SHA-256
    of every file."""

    pixels: Pixels | CachedPixels | Photographs | None
    digests: Sequence[bytes]
    bad: tuple[tuple[str, str], ...] = ()
    """The files that cannot be decoded, each with the reason; then nothing else is there."""


class PickedColumn(Column):
    """Some rows of another column, in an order of their own."""

    def __init__(self, whole: Column, places: Tensor) -> None:
        self.whole = whole
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    def rows(self, indices: Tensor) -> Tensor:
        return self.whole.rows(self.places[indices.cpu()])

    def read(self, indices: Tensor, pool: ThreadPoolExecutor) -> Callable[[], Tensor]:
        return self.whole.read(self.places[indices.cpu()], pool)

    @property
    def eager(self) -> bool:
        return self.whole.eager


def decoded(paths: Sequence[Path], wanted: ImageFormat, keep: bool, cache: DecodedCache | None, progress: Progress | None) -> Decoded:
    """Decode every file once, or take what the cache has; what is not kept in memory stays in the cache, where there is one."""
    try:
        if wanted.whole:
            return Decoded(*scan_photographs(paths, wanted, keep=keep, progress=progress, cache=cache))
        if not keep and cache is not None:
            return Decoded(*scan_to_disk(paths, wanted, cache, progress))
        return Decoded(*scan(paths, wanted, keep=keep, progress=progress, cache=cache))
    except NetspecError as error:
        bad = [d.problem.files for d in error.diagnostics if isinstance(d.problem, BadImages)]
        if not bad:
            raise
        return Decoded(None, (), tuple(file for files in bad for file in files))


def image_column(paths: Paths, wanted: ImageFormat, found: Decoded, part: slice, cut: Cut | None) -> Column:
    """The images of a split, which are ``part`` of all: in memory or in the cache where they are kept, else decoded as they are needed;
    parts of them, as ``cut`` says, where they are whole."""
    if cut is not None:
        assert found.pixels is not None and not isinstance(found.pixels, np.ndarray | CachedPixels)
        return CutColumn(found.pixels, part.start, part.stop - part.start, wanted, cut)
    if found.pixels is None:
        return ReadColumn(len(paths), lambda index: _image(paths[index], wanted))
    if isinstance(found.pixels, CachedPixels):
        return PickedColumn(MappedColumn(found.pixels), torch.arange(part.start, part.stop))
    assert isinstance(found.pixels, np.ndarray)
    return MemoryColumn(torch.from_numpy(found.pixels[part]))


def value_column(raw: Values) -> Column:
    """The numbers of a split."""
    if isinstance(raw.array, np.memmap):
        whole = MappedColumn(raw.array)
        return whole if raw.places is None else PickedColumn(whole, torch.from_numpy(raw.places))
    return MemoryColumn(torch.from_numpy(raw.gathered()))


def row_digests(raw: Values) -> list[bytes]:
    """SHA-256 of each row."""
    found: list[bytes] = []
    for start in range(0, len(raw), _ROWS):
        part = np.ascontiguousarray(raw.pick(np.arange(start, min(start + _ROWS, len(raw)))).gathered())
        found += [hashlib.sha256(row.data).digest() for row in part]
    return found


def _image(path: Path, wanted: ImageFormat) -> Pixels:
    try:
        return decode(read_bytes(path), wanted)
    except Unreadable as error:
        raise failure(BadImages(((str(path), str(error)),))) from error


def fingerprint(classes: Mapping[str, tuple[str, ...]], contents: Iterable[tuple[str, int, Iterable[bytes]]]) -> str:
    """SHA-256 over the names of the classes and, for each column of each split, its name, its length and what stands for every value."""
    hashed = hashlib.sha256(repr(dict(classes)).encode("utf-8", "surrogatepass"))
    for name, count, values in contents:
        hashed.update(f"{name}\0{count}\0".encode("utf-8", "surrogatepass"))
        for value in values:
            hashed.update(value)
    return hashed.hexdigest()
