"""CSV manifests: a row for each sample, with the paths of its images, the numbers it has, and its targets.

- Paths are relative to the file. An input's image stands in the column of its name (or the one that `input NAME = column(…)` names), of
  the only one in `image`, `path`, `file` or `filename` as well. A vector of numbers takes the columns that are named for it, or, for one
  number, the column of its name.
- A target stands in the column of its name, or those that `target NAME = column(…)` names; the only one in `label`, `class` and the like as
  well. A class is any text; several labels stand in one cell, with `|` or `;` between them, or in a column of 0 and 1 each; numbers have a
  column each; a mask is a path.
- `split`, where there is such a column, says train, val or test.

No cell may be empty but one of several labels, which then has none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from netspec.data.found import SPLITS, Coded, Found, Paths, Raw, Rows, Tagged, Values
from netspec.data.layouts.folders import SPLIT_NAMES
from netspec.data.layouts.tables import Table, looks_like_values, read_table
from netspec.data.task import Wanted, WantedInput, WantedTarget
from netspec.diagnostics import Diagnostic, NetspecError, Problem, failure
from netspec.diagnostics.data import NoTrainingSplit
from netspec.diagnostics.tables import MissingColumn

Form = Literal["path", "class", "numbers", "flags", "tags"]

_IMAGE: Final = ("image", "path", "file", "filename")
_TARGET: Final = {
    "class": ("label", "class", "category", "target", "y"), "labels": ("labels", "tags", "label", "classes"),
    "number": ("target", "value", "label", "y"), "mask": ("mask", "masks", "annotation"),
}  # fmt: skip
_FLAGS: Final = {"0": 0, "1": 1, "false": 0, "true": 1, "0.0": 0, "1.0": 1}
_BETWEEN = re.compile(r"[|;]")


@dataclass(frozen=True)
class _Cells:
    """The cells of an input or a target: the columns they stand in, and what is written there."""

    form: Form
    columns: tuple[int, ...]


def read_manifest(path: Path, wanted: Wanted) -> Found:
    """The samples of a CSV file. Raises N790, N748, N749 and N724 where it cannot be one; cells that cannot be used are collected."""
    table = read_table(path)
    try:
        inputs = {i.name: _of_input(table, i, len(wanted.inputs) == 1 or wanted.pairs) for i in wanted.inputs}
        targets = {t.name: _of_target(table, t, len(wanted.targets) == 1) for t in wanted.targets}
    except NetspecError as error:
        raise NetspecError([*error.diagnostics, *(Diagnostic(p) for p in [table.problem()] if p)]) from None
    for cells in {*inputs.values(), *targets.values()}:
        _check(table, cells)
    by_split = _splits(table)
    if "train" not in by_split:
        raise failure(NoTrainingSplit(str(path), tuple(by_split), "row of the split train"))
    splits = {split: _rows(table, rows, inputs, targets) for split, rows in by_split.items()}
    problem = table.problem()
    classes = {t.name: names for t in wanted.targets if (names := _in_order(targets[t.name], splits["train"].targets[t.name]))}
    problems: list[Problem] = [] if problem is None else [problem]
    return Found("a row for each sample", splits, len(splits) > 1, problems=problems, classes=classes, partial=bool(problems))


def _of_input(table: Table, wanted: WantedInput, only: bool) -> _Cells:
    asked = _named(wanted)
    if wanted.picture is not None:
        return _Cells("path", (_found(table, wanted, asked[:1] or (wanted.name, *(_IMAGE if only else ()))),))
    return _Cells("numbers", _each(table, wanted, asked or (wanted.name,), int(wanted.shape[0])))


def _of_target(table: Table, wanted: WantedTarget, only: bool) -> _Cells:
    asked = _named(wanted)
    usual = (wanted.name, *(_TARGET[wanted.kind] if only else ()))
    if wanted.kind == "number":
        names = asked or (table.header[_found(table, wanted, usual)],)
        return _Cells("numbers", _each(table, wanted, names, wanted.size))
    if wanted.kind == "labels" and len(asked) > 1:
        return _Cells("flags", tuple(_found(table, wanted, (name,)) for name in asked))
    forms: dict[str, Form] = {"class": "class", "labels": "tags", "mask": "path"}
    return _Cells(forms[wanted.kind], (_found(table, wanted, asked[:1] or usual),))


def _named(wanted: WantedInput | WantedTarget) -> tuple[str, ...]:
    """The columns that the section `data` names."""
    return tuple(wanted.source.settings["names"]) if wanted.source is not None and wanted.source.name == "column" else ()


def _section_word(wanted: WantedInput | WantedTarget) -> Literal["input", "target"]:
    return "input" if isinstance(wanted, WantedInput) else "target"


def _each(table: Table, wanted: WantedInput | WantedTarget, columns: Sequence[str], size: int) -> tuple[int, ...]:
    if len(columns) != size:
        raise failure(MissingColumn(str(table.path), wanted.name, tuple(columns), table.header, size, of=_section_word(wanted)))
    return tuple(_found(table, wanted, (column,)) for column in columns)


def _found(table: Table, wanted: WantedInput | WantedTarget, columns: Sequence[str]) -> int:
    place = table.find(columns)
    if place is None:
        headless = looks_like_values(table.header)
        raise failure(
            MissingColumn(str(table.path), wanted.name, tuple(columns), table.header, headless=headless, of=_section_word(wanted))
        )
    return place


def _check(table: Table, cells: _Cells) -> None:
    """Note the cells that cannot be used."""
    for number, row in table.even_rows():
        for column in cells.columns:
            text = row[column]
            if not text:
                if cells.form != "tags":
                    table.reject(number, column, "is empty")
            elif cells.form == "numbers" and not _is_number(text):
                table.reject(number, column, f"is {text!r}, and must be a number")
            elif cells.form == "flags" and text.casefold() not in _FLAGS:
                table.reject(number, column, f"is {text!r}, and must be 0 or 1")


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _splits(table: Table) -> dict[str, list[int]]:
    """The rows of each split that can be used; all are of the training split where no column says otherwise."""
    column = table.find(("split",))
    found: dict[str, list[int]] = {split: [] for split in SPLITS}
    for number, row in table.even_rows():
        split = "train" if column is None else SPLIT_NAMES.get(row[column].casefold())
        if split is None and column is not None:
            table.reject(number, column, f"is {row[column]!r}, and must be train, val or test" if row[column] else "is empty")
        elif split is not None and number not in table.wrong_rows:
            found[split].append(number)
    if not found["train"] and (problem := table.problem()):
        raise failure(problem)
    return {split: rows for split, rows in found.items() if rows}


def _rows(table: Table, rows: Sequence[int], inputs: Mapping[str, _Cells], targets: Mapping[str, _Cells]) -> Rows:
    made = {cells: _made(table, rows, cells) for cells in {*inputs.values(), *targets.values()}}
    raw = {name: made[cells] for name, cells in inputs.items()}
    images = next((found for found in raw.values() if isinstance(found, Paths)), None)

    def name(index: int) -> str:
        return f"{table.path}:{table.lines[rows[index]]}" if images is None else str(images[index])

    return Rows(raw, {target: made[cells] for target, cells in targets.items()}, name)


def _made(table: Table, rows: Sequence[int], cells: _Cells) -> Raw:
    """The values of some rows, all of whose cells can be used."""
    first = cells.columns[0]
    if cells.form == "path":
        return Paths(table.path.parent, [table.rows[row][first] for row in rows])
    if cells.form == "numbers":
        return Values(np.array([[float(table.rows[row][c]) for c in cells.columns] for row in rows], np.float32))
    if cells.form == "flags":
        flags = np.array([[_FLAGS[table.rows[row][c].casefold()] for c in cells.columns] for row in rows], np.uint8)
        return Tagged(flags, tuple(table.header[c] for c in cells.columns))
    if cells.form == "class":
        texts = [table.rows[row][first] for row in rows]
        names = tuple(sorted(set(texts)))
        numbers = {name: number for number, name in enumerate(names)}
        return Coded(np.array([numbers[text] for text in texts], np.int64), names)
    return _tagged([table.rows[row][first] for row in rows])


def _tagged(texts: Sequence[str]) -> Tagged:
    split = [[tag.strip() for tag in _BETWEEN.split(text) if tag.strip()] for text in texts]
    names = tuple(sorted({tag for tags in split for tag in tags}))
    numbers = {name: number for number, name in enumerate(names)}
    flags = np.zeros((len(texts), len(names)), np.uint8)
    for row, tags in enumerate(split):
        flags[row, [numbers[tag] for tag in tags]] = 1
    return Tagged(flags, names)


def _in_order(cells: _Cells, raw: Raw) -> tuple[str, ...]:
    """Classes in an order other than that of their letters: numbers by what they are worth, columns as they are named. Else nothing."""
    if isinstance(raw, Tagged) and cells.form == "flags":
        return raw.names
    if isinstance(raw, Coded) and all(re.fullmatch(r"-?\d{1,18}", name) for name in raw.names):
        return tuple(sorted(raw.names, key=int))
    return ()
