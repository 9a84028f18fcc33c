"""Several processes train as one would: `torchrun` starts two on the CPU."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import PIPE
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from netspec.backends.torch import build
from netspec.backends.torch.weights import read_weights
from netspec.cli.main import run
from netspec.compiler import load
from netspec.diagnostics import NetspecError
from netspec.training import train
from netspec.training.devices.device import own_device
from netspec.training.devices.processes import ALONE, Processes, processes
from netspec.training.folders.checkpoint import read_state
from netspec.training.folders.folder import RunFolder
from tests.conftest import ROOT
from tests.training import several
from tests.training.nets import NET, write_data
from tests.training.together import without_pictures

NORMS = "conv(4, 3, padding=1) -> bn -> relu -> maxpool(2) -> conv(6, 3) -> bn -> relu -> flatten -> linear(classes)"
CLASSES = {
    "norms": (
        NORMS,
        "optimizer = sgd(lr=0.05, momentum=0.9, weight_decay=0.001)\nschedule = constant\nbatch = 8\naccumulate = 2\nclip = 0.5\nema = 0.9",
    ),
    "single": (NORMS, "optimizer = sgd(lr=0.01)\nbatch = 1\naccumulate = 3"),
    "weighted": (NORMS, "optimizer = sgd(lr=0.05)\nbatch = 7\nloss = cross_entropy(weight=[1, 5, 0.2], label_smoothing=0.1)"),
    "focal": (NORMS, "optimizer = sgd(lr=0.05)\nbatch = 5\nloss = focal(gamma=2, weight=[1, 5, 0.2])"),
    "dropout": (
        "conv(4, 3, padding=1) -> bn -> relu -> maxpool(2) -> flatten -> dropout(0.5) -> linear(classes)",
        "optimizer = adam(lr=0.01)\nbatch = 8\naccumulate = 2\nema = 0.9",
    ),
    "mixed": (NORMS, "optimizer = sgd(lr=0.05)\nbatch = 8"),
    "staged": (
        "base: { conv(4, 3) -> bn -> relu -> maxpool(2) } -> flatten -> dropout(0.2) -> linear(classes)",
        "optimizer = adamw(lr=0.01)\nbatch = 8\nschedule = plateau(patience=0)\nstop { patience = 1 }\n"
        'warm { epochs = 1, freeze = "base" }\nall { epochs = 2, unfreeze = "base", decay = weights }',
    ),
}
"""Nets for one class of three: what they are, and how they learn."""

SAME = ("norms", "single", "weighted", "focal", "heads", "pixels", "overlap")
"""Trained in two processes, these have to come out as in one."""

TOLERANCE = 2e-5
"""How far weights may be apart, of which the largest are about 1: sums of float32 in other orders, over some dozen steps."""


def prepare(folder: Path) -> None:
    """A net and its data under each name."""
    for name, (body, settings) in CLASSES.items():
        mixing = "augment { mixup(0.4) }" if name == "mixed" else ""
        epochs = "" if "epochs" in settings else "\nepochs = 2"
        text = NET.format(body=body, train=f"{settings}{epochs}\nseed = 3").replace("preprocess", f"{mixing}\n    preprocess")
        (folder / f"{name}.net").write_text(text, "utf-8")
        write_data(folder, train=7 if name == "single" else 42, val=9, test=5).rename(folder / f"{name}.npz")
    common = "optimizer = sgd(lr=0.1, momentum=0.9)\nseed = 4\n"
    several.heads(folder)
    (folder / "several.net").rename(folder / "heads.net")
    several.heads_data(folder)
    for name, loss in (("pixels", "cross_entropy(weight=balanced)"), ("overlap", "dice(cross_entropy=1)")):
        several.masks(
            folder, f"{common}epochs = 2\nloss = {loss}", augment="augment { flip(horizontal) -> rotate(degrees=20) -> noise(4) }"
        )
        (folder / "several.net").rename(folder / f"{name}.net")
        several.mask_data(folder).rename(folder / f"{name}.npz")


def torchrun(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "NETSPEC_CACHE_GB": "0"}


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(torchrun(*arguments), cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=600, check=False)


def weights(run: Path, name: str = "last.safetensors") -> dict[str, Tensor]:
    return read_weights(run / name)


def apart(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[key].double() - other[key].double()).abs().max()) for key in one)


def test_two_processes_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path)
    done = ran("tests.training.together", "all", str(tmp_path))
    assert done.returncode == 0, done.stderr
    first, second = (json.loads((tmp_path / f"rank{rank}.json").read_text("utf-8")) for rank in (0, 1))
    without_pictures(monkeypatch.setattr)
    for name in SAME:
        train(load(tmp_path / f"{name}.net"), tmp_path / f"{name}.npz", out=tmp_path / "one" / name, device="cpu")
        _same(tmp_path, name)
    assert apart(_by_hand(tmp_path), weights(tmp_path / "two/norms")) < TOLERANCE
    _ends(first["ends"], second["ends"])
    assert second["written"] == []
    assert sorted(p.name for p in (tmp_path / "two/norms").iterdir()) == sorted(p.name for p in (tmp_path / "one/norms").iterdir())
    _went_on(tmp_path)
    _later_alone(tmp_path, monkeypatch)


def _same(folder: Path, name: str) -> None:
    """The weights of one process and of two, what was measured, and that all of it has moved."""
    one, two = weights(folder / "one" / name), weights(folder / "two" / name)
    torch.manual_seed(json.loads((folder / "one" / name / "run.json").read_text("utf-8"))["train"]["seed"])
    before = {key: tensor.clone() for key, tensor in build(load(folder / f"{name}.net")).state_dict().items()}
    assert apart(one, two) < TOLERANCE < 1e-3 < apart(one, before), name
    records = [json.loads((folder / count / name / "run.json").read_text("utf-8")) for count in ("one", "two")]
    for split in ("train", "val"):
        figures = [record["last"][split] for record in records]
        assert figures[0] == pytest.approx(figures[1], abs=1e-4), (name, split)
    if records[0]["test"]:
        assert records[0]["test"]["values"] == pytest.approx(records[1]["test"]["values"], abs=1e-4)


def _by_hand(folder: Path) -> dict[str, Tensor]:
    """What `norms.net` learns, in plain PyTorch: running means of the weights after two epochs."""
    torch.manual_seed(3)
    names = list(build(load(folder / "norms.net")).state_dict())
    torch.manual_seed(3)
    start = list(build(load(folder / "norms.net")).state_dict().values())
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3),
    )  # fmt: skip
    net.load_state_dict(dict(zip(net.state_dict(), start, strict=True)))
    data = np.load(folder / "norms.npz")
    pixels, labels = torch.from_numpy(data["x_train"])[:, None] / 255, torch.from_numpy(data["y_train"])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=0.001)
    means, made = [p.detach().clone() for p in net.parameters()], 0
    for epoch in range(2):
        order = torch.from_numpy(np.random.default_rng([3, epoch]).permutation(42))
        for step in order.split(16):  # two batches of 8; the last step has one of 8 and one of 2
            optimizer.zero_grad()
            for batch in step.split(8):
                loss = functional.cross_entropy(net(pixels[batch]), labels[batch], reduction="sum") / len(step)
                loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            optimizer.step()
            made += 1
            decay = min(0.9, (1 + made) / (10 + made))
            for mean, parameter in zip(means, net.parameters(), strict=True):
                mean.mul_(decay).add_(parameter.detach(), alpha=1 - decay)
    learned = {key: mean for (key, _), mean in zip(net.named_parameters(), means, strict=True)}
    return dict(zip(names, (learned.get(key, tensor) for key, tensor in net.state_dict().items()), strict=True))


def _ends(first: dict[str, Any], second: dict[str, Any]) -> None:
    """How each training has ended in each process. One says why, the other nothing."""
    fine = [*CLASSES, "heads", "pixels", "overlap", "asked, on", "lost, on", "finished"]
    assert {name: first[name] for name in fine} == {name: second[name] for name in fine} == {name: ["fine", 0] for name in fine}
    assert sorted([first["asked"], second["asked"]]) == [["Interrupted", 143], ["SaidElsewhere", 143]]
    assert (first["lost"][0], second["lost"]) == ("SaidElsewhere", ["error", "N733"])
    assert (first["in use"], second["in use"][0]) == (["error", "N750"], "SaidElsewhere")
    assert (first["locked"], second["locked"][0]) == (["error", "N752"], "SaidElsewhere")


def _went_on(folder: Path) -> None:
    """Broken off in the middle of a step, by a request and by the end of one process, and gone on with: as if nothing had been."""
    whole = folder / "two/dropout"
    for name in ("asked", "lost"):
        for file in ("last.safetensors", "best.safetensors"):
            assert (folder / "two" / name / file).read_bytes() == (whole / file).read_bytes(), (name, file)
        assert _figures(folder / "two" / name) == _figures(whole), name


def _figures(run: Path) -> list[list[str]]:
    """The history without what is measured in seconds."""
    rows = [line.split(",") for line in (run / "history.csv").read_text("utf-8").splitlines()]
    timed = {i for i, name in enumerate(rows[0]) if "second" in name}
    return [[value for i, value in enumerate(row) if i not in timed] for row in rows]


def _later_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of two processes goes on in one, which is said."""
    said: list[str] = []
    monkeypatch.setattr("netspec.report.progress.Reporter.line", lambda _, text, style="": said.append(text))
    result = train(load(folder / "dropout.net"), folder / "dropout.npz", out=folder / "later", resume=True, device="cpu")
    assert "not bit-identical: processes was 2, and is 1" in said
    assert result.record.status == "finished"


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_run_with_its_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    """Where the first process, which writes, is the one that is gone, another writes."""
    prepare(tmp_path)
    started = time.monotonic()
    done = ran("tests.training.together", "die", str(rank), str(tmp_path))
    assert done.returncode != 0
    assert time.monotonic() - started < 60
    assert done.stderr.count("error[N848]: another process of the training is gone") == 1, done.stderr
    position = read_state(RunFolder(tmp_path / f"died{rank}")).position
    assert (position.epoch, position.step, position.updates) == (0, 4, 2)
    without_pictures(monkeypatch.setattr)
    result = train(load(tmp_path / "dropout.net"), tmp_path / "dropout.npz", out=tmp_path / f"died{rank}", resume=True, device="cpu")
    assert result.record.status == "finished"


def test_asked_to_stop(tmp_path: Path) -> None:
    """`torchrun` passes a signal on to its processes."""
    prepare(tmp_path)
    spec = (tmp_path / "dropout.net").read_text("utf-8").replace("epochs = 2", "epochs = 100000")
    (tmp_path / "dropout.net").write_text(spec, "utf-8")
    data, out = str(tmp_path / "dropout.npz"), str(tmp_path / "run")
    command = torchrun("netspec", "train", str(tmp_path / "dropout.net"), "--data", data, "--out", out)
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=PIPE, stderr=PIPE, text=True) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("epoch "):
                break
        process.send_signal(signal.SIGTERM)
        rest, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "".join(lines).count("run       ") == 1
    assert err.count("interrupted; the state is saved in") == 1, err
    assert json.loads((tmp_path / "run/run.json").read_text("utf-8"))["status"] == "interrupted"
    epochs = [line.split()[1] for line in [*lines, *rest.splitlines()] if line.startswith("epoch ")]
    assert len(epochs) == len(set(epochs))


def test_parts_and_seeds() -> None:
    """All samples of a batch are in one part, also where there are fewer than processes; every process draws other numbers."""
    for count in range(1, 6):
        each = [Processes(rank, count) for rank in range(count)]
        for start, end in ((0, 0), (3, 4), (8, 17), (5, 25)):
            parts = [n for one in each for n in range(*one.part(start, end))]
            assert parts == list(range(start, end))
        assert len({one.seed(3, 0, 1) for one in each}) == count
        assert [one.seed(3, 0, 1) for one in each] == [one.seed(3, 0, 1) for one in each]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"WORLD_SIZE": "2", "RANK": "0"}, "WORLD_SIZE is set, and LOCAL_RANK is not"),
        ({"WORLD_SIZE": "2", "RANK": "one", "LOCAL_RANK": "0"}, "invalid literal"),
        ({"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}, "MASTER_ADDR"),
    ],
)
def test_processes_that_do_not_meet(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(NetspecError, match=said) as caught, processes("cpu"):
        pass
    assert caught.value.diagnostics[0].problem.code == "N849"


def test_each_process_has_a_device_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netspec.training.devices.device.available_devices", lambda: ("cpu", "mps", "cuda"))
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.set_device", lambda _: None)
    assert own_device("cuda", Processes(3, 4, 1)) == torch.device("cuda:1")
    assert own_device("cpu", Processes(3, 4, 1)) == torch.device("cpu")
    assert own_device("cuda:1", ALONE) == torch.device("cuda:1")
    for name, local, code in (("cuda:1", 1, "N850"), ("mps", 0, "N850"), ("cuda", 2, "N758")):
        with pytest.raises(NetspecError) as caught:
            own_device(name, Processes(3, 4, local))
        assert caught.value.diagnostics[0].problem.code == code


def test_what_all_find_wrong_the_first_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    (tmp_path / "wrong.net").write_text("net Wrong {", "utf-8")
    command = ["train", str(tmp_path / "wrong.net"), "--data", "nowhere"]
    for rank, count in (("1", 0), ("0", 1)):
        monkeypatch.setenv("RANK", rank)
        assert run(command) == 1
        assert capsys.readouterr().err.count("error[") == count
    assert waited == [60.0]


def test_a_mistake_is_said_once(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / "dropout.npz").write_bytes(b"no archive")
    done = ran("netspec", "train", str(tmp_path / "dropout.net"), "--data", str(tmp_path / "dropout.npz"), "--out", str(tmp_path / "run"))
    assert done.returncode != 0
    assert done.stderr.count("error[") == 1, done.stderr
    assert not (tmp_path / "run").exists()
