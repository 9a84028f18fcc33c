"""Activations: each works on every number by itself, `softmax` on the channels together."""

from typing import Annotated

from netspec.graph import Facts
from netspec.kinds import NotNegative, OneOf
from netspec.layer import layer
from netspec.lowering import X, const, nn, op
from netspec.shape import Shape


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


@layer("GELU")
def gelu(x: Shape, approximate: Annotated[str, OneOf(("none", "tanh"))] = "none") -> Facts:
    """Gaussian error linear unit: `x Phi(x)`, Phi the normal distribution function (Hendrycks and Gimpel, 2016).

    - `approximate`: `none` is exact; `tanh` the paper's approximation
    """
    return Facts(output=x, torch=nn.GELU(approximate), onnx=op.Gelu(X, approximate=approximate))


@layer("SiLU", "Swish")
def silu(x: Shape) -> Facts:
    """`x sigmoid(x)`, also called swish (Elfwing et al., 2017; Ramachandran et al., 2017)."""
    return Facts(output=x, torch=nn.SiLU(), onnx=op.Mul(X, op.Sigmoid(X)))


@layer("Tanh", "tanhLayer")
def tanh(x: Shape) -> Facts:
    """Hyperbolic tangent, between -1 and 1."""
    return Facts(output=x, torch=nn.Tanh(), onnx=op.Tanh(X))


@layer("Sigmoid", "Logistic", "sigmoidLayer")
def sigmoid(x: Shape) -> Facts:
    """Logistic function, `1 / (1 + exp(-x))`, between 0 and 1. At the end of a net it is left to the loss while training."""
    return Facts(output=x, torch=nn.Sigmoid(), onnx=op.Sigmoid(X))


@layer("Softmax", "softmaxLayer")
def softmax(x: Shape) -> Facts:
    """`exp(x_c) / sum over the channels of exp(x)`: numbers that sum to one. At the end of a net it is left to the loss while training."""
    return Facts(output=x, torch=nn.Softmax(1), onnx=op.Softmax(X, axis=1))
