"""Two tensors held against each other: products of matrices, and distances."""

from math import prod
from typing import Annotated

from netspec.diagnostics import problems
from netspec.graph import Facts
from netspec.kinds import AnyAxis, Boolean, OneOf
from netspec.layer import Reject, layer
from netspec.layers._axes import axis_of
from netspec.layers._measured import whole
from netspec.lowering import OnnxCall, OnnxInput, X, const, nn, op
from netspec.shape import Shape, same, show

_OTHER = OnnxInput(1)
_BY_NUMBER = ("l1", "squared")


@layer("MatMul", "Dot", "bmm", "dot_product")
def matmul(x: Shape, other: Shape, transpose: Boolean = False) -> Facts:
    """The product of two matrices, of what flows in with another tensor: `T x N` and `N x M` give `T x M`. Axes before the last two are
    alike, and gone through one by one.

    With it attention can be written out, `queries -> matmul(keys, transpose=true) -> softmax(axis=-1) -> matmul(values)`, and so
    can bilinear pooling, `features -> matmul(features, transpose=true)` (Lin et al., "Bilinear CNN models", 2015).

    - `transpose`: whether the other is turned over first, its last two axes exchanged: `T x N` and `M x N` give `T x M`

    MACs: T x N x M, for each pair of matrices.
    """
    for flowing in (x, other):
        if len(flowing) < 2:
            hint = f"make the vector a matrix of one row, with reshape([1, {flowing[0]}])"
            raise Reject(problems.WrongRank("matmul", flowing, "two matrices", hint))
    turned = (*other[:-2], other[-1], other[-2]) if transpose else other
    if len(x) != len(other) or not same((*x[:-2], x[-1]), (*turned[:-2], turned[-2])):
        raise Reject(problems.MatricesDoNotFit(x, other, transpose))
    axes = tuple(range(len(x) - 1))
    second = op.Transpose(_OTHER, perm=(*axes, len(x), len(x) - 1)) if transpose else _OTHER
    return Facts(
        output=(*x[:-1], turned[-1]),
        macs=prod(x) * turned[-1],
        torch=nn.MatMul(transpose),
        onnx=op.MatMul(X, second),
    )


@layer("PairwiseDistance", "CosineSimilarity", "L1Dist", "cosine_similarity", "pairwise_distance")
def distance(
    x: Shape, other: Shape, kind: Annotated[str, OneOf(("l1", "l2", "cosine", "manhattan", "squared"))], axis: AnyAxis = 0
) -> Facts:
    """How far what flows in, `a`, is from another tensor of equal shape, `b`: `right -> encoder -> distance(left, l1)`.

    The shape stays for `l1` and `squared`, which go number by number. The others give one number along an axis, which stays as an axis of
    1: of two vectors one number.

    - `kind`: `l1` is `|a - b|`; a linear layer behind it weighs the numbers (Koch et al., "Siamese neural networks for one-shot image
      recognition", 2015). `squared` is `(a - b)^2`. `l2` is Euclidean, `sqrt(sum (a - b)^2)` (Hadsell et al., "Dimensionality reduction
      by learning an invariant mapping", 2006). `manhattan` is `sum |a - b|`. `cosine` is `1 - sum a b / (|a| |b|)`: 0 for one direction,
      2 for opposite ones; lengths below 1e-8 count as that
    - `axis`: the one that is summed over, 0, the channels, if left out; -1 is the features of a sequence
    """
    if not same(x, other):
        raise Reject(problems.MergeShapes("distance", (x, other)), inputs={0: f"gives {show(x)}", 1: f"gives {show(other)}"})
    place = axis_of(axis, x)
    return Facts(
        output=x if kind in _BY_NUMBER else (*x[:place], 1, *x[place + 1 :]),
        torch=nn.Distance(kind, place + 1),
        onnx=_distance(kind, place + 1),
    )


def _distance(kind: str, axis: int) -> OnnxCall:
    apart = op.Sub(X, _OTHER)
    along = whole((axis,))
    match kind:
        case "l1":
            return op.Abs(apart)
        case "squared":
            return op.Mul(apart, apart)
        case "manhattan":
            return op.ReduceL1(apart, along)
        case "l2":
            return op.ReduceL2(apart, along)
    lengths = (op.Max(op.ReduceL2(side, along), const(1e-8)) for side in (X, _OTHER))
    return op.Sub(const(1.0), op.Div(op.ReduceSum(op.Mul(X, _OTHER), along), op.Mul(*lengths)))
