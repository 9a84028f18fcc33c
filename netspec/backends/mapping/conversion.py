"""What has to be done to a tensor of a file so that it is a weight of the net: an instruction, worked out from shapes alone.

Kernels with channels last, as Keras has them (https://keras.io/api/layers/):

- convolution `(kernel, in / groups, out)` becomes `(out, in / groups, kernel)`;
- depthwise convolution `(kernel, in, multiplier)` becomes `(in x multiplier, 1, kernel)`, the multiplier fastest;
- transposed convolution `(kernel, out, in)` becomes `(in, out, kernel)`;
- dense `(in, out)` becomes `(out, in)`.

A kernel of one point is a matrix, and a matrix such a kernel: each stands for the other, wherever channels stand.

Where a vector was flattened from maps, Keras counts it by height, width, channel, and a net here by channel, height, width: whatever
weighs the places of such a vector is put in the other order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Final

from netspec.backends.mapping.grouping import FileLayer, Layout
from netspec.backends.mapping.slots import Pieces, Slot
from netspec.diagnostics.text import listing
from netspec.shape import Shape, show

CONVOLUTIONS: Final = frozenset({"conv", "conv_transpose"})


@dataclass(frozen=True)
class Conversion:
    """Axes transposed, then the result taken as of ``shape``, then along ``axis`` each of ``pieces`` from channels last to channels first.

    ``words`` say it; empty where nothing is done. ``fill`` is the number that stands for a tensor which the file does not have.
    """

    shape: Shape
    axes: tuple[int, ...] | None = None
    pieces: Pieces = ()
    axis: int = 0
    words: str = ""
    fill: float | None = None


Fit = Mapping[str, Conversion]
"""A conversion for each weight of a slot, by what it is called there."""


def fit(layer: FileLayer, shapes: Mapping[str, Shape], slot: Slot, layout: Layout) -> Fit | None:
    """How a layer of a file goes into a slot, or ``None`` where it does not.

    Both have the same weights. A batch norm of Keras without scale or centre, which has no `gamma` or `beta`, has ones and zeros here.
    """
    if layer.single or slot.single:
        return _single(layer, shapes, slot, layout)
    found: dict[str, Conversion] = {}
    roles = {r: k for r, k in layer.roles.items() if r != "num_batches_tracked"}
    if not roles.keys() <= slot.weights.keys():
        return None
    for role, (_, weight) in slot.weights.items():
        if role not in roles:
            if not (slot.node.layer == "bn" and "running_mean" in roles and role in ("weight", "bias") and layout == "last"):
                return None
            one = role == "weight"
            found[role] = Conversion(weight.shape, words=f"none in the file, so {'ones' if one else 'zeros'}", fill=float(one))
            continue
        conversion = convert(shapes[roles[role]], role, weight.shape, slot, layout)
        if conversion is None:
            return None
        found[role] = conversion
    return found


def _single(layer: FileLayer, shapes: Mapping[str, Shape], slot: Slot, layout: Layout) -> Fit | None:
    """A tensor whose name says nothing, or that is a layer by itself, goes where it alone is needed."""
    if len(layer.roles) != 1 or len(slot.weights) != 1:
        return None
    (key,), ((role, (_, weight)),) = layer.roles.values(), slot.weights.items()
    conversion = convert(shapes[key], role, weight.shape, slot, layout)
    return None if conversion is None else {role: conversion}


def convert(shape: Shape, role: str, wanted: Shape, slot: Slot, layout: Layout) -> Conversion | None:
    """How a tensor of ``shape`` becomes the weight ``role`` of a slot, of the shape ``wanted``; ``None`` where it does not."""
    kind = slot.node.layer
    if role == "weight" and kind in ("conv", "linear") and (point := _point(shape, wanted, slot, layout)):
        return point
    if layout == "first":
        return Conversion(wanted) if shape == wanted else None
    if kind in CONVOLUTIONS and role == "weight":
        return _kernel(shape, wanted, slot)
    if kind == "linear" and role == "weight":
        return _dense(shape, wanted, slot)
    if shape != wanted:
        return None
    if len(wanted) == 1 and kind not in ("linear", *CONVOLUTIONS) and slot.pieces and _moved(slot.pieces):
        return Conversion(wanted, None, slot.pieces, 0, _words(slot.pieces))
    return Conversion(wanted)


def _point(shape: Shape, wanted: Shape, slot: Slot, layout: Layout) -> Conversion | None:
    """A kernel of one point as a matrix, or a matrix as a kernel of one point."""
    if len(shape) == len(wanted) or min(len(shape), len(wanted)) != 2 or slot.pieces is None or _moved(slot.pieces):
        return None
    points = shape[:-2] if layout == "last" else shape[2:]
    matrix = shape[-2:] if layout == "last" else shape[:2]
    if {*points, *wanted[2:]} - {1} or (matrix[::-1] if layout == "last" else matrix) != wanted[:2]:
        return None
    words = "a kernel of one point as a matrix" if len(wanted) == 2 else "a matrix as a kernel of one point"
    if layout == "first":
        return Conversion(wanted, words=words)
    rank = len(shape)
    return Conversion(wanted, (rank - 1, rank - 2, *range(rank - 2)), words=f"{words}, transposed")


def _kernel(shape: Shape, wanted: Shape, slot: Slot) -> Conversion | None:
    rank = len(wanted) - 2
    space = tuple(range(rank))
    if len(shape) != len(wanted) or shape[:rank] != wanted[2:]:
        return None
    if (shape[-1], shape[-2]) == wanted[:2]:
        names = "DHW"[-rank:] + "IO" if slot.node.layer == "conv" else "DHW"[-rank:] + "OI"
        return Conversion(wanted, (rank + 1, rank, *space), words=f"{names} -> {names[-1]}{names[-2]}{names[:-2]}")
    depthwise = slot.node.layer == "conv" and wanted[1] == 1 and slot.node.arguments.get("groups") == shape[-2]
    if depthwise and shape[-2] * shape[-1] == wanted[0]:
        names = "DHW"[-rank:]
        return Conversion(wanted, (rank, rank + 1, *space), words=f"{names}CM -> (CM)1{names}")
    return None


def _dense(shape: Shape, wanted: Shape, slot: Slot) -> Conversion | None:
    if shape != wanted[::-1]:
        return None
    if slot.pieces is None or not _moved(slot.pieces):
        return Conversion(wanted, (1, 0), words="transposed")
    return Conversion(wanted, (1, 0), slot.pieces, 1, f"transposed, inputs {_words(slot.pieces)}")


def _moved(pieces: Pieces) -> bool:
    """Whether the two orders of a flattened vector differ at all."""
    return any(len(p) > 1 and p[0] > 1 and prod(p[1:]) > 1 for p in pieces)


def _words(pieces: Pieces) -> str:
    maps = [f"{show((*p[1:], p[0]))} (HxWxC) to {show(p)} (CxHxW)" for p in pieces if _moved((p,))]
    return f"from {listing(maps)}"
