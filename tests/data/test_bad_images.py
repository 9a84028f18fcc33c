"""Images that cannot be read: an error that says how to leave them out, in every command that opens data."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netspec
from netspec.cache import Cache
from netspec.cli.main import run
from netspec.data import Allowed, Division, open_data
from netspec.data.images import loading
from netspec.data.images.cache import DecodedCache
from netspec.data.images.decode import Unreadable, read_bytes
from netspec.data.inventory import Inventory
from netspec.data.task import Wanted, WantedInput, WantedTarget
from netspec.diagnostics import Exit, NetspecError, Problem
from tests.data.pictures import RGB, encoded, noise, task, write_folder

SPEC = """net Pets(classes = 2) { image: input(3x8x8)
  conv(4, 3) -> relu -> global_avgpool -> flatten -> linear(classes) }
train { epochs = 1, batch = 4 }"""
SKIP = "--bad-images=skip"


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The spec and `--data`, of a folder in which each split has a broken image."""
    monkeypatch.chdir(tmp_path)
    folder = write_folder(tmp_path / "pets", {"train/cat": 4, "train/dog": 6, "val/cat": 2, "val/dog": 2})
    for split in ("train", "val"):
        (folder / split / "cat/broken.jpg").write_bytes(b"broken")
    Path("pets.net").write_text(SPEC)
    return ["pets.net", "--data", "pets"]


@pytest.mark.parametrize("command", ["train", "check", "preview"])
def test_every_command_that_opens_data_has_the_option(pets: list[str], command: str, capsys: Any) -> None:
    assert run([command, *pets]) == Exit.DATA
    said = capsys.readouterr()
    assert "error[N711]" in said.err
    assert SKIP in said.err
    assert run([command, *pets, SKIP]) == Exit.FINE


def test_what_a_run_was_begun_with_holds_when_it_goes_on(pets: list[str], capsys: Any) -> None:
    assert run(["train", *pets, "--out", "run", SKIP]) == Exit.FINE
    record = Path("run/run.json")
    record.write_text(record.read_text().replace('"finished"', '"interrupted"'))
    capsys.readouterr()
    assert run(["train", *pets, "--out", "run", "--resume"]) == Exit.FINE
    assert "warning[N743]" in capsys.readouterr().out


def test_a_model_is_measured_without_them(pets: list[str], capsys: Any) -> None:
    assert run(["train", *pets, "--out", "run", SKIP]) == Exit.FINE
    measured = ["eval", "run", "--data", "pets", "--split", "val"]
    assert run(measured) == Exit.DATA
    assert run([*measured, SKIP]) == Exit.FINE
    assert "1 sample left out" in capsys.readouterr().out


def test_python_has_it_as_well(pets: list[str]) -> None:
    assert netspec.preflight("pets.net", "pets").failed
    assert not netspec.preflight("pets.net", "pets", skip_bad=True).failed
    assert netspec.plan("pets.net", "pets", device="cpu").samples == 11, "images are counted, and not read"


# --- what is left -----------------------------------------------------------------------------------------------------------------


def test_a_class_of_which_nothing_is_left_is_a_class_without_images(pets: list[str], capsys: Any) -> None:
    for picture in Path("pets/train/dog").iterdir():
        picture.write_bytes(b"broken")
    for command in ("check", "train"):
        assert run([command, *pets, SKIP]) == Exit.DATA
        assert "error[N704]: 1 class without images in pets: dog" in capsys.readouterr().err
    assert run(["check", *pets, SKIP, "--allow-empty-class"]) == Exit.DATA
    assert "error[N705]" in capsys.readouterr().err, "one class alone cannot be told from others"
    write_folder(Path("pets"), {"train/hamster": 3})
    assert run(["check", *pets, SKIP, "--allow-empty-class", "--set", "classes=3"]) == Exit.FINE
    said = capsys.readouterr()
    assert "warning[N730]" in said.out + said.err


def test_a_split_is_not_left_out_whole(pets: list[str], capsys: Any) -> None:
    """Else a training would go on without validation, or be measured on something else, and say so in passing."""
    for picture in Path("pets/val").rglob("*.*"):
        picture.write_bytes(b"broken")
    for command in ("check", "train"):
        assert run([command, *pets, SKIP]) == Exit.DATA
        said = capsys.readouterr().err
        assert "error[N711]: 6 files cannot be read as images" in said
        assert "they cannot be left out: nothing would be left in val" in said
        assert SKIP not in said


def test_a_class_that_another_split_loses_is_told(pets: list[str], capsys: Any) -> None:
    for picture in Path("pets/val/dog").iterdir():
        picture.write_bytes(b"broken")
    assert run(["check", *pets, SKIP]) == Exit.FINE
    said = capsys.readouterr()
    assert "val has no sample of 1 of the 2 classes: dog" in said.out + said.err


def test_what_is_left_is_counted(pets: list[str]) -> None:
    report = netspec.preflight("pets.net", "pets", skip_bad=True)
    assert report.samples == {"train": 10, "val": 4}
    assert report.counts[0].splits == {"train": (4, 6), "val": (2, 2)}


def test_files_and_samples_are_counted_apart(tmp_path: Path) -> None:
    """Two inputs of one table: two broken files, and three rows without them."""
    for name in "abcdef":
        (tmp_path / f"{name}.png").write_bytes(encoded(noise(ord(name))))
    for name in "xy":
        (tmp_path / f"{name}.png").write_bytes(b"broken")
    rows = ["a,b", "b,x", "y,c", "c,d", "x,y", "d,e", "e,f", "f,a"]
    lines = [f"{left}.png,{right}.png,{n % 2}" for n, (left, right) in enumerate(row.split(",") for row in rows)]
    (tmp_path / "all.csv").write_text("\n".join(["left,right,class", *lines]))
    inputs = tuple(WantedInput(name, RGB.shape, RGB) for name in ("left", "right"))
    wanted = Wanted("Net", inputs, (WantedTarget("class", "class", 2),))
    opened = open_data(tmp_path / "all.csv", wanted, allowed=Allowed(bad_images=True), division=Division((1.0, 0.0, 0.0)))
    assert sum(opened.counts().values()) == 5
    (told,) = (w for w in opened.warnings if w.code == "N743")
    assert told.message() == "3 samples left out, whose images cannot be read"
    assert len(list(told.notes())) == 2


def test_a_file_that_fails_later_is_left_out_as_well(pets: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk far away: the first reading finds the broken ones, and the second that one more is gone."""
    asked: list[Path] = []

    def read(path: Path) -> bytes:
        asked.append(path)
        if path.name == "1.png" and path.parent.name == "dog" and asked.count(path) > 1:
            raise Unreadable("Connection timed out")
        return read_bytes(path)

    monkeypatch.setattr(loading, "read_bytes", read)
    opened = open_data(Path("pets"), task(wanted=RGB), allowed=Allowed(bad_images=True))
    assert opened.counts() == {"train": 9, "val": 3}
    (told,) = (w for w in opened.warnings if w.code == "N743")
    assert told.message() == "4 samples left out, whose images cannot be read"


# --- the cache --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [0, 10**9], ids=["on disk", "in memory"])
def test_what_is_kept_is_not_decoded_again(pets: list[str], budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Problem] = []
    cache = DecodedCache(Cache(Path("cache").absolute(), 10**9), told.append)
    monkeypatch.setattr(loading, "_WORTH_KEEPING", 0)
    monkeypatch.setattr(loading, "_DISK_SPEED", 1e15)

    def opened() -> dict[str, int]:
        found = open_data(Path("pets"), task(wanted=RGB), allowed=Allowed(bad_images=True), cache=cache, budget=budget)
        return found.counts()

    assert opened() == {"train": 10, "val": 4}
    real, decoded = loading.decode, list[bytes]()
    monkeypatch.setattr(loading, "decode", lambda content, wanted: (decoded.append(content), real(content, wanted))[1])
    assert opened() == {"train": 10, "val": 4}
    assert decoded == [b"broken"] * 2
    assert not told


def test_a_run_is_not_measured_on_what_it_has_learned_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Where the skipped files are removed, the data is divided anew, into as many samples each."""
    monkeypatch.chdir(tmp_path)
    folder = write_folder(tmp_path / "pets", {"cat": 50, "dog": 50})
    for name in ("cat", "dog"):
        (folder / name / "0.png").write_bytes(b"broken")
    Path("pets.net").write_text(SPEC)
    assert run(["train", "pets.net", "--data", "pets", "--out", "run", SKIP]) == Exit.FINE
    assert run(["eval", "run", "--data", "pets", SKIP]) == Exit.FINE
    for name in ("cat", "dog"):
        (folder / name / "0.png").unlink()
    capsys.readouterr()
    assert run(["eval", "run", "--data", "pets"]) == Exit.DATA
    said = capsys.readouterr().err
    assert "error[N725]" in said
    assert "were in another split" in said
    with pytest.raises(NetspecError):
        netspec.evaluate("run", "pets", split="val")
    assert netspec.evaluate("run", "pets", split="all").images == 98
    assert run(["train", "pets.net", "--data", "pets", "--out", "other"]) == Exit.FINE
    lines = gzip.decompress(Path("other/samples.tsv.gz").read_bytes()).decode().splitlines()
    (folder / next(line.split("\t")[2] for line in lines if line.startswith("test"))).write_bytes(b"broken")
    assert run(["eval", "other", "--data", "pets", SKIP]) == Exit.FINE, "fewer samples, and none of another split"


def test_a_training_that_goes_on_with_other_data_says_what_became_of_its_splits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_folder(tmp_path / "pets", {"cat": 50, "dog": 50})
    Path("pets.net").write_text(SPEC)
    assert run(["train", "pets.net", "--data", "pets", "--out", "run"]) == Exit.FINE
    record = Path("run/run.json")
    record.write_text(record.read_text().replace('"finished"', '"interrupted"'))
    (folder / "cat/00.png").write_bytes(encoded(noise(4242)))
    capsys.readouterr()
    assert run(["train", "pets.net", "--data", "pets", "--out", "run", "--resume"]) == Exit.DATA
    assert re.search(r"of test, \d+ samples were in another split: its figures say too much", capsys.readouterr().err)


def test_samples_that_a_run_does_not_know_are_no_answer() -> None:
    """Of other samples it cannot be told where they were; then numbers of samples are compared."""

    def inventory(split: str, contents: list[int]) -> Inventory:
        return Inventory(Path(), {split: str}, {split: np.array([[n] * 32 for n in contents], np.uint8)})

    before = inventory("train", [1, 2, 3, 4]).packed()
    assert inventory("train", [1, 2, 3]).elsewhere("train", before) == 0
    assert inventory("test", [1, 2, 9]).elsewhere("test", before) == 2
    with pytest.raises(ValueError, match="most of these samples"):
        inventory("test", [1, 8, 9]).elsewhere("test", before)
