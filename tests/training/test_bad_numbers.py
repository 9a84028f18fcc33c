"""Numbers that are none, losses that are odd, devices that fail: what is said of them, and what is kept."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from netspec.backends.torch import build
from netspec.backends.torch.weights import read_weights
from netspec.diagnostics import Exit
from netspec.report.models import EpochRow
from netspec.training import train
from netspec.training.loop import Training
from netspec.training.oddities import odd_losses
from tests.training.nets import graph, write_data
from tests.training.swift import at_step, failing, said, undrawn
from tests.training.test_faults import weights

__all__ = ["undrawn"]


class _Spoils(torch.nn.Module):
    """Gives what is no number from its third batch on."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def forward(self, x: Tensor) -> Tensor:
        self.seen += 1
        return x * (math.nan if self.seen >= 3 else 1)


def test_the_first_layer_that_is_not_finite_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer in the middle, and one behind it; the weights are still those of before."""
    body = "stem: conv(4, 3) -> spoils: relu -> flatten -> head: linear(classes)"

    def built(model: Any) -> Any:
        made = build(model)
        spoils, layer = _Spoils(), made.get_submodule("spoils")
        monkeypatch.setattr(layer, "forward", spoils.forward)
        return made

    monkeypatch.setattr("netspec.training.run.build", built)
    problem = failing("N950", Exit.NUMBERS, graph=graph(tmp_path, body), data=write_data(tmp_path), out=tmp_path / "run")
    assert problem.message() == "the loss is not finite in epoch 1, step 3"
    assert "the layer spoils is the first that is not" in list(problem.notes())


def test_a_gradient_that_is_not_finite_is_seen_in_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its step spoils a weight, which is named; nothing of it is kept."""

    def spoil(self: Training) -> None:
        self.learner.parameters()[0].grad.fill_(math.inf)  # type: ignore[union-attr]

    at_step(monkeypatch, 7, spoil)
    model = graph(tmp_path, "stem: conv(4, 3) -> relu -> flatten -> head: linear(classes)", optimizer="sgd")
    problem = failing("N950", Exit.NUMBERS, graph=model, data=write_data(tmp_path), out=tmp_path / "run")
    assert problem.message() == "the loss is not finite in epoch 2, step 3"
    assert "the weight stem.weight is the first that is not" in list(problem.notes())
    for name in ("last", "best", "state"):
        assert all(bool(t.isfinite().all()) for t in read_weights(tmp_path / f"run/{name}.safetensors").values())


def rows(*losses: float, stage: str = "") -> list[EpochRow]:
    return [
        EpochRow(epoch=i + 1, stage=stage, train={"loss": loss}, val={}, lr=0.1, seconds=1, images_per_second=1)
        for i, loss in enumerate(losses)
    ]


@pytest.mark.parametrize(
    ("losses", "codes"),
    [
        ((1.0, 0.9, 0.8, 0.7), []),
        ((1.1, 0.5, 6.0, 9.0), ["N854"]),
        ((1.1, 0.5, 4.9), []),
        ((1.0, 0.001, 0.9), []),
        ((1.0, 0.05, 2.0, 0.01, 3.0), ["N854"]),
        ((1.0986, 1.0986, 1.0986, 1.0986), ["N855"]),
        ((1.0986, 1.0986), []),
        ((1.0986, 1.0984, 1.0982), []),
        ((0.0, 0.0, 0.0), []),
    ],
)
def test_losses_that_are_odd(losses: tuple[float, ...], codes: list[str]) -> None:
    assert [problem.code for problem in odd_losses(rows(*losses))] == codes


def test_each_stage_has_losses_of_its_own() -> None:
    both = [*rows(9.0, 0.5, stage="a"), *rows(20.0, 19.0, 18.0, stage="b")]
    assert list(odd_losses(both)) == []
    (one,) = odd_losses([*rows(1.0, 0.9, stage="a"), *rows(2.0, 2.0, 2.0, stage="b")])
    assert one.message() == "the loss of stage b has been 2 in all of its first 3 epochs: nothing is learned"


def test_a_loss_that_stands_still_is_told_and_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = said(monkeypatch)
    body = "flatten -> linear(8) -> relu -> linear(classes)"
    train(graph(tmp_path, body, optimizer="sgd(lr=1e-12)", epochs="4"), write_data(tmp_path), out=tmp_path / "run", device="cpu")
    assert sum(line.startswith("warning[N855]: the loss has been ") for line in lines) == 1
    assert "in all of its first 3 epochs: nothing is learned" in (tmp_path / "run/report.html").read_text("utf-8")


def test_a_loss_that_explodes_is_told_and_the_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = said(monkeypatch)
    monkeypatch.setattr("netspec.training.steps.learning_rate", lambda *a: 0.01 if a[2] < 15 else 30.0)
    body = "flatten -> linear(8) -> linear(classes)"
    record = train(graph(tmp_path, body, epochs="5"), write_data(tmp_path), out=tmp_path / "run", device="cpu").record
    assert record.status == "finished"
    assert sum(line.startswith("warning[N854]: the loss is ") for line in lines) == 1


# ---- the device


def raising(error: Exception) -> Callable[[Training], None]:
    def fail(_: Training) -> None:
        raise error

    return fail


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: uncorrectable ECC error encountered\nCUDA kernel errors might be asynchronously reported"),
        RuntimeError("CUDA error: unspecified launch failure"),
    ],
    ids=["error of an accelerator", "plain error"],
)
def test_a_device_that_fails_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    model, data = graph(tmp_path), write_data(tmp_path)
    train(model, data, out=tmp_path / "whole", device="cpu")
    with monkeypatch.context() as patched:
        at_step(patched, 12, raising(error))
        problem = failing("N856", Exit.ENVIRONMENT, graph=model, data=data, out=tmp_path / "run")
    assert problem.message() == f"cpu has failed after 2 epochs: {str(error).splitlines()[0]}"
    assert str(tmp_path / "run/state.safetensors") in next(iter(problem.notes()))
    assert json.loads((tmp_path / "run/run.json").read_text("utf-8"))["status"] == "failed"
    train(model, data, out=tmp_path / "run", resume=True, device="cpu")
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


@pytest.mark.parametrize("error", [RuntimeError("a bug"), torch.OutOfMemoryError("CUDA out of memory")])
def test_other_errors_are_not_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    at_step(monkeypatch, 1, raising(error))
    with pytest.raises(type(error), match=str(error)):
        train(graph(tmp_path), write_data(tmp_path), out=tmp_path / "run", device="cpu")
