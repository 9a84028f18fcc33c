"""Colour steps as matrices: each number of a pixel becomes a sum of the pixel's numbers and a constant.

One step after the other is a product, so a row of them is one `C x (C + 1)` matrix a picture. Nothing is rounded or cut off in between.
A contrast needs the mean grey of the picture that it gets, which follows from the means of the channels at the beginning of the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from netspec.augment.counting import Floats, Numbers, between, some
from netspec.graph import Augmentation

LUMA: Final = (0.299, 0.587, 0.114)
"""What red, green and blue count for in grey (ITU-R 601)."""
_YIQ: Final = np.array([LUMA, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)])


@dataclass(frozen=True)
class Coloured:
    """A colour step drawn for each picture: matrices, `N x C x C`, or a factor, `N`, on every number; with ``to_mean``, a contrast's."""

    shown: dict[str, Floats]
    factor: Floats | None = None
    matrices: Floats | None = None
    to_mean: bool = False

    def of(self, rows: slice) -> Coloured:
        """Those of some of the pictures."""
        factor, matrices = (None if values is None else values[rows] for values in (self.factor, self.matrices))
        return Coloured(some(self.shown, rows), factor, matrices, self.to_mean)


def needs_mean(step: Augmentation) -> bool:
    """Whether a step asks for the mean of the picture."""
    return step.name == "contrast"


def draw(step: Augmentation, numbers: Numbers, position: int) -> Coloured:
    """Draw a colour step for every picture."""
    u = numbers.uniform(position, 2)
    applied = u[:, 0] < step.arguments["p"]
    return _draw(step.name, step.arguments, applied, u[:, 1])


def _draw(name: str, arguments: Mapping[str, Any], applied: np.ndarray[Any, np.dtype[np.bool_]], u: Floats) -> Coloured:
    if name == "grayscale":
        grey = applied.astype(np.float64)
        return Coloured({"grey": grey}, matrices=towards_grey(1 - grey))
    drawn = between(u, arguments["by"])
    if name == "hue":
        turns = np.where(applied, drawn, 0.0)
        return Coloured({"degrees": 360 * turns}, matrices=hue(2 * np.pi * turns))
    factor = np.where(applied, drawn, 1.0)
    if name == "saturation":
        return Coloured({"factor": factor}, matrices=towards_grey(factor))
    return Coloured({"factor": factor}, factor=factor, to_mean=name == "contrast")


def towards_grey(factor: Floats) -> Floats:
    """`f x + (1 - f) g` for RGB."""
    f = factor[:, None, None]
    made: Floats = f * np.eye(3) + (1 - f) * np.array([LUMA] * 3)
    return made


def hue(angles: Floats) -> Floats:
    """Turns about the axis of greys by angles in radians, from red towards yellow and green for positive ones, as in HSV."""
    cos, sin = np.cos(angles), np.sin(angles)
    turn = np.broadcast_to(np.eye(3), (len(angles), 3, 3)).copy()
    turn[:, 1, 1], turn[:, 1, 2], turn[:, 2, 1], turn[:, 2, 2] = cos, sin, -sin, cos
    made: Floats = np.linalg.inv(_YIQ) @ turn @ _YIQ
    return made


def apply(pixels: Tensor, steps: Sequence[Coloured], means: Tensor | None) -> Tensor:
    """Float pixels, `N x C x H x W`, through all the steps at once; ``means``, `N x C`, are asked for where one is a contrast."""
    if all(step.matrices is None for step in steps):
        return _scaled(pixels, steps, means)
    channels, device = pixels.shape[1], pixels.device
    matrix = torch.eye(channels, device=device).expand(len(pixels), channels, channels)
    offset = torch.zeros(len(pixels), channels, device=device)
    weights = grey_weights(channels, device)
    for step in steps:
        if step.matrices is not None:
            own = _to(step.matrices, device)
            matrix, offset = own @ matrix, (own @ offset[:, :, None])[:, :, 0]
            continue
        factor = _factor(step, device)[:, None]
        mean = torch.zeros_like(factor)
        if step.to_mean:
            assert means is not None
            mean = (((matrix @ means[:, :, None])[:, :, 0] + offset) * weights).sum(1, keepdim=True)
        matrix, offset = matrix * factor[:, :, None], offset * factor + (1 - factor) * mean
    mixed = torch.baddbmm(offset[:, :, None], matrix, pixels.flatten(2))
    return mixed.view(pixels.shape)


def _scaled(pixels: Tensor, steps: Sequence[Coloured], means: Tensor | None) -> Tensor:
    """The same where every step is a factor: one product and one sum a number."""
    device = pixels.device
    scale, offset = torch.ones(len(pixels), device=device), torch.zeros(len(pixels), device=device)
    for step in steps:
        factor, mean = _factor(step, device), torch.zeros_like(offset)
        if step.to_mean:
            assert means is not None
            mean = scale * (means * grey_weights(pixels.shape[1], device)).sum(1) + offset
        scale, offset = scale * factor, offset * factor + (1 - factor) * mean
    return torch.mul(pixels, scale[:, None, None, None]).add_(offset[:, None, None, None])


def grey_weights(channels: int, device: torch.device) -> Tensor:
    """What each channel counts for in grey: the eye's weights for three, equal ones for any other number."""
    return torch.tensor(LUMA if channels == 3 else (1 / channels,) * channels, device=device)


def _factor(step: Coloured, device: torch.device) -> Tensor:
    assert step.factor is not None
    return _to(step.factor, device)


def _to(values: Floats, device: torch.device) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(device, non_blocking=True)
