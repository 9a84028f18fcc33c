"""The ONNX file a graph becomes: what is in it, that it computes what the net computes, and that nothing wrong is ever left behind."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from netspec.backends.onnx import IR_VERSION, OPSET, export, open_session, read_onnx_metadata, to_model
from netspec.backends.torch import build
from netspec.compiler import compile_source
from netspec.diagnostics import Exit, NetspecError
from netspec.graph import Graph
from netspec.lowering import W, X, const, op
from netspec.source import Source
from tests.backends.test_torch_build import branching
from tests.graphs import Builder, chain, lenet


def weights_of(graph: Graph) -> dict[str, Any]:
    torch.manual_seed(0)
    return {k: v.numpy() for k, v in build(graph).state_dict().items()}


def with_wrong_expression(graph: Graph, layer: str, expression: Any) -> Graph:
    nodes = tuple(replace(n, facts=replace(n.facts, onnx=expression)) if n.layer == layer else n for n in graph.nodes)
    return replace(graph, nodes=nodes)


# --- what is in the file ------------------------------------------------------------------------------------------------------------


def test_versions_are_the_lowest_that_serve() -> None:
    model = to_model(lenet(), weights_of(lenet()))
    assert (model.opset_import[0].version, model.ir_version) == (OPSET, IR_VERSION)
    assert helper.OP_SET_ID_VERSION_MAP[("ai.onnx", OPSET)] == IR_VERSION


def test_batch_is_free_and_names_are_kept() -> None:
    model = to_model(lenet(), weights_of(lenet()))
    (given,), (result,) = model.graph.input, model.graph.output
    assert (given.name, result.name) == ("image", "output")
    assert [d.dim_param or d.dim_value for d in given.type.tensor_type.shape.dim] == ["batch", 1, 28, 28]
    assert [d.dim_param or d.dim_value for d in result.type.tensor_type.shape.dim] == ["batch", 10]
    assert given.type.tensor_type.elem_type == TensorProto.FLOAT


def test_training_leaves_nothing_behind() -> None:
    model = to_model(lenet(), weights_of(lenet()))
    kinds = {n.op_type for n in model.graph.node}
    assert "Dropout" not in kinds
    assert "Identity" not in kinds
    assert kinds >= {"Mul", "Conv", "BatchNormalization", "Gemm", "Softmax"}
    assert not any("tracked" in t.name for t in model.graph.initializer)


def test_equal_constants_are_stored_once() -> None:
    graph = chain((3, 4, 4), "relu6", "relu6", "relu6")
    assert len(to_model(graph, {}).graph.initializer) == 2


def test_shared_weights_are_stored_once() -> None:
    graph = branching()
    weights = weights_of(graph)
    used = sum(v.nbytes for k, v in weights.items() if not k.endswith("tracked"))
    model = to_model(graph, weights)
    assert sum(numpy_helper.to_array(t).nbytes for t in model.graph.initializer) == used


def test_two_exports_are_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        export(lenet(), weights_of(lenet()), tmp_path / name, classes=list("abcdefghij"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_metadata_round_trip(tmp_path: Path) -> None:
    graph = lenet()
    classes = ["cät", 'do"g', "\U0001f40e", *map(str, range(7))]
    export(graph, weights_of(graph), tmp_path / "m.onnx", classes=classes)
    found = read_onnx_metadata(tmp_path / "m.onnx")
    assert json.loads(found["netspec.classes"]) == classes
    assert json.loads(found["netspec.inputs"]) == {"image": [1, 28, 28]}
    assert json.loads(found["netspec.activations"]) == {"output": "softmax"}
    assert found["netspec.name"] == "LeNet"
    assert found["netspec.spec_sha256"] == hashlib.sha256(graph.source.text.encode()).hexdigest()
    assert open_session(tmp_path / "m.onnx").get_modelmeta().custom_metadata_map == found


@pytest.mark.parametrize("name", ["n0001", "w0000", "c0000", "n0001_0", "a.b/c", "naïve", "x" * 100, "", "output0", "input0", "image"])
def test_odd_and_clashing_names_do_no_harm(name: str, tmp_path: Path) -> None:
    b = Builder()
    b.input((4,), name)
    y = b.add("bn", b.add("linear", b.add("relu6"), features=3))
    graph = b.graph(**{name: y, "again": y, "first": 0})
    export(graph, weights_of(graph), tmp_path / "m")
    session = open_session(tmp_path / "m")
    names = [t.name for t in (*session.get_inputs(), *session.get_outputs())]
    assert len(set(names)) == 4
    assert names[2:] == ["again", "first"]
    x = np.random.default_rng(0).standard_normal((5, 4), dtype=np.float32)
    one, two, three = session.run(None, {names[0]: x})
    assert np.array_equal(one, two)
    assert np.array_equal(three, x)
    assert json.loads(read_onnx_metadata(tmp_path / "m")["netspec.outputs"])[names[1]] == name


# --- what it computes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2, 7, 32])
@pytest.mark.parametrize("optimise", [True, False])
def test_every_batch_size_gives_what_pytorch_gives(batch: int, optimise: bool) -> None:
    graph = branching()
    weights = weights_of(graph)
    session = open_session(to_model(graph, weights).SerializeToString(), optimise=optimise)
    chance = np.random.default_rng(batch)
    given = {n: chance.standard_normal((batch, 4, 6, 6), dtype=np.float32) for n in ("left", "right")}
    with torch.no_grad():
        expected = build(graph, {k: torch.from_numpy(v) for k, v in weights.items()}).eval()(*map(torch.from_numpy, given.values()))
    found = dict(zip([o.name for o in session.get_outputs()], session.run(None, given), strict=True))
    assert found.keys() == expected.keys()
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name].numpy(), rtol=1e-4, atol=1e-5)


def test_preprocess_is_bit_equal() -> None:
    b = Builder()
    b.input((3, 8, 32))
    b.add("scale", role="preprocess", factor=1 / 127.5, offset=-1.0)
    b.add("normalize", role="preprocess", mean="imagenet")
    graph = b.graph()
    x = np.arange(768, dtype=np.float32).reshape(1, 3, 8, 32) % 256
    found = open_session(to_model(graph, {}).SerializeToString(), optimise=False).run(None, {"image": x})[0]
    assert np.array_equal(found, build(graph)(torch.from_numpy(x)).numpy())
    assert np.array_equal(found, build(graph)(torch.from_numpy(x).to(torch.uint8)).numpy())


def test_merge_of_many_is_folded() -> None:
    b = Builder()
    sources = [b.input((3,), f"i{i}") for i in range(5)]
    b.add("multiply", *sources)
    model = to_model(b.graph(), {})
    assert [n.op_type for n in model.graph.node] == ["Mul"] * 4
    xs = np.random.default_rng(0).standard_normal((5, 2, 3)).astype(np.float32)
    found = open_session(model.SerializeToString()).run(None, {f"i{i}": x for i, x in enumerate(xs)})[0]
    np.testing.assert_allclose(found, xs.prod(0), rtol=1e-6)


def test_report(tmp_path: Path) -> None:
    report = export(lenet(), build(lenet()).state_dict(), tmp_path / "m.onnx")
    assert report.bytes == (tmp_path / "m.onnx").stat().st_size
    assert (report.opset, report.ir_version) == (OPSET, IR_VERSION)
    assert 0 <= report.max_rel < 1e-4
    assert 0 <= report.max_abs < 1e-4
    onnx.checker.check_model(tmp_path / "m.onnx", full_check=True)


# --- what is refused ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong", [op.Tanh(X), op.Mul(X, const(1.01)), X, op.Flatten(X, axis=0)], ids=["tanh", "scaled", "nothing", "shape"]
)
def test_disagreeing_export_leaves_no_file(tmp_path: Path, wrong: Any) -> None:
    graph = with_wrong_expression(lenet(), "softmax", wrong)
    (tmp_path / "old").write_bytes(b"old")
    for name, force in (("new", False), ("old", True)):
        with pytest.raises(NetspecError) as caught:
            export(graph, weights_of(graph), tmp_path / name, force=force)
        assert caught.value.exit in (Exit.NUMBERS, Exit.MODEL_FILE)
        assert caught.value.diagnostics[0].code == "N961" or wrong.name == "Flatten"
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("old", b"old")]


def test_weight_in_the_wrong_place_is_found(tmp_path: Path) -> None:
    graph = with_wrong_expression(chain((3,), ("bn", {"eps": 1e-5})), "bn", op.BatchNormalization(
        X, W("weight"), W("bias"), W("running_var"), W("running_mean"), epsilon=1e-5))  # fmt: skip
    weights = weights_of(graph) | {"1.running_mean": np.full(3, 0.5, np.float32)}
    with pytest.raises(NetspecError) as caught:
        export(graph, weights, tmp_path / "m")
    assert caught.value.exit is Exit.NUMBERS


def test_net_that_gives_no_numbers_is_said(tmp_path: Path) -> None:
    weights = weights_of(lenet())
    weights["fc1.bias"] = np.full(32, np.nan, np.float32)
    with pytest.raises(NetspecError) as caught:
        export(lenet(), weights, tmp_path / "m")
    assert caught.value.diagnostics[0].code == "N962"
    assert not list(tmp_path.iterdir())


def test_taken_targets_are_refused(tmp_path: Path) -> None:
    graph = chain((3,), "relu")
    (tmp_path / "m.onnx").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "m.onnx")
    os.mkfifo(tmp_path / "pipe")
    cases = [
        ("m.onnx", False, "N811"),
        (".", False, "N812"),
        (".", True, "N812"),
        ("link", False, "N812"),
        ("link", True, "N812"),
        ("pipe", True, "N812"),
    ]
    for name, force, code in cases:
        with pytest.raises(NetspecError) as caught:
            export(graph, {}, tmp_path / name, force=force)
        assert (caught.value.exit, caught.value.diagnostics[0].code) == (Exit.USAGE, code)
    assert (tmp_path / "m.onnx").read_bytes() == b"old"
    export(graph, {}, tmp_path / "m.onnx", force=True)
    assert (tmp_path / "m.onnx").read_bytes() != b"old"


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.onnx").write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(NetspecError, match="No space left") as caught:
        export(chain((3,), "relu"), {}, tmp_path / "m.onnx", force=True)
    assert caught.value.exit is Exit.ENVIRONMENT
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("m.onnx", b"old")]


def test_model_beyond_one_file_is_refused_before_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netspec.backends.onnx.model.LARGEST", 1000)
    with pytest.raises(NetspecError, match=r"can hold 1\.0 kB") as caught:
        export(lenet(), weights_of(lenet()), tmp_path / "m")
    assert caught.value.diagnostics[0].code == "N813"


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NetspecError) as caught:
        export(lenet(), {}, tmp_path / "m")
    assert caught.value.exit is Exit.MODEL_FILE


# --- sessions -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"hello", bytes(100), b"\x08\x09", b'{"a": 1}'])
def test_files_that_are_no_models_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    for call in (open_session, read_onnx_metadata):
        with pytest.raises(NetspecError, match=r"m\.onnx") as caught:
            call(tmp_path / "m.onnx")
        assert (caught.value.exit, caught.value.diagnostics[0].code) == (Exit.MODEL_FILE, "N814")


def test_missing_and_special_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "none", tmp_path, tmp_path / "pipe"):
        with pytest.raises(NetspecError) as caught:
            open_session(path)
        assert caught.value.diagnostics[0].code == "N801"


def test_truncated_models_are_refused(tmp_path: Path) -> None:
    whole = to_model(chain((3,), ("linear", {"features": 2})), weights_of(chain((3,), ("linear", {"features": 2})))).SerializeToString()
    for length in range(0, len(whole), 13):
        with pytest.raises(NetspecError) as caught:
            open_session(whole[:length])
        assert caught.value.exit is Exit.MODEL_FILE


def test_models_that_name_other_files_are_refused() -> None:
    model = to_model(chain((3,), ("linear", {"features": 2})), weights_of(chain((3,), ("linear", {"features": 2}))))
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    with pytest.raises(NetspecError) as caught:
        open_session(model.SerializeToString())
    assert caught.value.diagnostics[0].code == "N815"


def test_tensors_hidden_in_attributes_are_seen() -> None:
    model = to_model(chain((3,), "relu"), {})
    hidden = TensorProto(name="hidden", data_location=TensorProto.EXTERNAL)
    model.graph.node[0].attribute.append(helper.make_attribute("value", hidden))
    with pytest.raises(NetspecError, match="hidden"):
        open_session(model.SerializeToString())


def test_cuda_is_cuda_or_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    model = to_model(chain((3,), "relu"), {}).SerializeToString()
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(NetspecError, match="CUDA provider not available") as caught:
        open_session(model, "cuda")
    assert caught.value.exit is Exit.ENVIRONMENT
    assert open_session(model, "auto").get_providers() == ["CPUExecutionProvider"]


def test_cuda_that_does_not_start_is_an_error_too() -> None:
    model = to_model(chain((3,), "relu"), {}).SerializeToString()
    try:
        session = open_session(model, "cuda")
    except NetspecError as error:
        assert error.exit is Exit.ENVIRONMENT
        assert "cpu" in (error.diagnostics[0].problem.help() or "")
    else:
        assert session.get_providers()[0] == "CUDAExecutionProvider"


def test_threads_are_those_this_process_may_use() -> None:
    session = open_session(to_model(chain((3,), "relu"), {}).SerializeToString())
    assert session.get_session_options().intra_op_num_threads == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("classes", [["a", "b"], ["a", "b", "c", "d"], []])
def test_labels_that_do_not_fit_the_net_are_refused(classes: list[str], tmp_path: Path) -> None:
    graph = compile_source(Source("three.net", "net Three { image: input(1x8x8)\nflatten -> linear(3) }"))[0]
    with pytest.raises(NetspecError, match="N765"):
        export(graph, build(graph).state_dict(), tmp_path / "three.onnx", classes=classes)
    assert not (tmp_path / "three.onnx").exists()
