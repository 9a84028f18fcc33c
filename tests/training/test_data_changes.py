"""Data that changes while a run is broken off: refused with what has changed by name, or accepted, and then told and kept in the record."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from netspec.cli.main import run
from netspec.diagnostics import Exit, NetspecError
from netspec.training import train
from netspec.training.batches import batch_bounds
from netspec.training.folders.checkpoint import read_state
from netspec.training.folders.folder import RunFolder
from netspec.training.folders.keeper import Keeper
from netspec.training.run import _take_over
from netspec.training.steps import Steps
from netspec.training.stopping import Interrupted
from tests.data.pictures import encoded, noise, write_folder

SPEC = """net Pets(classes = 2) { image: input(3x8x8)
  preprocess { scale(1/255) }
  conv(4, 3) -> relu -> global_avgpool -> flatten -> linear(classes) }
train { epochs = 3, batch = 4, optimizer = sgd(lr=0.05, momentum=0.9), schedule = cosine }"""
STEPS = 5


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "pets", {"train/cat": 10, "train/dog": 10, "val/cat": 3, "val/dog": 3})


@pytest.fixture
def spec(tmp_path: Path) -> str:
    (tmp_path / "pets.net").write_text(SPEC)
    return str(tmp_path / "pets.net")


def broken_off(spec: str, data: Path, out: Path, monkeypatch: pytest.MonkeyPatch, behind: int = STEPS + 2) -> None:
    """A run that is asked to stop behind some steps: in the middle of its second epoch."""
    real, steps = Steps.update, 0

    def counted(self: Steps, *arguments: Any) -> None:
        nonlocal steps
        real(self, *arguments)
        steps += 1
        if steps == behind:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched, pytest.raises(Interrupted):
        patched.setattr(Steps, "update", counted)
        train(spec, data, out=out, device="cpu")


def changed(pets: Path) -> None:
    """Two images more, one less, one with another content."""
    (pets / "train/cat/new.png").write_bytes(encoded(noise(900)))
    (pets / "train/dog/new.png").write_bytes(encoded(noise(901)))
    (pets / "train/dog/3.png").unlink()
    (pets / "train/cat/5.png").write_bytes(encoded(noise(902)))


def refused(spec: str, data: Path, out: Path, **given: Any) -> tuple[list[str], str]:
    with pytest.raises(NetspecError) as caught:
        train(spec, data, out=out, resume=True, device="cpu", **given)
    (found,) = caught.value.diagnostics
    assert (found.code, found.problem.exit) == ("N755", Exit.DATA)
    return list(found.problem.notes()), found.problem.help() or ""


def test_a_refusal_says_what_has_changed(spec: str, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_off(spec, pets, tmp_path / "run", monkeypatch)
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.name not in ("run.json", ".lock")}
    changed(pets)
    notes, help_ = refused(spec, pets, tmp_path / "run")
    assert notes == [
        "train had 20 samples, and has 21",
        "+2 samples added: train/cat/new.png and train/dog/new.png",
        "-1 sample removed: train/dog/3.png",
        "~1 sample changed: train/cat/5.png",
    ]
    assert "--accept-data-change" in help_
    assert {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.name not in ("run.json", ".lock")} == before


def test_accepted_it_goes_on_and_says_so(spec: str, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    out = tmp_path / "run"
    broken_off(spec, pets, out, monkeypatch)
    old = json.loads((out / "run.json").read_text())["data"]
    changed(pets)
    asked = ["train", spec, "--data", str(pets), "--out", str(out), "--device", "cpu", "--accept-data-change"]
    assert run(asked) == Exit.USAGE
    assert "error[N731]" in capsys.readouterr().err
    assert run([*asked, "--resume"]) == Exit.FINE
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("not bit-identical")]
    assert len(lines) == 1
    assert "+2 samples added" in lines[0] and "epoch 2 begins anew" in lines[0]
    record = json.loads((out / "run.json").read_text())
    assert (record["status"], record["data"]["counts"]["train"]) == ("finished", 21)
    (change,) = record["data"]["changes"]
    assert (change["epoch"], change["counts"], change["fingerprint"]) == (2, old["counts"], old["fingerprint"])
    assert record["data"]["fingerprint"] != old["fingerprint"]
    assert "-1 sample removed: train/dog/3.png" in change["told"]
    assert "From epoch 2 on the data was another one" in (out / "report.html").read_text("utf-8")
    assert len((out / "history.csv").read_text().splitlines()) == 4
    names = [line.split("\t")[2] for line in gzip.decompress((out / "samples.tsv.gz").read_bytes()).decode().splitlines()]
    assert "train/cat/new.png" in names and "train/dog/3.png" not in names


def test_the_epoch_under_way_begins_anew(spec: str, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the weights and the momentum as they are, over all batches of the new data: as many steps as that makes."""
    broken_off(spec, pets, tmp_path / "run", monkeypatch)
    changed(pets)
    seen: list[tuple[int, int]] = []
    real = Steps.update

    def noted(self: Steps, position: Any) -> None:
        seen.append((position.epoch, position.step))
        real(self, position)

    monkeypatch.setattr(Steps, "update", noted)
    train(spec, pets, out=tmp_path / "run", resume=True, accept_data_change=True, device="cpu")
    steps = len(batch_bounds(21, 4))
    assert seen == [(epoch, step) for epoch in (1, 2) for step in range(1, steps + 1)]


@pytest.mark.parametrize("at", ["state", "samples"])
def test_killed_while_it_is_taken_over(spec: str, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    """The run goes on from a step of the old data never: as long as the record does not have the change, it is told of it again."""
    out = tmp_path / "run"
    broken_off(spec, pets, out, monkeypatch)
    changed(pets)

    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    real = _take_over

    def interrupted(*given: Any) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(Keeper, {"state": "save", "samples": "write"}[at], killed)
            real(*given)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr("netspec.training.run._take_over", interrupted)
        train(spec, pets, out=out, resume=True, accept_data_change=True, device="cpu")
    state = read_state(RunFolder(out))
    assert (state.position.epoch, state.position.step) == ((1, 2) if at == "state" else (1, 0))
    notes, _ = refused(spec, pets, out)
    assert notes[0] == "train had 20 samples, and has 21"
    assert train(spec, pets, out=out, resume=True, accept_data_change=True, device="cpu").record.status == "finished"


@pytest.mark.parametrize("what", ["class", "split"])
def test_classes_and_splits_never_change(spec: str, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    broken_off(spec, pets, tmp_path / "run", monkeypatch)
    if what == "split":
        shutil.rmtree(pets / "val")
    else:
        for split in ("train", "val"):
            (pets / split / "dog").rename(pets / split / "wolf")
    notes, help_ = refused(spec, pets, tmp_path / "run", accept_data_change=True)
    assert notes[0] == ("the data has no splits of its own now" if what == "split" else "class wolf of output is new")
    assert "--accept-data-change" not in help_


def test_data_that_is_as_it_was_is_none_the_worse(spec: str, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option alone changes nothing: the same weights, bit for bit, and no change in the record."""
    train(spec, pets, out=tmp_path / "whole", device="cpu")
    broken_off(spec, pets, tmp_path / "run", monkeypatch)
    found = train(spec, pets, out=tmp_path / "run", resume=True, accept_data_change=True, device="cpu").record
    assert found.data.changes == ()
    for name in ("last.safetensors", "best.safetensors", "samples.tsv.gz"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_accepted_twice_both_are_kept(spec: str, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_off(spec, pets, tmp_path / "run", monkeypatch, behind=2)
    changed(pets)
    with monkeypatch.context() as patched, pytest.raises(Interrupted):

        def stop(self: Steps, position: Any) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

        patched.setattr(Steps, "update", stop)
        train(spec, pets, out=tmp_path / "run", resume=True, accept_data_change=True, device="cpu")
    (pets / "val/cat/new.png").write_bytes(encoded(noise(903)))
    notes, _ = refused(spec, pets, tmp_path / "run")
    assert notes == ["val had 6 samples, and has 7", "+1 sample added: val/cat/new.png"]
    found = train(spec, pets, out=tmp_path / "run", resume=True, accept_data_change=True, device="cpu").record
    assert [change.counts for change in found.data.changes] == [{"train": 20, "val": 6}, {"train": 21, "val": 6}]


def test_moved_and_put_in_another_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str) -> None:
    """Rows of a table: two change their splits, another its class; then two change places."""
    write_folder(tmp_path / "all", {"cat": 8, "dog": 8})
    rows = [(f"all/{name}/{i}.png", name, "val" if i == 7 else "train") for name in ("cat", "dog") for i in range(8)]
    table = tmp_path / "pets.csv"

    def write(found: list[tuple[str, str, str]]) -> None:
        table.write_text("image,label,split\n" + "".join(f"{','.join(row)}\n" for row in found))

    write(rows)
    broken_off(spec, table, tmp_path / "run", monkeypatch, behind=2)
    write([rows[1], rows[0], *rows[2:]])
    assert refused(spec, table, tmp_path / "run")[0] == ["no sample was added, removed or changed: they stand in another order"]
    write([("all/cat/0.png", "dog", "train"), ("all/cat/1.png", "cat", "val"), *rows[2:7], ("all/cat/7.png", "cat", "train"), *rows[8:]])
    assert refused(spec, table, tmp_path / "run")[0] == [
        "~1 sample changed: all/cat/0.png",
        ">2 samples in another split: all/cat/1.png and all/cat/7.png",
    ]


@pytest.mark.parametrize(
    "content",
    [None, b"", b"\x1f\x8bnothing", gzip.compress(b"a line without what belongs there\n")],
    ids=["gone", "empty", "no archive", "no table"],
)
def test_a_run_without_names_says_so(spec: str, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> None:
    """As one that was begun by an earlier version: numbers are told, and that names cannot be."""
    broken_off(spec, pets, tmp_path / "run", monkeypatch)
    names = tmp_path / "run/samples.tsv.gz"
    names.unlink() if content is None else names.write_bytes(content)
    changed(pets)
    notes, _ = refused(spec, pets, tmp_path / "run")
    assert notes[0] == "train had 20 samples, and has 21"
    assert notes[1].startswith("which samples these are cannot be told: samples.tsv.gz")
    assert train(spec, pets, out=tmp_path / "run", resume=True, accept_data_change=True, device="cpu").record.status == "finished"
