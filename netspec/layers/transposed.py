"""Transposed convolutions."""

from math import prod

from netspec.diagnostics import problems
from netspec.graph import Facts, Weight
from netspec.kinds import Boolean, ConvPadding, Count, Margin, Spatial
from netspec.layer import Reject, layer
from netspec.layers._measured import column, whole
from netspec.layers._spatial import extent, rank_of
from netspec.lowering import OnnxExpression, TorchCall, W, X, nn, op
from netspec.shape import Shape, same, show
from netspec.values import Word


@layer(
    *("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"),
    *("ConvTranspose", "Deconvolution", "deconv", "upconv", "transposed_conv", "transposedConv2dLayer"),
)
def conv_transpose(
    x: Shape,
    channels: Count,
    kernel: Spatial,
    stride: Spatial = 1,
    padding: ConvPadding = 0,
    output_padding: Margin = 0,
    dilation: Spatial = 1,
    groups: Count = 1,
    bias: Boolean = True,
) -> Facts:
    """Transposed convolution: the gradient of `conv`, which makes a map larger by its stride (Zeiler et al., 2010).

    Each number of the input spreads a kernel over the output, and what falls on one place is summed. `C x H x W` becomes
    `channels x H' x W'` with `H' = (H - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1` (Dumoulin and
    Visin, 2016, relationship 14).

    - `channels`: how many feature maps it makes
    - `kernel`: the window, `2` or `4x4`
    - `stride`: how far apart two numbers of the input spread theirs
    - `padding`: how much is cut from both sides; `valid` is none, `same` gives `H stride + output_padding` (an odd one is cut
      behind, as in TensorFlow)
    - `output_padding`: how much is added behind, which tells apart the sizes that `conv` makes one; less than stride or dilation
    - `dilation`: the distance between the kernel's points
    - `groups`: how many parts the channels are divided into
    - `bias`: whether a number is added to each output channel

    Weights: `weight` (C, channels / groups, kernel), `bias` (channels). MACs: inputs x channels / groups x kernel.
    """
    rank_of(x, "conv_transpose")
    kernel, stride, dilation = (extent(v, x, n) for v, n in ((kernel, "kernel"), (stride, "stride"), (dilation, "dilation")))
    if not (same(x[0] % groups, 0) and channels % groups == 0):
        raise Reject(problems.GroupsDoNotDivide(groups, x[0], channels), at="groups")
    before, behind = _cuts(x, kernel, stride, padding, extent(output_padding, x, "output_padding"), dilation)
    weights = {"weight": Weight((x[0], channels // groups, *kernel))}
    if bias:
        weights["bias"] = Weight((channels,))
    return Facts(
        output=(channels, *_left(x, kernel, stride, before, behind, dilation)),
        weights=weights,
        macs=prod(x) * (channels // groups) * prod(kernel),
        torch=_torch((x[0], channels, kernel, stride), before, behind, (groups, bias, dilation), len(x) - 1),
        onnx=_onnx(kernel, stride, before, behind, dilation, groups, bias),
    )


def _cuts(x: Shape, kernel: Shape, stride: Shape, padding: int | Shape | Word, more: Shape, dilation: Shape) -> tuple[Shape, Shape]:
    """How much is cut before and behind each axis; below 0 behind is what is added there."""
    if padding == "same":
        total = tuple(d * (k - 1) + 1 - s for k, s, d in zip(kernel, stride, dilation, strict=True))
        before = tuple(max(t, 0) // 2 for t in total)
        behind = tuple(t - b - m for t, b, m in zip(total, before, more, strict=True))
    else:
        before = extent(0 if isinstance(padding, Word) else padding, x, "padding")
        behind = tuple(b - m for b, m in zip(before, more, strict=True))
    excess = [b - e - max(s, d) + 1 for b, e, s, d in zip(before, behind, stride, dilation, strict=True)]
    if max(excess) > 0:
        most = show(tuple(m - max(e, 0) for m, e in zip(more, excess, strict=True)))
        must = f"less than stride {show(stride)} or dilation {show(dilation)}, so at most {most}"
        raise Reject(problems.BadValue("conv_transpose", "output_padding", must, show(more)), at="output_padding")
    return before, behind


def _left(x: Shape, kernel: Shape, stride: Shape, before: Shape, behind: Shape, dilation: Shape) -> Shape:
    """The output's axes in space, at least 1 each."""
    full = tuple((n - 1) * s + d * (k - 1) + 1 for n, k, s, d in zip(x[1:], kernel, stride, dilation, strict=True))
    left = tuple(n - b - e for n, b, e in zip(full, before, behind, strict=True))
    if any(n < 1 for n in left):
        most = show(tuple((n + b - e - 1) // 2 for n, b, e in zip(full, before, behind, strict=True)))
        must = f"at most {most}, or nothing is left of the output"
        raise Reject(problems.BadValue("conv_transpose", "padding", must, show(before)), at="padding")
    return left


def _torch(head: tuple[object, ...], before: Shape, behind: Shape, tail: tuple[object, ...], rank: int) -> TorchCall:
    """torch.nn's, which cuts both sides alike and may add behind; the backend's own where more is cut behind."""
    more = tuple(max(b - e, 0) for b, e in zip(before, behind, strict=True))
    cut = tuple(max(e - b, 0) for b, e in zip(before, behind, strict=True))
    arguments = (*head, before, more, *tail)
    if max(cut) == 0:
        return (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[rank - 1](*arguments)
    return (nn.CutConvTranspose1d, nn.CutConvTranspose2d, nn.CutConvTranspose3d)[rank - 1](cut, *arguments)


def _onnx(kernel: Shape, stride: Shape, before: Shape, behind: Shape, dilation: Shape, groups: int, bias: bool) -> OnnxExpression:
    """``ConvTranspose``. onnxruntime adds less than a stride behind: more is zeros joined to it, which get the bias too."""
    more = tuple(max(b - e, 0) for b, e in zip(before, behind, strict=True))
    window = {"kernel_shape": kernel, "strides": stride, "dilations": dilation, "group": groups}
    if all(m < s for m, s in zip(more, stride, strict=True)):
        pads = before + tuple(e + m for e, m in zip(behind, more, strict=True))
        return op.ConvTranspose(X, W("weight"), *([W("bias")] if bias else []), pads=pads, output_padding=more, **window)
    spread = op.ConvTranspose(X, W("weight"), pads=before + tuple(max(e, 0) for e in behind), **window)
    zeros = whole((0,) * (len(before) + 4) + tuple(max(-e, 0) for e in behind))
    axes = whole(tuple(range(len(before) + 2)))  # named for onnxruntime, as those of `pad`
    padded = op.Pad(spread, zeros, None, axes)
    return op.Add(padded, column(W("bias"), len(before))) if bias else padded
