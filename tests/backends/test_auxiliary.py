"""Auxiliary outputs: there while training, and no trace of them otherwise."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import numpy_helper

from netspec.backends.onnx import export, open_session, to_model
from netspec.backends.torch import build
from netspec.graph import Auxiliary, Graph
from tests.graphs import Builder, chain


def googlenet() -> Graph:
    """A trunk, a head, and a head on the way that exists in training alone, with a layer that it shares with the trunk."""
    b = Builder()
    b.input((4, 6, 6))
    b.add("conv", path="stem", channels=8, kernel=3, padding=1)
    trunk = b.add("relu", path="trunk")
    b.add("conv", trunk, path="aux.conv", channels=8, kernel=3)
    b.add("dropout", path="aux.drop", rate=0.5)
    b.add("bn", path="shared")
    b.add("flatten", path="aux.flat")
    aux = b.add("softmax", b.add("linear", path="aux.fc", features=3), path="aux.softmax")
    b.add("conv", trunk, path="top", channels=8, kernel=3)
    b.add("bn", path="shared")
    b.add("global_avgpool", path="pool")
    b.add("flatten", path="flat")
    main = b.add("softmax", b.add("linear", path="fc", features=3), path="prob")
    return replace(b.graph(kind=main), auxiliary=(Auxiliary("aux1", aux, 0.3),))


def run_paths(graph: Graph, train: bool, logits: bool = False) -> set[str]:
    """The layers that a pass runs."""
    net, seen = build(graph).train(train), set()
    for name, module in net.named_modules():
        module.register_forward_hook(lambda *_, name=name: seen.add(name))
    (net.logits if logits else net)(torch.rand(2, 4, 6, 6))
    return seen - {""}


AUX = {"aux.conv", "aux.drop", "aux.flat", "aux.fc", "aux.softmax"}


def test_training_gives_them_by_name_and_evaluation_does_not() -> None:
    net = build(googlenet())
    x = torch.rand(2, 4, 6, 6)
    trained, evaluated = net.train()(x), net.eval()(x)
    assert list(trained) == ["kind", "aux1"]
    assert {name: tuple(t.shape) for name, t in trained.items()} == {"kind": (2, 3), "aux1": (2, 3)}
    assert isinstance(evaluated, torch.Tensor)
    assert isinstance(net.logits(x), torch.Tensor)
    assert list(net.train().logits(x)) == ["kind", "aux1"]
    assert net.activations == {"kind": "softmax", "aux1": "softmax"}
    for twin in (copy.deepcopy(net), build(net.graph, net.state_dict()).train()):
        assert list(twin(x)) == ["kind", "aux1"]


def test_numbers_are_those_of_the_same_net_with_two_outputs() -> None:
    graph = googlenet()
    plain = build(replace(graph, outputs=(*graph.outputs, *graph.auxiliary), auxiliary=()))
    net = build(graph, {k: v.clone() for k, v in plain.state_dict().items()})
    x = torch.rand(5, 4, 6, 6)
    for ours, theirs in ((net.train(), plain.train()), (net.eval(), plain.eval())):
        for one, other in ((ours, theirs), (ours.logits, theirs.logits)):
            torch.manual_seed(0)
            expected = other(x)
            torch.manual_seed(0)
            found = one(x)
            found = found if isinstance(found, dict) else {"kind": found}
            assert all(torch.equal(found[name], expected[name]) for name in found)
        assert len(found) == 1 + ours.training
    net.train()(x)["aux1"].sum().backward()
    assert net.get_parameter("stem.weight").grad is not None
    assert net.get_parameter("fc.weight").grad is None


def test_evaluation_computes_nothing_for_them() -> None:
    everything = {n.path for n in googlenet().layers}
    for logits in (False, True):
        rest = {"prob", "aux.softmax"} if logits else set()
        assert run_paths(googlenet(), True, logits) == everything - rest
        assert run_paths(googlenet(), False, logits) == everything - AUX - rest


def test_several_outputs_keep_theirs() -> None:
    graph = googlenet()
    flat = next(n.index for n in graph.nodes if n.path == "flat")
    net = build(replace(graph, outputs=(*graph.outputs, replace(graph.outputs[0], name="features", node=flat))))
    x = torch.rand(2, 4, 6, 6)
    assert list(net.train()(x)) == ["kind", "features", "aux1"]
    assert list(net.eval()(x)) == ["kind", "features"]


def test_the_state_dict_has_their_weights_and_the_file_has_not(tmp_path: Path) -> None:
    graph = googlenet()
    net = build(graph)
    state = {k: v.numpy() for k, v in net.state_dict().items()}
    assert {"aux.conv.weight", "aux.fc.bias"} <= state.keys()
    model = to_model(graph, state)
    used = sum(v.nbytes for k, v in state.items() if not k.startswith("aux.") and not k.endswith("tracked"))
    assert sum(numpy_helper.to_array(t).nbytes for t in model.graph.initializer) == used
    assert [o.name for o in model.graph.output] == ["kind"]
    assert {n.op_type for n in model.graph.node} == {
        "Conv",
        "Relu",
        "BatchNormalization",
        "GlobalAveragePool",
        "Flatten",
        "Gemm",
        "Softmax",
    }
    export(graph, state, tmp_path / "net.onnx")
    x = np.random.default_rng(0).standard_normal((3, 4, 6, 6), dtype=np.float32)
    (found,) = open_session(tmp_path / "net.onnx").run(None, {"image": x})
    np.testing.assert_allclose(found, net.eval()(torch.from_numpy(x)).detach().numpy(), rtol=1e-4, atol=1e-6)


def test_only_what_the_file_holds_counts_for_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = googlenet()
    state = {k: v.numpy() for k, v in build(graph).state_dict().items()}
    held = sum(v.nbytes for k, v in state.items() if not k.startswith("aux."))
    monkeypatch.setattr("netspec.backends.onnx.model.LARGEST", held)
    assert to_model(graph, state)


def test_without_any_both_modes_are_one_program() -> None:
    programs = build(chain((3,), "relu")).__dict__["_programs"]
    assert programs[0] is programs[1]
