"""Weights divided among processes: the same training, each process with its part. `torchrun` starts two on the CPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netspec.compiler import load
from netspec.diagnostics import NetspecError
from netspec.training import train
from netspec.training.devices.processes import ALONE, Processes
from netspec.training.devices.sharding import check_sharding
from netspec.training.folders.checkpoint import read_state
from netspec.training.folders.folder import RunFolder
from netspec.training.settings import train_settings
from tests.training import several
from tests.training.nets import NET, graph, write_data
from tests.training.test_processes import CLASSES, SAME, TOLERANCE, apart, prepare, ran, weights
from tests.training.together import without_pictures

TOKENS = """
conv(12, 2, stride=2) -> flatten(1) -> transpose -> token: class_token -> place: position_embedding
residual { layer_norm -> attention(heads=3) }
layer_norm -> slice(0, 1) -> flatten -> linear(classes)
"""
"""Layers of one tensor, and one with parts that are used without being called."""

LARGE = (1, 10**9)
"""Each layer put together by itself, and all at once."""

MORE = ("tokens", "pairs")


def test_divided_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path)
    _prepare_more(tmp_path)
    done = ran("tests.training.together", "shard", str(tmp_path))
    assert done.returncode == 0, done.stderr
    first, second = (json.loads((tmp_path / f"rank{rank}.json").read_text("utf-8")) for rank in (0, 1))
    fine = {f"{name} {large}": ["fine", 0] for name in (*CLASSES, "heads", "pixels", "overlap", *MORE) for large in LARGE}
    fine |= {"asked, on": ["fine", 0], "lost, on": ["fine", 0]}
    assert {name: first["ends"][name] for name in fine} == {name: second["ends"][name] for name in fine} == fine
    assert sorted([first["ends"]["asked"], second["ends"]["asked"]]) == [["Interrupted", 143], ["SaidElsewhere", 143]]
    assert (first["ends"]["lost"][0], second["ends"]["lost"]) == ("SaidElsewhere", ["error", "N733"])
    without_pictures(monkeypatch.setattr)
    for name in (*SAME, *MORE):
        _same_as_alone(tmp_path, name)
    names = [f"{name} {large}" for name in (*CLASSES, "heads", "pixels", "overlap", *MORE) for large in LARGE]
    assert sorted(first["held"]) == sorted(second["held"]) == sorted(names)
    for parts in zip(first["held"].values(), second["held"].values(), strict=True):
        assert parts[0][0] + parts[1][0] == parts[0][1] == parts[1][1]
        assert max(parts[0][0], parts[1][0]) < 0.7 * parts[0][1]
    _went_on(tmp_path, monkeypatch)


def _prepare_more(folder: Path) -> None:
    """A net that sees two pictures by the same weights, and one of attention."""
    text = NET.format(body=TOKENS, train="optimizer = sgd(lr=0.05)\nbatch = 8\nepochs = 2\nseed = 3")
    (folder / "tokens.net").write_text(text, "utf-8")
    (folder / "tokens.npz").write_bytes((folder / "norms.npz").read_bytes())
    several.pairs(folder, "seed = 3")
    spec = (folder / "several.net").read_text("utf-8").replace("adam(lr=0.01)", "sgd(lr=0.1)")
    (folder / "pairs.net").write_text(spec, "utf-8")
    (folder / "several.net").unlink()
    several.pair_data(folder)


def _same_as_alone(folder: Path, name: str) -> None:
    train(load(folder / f"{name}.net"), folder / f"{name}.npz", out=folder / "one" / name, device="cpu")
    one = json.loads((folder / "one" / name / "run.json").read_text("utf-8"))
    for large in LARGE:
        run = folder / f"divided{large}" / name
        assert apart(weights(folder / "one" / name), weights(run)) < TOLERANCE, (name, large)
        record = json.loads((run / "run.json").read_text("utf-8"))
        assert (record["versions"]["sharded"], record["versions"]["processes"]) == (True, 2)
        for split in ("train", "val"):
            assert one["last"][split] == pytest.approx(record["last"][split], abs=1e-4), (name, large)
        if one["test"]:
            assert one["test"]["values"] == pytest.approx(record["test"]["values"], abs=1e-4)
        assert sorted(p.name for p in run.iterdir()) == sorted(p.name for p in (folder / "one" / name).iterdir())


def _went_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken off by a request and by the end of one process, and gone on with, divided again or whole."""
    whole = folder / f"divided{LARGE[1]}/dropout"
    for name in ("asked", "lost"):
        for file in ("last.safetensors", "best.safetensors"):
            assert (folder / "divided" / name / file).read_bytes() == (whole / file).read_bytes(), (name, file)
    said: list[str] = []
    monkeypatch.setattr("netspec.report.progress.Reporter.line", lambda _, text, style="": said.append(text))
    result = train(load(folder / "dropout.net"), folder / "dropout.npz", out=folder / "later", resume=True, device="cpu")
    assert {"not bit-identical: processes was 2, and is 1", "not bit-identical: sharded was True, and is False"} <= set(said)
    assert result.record.status == "finished"


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_leaves_the_last_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    prepare(tmp_path)
    done = ran("tests.training.together", "die divided", str(rank), str(tmp_path))
    assert done.returncode != 0
    assert done.stderr.count("error[N848]: another process of the training is gone") == 1, done.stderr
    position = read_state(RunFolder(tmp_path / f"divided{rank}")).position
    assert (position.epoch, position.step) == (1, 0)
    without_pictures(monkeypatch.setattr)
    result = train(load(tmp_path / "norms.net"), tmp_path / "norms.npz", out=tmp_path / f"divided{rank}", resume=True, device="cpu")
    assert result.record.status == "finished"


@pytest.mark.parametrize("what", ["compile = true", "layout = channels_last", "--rescue-dir", "one process alone"])
def test_what_does_not_go_with_it(tmp_path: Path, what: str) -> None:
    name, _, value = what.partition(" = ")
    settings = train_settings(graph(tmp_path, **({name: value} if value else {})))
    these = ALONE if what == "one process alone" else Processes(0, 2)
    with pytest.raises(NetspecError, match=f"--shard does not go with {what}") as caught:
        check_sharding(settings, these, rescue=what == "--rescue-dir")
    assert caught.value.diagnostics[0].problem.code == "N851"
    plain = train_settings(graph(tmp_path))
    check_sharding(plain, Processes(0, 2), rescue=False)


def test_one_process_alone_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(NetspecError, match="one process alone"):
        train(graph(tmp_path), write_data(tmp_path), out=tmp_path / "run", device="cpu", shard=True)
    assert not (tmp_path / "run").exists()
