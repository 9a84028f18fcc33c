"""Resampling to sizes that are worked out from what flows in."""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn
from torch.nn import functional as F


class Resize(nn.Module):
    """A picture in another size; with ``fit`` other than ``stretch`` in its own proportion.

    ``size`` is height and width. ``shorter``: at least ``size`` on both axes, and exactly on one; ``longer``: at most.
    """

    def __init__(self, size: tuple[int, int], mode: str, antialias: bool, fit: str) -> None:
        super().__init__()
        self.size, self.mode, self.antialias, self.fit = size, mode, antialias, fit

    def forward(self, x: Tensor) -> Tensor:
        height, width = self._size(*x.shape[2:])
        if self.antialias and width == 1:  # PyTorch gives wrong numbers here, and right ones for a height of 1
            return self._resized(x.mT, width, height).mT.contiguous()
        return self._resized(x, height, width)

    def _resized(self, x: Tensor, height: int, width: int) -> Tensor:
        corners = None if self.mode == "nearest" else False
        return F.interpolate(x, (height, width), mode=self.mode, align_corners=corners, antialias=self.antialias)

    def _size(self, height: int, width: int) -> tuple[int, int]:
        if self.fit == "stretch":
            return self.size
        high, wide = ((n * self.size[0] // height, n * self.size[1] // width) for n in (height, width))
        fitted = max if self.fit == "shorter" else min
        return max(fitted(high), 1), max(fitted(wide), 1)

    def extra_repr(self) -> str:
        return f"size={self.size}, mode={self.mode}, antialias={self.antialias}, fit={self.fit}"


class ResizeTo(nn.Module):
    """The first tensor on the grid of the second."""

    def __init__(self, mode: str, corners: bool | None) -> None:
        super().__init__()
        self.mode, self.corners = mode, corners

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        return F.interpolate(x, other.shape[2:], mode=self.mode, align_corners=self.corners)

    def extra_repr(self) -> str:
        return f"mode={self.mode}, align_corners={self.corners}"


MODULES: Final = (Resize, ResizeTo)
