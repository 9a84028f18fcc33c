"""Specs that somebody might really write, each wrong in its own way, and all that is said of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from netspec.compiler import diagnose
from netspec.diagnostics.render import render
from netspec.source import Source

SPECS = sorted((Path(__file__).parent / "wrong").glob("*.net"))


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_what_is_said(path: Path, golden: Callable[[str, str], None]) -> None:
    shown = render(diagnose(Source(path.name, path.read_text("utf-8"))))
    assert shown
    golden(f"errors/{path.stem}.txt", shown)


def test_there_are_a_dozen() -> None:
    assert len(SPECS) >= 12
