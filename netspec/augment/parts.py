"""Upright parts of pictures, stretched to a whole: what random resized crops and flips come to.

A part is cut out at whole pixels and then stretched, bilinear: at its edges nothing of the picture around it shows. Bytes on a CPU are
stretched a picture at a time, in whole numbers, which takes a quarter of what sampling at every point takes; elsewhere it is sampling,
with points at the edge moved onto the outermost pixels, which is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from netspec.augment.counting import Floats

Canvas = tuple[int, int]
"""Height and width."""


@dataclass(frozen=True)
class Parts:
    """The part of each picture: `N` whole numbers of pixels each, and whether it is swapped left and right, and top and bottom."""

    left: NDArray[np.int64]
    top: NDArray[np.int64]
    width: NDArray[np.int64]
    height: NDArray[np.int64]
    sideways: NDArray[np.bool_]
    upright: NDArray[np.bool_]

    @staticmethod
    def of(matrices: Floats, canvas: Canvas) -> Parts:
        """The parts that `N x 3 x 3` matrices without turns and slants stand for, where they make a picture of the size ``canvas``."""
        (left, width, sideways), (top, height, upright) = (_span(matrices, axis, canvas[1 - axis]) for axis in (0, 1))
        return Parts(left, top, width, height, sideways, upright)

    def limits(self, size: Canvas) -> Tensor:
        """For pictures of this size, `N x 2 x 2`: the middles of the first and the last pixel, x and y, in squares from -1 to 1."""
        first = np.stack([self.left, self.top], 1) + 0.5
        last = first + np.stack([self.width, self.height], 1) - 1
        whole = np.array([size[1], size[0]])
        return torch.from_numpy((2 * np.stack([first, last], 1) / whole - 1).astype(np.float32))

    def stretched(self, pixels: Tensor, canvas: Canvas, dtype: torch.dtype) -> Tensor:
        """`N x C x H x W` bytes, each picture's part stretched to the canvas, as bytes or as floats."""
        made = torch.empty((len(pixels), pixels.shape[1], *canvas), dtype=dtype, device=pixels.device)
        boxes = zip(self.left.tolist(), self.top.tolist(), self.width.tolist(), self.height.tolist(), strict=True)
        for number, ((left, top, width, height), axes) in enumerate(zip(boxes, self._axes(), strict=True)):
            part = pixels[number : number + 1, :, top : top + height, left : left + width].to(dtype)
            made[number] = F.interpolate(part.flip(axes) if axes else part, canvas, mode="bilinear")[0]
        return made

    def _axes(self) -> list[list[int]]:
        """Along which axes of `N x C x H x W` each picture is mirrored."""
        pairs = zip(self.sideways.tolist(), self.upright.tolist(), strict=True)
        return [[3] * sideways + [2] * upright for sideways, upright in pairs]


def _span(matrices: Floats, axis: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Where the part of each picture begins along an axis, how long it is, and whether it is read backwards."""
    start, length = matrices[:, axis, 2], matrices[:, axis, axis] * size
    backwards = length < 0
    first = np.where(backwards, start + length, start)
    return np.rint(first).astype(np.int64), np.rint(np.abs(length)).astype(np.int64), backwards
