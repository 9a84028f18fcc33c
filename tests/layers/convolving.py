"""What PyTorch is asked for where a rule of a convolution, a norm or an activation rejects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from netspec.lowering import TorchCall
from netspec.shape import Shape, elements, spread

Attempt = Callable[[tuple[Shape, ...], Mapping[str, Any]], TorchCall | None]


def _of_rank(family: str, shape: Shape, *args: Any, **kwargs: Any) -> TorchCall | None:
    """The member of a family of modules for this many axes; ``None`` where there is none, which is a refusal too."""
    return TorchCall(f"{family}{len(shape) - 1}d", args, kwargs) if 2 <= len(shape) <= 4 else None


def _conv(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
    return _convolution(shapes[0], a["channels"], a["groups"], a)


def _depthwise(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
    return _convolution(shapes[0], shapes[0][0] * a["multiplier"], shapes[0][0], a)


def _convolution(x: Shape, channels: int, groups: int, a: Mapping[str, Any]) -> TorchCall | None:
    strides = spread(a["stride"], len(x) - 1)
    if a["padding"] == "same" and strides is not None:  # PyTorch's own takes no stride beside it
        return _of_rank("SameConv", x, x[0], channels, a["kernel"], strides, 0, a["dilation"], groups, True, a["padding_mode"])
    padding = str(a["padding"]) if isinstance(a["padding"], str) else a["padding"]
    return _of_rank("Conv", x, x[0], channels, a["kernel"], a["stride"], padding, a["dilation"], groups, True, a["padding_mode"])


def _conv_transpose(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
    x, padding, more = shapes[0], a["padding"], a["output_padding"]
    sizes = [spread(a[name], len(x) - 1) for name in ("kernel", "stride", "dilation", "output_padding")]
    if isinstance(padding, str):
        padding = 0
        if a["padding"] == "same" and None not in sizes:  # PyTorch's own knows no such word: the margins that it stands for
            axes: Any = list(zip(*sizes, strict=True))
            padding = tuple(max(d * (k - 1) + 1 - s, 0) // 2 for k, s, d, _ in axes)
            more = tuple(max(m + 2 * p + s - d * (k - 1) - 1, 0) for (k, s, d, m), p in zip(axes, padding, strict=True))
    tail = (a["groups"], True, a["dilation"])
    return _of_rank("ConvTranspose", x, x[0], a["channels"], a["kernel"], a["stride"], padding, more, *tail)


def _group_norm(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
    if elements(shapes[0]) == a["groups"]:
        return None  # PyTorch refuses groups of a single number too, but only in a batch of one
    return TorchCall("GroupNorm", (a["groups"], shapes[0][0]), {})


def _over(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
    """A norm over the last axis of an image is PyTorch's default and hardly ever meant: it is to be said."""
    assert a["over"] is None and len(shapes[0]) > 2
    return None


def _along(name: str) -> Attempt:
    """A module that works along an axis. PyTorch counts the batch, which none of ours may come to."""

    def attempt(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall:
        axis, rank = a["axis"], len(shapes[0])
        return TorchCall(name, (axis + 1 if axis >= 0 else axis if axis >= -rank else axis - 1,), {})

    return attempt


ATTEMPTS: Final[Mapping[str, Attempt]] = {
    "conv": _conv,
    "depthwise_conv": _depthwise,
    "conv_transpose": _conv_transpose,
    "instance_norm": lambda shapes, a: _of_rank("InstanceNorm", shapes[0], shapes[0][0]),
    "group_norm": _group_norm,
    "layer_norm": _over,
    "rms_norm": _over,
    "linear": lambda shapes, a: None,  # on an image it is a forgotten `flatten`, unless it is said
    "rrelu": lambda shapes, a: TorchCall("RReLU", (a["lower"], a["upper"]), {}),
    "hardtanh": lambda shapes, a: TorchCall("Hardtanh", (a["low"], a["high"]), {}),
    "glu": _along("GLU"),
    "softmax": _along("Softmax"),
    "log_softmax": _along("LogSoftmax"),
    "softmin": _along("Softmin"),
    "lrn": lambda shapes, a: TorchCall("LocalResponseNorm", (a["size"],), {}),
}
