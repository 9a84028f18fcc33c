"""Upright parts of pictures, stretched to a whole: what random resized crops and flips come to.

A part is cut out at whole pixels and then stretched, bilinear: at its edges nothing of the picture around it shows. Bytes on a CPU are
stretched by OpenCV, plane by plane, where they are and to where they belong; elsewhere it is sampling, with points at the edge moved onto
the outermost pixels, which is the same. For a picture of 3 x 224 x 224, sampling takes 0.5 ms, PyTorch's `interpolate` of bytes 0.14 to
0.24, which packs planes to pixels and unpacks them again, and OpenCV 0.06 to 0.10.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

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
        for picture, target, part in zip(pixels.numpy(), made, self, strict=True):
            part.stretch(picture[:, part.rows, part.columns].astype(dtype, copy=False), target)
        return torch.from_numpy(made)

    def __iter__(self) -> Iterator[Part]:
        columns = (self.left, self.top, self.width, self.height, self.sideways, self.upright)
        return map(Part._make, zip(*(column.tolist() for column in columns), strict=True))


class Part(NamedTuple):
    """The part of one picture."""

    left: int
    top: int
    width: int
    height: int
    sideways: bool
    upright: bool

    @property
    def rows(self) -> slice:
        return slice(self.top, self.top + self.height)

    @property
    def columns(self) -> slice:
        return slice(self.left, self.left + self.width)

    def stretch(self, window: NDArray[Any], target: NDArray[Any]) -> None:
        """The part stretched to a target, `C x H x W` in one piece, and written there; ``window`` is that part of the picture, in the type
        of the target.

        OpenCV may use IPP for it, where it has that: faster by a quarter, and nearer to what is meant. It is told thread by thread.
        """
        size, before = (target.shape[2], target.shape[1]), cv2.ipp.useIPP_NotExact()
        cv2.ipp.setUseIPP_NotExact(True)
        try:
            for plane, place in zip(window, target, strict=True):
                cv2.resize(_halved(plane, size), size, dst=place, interpolation=cv2.INTER_LINEAR)
        finally:
            cv2.ipp.setUseIPP_NotExact(before)
        if self.sideways:
            lines = target.reshape(-1, target.shape[2])
            cv2.flip(lines, 1, dst=lines)
        for plane in target if self.upright else ():
            cv2.flip(plane, 0, dst=plane)


_POINTS: Final = 2
"""From how many points along an axis bilinear computes one; what lies between is passed over."""


def _halved(plane: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """The plane with pairs of its points averaged along each axis that is more than twice as long as in ``size``, width and height, until
    none is; an odd last line is left out. Averages over parts of pixels, from 500 x 470 to 224 x 224, take nine times as long."""
    while (wide := plane.shape[1] > _POINTS * size[0]) | (tall := plane.shape[0] > _POINTS * size[1]):
        width, height = plane.shape[1] >> wide, plane.shape[0] >> tall
        plane = cv2.resize(plane[: height << tall, : width << wide], (width, height), interpolation=cv2.INTER_AREA)
    return plane


def _span(matrices: Floats, axis: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Where the part of each picture begins along an axis, how long it is, and whether it is read backwards."""
    start, length = matrices[:, axis, 2], matrices[:, axis, axis] * size
    backwards = length < 0
    first = np.where(backwards, start + length, start)
    return np.rint(first).astype(np.int64), np.rint(np.abs(length)).astype(np.int64), backwards
