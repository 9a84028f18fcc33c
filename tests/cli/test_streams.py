"""Readers that go away, disks that are full, streams that were never open."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from netspec.cli.terminal import crash
from netspec.diagnostics import Exit
from tests.cli.program import ENVIRONMENT, ROOT

SPEC = "specs/lenet5.net"
pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk to write to here")


def shell(command: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command line with ``netspec`` in it."""
    line = command.replace("netspec", f"{sys.executable} -m netspec")
    settings = {k: v for k, v in ENVIRONMENT.items() if k != "PYTHONUNBUFFERED"}
    done = subprocess.run(["/bin/sh", "-c", line], cwd=ROOT, env=settings, capture_output=True, timeout=60, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", [f"check {SPEC}", f"summary {SPEC}"])
def test_a_full_disk(command: str) -> None:
    code, _, error = shell(f"netspec {command} > /dev/full")
    assert code == Exit.ENVIRONMENT
    assert error.startswith("error[N025]: the system refused: No space left on device")
    assert "Traceback" not in error


@pytest.mark.parametrize("command", [["check", SPEC], ["summary", SPEC], ["summary", "--json", SPEC], ["train", "--help"]])
def test_a_reader_that_has_gone(command: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    settings = {k: v for k, v in ENVIRONMENT.items() if k != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-m", "netspec", *command], cwd=ROOT, env=settings, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (Exit.ENVIRONMENT, b"")


def test_closed_streams() -> None:
    assert shell(f"netspec check {SPEC} >&-")[::2] == (0, "")
    assert shell("netspec check absent.net 2>&-") == (2, "", "")
    assert shell("netspec check absent.net 2> /dev/full")[0] == 2
    code, _, error = shell("netspec check - <&-")
    assert code == 1
    assert "no net defined" in error


def test_letters_that_the_terminal_has_not() -> None:
    program = (
        "from netspec.cli.main import _prepare_streams\nfrom netspec.cli.terminal import show_json\n"
        "_prepare_streams()\nprint('\\xb7')\nshow_json({'class': '\\xe9'})"
    )
    settings = ENVIRONMENT | {"PYTHONIOENCODING": "ascii"}
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=settings, capture_output=True, timeout=60, check=True).stdout
    first, data = shown.decode("ascii").split("\n", 1)
    assert first == "\\xb7"
    assert json.loads(data) == {"class": "\xe9"}


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")])
def test_too_little_memory_is_no_bug(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert crash(error) == Exit.ENVIRONMENT
    assert "there is not enough memory" in capsys.readouterr().err
