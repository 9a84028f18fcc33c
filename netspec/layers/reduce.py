"""Reductions: an axis becomes one number."""

from typing import Annotated

from netspec.diagnostics import problems
from netspec.graph import Facts
from netspec.kinds import Axes, Boolean
from netspec.layer import Reject, layer
from netspec.layers import _measured as measured
from netspec.layers._axes import axis_of
from netspec.lowering import X, nn, op
from netspec.shape import Shape

Over = Annotated[tuple[int, ...], Axes()]


@layer("ReduceMean")
def reduce_mean(x: Shape, axis: Over, keep: Boolean = False) -> Facts:
    """The mean over an axis, or over several: with `reduce_mean([1, 2])` a `C x H x W` becomes a vector of C, and with `reduce_mean(0)` a
    sequence of `T x N` a vector of N.

    - `axis`: the axis, or a list of them
    - `keep`: whether it stays as an axis of 1
    """
    return _reduced("mean", x, axis, keep)


@layer("ReduceSum")
def reduce_sum(x: Shape, axis: Over, keep: Boolean = False) -> Facts:
    """The sum over an axis, or over several.

    - `axis`: the axis, or a list of them
    - `keep`: whether it stays as an axis of 1
    """
    return _reduced("sum", x, axis, keep)


@layer("ReduceMax", "amax")
def reduce_max(x: Shape, axis: Over, keep: Boolean = False) -> Facts:
    """The largest number along an axis, or along several.

    - `axis`: the axis, or a list of them
    - `keep`: whether it stays as an axis of 1
    """
    return _reduced("max", x, axis, keep)


def _reduced(kind: str, x: Shape, axis: tuple[int, ...], keep: bool) -> Facts:
    axes = tuple(axis_of(a, x) for a in axis)
    if len(set(axes)) < len(axes):
        must = "different axes"
        raise Reject(problems.BadValue(f"reduce_{kind}", "axis", must, ", ".join(map(str, axis))), at="axis")
    if len(axes) == len(x) and not keep:
        raise Reject(problems.WrongRank(f"reduce_{kind}", x, "an axis that is left", "write keep=true, for axes of 1"), at="axis")
    places = tuple(a + 1 for a in axes)
    reduction = {"mean": op.ReduceMean, "sum": op.ReduceSum, "max": op.ReduceMax}[kind]
    return Facts(
        output=tuple(1 if i in axes else n for i, n in enumerate(x) if keep or i not in axes),
        torch=nn.Reduce(kind, places, keep),
        onnx=reduction(X, measured.whole(places), keepdims=int(keep)),
    )
