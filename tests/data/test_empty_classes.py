"""Classes without images: an error that says how to allow them, and what they are where they are allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import netspec
from netspec.cli.main import run
from netspec.data import Allowed, open_data, preflight
from netspec.diagnostics import Exit, NetspecError
from tests.data.pictures import task, write_folder

EMPTY = Allowed(empty_classes=True)
SPEC = """net Pets(classes = 3) {{ image: input(3x8x8)
  conv(4, 3) -> relu -> global_avgpool -> flatten -> linear(classes) }}
train {{ epochs = 1, batch = 4, loss = {loss} }}"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(
        tmp_path / "pets", {"train/cat": 4, "train/dog": 0, "train/hamster": 6, "val/cat": 2, "val/dog": 1, "val/hamster": 2}
    )


def spec(folder: Path, loss: str = "cross_entropy") -> str:
    (folder.parent / "pets.net").write_text(SPEC.format(loss=loss))
    return str(folder.parent / "pets.net")


def test_the_error_names_the_option(folder: Path) -> None:
    with pytest.raises(NetspecError) as caught:
        open_data(folder, task(3))
    (found,) = caught.value.diagnostics
    assert found.code == "N704"
    assert "--allow-empty-class" in (found.problem.help() or "")


def test_it_keeps_its_number(folder: Path) -> None:
    opened = open_data(folder, task(3), allowed=EMPTY)
    assert opened.classes["output"] == ("cat", "dog", "hamster")
    assert opened.train is not None and opened.val is not None
    assert opened.train.target("output").tolist() == [0] * 4 + [2] * 6
    assert opened.val.target("output").tolist() == [0, 0, 1, 2, 2]
    (warning,) = opened.warnings
    assert warning.code == "N730"
    assert warning.message() == f"1 class without a sample in {folder / 'train'}: dog"
    (counts,) = opened.report.counts
    assert counts.splits["train"] == (4, 0, 6)


def test_shares_are_drawn_without_it(tmp_path: Path) -> None:
    opened = open_data(write_folder(tmp_path, {"a": 10, "b": 0, "c": 10}), task(3), allowed=EMPTY)
    assert opened.counts() == {"train": 16, "val": 2, "test": 2}
    assert {w.code for w in opened.warnings} == {"N730"}, "that val and test have none follows"


@pytest.mark.parametrize(("outputs", "codes"), [(3, ["N704"]), (2, ["N704"]), (4, ["N704", "N710"])])
def test_it_may_be_taken_out(tmp_path: Path, outputs: int, codes: list[str]) -> None:
    """So the net may tell apart as many classes as are left."""
    with pytest.raises(NetspecError) as raised:
        open_data(write_folder(tmp_path, {"a": 10, "b": 0, "c": 10}), task(outputs))
    assert sorted(d.code for d in raised.value.diagnostics if d.problem.severity == "error") == codes


def test_two_classes_have_to_be_left(tmp_path: Path) -> None:
    report = preflight(write_folder(tmp_path, {"a": 3, "b": 0, "c": 0}), task(3), allowed=EMPTY)
    assert [p.code for p in report.problems if p.severity == "error"] == ["N705"]
    report = preflight(write_folder(tmp_path / "none", {"a": 0, "b": 0}), task(2), allowed=EMPTY)
    assert [p.code for p in report.problems] == ["N703"]


@pytest.mark.parametrize("loss", ["cross_entropy", "cross_entropy(weight=balanced)", "focal"])
def test_it_is_trained_gone_on_with_and_measured(folder: Path, loss: str, tmp_path: Path, capsys: Any) -> None:
    """What a run was begun with holds when it goes on; a model that has the class is measured without an option."""
    net, out = spec(folder, loss), str(tmp_path / "run")
    assert run(["train", net, "--data", str(folder), "--out", out]) == Exit.DATA
    assert run(["train", net, "--data", str(folder), "--out", out, "--allow-empty-class"]) == Exit.FINE
    assert "warning[N730]" in capsys.readouterr().out
    (tmp_path / "run/run.json").write_text((tmp_path / "run/run.json").read_text().replace('"finished"', '"interrupted"'))
    assert run(["train", net, "--data", str(folder), "--out", out, "--resume"]) == Exit.FINE
    assert run(["eval", out, "--data", str(folder), "--split", "val"]) == Exit.FINE
    assert run(["eval", out, "--data", str(folder), "--split", "train"]) == Exit.FINE
    assert "train has no sample of 1 of the 3 classes: dog" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["check", "plan", "preview"])
def test_every_command_that_opens_data_has_the_option(folder: Path, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    asked = [command, spec(folder), "--data", str(folder)]
    assert run(asked) == Exit.DATA
    assert run([*asked, "--allow-empty-class"]) == Exit.FINE


def test_python_has_it_as_well(folder: Path) -> None:
    net = spec(folder)
    assert netspec.preflight(net, folder).failed
    assert not netspec.preflight(net, folder, allow_empty_class=True).failed
    assert netspec.plan(net, folder, device="cpu", allow_empty_class=True)
