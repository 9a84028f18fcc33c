"""``python -m examples.lessons --data DIR [NAME ...]``: train the lessons, print their table, and write it into ``runs/lessons``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from examples.lessons.lessons import LESSONS, Lesson
from examples.lessons.running import Workplace, runs_of, train_lesson
from examples.lessons.table import Entry, write_table
from netspec import NetspecError

if TYPE_CHECKING:
    from rich.console import Console


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the lessons that are named, or all, and make the table of all that have been trained; gives the exit code."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as `netspec train` does, before torch is there
    from rich.console import Console

    from netspec.training.devices.allocator import keep_freed_memory

    keep_freed_memory()
    parser = _parser()
    given = parser.parse_args(arguments)
    if unknown := sorted(set(given.names) - {lesson.name for lesson in LESSONS}):
        parser.error(f"there is no lesson {unknown[0]}: they are {', '.join(lesson.name for lesson in LESSONS)}")
    place = Workplace(given.data, given.out, dict(text.split("=", 1) for text in given.set))
    os.environ["NETSPEC_CACHE"] = str(given.data / "weights")
    console = Console()
    wanted = [lesson for lesson in LESSONS if not given.names or lesson.name in given.names]
    failed = {lesson.name: reason for lesson in wanted if (reason := _train(lesson, place, console))}
    print("\n" + write_table([_entry(lesson, place, failed) for lesson in LESSONS], place.out))
    print(f"written to {place.out}: table.md, table.json, curves.png")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.lessons", description="Train the lessons on real data; make their table.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which lessons; all if left out")
    parser.add_argument("--data", type=Path, required=True, help="the folder of the data, laid out as README.md says")
    parser.add_argument("--out", type=Path, default=Path("runs/lessons"), help="where runs and table go; what is finished there is kept")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting for all lessons, as train.epochs=1")
    return parser


def _train(lesson: Lesson, place: Workplace, console: Console) -> str:
    """Train a lesson whose data is there; gives what went wrong, if anything did."""
    if lesson.missing(place.data):
        return ""
    try:
        train_lesson(lesson, place, console)
    except NetspecError as error:
        print(error, file=sys.stderr)
        return "its training failed: " + error.diagnostics[0].problem.message()
    return ""


def _entry(lesson: Lesson, place: Workplace, failed: Mapping[str, str]) -> Entry:
    if runs := runs_of(lesson, place):
        return Entry(lesson, runs)
    missing = " and no ".join(str(path) for path in lesson.missing(place.data))
    return Entry(lesson, [], failed.get(lesson.name, f"there is no {missing}" if missing else "it has not been trained yet"))


if __name__ == "__main__":
    sys.exit(main())
