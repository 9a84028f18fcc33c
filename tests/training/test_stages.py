"""Stages: what learns in each, what stays bit for bit, and what a training leaves of them."""

from __future__ import annotations

import csv
import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from netspec.backends.torch import CompiledNet
from netspec.backends.torch.weights import read_weights
from netspec.diagnostics import Exit, NetspecError
from netspec.training import train
from netspec.training.learning.learner import Learner
from netspec.training.loop import Training
from tests.training.nets import write_data
from tests.training.staged import staged

TWO = """
    optimizer = sgd(lr=0.05, momentum=0.9)
    warm { epochs = 2, freeze = "base" }
    tune { epochs = 2, unfreeze = "base[-3:]" }
"""


def starts(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, torch.Tensor]]:
    """The state dicts with which stages begin, as they begin."""
    found: list[dict[str, torch.Tensor]] = []
    real = Learner.enter

    def enter(self: Learner, *arguments: Any) -> None:
        real(self, *arguments)
        if all(type(tensor) is torch.Tensor for tensor in self.net.state_dict().values()):  # and no plan of one, which holds no numbers
            found.append({key: t.clone() for key, t in self.net.state_dict().items()})

    monkeypatch.setattr(Learner, "enter", enter)
    return found


def test_each_stage_trains_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begins = starts(monkeypatch)
    result = train(staged(tmp_path, TWO), write_data(tmp_path), out=tmp_path / "run", device="cpu")
    end = read_weights(tmp_path / "run/last.safetensors")
    assert len(begins) == 2
    changed = [{k for k in a if not torch.equal(a[k], b[k])} for a, b in ((begins[0], begins[1]), (begins[1], end))]
    assert changed[0] == {"head.0.weight", "head.0.bias", "head.2.weight", "head.2.bias"}
    assert changed[1] == changed[0] | {k for k in end if k.startswith(("base.3.", "base.4."))}
    assert [(s.name, s.first_epoch, s.last_epoch, s.stopped) for s in result.record.stages] == [
        ("warm", 1, 2, False),
        ("tune", 3, 4, False),
    ]
    assert [(f.region, f.tensors, f.of) for s in result.record.stages for f in s.frozen] == [("base", 14, 14), ("base", 7, 14)]
    rows = list(csv.DictReader(StringIO((tmp_path / "run/history.csv").read_text("utf-8"))))
    assert [r["stage"] for r in rows] == ["warm", "warm", "tune", "tune"]
    stored = json.loads((tmp_path / "run/run.json").read_text("utf-8"))
    assert [s["name"] for s in stored["train"]["stages"]] == ["warm", "tune"]


@pytest.mark.parametrize(
    "optimizer",
    [
        "sgd(lr=0.05, momentum=0.9, weight_decay=0.1, nesterov=true)",
        "adam(lr=0.01, weight_decay=0.1)",
        "adamw(lr=0.01, weight_decay=0.5)",
        "rmsprop(lr=0.003, momentum=0.5, centered=true, weight_decay=0.1)",
        "nadam(lr=0.01, weight_decay=0.1)",
        "adagrad(lr=0.05, weight_decay=0.1)",
    ],
)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_frozen_is_bit_identical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str, precision: str) -> None:
    """Weights, running statistics and counts of a region, with a running mean and decay, with the base learning before."""
    text = f"""
        optimizer = {optimizer}
        ema = 0.9
        precision = {precision}
        all {{ epochs = 1 }}
        head {{ epochs = 2, freeze = "base" }}
    """
    begins = starts(monkeypatch)
    record = train(staged(tmp_path, text), write_data(tmp_path), out=tmp_path / "run", device="cpu").record
    state = read_weights(tmp_path / "run/state.safetensors")
    base = [key for key in begins[1] if key.startswith("base.")]
    assert len(base) == 14
    for key in base:
        assert state[f"model.{key}"].numpy().tobytes() == begins[1][key].numpy().tobytes(), key
        assert not torch.equal(begins[0][key], begins[1][key]), f"{key} learned before"
    assert record.versions.precision == precision
    assert record.stages[1].frozen[0].tensors == 14
    assert not torch.equal(state["model.head.0.weight"], begins[1]["head.0.weight"])


def test_a_mean_does_not_drift_while_frozen(tmp_path: Path) -> None:
    text = 'ema = 0.9\n    optimizer = adam(lr=0.01)\n    all { epochs = 1 }\n    head { epochs = 3, freeze = "base" }'
    train(staged(tmp_path, text.replace("3, freeze", "1, freeze")), write_data(tmp_path), out=tmp_path / "a", device="cpu")
    train(staged(tmp_path, text), write_data(tmp_path), out=tmp_path / "b", device="cpu")
    short, long = (read_weights(tmp_path / f"{run}/last.safetensors") for run in "ab")
    assert all(torch.equal(short[k], long[k]) for k in short if k.startswith("base."))
    assert not torch.equal(short["head.0.weight"], long["head.0.weight"])


def test_a_frozen_tensor_that_changes_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Training._update

    def spoilt(self: Training) -> None:
        real(self)
        if self.position.stage == 0:
            with torch.no_grad():
                self.net.state_dict()["base.1.running_mean"][0] += 1e-7

    monkeypatch.setattr(Training, "_update", spoilt)
    with pytest.raises(NetspecError) as caught:
        train(staged(tmp_path, TWO), write_data(tmp_path), out=tmp_path / "run", device="cpu")
    (found,) = caught.value.diagnostics
    assert (found.code, caught.value.exit) == ("N766", Exit.NUMBERS)
    assert found.message == "1 frozen tensor changed in stage warm: base.1.running_mean"
    assert json.loads((tmp_path / "run/run.json").read_text("utf-8"))["status"] == "failed"


def test_what_is_shown_of_stages(tmp_path: Path) -> None:
    console = Console(width=400, record=True, file=StringIO())
    train(staged(tmp_path, TWO), write_data(tmp_path), out=tmp_path / "run", device="cpu", console=console)
    lines = console.export_text().splitlines()
    assert lines[0] == "net       Staged, 1,085 parameters, at most 1,037 of them trainable"
    assert lines[3] == "training  2 stages, one after the other, seed 0"
    assert lines[4].startswith("1. warm   2 epochs in batches of 8, cross_entropy(label_smoothing=0), sgd(lr=0.05, ")
    assert lines[4].endswith("freezes base")
    assert lines[5].endswith("unfreezes base[-3:]")
    assert lines[6] == "device    cpu, fp32"
    at = lines.index("stage warm: 803 of 1,085 parameters learn")
    assert re.match("frozen part (not cached|cached in memory|cached on disk): ", lines[at + 1])
    assert lines[at + 2].startswith("epoch 1/4  warm  loss")
    assert lines[at + 4].startswith("frozen: 14 tensors of base, unchanged (sha256 ")
    assert lines[at + 5] == "stage tune: 1,037 of 1,085 parameters learn"
    norms = "1 batch norm that was frozen learns again, by the statistics of each batch: base.4; batch_norm = fixed keeps theirs"
    assert lines[at + 6] == norms
    assert lines[at + 7].startswith("frozen part ")
    assert lines[at + 10].startswith("frozen: 7 of 14 tensors of base, unchanged (sha256 ")


def test_a_frozen_net_without_stages_has_a_receipt(tmp_path: Path) -> None:
    record = train(staged(tmp_path, 'epochs = 1\n    freeze = "base"'), write_data(tmp_path), out=tmp_path / "run", device="cpu").record
    (only,) = record.stages
    assert (only.name, only.frozen[0].region, only.frozen[0].tensors) == ("", "base", 14)
    assert record.trainable == 803


@pytest.mark.parametrize("optimizer", ["sgd(lr=0.05, momentum=0.9)", "adam(lr=0.01)", "rmsprop(lr=0.003)", "nadam", "adagrad"])
def test_state_is_kept_by_an_optimizer_of_the_same_kind(tmp_path: Path, optimizer: str) -> None:
    """A stage that changes nothing changes nothing: two stages of an epoch are one stage of two."""
    base = f"optimizer = {optimizer}\n    "
    train(staged(tmp_path, base + "epochs = 2"), write_data(tmp_path), out=tmp_path / "one", device="cpu")
    train(staged(tmp_path, base + "epochs = 1\n    a { }\n    b { }"), write_data(tmp_path), out=tmp_path / "two", device="cpu")
    one, two = (read_weights(tmp_path / f"{run}/last.safetensors") for run in ("one", "two"))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_state_starts_fresh_with_another_optimizer_and_for_what_is_new(tmp_path: Path) -> None:
    text = 'warm { epochs = 1, freeze = "base", optimizer = adam }\n    tune { epochs = 1, unfreeze = "base", optimizer = adam(lr=1e-4) }'
    train(staged(tmp_path, text), write_data(tmp_path), out=tmp_path / "a", device="cpu")
    state = read_weights(tmp_path / "a/state.safetensors")
    assert (state["optimizer.head.0.weight.step"], state["optimizer.base.0.weight.step"]) == (10, 5)
    other = text.replace("adam(lr=1e-4)", "adamw(lr=1e-4)")
    train(staged(tmp_path, other), write_data(tmp_path), out=tmp_path / "b", device="cpu")
    assert read_weights(tmp_path / "b/state.safetensors")["optimizer.head.0.weight.step"] == 5


def test_momentum_may_be_turned_on_in_a_later_stage(tmp_path: Path) -> None:
    text = (
        "a { epochs = 1, optimizer = rmsprop(lr=0.001) }\n    b { epochs = 1, optimizer = rmsprop(lr=0.001, momentum=0.9, centered=true) }"
    )
    assert train(staged(tmp_path, text), write_data(tmp_path), out=tmp_path / "run", device="cpu").record.status == "finished"


def test_a_stage_stops_early_and_the_next_begins(tmp_path: Path) -> None:
    text = """
        warm { epochs = 50, optimizer = sgd(lr=1e-12), stop { monitor = train.accuracy, patience = 2 } }
        tune { epochs = 1 }
    """
    record = train(staged(tmp_path, text), write_data(tmp_path), out=tmp_path / "run", device="cpu").record
    warm, tune = record.stages
    assert warm.stopped
    assert 3 <= warm.last_epoch < 50
    assert (tune.first_epoch, tune.last_epoch, tune.stopped) == (warm.last_epoch + 1, warm.last_epoch + 1, False)
    assert record.epochs_done == tune.last_epoch


@pytest.mark.parametrize("text", ["stop { patience = 2 }", "schedule = plateau(patience=1)"])
def test_what_watches_validation_needs_some(tmp_path: Path, text: str) -> None:
    with pytest.raises(NetspecError) as caught:
        train(staged(tmp_path, text), write_data(tmp_path, val=0), out=tmp_path / "run", device="cpu")
    assert (caught.value.diagnostics[0].code, caught.value.exit) == ("N767", Exit.DATA)
    assert not (tmp_path / "run").exists()


def test_settings_of_a_stage_from_outside(tmp_path: Path) -> None:
    net = staged(tmp_path, TWO, {"train.warm.epochs": "1", "train.batch": "16", "train.tune.stop": "stop(patience=3)"})
    record = train(net, write_data(tmp_path), out=tmp_path / "run", device="cpu").record
    assert [(s.epochs, s.batch) for s in record.train.stages] == [(1, 16), (2, 16)]
    assert record.train.stages[1].stop is not None


def test_batch_norms_and_dropout_of_what_is_frozen_stand_still(tmp_path: Path) -> None:
    from netspec.backends.torch import build
    from netspec.freezing import frozen_in_stages

    graph = staged(tmp_path, TWO)
    net: CompiledNet = build(graph)
    for frozen, still in zip(frozen_in_stages(graph), ({"base.1", "base.4"}, {"base.1"}), strict=True):
        net.freeze(frozen)
        net.train()
        assert {name for name, m in net.named_modules() if isinstance(m, torch.nn.BatchNorm2d) and not m.training} == still
