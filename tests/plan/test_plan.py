"""The plan of a training: what it says of each stage, in a record, in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from netspec.cli.main import run
from netspec.compiler import compile_source
from netspec.diagnostics import NetspecError
from netspec.graph import Graph
from netspec.report.planned import plan_lines
from netspec.report.plans import TrainingPlan
from netspec.source import Source
from netspec.training.features.speed import estimated_seconds
from netspec.training.planning import plan_training
from netspec.training.planning.plan import Room, certain_epochs
from tests.plan.real import stage
from tests.training.nets import write_data

CPU = torch.device("cpu")
ROOM = Room(device=2 * 10**9, memory=2 * 10**9, disk=10**10)
TEXT = """
net Small(classes = 3) {
    image: input(1x32x32)
    preprocess { scale(1/255) }
    AUGMENT
    base: { repeat(4) { conv(32, 3, padding=1) -> bn -> relu } -> maxpool(4) }
    flatten -> dropout(0.2)
    head: { linear(8) -> relu -> linear(classes) }
}
train {
    batch = 16
    optimizer = sgd(lr=0.01, momentum=0.9)
    TRAIN
}
"""
STAGES = 'warm { epochs = 30, freeze = "base" }\n finetune { epochs = 5, unfreeze = "base[-4:]" }\n all { epochs = 1, unfreeze = "base" }'


def graph(train: str = STAGES, augment: str = "") -> Graph:
    return compile_source(Source("small.net", TEXT.replace("TRAIN", train).replace("AUGMENT", augment)))[0]


def planned(net: Graph, **changed: object) -> TrainingPlan:
    return plan_training(net, 400, CPU, **{"room": ROOM, "largest": False, **changed})  # type: ignore[arg-type]


def test_each_stage_says_what_it_learns_and_where_it_ends() -> None:
    plan = planned(graph())
    warm, finetune, everything = plan.stages
    assert (plan.net, plan.samples, plan.device, plan.precision) == ("Small", 400, "cpu", "fp32")
    assert (warm.learns, warm.ends, warm.learning) == (("head",), ("head.0",), 16_384 + 8 + 27)
    assert (everything.learns, everything.ends, everything.learning) == (("",), ("base.0",), everything.parameters)
    assert finetune.ends == ("base.9",)
    assert finetune.learns == ("base.9", "base.10", "head")
    assert (warm.through, finetune.through) == ((), ())


def test_what_is_frozen_is_kept_where_it_pays() -> None:
    warm, finetune, everything = planned(graph()).stages
    assert (warm.cache.where, finetune.cache.where, everything.cache.where) == ("memory", "memory", "no")
    assert (everything.cache.reason, everything.cache.values) == ("nothing is frozen", ())
    assert [(v.path, v.shape, v.views) for v in warm.cache.values] == [("1", (2048,), 1)]
    assert warm.cache.bytes == 400 * 2048 * 4
    assert 0.99 < warm.cache.share < 1
    assert warm.memory.activations < 0.1 * everything.memory.activations


def test_augmentation_decides_what_can_be_kept() -> None:
    flips = planned(graph(augment="augment { flip }")).stages[0]
    assert (flips.cache.where, flips.cache.bytes) == ("memory", 2 * 400 * 2048 * 4)
    assert "as two views" in flips.cache.reason
    turned = planned(graph(augment="augment { flip -> rotate(0.1) }")).stages[0]
    assert (turned.cache.where, turned.cache.values) == ("no", ())
    assert turned.cache.reason.endswith("image is augmented by more than mirroring left and right")


def test_room_decides_where() -> None:
    disk = planned(graph(), room=Room(2 * 10**9, 10**6, 10**10)).stages[0]
    nowhere = planned(graph(), room=Room(2 * 10**9, 10**6, 10**6)).stages[0]
    assert (disk.cache.where, nowhere.cache.where) == ("disk", "no")
    assert nowhere.cache.values, "what could be kept is said all the same"


def test_the_limit_of_the_cache_is_heeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETSPEC_CACHE", str(tmp_path))
    monkeypatch.setenv("NETSPEC_CACHE_GB", "0.001")
    assert Room.here(torch.device("cpu")).disk == 10**6
    monkeypatch.setenv("NETSPEC_CACHE_GB", "0")
    assert Room.here(torch.device("cpu")).disk == 0


def test_the_largest_batch_is_no_larger_than_the_data_and_leaves_room_for_what_is_kept() -> None:
    warm, _, everything = planned(graph(), largest=True, room=Room(10**8, 10**9, 10**10)).stages
    assert warm.largest_batch == 400
    assert warm.free == 10**8 - warm.cache.bytes
    assert everything.largest_batch is not None
    assert 1 < everything.largest_batch < 400
    assert planned(graph(), largest=True, room=Room(None, 10**9, 10**10)).stages[0].largest_batch is None


def test_a_stage_that_may_stop_early_counts_with_the_epochs_it_surely_has() -> None:
    net = graph("stop { monitor = val.loss, patience = 4 }\n epochs = 30")
    from netspec.training.settings import train_settings

    assert certain_epochs(train_settings(net).in_turn[0]) == 5
    assert certain_epochs(stage(epochs=7)) == 7


def test_it_is_the_same_plan_from_its_json() -> None:
    plan = planned(graph())
    assert TrainingPlan.model_validate_json(plan.model_dump_json()) == plan


def test_open_sizes_are_refused() -> None:
    text = "net A { image: input(3xHxW)\n conv(4, 3) -> global_avgpool -> flatten -> linear(2) }"
    with pytest.raises(NetspecError) as caught:
        planned(compile_source(Source("a.net", text))[0])
    assert caught.value.diagnostics[0].code == "N832"


def test_weights_that_are_asked_for_are_not_read() -> None:
    text = 'block b { conv(4, 3) }\nnet A { image: input(1x8x8)\n base: frozen b(weights="nowhere.npz")\n flatten -> linear(2) }'
    assert planned(compile_source(Source("a.net", text))[0]).stages[0].learning == 290


def test_no_estimate_says_that_a_frozen_part_is_slower_than_products_are() -> None:
    """An estimate that is too high would keep what does not pay: more products take longer, and none take no time."""
    from netspec.frontier import frontier_of

    net = graph()
    nothing = frontier_of(net, frozenset())
    assert estimated_seconds(nothing, CPU, "fp32") == 0


def test_the_words_of_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netspec.training.planning.plan.estimated_seconds", lambda *_: 0.01)
    lines = list(plan_lines(planned(graph(augment="augment { flip }"), largest=True)))
    assert lines[:8] == [
        "Small: 400 samples to train on, on cpu in fp32",
        "",
        "stage warm: 30 epochs",
        "  learns         16,419 of 44,739 parameters: head",
        "  backward pass  ends at head.0",
        "  kept           in memory: it takes 6.6 MB, as two views, and saves about 1.9 min of 2.0 min in 30 epochs",
        "                 2,048 numbers for each sample, from flatten (step 1)",
        "                 before it lie 99.9% of the products of a forward pass",
    ]
    assert lines[8].startswith("  memory         ")
    assert " at most for a batch of 16: weights 180.0 kB, " in lines[8] and " 0.0 " not in lines[8]
    assert lines[9] == "  largest batch  400, by the 1.99 GB that are free"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, data = tmp_path / "small.net", write_data(tmp_path, train=41)
    spec.write_text(TEXT.replace("TRAIN", STAGES).replace("AUGMENT", "").replace("1x32x32", "1x8x8"))
    assert run(["plan", str(spec), "--data", str(data), "--device", "cpu"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.startswith("Small: 41 samples to train on, on cpu in fp32\n\nstage warm: 30 epochs\n  learns ")
    assert run(["plan", str(spec), "--data", str(data), "--device", "cpu", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [s["name"] for s in found["stages"]] == ["warm", "finetune", "all"]
    assert run(["plan", str(spec), "--data", str(tmp_path / "nowhere")]) == 3
    assert run(["plan", str(spec), "--data", str(data), "--device", "warp"]) == 5
