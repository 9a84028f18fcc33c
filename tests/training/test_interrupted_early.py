"""Ctrl-C while the frozen part is computed, before a first step: the run says so, its record too, and it goes on to the same end."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from torch import Tensor

from netspec.graph import Graph
from netspec.training import train
from netspec.training.features.frozen_part import FrozenPart
from netspec.training.stopping import Interrupted
from tests.training.nets import write_data
from tests.training.swift import Places, places, undrawn
from tests.training.test_kept_values import outcome, written

__all__ = ["places", "undrawn"]
pytestmark = pytest.mark.usefixtures("undrawn")

FROM_THE_START = 'freeze = "base"\n    epochs = 2'
LATER = 'epochs = 2\n    all { }\n    last { freeze = "base", optimizer = sgd(lr=0.1) }'


def status(run: Path) -> str:
    found: str = json.loads((run / "run.json").read_text("utf-8"))["status"]
    return found


def interrupted(net: Graph, data: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send Ctrl-C as soon as values of the frozen part are about to be computed."""
    features = FrozenPart.features

    def asked(self: FrozenPart, *args: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return features(self, *args)

    with monkeypatch.context() as patched:
        patched.setattr(FrozenPart, "features", asked)
        with pytest.raises(Interrupted, match="go on with the same command and --resume"):
            train(net, data, out=run, device="cpu")


@pytest.mark.parametrize(("text", "epochs", "where"), [(FROM_THE_START, 0, "epoch 1 of 2"), (LATER, 2, r"epoch 3 of 4 (stage last)")])
def test_before_the_first_step_of_a_stage(
    tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch, text: str, epochs: int, where: str
) -> None:
    places("memory")
    net, data = written(tmp_path, text), write_data(tmp_path, train=24, val=8, test=8)
    train(net, data, out=tmp_path / "whole", device="cpu")
    run = tmp_path / "broken"
    interrupted(net, data, run, monkeypatch)
    assert status(run) == "interrupted"
    assert json.loads((run / "run.json").read_text("utf-8"))["epochs_done"] == epochs
    said = StringIO()
    train(net, data, out=run, resume=True, device="cpu", console=Console(file=said, width=200))
    assert f"going on in {where}\n" in said.getvalue()
    assert status(run) == "finished"
    assert outcome(run) == outcome(tmp_path / "whole")


def test_before_anything_was_saved(tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second Ctrl-C does not wait, and leaves a record that says that the run was broken off."""
    places("memory")
    net, data = written(tmp_path, FROM_THE_START), write_data(tmp_path, train=24, val=8, test=8)

    def broken(*_: Any, **__: Any) -> Iterator[Tensor]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("netspec.training.run.build", broken)
        with pytest.raises(KeyboardInterrupt):
            train(net, data, out=tmp_path / "run", device="cpu")
    assert status(tmp_path / "run") == "interrupted"
    said = StringIO()
    train(net, data, out=tmp_path / "run", resume=True, device="cpu", console=Console(file=said, width=200))
    assert "going on from the beginning: no step was saved" in said.getvalue()
    assert status(tmp_path / "run") == "finished"


def test_a_run_that_was_not_broken_off_says_nothing_of_going_on(tmp_path: Path, places: Places) -> None:
    places("memory")
    said = StringIO()
    net, data = written(tmp_path, FROM_THE_START), write_data(tmp_path, train=24, val=8, test=8)
    train(net, data, out=tmp_path / "run", device="cpu", console=Console(file=said, width=200))
    assert "going on" not in said.getvalue()
