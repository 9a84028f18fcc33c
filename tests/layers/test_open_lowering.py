"""Every layer with sizes left open, as one module and one ONNX graph for all sizes: both compute the same, whatever comes in."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netspec.backends.onnx import to_model
from netspec.backends.open_inputs import open_sizes_in
from netspec.backends.torch.modules import construct
from netspec.graph import Facts, key_of
from netspec.layer import Layer, layers
from netspec.resolve.opening import Trace
from netspec.shape import Open, Shape, elements
from netspec.sizes import at
from tests.graphs import Builder
from tests.layers.drawing import uses
from tests.layers.opened import DRAWN_OFTEN, open_facts, opened_shapes

EXAMPLES = 25
SIZES = 4
NEEDS_CHANNELS = {"rms_norm"}
"""Layers that need the number of channels in PyTorch, which an image's input cannot leave open."""
LARGEST = 4000
FIXED = {
    "position_embedding": "its weights have the shape of what flows in",
}
"""Layers that work for one size alone, and why."""


@pytest.mark.parametrize("name", sorted(set(layers()) - set(FIXED)))
def test_one_graph_serves_all_sizes(name: str) -> None:
    layer, held = layers()[name], {"runs": 0}

    examples = EXAMPLES * 12 if name in DRAWN_OFTEN | NEEDS_CHANNELS else EXAMPLES

    @settings(max_examples=examples, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def hold(data: st.DataObject) -> None:
        shapes, arguments = data.draw(uses(layer))
        trace = Trace({}, {})
        opened = opened_shapes(data, shapes, trace)
        facts = open_facts(layer, opened, arguments, trace)
        if facts is None or not trace.symbols:
            return
        if name in NEEDS_CHANNELS and isinstance(opened[0][0], Open):
            return
        assert not list(open_sizes_in(facts.torch)), f"{facts.torch} depends on the sizes"
        assert not list(open_sizes_in(facts.onnx)), f"{facts.onnx} depends on the sizes"
        chance = Random(data.draw(st.integers(0, 2**16)))
        session, module = _session(layer, opened, arguments, facts), construct(facts.torch).eval()
        for _ in range(SIZES):
            sizes = {s: chance.randint(1, 14) for s in trace.symbols}
            numbers = at(opened, sizes)
            if min(n for s in numbers for n in s) < 1 or max(map(elements, numbers)) > LARGEST:
                continue
            if any(d.objection(sizes) is not None for d in trace.demands):
                continue
            _agree(session, module, numbers, at(facts.output, sizes))
            held["runs"] += 1

    hold()
    assert held["runs"] >= 3, "hardly anything was run"


def _session(layer: Layer, opened: tuple[Shape, ...], arguments: dict[str, Any], facts: Facts) -> ort.InferenceSession:
    b = Builder()
    sources = [b.input(s, f"in{i}") for i, s in enumerate(opened)]
    b.add(layer.name, *sources, path="it", **arguments)
    assert b.nodes[-1].facts == facts
    module = construct(facts.torch)
    _fill(module)
    model = to_model(b.graph(), {key_of("it", k): v.numpy() for k, v in module.state_dict().items()})
    onnx.checker.check_model(model)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _fill(module: torch.nn.Module) -> None:
    """Weights that are the same each time."""
    chance = torch.Generator().manual_seed(0)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=chance) + (0.5 if name.endswith("var") else -0.5))


def _agree(session: ort.InferenceSession, module: torch.nn.Module, shapes: tuple[Shape, ...], output: Shape) -> None:
    _fill(module)
    chance = np.random.default_rng(0)
    given = [chance.standard_normal((2, *s), dtype=np.float32) for s in shapes]
    with torch.no_grad():
        expected = module(*map(torch.from_numpy, given)).numpy()
    assert expected.shape == (2, *output)
    found = session.run(None, {f"in{i}": x for i, x in enumerate(given)})[0]
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * max(float(np.abs(expected).max(initial=0)), 1e-3))
