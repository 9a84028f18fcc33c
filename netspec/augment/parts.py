"""Upright parts of pictures, stretched to a whole: what random resized crops and flips come to.

A part is cut out at whole pixels and then stretched, bilinear: at its edges nothing of the picture around it shows. Bytes on a CPU are
stretched by OpenCV, plane by plane, where they are and to where they belong; elsewhere it is sampling, with points at the edge moved onto
the outermost pixels, which is the same. For a picture of 3 x 224 x 224, sampling takes 0.5 ms, PyTorch's `interpolate` of bytes 0.14 to
0.24, which packs planes to pixels and unpacks them again, and OpenCV 0.06 to 0.10.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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

    def stretched(self, pixels: Tensor, canvas: Canvas, rounded: bool) -> Tensor:
        """`N x C x H x W` bytes on a CPU, each picture's part stretched to the canvas: rounded to bytes, or as floats."""
        dtype = np.uint8 if rounded else np.float32
        made = np.empty((len(pixels), pixels.shape[1], *canvas), dtype)
        boxes = zip(self.left.tolist(), self.top.tolist(), self.width.tolist(), self.height.tolist(), strict=True)
        for picture, target, box, mirror in zip(pixels.numpy(), made, boxes, self._mirrors(), strict=True):
            left, top, width, height = box
            part = picture[:, top : top + height, left : left + width]
            for plane, place in zip(part.astype(dtype, copy=False), target, strict=True):
                _stretch(plane, place, mirror)
        return torch.from_numpy(made)

    def _mirrors(self) -> list[int | None]:
        """How each picture is mirrored, as OpenCV counts: 1 sideways, 0 upright, -1 both ways."""
        pairs = zip(self.sideways.tolist(), self.upright.tolist(), strict=True)
        return [_MIRRORS[sideways, upright] for sideways, upright in pairs]


_MIRRORS: Final[Mapping[tuple[bool, bool], int | None]] = {(False, False): None, (True, False): 1, (False, True): 0, (True, True): -1}


def _stretch(plane: NDArray[Any], target: NDArray[Any], mirror: int | None) -> None:
    """A plane as large as the target, written there."""
    size = (target.shape[1], target.shape[0])
    if mirror is None:
        cv2.resize(plane, size, dst=target, interpolation=cv2.INTER_LINEAR)
    else:
        cv2.flip(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR), mirror, dst=target)


def _span(matrices: Floats, axis: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Where the part of each picture begins along an axis, how long it is, and whether it is read backwards."""
    start, length = matrices[:, axis, 2], matrices[:, axis, axis] * size
    backwards = length < 0
    first = np.where(backwards, start + length, start)
    return np.rint(first).astype(np.int64), np.rint(np.abs(length)).astype(np.int64), backwards
