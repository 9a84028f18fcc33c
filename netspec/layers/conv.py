"""Convolutions."""

from math import prod
from typing import Annotated

from netspec.diagnostics import problems
from netspec.graph import Facts, Weight
from netspec.kinds import Boolean, ConvPadding, Count, OneOf, Spatial
from netspec.layer import Reject, layer
from netspec.layers._measured import whole
from netspec.layers._spatial import ONNX_MODES, extent, rank_of, slid, widest
from netspec.lowering import OnnxCall, OnnxExpression, TorchCall, W, X, nn, op
from netspec.shape import Shape, same, same_padding, show
from netspec.values import Word

PaddingMode = Annotated[str, OneOf(("zeros", "reflect", "replicate", "circular"))]

_Margins = tuple[Shape, Shape]


@layer("Conv1D", "Conv2D", "Conv3D", "Conv1d", "Conv2d", "Conv3d", "Convolution", "Convolution2D", "convolution2dLayer")
def conv(
    x: Shape,
    channels: Count,
    kernel: Spatial,
    stride: Spatial = 1,
    padding: ConvPadding = 0,
    dilation: Spatial = 1,
    groups: Count = 1,
    bias: Boolean = True,
    padding_mode: PaddingMode = "zeros",
) -> Facts:
    """Convolution (cross-correlation) in one, two or three dimensions, as the input has.

    Each output channel is the sum, over the input channels of its group, of the input correlated with a kernel, plus a
    bias. `C x H x W` becomes `channels x H' x W'` with `H' = floor((H + 2 padding - dilation (kernel - 1) - 1) / stride) + 1`
    (Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, relationship 15).

    - `channels`: how many feature maps it makes
    - `kernel`: the window, `3` or `3x3` or `1x7`
    - `stride`: the step between windows
    - `padding`: a margin on both sides; `valid` is none, `same` gives `ceil(H / stride)` (an odd one goes behind, as in TensorFlow)
    - `dilation`: the distance between the kernel's points
    - `groups`: how many parts the channels are divided into (as many as there are channels: see `depthwise_conv`)
    - `bias`: whether a number is added to each output channel
    - `padding_mode`: what the margin holds: `zeros`, the data mirrored (`reflect`), its edge (`replicate`), or its other end (`circular`)

    Weights: `weight` (channels, C / groups, kernel), `bias` (channels). MACs: outputs x C / groups x kernel.
    """
    rank_of(x, "conv")
    if not (same(x[0] % groups, 0) and channels % groups == 0):
        raise Reject(problems.GroupsDoNotDivide(groups, x[0], channels), at="groups")
    return _convolved("conv", x, (channels, groups, bias), kernel, stride, padding, dilation, padding_mode)


@layer("DepthwiseConv2D", "DepthwiseConv1D", "depthwise_conv2d", "depthwise")
def depthwise_conv(
    x: Shape,
    kernel: Spatial,
    multiplier: Count = 1,
    stride: Spatial = 1,
    padding: ConvPadding = 0,
    dilation: Spatial = 1,
    bias: Boolean = True,
    padding_mode: PaddingMode = "zeros",
) -> Facts:
    """A `conv` of each channel by itself, with as many groups as there are channels (Sifre, 2014; Howard et al., MobileNets, 2017).

    `C x H x W` becomes `C multiplier x H' x W'`, H' and W' as in `conv`; the results of one channel stand side by side. A separable
    convolution is a `depthwise_conv` and behind it a `conv(channels, 1)`.

    - `kernel`, `stride`, `padding`, `dilation`, `bias`, `padding_mode`: as in `conv`
    - `multiplier`: how many feature maps it makes of each channel

    Weights: `weight` (C multiplier, 1, kernel), `bias` (C multiplier). MACs: outputs x kernel.
    """
    rank_of(x, "depthwise_conv")
    return _convolved("depthwise_conv", x, (x[0] * multiplier, x[0], bias), kernel, stride, padding, dilation, padding_mode)


def _convolved(
    layer: str,
    x: Shape,
    made: tuple[int, int, bool],
    kernel: int | Shape,
    stride: int | Shape,
    padding: int | Shape | Word,
    dilation: int | Shape,
    mode: str,
) -> Facts:
    """The facts of a convolution; ``made`` is its channels, groups and bias."""
    channels, groups, bias = made
    kernel, stride, dilation = (extent(v, x, n) for v, n in ((kernel, "kernel"), (stride, "stride"), (dilation, "dilation")))
    margins = _margins(x, kernel, stride, padding, dilation)
    if (most := widest(mode, x)) is not None:
        _check_margins(layer, x, mode, most, margins or _by_size(x, kernel, stride, dilation))
    weights = {"weight": Weight((channels, x[0] // groups, *kernel))}
    if bias:
        weights["bias"] = Weight((channels,))
    if margins is None or padding == "same":
        space = tuple((n + s - 1) // s for n, s in zip(x[1:], stride, strict=True))
    else:
        space = slid(layer, x, kernel, stride, *margins, dilation)
    return Facts(
        output=(channels, *space),
        weights=weights,
        macs=prod(space) * channels * (x[0] // groups) * prod(kernel),
        torch=_torch((x[0], channels, kernel, stride), margins, (dilation, groups, bias, mode), len(x) - 1),
        onnx=_onnx(kernel, stride, margins, dilation, groups, bias, mode),
    )


def _margins(x: Shape, kernel: Shape, stride: Shape, padding: int | Shape | Word, dilation: Shape) -> _Margins | None:
    """The margin before and after each axis; ``None`` where it depends on the size of what flows in."""
    if padding != "same":
        both = extent(0 if isinstance(padding, Word) else padding, x, "padding")
        return both, both
    return None if max(stride) > 1 else _by_size(x, kernel, stride, dilation)


def _by_size(x: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> _Margins:
    pairs = [same_padding(*axis) for axis in zip(x[1:], kernel, stride, dilation, strict=True)]
    return tuple(b for b, _ in pairs), tuple(a for _, a in pairs)


def _check_margins(layer: str, x: Shape, mode: str, most: Shape, margins: _Margins) -> None:
    """Reject margins that the data cannot fill; the one behind is never the smaller one."""
    _, behind = margins
    if any(m > n for m, n in zip(behind, most, strict=True)):
        must = f"at most {show(most)} where padding_mode is {mode} and {show(x)} flows in"
        raise Reject(problems.BadValue(layer, "padding", must, show(behind)), at="padding")


def _torch(head: tuple[object, ...], margins: _Margins | None, tail: tuple[object, ...], rank: int) -> TorchCall:
    """torch.nn's convolution; the backend's own where two sides differ, or the margin depends on the size."""
    if margins is not None and margins[0] == margins[1]:
        return (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1](*head, margins[0], *tail)
    return (nn.SameConv1d, nn.SameConv2d, nn.SameConv3d)[rank - 1](*head, 0, *tail)


def _onnx(kernel: Shape, stride: Shape, margins: _Margins | None, dilation: Shape, groups: int, bias: bool, mode: str) -> OnnxCall:
    """``Conv`` pads with zeros; where the margin holds something else, or depends on the size, ``Pad`` goes before it."""
    learned = [W("weight"), *([W("bias")] if bias else [])]
    window = {"kernel_shape": kernel, "strides": stride, "dilations": dilation, "group": groups}
    if margins is not None and mode == "zeros":
        return op.Conv(X, *learned, pads=margins[0] + margins[1], **window)
    sides = _sides(kernel, stride, dilation) if margins is None else whole((0, 0, *margins[0], 0, 0, *margins[1]))
    return op.Conv(op.Pad(X, sides, mode=ONNX_MODES[mode]), *learned, **window)


def _sides(kernel: Shape, stride: Shape, dilation: Shape) -> OnnxExpression:
    """The margins of ``same_padding`` by the input's own size, on all axes at once: the batch's and the channels' come to 0."""
    reach = tuple(d * (k - 1) for d, k in zip(dilation, kernel, strict=True))
    over = op.Mod(op.Sub(op.Shape(X), whole((1,))), whole((1, 1, *stride)))
    total = op.Max(op.Sub(whole((0, 0, *reach)), over), whole((0,)))
    return op.Reshape(op.Div(op.Add(total, whole(((0,), (1,)))), whole((2,))), whole((-1,)))
