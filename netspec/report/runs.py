"""Runs read from their folders to be compared: their records and histories, without their weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from netspec.backends.atomic import open_regular
from netspec.diagnostics import NetspecError, failure
from netspec.diagnostics.reporting import NothingToCompare, UnknownFigure
from netspec.diagnostics.text import closest
from netspec.figures import minimized
from netspec.report.history import read_history
from netspec.report.models import EpochRow, RunRecord
from netspec.report.wording import of_epochs

_LARGEST: Final = 64 * 2**20
"""Bytes of a file that is still read."""
OTHERS: Final = ("time", "parameters")
"""What runs can be sorted by besides their figures."""


@dataclass(frozen=True)
class Run:
    """A run as its folder tells of it. ``name`` is the folder's path as it was given."""

    name: str
    record: RunRecord
    rows: tuple[EpochRow, ...]

    @cached_property
    def figures(self) -> dict[str, float]:
        """Its figures by split and name: those of validation at the best epoch, else the last one's; where there are none, of training."""
        record = self.record
        val = record.best.values if record.best is not None else record.last.val if record.last is not None else {}
        train = record.last.train if record.last is not None and not val else {}
        test = record.test.values if record.test is not None else {}
        splits = {"val": val, "train": train, "test": test}
        return {f"{split}.{name}": value for split, values in splits.items() for name, value in values.items()}

    @property
    def seconds(self) -> float | None:
        """How long its epochs took, validation too; ``None`` where the history is not whole."""
        return sum(row.seconds for row in self.rows) if len(self.rows) == self.record.epochs_done else None


@dataclass(frozen=True)
class Comparison:
    """The runs to compare, and the folders that were left out, with the reason."""

    runs: tuple[Run, ...]
    left_out: tuple[tuple[str, str], ...]


class _LeftOut(Exception):
    """Why a folder is left out."""


def read_runs(folders: Sequence[Path], *, unfinished: bool = False) -> Comparison:
    """Read the runs in these folders, in this order. With ``unfinished``, also those of which at least one epoch is complete.

    Raises N728 (exit 2) where none is left.
    """
    runs, left_out = [], []
    for folder in dict.fromkeys(folders):
        try:
            runs.append(_read(folder, unfinished))
        except _LeftOut as reason:
            left_out.append((str(folder), str(reason)))
    if not runs:
        raise failure(NothingToCompare(tuple(left_out)))
    return Comparison(tuple(runs), tuple(left_out))


def _read(folder: Path, unfinished: bool) -> Run:
    if not folder.is_dir():
        raise _LeftOut("there is no such folder" if not folder.exists() else "it is no folder")
    try:
        record = RunRecord.model_validate_json(_content(folder / "run.json"))
    except ValidationError as error:
        first = error.errors()[0]
        raise _LeftOut(f"run.json: {'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}") from error
    if record.status != "finished" and not unfinished:
        epochs = sum(stage.epochs for stage in record.train.in_turn)
        raise _LeftOut(f"it is not finished: {record.status}, {record.epochs_done} of {of_epochs(epochs)}")
    if not record.epochs_done:
        raise _LeftOut("no epoch is complete")
    return Run(str(folder), record, _history(folder, record))


def _history(folder: Path, record: RunRecord) -> tuple[EpochRow, ...]:
    """The epochs that the record knows of; nothing where the file is not there, since the record has what matters."""
    try:
        text = _content(folder / "history.csv").decode("utf-8", "replace")
    except _LeftOut:
        return ()
    return tuple(row for row in read_history(text, list(record.train.losses)) if row.epoch <= record.epochs_done)


def _content(path: Path) -> bytes:
    try:
        with open_regular(str(path)) as file:
            content = file.read(_LARGEST + 1)
    except NetspecError as error:
        raise _LeftOut(f"it has no {path.name}" if not path.exists() else error.diagnostics[0].message) from error
    except OSError as error:
        raise _LeftOut(f"{path.name}: {error.strerror or error}") from error
    if len(content) > _LARGEST:
        raise _LeftOut(f"{path.name} is too large")
    return content


def known_figures(runs: Iterable[Run]) -> list[str]:
    """The names of all figures that any of the runs has, validation first."""
    return list(dict.fromkeys(name for run in runs for name in run.figures))


def in_order(runs: Sequence[Run], by: str) -> tuple[Run, ...]:
    """The runs, the best by a figure first, and those without it last. Raises N729 (exit 2) for a figure that none of them has."""
    known = known_figures(runs)
    if by not in (*known, *OTHERS):
        raise failure(UnknownFigure(by, (*known, *OTHERS), closest(by, (*known, *OTHERS))))
    return tuple(sorted(runs, key=_rank(by)))


def _rank(by: str) -> Callable[[Run], tuple[bool, float]]:
    lower = by in OTHERS or minimized(by)

    def rank(run: Run) -> tuple[bool, float]:
        value = run.seconds if by == "time" else float(run.record.parameters) if by == "parameters" else run.figures.get(by)
        missing = value is None or value != value
        return missing, 0.0 if missing or value is None else value if lower else -value

    return rank


def best_of(runs: Sequence[Run], name: str) -> float | None:
    """The best value of a figure."""
    values: Iterator[float] = (run.figures[name] for run in runs if name in run.figures)
    return (min if minimized(name) else max)(values, default=None)
