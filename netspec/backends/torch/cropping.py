"""Parts cut out of the middle of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from torch import Tensor, nn


def middle(x: Tensor, size: Sequence[int]) -> Tensor:
    """The middle of ``x``, of this size in space; where it is not exact, the one that torchvision's ``center_crop`` takes."""
    starts = [round((n - wanted) / 2) for n, wanted in zip(x.shape[2:], size, strict=True)]
    if min(starts) < 0:
        raise ValueError(f"{tuple(size)} cannot be cut out of {tuple(x.shape[2:])}")
    return _within(x, [(start, start + wanted) for start, wanted in zip(starts, size, strict=True)])


def _within(x: Tensor, bounds: Sequence[tuple[int, int]]) -> Tensor:
    """The part between these bounds on each axis in space."""
    for axis, (start, stop) in enumerate(bounds, 2):
        x = x.narrow(axis, start, stop - start)
    return x


class Crop(nn.Module):
    """The middle, of a given size."""

    def __init__(self, size: tuple[int, ...]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return middle(x, self.size)

    def extra_repr(self) -> str:
        return f"size={self.size}"


class CropTo(nn.Module):
    """The middle of the first tensor, as large as the second."""

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        return middle(x, other.shape[2:])


class CutOff(nn.Module):
    """What is left without margins before and behind each axis in space."""

    def __init__(self, before: tuple[int, ...], after: tuple[int, ...]) -> None:
        super().__init__()
        self.before, self.after = before, after

    def forward(self, x: Tensor) -> Tensor:
        axes = zip(x.shape[2:], self.before, self.after, strict=True)
        return _within(x, [(b, n - a) for n, b, a in axes])

    def extra_repr(self) -> str:
        return f"before={self.before}, after={self.after}"


MODULES: Final = (Crop, CropTo, CutOff)
