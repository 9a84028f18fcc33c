"""Sequences, windows and comparisons against what others have written: torch.nn, torchvision, and their formulas in numpy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from netspec.backends.onnx import open_session, to_model
from netspec.backends.torch import CompiledNet, build
from netspec.graph import Graph
from netspec.layer import layers
from netspec.resolve.opening import Trace
from netspec.shape import Shape
from netspec.sizes import at
from netspec.source import Place, Source, Span
from tests.graphs import Builder, complete
from tests.zoo.peer import models

ShiftedWindowAttention = models.swin_transformer.ShiftedWindowAttention


def graph_of(layer: str, *shapes: Shape, **arguments: Any) -> Graph:
    b = Builder()
    b.add(layer, *(b.input(s, f"in{i}") for i, s in enumerate(shapes)), path="it", **arguments)
    return b.graph()


def net_of(layer: str, *shapes: Shape, **arguments: Any) -> CompiledNet:
    return build(graph_of(layer, *shapes, **arguments))


def given(*shapes: Shape) -> list[Tensor]:
    chance = torch.Generator().manual_seed(0)
    return [torch.randn(2, *s, generator=chance) for s in shapes]


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"it.{key}": tensor for key, tensor in state.items()}


def shaken(module: nn.Module) -> nn.Module:
    """The module with random numbers also where it begins with zeros."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.4)
    return module


def assert_same(ours: nn.Module, theirs: Any, inputs: list[Tensor]) -> None:
    """Equal outputs, and equal gradients of inputs and weights."""
    found = []
    for module in (ours, theirs):
        leaves = [x.clone().requires_grad_() for x in inputs]
        result = module(*leaves)
        gradients = torch.autograd.grad(result.square().sum(), [*leaves, *dict(sorted(module_parameters(module).items())).values()])
        found.append([result, *gradients])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * max(1.0, float(other.detach().abs().max())))


def module_parameters(module: Any) -> dict[str, Tensor]:
    return {name.removeprefix("it."): p for name, p in module.named_parameters()}


class OfTorch(nn.Module):
    """torch.nn's attention with one output, under its own names."""

    def __init__(self, inner: nn.MultiheadAttention) -> None:
        super().__init__()
        self.it = inner

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        memory = x if memory is None else memory
        return self.it(x, memory, memory, need_weights=False)[0]


# --- attention ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("train", [True, False])
def test_self_attention_is_torchs(bias: bool, train: bool) -> None:
    theirs = OfTorch(shaken(nn.MultiheadAttention(12, 3, bias=bias, batch_first=True))).train(train)
    ours = net_of("attention", (7, 12), heads=3, bias=bias).train(train)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict(), strict=True)
    assert_same(ours, theirs, given((7, 12)))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("wide", [12, 5])
def test_cross_attention_is_torchs(bias: bool, wide: int) -> None:
    theirs = OfTorch(shaken(nn.MultiheadAttention(12, 4, bias=bias, kdim=wide, vdim=wide, batch_first=True)))
    ours = net_of("cross_attention", (7, 12), (3, wide), heads=4, bias=bias)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict(), strict=True)
    assert_same(ours, theirs, given((7, 12), (3, wide)))


def test_evaluation_computes_the_numbers_of_training() -> None:
    net = net_of("attention", (50, 24), heads=4)
    x = given((50, 24))[0]
    trained = net.train()(x)
    for inference in (False, True):
        with torch.inference_mode(inference):
            assert torch.equal(net.eval()(x), trained)


def test_dropout_of_attention_is_for_training_alone() -> None:
    for layer, shapes in (("attention", [(9, 8)]), ("cross_attention", [(9, 8), (4, 8)]), ("window_attention", [(4, 4, 8)])):
        more = {"window": 2} if layer == "window_attention" else {}
        net, inputs = net_of(layer, *shapes, heads=2, dropout=0.5, **more), given(*shapes)
        assert torch.equal(net.eval()(*inputs), net(*inputs))
        assert not torch.equal(net.train()(*inputs), net(*inputs))
        net.freeze({"it"})
        assert torch.equal(net(*inputs), net.eval()(*inputs))


def test_windows_are_gone_through_one_by_one() -> None:
    windows, flat = net_of("attention", (2, 3, 5, 8), heads=2), net_of("attention", (5, 8), heads=2)
    flat.load_state_dict(windows.state_dict())
    (x,) = given((2, 3, 5, 8))
    torch.testing.assert_close(windows(x), flat(x.reshape(12, 5, 8)).reshape(x.shape))


# --- windows ------------------------------------------------------------------------------------------------------------------------

SWIN = [
    ((8, 8, 12), 3, (4, 4), (0, 0)),
    ((8, 8, 12), 3, (4, 4), (2, 2)),
    ((9, 14, 8), 2, (4, 7), (2, 3)),  # padded both ways
    ((4, 10, 8), 2, (4, 4), (2, 2)),  # one window high: not moved that way
    ((3, 3, 6), 1, (7, 7), (3, 3)),
    ((8, 8, 4), 2, (4, 2), (3, 0)),
    ((6, 6, 4), 4, (2, 3), (1, 2)),
    ((5, 7, 4), 2, (1, 2), (0, 1)),
]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("shape", "heads", "window", "shift"), SWIN)
def test_window_attention_is_torchvisions(shape: Shape, heads: int, window: Shape, shift: Shape, bias: bool) -> None:
    theirs = shaken(ShiftedWindowAttention(shape[-1], list(window), list(shift), heads, qkv_bias=bias, proj_bias=bias))
    graph = graph_of("window_attention", shape, heads=heads, window=window, shift=shift, bias=bias)
    ours = build(graph)
    state = renamed(theirs.state_dict())
    assert list(ours.state_dict()) == list(state)
    assert torch.equal(ours.state_dict()["it.relative_position_index"], state["it.relative_position_index"])
    ours.load_state_dict(state, strict=True)
    assert_same(ours, theirs, given(shape))
    with FlopCounterMode(display=False) as counter:
        theirs(given(shape)[0][:1])
    assert counter.get_total_flops() == 2 * graph.macs
    assert build(graph, ours.state_dict())(*given(shape)).isfinite().all()
    (x,) = given(shape)
    for optimise in (False, True):
        model = to_model(graph, {k: v.numpy() for k, v in state.items()}).SerializeToString()
        (found,) = open_session(model, optimise=optimise).run(None, {"in0": x.numpy()})
        torch.testing.assert_close(torch.from_numpy(found), theirs(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("shape", "window"), [((3, 6, 8), (3, 4)), ((1, 4, 4), (1, 2)), ((2, 6, 6), (6, 6))])
def test_windows_hold_the_places_of_the_map(shape: Shape, window: tuple[int, int]) -> None:
    (x,) = given(shape)
    cut = net_of("window_partition", shape, window=window)(x)
    h, w = window
    for r in range(shape[1] // h):
        for q in range(shape[2] // w):
            part = x[:, :, r * h : (r + 1) * h, q * w : (q + 1) * w]
            assert torch.equal(cut[:, r, q], part.flatten(2).transpose(1, 2))
    assert torch.equal(net_of("window_merge", tuple(cut.shape[1:]), window=window)(cut), x)


def test_partitions_are_torchvisions() -> None:
    (x,) = given((5, 8, 8))
    theirs = models.maxvit.WindowPartition()(x, 4)
    assert torch.equal(net_of("window_partition", (5, 8, 8), window=4)(x).flatten(1, 2), theirs)
    back = models.maxvit.WindowDepartition()(theirs, 4, 2, 2)
    assert torch.equal(back, x)


@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (2, 3), (5, 6), (7, 13)])
def test_shift_is_numpys_roll(shift: tuple[int, int]) -> None:
    (x,) = given((2, 5, 6))
    moved = net_of("window_shift", (2, 5, 6), shift=shift)(x)
    assert np.array_equal(moved.numpy(), np.roll(x.numpy(), (-shift[0], -shift[1]), (2, 3)))
    assert torch.equal(net_of("window_shift", (2, 5, 6), shift=shift, back=True)(moved), x)


# --- merges and comparisons ---------------------------------------------------------------------------------------------------------


def cosine(a: Any, b: Any, axis: int) -> Any:
    lengths = np.linalg.norm(a, axis=axis, keepdims=True) * np.linalg.norm(b, axis=axis, keepdims=True)
    return 1 - (a * b).sum(axis, keepdims=True) / lengths


FORMULAS = {
    "l1": lambda a, b, axis: abs(a - b),
    "squared": lambda a, b, axis: (a - b) ** 2,
    "l2": lambda a, b, axis: np.sqrt(((a - b) ** 2).sum(axis, keepdims=True)),
    "manhattan": lambda a, b, axis: abs(a - b).sum(axis, keepdims=True),
    "cosine": cosine,
}


@pytest.mark.parametrize("kind", FORMULAS)
@pytest.mark.parametrize(("shape", "axis"), [((6,), 0), ((3, 4), -1), ((3, 4, 5), 0), ((3, 4, 5), 1)])
def test_distances(kind: str, shape: Shape, axis: int) -> None:
    a, b = given(shape, shape)
    net = net_of("distance", shape, shape, kind=kind, axis=axis)
    expected = FORMULAS[kind](a.numpy(), b.numpy(), axis + 1 if axis >= 0 else axis)
    np.testing.assert_allclose(net(a, b).numpy(), expected, rtol=1e-5, atol=1e-6)
    assert tuple(net.graph.output_shapes()["output"]) == expected.shape[1:]


@pytest.mark.parametrize("kind", ["l1", "l2", "squared", "manhattan"])
def test_distance_of_equal_tensors_is_0_and_so_is_its_slope(kind: str) -> None:
    x = torch.ones(2, 3, requires_grad=True)
    net_of("distance", (3,), (3,), kind=kind)(x, torch.ones(2, 3)).sum().backward()
    assert x.grad is not None
    assert not x.grad.any()


def test_distance_of_directions() -> None:
    a = torch.tensor([[1.0, 2.0, 3.0]] * 4)
    b = torch.tensor([[2.0, 4.0, 6.0], [-1.0, -2.0, -3.0], [3.0, 0.0, -1.0], [0.0, 0.0, 0.0]])
    found = net_of("distance", (3,), (3,), kind="cosine")(a, b)
    torch.testing.assert_close(found, torch.tensor([[0.0], [2.0], [1.0], [1.0]]))


@pytest.mark.parametrize(
    ("layer", "formula"),
    [
        ("add", lambda a, b, c: a + b + c),
        ("subtract", lambda a, b, c: a - b - c),
        ("multiply", lambda a, b, c: a * b * c),
        ("max", lambda a, b, c: np.maximum(np.maximum(a, b), c)),
        ("min", lambda a, b, c: np.minimum(np.minimum(a, b), c)),
        ("mean", lambda a, b, c: np.stack([a, b, c]).mean(0)),
        ("concat", lambda a, b, c: np.concatenate([a, b, c], 1)),
    ],
)
def test_merges(layer: str, formula: Any) -> None:
    inputs = given(*[(3, 4)] * 3)
    found = net_of(layer, *[(3, 4)] * 3)(*inputs)
    np.testing.assert_allclose(found.numpy(), formula(*(x.numpy() for x in inputs)), rtol=1e-6)


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("before", [(), (2,), (2, 3)])
def test_products_of_matrices(transpose: bool, before: Shape) -> None:
    shapes = ((*before, 4, 5), (*before, 6, 5) if transpose else (*before, 5, 6))
    graph = graph_of("matmul", *shapes, transpose=transpose)
    a, b = given(*shapes)
    expected = np.matmul(a.numpy(), b.numpy().swapaxes(-1, -2) if transpose else b.numpy())
    np.testing.assert_allclose(build(graph)(a, b).numpy(), expected, rtol=1e-5, atol=1e-6)
    assert graph.macs == 4 * 5 * 6 * int(np.prod(before))
    (found,) = open_session(to_model(graph, {}).SerializeToString()).run(None, {"in0": a.numpy(), "in1": b.numpy()})
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


# --- sizes left open ----------------------------------------------------------------------------------------------------------------

OPEN = [
    ("attention", [("T", 8)], {"heads": 2}),
    ("attention", [("H", "W", "T", 8)], {"heads": 2}),
    ("cross_attention", [("T", 8), ("S", 8)], {"heads": 2}),
    ("cross_attention", [("T", 8), ("S", 5)], {"heads": 4}),
    ("class_token", [("T", 8)], {"tokens": 2}),
    ("layer_scale", [(6, "H", "W")], {"init": 2.0}),
    ("matmul", [("T", "S"), ("S", "H")], {}),
    ("matmul", [("T", 4), ("S", 4)], {"transpose": True}),
    ("distance", [(3, "H", "W")] * 2, {"kind": "cosine", "axis": 0}),
    ("window_shift", [(3, "H", "W")], {"shift": (2, 5)}),
    ("window_shift", [(3, "H", "W")], {"shift": (2, 5), "back": True}),
    ("window_partition", [(3, "H", "W")], {"window": (2, 3)}),
    ("window_merge", [("H", "W", 6, 4)], {"window": (2, 3)}),
    ("window_attention", [("H", "W", 8)], {"heads": 2, "window": (4, 3), "shift": (2, 1)}),
    ("window_attention", [("H", "W", 8)], {"heads": 2, "window": 2}),
]


@pytest.mark.parametrize(("layer", "wanted", "arguments"), OPEN)
def test_one_file_serves_all_sizes(layer: str, wanted: list[tuple[int | str, ...]], arguments: dict[str, Any]) -> None:
    trace = Trace({}, {"H": 6, "W": 6, "T": 7, "S": 5})
    with trace.active():
        shapes = tuple(tuple(trace.size(n) if isinstance(n, str) else n for n in shape) for shape in wanted)
        settings = complete(layer, arguments)
        facts = trace.infer(layers()[layer], shapes, settings, Place(Source("a.net", "net"), Span(0, 3)), None)
    graph = graph_of(layer, *at(shapes, trace.tried), **arguments)
    nodes = tuple(replace(n, facts=replace(n.facts, onnx=facts.onnx)) if n.role == "layer" else n for n in graph.nodes)
    state = {k: torch.randn_like(v) if v.is_floating_point() else v for k, v in build(graph).state_dict().items()}
    model = to_model(replace(graph, nodes=nodes), {k: v.numpy() for k, v in state.items()})
    for value in (*model.graph.input, *model.graph.output):
        for i, dim in enumerate(value.type.tensor_type.shape.dim):
            dim.dim_param = f"{value.name}{i}"
    session = open_session(model.SerializeToString())
    for sizes in ({"H": 6, "W": 6, "T": 7, "S": 5}, {"H": 2, "W": 9, "T": 1, "S": 6}, {"H": 12, "W": 3, "T": 3, "S": 1}):
        assert all(d.objection(sizes) is None for d in trace.demands)
        now = at(shapes, sizes)
        net, inputs = build(graph_of(layer, *now, **arguments), state), given(*now)
        (found,) = session.run(None, {f"in{i}": x.numpy() for i, x in enumerate(inputs)})
        torch.testing.assert_close(torch.from_numpy(found), net(*inputs).detach(), rtol=1e-4, atol=1e-5)
