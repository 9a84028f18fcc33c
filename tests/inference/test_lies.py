"""Exported files that were changed, and say of themselves what is not so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from netspec.diagnostics import Exit
from netspec.inference import predict
from tests.inference.kinds import Made, images, refused

LIES: list[str | Callable[[dict[str, Any]], dict[str, Any]]] = [
    "[" * 100_000,
    "null",
    "{}",
    '{"inputs": {}, "outputs": {}}',
    lambda task: task | {"seed": -1},
    lambda task: task | {"seed": 10**400},
    lambda task: task | {"inputs": {"other": {"name": "image"}}},
    lambda task: _with(task, kind="labels"),
    lambda task: _with(task, kind="nonsense"),
    lambda task: _with(task, loss={"name": "mae"}),
    lambda task: _with(task, loss={"name": "__class__"}),
    lambda task: _with(task, loss={"name": "cross_entropy", "settings": {"label_smoothing": "much"}}),
    lambda task: _with(task, loss={"name": "cross_entropy", "settings": {"exec": 1}}),
    lambda task: _with(task, loss={"name": "focal", "settings": {"gamma": float("nan")}}),
    lambda task: _with(task, metrics=[]),
    lambda task: _with(task, metrics=[{"name": "mae"}]),
    lambda task: _with(task, metrics=[{"name": "accuracy"}, {"name": "accuracy"}]),
    lambda task: _with(task, metrics=[{"name": "top_k", "settings": {"k": 10**30}}]),
    lambda task: _with(task, weight=-1.0),
    lambda task: _with(task, weight=float("inf")),
    lambda task: _with(task, target="place"),
    lambda task: _with(task, target="\ud800"),
    lambda task: _with(task, source={"name": "column", "settings": {"names": []}}),
    lambda task: _with(task, source={"name": "column"}),
    lambda task: _with(task, source={"name": "elsewhere"}),
]


def _with(task: dict[str, Any], **changed: object) -> dict[str, Any]:
    outputs = task["outputs"]
    return task | {"outputs": outputs | {"kind": outputs["kind"] | changed}}


@pytest.mark.parametrize("case", ["class"], indirect=True)
def test_a_model_that_lies_about_its_task_is_refused(case: Made, tmp_path: Path) -> None:
    picture = images(tmp_path, (8, 8)) / "a.png"
    model = onnx.load(case.onnx)
    (entry,) = (p for p in model.metadata_props if p.key == "netspec.task")
    task = json.loads(entry.value)
    for lie in LIES:
        entry.value = lie if isinstance(lie, str) else json.dumps(lie(task))
        onnx.save(model, tmp_path / "lie.onnx")
        error = refused(lambda: predict(tmp_path / "lie.onnx", picture, device="cpu"), "N764")
        assert error.exit == Exit.MODEL_FILE and "what it says of its task is no such thing" in error.diagnostics[0].message
    for key, value in (
        ("netspec.outputs", '{"kind": "a", "place": "a"}'),
        ("netspec.outputs", "7"),
        ("netspec.activations", '{"kind": null}'),
    ):
        model = onnx.load(case.onnx)
        next(p for p in model.metadata_props if p.key == key).value = value
        onnx.save(model, tmp_path / "lie.onnx")
        refused(lambda: predict(tmp_path / "lie.onnx", picture, device="cpu"), "N764")


@pytest.mark.parametrize("case", ["class"], indirect=True)
def test_a_file_of_an_earlier_version_with_several_outputs(case: Made, tmp_path: Path) -> None:
    picture = images(tmp_path, (8, 8)) / "a.png"
    model = onnx.load(case.onnx)
    kept = [p for p in model.metadata_props if p.key != "netspec.task"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.save(model, tmp_path / "old.onnx")
    error = refused(lambda: predict(tmp_path / "old.onnx", picture, device="cpu"), "N764")
    assert "nor does it say what its outputs have learned: export it" in error.diagnostics[0].message
