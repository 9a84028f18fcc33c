"""Training a lesson, and reading what came of it from the folders of its runs."""

from __future__ import annotations

import csv
import json
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

import netspec
from examples.lessons.lessons import Lesson

if TYPE_CHECKING:
    from rich.console import Console

Row = Mapping[str, str | float]


@dataclass(frozen=True)
class Workplace:
    """Where the data lies, where runs go, and settings for all lessons, as after ``--set``."""

    data: Path
    out: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def learns_from(self, lesson: Lesson) -> Path:
        """What a lesson is trained on, which may still have to be made."""
        return self.data / lesson.data if lesson.prepare is None else self.out / "data" / f"{lesson.name}.npz"

    def folder(self, lesson: Lesson, seed: int) -> Path:
        """Where a run of a lesson lies."""
        return self.out / lesson.name / f"seed-{seed}"

    def note(self, lesson: Lesson, seed: int) -> Path:
        """A file beside a run's folder: its command line, the seconds that it has taken, and whether it is finished."""
        return self.out / lesson.name / f"seed-{seed}.json"


@dataclass(frozen=True)
class Run:
    """A finished run: its figures on the test split by name, the seconds from opening the data to the end, and its epochs as in
    ``history.csv``.

    ``machine`` is what it was computed with, as its record says.
    """

    seed: int
    command: str
    figures: Mapping[str, float]
    seconds: float
    epochs: tuple[Row, ...]
    machine: Mapping[str, Any]


def train_lesson(lesson: Lesson, place: Workplace, console: Console) -> None:
    """Train a lesson once for each of its seeds. Finished runs are kept, and what was broken off goes on."""
    source = place.learns_from(lesson)
    if lesson.prepare is not None:
        lesson.prepare(place.data / lesson.data, source)
    for seed in lesson.seeds:
        told, folder = command(lesson, seed, place), place.folder(lesson, seed)
        console.print(f"\n{lesson.name}, seed {seed}: {told}", style="bold", soft_wrap=True, highlight=False, markup=False)
        graph = netspec.load(lesson.path, net=lesson.net, settings={**lesson.settings, **place.settings, "train.seed": str(seed)})
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _noted(place.note(lesson, seed), told):
            netspec.train(graph, source, out=folder, resume=(folder / "run.json").exists(), console=console)


@contextmanager
def _noted(note: Path, told: str) -> Iterator[None]:
    """Write down how long a run takes, also where it is broken off: what it takes to its end is the sum."""
    before = json.loads(note.read_text("utf-8")) if note.exists() else {"seconds": 0.0, "finished": False}
    started, finished = time.perf_counter(), before["finished"]
    try:
        yield
        finished = True
    finally:
        seconds = before["seconds"] + (0 if before["finished"] else time.perf_counter() - started)
        note.write_text(json.dumps({"command": told, "seconds": round(seconds, 3), "finished": finished}) + "\n", "utf-8")


def command(lesson: Lesson, seed: int, place: Workplace) -> str:
    """The command line that does the same as one run of a lesson."""
    given = {**lesson.settings, **place.settings} | ({"train.seed": str(seed)} if seed else {})
    words = ["netspec", "train", lesson.spec, "--data", str(place.learns_from(lesson))]
    words += ["--net", lesson.net] if lesson.net else []
    words += [word for name, value in given.items() for word in ("--set", f"{name}={value}")]
    weights = f"NETSPEC_CACHE={shlex.quote(str(place.data / 'weights'))} " if lesson.needs else ""
    return weights + shlex.join(words)


def runs_of(lesson: Lesson, place: Workplace) -> list[Run]:
    """The finished runs of a lesson, those of all its seeds or none: a mean over some of them would be another figure."""
    found = [_finished(lesson, seed, place) for seed in lesson.seeds]
    return [run for run in found if run is not None] if all(found) else []


def _finished(lesson: Lesson, seed: int, place: Workplace) -> Run | None:
    """What came of a run, ``None`` where it is not finished."""
    folder, note = place.folder(lesson, seed), place.note(lesson, seed)
    noted: dict[str, Any] = json.loads(note.read_text("utf-8")) if note.exists() else {"finished": False}
    if not noted["finished"]:
        return None
    record = json.loads((folder / "run.json").read_text("utf-8"))
    with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
        epochs = tuple({name: _number(text) for name, text in row.items() if text} for row in csv.DictReader(file))
    return Run(seed, noted["command"], record["test"]["values"], noted["seconds"], epochs, record["versions"])


def _number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def means(runs: list[Run]) -> dict[str, float]:
    """The figures of a lesson: the mean over its runs of each, and of the seconds that one takes."""
    return {name: mean(run.figures[name] for run in runs) for name in runs[0].figures} | {"seconds": mean(run.seconds for run in runs)}
