"""Activations: each works on every number by itself, the last few on the numbers along an axis together."""

from typing import Annotated

from netspec.diagnostics import problems
from netspec.graph import Facts, Weight
from netspec.kinds import AnyAxis, Boolean, NotNegative, Number, OneOf, Positive
from netspec.layer import Reject, layer
from netspec.layers._axes import axis_of
from netspec.layers._measured import END, column, cut, sizes, whole
from netspec.lowering import W, X, const, nn, op
from netspec.shape import Shape, same
from netspec.values import show


@layer("ReLU", "Rectifier", "reluLayer")
def relu(x: Shape) -> Facts:
    """Rectified linear unit: `max(x, 0)`."""
    return Facts(output=x, torch=nn.ReLU(), onnx=op.Relu(X))


@layer("ReLU6")
def relu6(x: Shape) -> Facts:
    """Rectified linear unit, cut at 6: `min(max(x, 0), 6)` (Howard et al., MobileNets, 2017)."""
    return Facts(output=x, torch=nn.ReLU6(), onnx=op.Clip(X, const(0.0), const(6.0)))


@layer("LeakyReLU", "LReLU", "leakyReluLayer")
def leaky_relu(x: Shape, slope: NotNegative = 0.01) -> Facts:
    """`x` where it is positive, `slope x` elsewhere (Maas et al., 2013).

    - `slope`: the factor for negative numbers (0.01 as in PyTorch; Keras has 0.3)
    """
    return Facts(output=x, torch=nn.LeakyReLU(slope), onnx=op.LeakyRelu(X, alpha=slope))


@layer("PReLU", "preluLayer")
def prelu(x: Shape, per_channel: Boolean = False, init: Number = 0.25) -> Facts:
    """`x` where it is positive, `weight x` elsewhere, the weight being learned (He et al., 2015).

    - `per_channel`: whether each channel has a weight of its own, or all share one
    - `init`: where it starts

    Weights: `weight`, one number, or C of them.
    """
    count = x[0] if per_channel else 1
    slope = column(W("weight"), len(x) - 1) if per_channel else W("weight")
    return Facts(output=x, weights={"weight": Weight((count,))}, torch=nn.PReLU(count, init), onnx=op.PRelu(X, slope))


@layer("RReLU")
def rrelu(x: Shape, lower: Number = 1 / 8, upper: Number = 1 / 3) -> Facts:
    """`x` where it is positive, `a x` elsewhere: while training `a` is drawn anew for each number, otherwise it is the mean of the bounds
    (Xu et al., 2015).

    - `lower`, `upper`: the bounds that `a` is drawn between
    """
    if lower > upper:
        raise Reject(problems.BadValue("rrelu", "upper", f"at least lower, which is {show(lower)}", show(upper)), at="upper")
    return Facts(output=x, torch=nn.RReLU(lower, upper), onnx=op.LeakyRelu(X, alpha=(lower + upper) / 2))


@layer("ELU", "eluLayer")
def elu(x: Shape, alpha: Number = 1.0) -> Facts:
    """`x` where it is positive, `alpha (exp(x) - 1)` elsewhere (Clevert et al., 2015).

    - `alpha`: where it ends for large negative numbers, with a minus
    """
    return Facts(output=x, torch=nn.ELU(alpha), onnx=op.Elu(X, alpha=alpha))


@layer("CELU")
def celu(x: Shape, alpha: Positive = 1.0) -> Facts:
    """`max(x, 0) + min(alpha (exp(x / alpha) - 1), 0)`, smooth whatever alpha is (Barron, 2017).

    - `alpha`: where it ends for large negative numbers, with a minus
    """
    return Facts(output=x, torch=nn.CELU(alpha), onnx=op.Celu(X, alpha=alpha))


@layer("SELU")
def selu(x: Shape) -> Facts:
    """`1.0507 x` where it is positive, `1.0507 · 1.6733 (exp(x) - 1)` elsewhere: figures that keep mean 0 and variance 1
    (Klambauer et al., 2017)."""
    return Facts(output=x, torch=nn.SELU(), onnx=op.Selu(X))


@layer("GELU", "geluLayer")
def gelu(x: Shape, approximate: Annotated[str, OneOf(("none", "tanh"))] = "none") -> Facts:
    """Gaussian error linear unit: `x Phi(x)`, Phi the normal distribution function (Hendrycks and Gimpel, 2016).

    - `approximate`: `none` is exact; `tanh` the paper's approximation
    """
    return Facts(output=x, torch=nn.GELU(approximate), onnx=op.Gelu(X, approximate=approximate))


@layer("SiLU", "Swish", "swishLayer")
def silu(x: Shape) -> Facts:
    """`x sigmoid(x)`, also called swish (Elfwing et al., 2017; Ramachandran et al., 2017)."""
    return Facts(output=x, torch=nn.SiLU(), onnx=op.Mul(X, op.Sigmoid(X)))


@layer("Mish")
def mish(x: Shape) -> Facts:
    """`x tanh(ln(1 + exp(x)))` (Misra, 2019)."""
    return Facts(output=x, torch=nn.Mish(), onnx=op.Mish(X))


@layer("Hardswish", "hard_swish", "h_swish", "hswish")
def hardswish(x: Shape) -> Facts:
    """`x min(max(x + 3, 0), 6) / 6`, swish made of straight lines (Howard et al., MobileNetV3, 2019)."""
    return Facts(output=x, torch=nn.Hardswish(), onnx=op.HardSwish(X))


@layer("Softplus")
def softplus(x: Shape, beta: Positive = 1.0) -> Facts:
    """`ln(1 + exp(beta x)) / beta`, a smooth relu (Dugas et al., 2000).

    - `beta`: how sharply it bends
    """
    return Facts(output=x, torch=nn.Softplus(beta), onnx=op.Div(op.Softplus(op.Mul(X, const(beta))), const(beta)))


@layer("Threshold")
def threshold(x: Shape, threshold: Number, value: Number) -> Facts:
    """`x` where it is above the threshold, `value` elsewhere.

    - `threshold`: what has to be passed
    - `value`: what stands in the place of all else
    """
    passed = op.Where(op.Greater(X, const(threshold)), X, const(value))
    return Facts(output=x, torch=nn.Threshold(threshold, value), onnx=passed)


@layer("Hardshrink")
def hardshrink(x: Shape, lambd: NotNegative = 0.5) -> Facts:
    """0 where `x` lies between `-lambd` and `lambd`, `x` elsewhere.

    - `lambd`: how large a number has to be to pass
    """
    return Facts(output=x, torch=nn.Hardshrink(lambd), onnx=op.Shrink(X, lambd=lambd, bias=0.0))


@layer("Softshrink")
def softshrink(x: Shape, lambd: NotNegative = 0.5) -> Facts:
    """`x` brought closer to 0 by `lambd`, and 0 where it is nearer than that.

    - `lambd`: by how much
    """
    return Facts(output=x, torch=nn.Softshrink(lambd), onnx=op.Shrink(X, lambd=lambd, bias=lambd))


@layer("Tanhshrink")
def tanhshrink(x: Shape) -> Facts:
    """`x - tanh(x)`."""
    return Facts(output=x, torch=nn.Tanhshrink(), onnx=op.Sub(X, op.Tanh(X)))


@layer("Tanh", "tanhLayer")
def tanh(x: Shape) -> Facts:
    """Hyperbolic tangent, between -1 and 1."""
    return Facts(output=x, torch=nn.Tanh(), onnx=op.Tanh(X))


@layer("Hardtanh", "clip", "clamp", "clippedReluLayer")
def hardtanh(x: Shape, low: Number = -1.0, high: Number = 1.0) -> Facts:
    """`min(max(x, low), high)`.

    - `low`, `high`: what it is cut at
    """
    if low >= high:
        raise Reject(problems.BadValue("hardtanh", "high", f"above low, which is {show(low)}", show(high)), at="high")
    return Facts(output=x, torch=nn.Hardtanh(low, high), onnx=op.Clip(X, const(low), const(high)))


@layer("Softsign")
def softsign(x: Shape) -> Facts:
    """`x / (1 + |x|)`, between -1 and 1."""
    return Facts(output=x, torch=nn.Softsign(), onnx=op.Softsign(X))


@layer("Sigmoid", "Logistic", "sigmoidLayer")
def sigmoid(x: Shape) -> Facts:
    """Logistic function, `1 / (1 + exp(-x))`, between 0 and 1. At the end of a net it is left to the loss while training."""
    return Facts(output=x, torch=nn.Sigmoid(), onnx=op.Sigmoid(X))


@layer("LogSigmoid", "log_sigmoid")
def logsigmoid(x: Shape) -> Facts:
    """`ln(1 / (1 + exp(-x)))`."""
    return Facts(output=x, torch=nn.LogSigmoid(), onnx=op.Neg(op.Softplus(op.Neg(X))))


@layer("Hardsigmoid", "hard_sigmoid", "h_sigmoid")
def hardsigmoid(x: Shape) -> Facts:
    """`min(max(x + 3, 0), 6) / 6`, a sigmoid made of straight lines, as in MobileNetV3 (Howard et al., 2019). Keras' has another slope."""
    return Facts(output=x, torch=nn.Hardsigmoid(), onnx=op.HardSigmoid(X, alpha=1 / 6, beta=0.5))


@layer("GLU")
def glu(x: Shape, axis: AnyAxis = 0) -> Facts:
    """Gated linear unit: one half of an axis times the sigmoid of the other (Dauphin et al., 2016). `C x L` becomes `C / 2 x L`.

    - `axis`: which one is halved; 0, the channels, if left out, and -1 is the last
    """
    place = axis_of(axis, x)
    if not same(x[place] % 2, 0):
        raise Reject(problems.WrongSizes("glu", x, f"an even size on axis {place}, to halve it", "make it even"), at="axis")
    half = op.Div(sizes(X, place + 1, place + 2), whole((2,)))
    first, second = cut(whole((0,)), half, (place + 1,)), cut(half, whole((END,)), (place + 1,))
    return Facts(output=(*x[:place], x[place] // 2, *x[place + 1 :]), torch=nn.GLU(place + 1), onnx=op.Mul(first, op.Sigmoid(second)))


@layer("Softmax", "Softmax2d", "softmaxLayer")
def softmax(x: Shape, axis: AnyAxis = 0) -> Facts:
    """`exp(x_c) / sum over an axis of exp(x)`: numbers that sum to one. At the end of a net it is left to the loss while training.

    - `axis`: 0, the channels, if left out; -1, the last, as attention over `T x N` needs it
    """
    place = axis_of(axis, x) + 1
    return Facts(output=x, torch=nn.Softmax(place), onnx=op.Softmax(X, axis=place))


@layer("LogSoftmax")
def log_softmax(x: Shape, axis: AnyAxis = 0) -> Facts:
    """The logarithm of `softmax`: `x_c - ln(sum over an axis of exp(x))`.

    - `axis`: 0, the channels, if left out; -1 is the last
    """
    place = axis_of(axis, x) + 1
    return Facts(output=x, torch=nn.LogSoftmax(place), onnx=op.LogSoftmax(X, axis=place))


@layer("Softmin")
def softmin(x: Shape, axis: AnyAxis = 0) -> Facts:
    """`softmax` of `-x`: the smallest number gets the largest share.

    - `axis`: 0, the channels, if left out; -1 is the last
    """
    place = axis_of(axis, x) + 1
    return Facts(output=x, torch=nn.Softmin(place), onnx=op.Softmax(op.Neg(X), axis=place))
