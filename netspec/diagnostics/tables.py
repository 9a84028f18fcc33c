"""N748, N749, N790: CSV files."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import closest, escape, listing, plural


@dataclass(frozen=True)
class MissingColumn(Problem):
    """An input or a target that no column of a CSV file holds; ``size`` is how many numbers it has, where that is the trouble. With
    ``exported``, a model is asked that has its columns from the spec it was exported from."""

    path: str
    name: str
    tried: tuple[str, ...]
    header: tuple[str, ...]
    size: int | None = None
    headless: bool = False
    """Whether the first row looks like one of values, as if the header were missing."""
    of: Literal["input", "target"] = "target"
    exported: bool = False
    code = "N748"
    exit = Exit.DATA

    def message(self) -> str:
        tried = listing([escape(n) for n in dict.fromkeys(self.tried)], "or")
        if self.size is not None:
            return f"{escape(self.name)} is {plural(self.size, 'number')}, and {plural(len(self.tried), 'column')} is named for it: {tried}"
        return f"{escape(self.path)} has no column {tried} for {escape(self.name)}"

    def notes(self) -> Iterable[str]:
        first = listing([escape(n) for n in self.header], limit=20)
        yield f"the header seems to be missing: the first row is {first}" if self.headless else f"its columns are {first}"

    def help(self) -> str:
        if self.headless:
            return f"write the names of the columns into a first row, {escape(self.tried[0])} for {escape(self.name)}"
        if self.exported:
            near = f", as {escape(self._near())} may be meant" if self._near() else ""
            return f"call the column so in a copy of the table{near}: the model was exported for data with a column of that name"
        if self.size is not None:
            columns = ", ".join(f"COLUMN{i}" for i in range(1, min(self.size, 3) + 1)) + (", …" if self.size > 3 else "")
            return f"name {self.size} of them: data {{ {self.of} {escape(self.name)} = column({columns}) }}"
        column = _written(self._near()) or "COLUMN"
        return f"give the column that name, or say which it is: data {{ {self.of} {escape(self.name)} = column({column}) }}"

    def _near(self) -> str:
        """The column that may be meant, or nothing."""
        inside = (title for title in self.header if self.tried[0].casefold() in re.split(r"\W+|_", title.casefold()))
        return next(inside, None) or closest(self.tried[0], self.header) or ""


def _written(name: str) -> str:
    """A column's name as a spec has it."""
    return escape(name) if name.isidentifier() or not name else f'"{escape(name)}"'


@dataclass(frozen=True)
class WrongCells(Problem):
    """Cells of a CSV file that cannot be used, all of them: each is `FILE:LINE:COLUMN: ` and what is wrong."""

    path: str
    cells: tuple[str, ...]
    shown: ClassVar[int] = 20
    code = "N749"
    exit = Exit.DATA

    def message(self) -> str:
        if len(self.cells) == 1:
            return escape(self.cells[0])
        return f"{plural(len(self.cells), 'cell')} of {escape(self.path)} cannot be used"

    def notes(self) -> Iterable[str]:
        if len(self.cells) == 1:
            return
        yield from map(escape, self.cells[: self.shown])
        if len(self.cells) > self.shown:
            yield f"and {len(self.cells) - self.shown:,} more"

    def help(self) -> str:
        return "fill in or correct these cells, or take their rows out"


@dataclass(frozen=True)
class BrokenTable(Problem):
    """A CSV file that cannot be read."""

    path: str
    reason: str
    code = "N790"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{escape(self.path)} is not a CSV file that can be read: {escape(self.reason)}"

    def help(self) -> str:
        return "save it as CSV in UTF-8, with a header of the columns' names and a row for each sample"
