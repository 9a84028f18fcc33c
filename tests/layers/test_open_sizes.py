"""Every layer with sizes left open: what its rule says in formulas is what it says in numbers, for sizes that were not tried."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netspec.diagnostics.sizes import NeedsSizes, OpenWeights
from netspec.graph import Facts
from netspec.layer import Layer, Reject, layers
from netspec.resolve.opening import Trace
from netspec.shape import Shape
from netspec.sizes import at
from netspec.source import Place, Source, Span
from tests.layers.drawing import uses

EXAMPLES = 60
SIZES = 30
HERE = Place(Source("test.net", "net A {}\n"), Span(0, 3))


@pytest.mark.parametrize("name", sorted(layers()))
def test_formulas_are_what_the_rule_says_of_numbers(name: str) -> None:
    layer, held = layers()[name], {"formulas": 0, "accepted": 0, "refused": 0}

    @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def hold(data: st.DataObject) -> None:
        shapes, arguments = data.draw(uses(layer))
        trace = Trace({}, {})
        opened = _opened(data, shapes, trace)
        tried = dict(trace.tried)
        facts = _open_facts(layer, opened, arguments, trace)
        if facts is None:
            return
        held["formulas"] += bool(trace.symbols)
        assert at(facts.output, tried) == layer.infer(shapes, arguments).output
        chance = Random(data.draw(st.integers(0, 2**16)))
        for _ in range(SIZES):
            sizes = {s: chance.randint(1, 40) if chance.random() < 0.5 else chance.randint(1, 8) for s in trace.symbols}
            numbers = at(opened, sizes)
            if min(n for shape in numbers for n in shape) < 1:
                continue
            wrong = next((o for d in trace.demands if (o := d.objection(sizes)) is not None), None)
            try:
                plain = layer.infer(numbers, arguments)
            except Reject as rejection:
                assert wrong is not None, f"{numbers} is rejected: {rejection.problem.message()}"
                held["refused"] += 1
                continue
            if wrong is not None:
                assert wrong.another, f"{numbers} is accepted, and refused from {opened}: {wrong}"
                assert _is_another(facts, plain, sizes), f"{numbers} makes the net that {opened} makes, and is refused"
                continue
            assert at((facts.output, facts.macs), sizes) == (plain.output, plain.macs)
            assert facts.weights == plain.weights
            held["accepted"] += bool(trace.symbols)

    hold()
    assert held["formulas"] >= 5 and held["accepted"] >= 50, f"hardly anything was held: {held}"


def _is_another(facts: Facts, plain: Facts, sizes: dict[str, int]) -> bool:
    """Whether the numbers make something that the formulas do not describe, as `squeeze` does of an axis that happens to be 1."""
    return at((facts.output, facts.macs), sizes) != (plain.output, plain.macs) or facts.torch != plain.torch


def _open_facts(layer: Layer, opened: tuple[Shape, ...], arguments: dict[str, Any], trace: Trace) -> Any:
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


def _opened(data: st.DataObject, shapes: tuple[Shape, ...], trace: Trace) -> tuple[Shape, ...]:
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
