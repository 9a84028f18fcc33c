"""Convolutions."""

from math import prod

from netspec.diagnostics import problems
from netspec.graph import Facts, Weight
from netspec.kinds import Boolean, ConvPadding, Count, Spatial
from netspec.layer import Reject, layer
from netspec.layers._spatial import extent, rank_of, slid
from netspec.lowering import TorchCall, W, X, nn, op
from netspec.shape import Shape, same_padding
from netspec.values import Word


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
) -> Facts:
    """Convolution (cross-correlation) in one, two or three dimensions, as the input has.

    Each output channel is the sum, over the input channels of its group, of the input correlated with a kernel, plus a
    bias. `C x H x W` becomes `channels x H' x W'` with `H' = floor((H + 2 padding - dilation (kernel - 1) - 1) / stride) + 1`
    (Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, relationship 15).

    - `channels`: how many feature maps it makes
    - `kernel`: the window, `3` or `3x3` or `1x7`
    - `stride`: the step between windows
    - `padding`: zeros on both sides; `valid` is none, `same` gives `ceil(H / stride)` (an odd one goes behind, as in TensorFlow)
    - `dilation`: the distance between the kernel's points
    - `groups`: how many parts the channels are divided into; as many as there are channels makes it depthwise
    - `bias`: whether a number is added to each output channel

    Weights: `weight` (channels, C / groups, kernel), `bias` (channels). MACs: outputs x C / groups x kernel.
    """
    rank = rank_of(x, "conv")
    kernel, stride, dilation = (extent(v, x, n) for v, n in ((kernel, "kernel"), (stride, "stride"), (dilation, "dilation")))
    if x[0] % groups or channels % groups:
        raise Reject(problems.GroupsDoNotDivide(groups, x[0], channels), at="groups")
    before, after = _padding(x, kernel, stride, padding, dilation)
    space = slid("conv", x, kernel, stride, before, after, dilation)
    weights = {"weight": Weight((channels, x[0] // groups, *kernel))}
    if bias:
        weights["bias"] = Weight((channels,))
    return Facts(
        output=(channels, *space),
        weights=weights,
        macs=prod(space) * channels * (x[0] // groups) * prod(kernel),
        torch=_torch(rank, (x[0], channels, kernel, stride), before, after, (dilation, groups, bias)),
        onnx=op.Conv(
            X, W("weight"), *([W("bias")] if bias else []),
            kernel_shape=kernel, strides=stride, pads=before + after, dilations=dilation, group=groups,
        ),
    )  # fmt: skip


def _padding(x: Shape, kernel: Shape, stride: Shape, padding: int | tuple[int, ...] | Word, dilation: Shape) -> tuple[Shape, Shape]:
    """Zeros before and after each axis."""
    if padding == "same":
        pairs = [same_padding(*axis) for axis in zip(x[1:], kernel, stride, dilation, strict=True)]
        return tuple(b for b, _ in pairs), tuple(a for _, a in pairs)
    both = extent(0 if isinstance(padding, Word) else padding, x, "padding")
    return both, both


def _torch(rank: int, head: tuple[object, ...], before: Shape, after: Shape, tail: tuple[object, ...]) -> TorchCall:
    """torch.nn's convolution, or where the two sides are padded differently the backend's own, which pads first."""
    if before == after:
        return (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1](*head, before, *tail)
    sides = tuple(n for pair in reversed(list(zip(before, after, strict=True))) for n in pair)
    return (nn.PaddedConv1d, nn.PaddedConv2d, nn.PaddedConv3d)[rank - 1](sides, *head, 0, *tail)
