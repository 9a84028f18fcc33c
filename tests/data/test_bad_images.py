"""Images that cannot be read: an error that says how to leave them out, in every command that opens data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import netspec
from netspec.cli.main import run
from netspec.diagnostics import Exit
from tests.data.pictures import write_folder

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
