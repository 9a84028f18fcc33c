"""Fully connected layers."""

from typing import Annotated

from netspec.diagnostics import problems
from netspec.graph import Facts, Weight
from netspec.kinds import Boolean, Count, OneOf
from netspec.layer import Reject, layer
from netspec.layers._sequences import mapped
from netspec.lowering import OnnxCall, W, X, nn, op
from netspec.shape import Shape, elements


@layer("Dense", "Linear", "FullyConnected", "fc", "InnerProduct", "LazyLinear", "fullyConnectedLayer")
def linear(x: Shape, features: Count, bias: Boolean = True, over: Annotated[str, OneOf(("last",))] | None = None) -> Facts:
    """Fully connected layer: `y = W x + b`.

    A vector of N becomes a vector of `features`; of `T x N`, a sequence of vectors, each is mapped by the same weights.

    - `features`: how many numbers it makes
    - `bias`: whether `b` is added
    - `over`: `last` maps the last axis of whatever flows in. Of more than two axes it has to be said, as mostly a `flatten` is forgotten

    Weights: `weight` (features, N), `bias` (features). MACs: N x features, for each vector.
    """
    if len(x) > 2 and over is None:
        pooled = "" if elements(x) == x[0] else f", or global_avgpool -> flatten, for {x[0]:,}"
        hint = f"write flatten before it, for {elements(x):,} inputs{pooled}"
        raise Reject(problems.WrongRank("linear", x, "a vector (or a sequence of vectors)", hint))
    weights = {"weight": Weight((features, x[-1]))}
    if bias:
        weights["bias"] = Weight((features,))
    return Facts(
        output=(*x[:-1], features),
        weights=weights,
        macs=elements(x) * features,
        torch=nn.Linear(x[-1], features, bias),
        onnx=_gemm(bias) if len(x) == 1 else mapped(X, bias),
    )


def _gemm(bias: bool) -> OnnxCall:
    return op.Gemm(X, W("weight"), *([W("bias")] if bias else []), transB=1)
