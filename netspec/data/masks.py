"""Masks: pictures whose pixels are numbers of classes.

- Grey PNG (or BMP, GIF, lossless WebP), or one with a palette, whose indices are the numbers; three equal channels count as grey.
- 0 to the classes less 1 are classes, 255 counts for nothing. Where there are two classes and no mask of the data has the value 1, 255
  means 1, so 0 and 255 are the two; so it is in a picture of one bit. Masks of splits that are not read count for that as well, or a
  split would mean something else when it is measured alone.
- A mask has the height and width of its image, and is brought to those of the output by taking the nearest pixel: nothing is mixed.
  So the map has to be the picture in some scale; of a part of it masks are given as arrays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from netspec.data.found import IGNORED, Indices, Paths, Raw, Values
from netspec.data.images.decode import FORMATS, MAX_PIXELS, Pixels, Unreadable, check_bounded, read_bytes
from netspec.data.images.facts import other_size
from netspec.data.images.loading import workers
from netspec.data.samples import Column, MappedColumn, MemoryColumn, ReadColumn
from netspec.data.task import WantedTarget
from netspec.diagnostics import failure
from netspec.diagnostics.masks import BadMasks

_CHUNK = 512
_COUNTED: Final = 2**30
"""Of the masks of arrays so many pixels are counted at most, and so many at a time."""
_AT_ONCE: Final = 2**22


@dataclass(frozen=True)
class Masks:
    """The masks of a target in all splits, one after the other: `N x H x W` bytes where they are kept, and the SHA-256 of every file.

    ``whites`` says that 255 means 1. ``bad`` are files that are no masks for this net, each with the reason. ``pixels`` are how many
    pixels of each class every file has, `N x classes`, where files were read.
    """

    values: Pixels | None
    digests: Sequence[bytes]
    whites: bool
    bad: tuple[tuple[str, str], ...] = ()
    pixels: Indices | None = None


@dataclass(frozen=True)
class _Examined:
    """What a file of a mask says: its SHA-256, its numbers, and how often it has each of them, of a picture of ``one_bit`` 0 and 1."""

    digest: bytes
    mask: Pixels
    counts: Indices
    one_bit: bool


def in_line(picture: tuple[int, ...], target: WantedTarget) -> bool:
    """Whether a map lies over the picture it is made from: it has the picture's size divided by one whole number, rounded up or down, or
    a multiple of it. Convolutions without padding cut borders off, and the map is a part of the picture then."""
    sides = list(zip(picture, (target.height, target.width), strict=True))
    smaller = (all(m in (p // f, -(-p // f)) for p, m in sides) for f in range(1, max(picture) + 1))
    return any(smaller) or all(m % p == 0 and m // p == sides[0][1] // sides[0][0] for p, m in sides)


def read_masks(paths: Paths, images: Paths | None, target: WantedTarget, keep: bool, others: Sequence[Paths] = ()) -> Masks:
    """Read every mask once, and hold it against the size of its image, where there is one; ``others`` are of the same data, and read only
    where it depends on them what 255 means."""
    values = np.empty((len(paths), target.height, target.width), np.uint8) if keep else None
    digests: list[bytes] = []
    bad: list[tuple[str, str]] = []
    pixels = np.zeros((len(paths), target.classes), np.int64)
    whites = np.zeros(len(paths), np.int64)
    ones = False

    def examined(index: int) -> _Examined | str:
        return _examined(paths[index], None if images is None else images[index], target)

    with ThreadPoolExecutor(workers()) as pool:
        for start in range(0, len(paths), _CHUNK):
            numbers = range(start, min(start + _CHUNK, len(paths)))
            for number, found in zip(numbers, pool.map(examined, numbers), strict=True):
                if isinstance(found, str):
                    bad.append((str(paths[number]), found))
                    continue
                digests.append(found.digest)
                ones = ones or bool(found.counts[1] and not found.one_bit)
                pixels[number], whites[number] = found.counts[: target.classes], found.counts[IGNORED]
                if values is not None:
                    values[number] = resized(found.mask, target.height, target.width)
    if target.classes != 2 or ones or (whites.any() and any(map(_has_ones, others))):
        return Masks(values, digests, False, tuple(bad), pixels)
    if values is not None:
        values[values == IGNORED] = 1
    pixels[:, 1] += whites
    return Masks(values, digests, True, tuple(bad), pixels)


def _has_ones(paths: Paths) -> bool:
    """Whether a mask has the value 1, of those that can be read."""

    def look(path: Path) -> bool:
        try:
            content = read_bytes(path)
            return bool((decode_mask(content) == 1).any()) and not _is_of_one_bit(content)
        except Unreadable:
            return False

    with ThreadPoolExecutor(workers()) as pool:
        starts = range(0, len(paths), _CHUNK)
        return any(any(pool.map(look, paths[start : start + _CHUNK])) for start in starts)


def masks_of(raws: Sequence[Values]) -> Masks:
    """What the masks of arrays mean, taken together."""
    return Masks(None, (), not any(bool((raw.array == 1).any()) for raw in raws))


def mask_column(raw: Raw, target: WantedTarget, masks: Masks, part: slice) -> Column:
    """The masks of a split, which are ``part`` of all."""
    whites = masks.whites and target.classes == 2
    if masks.values is not None:
        return MemoryColumn(torch.from_numpy(masks.values[part]))
    if isinstance(raw, Paths):
        return ReadColumn(len(raw), lambda index: _read(raw[index], target, whites))
    assert isinstance(raw, Values)
    if isinstance(raw.array, np.memmap):
        return _WhitesColumn(raw.gathered()) if whites else MappedColumn(raw.gathered())
    values = raw.gathered()
    return MemoryColumn(torch.from_numpy(np.where(values == IGNORED, np.uint8(1), values) if whites else values))


@dataclass(frozen=True)
class PixelCounts:
    """How many pixels of each class there are in so many masks."""

    pixels: tuple[int, ...]
    masks: int


def count_pixels(raw: Raw, target: WantedTarget, masks: Masks, part: slice) -> PixelCounts:
    """The pixels of the masks of a split, which are ``part`` of all: of files all of them, of arrays those of so many masks, evenly
    spread, that they are no more than a few seconds can count."""
    if masks.pixels is not None:
        return PixelCounts(tuple(masks.pixels[part].sum(0).tolist()), len(raw))
    assert isinstance(raw, Values)
    size = target.height * target.width
    most = max(_COUNTED // size, 1)
    chosen = raw if len(raw) <= most else raw.pick(np.linspace(0, len(raw) - 1, most).astype(np.int64))
    counts, step = np.zeros(IGNORED + 1, np.int64), max(_AT_ONCE // size, 1)
    for start in range(0, len(chosen), step):
        rows = chosen.pick(np.arange(start, min(start + step, len(chosen)))).gathered()
        counts += np.bincount(rows.ravel(), minlength=IGNORED + 1)
    if masks.whites and target.classes == 2:
        counts[1] += counts[IGNORED]
    return PixelCounts(tuple(counts[: target.classes].tolist()), len(chosen))


class _WhitesColumn(MappedColumn):
    """Masks in a file that is mapped into memory, of 0 and 255."""

    def rows(self, indices: torch.Tensor) -> torch.Tensor:
        return (super().rows(indices) != 0).to(torch.uint8)


def resized(mask: Pixels, height: int, width: int) -> Pixels:
    """The mask at another size: of each pixel's place the nearest one."""
    rows, columns = (((2 * np.arange(new) + 1) * old) // (2 * new) for new, old in zip((height, width), mask.shape, strict=True))
    return mask if mask.shape == (height, width) else mask[rows][:, columns]


def decode_mask(content: bytes) -> Pixels:
    """A file's numbers of classes, `H x W`; of a picture of one bit 0 and 1. Raises :class:`Unreadable`."""
    check_bounded(content)
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            return _numbers(image)
    except Unreadable:
        raise
    except UnidentifiedImageError as error:
        raise Unreadable("it is no PNG, BMP, GIF or WebP") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unreadable(f"it has more than {MAX_PIXELS:,} pixels") from error
    except Exception as error:  # a decoder given a stranger's bytes raises whatever it likes
        raise Unreadable(f"it is damaged ({str(error) or type(error).__name__})") from error


def _numbers(image: Image.Image) -> Pixels:
    if image.width * image.height > MAX_PIXELS:
        raise Unreadable(f"it has {image.width * image.height:,} pixels, and the limit is {MAX_PIXELS:,}")
    if image.format == "JPEG":
        raise Unreadable("it is a JPEG, which does not keep the numbers of classes: save masks as PNG")
    image.load()
    values = np.asarray(image)
    if image.mode in ("LA", "RGB", "RGBA"):
        if image.mode in ("RGB", "RGBA") and not (values[..., :1] == values[..., 1:3]).all():
            raise Unreadable("it has colours: save masks as grey, or with a palette, in numbers of classes")
        values = values[..., 0]
    if values.ndim != 2 or values.min() < 0 or values.max() > IGNORED:
        raise Unreadable(f"it is a picture of mode {image.mode}, and masks have one number from 0 to 255 for a pixel")
    return values.astype(np.uint8)


def _examined(path: Path, image: Path | None, target: WantedTarget) -> _Examined | str:
    """What a mask's file says, or what is wrong with it."""
    try:
        content = read_bytes(path)
        mask = decode_mask(content)
    except Unreadable as error:
        return str(error)
    counts = np.bincount(mask.ravel(), minlength=IGNORED + 1)
    wrong = [v for v in np.flatnonzero(counts).tolist() if v >= target.classes and v != IGNORED]
    if wrong:
        return f"it has the value {wrong[0]}, and there are {target.classes} classes, from 0 on; 255 counts for nothing"
    if image is not None and (other := other_size(image, mask.shape)) is not None:
        return f"it is {mask.shape[1]} x {mask.shape[0]}, and its image {image.name} is {other[1]} x {other[0]}"
    return _Examined(hashlib.sha256(content).digest(), mask, counts, _is_of_one_bit(content))


def _is_of_one_bit(content: bytes) -> bool:
    with Image.open(BytesIO(content), formats=FORMATS) as image:
        return image.mode == "1"


def _read(path: Path, target: WantedTarget, whites: bool) -> Pixels:
    try:
        mask = resized(decode_mask(read_bytes(path)), target.height, target.width)
    except Unreadable as error:
        raise failure(BadMasks(((str(path), str(error)),))) from error
    return np.where(mask == IGNORED, np.uint8(1), mask) if whites else mask
