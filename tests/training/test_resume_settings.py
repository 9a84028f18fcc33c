"""A training broken off after any step of the optimiser goes on to the same state, bit for bit: weights, means, optimiser, counters."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from netspec.backends.torch.weights import read_file, write_weights
from netspec.diagnostics import Exit, NetspecError
from netspec.graph import Graph
from netspec.training import Interrupted, train
from netspec.training.loop import Training
from tests.training.nets import graph, write_data
from tests.training.several import (
    HEADS_TRAIN,
    heads,
    heads_data,
    mask_data,
    masks,
    pair_data,
    pairs,
    vector,
    vector_data,
)
from tests.training.staged import staged

TWO = 'warm {{ epochs = 2, freeze = "base", {first} }}\n    tune {{ epochs = 2, unfreeze = "base[-3:]", {second} }}'


def two(first: str = "", second: str = "") -> str:
    return TWO.format(first=first, second=second).replace(",  }", " }")


TRAININGS = {
    "sgd": "epochs = 2\n    optimizer = sgd(lr=0.05, momentum=0.9, nesterov=true)\n    schedule = cosine(warmup=20%)\n    ema = 0.99",
    "adam": "epochs = 2\n    optimizer = adam(lr=0.01)\n    schedule = one_cycle\n    clip = 0.5",
    "adamw": "epochs = 2\n    optimizer = adamw(lr=0.01)\n    decay = weights\n    schedule = polynomial(power=0.9)",
    "rmsprop": "epochs = 2\n    optimizer = rmsprop(lr=0.003, momentum=0.5, centered=true)\n    schedule = step(every=1, factor=0.5)",
    "nadam": "epochs = 2\n    optimizer = nadam(lr=0.01)\n    schedule = multistep(at=[1], factor=0.1)\n    ema = 0.9",
    "adagrad": "epochs = 2\n    optimizer = adagrad(lr=0.05)\n    schedule = constant(warmup=50%)\n    precision = bf16",
    "accumulate": "epochs = 2\n    accumulate = 2\n    optimizer = adam(lr=0.01)\n    ema = 0.9\n    clip = 1",
    "plateau": "epochs = 4\n    optimizer = sgd(lr=0.0001)\n    schedule = plateau(factor=0.5, patience=0, monitor=train.accuracy)",
    "stages": "ema = 0.9\n    optimizer = adam(lr=0.01)\n    schedule = cosine\n    "
    + two("accumulate = 2", "batch = 16, optimizer = adam(lr=0.001), decay = weights"),
    "other": "optimizer = sgd(lr=0.05, momentum=0.9)\n    "
    + two("schedule = one_cycle", "optimizer = adamw(lr=0.001), loss = focal(weight=balanced)"),
    "stop": "optimizer = sgd(lr=1e-12)\n    stop { monitor = train.accuracy, patience = 1 }\n    "
    "warm { epochs = 9 }\n    tune { epochs = 2, optimizer = sgd(lr=0.05, momentum=0.9) }",
}


SEVERAL: dict[str, Callable[[Path], tuple[Graph, Path]]] = {
    "heads": lambda folder: (heads(folder, HEADS_TRAIN + "ema = 0.9"), heads_data(folder)),
    "rates": lambda folder: (
        heads(
            folder,
            HEADS_TRAIN.replace("sgd(lr=0.1, momentum=0.9)", "adamw(lr=0.01)") + 'rates { body = 0.1, "body.4" = 3 }\n    decay = weights',
        ),
        heads_data(folder),
    ),
    "losses": lambda folder: (
        heads(
            folder,
            "epochs = 1\n    loss { place = mse }\n    one { }\n"
            "    two { loss { kind = focal(weight=balanced), place = mae }, rates { body = 0.5 } }",
        ),
        heads_data(folder),
    ),
    "masks": lambda folder: (
        masks(
            folder,
            "epochs = 2\n    loss = dice(cross_entropy=1)\n    optimizer = adam(lr=0.01)",
            augment="augment { flip -> rotate(0.1) -> noise(3) }",
        ),
        mask_data(folder),
    ),
    "pairs": lambda folder: (pairs(folder, "ema = 0.9\n    accumulate = 2"), pair_data(folder)),
    "labels": lambda folder: (
        vector(folder, 3, "loss = binary_cross_entropy(weight=balanced)\n    layout = contiguous"),
        vector_data(folder, "labels"),
    ),
    "numbers": lambda folder: (
        vector(folder, 2, "loss = huber\n    optimizer = nadam(lr=0.01)\n    schedule = plateau(monitor=val.mae, patience=0)"),
        vector_data(folder, "numbers"),
    ),
}
"""Nets that learn something else than one class, each with its data."""


@contextmanager
def asked(monkeypatch: pytest.MonkeyPatch, after: int | None) -> Iterator[list[int]]:
    """A signal after so many steps of the optimiser; the list counts them."""
    steps = [0]
    real = Training._update

    def update(self: Training) -> None:
        real(self)
        steps[0] += 1
        if steps[0] == after:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(Training, "_update", update)
        yield steps


def left(run: Path) -> dict[str, str]:
    """The SHA-256 of every tensor that a run leaves, and where it has come to; times aside."""
    found = {}
    for name in ("last", "best", "state"):
        path = run / f"{name}.safetensors"
        if path.exists():
            file = read_file(path)
            found |= {f"{name} {key}": hashlib.sha256(t.numpy().tobytes()).hexdigest() for key, t in file.tensors.items()}
    position = json.loads(read_file(run / "state.safetensors").metadata["netspec.state"])
    for row in position["rows"]:
        del row["seconds"], row["images_per_second"]
    del position["seconds"]
    return found | {key: json.dumps(value) for key, value in position.items()}


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than all else here."""
    for name in ("draw_curves", "draw_confusions", "draw_mistakes"):
        monkeypatch.setattr(f"netspec.training.closing.{name}", lambda *_: b"a picture")
    for name in ("net_diagram", "write_report"):
        monkeypatch.setattr(f"netspec.training.closing.{name}", lambda _: "a page")


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", sorted(TRAININGS))
def test_resumed_after_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    after_any_step(tmp_path, monkeypatch, staged(tmp_path, TRAININGS[name]), write_data(tmp_path, train=25, val=6, test=0))


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", sorted(SEVERAL))
def test_what_learns_something_else_is_resumed_after_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    after_any_step(tmp_path, monkeypatch, *SEVERAL[name](tmp_path))


def after_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, net: Graph, data: Path) -> None:
    """A run broken off after each step of the optimiser, and gone on with, leaves what one leaves that never was."""
    with asked(monkeypatch, None) as steps:
        train(net, data, out=tmp_path / "whole", device="cpu")
    expected = left(tmp_path / "whole")
    total = steps[0]
    assert total >= 4
    for at in range(1, total + 1):
        out = tmp_path / f"run{at}"
        with asked(monkeypatch, at), pytest.raises(Interrupted):
            train(net, data, out=out, device="cpu")
        train(net, data, out=out, resume=True, device="cpu")
        assert left(out) == expected, f"interrupted after step {at} of {total}"


def killed_behind(monkeypatch: pytest.MonkeyPatch, net: Graph, data: Path, out: Path, epochs: int) -> None:
    """A training that dies right behind the state of an epoch, before any other file follows."""
    from netspec.training.folders.keeper import Keeper

    def dies(self: Keeper, *arguments: object) -> None:
        if arguments[1].epoch == epochs:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        real(self, *arguments)  # type: ignore[arg-type]

    real = Keeper._follow
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Keeper, "_follow", dies)
        train(net, data, out=out, device="cpu")


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("epochs", [1, 2, 3, 4])
def test_killed_at_the_edge_of_a_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs: int) -> None:
    """After epoch 2 the state stands at the beginning of the second stage; after epoch 4 behind the last."""
    net, data = staged(tmp_path, TRAININGS["stages"]), write_data(tmp_path, train=25, val=6, test=0)
    train(net, data, out=tmp_path / "whole", device="cpu")
    killed_behind(monkeypatch, net, data, tmp_path / "run", epochs)
    record = train(net, data, out=tmp_path / "run", resume=True, device="cpu").record
    assert left(tmp_path / "run") == left(tmp_path / "whole")
    assert [s.name for s in record.stages] == ["warm", "tune"]


def test_a_state_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net, data = graph(tmp_path), write_data(tmp_path)
    with asked(monkeypatch, 3), pytest.raises(Interrupted):
        train(net, data, out=tmp_path / "run", device="cpu")
    file = read_file(tmp_path / "run/state.safetensors")
    position = json.loads(file.metadata["netspec.state"])
    assert position.pop("format") == 3
    former = {key: position[key] for key in ("epoch", "step", "seconds", "rows", "best")} | {"loss_sum": 20.0, "correct": 7}
    write_weights(tmp_path / "run/state.safetensors", file.tensors, {"netspec.state": json.dumps(former)})
    with pytest.raises(NetspecError) as caught:
        train(net, data, out=tmp_path / "run", resume=True, device="cpu")
    (found,) = caught.value.diagnostics
    assert (found.code, caught.value.exit) == ("N753", Exit.MODEL_FILE)
    assert "written by another version of netspec" in found.message
    assert found.problem.help() is not None


def test_stages_that_changed_are_not_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_data(tmp_path)
    with asked(monkeypatch, 3), pytest.raises(Interrupted):
        train(staged(tmp_path, two()), data, out=tmp_path / "run", device="cpu")
    with pytest.raises(NetspecError) as caught:
        train(staged(tmp_path, two(), {"train.tune.epochs": "5"}), data, out=tmp_path / "run", resume=True, device="cpu")
    assert caught.value.diagnostics[0].code == "N754"
    assert any(note == "train.tune.epochs was 2, and is 5" for note in caught.value.diagnostics[0].problem.notes())
