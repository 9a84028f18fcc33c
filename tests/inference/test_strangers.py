"""Models that netspec did not make, or that lie about themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from netspec.diagnostics import Exit, NetspecError
from netspec.inference import predict
from netspec.training.folders.class_names import read_classes
from tests.data.pictures import encoded

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
SCORE = [helper.make_node("Flatten", ["image"], ["flat"]), helper.make_node("MatMul", ["flat", "weight"], ["score"])]
WHOLE = [SCORE[0], helper.make_node("MatMul", ["flat", "weight"], ["real"]), helper.make_node("Cast", ["real"], ["score"], to=INT64)]
NOTHING: Mapping[str, str] = {}
ROWS = [SCORE[0], helper.make_node("Reshape", ["flat", "form"], ["score"])]


def write_model(
    path: Path,
    nodes: list[onnx.NodeProto],
    batch: str | int = "batch",
    output: int = FLOAT,
    rows: int = -1,
    said: Mapping[str, str] = NOTHING,
) -> Path:
    tensors = [numpy_helper.from_array(np.ones((64, 3), np.float32), "weight")]
    tensors.append(numpy_helper.from_array(np.array([rows, 3], np.int64), "form"))
    image, score = helper.make_tensor_value_info, helper.make_tensor_value_info
    body = helper.make_graph(nodes, "net", [image("image", FLOAT, [batch, 1, 8, 8])], [score("score", output, ["rows", 3])], tensors)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    helper.set_model_props(model, {"netspec.classes": '["a", "b", "c"]', "netspec.activations": '{"score": null}', **said})
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    (tmp_path / "grey.png").write_bytes(encoded(Image.new("L", (8, 8), 7)))
    return [tmp_path / "grey.png"] * 3


def refused(model: Path, pictures: list[Path]) -> str:
    with pytest.raises(NetspecError) as caught:
        predict(model, pictures, device="cpu")
    assert caught.value.exit == Exit.MODEL_FILE
    return caught.value.diagnostics[0].code


def test_a_strangers_model_of_our_form_is_run(tmp_path: Path, pictures: list[Path]) -> None:
    answers = predict(write_model(tmp_path / "net.onnx", SCORE), pictures, device="cpu")
    assert [a.probability for a in answers] == pytest.approx([1 / 3] * 3)


def test_models_of_another_form(tmp_path: Path, pictures: list[Path]) -> None:
    path = tmp_path / "net.onnx"
    assert refused(write_model(path, SCORE, batch=1), pictures) == "N764"
    assert refused(write_model(path, WHOLE, output=INT64), pictures) == "N764"
    assert refused(write_model(path, ROWS, rows=5), pictures) == "N814", "192 numbers do not make five rows"
    assert refused(write_model(path, ROWS), pictures) == "N764", "more rows than pictures"


def test_what_a_model_says_of_itself_may_be_anything(tmp_path: Path, pictures: list[Path]) -> None:
    path = tmp_path / "net.onnx"
    deep, classes, activations = "[" * 100_000, "netspec.classes", "netspec.activations"
    for said in ({classes: deep}, {activations: deep}, {classes: '["\\ud800", "b", "c"]'}):
        assert refused(write_model(path, SCORE, said=said), pictures) == "N764"
    assert read_classes({"netspec.classes": json.dumps(["é", "b"])}) == ("é", "b")


def test_names_that_are_no_text(tmp_path: Path, pictures: list[Path]) -> None:
    path = write_model(tmp_path / "net.onnx", SCORE)
    whole = path.read_bytes()
    for name in (b"rows", b"image", b"netspec.activations"):
        path.write_bytes(whole.replace(name, name[:-1] + b"\xe1"))
        assert refused(path, pictures) in ("N764", "N814")
    path.write_bytes(whole.replace(b"netspec.classes", b"netspec.classe\xe1"))
    assert {p.label for p in predict(path, pictures, device="cpu")} <= {"0", "1", "2"}, "what is not named is called by its number"
    model = onnx.load_from_string(whole)
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    path.write_bytes(model.SerializeToString().replace(b"weight", b"weigh\xe1"))
    assert refused(path, pictures) == "N815"


def test_sizes_that_cannot_be(tmp_path: Path, pictures: list[Path]) -> None:
    """A picture of more numbers than any memory has is refused before one is made."""
    path = write_model(tmp_path / "net.onnx", SCORE)
    whole = onnx.load(path)
    for size in (2**40, 2**19):
        whole.graph.input[0].type.tensor_type.shape.dim[2].dim_value = size
        whole.graph.input[0].type.tensor_type.shape.dim[3].dim_value = size
        path.write_bytes(whole.SerializeToString())
        assert refused(path, pictures) in ("N764", "N814")  # onnxruntime finds some itself


def test_several_numbers_that_end_in_sigmoid_are_labels(tmp_path: Path, pictures: list[Path]) -> None:
    """A model of one vector, of which only its ending is known."""
    answers = predict(
        write_model(tmp_path / "net.onnx", SCORE, said={"netspec.activations": '{"score": "sigmoid"}'}), pictures, device="cpu"
    )
    assert [a.outputs["score"].kind for a in answers] == ["labels"] * 3
