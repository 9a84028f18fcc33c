"""Laying out and drawing DOT text, by the Graphviz that pygraphviz carries, in a process of its own.

A layout can take for ever or run out of memory, and Graphviz is C code that reads texts from strangers: so it runs apart, with a
list of arguments, a clock and a limit of memory, and reads no file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final, Literal

_CHILD: Final = Path(__file__).with_name("child.py")
_NO_GRAPHVIZ: Final = 3
PRINT_DPI: Final = 300
Drawn = Literal["svg", "png", "pdf"]


@dataclass(frozen=True)
class Limits:
    """What a picture may cost: seconds, bytes of memory, and marks on the page."""

    seconds: float = 60.0
    memory: int = 4 * 2**30
    boxes: int = 1500


class LayoutTimeout(Exception):
    """The layout took longer than it may."""


class LayoutFailed(Exception):
    """Graphviz gave up; the message says why, as far as it said so."""


class NoGraphviz(Exception):
    """pygraphviz is not installed, or does not load."""


def lay_out(dot: str, form: Drawn, limits: Limits = Limits()) -> bytes:
    """The picture that the DOT text describes. Equal texts give equal bytes.

    Raises :class:`LayoutTimeout`, :class:`LayoutFailed` or :class:`NoGraphviz`.
    """
    command = [sys.executable, "-P", str(_CHILD), form, str(PRINT_DPI), str(limits.memory), str(ceil(limits.seconds) + 1)]
    try:
        done = subprocess.run(command, input=dot.encode(), capture_output=True, timeout=limits.seconds, env=_environment(), check=False)
    except subprocess.TimeoutExpired:
        raise LayoutTimeout from None
    if done.returncode == _NO_GRAPHVIZ:
        raise NoGraphviz(_last_line(done.stderr))
    if done.returncode != 0 or not done.stdout:
        raise LayoutFailed(_last_line(done.stderr) or f"Graphviz ended with code {done.returncode}")
    return done.stdout


def _environment() -> dict[str, str]:
    """No file is opened for a text (``SERVER_NAME`` and an empty ``GV_FILE_PATH``), and no date is written into a PDF."""
    return {**os.environ, "SERVER_NAME": "netspec", "GV_FILE_PATH": "", "SOURCE_DATE_EPOCH": "0"}


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else ""
