"""What a run folder must bear: files gone or swapped, links and pipes in place of files, and other people's things beside them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from netspec.diagnostics import Exit, NetspecError
from netspec.graph import Graph
from netspec.report.curves import draw_curves
from netspec.training import Interrupted, load_run, train
from netspec.training.folders.folder import RunFolder, locked
from netspec.training.loop import Training
from netspec.training.measuring.sums import Sums
from tests.training.nets import graph, write_data


def refused(code: str, exits: Exit, **arguments: Any) -> str:
    with pytest.raises(NetspecError) as caught:
        train(device="cpu", **arguments)
    (found,) = caught.value.diagnostics
    assert (found.code, caught.value.exit) == (code, exits)
    return found.message


@pytest.fixture
def broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Graph, Path, Path]:
    """A net, data, and a run that was interrupted in its third epoch, with the first one as its best."""
    net, data = graph(tmp_path), write_data(tmp_path)
    steps, real = 0, Training._step

    def step(self: Training, *batch: torch.Tensor) -> Any:
        nonlocal steps
        steps += 1
        if steps == 13:
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, *batch)

    with monkeypatch.context() as patched, pytest.raises(Interrupted):
        patched.setattr(Training, "_step", step)
        train(net, data, out=tmp_path / "run", device="cpu")
    return net, data, tmp_path / "run"


def test_a_run_without_its_state_does_not_begin_anew(broken_off: tuple[Graph, Path, Path]) -> None:
    net, data, folder = broken_off
    (folder / "state.safetensors").unlink()
    before = {p.name: p.read_bytes() for p in folder.glob("*.safetensors")}
    message = refused("N753", Exit.MODEL_FILE, graph=net, data=data, out=folder, resume=True)
    assert message.startswith(f"{folder / 'state.safetensors'} cannot be used: it is missing")
    assert {p.name: p.read_bytes() for p in folder.glob("*.safetensors")} == before


def test_the_last_weights_never_pass_for_the_best(broken_off: tuple[Graph, Path, Path]) -> None:
    net, data, folder = broken_off
    (folder / "best.safetensors").unlink()
    assert "was the best" in refused("N753", Exit.MODEL_FILE, graph=net, data=data, out=folder, resume=True)
    with pytest.raises(NetspecError, match="the weights of the run are missing"):
        load_run(folder).weights()


def test_labels_in_another_order_are_not_resumed(broken_off: tuple[Graph, Path, Path]) -> None:
    net, data, folder = broken_off
    record = json.loads((folder / "run.json").read_text("utf-8"))
    (folder / "run.json").write_text(json.dumps(record | {"classes": {"output": record["classes"]["output"][::-1]}}), "utf-8")
    refused("N755", Exit.DATA, graph=net, data=data, out=folder, resume=True)
    with pytest.raises(NetspecError, match=r"not those of run\.json"):
        load_run(folder).weights()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes by name here")
def test_links_and_pipes_in_place_of_files(broken_off: tuple[Graph, Path, Path], tmp_path: Path) -> None:
    net, data, folder = broken_off
    precious = tmp_path / "precious"
    precious.write_text("old", "utf-8")
    (folder / ".lock").unlink()
    (folder / ".lock").symlink_to(precious)
    refused("N756", Exit.ENVIRONMENT, graph=net, data=data, out=folder, resume=True)
    assert precious.read_text("utf-8") == "old"
    (folder / ".lock").unlink()
    os.mkfifo(folder / ".lock")
    refused("N756", Exit.ENVIRONMENT, graph=net, data=data, out=folder, resume=True)
    (folder / "run.json").unlink()
    os.mkfifo(folder / "run.json")
    refused("N801", Exit.MODEL_FILE, graph=net, data=data, out=folder, resume=True)


def test_runs_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").touch()
    refused("N756", Exit.ENVIRONMENT, graph=graph(tmp_path), data=write_data(tmp_path))


def test_what_was_there_before_stays(tmp_path: Path) -> None:
    net, absent, folder = graph(tmp_path), tmp_path / "absent.npz", tmp_path / "mine"
    folder.mkdir()
    refused("N701", Exit.DATA, graph=net, data=absent, out=folder)
    assert list(folder.iterdir()) == []
    (folder / ".notes.tmp").touch()
    refused("N750", Exit.USAGE, graph=net, data=absent, out=folder)
    assert [p.name for p in folder.iterdir()] == [".notes.tmp"]


def test_who_comes_second_takes_nothing_away(tmp_path: Path) -> None:
    """The first training is still reading its images, so that its folder holds nothing but the lock."""
    net, data, folder = graph(tmp_path), write_data(tmp_path), tmp_path / "run"
    folder.mkdir()
    with locked(RunFolder(folder, made=True)):
        refused("N752", Exit.ENVIRONMENT, graph=net, data=data, out=folder)
        assert (folder / ".lock").exists()


def test_losses_whose_sum_is_too_large_are_not_finite() -> None:
    """Each loss is a number, and their mean would be written as none."""
    sums = Sums(("loss", "accuracy"), {}, 0, torch.device("cpu"))
    sums.add({"loss": torch.tensor(1e308, dtype=torch.float64), "accuracy": torch.tensor(0)})
    assert sums.first_bad_step() is None
    sums.add({"loss": torch.tensor(1e308, dtype=torch.float64), "accuracy": torch.tensor(0)})
    assert sums.first_bad_step() == 2


def test_a_name_in_other_letters_is_drawn_in_silence(recwarn: pytest.WarningsRecorder) -> None:
    draw_curves("日本", [], None, None)
    assert not recwarn.list
