"""The lessons: their specs hold, and the driver trains them on made-up data of the layout that it documents, and makes their table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import netspec
from examples.lessons.__main__ import main
from examples.lessons.lessons import LESSONS, AtLeast, AtMost, BetterThan, Lesson
from examples.lessons.slant import slants

FEWER = tuple(replace(lesson, seeds=lesson.seeds[: 2 if lesson.name == "traffic_lights" else 1]) for lesson in LESSONS)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_spec_holds_with_its_settings(lesson: Lesson) -> None:
    assert netspec.load(lesson.path, net=lesson.net).expectations
    graph = netspec.load(lesson.path, net=lesson.net, settings={**lesson.settings, "train.seed": "2"})
    assert graph.train.values["seed"] == 2


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command names the folder of the weights to netspec by the environment, which is put back."""
    monkeypatch.setenv("NETSPEC_CACHE", "/nowhere")


def arrays(path: Path, shape: tuple[int, ...], classes: int) -> None:
    """Pictures whose brightness is their class."""
    labels = np.arange(2 * classes) % classes
    pixels = np.broadcast_to((labels * 255 // classes).reshape(-1, *(1 for _ in shape)), (len(labels), *shape)).astype(np.uint8)
    np.savez(path, x_train=pixels, y_train=labels, x_test=pixels, y_test=labels)


def folder(root: Path, classes: dict[str, tuple[int, int, int]], splits: tuple[str, ...]) -> None:
    for number, split in enumerate(splits):
        for name, colour in classes.items():
            (root / split / name).mkdir(parents=True)
            for i in range(3):
                Image.new("RGB", (20 + i, 40 + number), colour).save(root / split / name / f"{split}-{i}.png")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documented layout with a few pictures, and without the weights of MobileNetV2."""
    root = tmp_path_factory.mktemp("data")
    arrays(root / "mnist.npz", (28, 28), 10)
    arrays(root / "cifar10.npz", (32, 32, 3), 10)
    folder(root / "traffic_lights", {"red": (200, 0, 0), "yellow": (200, 200, 0), "green": (0, 200, 0)}, ("train", "test"))
    folder(root / "fruit", {f"fruit{i}": (i * 18, 90, 255 - i * 18) for i in range(14)}, ("train", "test"))
    for kind in ("images", "masks"):
        (root / "nuclei" / kind).mkdir(parents=True)
    for i in range(12):
        mask = np.zeros((64, 64), np.uint8)
        mask[i : i + 20, 8:40] = 1
        Image.fromarray(mask).save(root / "nuclei" / "masks" / f"{i:02}.png")
        Image.fromarray(mask * 100 + np.uint8(i)).save(root / "nuclei" / "images" / f"{i:02}.png")
    return root


@pytest.fixture(scope="module")
def made(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command leaves after one epoch of every lesson, with two seeds for the traffic lights and one for all others."""
    out = tmp_path_factory.mktemp("lessons")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETSPEC_CACHE", "/nowhere")
        patch.setattr("examples.lessons.__main__.LESSONS", FEWER)
        assert main(["--data", str(data), "--out", str(out), "--set", "train.epochs=1"]) == 0
    return out


def test_the_table_has_a_row_for_each_lesson_whose_data_is_there(made: Path, data: Path) -> None:
    text = (made / "table.md").read_text("utf-8")
    weights = data / "weights" / "mobilenet_v2-b0353104.pth"
    for lesson in LESSONS:
        rows = [line for line in text.splitlines() if line.startswith(f"| {lesson.name} |")]
        if "weights" in "".join(lesson.needs):
            assert not rows
            assert f"- {lesson.name} is left out: there is no {weights}." in text
        else:
            assert len(rows) == 1
            assert f"netspec train {lesson.spec} --data" in rows[0]
    assert "![loss and figures over the epochs](curves.png)" in text
    with Image.open(made / "curves.png") as picture:
        assert picture.size[0] > 1000


def test_the_data_of_the_table_holds_what_the_runs_recorded(made: Path) -> None:
    found = {row["name"]: row for row in json.loads((made / "table.json").read_text("utf-8"))["lessons"]}
    assert list(found) == [lesson.name for lesson in LESSONS]
    for lesson in FEWER:
        if lesson.needs:
            assert "left_out" in found[lesson.name]
            continue
        runs = found[lesson.name]["runs"]
        assert [run["seed"] for run in runs] == list(lesson.seeds)
        for run in runs:
            record = json.loads((made / lesson.name / f"seed-{run['seed']}" / "run.json").read_text("utf-8"))
            assert record["train"]["seed"] == run["seed"]
            assert record["test"]["values"] == run["test"]
            assert set(lesson.main) <= set(run["test"])
            assert [row["epoch"] for row in run["epochs"]] == [1]
            assert run["seconds"] > record["last"]["seconds"]
        for name in lesson.main:
            assert found[lesson.name]["test"][name] == pytest.approx(np.mean([run["test"][name] for run in runs]))


def test_finished_runs_are_kept(made: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = made / "mnist" / "seed-0" / "last.safetensors"
    before = weights.stat().st_mtime_ns
    assert main(["--data", str(data), "--out", str(made), "--set", "train.epochs=1", "mnist"]) == 0
    assert weights.stat().st_mtime_ns == before
    assert "is finished" in capsys.readouterr().out


def test_what_fails_is_told_in_the_table_and_by_the_exit_code(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mnist.npz").write_bytes(b"no archive")
    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "out"), "mnist"]) == 1
    text = (tmp_path / "out" / "table.md").read_text("utf-8")
    assert "- mnist is left out: its training failed:" in text
    assert f"- cifar10 is left out: there is no {tmp_path / 'cifar10.npz'}." in text
    assert "N712" in capsys.readouterr().err


def test_an_unknown_lesson_is_wrong_usage(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--data", str(data), "spoons"])
    assert stopped.value.code == 2
    assert "there is no lesson spoons" in capsys.readouterr().err


def test_what_is_asked_is_compared() -> None:
    others = {"plain": {"accuracy": 0.7}}
    assert AtLeast("accuracy", 0.8).holds({"accuracy": 0.8}, {}) is True
    assert AtLeast("accuracy", 0.8).holds({"accuracy": 0.79}, {}) is False
    assert AtMost("seconds", 60).holds({"seconds": 61}, {}) is False
    assert BetterThan("accuracy", "plain").holds({"accuracy": 0.7}, others) is False
    assert BetterThan("accuracy", "plain").holds({"accuracy": 0.71}, others) is True
    assert BetterThan("accuracy", "none").holds({"accuracy": 0.71}, others) is None


def test_a_slant_is_the_tangent_of_the_angle_a_stroke_leans_by() -> None:
    pixels = np.zeros((3, 28, 28), np.uint8)
    rows = np.arange(4, 24)
    pixels[0, rows, 14] = 255  # upright
    pixels[1, rows, 20 - rows // 2] = 200  # half a column to the right for each row up
    assert slants(pixels) == pytest.approx([0, 0.5, 0], abs=0.01)  # the last is empty
