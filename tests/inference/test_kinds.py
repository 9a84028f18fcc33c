"""Every kind of output: a run and its ONNX file are measured alike and answer alike."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from netspec.backends.onnx import export, read_onnx_metadata
from netspec.backends.torch import build
from netspec.backends.torch.weights import write_weights
from netspec.cli.main import run
from netspec.data.images.decode import ImageFormat, decode
from netspec.data.masks import decode_mask, resized
from netspec.diagnostics import Exit, NetspecError
from netspec.graph import Graph
from netspec.inference import SpecModel, evaluate, open_model, predict, predict_each
from netspec.report.models import ClassAnswer, LabelsAnswer, MaskAnswer, NumberAnswer, Prediction
from netspec.training import load_run
from tests.inference.kinds import CASES, Made, images, make, refused
from tests.training.several import net

ONE_IMAGE = [name for name in CASES if name not in ("pairs", "pairs with a margin", "picture and numbers")]


@pytest.mark.parametrize("case", CASES, indirect=True)
def test_figures_of_a_run_and_of_its_file_are_equal(case: Made) -> None:
    record = load_run(case.run).record
    ours = evaluate(case.run, case.data, split="test", device="cpu")
    assert record.test is not None and ours.figures == pytest.approx(record.test.values, rel=1e-6)
    theirs = evaluate(case.onnx, case.data, device="cpu")
    assert theirs.split == "test", "the data has splits of its own"
    assert theirs.figures == pytest.approx(ours.figures, rel=1e-4, abs=1e-6)
    assert (theirs.outputs, theirs.titles) == (ours.outputs, ours.titles)
    assert set(theirs.figures) == set(record.test.values)


@pytest.mark.parametrize("case", ONE_IMAGE, indirect=True)
def test_answers_of_a_run_and_of_its_file_are_equal(case: Made, tmp_path: Path) -> None:
    folder = images(tmp_path, (12, 10))
    ours, theirs = (predict(way, folder, top=9, device="cpu") for way in (case.run, case.onnx))
    assert [Path(p.file).name for p in ours] == ["a.png", "b.png", "c.png"]
    for one, other in zip(ours, theirs, strict=True):
        assert [*one.outputs] == [*other.outputs] == [o.name for o in case.graph.outputs]
        same(one, other)
        assert Prediction.model_validate_json(one.model_dump_json()) == one


def same(one: Prediction, other: Prediction) -> None:
    for name, first in one.outputs.items():
        second = other.outputs[name]
        if isinstance(first, NumberAnswer):
            assert isinstance(second, NumberAnswer)
            assert first.values == pytest.approx(second.values, abs=1e-5) and first.names == second.names
        elif isinstance(first, MaskAnswer):
            assert first == second
        else:
            assert isinstance(second, ClassAnswer | LabelsAnswer)
            both = ({p.label: p.probability for p in answer.top} for answer in (first, second))
            assert next(both) == pytest.approx(next(both), abs=1e-5)


@pytest.mark.parametrize("case", ["class"], indirect=True)
def test_several_outputs_against_the_module(case: Made, tmp_path: Path) -> None:
    """By PyTorch itself: the class is the largest of softmax, the numbers are the net's own."""
    folder = images(tmp_path, (8, 8))
    module = build(case.graph, load_run(case.run).weights()).eval()
    for found in predict(case.onnx, folder, device="cpu"):
        pixels = torch.from_numpy(np.array(Image.open(found.file)))[None, None].float()
        with torch.inference_mode():
            said = module(pixels)
        kind, place = found.outputs["kind"], found.outputs["place"]
        assert isinstance(kind, ClassAnswer) and isinstance(place, NumberAnswer)
        assert kind.label == ("top", "middle", "bottom")[int(said["kind"].argmax())]
        assert kind.probability == pytest.approx(float(said["kind"].softmax(1).max()), abs=1e-5)
        assert place.values == pytest.approx(said["place"][0].tolist(), abs=1e-5)
        assert (found.label, found.probability, found.top) == (None, None, ())


@pytest.mark.parametrize("case", ["labels of a table", "labels that end in sigmoid"], indirect=True)
def test_labels_that_are_there(case: Made) -> None:
    folder, module = case.data.parent / "images", build(case.graph, load_run(case.run).weights()).eval()
    names, counts = ("high", "left", "low"), set()
    for way in (case.run, case.onnx):
        for found in predict(way, folder, device="cpu"):
            pixels = torch.from_numpy(np.array(Image.open(found.file)))[None, None].float()
            with torch.inference_mode():
                raw = module(pixels)[0]
            probable = dict(zip(names, _probable(case, raw).tolist(), strict=True))
            (answer,) = found.outputs.values()
            assert isinstance(answer, LabelsAnswer)
            assert {one.label for one in answer.labels} == {name for name, p in probable.items() if p > 0.5}
            assert {one.label: one.probability for one in answer.top} == pytest.approx(probable, abs=1e-5)
            assert [one.probability for one in answer.labels] == sorted((one.probability for one in answer.labels), reverse=True)
            counts.add(len(answer.labels))
    assert len(counts) > 1, "not every picture has as many"


def _probable(case: Made, raw: torch.Tensor) -> torch.Tensor:
    return raw if case.graph.ending(case.graph.outputs[0]) else raw.sigmoid()


@pytest.mark.parametrize("case", ["labels of a table"], indirect=True)
def test_a_column_that_an_exported_model_has_not(case: Made, tmp_path: Path) -> None:
    """The model says which column it has learned from; whoever has it alone can change the table and not the spec."""
    text = case.data.read_text("utf-8").replace("images/", f"{case.data.parent}/images/")
    (tmp_path / "tags.csv").write_text(text.replace("marks", "Marks of it"), "utf-8")
    with pytest.raises(NetspecError) as caught:
        evaluate(case.onnx, tmp_path / "tags.csv", device="cpu")
    (found,) = caught.value.diagnostics
    assert (found.code, caught.value.exit) == ("N748", Exit.DATA)
    assert found.message.endswith("has no column marks for signs")
    assert "section data" not in str(found.problem.help()) and "Marks of it" in str(found.problem.help())


@pytest.mark.parametrize("case", ["numbers"], indirect=True)
def test_numbers_are_called_as_their_columns(case: Made) -> None:
    for way in (case.run, case.onnx):
        (found,) = predict(way, case.data.parent / "images" / "00.png", device="cpu")
        (answer,) = found.outputs.values()
        assert isinstance(answer, NumberAnswer) and answer.names == ("row", "left")


@pytest.mark.parametrize("case", ["masks", "masks of one channel"], indirect=True)
def test_masks_as_files(case: Made, tmp_path: Path) -> None:
    """A PNG of the picture's size, under its path, whose indices are the classes by PyTorch, each by the nearest pixel."""
    folder = images(tmp_path / "in", (20, 30))
    (folder / "below" / "b.bmp").write_bytes((folder / "a.png").read_bytes())
    module = build(case.graph, load_run(case.run).weights()).eval()
    found = predict(case.run, folder, device="cpu", masks=tmp_path / "out")
    assert [p.relative_to(tmp_path / "out").as_posix() for p in sorted((tmp_path / "out").rglob("*.png"))] == [
        "a.png",
        "below/b.png",
        "below/b.png.png",
        "below/c.png",
    ]
    for one in found:
        (answer,) = one.outputs.values()
        assert isinstance(answer, MaskAnswer) and answer.mask is not None
        pixels = torch.from_numpy(decode(Path(one.file).read_bytes(), ImageFormat(1, 12, 12)))[None].float()
        with torch.inference_mode():
            raw = module(pixels)[0].numpy()
        mask = (raw.argmax(0) if len(raw) > 1 else raw[0] > 0).astype(np.uint8)
        assert np.array_equal(decode_mask(Path(answer.mask).read_bytes()), resized(mask, 20, 30))
        assert [s.share for s in answer.shares] == pytest.approx([float((mask == k).mean()) for k in range(len(answer.shares))])
        with Image.open(answer.mask) as picture:
            assert picture.mode == "P" and picture.getpalette()[:6] == [0, 0, 0, 0x44, 0x77, 0xAA]  # type: ignore[index]
    assert predict(case.onnx, folder, device="cpu") == [p.model_copy(update={"outputs": _without(p)}) for p in found]


def _without(found: Prediction) -> dict[str, object]:
    return {name: answer.model_copy(update={"mask": None}) for name, answer in found.outputs.items()}


def test_masks_of_several_outputs_have_folders_of_their_own(tmp_path: Path) -> None:
    """Named as the outputs are, unless a stranger's file has names that lead elsewhere."""
    text = "net A { image: input(1x4x4)\nconv(3, 1) -> first: relu\nsecond: conv(2, 1)\noutput(first, second) }\ntrain { }"
    graph, folder = net(tmp_path, text), images(tmp_path / "in", (4, 4))
    export(graph, build(graph).state_dict(), tmp_path / "two.onnx")
    predict(tmp_path / "two.onnx", folder, device="cpu", masks=tmp_path / "plain")
    assert {p.relative_to(tmp_path / "plain").parts[0] for p in (tmp_path / "plain").rglob("*.png")} == {"first", "second"}
    model = onnx.load(tmp_path / "two.onnx")
    next(p for p in model.metadata_props if p.key == "netspec.outputs").value = '{"first": "../evil", "second": ".."}'
    onnx.save(model, tmp_path / "evil.onnx")
    before = {*tmp_path.rglob("*")}
    predict(tmp_path / "evil.onnx", folder, device="cpu", masks=tmp_path / "kept")
    new = {*tmp_path.rglob("*")} - before
    assert new and all(p == tmp_path / "kept" or tmp_path / "kept" in p.parents for p in new)
    assert {p.name for p in (tmp_path / "kept").iterdir()} == {"output0", "output1"}


@pytest.mark.parametrize("case", ["masks"], indirect=True)
def test_masks_that_cannot_be_written(case: Made, tmp_path: Path) -> None:
    folder = images(tmp_path / "in", (12, 12))
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    (tmp_path / "empty").mkdir()
    for target in (folder, tmp_path / "file", tmp_path / "link"):
        refused(partial(predict, case.run, folder, device="cpu", masks=target), "N861")
    assert sorted(p.name for p in folder.rglob("*")) == ["a.png", "b.png", "below", "c.png"], "nothing was written over"
    predict(case.run, folder, device="cpu", masks=tmp_path / "empty")
    labels = make("labels", tmp_path)
    refused(lambda: predict(labels.run, folder, device="cpu", masks=tmp_path / "more"), "N861")
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize("case", ["pairs", "picture and numbers"], indirect=True)
def test_what_is_asked_about_more_than_an_image(case: Made, tmp_path: Path) -> None:
    folder = images(tmp_path, (8, 8))
    for way, located in ((case.run, True), (case.onnx, False)):
        found = refused(partial(predict, way, folder, device="cpu"), "N847").diagnostics[0]
        names = " and ".join(n.path for n in case.graph.inputs)
        assert f"takes 2 inputs, {names}, and a prediction is asked about one image" in found.message
        assert (found.place is not None) == located
    assert found.place is None or found.place.source.text


def test_an_input_and_an_output_that_cannot_be_predicted(tmp_path: Path) -> None:
    for text, code in (
        ("net A { facts: input(4)\nlinear(3) }", "N847"),
        ("net A { image: input(2x4x4)\nflatten -> linear(3) }", "N847"),
        ("net A { image: input(3x4x4)\nflatten(start=1) -> transpose -> tokens: linear(3) }", "N862"),
    ):
        graph = net(tmp_path, text)
        write_weights(tmp_path / "w.safetensors", build(graph).state_dict())
        picture = tmp_path / "a.png"
        Image.new("RGB", (4, 4)).save(picture)
        error = refused(partial(_asked, graph, tmp_path / "w.safetensors", picture), code)
        assert error.diagnostics[0].place is not None


def _asked(graph: Graph, weights: Path, picture: Path) -> object:
    return predict(SpecModel(graph, str(weights), "cpu"), picture)


@pytest.mark.parametrize("case", ["class"], indirect=True)
def test_a_spec_with_weights_of_a_run(case: Made, tmp_path: Path) -> None:
    """Several outputs, of which one has classes, whose names the weights say."""
    model = SpecModel(case.graph, str(case.run / "best.safetensors"), "cpu")
    assert model.named == {"kind": ("top", "middle", "bottom")} and not model.numbered
    folder = images(tmp_path, (8, 8))
    assert predict(model, folder) == predict(case.run, folder, device="cpu")
    assert evaluate(model, case.data, split="test").figures == evaluate(case.run, case.data, split="test", device="cpu").figures


@pytest.mark.parametrize("case", ["labels"], indirect=True)
def test_a_spec_says_in_its_file_what_it_has_learned(case: Made, tmp_path: Path) -> None:
    """An export from Python, without a run; and one of a net without a section train, which is read as a class, as before."""
    weights = load_run(case.run).weights()
    export(case.graph, weights, tmp_path / "spec.onnx", classes=["high", "left", "low"])
    folder = images(tmp_path / "in", (8, 8))
    assert open_model(tmp_path / "spec.onnx", "cpu").learned[0].kind == "labels"
    (first, *_) = predict(tmp_path / "spec.onnx", folder, device="cpu")
    assert isinstance(first.outputs["output"], LabelsAnswer)
    bare = net(tmp_path, case.graph.source.text.partition("train {")[0])
    export(bare, weights, tmp_path / "bare.onnx")
    assert "netspec.task" not in read_onnx_metadata(tmp_path / "bare.onnx")
    assert isinstance(predict(tmp_path / "bare.onnx", folder, device="cpu")[0].outputs["output"], ClassAnswer)
    ended = net(tmp_path, bare.source.text.replace("linear(3)", "linear(3) -> sigmoid"))
    export(ended, weights, tmp_path / "ended.onnx")
    assert isinstance(predict(tmp_path / "ended.onnx", folder, device="cpu")[0].outputs["output"], LabelsAnswer), "no class ends in sigmoid"


@pytest.mark.parametrize("case", ["pairs with a margin"], indirect=True)
def test_a_file_says_when_two_are_one(case: Made) -> None:
    said = json.loads(read_onnx_metadata(case.onnx)["netspec.task"])["outputs"]["same"]
    assert (said["same_below"], said["kind"], said["source"]) == (1.5, "class", {"name": "pairs", "settings": {"share": 0.3}})


@pytest.mark.parametrize("case", ["class"], indirect=True)
def test_bad_images_do_not_stop_the_others(case: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = images(tmp_path, (8, 8))
    (folder / "below" / "bad.png").write_bytes(b"GIF89a")
    (folder / "empty.png").write_bytes(b"")
    found = predict_each(case.run, folder, device="cpu", batch=2)
    assert [Path(p.file).name for p in found.predictions] == ["a.png", "b.png", "c.png"]
    for one, other in zip(found.predictions, predict(case.run, [p.file for p in found.predictions], device="cpu"), strict=True):
        same(one, other)
    (said,) = found.failed
    assert said.code == "N711"
    assert run(["predict", str(case.run), str(folder), "--json", "--device", "cpu"]) == Exit.DATA
    shown = capsys.readouterr()
    assert [Path(p["file"]).name for p in json.loads(shown.out)] == ["a.png", "b.png", "c.png"]
    assert "below/bad.png" in shown.err and "empty.png: the file is empty" in shown.err
    with pytest.raises(NetspecError):
        predict(case.run, folder, device="cpu")


def test_sizes_that_are_refused_do_not_stop_the_others(tmp_path: Path) -> None:
    """Of a net that takes each picture in its own size; masks come out in that size."""
    graph = net(tmp_path, "net A { image: input(1xHxW)\nconv(2, 2, stride=2) -> mask: conv_transpose(3, 2, stride=2) }\ntrain { }")
    torch.manual_seed(0)
    weights = build(graph).state_dict()
    export(graph, weights, tmp_path / "any.onnx")
    write_weights(tmp_path / "w.safetensors", weights)
    for name, size in (("a", (6, 8)), ("b", (7, 1)), ("c", (4, 2))):
        Image.fromarray(np.random.default_rng(2).integers(0, 256, size, dtype=np.uint8)).save(tmp_path / f"{name}.png")
    files = [tmp_path / f"{name}.png" for name in "abc"]
    for model in (SpecModel(graph, str(tmp_path / "w.safetensors"), "cpu"), open_model(tmp_path / "any.onnx", "cpu")):
        found = predict_each(model, files, masks=tmp_path / f"masks-{type(model).__name__}")
        assert [Path(p.file).name for p in found.predictions] == ["a.png", "c.png"]
        assert [d.code for d in found.failed] == ["N830"] and "b.png" in found.failed[0].message
        assert [decode_mask(p.read_bytes()).shape for p in sorted((tmp_path / f"masks-{type(model).__name__}").iterdir())] == [
            (6, 8),
            (4, 2),
        ]


@pytest.mark.parametrize("case", ["class"], indirect=True)
def test_the_command_shows_what_there_is(case: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = images(tmp_path, (8, 8))
    assert run(["predict", str(case.onnx), str(folder), "--device", "cpu"]) == 0
    shown = capsys.readouterr().out
    assert "kind" in shown and "place[0]" in shown
    assert run(["predict", str(case.onnx), str(tmp_path / "notexist.png"), "--device", "cpu"]) == Exit.DATA
    assert "error[N860]: nothing to predict at" in capsys.readouterr().err
