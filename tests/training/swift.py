"""For tests that train very many times, and make something happen meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netspec.diagnostics import Exit, NetspecError
from netspec.training import train
from netspec.training.features.costs import Costs, Decision, Where
from netspec.training.loop import Training

Places = Callable[[Where], None]


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing and planning take longer than all else in a small training."""
    for name in ("draw_curves", "draw_confusions", "draw_mistakes"):
        monkeypatch.setattr(f"netspec.training.closing.{name}", lambda *_: b"a picture")
    for name in ("net_diagram", "write_report"):
        monkeypatch.setattr(f"netspec.training.closing.{name}", lambda _: "a page")
    monkeypatch.setattr("netspec.training.run._write_plan", lambda *_: None)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """Says where what can be kept is kept, in place of the comparison of costs, as nothing pays in a small net. The cache is the test's."""
    monkeypatch.setenv("NETSPEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NETSPEC_CACHE_GB", raising=False)

    def decided(where: Where) -> None:
        def decide(costs: Costs) -> Decision:
            return Decision(where, "asked for")

        monkeypatch.setattr("netspec.training.still.decide", decide)

    return decided


def failing(code: str, exits: Exit, *, resume: bool = False, **given: Any) -> Any:
    """The problem that a training ends with."""
    with pytest.raises(NetspecError) as caught:
        train(device="cpu", resume=resume, **given)
    (found,) = caught.value.diagnostics
    assert (found.code, caught.value.exit) == (code, exits)
    return found.problem


def at_step(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[Training], None]) -> None:
    """Something happens right before a step of the optimiser, counted from 1."""
    steps, real = 0, Training._update

    def update(self: Training) -> None:
        nonlocal steps
        steps += 1
        if steps == number:
            act(self)
        real(self)

    monkeypatch.setattr(Training, "_update", update)


def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr("netspec.report.progress.Reporter.line", lambda _, text, style="": found.append(text))
    return found
