"""The table of the lessons: as Markdown with a picture of the curves, and as JSON with every epoch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from examples.lessons.curves import draw_curves
from examples.lessons.lessons import Figures, Lesson, shown
from examples.lessons.running import Run, means

_COLUMNS: Final = ("lesson", "what", "asked", "came out", "a run takes", "command")


@dataclass(frozen=True)
class Entry:
    """A lesson with its finished runs, or the reason why it has none."""

    lesson: Lesson
    runs: list[Run]
    reason: str = ""


def write_table(entries: Sequence[Entry], out: Path) -> str:
    """Write ``table.md``, ``table.json`` and ``curves.png`` into a folder; gives the Markdown."""
    text = markdown(entries)
    out.mkdir(parents=True, exist_ok=True)
    (out / "table.md").write_text(text, "utf-8")
    (out / "table.json").write_text(json.dumps(as_data(entries), indent=1) + "\n", "utf-8")
    drawn = [(e.lesson, e.runs) for e in entries if e.runs]
    if drawn:
        (out / "curves.png").write_bytes(draw_curves(drawn))
    return text


def markdown(entries: Sequence[Entry]) -> str:
    """The table, what was left out, and which machine it was."""
    found = _figures(entries)
    rows = [_COLUMNS, tuple("---" for _ in _COLUMNS), *(_cells(e, found) for e in entries if e.runs)]
    lines = ["# The lessons", "", *("| " + " | ".join(row) + " |" for row in rows), ""]
    lines += [f"- {e.lesson.name} is left out: {e.reason}." for e in entries if not e.runs]
    machines = sorted({_machine(run.machine) for e in entries for run in e.runs})
    lines += ["", *(f"Computed with {machine}." for machine in machines)]
    lines += ["", "![loss and figures over the epochs](curves.png)", ""] if machines else [""]
    return "\n".join(lines)


def _figures(entries: Sequence[Entry]) -> dict[str, Figures]:
    return {e.lesson.name: means(e.runs) for e in entries if e.runs}


def _cells(entry: Entry, found: Mapping[str, Figures]) -> tuple[str, ...]:
    lesson, mine = entry.lesson, found[entry.lesson.name]
    asked = "<br>".join(f"{a}: {_verdict(a.holds(mine, found))}" for a in lesson.asked)
    came = "<br>".join(f"{name} {_mean(name, mine[name], entry.runs)}" for name in lesson.main)
    seconds = f"{mine['seconds']:,.0f} s"
    return lesson.name, lesson.about, asked or "to compare with", came, seconds, f"`{entry.runs[0].command}`"


def _verdict(holds: bool | None) -> str:
    return "not compared" if holds is None else "yes" if holds else "**no**"


def _mean(figure: str, value: float, runs: Sequence[Run]) -> str:
    """A figure, and where it is a mean, of what."""
    if len(runs) == 1:
        return shown(figure, value)
    return f"{shown(figure, value)}, the mean of {', '.join(shown(figure, run.figures[figure]) for run in runs)}"


def _machine(versions: Mapping[str, Any]) -> str:
    used = f"{versions['device']}, {versions['threads']} threads, {versions['precision']}"
    return f"netspec {versions['netspec']}, PyTorch {versions['torch']}, {used}"


def as_data(entries: Sequence[Entry]) -> dict[str, Any]:
    """The same as plain data, with every epoch of every run."""
    found = _figures(entries)
    return {"lessons": [_as_data(e, found) for e in entries]}


def _as_data(entry: Entry, found: Mapping[str, Figures]) -> dict[str, Any]:
    lesson = entry.lesson
    about: dict[str, Any] = {"name": lesson.name, "about": lesson.about, "spec": lesson.spec}
    if not entry.runs:
        return about | {"left_out": entry.reason}
    mine = found[lesson.name]
    asked = [{"asked": str(a), "met": a.holds(mine, found)} for a in lesson.asked]
    return about | {"asked": asked, "test": dict(mine), "runs": [_run_as_data(run) for run in entry.runs]}


def _run_as_data(run: Run) -> dict[str, Any]:
    figures, seconds = dict(run.figures), round(run.seconds, 3)
    versions, epochs = dict(run.machine), [dict(row) for row in run.epochs]
    return {"seed": run.seed, "command": run.command, "test": figures, "seconds": seconds, "versions": versions, "epochs": epochs}
