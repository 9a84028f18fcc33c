"""The files that commands write are never those they read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from netspec.cli.main import run
from netspec.resources import folder


def test_an_input_is_not_written_over(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "net.dot"
    shutil.copy(folder("specs") / "lenet5.net", spec)
    before = spec.read_bytes()
    assert run(["render", str(spec), "--out", str(spec)]) == 2
    assert run(["export", str(spec), "--onnx", "--out", str(tmp_path / "." / "net.dot"), "--force"]) == 2
    assert "is a file that this is made from" in capfd.readouterr().err.replace("\n", " ").replace("│ ", "")
    assert spec.read_bytes() == before
