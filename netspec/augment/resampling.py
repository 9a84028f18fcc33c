"""One resampling of a batch by one matrix a picture.

Mirror images and whole pixels are copied, in any type of number and exactly. Everything else is bilinear (or nearest, for masks), of
floats, and at the scale of the picture: what makes it smaller is not smoothed first. Upright parts are stretched apart (`parts.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from netspec.augment.counting import Floats
from netspec.augment.geometry import Canvas, Kind
from netspec.augment.parts import Parts

_MODES: Final = {"reflect": "reflection", "nearest": "border", "constant": "zeros"}


@dataclass(frozen=True)
class Filling:
    """What shows where the picture has no points: ``reflect``, ``nearest``, or ``constant``, which is ``value``."""

    mode: str = "reflect"
    value: float = 0.0


@dataclass(frozen=True)
class Warp:
    """A resampling drawn: `N x 3 x 3` matrices from the points of what comes out to those of what went in, and the size that comes out."""

    matrices: Floats
    canvas: Canvas
    kind: Kind
    filling: Filling

    def of(self, rows: slice) -> Warp:
        """That of some of the pictures."""
        return replace(self, matrices=self.matrices[rows])

    def apply(self, pixels: Tensor, *, nearest: bool = False, value: float | None = None, rounded: bool = False) -> Tensor:
        """`N x C x H x W` resampled. With ``nearest`` each point is one of the picture's own; ``value`` takes the place of the filling's.

        Bytes come back as bytes where nothing had to be computed, and may where ``rounded`` says that nothing else is to be done to
        them; else as floats. With ``nearest`` every type comes back as it was.
        """
        outside = self.filling.value if value is None else value
        if self.kind == "flip":
            return self._flipped(pixels)
        if self.kind == "whole":
            return self._copied(pixels, outside)
        if self.kind == "part" and pixels.dtype == torch.uint8 and pixels.device.type == "cpu" and not nearest:
            return Parts.of(self.matrices, self.canvas).stretched(pixels, self.canvas, rounded)
        return self._sampled(pixels, nearest, outside)

    def _flipped(self, pixels: Tensor) -> Tensor:
        for axis, row in ((3, 0), (2, 1)):
            mirrored = self.matrices[:, row, row] < 0
            if mirrored.any():
                which = torch.from_numpy(mirrored.nonzero()[0]).to(pixels.device, non_blocking=True)
                pixels = pixels.index_copy(0, which, pixels.index_select(0, which).flip(axis))
        return pixels

    def _copied(self, pixels: Tensor, outside: float) -> Tensor:
        for axis, row in ((2, 1), (3, 0)):
            size = self.canvas[axis - 2]
            places = np.arange(size) + 0.5
            wanted = np.floor(self.matrices[:, row, row, None] * places + self.matrices[:, row, 2, None]).astype(np.int64)
            pixels = _taken(pixels, wanted, axis, self.filling.mode, outside)
        return pixels

    def _sampled(self, pixels: Tensor, nearest: bool, outside: float) -> Tensor:
        height, width = pixels.shape[2:]
        theta = _normalised(self.matrices, (height, width), self.canvas)
        grid = _grid(torch.from_numpy(theta.astype(np.float32)).to(pixels.device), self.canvas)
        if self.kind == "part":
            low, high = Parts.of(self.matrices, self.canvas).limits((height, width)).to(grid.device)[:, :, None, None].unbind(1)
            grid = grid.maximum(low).minimum(high)
        constant = self.filling.mode == "constant" and outside != 0
        values = pixels.to(torch.float32)
        if constant:
            values = values - outside
        mode = "nearest" if nearest else "bilinear"
        values = F.grid_sample(values, grid, mode, _MODES[self.filling.mode], align_corners=False)
        if constant:
            values += outside
        return values.to(pixels.dtype) if nearest else values

    def boxes(self, boxes: Tensor, owners: Tensor) -> Tensor:
        """Boxes, `B x 4` as left, top, right, bottom in pixels, around what they become; ``owners`` says of which picture each is.

        What lies outside of the picture is cut off: a box that has left it is of width or height 0.
        """
        forward = torch.from_numpy(np.linalg.inv(self.matrices)).to(boxes.device)[owners]
        left, top, right, bottom = boxes.to(torch.float64).unbind(1)
        x, y = torch.stack([left, right, left, right], 1), torch.stack([top, top, bottom, bottom], 1)
        corners = forward @ torch.stack([x, y, torch.ones_like(x)], 1)
        low, high = corners[:, :2].amin(2), corners[:, :2].amax(2)
        size = torch.tensor([self.canvas[1], self.canvas[0]], dtype=torch.float64, device=boxes.device)
        return torch.cat([low.clamp(min=0).minimum(size), high.clamp(min=0).minimum(size)], 1).to(boxes.dtype)


def _normalised(matrices: Floats, before: Canvas, after: Canvas) -> Floats:
    """The same maps between squares from -1 to 1, as `N x 2 x 3`."""
    inner = np.array([[2 / before[1], 0, -1], [0, 2 / before[0], -1], [0, 0, 1]])
    outer = np.array([[after[1] / 2, 0, after[1] / 2], [0, after[0] / 2, after[0] / 2], [0, 0, 1]])
    made: Floats = (inner @ matrices @ outer)[:, :2]
    return made


def _grid(theta: Tensor, canvas: Canvas) -> Tensor:
    """`N x H x W x 2`: where each point comes from; the same as `affine_grid`, by one sum in the place of a product.

    In memory all x of a picture come before all y, which is twenty times as fast as x and y in turns, and as good for sampling.
    """
    rows, columns = ((2 * torch.arange(n, device=theta.device) + 1) / n - 1 for n in canvas)
    across = theta[:, :, 0, None] * columns
    down = theta[:, :, 1, None] * rows + theta[:, :, 2, None]
    return (down[:, :, :, None] + across[:, :, None]).permute(0, 2, 3, 1)


def _taken(pixels: Tensor, wanted: np.ndarray[tuple[int, ...], np.dtype[np.int64]], axis: int, mode: str, outside: float) -> Tensor:
    """Rows or columns by their numbers, `N x size`; numbers outside stand for what the filling says."""
    size = pixels.shape[axis]
    inside = (wanted >= 0) & (wanted < size)
    if mode == "reflect":
        circle = wanted % (2 * size)
        wanted = np.where(circle < size, circle, 2 * size - 1 - circle)
    shape = [len(pixels), 1, 1, 1]
    shape[axis] = wanted.shape[1]
    numbers = torch.from_numpy(wanted.clip(0, size - 1)).to(pixels.device, non_blocking=True).view(shape)
    full = list(pixels.shape)
    full[axis] = wanted.shape[1]
    taken = pixels.gather(axis, numbers.expand(full))
    if mode != "constant" or inside.all():
        return taken
    missing = torch.from_numpy(~inside).to(pixels.device, non_blocking=True).view(shape)
    return taken.masked_fill(missing, outside)
