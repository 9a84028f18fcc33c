"""``netspec compare``: what differs, what is best, and what is left out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from netspec.cli.main import run
from netspec.diagnostics import NetspecError
from netspec.report.comparing import comparison_table, draw_comparison, left_undrawn
from netspec.report.differences import differences
from netspec.report.history import history_csv
from netspec.report.models import BestEpoch, Figures, NamedSettings, RunRecord
from netspec.report.runs import in_order, read_runs
from tests.report.making import ADAM, folder, record, rows, rows_of_two, settings, staged, two_outputs

ROOT = Path(__file__).resolve().parents[2]
SGD = NamedSettings(name="sgd", settings={"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0, "nesterov": False})
SLOW = ADAM.model_copy(update={"settings": {**ADAM.settings, "lr": 0.01}})
STOP = NamedSettings(name="stop", settings={"monitor": "val.loss", "patience": 3})


def test_settings_are_the_same() -> None:
    assert differences([record(), record(name="other", started="later")]) == {}
    assert differences([record()]) == {}


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (record(train=settings(batch=64, seed=1)), {"batch": ["32", "64"], "seed": ["0", "1"]}),
        (record(train=settings(optimizer=SLOW)), {"optimizer.lr": ["0.001", "0.01"]}),
        (
            record(train=settings(optimizer=SGD)),
            {
                "optimizer": [
                    "adam(lr=0.001, betas=[0.9, 0.999], eps=1e-08, weight_decay=0)",
                    "sgd(lr=0.1, momentum=0.9, weight_decay=0, nesterov=false)",
                ]
            },
        ),
        (record(train=settings(clip=1.0, ema=0.999)), {"clip": ["", "1"], "ema": ["", "0.999"]}),
        (record(settings={"classes": "3", "width": "2"}, spec_sha256="6" * 64), {"spec": ["55555555", "66666666"], "width": ["", "2"]}),
        (record(train=settings(stop=STOP)), {"stop": ["", "stop(monitor=val.loss, patience=3)"]}),
        (record(train=settings(loss_weights={"output": 1.0}, freeze=("base",))), {"freeze": ["", "base"]}),
    ],
)  # fmt: skip
def test_what_differs_goes_by_its_name(other: RunRecord, expected: dict[str, list[str]]) -> None:
    assert differences([record(), other]) == expected


def test_stages_and_outputs_differ_apart() -> None:
    found = differences([record(), record(train=staged()), record(train=two_outputs())])
    assert found["stages"] == ["", "warm, tune", ""]
    assert found["warm.freeze"] == ["", "base", ""]
    assert found["loss.age"] == ["", "", "mae"]
    assert found["loss_weights.age"] == ["", "", "0.1"]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three finished runs, and much that is none."""
    monkeypatch.chdir(tmp_path)
    base = Path("runs")
    folder(base / "pets-1", record())
    best = BestEpoch(epoch=2, monitor="val.accuracy", values={"loss": 0.6, "accuracy": 0.9})
    test = Figures(images=30, values={"loss": 0.3, "accuracy": 0.93})
    folder(base / "pets-2", record(train=settings(batch=64), best=best, test=test, parameters=2_000))
    folder(base / "pets-3", record(train=settings(batch=128), test=None, test_weights=None), history="epoch,stage\n1,")
    folder(base / "broken", record()).joinpath("run.json").write_text("{", "utf-8")
    folder(base / "going", record(status="running", epochs_done=2, last=rows(2)[-1], best=None, test=None))
    folder(base / "stopped", record(status="interrupted", epochs_done=0, last=None, best=None))
    (base / "empty").mkdir()
    (base / "notes.txt").write_text("x", "utf-8")
    old = json.loads((base / "pets-1" / "run.json").read_text("utf-8")) | {"format": 1}
    (base / "old").mkdir()
    (base / "old" / "run.json").write_text(json.dumps(old), "utf-8")
    return base


NAMES = ["pets-1", "pets-2", "pets-3", "broken", "going", "stopped", "empty", "notes.txt", "old", "gone"]


def compare(*options: str, names: list[str] = NAMES) -> int:
    return run(["compare", *(f"runs/{name}" for name in names), *options])


def test_the_table(runs: Path, capsys: pytest.CaptureFixture[str], golden: Callable[[str, str], None]) -> None:
    assert compare() == 0
    shown = capsys.readouterr()
    golden("report/compare.txt", "\n".join(line.rstrip() for line in shown.out.splitlines()) + "\n---\n" + shown.err)


def test_the_page_of_the_documentation_shows_the_table() -> None:
    page = (ROOT / "docs" / "runs.md").read_text("utf-8")
    golden = (ROOT / "tests" / "golden" / "report" / "compare.txt").read_text("utf-8")
    shown = page.split("```text\n")[1].split("```")[0].splitlines()
    assert len(shown) == 4
    assert set(shown) <= set(golden.splitlines())


def test_as_data(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("--json", "--sort", "test.accuracy") == 0
    found = json.loads(capsys.readouterr().out)
    assert [r["path"] for r in found["runs"]] == ["runs/pets-2", "runs/pets-1", "runs/pets-3"]
    assert found["runs"][0] == {
        "path": "runs/pets-2", "net": "Pets", "status": "finished", "epochs": 3, "best_epoch": 2, "settings": {"batch": "64"},
        "figures": {"val.loss": 0.6, "val.accuracy": 0.9, "test.loss": 0.3, "test.accuracy": 0.93}, "seconds": 7.5, "parameters": 2000,
    }  # fmt: skip
    assert found["runs"][2]["seconds"] is None
    assert {entry["path"]: entry["reason"] for entry in found["left_out"]}["runs/going"] == "it is not finished: running, 2 of 3 epochs"
    assert len(found["left_out"]) == 7


@pytest.mark.parametrize(
    ("by", "order"),
    [
        ("val.accuracy", ["pets-2", "pets-1", "pets-3"]), ("val.loss", ["pets-1", "pets-3", "pets-2"]),
        ("test.loss", ["pets-2", "pets-1", "pets-3"]),
        ("parameters", ["pets-2", "pets-1", "pets-3"]), ("time", ["pets-1", "pets-2", "pets-3"]),
    ],
)  # fmt: skip
def test_the_best_comes_first(runs: Path, by: str, order: list[str]) -> None:
    found = read_runs([runs / name for name in ("pets-1", "pets-2", "pets-3")])
    assert [Path(r.name).name for r in in_order(found.runs, by)] == order


def test_runs_that_are_not_finished(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("--all") == 0
    shown = capsys.readouterr()
    assert "2 of 2 (running)" in shown.out
    assert "left out: runs/stopped: no epoch is complete" in shown.err


def test_an_unknown_figure(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("--sort", "val.acuracy") == 2
    assert "did you mean val.accuracy?" in capsys.readouterr().err


def test_nothing_to_compare(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(names=["broken", "gone", "empty"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error[N728]")
    assert "runs/gone: there is no such folder" in error
    assert "runs/empty: it has no run.json" in error


def test_a_picture(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("--out", "runs/compare.png") == 0
    with Image.open("runs/compare.png") as picture:
        assert picture.width > 1000
    assert compare("--out", "compare.svg") == 2
    assert not Path("compare.svg").exists()
    assert compare("--out", "runs/empty") == 2 or Path("runs/empty").is_dir()


def test_pictures_of_runs_of_different_kinds(tmp_path: Path) -> None:
    two = record(train=two_outputs(), last=rows_of_two()[2], best=None, test=None)
    bare = [row.model_copy(update={"val": {}}) for row in rows()]
    paths = [folder(tmp_path / "two", two, history_csv(rows_of_two())), folder(tmp_path / "bare", record(best=None), history_csv(bare))]
    found = read_runs(paths)
    assert found.runs[0].rows == tuple(rows_of_two())
    assert found.runs[1].figures["test.accuracy"] == 0.8333
    assert Image.open(BytesIO(draw_comparison(found.runs * 10))).height > 800


def of_many_kinds(base: Path, count: int) -> list[Path]:
    """Runs of two nets with other settings each."""
    found = []
    for n in range(count):
        many = {f"parameter_{i}": str(n + i) for i in range(30)}
        made = record(net=f"Net{n}", train=settings(optimizer=SGD if n % 2 else ADAM, batch=n + 1, seed=n), settings=many)
        found.append(folder(base / f"run-{n}", made))
    return found


@pytest.mark.parametrize("count", [2, 12])
def test_runs_that_differ_in_much_stand_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int) -> None:
    folders = list(map(str, of_many_kinds(tmp_path, count)))
    assert run(["compare", *folders]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) < 200
    lines = [line.split() for line in shown.splitlines()]
    for part in range(0, count, 5):
        assert [str(n) for n in range(part, min(part + 5, count))] in [line[1:] for line in lines if line[:1] == ["parameter_0"]]
    assert sum(line[:2] == ["val", "accuracy"] for line in lines) == -(-count // 5)
    assert "parameter_29" not in shown
    assert lines[-1][0] == "and"
    more = int(lines[-1][1])
    assert run(["compare", *folders, "--all-settings"]) == 0
    every = capsys.readouterr().out
    assert "parameter_29" in every
    assert "--all-settings" not in every
    names = {line.split()[0] for line in every.splitlines() if line.strip()}
    assert more == len(names & set(differences([r.record for r in read_runs([Path(f) for f in folders]).runs]))) - 24


def test_another_division_is_no_other_data() -> None:
    """Seeds divide data in other ways: what the splits hold has another fingerprint, and all of it the same."""
    data = record().data.model_copy(update={"content": "c" * 64})
    other = data.model_copy(update={"fingerprint": "e" * 64})
    assert differences([record(data=data), record(data=other, train=settings(seed=1))]) == {"seed": ["0", "1"]}
    changed = other.model_copy(update={"content": "d" * 64})
    assert differences([record(data=data), record(data=changed)]) == {"data.fingerprint": ["cccccccc", "dddddddd"]}
    assert "data.fingerprint" in differences([record(), record(data=other)])


def test_a_picture_says_what_it_leaves_out() -> None:
    assert left_undrawn(14, 6) == ""
    assert left_undrawn(15, 6) == "the first 14 of 15 runs"
    assert left_undrawn(2, 9) == "the first 6 of 9 figures; the others are in each history.csv"
    assert left_undrawn(20, 9).count("the first") == 2


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    kept = record(
        train=settings(optimizer=NamedSettings(name="sgd\x1b[31m", settings={})),
        data=record().data.model_copy(update={"path": "[red]\x1b"}),
    )
    found = read_runs([folder(tmp_path / "a\x1b]0;x", kept), folder(tmp_path / "b", record())])
    console = Console(record=True, width=400, file=None, quiet=False)
    with console.capture() as captured:
        console.print(comparison_table(found.runs))
    assert "\x1b" not in captured.get()
    assert r"[red]\x1b" in captured.get()
    assert r"a\x1b]0;x" in captured.get()


def test_unreadable_files_are_told_of(runs: Path) -> None:
    Path("runs/pipe").mkdir()
    os.mkfifo("runs/pipe/run.json")
    with pytest.raises(NetspecError) as caught:
        read_runs([runs / "pipe", runs / "old", runs / "broken"])
    notes = list(caught.value.diagnostics[0].problem.notes())
    assert notes[0] == "runs/pipe: runs/pipe/run.json cannot be read: it is not a regular file"
    assert notes[1].startswith("runs/old: run.json: format: Input should be 2")
    assert notes[2].startswith("runs/broken: run.json: it: Invalid JSON")
