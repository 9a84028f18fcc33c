"""Random layers: strategies made from the kinds of a layer's own parameters, so that a new layer is drawn by existing."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import singledispatch
from typing import Any

from hypothesis import strategies as st

from netspec.kinds import Axes, Extent, Factors, Flag, Kind, Numbers, OneOf, Parts, Real, Sides, TargetShape, Whole
from netspec.layer import Layer
from netspec.shape import Shape, elements
from netspec.signature import Parameter
from netspec.values import Size, Word

SMALL = 4


@singledispatch
def values(kind: Kind, shape: Shape) -> st.SearchStrategy[Any]:
    """Values of a kind, as somebody might write them for an input of this shape; now and then one that does not fit it."""
    raise NotImplementedError(f"say in tests/layers/drawing.py how to draw {kind}")


@values.register
def _(kind: Whole, shape: Shape) -> st.SearchStrategy[int]:
    low = max(kind.low, -SMALL)
    few = st.integers(low, min(kind.high, max(low, 0) + SMALL))
    return few | st.sampled_from([n for n in (*shape, 2, 6) if kind.low <= n <= kind.high] or [kind.low])


@values.register
def _(kind: Real, shape: Shape) -> st.SearchStrategy[float]:
    low, high = max(kind.low, -3.0), min(kind.high, 3.0)
    return (
        st.floats(low, high, exclude_min=kind.open_low, width=32)
        .map(lambda x: round(x, 4))
        .filter(lambda x: not (kind.open_low and x <= low))
    )


@values.register
def _(kind: Flag, shape: Shape) -> st.SearchStrategy[bool]:
    return st.booleans()


@values.register
def _(kind: Extent, shape: Shape) -> st.SearchStrategy[Any]:
    number = st.integers(kind.low, SMALL)
    rank = max(len(shape) - 1, 1)
    fitting = st.lists(number, min_size=rank, max_size=rank).map(Size)
    other = st.lists(number, min_size=1, max_size=3).map(Size)
    choices = [number, number, fitting, fitting, fitting, other, *([st.sampled_from(kind.words).map(Word)] if kind.words else [])]
    return st.sampled_from(choices).flatmap(lambda s: s)


@values.register
def _(kind: Sides, shape: Shape) -> st.SearchStrategy[Any]:
    number = st.integers(kind.low, SMALL)
    rank = max(len(shape) - 1, 1)
    by_axis, by_side, other = (st.lists(number, min_size=a, max_size=b).map(tuple) for a, b in ((rank,) * 2, (2 * rank,) * 2, (1, 6)))
    return st.sampled_from([number, number, by_axis, by_side, by_side, other]).flatmap(lambda s: s)


@values.register
def _(kind: Factors, shape: Shape) -> st.SearchStrategy[Any]:
    number = st.sampled_from((1, 2, 2, 3, 4, 0.5, 1.5, 2.5, 0.25, 41))
    rank = max(len(shape) - 1, 1)
    fitting, other = (st.lists(number, min_size=a, max_size=b).map(tuple) for a, b in ((rank, rank), (1, 3)))
    return st.sampled_from([number, number, fitting, other]).flatmap(lambda s: s)


@values.register
def _(kind: Axes, shape: Shape) -> st.SearchStrategy[Any]:
    order = st.permutations(range(len(shape))).map(tuple)
    axis = st.integers(-len(shape) - 1, len(shape))
    return order | axis | st.lists(axis, min_size=1, max_size=len(shape)).map(tuple)


@values.register
def _(kind: Parts, shape: Shape) -> st.SearchStrategy[Any]:
    whole = st.sampled_from(shape)
    cuts = whole.flatmap(lambda n: st.sets(st.integers(1, n)).map(lambda inner: sorted({0, n} | inner)))
    parts = cuts.map(lambda c: tuple(b - a for a, b in itertools.pairwise(c)))
    return parts | parts | st.lists(st.integers(1, SMALL), min_size=1, max_size=3).map(tuple)


@values.register
def _(kind: TargetShape, shape: Shape) -> st.SearchStrategy[Any]:
    fitting = st.sampled_from((elements(shape), *shape)).flatmap(_factors)
    other = st.lists(st.integers(1, SMALL), min_size=1, max_size=3).map(tuple)
    chosen = st.sampled_from((fitting, fitting, fitting, other)).flatmap(lambda s: s)
    left = st.tuples(chosen, st.integers(0, 4)).map(lambda t: tuple(-1 if i == t[1] else n for i, n in enumerate(t[0])))
    return chosen | left


@st.composite
def _factors(draw: Any, n: int) -> tuple[int, ...]:
    """A number as a product of one to four numbers."""
    found: list[int] = []
    for _ in range(draw(st.integers(0, 3))):
        found.append(draw(st.sampled_from([d for d in range(1, n + 1) if n % d == 0])))
        n //= found[-1]
    return (*found, n)


@values.register
def _(kind: OneOf, shape: Shape) -> st.SearchStrategy[Word]:
    return st.sampled_from(kind.words).map(Word)


@values.register
def _(kind: Numbers, shape: Shape) -> st.SearchStrategy[Any]:
    number = st.floats(0.25, 3, width=32).map(lambda x: round(x, 4))
    fitting = st.lists(number, min_size=shape[0], max_size=shape[0]).map(tuple)
    other = st.lists(number, min_size=1, max_size=3).map(tuple)
    choices = [number, fitting, fitting, other, *([st.sampled_from(kind.words).map(Word)] if kind.words else [])]
    return st.sampled_from(choices).flatmap(lambda s: s)


def shapes() -> st.SearchStrategy[Shape]:
    """Shapes without a batch: a vector, or channels and one to three axes in space."""
    channels = st.sampled_from((1, 2, 3, 4, 6))
    return st.integers(0, 3).flatmap(
        lambda rank: st.tuples(channels, *[st.integers(1, 11 if rank < 3 else 6)] * rank).map(lambda s: tuple(map(int, s)))
    )


def _sizes(*of: tuple[int, ...]) -> st.SearchStrategy[Shape]:
    return st.tuples(*map(st.sampled_from, of))


_FEW = (1, 2, 3, 4, 6)
LIKELY: Mapping[str, list[st.SearchStrategy[Shape]]] = {
    "attention": [_sizes(_FEW, _FEW), _sizes(_FEW, _FEW, _FEW, _FEW)],
    "cross_attention": [_sizes(_FEW, _FEW)],
    "window_partition": [_sizes(_FEW, (2, 4, 6, 12), (3, 4, 6, 12))],
    "window_merge": [_sizes((1, 2, 3), (1, 2, 3), (1, 4, 6, 9), _FEW)] * 3,
    "class_token": [_sizes(_FEW, _FEW)],
    "window_attention": [_sizes((1, 4, 5, 7), (2, 3, 6, 9), (1, 2, 4, 6))],
}
"""Shapes that fit layers for which hardly any other does; half of those that are drawn are others all the same."""


@st.composite
def inputs(draw: Any, layer: Layer) -> tuple[Shape, ...]:
    """Shapes of what flows in; for a merge those of one to four branches that agree more often than not."""
    first = draw(shapes() | st.one_of(LIKELY[layer.name]) if layer.name in LIKELY else shapes())
    count = draw(st.sampled_from((1, 2, 2, 2, 3, 4))) if layer.is_merge else layer.signature.tensors
    others = st.one_of(st.just(first), _changed(first))
    return (first, *(draw(others) for _ in range(count - 1)))


@st.composite
def _changed(draw: Any, shape: Shape) -> Shape:
    axis = draw(st.integers(0, len(shape) - 1))
    size = draw(st.sampled_from((1, 2, 3)))
    return draw(st.sampled_from(((*shape[:axis], size, *shape[axis + 1 :]), (shape[0], *[1] * (len(shape) - 1)), (*shape, 1))))


@st.composite
def uses(draw: Any, layer: Layer) -> tuple[tuple[Shape, ...], dict[str, Any]]:
    """One use of a layer: the shapes that flow in and its arguments, complete with defaults."""
    flowing = draw(inputs(layer))
    return flowing, draw(arguments(layer, flowing[0]))


def arguments(layer: Layer, shape: Shape) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments for a layer into which this shape flows, complete with defaults, in the order of its declaration."""
    parameters = layer.signature.parameters
    return st.tuples(*(_argument(p, shape) for p in parameters)).map(
        lambda found: {p.name: v for p, v in zip(parameters, found, strict=True)}
    )


def _argument(parameter: Parameter, shape: Shape) -> st.SearchStrategy[Any]:
    drawn = values(parameter.kind, shape).map(parameter.kind.accept)
    if parameter.required:
        return drawn
    return st.booleans().flatmap(lambda written: drawn if written else st.just(parameter.default))
