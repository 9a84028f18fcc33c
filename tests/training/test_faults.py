"""Faults of the machine and of the numbers while a net learns: what is kept, what is said, and with which exit."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from netspec.backends.torch.weights import read_metadata, read_weights
from netspec.cli.main import run as command
from netspec.diagnostics import Exit, NetspecError
from netspec.report.history import read_history
from netspec.report.models import RunRecord
from netspec.training import Interrupted, load_run, train
from netspec.training.folders.folder import RunFolder, locked
from netspec.training.loop import Training
from tests.conftest import ROOT
from tests.data.pictures import encoded, noise
from tests.training.nets import graph, write_data, write_spec
from tests.training.several import net
from tests.training.swift import at_step, failing, said, undrawn
from tests.training.test_going_on import CLASSES, picture_folder, reading
from tests.training.test_resume_settings import asked, left

__all__ = ["undrawn"]


def weights(run: Path) -> dict[str, bytes]:
    return {name: (run / f"{name}.safetensors").read_bytes() for name in ("last", "best")}


# ---- the disk


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EXDEV, errno.ENOSYS])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_once_is_told_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, call: str
) -> None:
    """Full, over its quota, read-only, broken, without renaming: the operation fails in the second epoch, and works again afterwards."""
    model, data, real, armed = graph(tmp_path), write_data(tmp_path), getattr(os, call), list[int]()
    train(model, data, out=tmp_path / "whole", device="cpu")

    def fails(*arguments: Any, **named: Any) -> Any:
        if armed:
            armed.clear()
            raise OSError(number, os.strerror(number))
        return real(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fails)
        at_step(patched, 9, lambda _: armed.append(1))
        problem = failing("N810", Exit.ENVIRONMENT, graph=model, data=data, out=tmp_path / "run")
    assert os.strerror(number) in problem.message()
    assert str(tmp_path / "run/state.safetensors") in problem.message()
    assert not list((tmp_path / "run").glob("*.tmp"))
    record = json.loads((tmp_path / "run/run.json").read_text("utf-8"))
    assert (record["status"], record["epochs_done"]) == ("failed", 1), "never said to be saved when it was not"
    train(model, data, out=tmp_path / "run", resume=True, device="cpu")
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_a_folder_that_is_gone_ends_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_step(monkeypatch, 8, lambda _: shutil.rmtree(tmp_path / "run"))
    problem = failing("N810", Exit.ENVIRONMENT, graph=graph(tmp_path), data=write_data(tmp_path), out=tmp_path / "run")
    assert "No such file or directory" in problem.message()


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("gone", [True, False], ids=["the folder is gone", "the disk is full"])
@pytest.mark.parametrize("epoch", [2, 3])
def test_the_state_is_rescued_where_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: bool, epoch: int) -> None:
    """What is rescued goes on to the weights of a run that nothing has happened to."""
    model, data, run, lines = graph(tmp_path), write_data(tmp_path), tmp_path / "disk/run", said(monkeypatch)
    train(model, data, out=tmp_path / "whole", device="cpu")
    real = tempfile.mkstemp

    def full(*arguments: Any, **named: Any) -> Any:
        if str(named["dir"]).startswith(str(run)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments, **named)

    with monkeypatch.context() as patched:
        happens = (lambda _: shutil.rmtree(run)) if gone else (lambda _: patched.setattr(tempfile, "mkstemp", full))
        at_step(patched, 5 * (epoch - 1) + 2, happens)
        failing("N810", Exit.ENVIRONMENT, graph=model, data=data, out=run, rescue=tmp_path / "aside")
    place = tmp_path / "aside/run"
    assert f"rescued: the state is saved in {place}, go on with --resume --out {place}" in lines
    assert len(read_history((place / "history.csv").read_text("utf-8"))) == epoch
    assert (place / "samples.tsv.gz").exists() is not gone
    record = train(model, data, out=place, resume=True, device="cpu").record
    assert record.status == "finished"
    assert (place / "last.safetensors").read_bytes() == (tmp_path / "whole/last.safetensors").read_bytes()
    if not gone:
        assert left(place) == left(tmp_path / "whole")


def test_what_cannot_be_rescued_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = said(monkeypatch)
    at_step(monkeypatch, 8, lambda _: shutil.rmtree(tmp_path / "run"))
    data = write_data(tmp_path)
    failing("N810", Exit.ENVIRONMENT, graph=graph(tmp_path), data=data, out=tmp_path / "run", rescue=data / "below")
    assert sum(line.startswith("not rescued: the run folder ") for line in lines) == 1


def test_a_folder_that_cannot_be_written_to_is_told_before_the_data_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: Any, **__: Any) -> Any:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("netspec.training.folders.folder.tempfile.NamedTemporaryFile", denied)
    monkeypatch.setattr("netspec.training.run.open_job", lambda _: pytest.fail("the data is read"))
    problem = failing("N756", Exit.ENVIRONMENT, graph=graph(tmp_path), data=write_data(tmp_path), out=tmp_path / "run")
    assert "Permission denied" in problem.message()
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("undrawn")
def test_files_are_for_whom_the_umask_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporary files are for their owner alone, and lie where the finished ones do."""
    real, seen = os.fsync, set()

    def fsync(descriptor: int) -> None:
        held = os.fstat(descriptor)
        if stat.S_ISREG(held.st_mode):
            seen.add((stat.S_IMODE(held.st_mode), Path(f"/proc/self/fd/{descriptor}").readlink().parent))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    before = os.umask(0o027)
    try:
        train(graph(tmp_path, epochs="1"), write_data(tmp_path), out=tmp_path / "run", device="cpu")
    finally:
        os.umask(before)
    assert seen == {(0o600, tmp_path / "run")}
    files = [path for path in (tmp_path / "run").iterdir() if path.name != ".lock"]
    assert len(files) >= 8
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o640}


# ---- who else is there


@pytest.mark.usefixtures("undrawn")
def test_who_reads_meanwhile_sees_whole_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and after every renaming, and before every flush, all that is there is whole, and weights go with their epoch."""
    run, found = tmp_path / "run", []

    def look() -> None:
        if not (run / "run.json").exists():
            return
        record = RunRecord.model_validate_json((run / "run.json").read_bytes())
        for name in ("last", "best", "state"):
            if (run / f"{name}.safetensors").exists():
                assert all(t.numel() for t in read_weights(run / f"{name}.safetensors").values())
        if record.epochs_done:
            load_run(run).weights()
            found.append(json.loads(read_metadata(run / "best.safetensors")["netspec.epoch"]))

    def watched(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            look()
            result = real(*arguments, **named)
            look()
            return result

        return call

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, watched(getattr(os, name)))
    train(graph(tmp_path), write_data(tmp_path), out=run, device="cpu")
    assert len(found) > 20
    assert found == sorted(found)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    held, hold = os.pipe()
    child = os.fork()
    if not child:
        with locked(RunFolder(tmp_path)):
            os.write(hold, b"!")
            time.sleep(60)
        os._exit(0)
    assert os.read(held, 1) == b"!"
    with pytest.raises(NetspecError, match=f"process {child} since"), locked(RunFolder(tmp_path)):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with locked(RunFolder(tmp_path)):
        pass


# ---- data that is read while a net learns


def spoil(path: Path) -> None:
    path.write_bytes(encoded(noise(1))[:60])


def swap_for_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("happens", "why"),
    [(Path.unlink, "No such file"), (spoil, ""), (swap_for_a_pipe, "")],
    ids=["gone", "damaged", "a pipe that nobody writes to"],
)
def test_an_image_that_cannot_be_read_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int, happens: Callable[[Path], None], why: str
) -> None:
    """It is named with the epoch, nothing hangs, and no thread stays; put back, the run goes on as if nothing had been."""
    model, data = net(tmp_path, CLASSES), picture_folder(tmp_path)
    reading(monkeypatch, threads)
    train(model, data, out=tmp_path / "whole", device="cpu")
    seen: list[Path] = []

    def spoil_one(self: Training) -> None:
        path = Path(self.train.name(int(self._steps._order[-1])))
        seen.extend([path, tmp_path / "copy"])
        shutil.copy(path, tmp_path / "copy")
        happens(path)

    with monkeypatch.context() as patched:
        at_step(patched, 3, spoil_one)
        problem = failing("N711", Exit.DATA, graph=model, data=data, out=tmp_path / "run")
    assert problem.message().startswith(f"{seen[0]} is not an image that can be read any more in epoch 2: {why}")
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name and thread.is_alive()]
    seen[0].unlink(missing_ok=True)
    shutil.copy(seen[1], seen[0])
    train(model, data, out=tmp_path / "run", resume=True, device="cpu")
    assert left(tmp_path / "run") == left(tmp_path / "whole")


# ---- time


@pytest.mark.usefixtures("undrawn")
def test_clocks_that_jump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock goes back by an hour at each look, beyond 2038 and before 1970; files have times in any order."""
    model, data = graph(tmp_path), write_data(tmp_path)
    train(model, data, out=tmp_path / "whole", device="cpu")
    now = [2.0**31 + 7200]

    def jumping() -> float:
        now[0] -= 3600 if now[0] > 2.0**31 else 2.0**31 + 1e6
        return now[0]

    monkeypatch.setattr(time, "time", jumping)
    with asked(monkeypatch, 8), pytest.raises(Interrupted):
        train(model, data, out=tmp_path / "run", device="cpu")
    for i, path in enumerate(sorted((tmp_path / "run").iterdir())):
        os.utime(path, (10**9 * (i % 4), 10**9 * (3 - i % 4)))
    train(model, data, out=tmp_path / "run", resume=True, device="cpu")
    assert left(tmp_path / "run") == left(tmp_path / "whole")
    found = read_history((tmp_path / "run/history.csv").read_text("utf-8"))
    assert [row.epoch for row in found] == [1, 2, 3]
    assert all(0 <= row.seconds < 60 for row in found)


def test_stopped_and_continued(tmp_path: Path) -> None:
    """As a laptop that sleeps: the process is stopped in the middle and goes on; the weights are those of one that was not."""
    spec, data = write_spec(tmp_path, epochs="20"), write_data(tmp_path)
    given = [sys.executable, "-m", "netspec", "train", str(spec), "--data", str(data), "--out", str(tmp_path / "run"), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(given, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch  3/"):
                break
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGCONT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "epoch 20/20" in out
    torch.set_num_threads(1)
    train(graph(tmp_path, epochs="20"), data, out=tmp_path / "whole", device="cpu")
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


# ---- what goes on, and what does not


@pytest.mark.usefixtures("undrawn")
def test_another_machine_is_said_and_another_seed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, data = graph(tmp_path), write_data(tmp_path)
    with asked(monkeypatch, 3), pytest.raises(Interrupted):
        train(model, data, out=tmp_path / "run", device="cpu")
    path = tmp_path / "run/run.json"
    record = json.loads(path.read_text("utf-8"))
    record["versions"] |= {"torch": "1.0", "threads": 64, "device": "cuda"}
    path.write_text(json.dumps(record), "utf-8")
    problem = failing("N754", Exit.USAGE, graph=graph(tmp_path, settings={"train.seed": "1"}), data=data, out=tmp_path / "run", resume=True)
    assert "train.seed was 0, and is 1" in list(problem.notes())
    lines = said(monkeypatch)
    train(model, data, out=tmp_path / "run", resume=True, device="cpu")
    different = [line.split(" was ")[0] for line in lines if line.startswith("not bit-identical: ")]
    assert different == [f"not bit-identical: {what}" for what in ("torch", "device", "threads")]


def test_a_finished_run_says_so_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, data, out = write_spec(tmp_path, epochs="1"), write_data(tmp_path), tmp_path / "run"
    given = ["train", str(spec), "--data", str(data), "--out", str(out), "--device", "cpu"]
    assert command(given) == 0
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()}
    capsys.readouterr()
    assert command([*given, "--resume"]) == 0
    assert "is finished" in capsys.readouterr().out.replace("\n", " ")
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()} == before


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("tail", ["2,,0.5", "2,,0.9,0.1,0.9,0.1,0.01,1.0,100.0\n3,,0.9,0.1,0.9,0.1,0.01,1.0,100.0\n", "\x00\xff,"])
def test_a_history_with_half_a_line_or_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tail: str) -> None:
    """Readers leave out what is half written; going on writes the epochs of the state, each once."""
    model, data = graph(tmp_path), write_data(tmp_path)
    train(model, data, out=tmp_path / "whole", device="cpu")
    with asked(monkeypatch, 8), pytest.raises(Interrupted):
        train(model, data, out=tmp_path / "run", device="cpu")
    history = tmp_path / "run/history.csv"
    text = history.read_text("utf-8")
    assert [row.epoch for row in read_history(text)] == [1]
    history.write_text(text + tail, "utf-8")
    if not tail.endswith("\n"):
        assert [row.epoch for row in read_history(text + tail)] == [1]
    train(model, data, out=tmp_path / "run", resume=True, device="cpu")
    assert [line.split(",")[0] for line in history.read_text("utf-8").splitlines()] == ["epoch", "1", "2", "3"]
    assert left(tmp_path / "run") == left(tmp_path / "whole")


def test_killed_at_random_moments(tmp_path: Path) -> None:
    """Some dozens of the thousand that the program does; see its beginning."""
    script = [sys.executable, "-W", "ignore", "-m", "tests.training.killing_anywhere", str(tmp_path), "--count", "24"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(script, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["killed"] >= 24
    assert report["wrong"] == []
