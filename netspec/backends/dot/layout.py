"""Laying out and drawing DOT text, by the Graphviz that pygraphviz carries, in a process of its own.

A layout can take for ever or run out of memory, and Graphviz is C code that reads texts from strangers: so it runs apart, with a
list of arguments, a clock and a limit of memory, and reads no file.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final, Literal

_CHILD: Final = Path(__file__).with_name("child.py")
_NO_GRAPHVIZ: Final = 3
PRINT_DPI: Final = 300
_READABLE_DPI: Final = 72
_SHRUNK: Final = re.compile(rb"Scaling by (\d*\.?\d+)")
"""What Graphviz says when a picture has more than 32,767 pixels on a side, and is made smaller."""
_DATE: Final = re.compile(rb"(/CreationDate \(D:)\d{14}")
"""The moment at which a PDF was made; another of the same length leaves every offset in the file right."""
Drawn = Literal["svg", "png", "pdf"]


@dataclass(frozen=True)
class Limits:
    """What a picture may cost: seconds, bytes of memory, and boxes on the page.

    On one core of a server, two thousand boxes of residual blocks are laid out in about four seconds, five thousand in half a minute, and
    ten thousand not in a whole one. Long before that nobody reads the page. A PNG is laid out twice.
    """

    seconds: float = 60.0
    memory: int = 4 * 2**30
    boxes: int = 2000


USUAL: Final = Limits()


class LayoutTimeout(Exception):
    """The layout took longer than it may."""


class LayoutFailed(Exception):
    """Graphviz gave up; the message says why, as far as it said so."""


class TooManyPixels(Exception):
    """The picture is so long that its pixels would have to be too coarse to read."""


class NoGraphviz(Exception):
    """pygraphviz is not installed, or does not load."""


def lay_out(dot: str, form: Drawn, limits: Limits) -> bytes:
    """The picture that the DOT text describes. Equal texts give equal bytes.

    Raises :class:`LayoutTimeout`, :class:`LayoutFailed`, :class:`TooManyPixels` or :class:`NoGraphviz`.
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
    if (shrunk := _SHRUNK.search(done.stderr)) and float(shrunk[1]) * PRINT_DPI < _READABLE_DPI:
        raise TooManyPixels
    return _DATE.sub(rb"\g<1>19700101000000", done.stdout) if form == "pdf" else done.stdout


def _environment() -> dict[str, str]:
    """No file is opened for a text (``SERVER_NAME`` and an empty ``GV_FILE_PATH``), and a PDF bears no date of its making."""
    return {**os.environ, "SERVER_NAME": "netspec", "GV_FILE_PATH": "", "SOURCE_DATE_EPOCH": "0", "TZ": "UTC"}


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else ""
