"""Pieces of ONNX that work out sizes and places while the net runs, so that open axes stay open.

Axes are counted as in ONNX, the batch being axis 0.
"""

from collections.abc import Sequence
from typing import Any, Final

from netspec.lowering import OnnxCall, OnnxConstant, OnnxExpression, X, const, op

END: Final = 2**63 - 1
"""Stands for the end of an axis, whatever its size."""


def whole(value: Any) -> OnnxConstant:
    """A constant of whole numbers."""
    return const(value, "int64")


def sizes(of: OnnxExpression, start: int, end: int | None = None) -> OnnxCall:
    """The sizes of the axes from ``start`` to before ``end``, as a list."""
    return op.Shape(of, start=start) if end is None else op.Shape(of, start=start, end=end)


def size(of: OnnxExpression, axis: int) -> OnnxCall:
    """The size of an axis, as a single number."""
    return op.Squeeze(sizes(of, axis, axis + 1))


def counted(n: OnnxExpression) -> OnnxCall:
    """``0, 1, … n - 1``."""
    return op.Range(whole(0), n, whole(1))


def decimal(n: OnnxExpression) -> OnnxCall:
    """Whole numbers as decimal ones."""
    return op.Cast(n, to=1)


def rounded_down(n: OnnxExpression) -> OnnxCall:
    """Decimal numbers as whole ones."""
    return op.Cast(op.Floor(n), to=7)


def divided_up(n: OnnxExpression, by: int) -> OnnxCall:
    """``ceil(n / by)`` of a whole number that is not negative."""
    return op.Div(op.Add(n, whole(by - 1)), whole(by))


def cut(starts: OnnxExpression, ends: OnnxExpression, axes: Sequence[int], of: OnnxExpression = X) -> OnnxCall:
    """From ``starts`` to before ``ends`` on these axes."""
    return op.Slice(of, starts, ends, whole(tuple(axes)))


def column(of: OnnxExpression, axes: int) -> OnnxCall:
    """A list with a number for each channel, so that it stretches over ``axes`` axes behind them."""
    return op.Reshape(of, whole((-1, *(1,) * axes)))


def reordered(order: Sequence[int], axis: int, of: OnnxExpression = X) -> OnnxCall:
    """What stands at ``order`` on an axis."""
    return op.Gather(of, whole(tuple(order)), axis=axis)


def reshaped(first: int, last: int, inner: Sequence[int], rank: int, of: OnnxExpression = X) -> OnnxCall:
    """The axes from ``first`` to ``last`` of ``rank`` become axes of the sizes ``inner``, of which one may be -1."""
    if last == rank - 1:
        return op.Reshape(of, whole((0,) * first + tuple(inner)))
    return op.Reshape(of, op.Concat(sizes(of, 0, first), whole(tuple(inner)), sizes(of, last + 1), axis=0))
