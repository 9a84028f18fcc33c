"""Prediction and evaluation: from a run and from its ONNX file, with the same answers and the right labels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from rich.console import Console

from netspec.backends.onnx import export
from netspec.backends.torch.weights import read_file, write_weights
from netspec.diagnostics import Exit, NetspecError
from netspec.inference import evaluate, open_model, predict
from netspec.inference.exported import OnnxModel
from netspec.report.answers import show_predictions
from netspec.report.models import Evaluation
from netspec.report.tables import show_evaluation
from netspec.training import load_run, train
from tests.data.pictures import encoded, noise
from tests.training.nets import BODY, graph, write_data

COLORS = {"zebra": 30, "ant": 220, "mole": 120}
"""Three classes of grey pictures, in an order that is not the alphabet's."""


def grey_folder(root: Path, count: int = 12) -> Path:
    generator = np.random.default_rng(0)
    for name, level in COLORS.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            values = np.clip(level + generator.integers(-20, 20, (10, 9)), 0, 255).astype(np.uint8)
            (root / name / f"{number:02}.png").write_bytes(encoded(Image.fromarray(values)))
    return root


def exported(run: Path, path: Path) -> Path:
    loaded = load_run(run)
    file = read_file(loaded.folder.weights(loaded.record))
    export(loaded.graph, file.tensors, path, classes=json.loads(file.metadata["netspec.classes"]))
    return path


@pytest.fixture(scope="module", params=["", " -> softmax"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A run, its ONNX file, and the images it was trained on."""
    folder = tmp_path_factory.mktemp("trained")
    data = grey_folder(folder / "animals")
    train(graph(folder, BODY + request.param, epochs="15", seed="3"), data, out=folder / "run", device="cpu")
    return folder / "run", exported(folder / "run", folder / "net.onnx"), data


def test_labels_are_right_and_both_ways_agree(trained: tuple[Path, Path, Path]) -> None:
    run, model, data = trained
    from_run, from_onnx = predict(run, [data], device="cpu"), predict(model, [data], device="cpu", batch=5)
    assert len(from_run) == 36
    assert [p.file for p in from_run] == [str(data / n / f"{i:02}.png") for n in sorted(COLORS) for i in range(12)]
    right = sum(Path(p.file).parent.name == p.label for p in from_run)
    assert right >= 34
    for ours, theirs in zip(from_run, from_onnx, strict=True):
        assert (ours.file, ours.label) == (theirs.file, theirs.label)
        first, second = ({o.label: o.probability for o in p.top} for p in (ours, theirs))
        assert first == pytest.approx(second, abs=1e-5)
        assert sum(first.values()) == pytest.approx(1, abs=1e-5)


def test_an_answer_does_not_depend_on_its_neighbours(trained: tuple[Path, Path, Path]) -> None:
    run, _, data = trained
    every = predict(run, [data], device="cpu")
    alone = predict(run, [Path(every[7].file)], device="cpu", top=1)
    assert alone[0].label == every[7].label
    assert alone[0].probability == pytest.approx(every[7].probability, abs=1e-6)
    assert len(alone[0].top) == 1


def test_evaluation_of_both(trained: tuple[Path, Path, Path]) -> None:
    run, model, data = trained
    record = load_run(run).record
    found = evaluate(run, data, device="cpu")
    assert found.split == "test"
    assert record.test is not None
    assert (found.images, found.figures["accuracy"]) == (record.test.images, record.test.values["accuracy"])
    assert found.figures == pytest.approx(record.test.values, abs=1e-6)
    whole, from_onnx = evaluate(run, data, split="all", device="cpu"), evaluate(model, data, device="cpu")
    assert whole.split == from_onnx.split == "all"
    ours, theirs = whole.outputs["output"], from_onnx.outputs["output"]
    assert ours == theirs
    assert whole.figures == pytest.approx(from_onnx.figures, abs=1e-5)
    refused(lambda: evaluate(model, data, split="test", device="cpu"), Exit.DATA, "N726")
    assert [c.label for c in ours.classes] == sorted(COLORS)
    assert [c.images for c in ours.classes] == [12, 12, 12]
    assert sum(map(sum, ours.confusion)) == 36
    assert evaluate(run, data, split="train", device="cpu").images == record.data.counts["train"]
    assert Evaluation.model_validate_json(whole.model_dump_json()) == whole


def test_tables(trained: tuple[Path, Path, Path]) -> None:
    run, _, data = trained
    console = Console(width=160, record=True, file=StringIO())
    show_evaluation(console, evaluate(run, data, split="all", device="cpu"))
    show_predictions(console, predict(run, [data / "mole" / "00.png"], device="cpu"))
    text = console.export_text()
    assert "on 36 images (all)" in text
    assert "mole/00.png" in text.replace("\n", "")


@pytest.mark.parametrize("ending", ["linear(1)", "linear(1) -> sigmoid"])
def test_one_output_is_the_second_class(tmp_path: Path, ending: str) -> None:
    data = grey_folder(tmp_path / "animals")
    for image in (data / "mole").iterdir():
        image.unlink()
    (data / "mole").rmdir()
    train(graph(tmp_path, f"flatten -> {ending}", epochs="40"), data, out=tmp_path / "run", device="cpu")
    model = exported(tmp_path / "run", tmp_path / "net.onnx")
    for found in (predict(tmp_path / "run", [data], device="cpu"), predict(model, [data], device="cpu")):
        assert all(p.label == Path(p.file).parent.name for p in found)
        assert all(p.probability >= 0.5 and p.top[0].probability + p.top[1].probability == pytest.approx(1) for p in found)
    first, second = evaluate(tmp_path / "run", data, split="all", device="cpu"), evaluate(model, data, device="cpu")
    assert first.figures["accuracy"] == second.figures["accuracy"] == 1.0
    assert first.figures["loss"] == pytest.approx(second.figures["loss"], abs=1e-5)


def test_what_a_deployed_model_sees_is_what_training_saw(trained: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """The same picture as grey, as RGB and turned by its EXIF data gets the same answer."""
    run, model, data = trained
    original = data / "ant" / "00.png"
    with Image.open(original) as image:
        grey = image.copy()
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "rgb.png").write_bytes(encoded(grey.convert("RGB")))
    (tmp_path / "turned.png").write_bytes(encoded(grey.transpose(Image.Transpose.ROTATE_90), exif=exif))
    for way in (run, model):
        answers = predict(way, [original, tmp_path / "rgb.png", tmp_path / "turned.png"], device="cpu")
        assert len({a.probability for a in answers}) == 1


def refused(work: Callable[[], object], exits: Exit, code: str) -> str:
    with pytest.raises(NetspecError) as caught:
        work()
    (found,) = caught.value.diagnostics
    assert (caught.value.exit, found.code) == (exits, code)
    return "\n".join([found.message, *found.problem.notes(), str(found.problem.help())])


def test_files_that_cannot_be_predicted(trained: tuple[Path, Path, Path], tmp_path: Path) -> None:
    run, _, data = trained
    (tmp_path / "bad.jpg").write_bytes(b"GIF89a")
    text = refused(lambda: predict(run, [data / "ant", tmp_path / "bad.jpg"], device="cpu"), Exit.DATA, "N711")
    assert f"{tmp_path / 'bad.jpg'} is not an image that can be read" in text
    refused(lambda: predict(run, [tmp_path / "absent.jpg"], device="cpu"), Exit.DATA, "N860")
    (tmp_path / "empty").mkdir()
    refused(lambda: predict(run, [tmp_path / "empty"], device="cpu"), Exit.DATA, "N860")


def test_evaluation_on_other_data(trained: tuple[Path, Path, Path], tmp_path: Path) -> None:
    run, _, data = trained
    for seed, name in enumerate(("ant", "bear", "mole")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(encoded(noise(seed, 8, "L")))
    text = refused(lambda: evaluate(run, tmp_path, split="all", device="cpu"), Exit.DATA, "N708")
    assert "are not those of the model: it lacks zebra and has bear, which the model has not" in text
    np.savez(tmp_path / "numbered.npz", x_train=np.stack([noise(n, 8, "L") for n in range(3)]), y_train=np.arange(3))
    text = refused(lambda: evaluate(run, tmp_path / "numbered.npz", split="all", device="cpu"), Exit.DATA, "N708")
    assert "it lacks ant, mole and zebra and has 0, 1 and 2, which the model has not" in text
    text = refused(lambda: evaluate(run, data, split="nonsense", device="cpu"), Exit.DATA, "N718")
    assert "train, val and test" in text


def test_classes_of_other_data_are_matched_by_name(trained: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """In whatever order the data has them, and where it lacks one."""
    run, model, _ = trained
    generator, names = np.random.default_rng(5), ("ant", "mole", "zebra")
    labels = np.array([0, 1, 2, 0, 1, 1])
    pixels = np.stack([generator.integers(0, 40, (8, 8)) + COLORS[names[n]] - 20 for n in labels]).astype(np.uint8)
    for file, order in (("same", [0, 1, 2]), ("other", [2, 0, 1])):
        numbers = np.array([order.index(n) for n in labels])
        np.savez(tmp_path / f"{file}.npz", x_train=pixels, y_train=numbers, classes=[names[n] for n in order])
    same, other, by_onnx = (
        evaluate(way, tmp_path / f"{file}.npz", split="all", device="cpu").outputs["output"]
        for way, file in ((run, "same"), (run, "other"), (model, "other"))
    )
    assert same == other == by_onnx
    assert [(c.label, c.images) for c in same.classes] == [("ant", 2), ("mole", 3), ("zebra", 1)]
    assert sum(c.correct for c in same.classes) >= 5
    np.savez(tmp_path / "fewer.npz", x_train=pixels[labels < 2], y_train=1 - labels[labels < 2], classes=["mole", "ant"])
    fewer = evaluate(run, tmp_path / "fewer.npz", split="all", device="cpu").outputs["output"]
    assert fewer.classes[:2] == same.classes[:2]
    assert (fewer.classes[2].label, fewer.classes[2].images, fewer.classes[2].accuracy) == ("zebra", 0, None)


def test_data_that_has_grown_is_not_divided_as_it_was(trained: tuple[Path, Path, Path], tmp_path: Path) -> None:
    run, _, data = trained
    grown = tmp_path / "grown"
    shutil.copytree(data, grown)
    for picture in sorted(grown.rglob("*.png"))[::2]:
        Image.open(picture).transpose(Image.Transpose.ROTATE_90).save(picture.with_name(f"new-{picture.name}"))
    refused(lambda: evaluate(run, grown, device="cpu"), Exit.DATA, "N725")
    assert evaluate(run, grown, split="all", device="cpu").images > evaluate(run, data, split="all", device="cpu").images


def test_things_that_are_no_model(trained: tuple[Path, Path, Path], tmp_path: Path) -> None:
    _, model, data = trained
    picture = [data / "ant" / "00.png"]
    refused(lambda: predict(tmp_path / "absent", picture), Exit.MODEL_FILE, "N764")
    refused(lambda: predict(picture[0], picture), Exit.MODEL_FILE, "N764")
    refused(lambda: predict(tmp_path, picture), Exit.USAGE, "N751")
    stranger = onnx.load(model)
    del stranger.metadata_props[:]
    onnx.save(stranger, tmp_path / "stranger.onnx")
    text = refused(lambda: predict(tmp_path / "stranger.onnx", picture), Exit.MODEL_FILE, "N764")
    assert "it does not say which activation its one output ends in" in text
    broken = onnx.load(model)
    for entry in broken.metadata_props:
        if entry.key == "netspec.classes":
            entry.value = "ant, bear"
    onnx.save(broken, tmp_path / "broken.onnx")
    text = refused(lambda: predict(tmp_path / "broken.onnx", picture), Exit.MODEL_FILE, "N764")
    assert "what it says of its classes is no such thing" in text
    renamed = onnx.load(model)
    for entry in renamed.metadata_props:
        if entry.key == "netspec.classes":
            entry.value = '["one", "two"]'
    onnx.save(renamed, tmp_path / "two.onnx")
    text = refused(lambda: predict(tmp_path / "two.onnx", picture), Exit.MODEL_FILE, "N765")
    assert "has 2 class labels for 3 outputs" in text
    refused(lambda: predict(model, picture, device="cuda"), Exit.ENVIRONMENT, "N816") if not torch.cuda.is_available() else None
    refused(lambda: predict(model, picture, device="tpu"), Exit.ENVIRONMENT, "N758")


def copied(run: Path, to: Path) -> Path:
    to.mkdir()
    for name in ("spec.net", "run.json", "best.safetensors"):
        (to / name).write_bytes((run / name).read_bytes())
    return to


def test_runs_that_were_tampered_with(trained: tuple[Path, Path, Path], tmp_path: Path) -> None:
    run, _, data = trained
    picture = [data / "ant" / "00.png"]
    file = read_file(run / "best.safetensors")
    metadata = {k: v for k, v in file.metadata.items() if k in ("netspec.name", "netspec.epoch")}

    swapped = copied(run, tmp_path / "labels")
    write_weights(swapped / "best.safetensors", file.tensors, metadata | {"netspec.classes": '["mole", "ant", "zebra"]'})
    assert "not those of run.json" in refused(lambda: predict(swapped, picture), Exit.MODEL_FILE, "N753")

    other = copied(run, tmp_path / "spec")
    (other / "spec.net").write_text((run / "spec.net").read_text("utf-8").replace("conv(4", "conv(5"), "utf-8")
    refused(lambda: predict(other, picture), Exit.MODEL_FILE, "N763")
    (other / "spec.net").write_text("net {", "utf-8")
    refused(lambda: predict(other, picture), Exit.MODEL_FILE, "N763")
    (other / "spec.net").unlink()
    refused(lambda: predict(other, picture), Exit.MODEL_FILE, "N753")

    empty = copied(run, tmp_path / "empty")
    (empty / "best.safetensors").unlink()
    assert "the weights of the run are missing" in refused(lambda: predict(empty, picture), Exit.MODEL_FILE, "N753")
    record = json.loads((empty / "run.json").read_text("utf-8")) | {"epochs_done": 0}
    (empty / "run.json").write_text(json.dumps(record), "utf-8")
    assert "no epoch was complete" in refused(lambda: predict(empty, picture), Exit.MODEL_FILE, "N753")


def test_an_answer_that_is_not_finite(trained: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, model, data = trained

    def spoilt(self: OnnxModel, given: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor]:
        (pixels,) = given.values()
        return (torch.where((pixels.flatten(1).float().mean(1) < 60)[:, None], torch.nan, 1.0).expand(-1, 3),)

    monkeypatch.setattr(OnnxModel, "_raw", spoilt)
    text = refused(lambda: predict(model, [data / "ant", data / "zebra"], device="cpu"), Exit.NUMBERS, "N951")
    assert f"the net's answer to {data / 'zebra' / '00.png'} is not finite" in text
    refused(lambda: evaluate(model, data, device="cpu"), Exit.NUMBERS, "N951")


def test_mnist_digits_by_an_unsplit_array(tmp_path: Path) -> None:
    """Data in an ``.npz`` is evaluated as it was divided in training."""
    data = write_data(tmp_path, train=60, val=0, test=0)
    train(graph(tmp_path), data, out=tmp_path / "run", device="cpu")
    model = open_model(tmp_path / "run", "cpu")
    assert model.classes == ("0", "1", "2")
    found = evaluate(tmp_path / "run", data, device="cpu")
    assert (found.split, found.images) == ("test", 6)
