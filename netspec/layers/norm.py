"""Normalisation layers."""

from dataclasses import dataclass
from typing import Annotated, Final

from netspec.diagnostics import problems
from netspec.graph import Facts, Weight
from netspec.kinds import Boolean, Count, OneOf, Positive, Real, Share
from netspec.layer import Reject, layer
from netspec.layers._measured import column, whole
from netspec.layers._spatial import rank_of
from netspec.lowering import OnnxCall, OnnxExpression, W, X, const, nn, op
from netspec.shape import Shape, elements, same


@dataclass(frozen=True)
class Epsilon(Real):
    """A small number above 0; ``layer`` is whose it is, where PyTorch has the channels in its place."""

    layer: str | None = None

    def instead(self, value: object) -> str | None:
        if self.layer is None or not isinstance(value, int) or value <= 1:
            return super().instead(value)
        return f"the channels are known: leave them out, and write {self.layer}"


class Together(OneOf):
    """Which numbers a norm takes together."""

    def instead(self, value: object) -> str | None:
        return "sizes are known: leave it out, or write over=last" if isinstance(value, int | tuple) else super().instead(value)


Small = Annotated[float, Epsilon(0, 1, open_low=True)]

Over = Annotated[str, Together(("channels", "last", "all"))]

FLOAT32: Final = 2.0**-23
"""The distance from 1 to the next float32, which PyTorch takes where a norm is given no `eps`."""


@layer("BatchNorm", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "BatchNormalization", "batch_norm", "batchnorm", "batchNormalizationLayer")
def bn(x: Shape, eps: Annotated[float, Epsilon(0, 1, True, "bn")] = 1e-5, momentum: Share = 0.1, affine: Boolean = True) -> Facts:
    """Batch normalisation of each channel (Ioffe and Szegedy, 2015): `y = (x - mean) / sqrt(var + eps) * weight + bias`.

    Mean and variance are the batch's while training, and the running ones otherwise; in a frozen region always the running ones.

    - `eps`: added to the variance
    - `momentum`: how much of each batch's statistics goes into the running ones, as in PyTorch (0.99 in Keras is 0.01 here)
    - `affine`: whether `weight` and `bias` are learned

    Weights: `weight`, `bias` (C); buffers: `running_mean`, `running_var` (C), `num_batches_tracked`.
    """
    if len(x) > 4:
        raise Reject(problems.WrongRank("bn", x, "channels and up to three axes in space", "normalise before adding the axis"))
    scale, shift = (W("weight"), W("bias")) if affine else (_filled(1.0, W("running_mean")), _filled(0.0, W("running_mean")))
    return Facts(
        output=x,
        weights=_learned(x[:1], affine) | _running(x[0]),
        torch=(nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[len(x) - 1](x[0], eps, momentum, affine),
        onnx=op.BatchNormalization(X, scale, shift, W("running_mean"), W("running_var"), epsilon=eps),
    )


@layer("InstanceNorm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "InstanceNormalization", "instancenorm")
def instance_norm(
    x: Shape,
    eps: Annotated[float, Epsilon(0, 1, True, "instance_norm")] = 1e-5,
    momentum: Share = 0.1,
    affine: Boolean = False,
    track_running_stats: Boolean = False,
) -> Facts:
    """Each channel of each sample by its own mean and variance over space (Ulyanov et al., 2016):
    `y = (x - mean) / sqrt(var + eps) * weight + bias`.

    - `eps`: added to the variance
    - `momentum`: how much of each batch's statistics goes into the running ones, where they are kept
    - `affine`: whether `weight` and `bias` are learned
    - `track_running_stats`: whether running statistics are kept, and used outside of training in the place of the sample's own

    Weights where `affine`: `weight`, `bias` (C); buffers where statistics are kept, as those of `bn`.
    """
    rank = rank_of(x, "instance_norm")
    if same(elements(x[1:]), 1):
        hint = "leave it out: each number is its own mean"
        raise Reject(problems.WrongSizes("instance_norm", x, "more than one number in each channel", hint))
    channels = op.Shape(X, start=1, end=2)
    scale, shift = (W("weight"), W("bias")) if affine else (_full(1.0, channels), _full(0.0, channels))
    tracked = op.BatchNormalization(X, scale, shift, W("running_mean"), W("running_var"), epsilon=eps)
    module = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)[rank - 1]
    return Facts(
        output=x,
        weights=_learned(x[:1], affine) | (_running(x[0]) if track_running_stats else {}),
        torch=module(x[0], eps, momentum, affine, track_running_stats),
        onnx=tracked if track_running_stats else op.InstanceNormalization(X, scale, shift, epsilon=eps),
    )


@layer("GroupNorm", "GroupNormalization", "gn", "groupnorm")
def group_norm(x: Shape, groups: Count, eps: Small = 1e-5, affine: Boolean = True) -> Facts:
    """The channels in groups, each group of each sample by its own mean and variance (Wu and He, 2018):
    `y = (x - mean) / sqrt(var + eps) * weight + bias`.

    - `groups`: how many groups the channels are divided into (32 in the paper); 1 normalises over everything
    - `eps`: added to the variance
    - `affine`: whether `weight` and `bias`, one for each channel, are learned

    Weights: `weight`, `bias` (C).
    """
    if not same(x[0] % groups, 0):
        raise Reject(problems.GroupsDoNotDivide(groups, x[0]), at="groups")
    if same(elements(x) // groups, 1):
        raise Reject(problems.WrongSizes("group_norm", x, "more than one number in each group", "take fewer groups"), at="groups")
    ones, zeros = const((1.0,) * groups), const((0.0,) * groups)
    grouped = op.Reshape(X, whole((0, groups, -1)))
    normal = op.Reshape(op.InstanceNormalization(grouped, ones, zeros, epsilon=eps), op.Shape(X))
    scaled = op.Add(op.Mul(normal, column(W("weight"), len(x) - 1)), column(W("bias"), len(x) - 1))
    return Facts(
        output=x, weights=_learned(x[:1], affine), torch=nn.GroupNorm(groups, x[0], eps, affine), onnx=scaled if affine else normal
    )


@layer("LayerNorm", "LayerNormalization", "ln", "layernorm", "LayerNorm2d")
def layer_norm(x: Shape, over: Over | None = None, eps: Small = 1e-5, affine: Boolean = True, bias: Boolean = True) -> Facts:
    """Each vector of a sample by its own mean and variance (Ba et al., 2016): `y = (x - mean) / sqrt(var + eps) * weight + bias`.

    - `over`: which numbers belong together. `last`, those along the last axis, as the features of each token of `T x N`;
      `channels`, those at one place of `C x H x W`, as in ConvNeXt; `all`, everything. Of a vector and of `T x N` it is `last` if
      left out; of more axes it is said.
    - `eps`: added to the variance (1e-6 in the vision transformers and in ConvNeXt)
    - `affine`: whether `weight` and `bias` are learned
    - `bias`: whether `bias` is one of them

    Weights: `weight`, `bias`, as large as what is normalised: N, C, or C x H x W.
    """
    which = _which("layer_norm", x, over)
    shape = _shape(x, which)
    learned = _learned(shape, affine)
    if not bias:
        learned.pop("bias", None)
    first = 1 if which == "all" else -1
    source = _channels_last(X, x) if which == "channels" else X
    scale = W("weight") if affine else _full(1.0, op.Shape(source, start=first))
    normal = op.LayerNormalization(source, scale, *([W("bias")] if "bias" in learned else []), axis=first, epsilon=eps)
    if which == "channels":
        module, normal = nn.LayerNormOfChannels(x[0], eps, affine, bias), _channels_first(normal, x)
    else:
        module = nn.LayerNorm(shape, eps, affine, bias) if affine else nn.PlainLayerNorm(first, eps)
    return Facts(output=x, weights=learned, torch=module, onnx=normal)


@layer("RMSNorm", "RMSNormalization", "rmsnorm")
def rms_norm(x: Shape, over: Over | None = None, eps: Small = FLOAT32, affine: Boolean = True) -> Facts:
    """Each vector of a sample by the root of its mean square (Zhang and Sennrich, 2019): `y = x / sqrt(mean(x^2) + eps) * weight`.

    - `over`: which numbers belong together, as in `layer_norm`
    - `eps`: added to the mean square (PyTorch's default; 1e-6 in most language models)
    - `affine`: whether `weight` is learned

    Weights: `weight`, as large as what is normalised: N, C, or C x H x W.
    """
    which = _which("rms_norm", x, over)
    shape = _shape(x, which)
    axes = {"channels": (1,), "last": (-1,), "all": tuple(range(1, len(x) + 1))}[which]
    mean = op.ReduceMean(op.Mul(X, X), whole(axes))
    normal = op.Div(X, op.Sqrt(op.Add(mean, const(eps))))
    if which == "channels":
        module = nn.RMSNormOfChannels(x[0], eps, affine)
    else:
        module = nn.RMSNorm(shape, eps, affine) if affine else nn.PlainRMSNorm(axes[0], eps)
    if not affine:
        return Facts(output=x, torch=module, onnx=normal)
    weight = column(W("weight"), len(x) - 1) if which == "channels" else W("weight")
    return Facts(output=x, weights={"weight": Weight(shape)}, torch=module, onnx=op.Mul(normal, weight))


@layer("LocalResponseNorm", "LocalResponseNormalization", "local_response_norm", "crossChannelNormalizationLayer")
def lrn(x: Shape, size: Count = 5, alpha: Positive = 1e-4, beta: Positive = 0.75, k: Positive = 1.0) -> Facts:
    """Local response normalisation across channels (Krizhevsky et al., 2012): `y = x / (k + alpha / size * s) ^ beta`, s the sum of
    the squares of `size` neighbouring channels at the same place.

    `alpha` is divided by `size`, as in Caffe, PyTorch and ONNX; the paper does not divide: its k = 2, n = 5, alpha = 1e-4, beta = 0.75
    is `lrn(5, alpha=5e-4, k=2)`.

    - `size`: how many channels, the one itself in the middle; of an even number one more before it than behind
    - `alpha`, `beta`, `k`: as above
    """
    rank = rank_of(x, "lrn")
    return Facts(
        output=x,
        torch=nn.LocalResponseNorm(size, alpha, beta, k),
        onnx=op.LRN(X, size=size, alpha=alpha, beta=beta, bias=k) if rank == 2 and size % 2 else _lrn(size, alpha, beta, k),
    )


def _lrn(size: int, alpha: float, beta: float, k: float) -> OnnxExpression:
    """What onnxruntime's ``LRN`` does not do, all but odd sizes of images: the mean over channels is a pooling, places in a row."""
    rows = op.Unsqueeze(op.Reshape(op.Mul(X, X), whole((0, 0, -1))), whole((1,)))
    pads = (size // 2, 0, (size - 1) // 2, 0)
    mean = op.AveragePool(rows, kernel_shape=(size, 1), strides=(1, 1), pads=pads, count_include_pad=1)
    return op.Div(X, op.Pow(op.Add(op.Mul(op.Reshape(mean, op.Shape(X)), const(alpha)), const(k)), const(beta)))


@layer("L2Norm", "L2Normalization", "UnitNormalization")
def l2_norm(x: Shape, scale: Positive | None = None, eps: Small = 1e-12) -> Facts:
    """The channels at each place made a vector of length 1: `y = x / max(sqrt(sum over the channels of x^2), eps) * scale`
    (Liu et al., ParseNet, 2015).

    - `scale`: where a learned factor for each channel starts (20 in SSD); without it there is none
    - `eps`: the least that is divided by

    Weights where there is a `scale`: one tensor (C), whose path is the layer's own.
    """
    normal = op.Div(X, op.Max(op.ReduceL2(X, whole((1,))), const(eps)))
    if scale is None:
        return Facts(output=x, torch=nn.L2Norm(eps), onnx=normal)
    return Facts(
        output=x,
        weights={"": Weight(x[:1])},
        torch=nn.ScaledL2Norm(x[0], scale, eps),
        onnx=op.Mul(normal, column(W(""), len(x) - 1)),
    )


def _which(layer: str, x: Shape, over: str | None) -> str:
    """What a norm goes over where it has a choice. On a vector every choice is the same."""
    if over is None and len(x) > 2:
        hint = f"{layer}(over=channels) normalises the channels at each place, over=last the last axis, over=all everything"
        raise Reject(problems.WrongRank(layer, x, "to be told what it goes over", hint))
    return "last" if over is None or len(x) == 1 else over


def _shape(x: Shape, which: str) -> Shape:
    """The part of the input that is normalised together."""
    return {"channels": x[:1], "last": x[-1:], "all": x}[which]


def _learned(shape: Shape, affine: bool) -> dict[str, Weight]:
    return {"weight": Weight(shape), "bias": Weight(shape)} if affine else {}


def _running(channels: int) -> dict[str, Weight]:
    """The buffers of running statistics."""
    return {
        "running_mean": Weight((channels,), False),
        "running_var": Weight((channels,), False),
        "num_batches_tracked": Weight((), False, "int64"),
    }


def _filled(value: float, like: OnnxExpression) -> OnnxExpression:
    return _full(value, op.Shape(like))


def _full(value: float, shape: OnnxExpression) -> OnnxExpression:
    """A tensor of one value, as large as the model finds when it runs."""
    return op.Expand(const((value,)), shape)


def _channels_last(expression: OnnxExpression, x: Shape) -> OnnxCall:
    return op.Transpose(expression, perm=(0, *range(2, len(x) + 1), 1))


def _channels_first(expression: OnnxExpression, x: Shape) -> OnnxCall:
    return op.Transpose(expression, perm=(0, len(x), *range(1, len(x))))
