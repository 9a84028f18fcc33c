"""What PyTorch is asked for where a rule of a sequence, a window or a comparison rejects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from netspec.lowering import TorchCall
from netspec.shape import Shape, spread

Attempt = Callable[[tuple[Shape, ...], Mapping[str, Any]], TorchCall | None]

_OFTEN = ("attention", "cross_attention", "matmul", "distance", "window_partition", "window_merge", "window_attention")
DRAWN_OFTEN: Final = dict.fromkeys(_OFTEN, 300) | {"window_merge": 600}
"""Layers of which few random uses fit."""


def _attention(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
    """What is no sequence is a forgotten `reshape`; PyTorch takes a batch of vectors for one sequence."""
    if any(len(s) not in (2, 4) for s in shapes):
        return None
    return TorchCall("SelfAttention", (shapes[0][-1], a["heads"], a["dropout"], a["bias"]), {})


def _cross_attention(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
    if any(len(s) != 2 for s in shapes):
        return None
    return TorchCall("CrossAttention", (shapes[0][-1], shapes[1][-1], a["heads"], a["dropout"], a["bias"]), {})


def _matmul(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
    """PyTorch stretches axes of 1 before the matrices, and takes a batch of vectors for a matrix."""
    x, other = shapes
    return None if min(map(len, shapes)) < 2 or len(x) != len(other) or x[:-2] != other[:-2] else TorchCall("MatMul", (a["transpose"],), {})


def _distance(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
    """An axis that is not there is wrong also where nothing is summed. Negative axes leave out the batch, which PyTorch would reach."""
    axis = a["axis"] + 1 if a["axis"] >= 0 else a["axis"] - 1
    return None if a["kind"] in ("l1", "squared") else TorchCall("Distance", (a["kind"], axis), {})


def _windows(name: str, rank: int) -> Attempt:
    def attempt(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
        window = spread(a["window"], 2)
        return TorchCall(name, (window,), {}) if window and len(shapes[0]) == rank else None

    return attempt


def _window_attention(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
    window, shift = spread(a["window"], 2), spread(a["shift"], 2)
    if len(shapes[0]) != 3 or window is None or shift is None or any(s >= w for s, w in zip(shift, window, strict=True)):
        return None  # torchvision's moves a map by more than a window, which comes to moving it by less and looking at less
    return TorchCall("WindowAttention", (shapes[0][-1], a["heads"], window, shift, a["dropout"], a["bias"]), {})


ATTEMPTS: Final[Mapping[str, Attempt]] = {
    "attention": _attention,
    "cross_attention": _cross_attention,
    "class_token": lambda shapes, a: TorchCall("ClassToken", (a["tokens"], shapes[0][-1]), {}),
    "position_embedding": lambda shapes, a: None,  # a vector has no places; PyTorch would add a bias
    "layer_scale": lambda shapes, a: None,  # an axis that is not there
    "matmul": _matmul,
    "distance": _distance,
    "window_partition": _windows("WindowPartition", 3),
    "window_merge": _windows("WindowMerge", 4),
    "window_shift": lambda shapes, a: None,
    "window_attention": _window_attention,
}
"""``None`` is a deliberate exception: PyTorch goes on with what is a mistake in a net."""
