"""What PyTorch is asked for where a rule of a pooling, a resampling, a padding or a rearrangement rejects.

``None`` is a deliberate exception, with the reason beside it. PyTorch's axes count the batch: what is axis 0 here is 1 there, and from
the end both count alike, so that the axis before the first is the batch there, and nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from netspec.lowering import TorchCall
from netspec.shape import Shape

Attempt = Callable[[tuple[Shape, ...], Mapping[str, Any]], TorchCall | None]


def _of_rank(family: str, shape: Shape, *args: Any, **kwargs: Any) -> TorchCall | None:
    """The member of a family of modules for this many axes; ``None`` where there is none, which is a refusal too."""
    return TorchCall(f"{family}{len(shape) - 1}d", args, kwargs) if 2 <= len(shape) <= 4 else None


def _lp_pool(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
    if a["norm"] > 1 and a["norm"] % 2:
        return None  # PyTorch's has no value where the sum of the window is negative
    return _of_rank("LPPool", shapes[0], a["norm"], a["kernel"], a["stride"], a["ceil_mode"])


def _mode(mode: str, shape: Shape) -> str:
    return {2: "linear", 3: "bilinear", 4: "trilinear"}.get(len(shape), mode) if mode == "bilinear" else mode


def _corners(a: Mapping[str, Any]) -> bool | None:
    return (a["corners"] or None) if a["mode"] == "nearest" else a["corners"]


def _upsample(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall:
    return TorchCall("Upsample", (a["size"], a["factor"], _mode(a["mode"], shapes[0]), _corners(a)), {})


def _resize_to(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
    return TorchCall("ResizeTo", (_mode(a["mode"], shapes[0]), _corners(a)), {})


def _picture(name: str) -> Attempt:
    """A layer of pictures alone: PyTorch's takes the batch of a sequence for channels."""
    return lambda shapes, a: TorchCall(name, (a["factor"],), {}) if len(shapes[0]) == 3 else None


def _pad(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
    x, mode, sides = shapes[0], a["mode"], a["sides"]
    if a["value"] and mode != "constant":
        return None  # PyTorch's modules have no such argument
    if isinstance(sides, tuple) and len(sides) == len(x) - 1:
        sides = tuple(n for m in reversed(sides) for n in (m, m))
    family = {"reflect": "ReflectionPad", "replicate": "ReplicationPad", "circular": "CircularPad"}.get(mode, "ZeroPad")
    return _of_rank(family, x, sides)


def _on_axes(name: str, axes: Callable[[Mapping[str, Any]], tuple[int, ...]], arguments: Callable[..., tuple[Any, ...]]) -> Attempt:
    """A module that works on ``axes``, made from ``arguments`` of PyTorch's axes and ours."""

    def attempt(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
        x = shapes[0]
        if any(axis == -len(x) - 1 for axis in axes(a)):
            return None  # the batch
        return TorchCall(name, arguments(*(axis + 1 if axis >= 0 else axis for axis in axes(a)), a=a), {})

    return attempt


def _one_axis(a: Mapping[str, Any]) -> tuple[int, ...]:
    return (a["axis"],)


def _squeeze(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
    x, axis = shapes[0], a["axis"]
    if -len(x) <= axis < len(x):
        return None  # PyTorch does nothing where the axis is not of 1, and leaves nothing of a vector of 1
    return _on_axes("Squeeze", _one_axis, lambda dim, a: ((dim,),))(shapes, a)


def _unsqueeze(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
    return _on_axes("Unsqueeze", _one_axis, lambda dim, a: (dim,))(((*shapes[0], 1),), a)


def _slice(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall:
    x, axis = shapes[0], a["axis"]
    dim = axis % len(x) + 1 if -len(x) <= axis < len(x) else len(x) + 1
    return TorchCall("Slice", (dim, a["start"], a["stop"], a["step"]), {})


def _reduce(kind: str) -> Attempt:
    def attempt(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
        if len({axis % len(shapes[0]) for axis in a["axis"]}) == len(shapes[0]) and not a["keep"]:
            return None  # PyTorch gives a number without an axis
        return _on_axes("Reduce", lambda a: a["axis"], lambda *dims, a: (kind, dims, a["keep"]))(shapes, a)

    return attempt


ATTEMPTS: Final[Mapping[str, Attempt]] = {
    "lp_pool": _lp_pool,
    "global_maxpool": lambda shapes, a: _of_rank("AdaptiveMaxPool", shapes[0], 1),
    "adaptive_maxpool": lambda shapes, a: _of_rank("AdaptiveMaxPool", shapes[0], a["size"]),
    "upsample": _upsample,
    "resize": lambda shapes, a: None,  # ours: pictures alone
    "resize_to": _resize_to,
    "pixel_shuffle": _picture("PixelShuffle"),
    "pixel_unshuffle": _picture("PixelUnshuffle"),
    "pad": _pad,
    "crop": lambda shapes, a: None,  # ours: torchvision's pads what is too small
    "crop_to": lambda shapes, a: None,  # ours
    "flatten": _on_axes("Flatten", lambda a: (a["start"], a["end"]), lambda start, end, a: (start, end)),
    "unflatten": _on_axes("Unflatten", _one_axis, lambda dim, a: (dim, a["shape"])),
    "reshape": lambda shapes, a: TorchCall("Reshape", (a["shape"],), {}),
    "permute": _on_axes("Permute", lambda a: a["axes"], lambda *dims, a: ((0, *dims),)),
    "transpose": _on_axes("Squeeze", lambda a: (a["first"], a["second"]), lambda *dims, a: (dims,)),
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "slice": _slice,
    "chunk": _on_axes("Chunk", _one_axis, lambda dim, a: (dim, a["parts"], a["index"])),
    "split": _on_axes("Split", _one_axis, lambda dim, a: (dim, a["sizes"], a["index"])),
    "channel_shuffle": lambda shapes, a: TorchCall("ChannelShuffle", (a["groups"],), {}),
    "reduce_mean": _reduce("mean"),
    "reduce_sum": _reduce("sum"),
    "reduce_max": _reduce("max"),
    "spatial_dropout": lambda shapes, a: None,  # a vector has no channels beside each other
    "drop_block": lambda shapes, a: None,  # ours: pictures alone
}
DRAWN_OFTEN: Final[Mapping[str, int]] = {
    "lp_pool": 300, "adaptive_maxpool": 300, "upsample": 1000, "resize": 300, "resize_to": 400, "pad": 400, "crop": 300, "slice": 400,
    "pixel_shuffle": 600, "pixel_unshuffle": 400, "chunk": 300, "split": 500, "reshape": 300, "unflatten": 400, "permute": 200,
}  # fmt: skip
