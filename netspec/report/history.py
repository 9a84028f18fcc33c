"""``history.csv``: a line for each epoch, with a column for each figure of each split.

The column of ``val.age.mae`` is ``val_age_mae``; a figure that an epoch does not have is empty.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO

from pydantic import ValidationError

from netspec.report.measured import METRICS
from netspec.report.models import EpochRow

_FIRST, _LAST = ("epoch", "stage"), ("lr", "seconds", "images_per_second")
_SPLITS = ("train", "val")


def history_csv(rows: Iterable[EpochRow]) -> str:
    """The history as comma-separated values with a header."""
    kept = list(rows)
    figures = dict.fromkeys(name for split in _SPLITS for row in kept for name in _figures(row, split))
    text = StringIO(newline="")
    writer = csv.DictWriter(text, [*_FIRST, *figures, *_LAST], restval="", lineterminator="\n")
    writer.writeheader()
    for row in kept:
        plain = {name: getattr(row, name) for name in (*_FIRST, *_LAST)}
        writer.writerow({**plain, **_figures(row, "train"), **_figures(row, "val")})
    return text.getvalue()


def _figures(row: EpochRow, split: str) -> dict[str, float]:
    values: Mapping[str, float] = getattr(row, split)
    return {f"{split}_{name.replace('.', '_')}": value for name, value in values.items()}


def read_history(text: str, outputs: Sequence[str] = ()) -> tuple[EpochRow, ...]:
    """The epochs that a history holds, as far as it can be read: a line that a killed process left half written is left out, and of two
    lines of one epoch the later counts.

    ``outputs`` are the names of the net's outputs, by which the columns of several are known.
    """
    lines = text.splitlines(keepends=True)
    whole = lines if text.endswith("\n") else lines[:-1]
    found: dict[int, EpochRow] = {}
    cells = csv.reader(whole)
    head = next(cells, [])
    for line in cells:
        row = _row(head, line, outputs) if len(line) == len(head) else None
        if row is not None:
            found[row.epoch] = row
    return tuple(found[epoch] for epoch in sorted(found))


def _row(head: Sequence[str], line: Sequence[str], outputs: Sequence[str]) -> EpochRow | None:
    plain: dict[str, object] = {}
    splits: dict[str, dict[str, str]] = {split: {} for split in _SPLITS}
    for column, cell in zip(head, line, strict=True):
        split, _, name = column.partition("_")
        if column in _FIRST or column in _LAST:
            plain[column] = cell
        elif split in splits and cell:
            splits[split][_dotted(name, outputs)] = cell
    try:
        return EpochRow.model_validate({**plain, **splits})
    except ValidationError:
        return None


def _dotted(name: str, outputs: Sequence[str]) -> str:
    """``age.mae`` of ``age_mae``, where `age` is one of several outputs and `mae` is something that is measured."""
    for output in sorted(outputs, key=len, reverse=True) if len(outputs) > 1 else ():
        metric = name.removeprefix(f"{output}_")
        if metric != name and metric in METRICS:
            return f"{output}.{metric}"
    return name
