"""Breaking off and going on: the same weights, bit for bit, and nothing lost on the way."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from netspec.diagnostics import Exit, NetspecError
from netspec.graph import Graph
from netspec.training import Interrupted, train
from netspec.training.folders.folder import RunFolder, locked
from netspec.training.loop import Training
from netspec.training.measuring.measure import measure
from tests.conftest import ROOT
from tests.training.nets import graph, write_data

WEIGHTS = ("last.safetensors", "best.safetensors")


def weights(run: Path) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in WEIGHTS}


def epochs(run: Path) -> list[str]:
    return [line.split(",")[0] for line in (run / "history.csv").read_text("utf-8").splitlines()[1:]]


@pytest.fixture
def whole(tmp_path: Path) -> tuple[Graph, Path, dict[str, bytes]]:
    """A net, data, and the weights of a training that was never broken off."""
    net, data = graph(tmp_path), write_data(tmp_path)
    train(net, data, out=tmp_path / "whole", device="cpu")
    return net, data, weights(tmp_path / "whole")


@contextmanager
def signalled(monkeypatch: pytest.MonkeyPatch, at: int, number: int) -> Iterator[None]:
    """A signal arrives during step number ``at``."""
    steps = 0
    real = Training._step

    def step(self: Training, *batch: torch.Tensor) -> Any:
        nonlocal steps
        steps += 1
        if steps == at:
            os.kill(os.getpid(), number)
        return real(self, *batch)

    with monkeypatch.context() as patched:
        patched.setattr(Training, "_step", step)
        yield


@pytest.mark.parametrize("at", range(1, 16))
def test_every_step_may_be_the_last_before_a_resume(
    tmp_path: Path, whole: tuple[Graph, Path, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    net, data, expected = whole
    with signalled(monkeypatch, at, signal.SIGINT), pytest.raises(Interrupted) as caught:
        train(net, data, out=tmp_path / "run", device="cpu")
    assert caught.value.exit == 130
    assert json.loads((tmp_path / "run/run.json").read_text("utf-8"))["status"] == "interrupted"
    torch.rand(at)
    result = train(net, data, out=tmp_path / "run", resume=True, device="cpu")
    assert weights(tmp_path / "run") == expected
    assert result.record.status == "finished"
    assert epochs(tmp_path / "run") == ["1", "2", "3"]


@pytest.mark.parametrize("optimizer", ["sgd(lr=0.05, momentum=0.9)", "sgd(lr=0.05)", "rmsprop(lr=0.003, momentum=0.5)", "adamw"])
def test_every_optimizer_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str) -> None:
    net, data = graph(tmp_path, optimizer=optimizer), write_data(tmp_path)
    train(net, data, out=tmp_path / "whole", device="cpu")
    with signalled(monkeypatch, 8, signal.SIGTERM), pytest.raises(Interrupted) as caught:
        train(net, data, out=tmp_path / "run", device="cpu")
    assert caught.value.exit == 143
    train(net, data, out=tmp_path / "run", resume=True, device="cpu")
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_interrupted_twice(tmp_path: Path, whole: tuple[Graph, Path, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    net, data, expected = whole
    for resume, at in ((False, 3), (True, 4), (True, 2)):
        with signalled(monkeypatch, at, signal.SIGHUP), pytest.raises(Interrupted) as caught:
            train(net, data, out=tmp_path / "run", resume=resume, device="cpu")
        assert caught.value.exit == 129
    train(net, data, out=tmp_path / "run", resume=True, device="cpu")
    assert weights(tmp_path / "run") == expected


@pytest.mark.parametrize("split", ["val", "test"])
def test_interrupted_while_measuring(
    tmp_path: Path, whole: tuple[Graph, Path, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch, split: str
) -> None:
    """While the test split is measured, the net holds the best weights and not the last ones."""
    net, data, expected = whole
    real = measure

    def interrupted(score: Any, images: Any, *arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return real(score, images, *arguments)

    with monkeypatch.context() as patched, pytest.raises(Interrupted):
        patched.setattr(f"netspec.training.{'loop' if split == 'val' else 'closing'}.measure", interrupted)
        train(net, data, out=tmp_path / "run", device="cpu")
    result = train(net, data, out=tmp_path / "run", resume=True, device="cpu")
    assert weights(tmp_path / "run") == expected
    assert result.record.test is not None


def test_handlers_are_put_back(tmp_path: Path) -> None:
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    train(graph(tmp_path, epochs="1"), write_data(tmp_path), out=tmp_path / "run", device="cpu")
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


def test_killed_at_every_state_of_the_files(tmp_path: Path) -> None:
    """SIGKILL at every moment of a training at which its files are in a new state, and then again during the resume."""
    script = Path(__file__).with_name("killing.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["moments"] > 50
    assert report["killed"] >= report["moments"]
    assert report["wrong"] == []


@pytest.mark.parametrize("call", ["fsync", "replace", "mkstemp"])
@pytest.mark.parametrize("at", [4, 8, 9, 10, 11, 12])
def test_a_full_disk_leaves_the_last_checkpoint(
    tmp_path: Path, whole: tuple[Graph, Path, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch, call: str, at: int
) -> None:
    net, data, expected = whole
    module = "tempfile.mkstemp" if call == "mkstemp" else f"os.{call}"
    real = {"fsync": os.fsync, "replace": os.replace, "mkstemp": __import__("tempfile").mkstemp}[call]
    calls = 0

    def full(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls >= at * (2 if call == "fsync" else 1):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments, **named)

    with monkeypatch.context() as patched, pytest.raises(NetspecError) as caught:
        patched.setattr(module, full)
        train(net, data, out=tmp_path / "run", device="cpu")
    assert caught.value.exit == Exit.ENVIRONMENT
    (found,) = caught.value.diagnostics
    assert str(tmp_path / "run") in found.message
    assert "No space left on device" in found.message
    assert not [p for p in (tmp_path / "run").iterdir() if p.name.endswith(".tmp")]
    train(net, data, out=tmp_path / "run", resume=True, device="cpu")
    assert weights(tmp_path / "run") == expected


def refused(code: str, exits: Exit, **arguments: Any) -> str:
    with pytest.raises(NetspecError) as caught:
        train(device="cpu", **arguments)
    (found,) = caught.value.diagnostics
    assert (found.code, caught.value.exit) == (code, exits)
    return "\n".join([found.message, *found.problem.notes(), str(found.problem.help())])


def test_what_cannot_be_resumed(tmp_path: Path, whole: tuple[Graph, Path, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    net, data, _ = whole
    refused("N751", Exit.USAGE, graph=net, data=data, out=tmp_path / "absent", resume=True)
    monkeypatch.chdir(tmp_path)
    refused("N751", Exit.USAGE, graph=net, data=data, resume=True)
    with signalled(monkeypatch, 7, signal.SIGINT), pytest.raises(Interrupted):
        train(net, data, device="cpu")
    run = Path("runs/tiny-1")
    other = graph(tmp_path, settings={"train.batch": "16", "train.optimizer": "adam(lr=0.1)"})
    text = refused("N754", Exit.USAGE, graph=other, data=data, resume=True)
    assert "train.batch was 8, and is 16" in text
    assert "train.optimizer.settings.lr was 0.01, and is 0.1" in text
    refused("N754", Exit.USAGE, graph=graph(tmp_path, "flatten -> linear(classes)"), data=data, resume=True)
    (tmp_path / "other").mkdir()
    text = refused("N755", Exit.DATA, graph=net, data=write_data(tmp_path / "other", train=50), resume=True)
    assert "train had 41 samples, and has 50" in text
    text = refused("N755", Exit.DATA, graph=net, data=write_data(tmp_path / "other", seed=1), resume=True)
    assert "~65 samples changed: " in text
    state = (run / "state.safetensors").read_bytes()
    (run / "state.safetensors").write_bytes(state[:-100])
    with pytest.raises(NetspecError) as caught:
        train(net, data, resume=True, device="cpu")
    assert caught.value.exit == Exit.MODEL_FILE
    (run / "state.safetensors").write_bytes(state[:-100] + bytes([state[-100] ^ 1]) + state[-99:])
    with pytest.raises(NetspecError, match="checksum"):
        train(net, data, resume=True, device="cpu")
    (run / "run.json").write_text("{", "utf-8")
    refused("N753", Exit.MODEL_FILE, graph=net, data=data, resume=True)


def test_a_finished_run_stays_as_it_is(tmp_path: Path, whole: tuple[Graph, Path, dict[str, bytes]]) -> None:
    net, data, _ = whole
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "whole").iterdir()}
    result = train(net, data, out=tmp_path / "whole", resume=True, device="cpu")
    assert result.was_finished
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "whole").iterdir()} == before


def test_folders_in_use(tmp_path: Path, whole: tuple[Graph, Path, dict[str, bytes]]) -> None:
    net, data, _ = whole
    refused("N750", Exit.USAGE, graph=net, data=data, out=tmp_path / "whole")
    refused("N750", Exit.USAGE, graph=net, data=data, out=data)
    (tmp_path / "link").symlink_to(tmp_path / "whole")
    refused("N750", Exit.USAGE, graph=net, data=data, out=tmp_path / "link")
    refused("N756", Exit.ENVIRONMENT, graph=net, data=data, out=data / "below")
    (tmp_path / "new").mkdir()
    with locked(RunFolder(tmp_path / "new")):
        text = refused("N752", Exit.ENVIRONMENT, graph=net, data=data, out=tmp_path / "new")
    assert f"process {os.getpid()} since" in text


def test_no_room_for_the_checkpoints(tmp_path: Path, whole: tuple[Graph, Path, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    net, data, _ = whole
    monkeypatch.setattr("netspec.training.folders.folder.shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    text = refused("N757", Exit.ENVIRONMENT, graph=net, data=data, out=tmp_path / "run")
    assert "and 0 MB are free" in text
    assert not (tmp_path / "run").exists()


def test_runs_are_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net, data = graph(tmp_path, epochs="1"), write_data(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs/tiny-7").mkdir(parents=True)
    assert train(net, data, device="cpu").folder == Path("runs/tiny-8")
    assert train(net, data, device="cpu").folder == Path("runs/tiny-9")
    assert train(net, data, device="cpu", resume=True).was_finished


def test_leavings_of_a_killed_process_are_swept(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/.last.safetensors.abc.tmp").touch()
    train(graph(tmp_path, epochs="1"), write_data(tmp_path), out=tmp_path / "run", device="cpu")
    assert not list((tmp_path / "run").glob(".*.tmp"))
