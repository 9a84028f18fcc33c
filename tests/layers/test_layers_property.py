"""Every layer that is declared, and every one that will be, against PyTorch and onnxruntime.

Uses are drawn from the layer's signature. Where the rule accepts one, PyTorch's module must have the same output shape, weights and
FLOPs, and onnxruntime must compute the same numbers. Where the rule rejects one, PyTorch must refuse it as well, or the case must be
one of :data:`DELIBERATE`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from netspec.backends.onnx import to_model
from netspec.backends.torch.modules import construct
from netspec.diagnostics import shapes as problems
from netspec.graph import Facts, key_of
from netspec.layer import Layer, Reject, layers
from netspec.lowering import TorchCall
from netspec.shape import Shape
from tests.graphs import Builder
from tests.layers import convolving, reshaping, sequences
from tests.layers.drawing import uses

EXAMPLES = 120
DRAWN_OFTEN = {
    "conv": 1000,
    "depthwise_conv": 300,
    "conv_transpose": 1000,
    "maxpool": 2000,
    "avgpool": 1000,
    "adaptive_avgpool": 200,
    **reshaping.DRAWN_OFTEN,
} | sequences.DRAWN_OFTEN

Call = Callable[[], Any]

DELIBERATE: dict[type[problems.Problem], str] = {
    problems.MergeOfOne: "a merge of one tensor does nothing, and is a branch forgotten",
    problems.ValuesPerChannel: "PyTorch has no such layer; a list of another length would be stretched over the wrong axis",
    problems.MergeShapes: "PyTorch stretches axes of 1 in a sum; in a net that is a mistake",
    problems.WindowInPadding: "PyTorch gives minus infinity and onnxruntime its largest negative number",
    problems.ExtentCount: "checked by the number of axes, which PyTorch does only when it runs",
}
"""What a rule rejects although PyTorch does it, and why."""


def test_every_deliberate_exception_has_a_reason() -> None:
    assert all(DELIBERATE.values())


@pytest.mark.parametrize("name", sorted(layers()))
def test_layer_agrees_with_pytorch_and_onnxruntime(name: str) -> None:
    layer, seen = layers()[name], {"accepted": 0}

    @settings(
        max_examples=DRAWN_OFTEN.get(name, EXAMPLES),
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def hold(data: st.DataObject) -> None:
        shapes, arguments = data.draw(uses(layer))
        try:
            facts = layer.infer(shapes, arguments)
        except Reject as rejection:
            _pytorch_refuses(layer, shapes, arguments, rejection)
            return
        seen["accepted"] += 1
        _agrees_with_pytorch(facts, shapes)
        _agrees_with_onnxruntime(layer, facts, shapes, arguments)

    hold()
    assert seen["accepted"] >= 20, "hardly any use was accepted: nothing was tested"


def _agrees_with_pytorch(facts: Facts, shapes: tuple[Shape, ...]) -> None:
    module = construct(facts.torch, meta=True).to("meta").eval()
    state = {k: (tuple(v.shape), str(v.dtype)) for k, v in module.state_dict().items()}
    assert list(state.items()) == [(k, (w.shape, f"torch.{w.dtype}")) for k, w in facts.weights.items()]
    assert {n for n, _ in module.named_parameters()} == {n for n, w in facts.weights.items() if w.parameter}
    assert sum(p.numel() for p in module.parameters()) == facts.parameters
    with FlopCounterMode(display=False) as counter:
        result = module(*[torch.empty(2, *s, device="meta") for s in shapes])
    assert tuple(result.shape) == (2, *facts.output)
    assert counter.get_total_flops() == 2 * 2 * facts.macs


def _agrees_with_onnxruntime(layer: Layer, facts: Facts, shapes: tuple[Shape, ...], arguments: Mapping[str, Any]) -> None:
    chance = np.random.default_rng(0)
    module = construct(facts.torch).eval()
    weights = {name: _weight(name, w.shape, w.dtype, chance) for name, w in facts.weights.items()}
    weights |= {name: tensor.numpy() for name, tensor in module.state_dict().items() if not tensor.is_floating_point()}
    given = [chance.standard_normal((2, *s), dtype=np.float32) for s in shapes]
    module.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
    with torch.no_grad():
        expected = module(*map(torch.from_numpy, given)).numpy()
    found = _onnx(layer, shapes, arguments, weights, given)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * max(float(np.abs(expected).max(initial=0)), 1e-3))


def _onnx(layer: Layer, shapes: tuple[Shape, ...], arguments: Mapping[str, Any], weights: Mapping[str, Any], given: list[Any]) -> Any:
    b = Builder()
    sources = [b.input(s, f"in{i}") for i, s in enumerate(shapes)]
    b.add(layer.name, *sources, path="it", **arguments)
    model = to_model(b.graph(), {key_of("it", k): v for k, v in weights.items()})
    onnx.checker.check_model(model)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {f"in{i}": x for i, x in enumerate(given)})[0]


def _weight(name: str, shape: Shape, dtype: str, chance: np.random.Generator) -> Any:
    if name.endswith("var"):
        return chance.uniform(0.5, 2.0, shape).astype(dtype)
    return np.asarray(chance.standard_normal(shape)).astype(dtype)


def _pytorch_refuses(layer: Layer, shapes: tuple[Shape, ...], arguments: Mapping[str, Any], rejection: Reject) -> None:
    if type(rejection.problem) in DELIBERATE:
        return
    attempt = ATTEMPTS.get(layer.name)
    assert attempt is not None, f"say in ATTEMPTS what PyTorch is asked for where `{layer.name}` rejects"
    call = attempt(shapes, arguments)
    if call is None:
        return
    with pytest.raises((RuntimeError, ValueError, IndexError, AssertionError)):
        for device in ("meta", "cpu"):  # what is asked for without memory is not looked at as closely
            result = construct(call, meta=device == "meta")(*[torch.empty(2, *s, device=device) for s in shapes])
            assert result.numel(), "PyTorch gives a tensor without numbers, which is no answer"


def _of_rank(family: str, shape: Shape, *args: Any, **kwargs: Any) -> TorchCall | None:
    """The member of a family of modules for this many axes; ``None`` where there is none, which is a refusal too."""
    return TorchCall(f"{family}{len(shape) - 1}d", args, kwargs) if 2 <= len(shape) <= 4 else None


def _maxpool(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
    return _of_rank("MaxPool", shapes[0], a["kernel"], a["stride"], a["padding"], a["dilation"], ceil_mode=a["ceil_mode"])


def _avgpool(shapes: tuple[Shape, ...], a: Mapping[str, Any]) -> TorchCall | None:
    return _of_rank("AvgPool", shapes[0], a["kernel"], a["stride"], a["padding"], a["ceil_mode"])


ATTEMPTS: Mapping[str, Callable[[tuple[Shape, ...], Mapping[str, Any]], TorchCall | None]] = {
    **convolving.ATTEMPTS,
    "maxpool": _maxpool,
    "avgpool": _avgpool,
    **reshaping.ATTEMPTS,
    **sequences.ATTEMPTS,
    "global_avgpool": lambda shapes, a: _of_rank("AdaptiveAvgPool", shapes[0], 1),
    "adaptive_avgpool": lambda shapes, a: _of_rank("AdaptiveAvgPool", shapes[0], a["size"]),
    "concat": lambda shapes, a: TorchCall("Concat", (a["axis"] + 1,), {}),
    "normalize": lambda shapes, a: None,
}
"""What PyTorch is asked for where a rule rejects. ``None``: a deliberate exception — `linear` on images is a forgotten `flatten`, and
`normalize` is ours."""
