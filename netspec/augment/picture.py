"""Steps that are neither geometry nor one matrix of colours: filters, noise, erased rectangles, and the tone changes of trivial augment.

All take and give float pixels from 0 to 255, `N x C x H x W`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, pi
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from netspec.augment.counting import Floats, Numbers, Words, between, some
from netspec.augment.geometry import Canvas, rectangle
from netspec.values import Word


@dataclass(frozen=True)
class Blur:
    """A Gaussian filter with a standard deviation for each picture, 0 where it does nothing.

    ``reach`` is as far as the widest filter of the step goes, whichever are drawn: how numbers are summed is the same in every batch.
    """

    shown: dict[str, Floats]
    reach: int

    @staticmethod
    def draw(arguments: Mapping[str, Any], numbers: Numbers, position: int, canvas: Canvas) -> Blur:
        u = numbers.uniform(position, 2)
        sigma = np.where(u[:, 0] < arguments["p"], between(u[:, 1], arguments["sigma"]), 0.0)
        return Blur({"sigma": sigma}, ceil(3 * arguments["sigma"][1]))

    def of(self, rows: slice) -> Blur:
        return Blur(some(self.shown, rows), self.reach)

    def apply(self, pixels: Tensor) -> Tensor:
        sigma, reach = self.shown["sigma"], self.reach
        distance = np.arange(-reach, reach + 1)
        kernel = np.exp(-(distance**2) / (2 * np.maximum(sigma, 1e-3)[:, None] ** 2))
        weights = torch.from_numpy((kernel / kernel.sum(1, keepdims=True)).astype(np.float32)).to(pixels.device)
        if len(pixels) == 0:
            return pixels
        if pixels.shape[:2] == (1, 1):  # one plane alone would go through another kernel, and come out otherwise in its last bits
            return Blur({"sigma": sigma.repeat(2)}, reach).apply(pixels.expand(2, -1, -1, -1))[:1]
        count, channels, height, width = pixels.shape
        weights = weights.repeat_interleave(channels, 0)[:, None]
        flat = F.pad(pixels.reshape(1, count * channels, height, width), (reach,) * 4, mode="replicate")
        flat = F.conv2d(flat, weights[:, :, :, None], groups=count * channels)
        return F.conv2d(flat, weights[:, :, None, :], groups=count * channels).view(pixels.shape)


@dataclass(frozen=True)
class Noise:
    """Normally distributed numbers added; ``keys`` are two words of each picture that all of its numbers come from."""

    shown: dict[str, Floats]
    keys: Words

    @staticmethod
    def draw(arguments: Mapping[str, Any], numbers: Numbers, position: int, canvas: Canvas) -> Noise:
        applied = numbers.uniform(position, 1)[:, 0] < arguments["p"]
        return Noise({"std": np.where(applied, arguments["std"], 0.0)}, numbers.words(position, 3)[:, 1:])

    def of(self, rows: slice) -> Noise:
        return Noise(some(self.shown, rows), self.keys[rows])

    def apply(self, pixels: Tensor) -> Tensor:
        std = torch.from_numpy(self.shown["std"].astype(np.float32)).to(pixels.device)
        keys = torch.from_numpy(self.keys.astype(np.int64)).to(pixels.device)
        return torch.addcmul(pixels, normal(keys, pixels.shape[1:]), std[:, None, None, None])


def normal(keys: Tensor, shape: torch.Size) -> Tensor:
    """`N x shape` numbers of a standard normal distribution from `N x 2` words: two hashes, then Box and Muller's formula (1958)."""
    count = shape.numel()
    half = (count + 1) // 2
    places = torch.arange(half, device=keys.device)[None, :]
    radius, angle = (_hashed(_hashed((2 * places + i) ^ keys[:, :1]) ^ keys[:, 1:]) for i in (0, 1))
    length = torch.sqrt(-2 * torch.log((radius.float() + 0.5) * 2.0**-32))
    turn = angle.float() * (2 * pi / 2**32)
    both = torch.cat([length * torch.cos(turn), length * torch.sin(turn)], 1)
    return both[:, :count].view(len(keys), *shape)


def _hashed(x: Tensor) -> Tensor:
    """A word of 32 bits from another, held in 64: shifts and products, each of which can be undone."""
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        x = ((x ^ (x >> shift)) * factor) & 0xFFFFFFFF
    return x ^ (x >> 15)


@dataclass(frozen=True)
class Erase:
    """A rectangle of each picture painted over; one of width 0 is none."""

    shown: dict[str, Floats]
    value: float | None
    """``None`` stands for the mean of each channel."""

    @staticmethod
    def draw(arguments: Mapping[str, Any], numbers: Numbers, position: int, canvas: Canvas) -> Erase:
        u = numbers.uniform(position, 23)
        sides = rectangle(u[:, 1:], arguments["scale"], arguments["ratio"], canvas)
        applied = u[:, 0] < arguments["p"]
        shown = {name: side * applied for name, side in zip(("left", "top", "width", "height"), sides, strict=True)}
        return Erase(shown, None if isinstance(arguments["value"], Word) else float(arguments["value"]))

    def of(self, rows: slice) -> Erase:
        return Erase(some(self.shown, rows), self.value)

    def apply(self, pixels: Tensor) -> Tensor:
        left, top, width, height = (torch.from_numpy(self.shown[n]).to(pixels.device) for n in ("left", "top", "width", "height"))
        inside = covered(left, width, pixels.shape[3])[:, None, None, :] & covered(top, height, pixels.shape[2])[:, None, :, None]
        paint = pixels.mean((2, 3), keepdim=True) if self.value is None else torch.tensor(self.value, device=pixels.device)
        return torch.where(inside, paint, pixels)


def covered(start: Tensor, length: Tensor, size: int) -> Tensor:
    """`N x size`: which places lie in a stretch of each row."""
    places = torch.arange(size, device=start.device)[None, :]
    return (places >= start[:, None]) & (places < (start + length)[:, None])


TONES: Final = ("sharpness", "posterize", "solarize", "autocontrast", "equalize")


@dataclass(frozen=True)
class Tone:
    """For each picture one of the tone changes by its number in :data:`TONES`, -1 for none, and its strength."""

    which: NDArray[np.int64]
    strength: Floats

    def of(self, rows: slice) -> Tone:
        return Tone(self.which[rows], self.strength[rows])

    def apply(self, pixels: Tensor) -> Tensor:
        made = pixels
        for number, name in enumerate(TONES):
            rows = np.flatnonzero(self.which == number)
            if len(rows) == 0:
                continue
            part = torch.from_numpy(rows).to(pixels.device)
            strength = torch.from_numpy(self.strength[rows].astype(np.float32)).to(pixels.device)[:, None, None, None]
            made = made.index_copy(0, part, _tone(name, pixels.index_select(0, part), strength))
        return made


def _tone(name: str, pixels: Tensor, strength: Tensor) -> Tensor:
    if name == "sharpness":
        return strength * pixels + (1 - strength) * _smooth(pixels)
    whole = pixels.clamp(0, 255).round()
    if name == "posterize":
        step = torch.exp2(8 - strength)
        return torch.floor(whole / step) * step
    if name == "solarize":
        return torch.where(whole >= strength, 255 - whole, whole)
    return _autocontrast(whole) if name == "autocontrast" else _equalized(whole)


def _smooth(pixels: Tensor) -> Tensor:
    """Pillow's filter `SMOOTH`, `[1 1 1; 1 5 1; 1 1 1] / 13`; the outermost points stay."""
    channels, (height, width) = pixels.shape[1], pixels.shape[2:]
    if height < 3 or width < 3:
        return pixels
    kernel = torch.ones(channels, 1, 3, 3, device=pixels.device)
    kernel[:, :, 1, 1] = 5
    made = pixels.clone()
    made[:, :, 1:-1, 1:-1] = F.conv2d(pixels, kernel / 13, groups=channels)
    return made


def _autocontrast(pixels: Tensor) -> Tensor:
    low, high = pixels.amin((2, 3), keepdim=True), pixels.amax((2, 3), keepdim=True)
    return torch.where(high > low, (pixels - low) * (255 / (high - low).clamp(min=1)), pixels)


def _equalized(pixels: Tensor) -> Tensor:
    """Each channel's values spread so that every value is as frequent, as `PIL.ImageOps.equalize` does it."""
    count, channels, height, width = pixels.shape
    values = pixels.long().view(count * channels, -1)
    rows = torch.arange(len(values), device=values.device)[:, None]
    histogram = torch.bincount((values + 256 * rows).flatten(), minlength=256 * len(values)).view(-1, 256)
    last = histogram.gather(1, values.amax(1, keepdim=True))
    step = (height * width - last) // 255
    table = ((histogram.cumsum(1) - histogram + step // 2) // step.clamp(min=1)).clamp(max=255)
    return torch.where(step > 0, table.gather(1, values), values).view(pixels.shape).to(pixels.dtype)
