"""Frozen means frozen: every tensor of what is frozen, bit for bit, whatever trains beside it and wherever its values are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import Tensor

from netspec.backends.torch.weights import read_weights
from netspec.compiler import load
from netspec.graph import Graph
from netspec.report.models import StageSettings
from netspec.training import train
from netspec.training.features.costs import Where
from netspec.training.learning.learner import Learner
from netspec.training.loop import Training
from tests.training.nets import write_data
from tests.training.swift import Places, places, undrawn

__all__ = ["places", "undrawn"]

NET = """
shared block twice {{ conv(4, 3, padding=1) -> bn -> relu }}

net Parts(classes = 3) {{
    image: input(1x8x8)
    preprocess {{ scale(1/255) }}
    {augment}
    stem: {{ conv(4, 3, padding=1) -> bn -> relu -> dropout(0.3) }}
    outer: {{
        conv(4, 3, padding=1) -> bn
        inner: frozen {{ conv(4, 3, padding=1) -> bn -> relu -> dropout(0.3) }}
        layer1: {{ conv(4, 3, padding=1) -> bn }}
        layer2: {{ conv(4, 3, padding=1) -> relu }}
    }}
    twice -> twice
    own: frozen {{ prelu }}
    maxpool(2) -> flatten -> head: linear(classes)
}}

train {{
    optimizer = {optimizer}
    ema       = 0.9
    precision = {precision}
    accumulate = 2
    clip      = 1
    batch     = 4
    epochs    = 1
    all    {{ unfreeze = "outer.inner" }}
    front  {{ freeze = ["stem", "outer"] }}
    middle {{ unfreeze = ["stem", "outer.layer*"], freeze = "outer.inner" }}
    common {{ freeze = ["outer[0:2]", "stem", "twice"], unfreeze = "outer.inner" }}
}}
"""
FROZEN = {
    "all": ("own.",),
    "front": ("own.", "stem.", "outer."),
    "middle": ("own.", "outer.0.", "outer.1.", "outer.inner."),
    "common": ("own.", "outer.0.", "outer.1.", "stem.", "twice."),
}
"""What each stage freezes, as keys of the state dict begin."""

OPTIMIZERS = [
    "sgd(lr=0.05, momentum=0.9, weight_decay=0.1, nesterov=true)",
    "adam(lr=0.01, weight_decay=0.1)",
    "adamw(lr=0.01, weight_decay=0.5)",
    "rmsprop(lr=0.003, momentum=0.5, centered=true, weight_decay=0.1)",
    "nadam(lr=0.01, weight_decay=0.1)",
    "adagrad(lr=0.05, weight_decay=0.1)",
]


def written(folder: Path, optimizer: str = OPTIMIZERS[0], precision: str = "fp32", augment: str = "") -> Graph:
    path = folder / "parts.net"
    path.write_text(NET.format(optimizer=optimizer, precision=precision, augment=augment), "utf-8")
    return load(path)


@dataclass
class Seen:
    """State dicts as stages begin, and as the last one ends; the names of what learns; frozen parameters that ever had gradients."""

    begins: list[dict[str, bytes]] = field(default_factory=list)
    means: list[dict[str, bytes]] = field(default_factory=list)
    learns: list[list[str]] = field(default_factory=list)
    graded: set[str] = field(default_factory=set)


def raw(tensors: dict[str, Tensor]) -> dict[str, bytes]:
    return {key: tensor.detach().numpy().tobytes() for key, tensor in tensors.items()}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    found, enter, update = Seen(), Learner.enter, Training._update

    def entered(self: Learner, stage: StageSettings, frozen: frozenset[str]) -> None:
        enter(self, stage, frozen)
        found.begins.append(raw(self.net.state_dict()))
        found.means.append(raw(self.weights()))
        found.learns.append(self.names)

    def updated(self: Training) -> None:
        found.graded |= {
            f"{self.stage.name} {key}" for key, p in self.net.named_parameters() if key not in self.learner.names and p.grad is not None
        }
        update(self)

    monkeypatch.setattr(Learner, "enter", entered)
    monkeypatch.setattr(Training, "_update", updated)
    return found


def held(run: Path, seen: Seen) -> None:
    """Between the beginning of each stage and its end, what is frozen has not changed, in the net and in the means, and all else has."""
    state = read_weights(run / "state.safetensors")
    ends = [*seen.begins[1:], raw({key.removeprefix("model."): t for key, t in state.items() if key.startswith("model.")})]
    means = [*seen.means[1:], raw(read_weights(run / "last.safetensors"))]
    assert len(seen.begins) == len(FROZEN)
    for i, (stage, prefixes) in enumerate(FROZEN.items()):
        frozen = {key for key in ends[i] if key.startswith(prefixes)}
        assert len(frozen) > 0
        assert {key for key in ends[i] if ends[i][key] == seen.begins[i][key]} == frozen, stage
        assert {key for key in frozen if means[i][key] != seen.begins[i][key]} == set(), f"the means of {stage}"
        assert not [key for key in seen.learns[i] if key.startswith(prefixes)]
    assert not seen.graded


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda text: text.partition("(")[0])
@pytest.mark.parametrize(("precision", "where"), [("fp32", "no"), ("fp32", "memory"), ("bf16", "no"), ("bf16", "disk")])
def test_what_is_frozen_stays_bit_for_bit(tmp_path: Path, seen: Seen, places: Places, optimizer: str, precision: str, where: Where) -> None:
    """A region at the front, in the middle, nested, chosen by globs and slices, and a shared block: weights, statistics, counts, means."""
    places(where)
    net = written(tmp_path, optimizer, precision)
    record = train(net, write_data(tmp_path, train=22, val=5, test=0), out=tmp_path / "run", device="cpu").record
    held(tmp_path / "run", seen)
    assert [stage.cached for stage in record.stages] == ["no", where, "no", where]
    assert record.versions.precision == precision


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("region", "where"), [("flip", "memory"), ("alternating_flip", "disk"), ("rotate(0.1) -> noise(9)", "no")])
def test_augmentation_changes_nothing_of_it(tmp_path: Path, seen: Seen, places: Places, region: str, where: Where) -> None:
    places("memory" if where == "no" else where)
    net = written(tmp_path, augment=f"augment {{ {region} }}")
    record = train(net, write_data(tmp_path, train=22, val=5, test=0), out=tmp_path / "run", device="cpu").record
    held(tmp_path / "run", seen)
    assert record.stages[1].cached == where


@pytest.mark.usefixtures("undrawn")
def test_the_receipt_counts_all_of_it(tmp_path: Path, seen: Seen) -> None:
    net = written(tmp_path)
    record = train(net, write_data(tmp_path, train=22, val=5, test=0), out=tmp_path / "run", device="cpu").record
    for stage, prefixes in zip(record.stages, FROZEN.values(), strict=True):
        expected: dict[str, int] = {}
        for key in seen.begins[0]:
            if key.startswith(prefixes):
                expected[key.partition(".")[0]] = expected.get(key.partition(".")[0], 0) + 1
        assert {part.region: part.tensors for part in stage.frozen} == expected, stage.name


def test_batch_norms_and_dropout_that_are_frozen_are_in_inference_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    still: list[set[str]] = []
    update = Training._update

    def updated(self: Training) -> None:
        moving = (torch.nn.BatchNorm2d, torch.nn.Dropout)
        still.append({name for name, m in self.net.named_modules() if isinstance(m, moving) and not m.training})
        update(self)

    monkeypatch.setattr(Training, "_update", updated)
    train(written(tmp_path), write_data(tmp_path, train=8, val=0, test=0), out=tmp_path / "run", device="cpu")
    assert still == [
        set(),
        {"stem.1", "stem.3", "outer.1", "outer.inner.1", "outer.inner.3", "outer.layer1.1"},
        {"outer.1", "outer.inner.1", "outer.inner.3"},
        {"stem.1", "stem.3", "outer.1", "twice.1"},
    ]
