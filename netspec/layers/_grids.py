"""Resampling in ONNX, worked out so that the numbers are PyTorch's.

PyTorch finds the points of the old grid in float32, which at the far side of a large picture is about a ten-thousandth of a point off;
onnxruntime's own ``Resize`` is off by another one. So where a size is asked for, the places are computed here as PyTorch does it.
"""

from collections.abc import Callable
from fractions import Fraction
from struct import pack, unpack
from typing import Final

from netspec.layers import _measured as measured
from netspec.lowering import OnnxCall, OnnxExpression, X, const, op
from netspec.shape import Shape

_MODES: Final = {"bilinear": "linear", "bicubic": "cubic"}
_DOUBLE: Final = 11


def fitted(wanted: Shape, fit: str) -> OnnxExpression:
    """Height and width of a picture that keeps its proportion and covers ``wanted`` (``shorter``), or is covered by it (``longer``)."""
    space = measured.sizes(X, 2)
    sides = op.Div(op.Mul(op.Unsqueeze(space, measured.whole((1,))), measured.whole(wanted)), space)
    if fit == "shorter":
        return op.ReduceMax(sides, measured.whole((1,)), keepdims=0)
    return op.Max(op.ReduceMin(sides, measured.whole((1,)), keepdims=0), measured.whole(1))


def by_factors(factors: tuple[float, ...], mode: str, corners: bool) -> OnnxExpression:
    """Resampling by factors."""
    scales = const((1.0, 1.0, *factors))
    if mode != "nearest":
        points = "align_corners" if corners else "half_pixel"
        return op.Resize(X, None, scales, mode=_MODES[mode], coordinate_transformation_mode=points)
    if all(f.is_integer() and _comes_back(f) for f in factors):
        return op.Resize(X, None, scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    value: OnnxExpression = X
    for axis, f in enumerate(factors, 2):
        n, d = Fraction(f).as_integer_ratio()
        size = op.Div(op.Mul(measured.size(X, axis), measured.whole(n)), measured.whole(d))
        value = _nearest(value, axis, size, const(1 / f))
    return value


def _comes_back(factor: float) -> bool:
    """Whether ``factor (1 / factor)`` is 1 in float32: PyTorch finds the nearest point with such a product, and ONNX with a division."""
    inverse = unpack("f", pack("f", 1 / factor))[0]
    return bool(unpack("f", pack("f", factor * inverse))[0] == 1)


def to_size(sizes: OnnxExpression, rank: int, mode: str, corners: bool) -> OnnxExpression:
    """Resampling to a size, which may be known only while the net runs: axis after axis."""
    value: OnnxExpression = X
    for axis in range(2, 2 + rank):
        size = op.Gather(sizes, measured.whole(axis - 2))
        step = _step(axis, size)
        if mode == "nearest":
            value = _nearest(value, axis, size, step)
        else:
            places = _at_corners(axis, size) if corners else _at_centres(size, step)
            value = _between(value, axis, places, mode, 2 + rank)
    return value


def _step(axis: int, size: OnnxExpression) -> OnnxCall:
    """How many points of an axis come to one new point."""
    return op.Div(measured.decimal(measured.size(X, axis)), measured.decimal(size))


def _nearest(value: OnnxExpression, axis: int, size: OnnxExpression, step: OnnxExpression) -> OnnxCall:
    """Point ``floor(i step)`` of an axis for every point i."""
    places = measured.rounded_down(op.Mul(measured.decimal(measured.counted(size)), step))
    return op.Gather(value, op.Min(places, _last(axis)), axis=axis)


def _last(axis: int) -> OnnxCall:
    return op.Sub(measured.size(X, axis), measured.whole(1))


def _at_centres(size: OnnxExpression, step: OnnxExpression) -> OnnxCall:
    """``step (i + 1/2) - 1/2`` of every point i, rounded once, as processors multiply and add."""
    middles = op.Add(measured.decimal(measured.counted(size)), const(0.5))
    exact = op.Mul(op.Cast(step, to=_DOUBLE), op.Cast(middles, to=_DOUBLE))
    return measured.decimal(op.Sub(exact, const(0.5, "float64")))


def _at_corners(axis: int, size: OnnxExpression) -> OnnxCall:
    """``i (n - 1) / (size - 1)`` of every point i."""
    gaps = measured.decimal(op.Max(op.Sub(size, measured.whole(1)), measured.whole(1)))
    return op.Mul(measured.decimal(measured.counted(size)), op.Div(measured.decimal(_last(axis)), gaps))


def _between(value: OnnxExpression, axis: int, places: OnnxExpression, mode: str, axes: int) -> OnnxExpression:
    """The points around each place, each as much as the mode's curve has at its distance; beside the data its outermost points go on."""
    if mode == "bilinear":
        places = op.Relu(places)
    first = op.Floor(places)
    behind = op.Sub(places, first)
    column = measured.whole((-1,) + (1,) * (axes - 1 - axis))
    total: OnnxExpression | None = None
    for tap in (0, 1) if mode == "bilinear" else (-1, 0, 1, 2):
        point = op.Clip(op.Add(op.Cast(first, to=7), measured.whole(tap)), measured.whole(0), _last(axis))
        share = _curve(mode, -0.75)(op.Abs(op.Sub(behind, const(float(tap)))))
        part = op.Mul(op.Gather(value, point, axis=axis), op.Reshape(share, column))
        total = part if total is None else op.Add(total, part)
    assert total is not None
    return total


def smoothed(sizes: OnnxExpression, mode: str) -> OnnxExpression:
    """A product with a matrix for each axis: onnxruntime's own antialiasing gives other numbers than Pillow and PyTorch do."""
    rows, columns = (_weights(axis, op.Gather(sizes, measured.whole(axis - 2)), mode) for axis in (2, 3))
    return op.MatMul(op.MatMul(rows, X), op.Transpose(columns, perm=(1, 0)))


def _weights(axis: int, size: OnnxExpression, mode: str) -> OnnxCall:
    """How much each point of an axis counts for each new one: the mode's curve over their distance, its sum made 1. Of a coarser grid the
    curve is as wide as its step."""
    step = _step(axis, size)
    wide = op.Max(step, const(1.0))
    middles = op.Mul(step, op.Add(measured.decimal(measured.counted(size)), const(0.5)))
    centres = op.Unsqueeze(middles, measured.whole((1,)))
    places = measured.counted(measured.size(X, axis))
    distances = op.Mul(op.Add(op.Sub(measured.decimal(places), centres), const(0.5)), op.Reciprocal(wide))
    reach = op.Mul(wide, const(1.0 if mode == "bilinear" else 2.0))
    first, behind = _beginning(op.Sub(centres, reach)), _beginning(op.Add(centres, reach))
    near = op.And(op.GreaterOrEqual(places, first), op.Less(places, behind))
    shares = op.Where(near, _curve(mode, -0.5)(op.Abs(distances)), const(0.0))
    return op.Div(shares, op.ReduceSum(shares, measured.whole((1,)), keepdims=1))


def _beginning(edge: OnnxExpression) -> OnnxCall:
    """The first point whose middle is not before an edge. It is said beside the curve, which is as good as 0 there: rounding alone decides
    about a point that lies on the edge, and must do so as in PyTorch."""
    return op.Cast(op.Add(op.Cast(edge, to=_DOUBLE), const(0.5, "float64")), to=7)


def _curve(mode: str, a: float) -> Callable[[OnnxExpression], OnnxCall]:
    """How much a point counts at a distance: ``1 - t``, cut off at 0, or Keys's cubic (1981) for this ``a``."""
    return (lambda t: op.Relu(op.Sub(const(1.0), t))) if mode == "bilinear" else (lambda t: _cubic(t, a))


def _cubic(t: OnnxExpression, a: float) -> OnnxCall:
    """``((a + 2) t - (a + 3)) t^2 + 1`` to 1, ``((a t - 5 a) t + 8 a) t - 4 a`` to 2, then 0."""
    near, far = (_polynomial(t, *c) for c in ((a + 2, -(a + 3), 0.0, 1.0), (a, -5 * a, 8 * a, -4 * a)))
    return op.Where(op.Less(t, const(1.0)), near, op.Where(op.Less(t, const(2.0)), far, const(0.0)))


def _polynomial(t: OnnxExpression, first: float, *others: float) -> OnnxExpression:
    value: OnnxExpression = const(first)
    for coefficient in others:
        value = op.Add(op.Mul(value, t), const(coefficient))
    return value
