"""Activations that look at several numbers together: what they give along an axis is a distribution."""

from netspec.graph import Facts
from netspec.kinds import AnyAxis
from netspec.layer import layer
from netspec.layers._axes import axis_of
from netspec.lowering import X, nn, op
from netspec.shape import Shape


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
