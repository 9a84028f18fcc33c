"""Every layer with sizes left open: what its rule says in formulas is what it says in numbers, for sizes that were not tried."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netspec.graph import Facts
from netspec.layer import Reject, layers
from netspec.resolve.opening import Trace
from netspec.sizes import at
from tests.layers.drawing import uses
from tests.layers.opened import DRAWN_OFTEN, open_facts, opened_shapes

EXAMPLES = 60
NEVER_OPEN = {"position_embedding": "its weights have the shape of what flows in"}
SIZES = 30


@pytest.mark.parametrize("name", sorted(layers()))
def test_formulas_are_what_the_rule_says_of_numbers(name: str) -> None:
    layer, held = layers()[name], {"formulas": 0, "accepted": 0, "refused": 0}

    examples = EXAMPLES * 8 if name in DRAWN_OFTEN else EXAMPLES

    @settings(max_examples=examples, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def hold(data: st.DataObject) -> None:
        shapes, arguments = data.draw(uses(layer))
        trace = Trace({}, {})
        opened = opened_shapes(data, shapes, trace)
        tried = dict(trace.tried)
        facts = open_facts(layer, opened, arguments, trace)
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
    assert name in NEVER_OPEN or (held["formulas"] >= 5 and held["accepted"] >= 20), f"hardly anything was held: {held}"


def _is_another(facts: Facts, plain: Facts, sizes: dict[str, int]) -> bool:
    """Whether the numbers make something that the formulas do not describe, as `squeeze` does of an axis that happens to be 1."""
    return at((facts.output, facts.macs), sizes) != (plain.output, plain.macs) or facts.torch != plain.torch
