"""Uses of layers with formulas in the place of some sizes, drawn from their signatures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import strategies as st

from netspec.diagnostics.sizes import NeedsSizes, OpenWeights
from netspec.graph import Facts
from netspec.layer import Layer, Reject
from netspec.resolve.opening import Trace
from netspec.shape import Shape
from netspec.sizes import at
from netspec.source import Place, Source, Span

DRAWN_OFTEN = {
    "attention", "class_token", "crop", "cross_attention", "linear", "pixel_shuffle", "pixel_unshuffle", "resize", "squeeze", "unflatten",
    "window_attention", "window_merge",
}  # fmt: skip
"""Layers that reject most of what is drawn."""

HERE = Place(Source("test.net", "net A {}\n"), Span(0, 3))


def open_facts(layer: Layer, opened: tuple[Shape, ...], arguments: Mapping[str, Any], trace: Trace) -> Facts | None:
    """What the rule says of formulas; ``None`` where it rejects the sizes tried, or where open sizes are not for this layer."""
    try:
        with trace.active():
            return trace.infer(layer, opened, arguments, HERE, None)
    except Reject as rejection:
        if isinstance(rejection.problem, NeedsSizes | OpenWeights):
            return None
        with pytest.raises(Reject):
            layer.infer(at(opened, trace.tried), arguments)
        return None


def opened_shapes(data: st.DataObject, shapes: tuple[Shape, ...], trace: Trace) -> tuple[Shape, ...]:
    """The shapes with formulas in the place of some sizes, that come to the same at the sizes tried."""
    names = {axis: data.draw(st.sampled_from(("H", "W", "D", ""))) for axis in range(5)}
    first = names[0] if len(shapes[0]) == 2 and data.draw(st.integers(0, 3)) == 0 else ""
    names[0] = first
    return tuple(tuple(_axis(data, n, names[i], trace) for i, n in enumerate(shape)) for shape in shapes)


def _axis(data: st.DataObject, size: int, name: str, trace: Trace) -> Any:
    if not name:
        return size
    if name not in trace.symbols:
        trace.tried[name] = data.draw(st.sampled_from((size, size, 2 * size, 2 * size + 1, size + 1, max(size - 1, 1))))
    n: Any
    with trace.active():
        n = trace.size(name)
        choices = [n, n - 1, n + 1, n // 2, -(-n // 2), 2 * (n // 2), 2 * n, n - 2, (n - 1) // 2 + 1]
        fitting = [c for c in choices if c.tried == size]
    return data.draw(st.sampled_from(fitting)) if fitting else size
