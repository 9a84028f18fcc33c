"""Geometric steps as matrices.

A matrix, `3 x 3`, takes a point of the picture that a step makes to the point of the picture that it got. Points are counted in pixels
from the upper left corner, x to the right and y downwards, so that the middle of the first pixel is (0.5, 0.5). Steps one after the other
are the product of their matrices, in the order of the text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from netspec.augment.counting import Floats, Numbers, between
from netspec.augmentations import margins, plane
from netspec.graph import Augmentation

Canvas = tuple[int, int]
"""Height and width."""
Sizes = tuple[int | Floats, int | Floats]
"""Height and width, of all pictures or, `N` each, of every one."""
Kind = Literal["flip", "whole", "part", "any"]
"""What pixels are taken from: their mirror images; whole pixels anywhere; an upright part; points between pixels."""
Shown = dict[str, Floats]

_KINDS: Final[Mapping[str, Kind]] = {
    "flip": "flip",
    "alternating_flip": "flip",
    "crop": "whole",
    "pad": "whole",
    "random_resized_crop": "part",
}
_TRIES: Final = 10


@dataclass(frozen=True)
class Placed:
    """What a geometric step does to each picture: `N x 3 x 3` matrices, the size that comes out, and the figures to show."""

    matrices: Floats
    canvas: Canvas
    shown: Shown


Rule = Callable[[Mapping[str, Any], Numbers, int, Canvas], Placed]


def kind_of(step: Augmentation) -> Kind:
    """From where a step takes pixels."""
    return _KINDS.get(step.name, "any")


def canvas_of(step: Augmentation, canvas: Canvas) -> Canvas:
    """The size that a step makes of a picture."""
    if step.name == "crop":
        return plane(step.arguments["size"])
    if step.name == "pad":
        left, right, top, bottom = margins(step.arguments["sides"])
        return canvas[0] + top + bottom, canvas[1] + left + right
    return canvas


def place(step: Augmentation, numbers: Numbers, position: int, canvas: Canvas) -> Placed:
    """Draw a geometric step for every picture; ``position`` is its place in the region."""
    return _RULES[step.name](step.arguments, numbers, position, canvas)


def identity(count: int) -> Floats:
    """Matrices that change nothing."""
    return np.broadcast_to(np.eye(3), (count, 3, 3)).copy()


def moved(x: Floats, y: Floats) -> Floats:
    """Matrices that read `x` further right and `y` further down."""
    matrices = identity(len(x))
    matrices[:, 0, 2], matrices[:, 1, 2] = x, y
    return matrices


def about_middle(linear: Floats, canvas: Canvas) -> Floats:
    """`N x 2 x 2` matrices applied about the middle of the picture."""
    matrices = identity(len(linear))
    middle = np.array([canvas[1] / 2, canvas[0] / 2])
    matrices[:, :2, :2] = linear
    matrices[:, :2, 2] = middle - linear @ middle
    return matrices


def rotation(angles: Floats, canvas: Canvas) -> Floats:
    """Anticlockwise turns by angles in radians."""
    cos, sin = np.cos(angles), np.sin(angles)
    return about_middle(np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2), canvas)


def slant(across: Floats, along: Floats, canvas: Canvas) -> Floats:
    """Rows moved by ``across`` for each point of height, then columns by ``along`` for each point of width."""
    one = np.ones_like(across)
    rows = np.stack([np.stack([one, -across], -1), np.stack([0 * one, one], -1)], -2)
    columns = np.stack([np.stack([one, 0 * one], -1), np.stack([-along, one], -1)], -2)
    return about_middle(rows @ columns, canvas)


def mirrored(sideways: Floats, upright: Floats, canvas: Canvas) -> Floats:
    """Pictures swapped left and right where ``sideways`` is 1, top and bottom where ``upright`` is."""
    matrices = identity(len(sideways))
    matrices[:, 0, 0], matrices[:, 0, 2] = 1 - 2 * sideways, canvas[1] * sideways
    matrices[:, 1, 1], matrices[:, 1, 2] = 1 - 2 * upright, canvas[0] * upright
    return matrices


def _sometimes(u: Floats, arguments: Mapping[str, Any], matrices: Floats, shown: Shown, canvas: Canvas, still: float = 0.0) -> Placed:
    """A step that passes over some pictures; ``still`` is the figure of those."""
    applied = u < arguments["p"]
    figures = {name: np.where(applied, values, still) for name, values in shown.items()}
    return Placed(np.where(applied[:, None, None], matrices, np.eye(3)), canvas, figures)


def _flip(arguments: Mapping[str, Any], numbers: Numbers, position: int, canvas: Canvas) -> Placed:
    u = (numbers.uniform(position, 2) < arguments["p"]).astype(np.float64)
    horizontal = u[:, 0] * (arguments["direction"] != "vertical")
    vertical = u[:, 1] * (arguments["direction"] != "horizontal")
    return Placed(mirrored(horizontal, vertical, canvas), canvas, {"horizontal": horizontal, "vertical": vertical})


def _alternating_flip(arguments: Mapping[str, Any], numbers: Numbers, position: int, canvas: Canvas) -> Placed:
    first = numbers.of_epoch(0).uniform(position, 1)[:, 0] < 0.5
    horizontal = (first ^ bool(numbers.epoch % 2)).astype(np.float64)
    return Placed(mirrored(horizontal, 0 * horizontal, canvas), canvas, {"horizontal": horizontal})


def _rotate(arguments: Mapping[str, Any], numbers: Numbers, position: int, canvas: Canvas) -> Placed:
    u = numbers.uniform(position, 2)
    interval = arguments["degrees"] or tuple(360 * share for share in arguments["turn"])
    degrees = between(u[:, 1], (interval[0], interval[1]))
    return _sometimes(u[:, 0], arguments, rotation(np.radians(degrees), canvas), {"degrees": degrees}, canvas)


def _zoom(arguments: Mapping[str, Any], numbers: Numbers, position: int, canvas: Canvas) -> Placed:
    u = numbers.uniform(position, 2)
    factor = between(u[:, 1], arguments["by"])
    linear = np.eye(2) / factor[:, None, None]
    return _sometimes(u[:, 0], arguments, about_middle(linear, canvas), {"factor": factor}, canvas, 1.0)


def _shift(arguments: Mapping[str, Any], numbers: Numbers, position: int, canvas: Canvas) -> Placed:
    u = numbers.uniform(position, 3)
    right = between(u[:, 1], arguments["by"])
    down = between(u[:, 2], arguments["down"] or arguments["by"])
    matrices = moved(-right * canvas[1], -down * canvas[0])
    return _sometimes(u[:, 0], arguments, matrices, {"right": right, "down": down}, canvas)


def _shear(arguments: Mapping[str, Any], numbers: Numbers, position: int, canvas: Canvas) -> Placed:
    u = numbers.uniform(position, 3)
    across, along = between(u[:, 1], arguments["by"]), between(u[:, 2], arguments["vertical"])
    return _sometimes(u[:, 0], arguments, slant(across, along, canvas), {"by": across, "vertical": along}, canvas)


def _crop(arguments: Mapping[str, Any], numbers: Numbers, position: int, canvas: Canvas) -> Placed:
    size = plane(arguments["size"])
    u = numbers.uniform(position, 2)
    left, top = np.floor(u[:, 0] * (canvas[1] - size[1] + 1)), np.floor(u[:, 1] * (canvas[0] - size[0] + 1))
    return Placed(moved(left, top), size, {"left": left, "top": top})


def _pad(arguments: Mapping[str, Any], numbers: Numbers, position: int, canvas: Canvas) -> Placed:
    left, right, top, bottom = margins(arguments["sides"])
    count = len(numbers.indices)
    size = (canvas[0] + top + bottom, canvas[1] + left + right)
    return Placed(moved(np.full(count, -float(left)), np.full(count, -float(top))), size, {})


def _random_resized_crop(arguments: Mapping[str, Any], numbers: Numbers, position: int, canvas: Canvas) -> Placed:
    shown = crop_of(arguments, numbers, position, canvas)
    matrices = moved(shown["left"], shown["top"])
    matrices[:, 0, 0], matrices[:, 1, 1] = shown["width"] / canvas[1], shown["height"] / canvas[0]
    return Placed(matrices, canvas, shown)


def crop_of(arguments: Mapping[str, Any], numbers: Numbers, position: int, canvas: Sizes) -> Shown:
    """The part of each picture that a random resized crop takes: ``left``, ``top``, ``width`` and ``height`` in whole pixels."""
    u = numbers.uniform(position, 2 * _TRIES + 2)
    height, width = _part(u, arguments["scale"], arguments["ratio"], canvas)
    fits = height > 0
    tall, wide = _largest(arguments["ratio"], canvas)
    height, width = np.where(fits, height, tall), np.where(fits, width, wide)
    left = np.where(fits, np.floor(u[:, -2] * (canvas[1] - width + 1)), (canvas[1] - width) // 2)
    top = np.where(fits, np.floor(u[:, -1] * (canvas[0] - height + 1)), (canvas[0] - height) // 2)
    return {"left": left, "top": top, "width": width, "height": height}


def _part(u: Floats, scale: tuple[float, float], ratio: tuple[float, float], canvas: Sizes) -> tuple[Floats, Floats]:
    """Height and width of the first of ten drawn parts that fits, 0 where none does."""
    tall, wide = (np.reshape(side, (-1, 1)) for side in canvas)
    area = between(u[:, :_TRIES], scale) * tall * wide
    shape = np.exp(between(u[:, _TRIES : 2 * _TRIES], (float(np.log(ratio[0])), float(np.log(ratio[1])))))
    width, height = (np.round(np.sqrt(sides)).astype(np.float64) for sides in (area * shape, area / shape))
    fits = (width >= 1) & (width <= wide) & (height >= 1) & (height <= tall)
    first = fits.argmax(1)[:, None]
    found = fits.any(1)
    return np.take_along_axis(height, first, 1)[:, 0] * found, np.take_along_axis(width, first, 1)[:, 0] * found


def _largest(ratio: tuple[float, float], canvas: Sizes) -> tuple[Floats, Floats]:
    """Height and width of the largest part with an allowed shape."""
    height, width = (np.asarray(side, np.float64) for side in canvas)
    shape = np.clip(width / height, *ratio)
    wider = shape > width / height
    low, narrow = (np.maximum(np.round(side), 1) for side in (width / shape, height * shape))
    return np.where(wider, low, height), np.where(wider, width, narrow)


def rectangle(u: Floats, scale: tuple[float, float], ratio: tuple[float, float], canvas: Canvas) -> tuple[Floats, Floats, Floats, Floats]:
    """Left, top, width and height of a drawn part of each picture, all 0 where none fits; ``u`` is `N x 22`."""
    height, width = _part(u, scale, ratio, canvas)
    left, top = np.floor(u[:, -2] * (canvas[1] - width + 1)), np.floor(u[:, -1] * (canvas[0] - height + 1))
    fits = height > 0
    return left * fits, top * fits, width, height


_RULES: Final[Mapping[str, Rule]] = {
    "flip": _flip,
    "alternating_flip": _alternating_flip,
    "rotate": _rotate,
    "zoom": _zoom,
    "shift": _shift,
    "shear": _shear,
    "crop": _crop,
    "pad": _pad,
    "random_resized_crop": _random_resized_crop,
}
