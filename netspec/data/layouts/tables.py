"""CSV files: rows of cells under a header, and where each cell stands.

UTF-8, with or without a byte order mark. What is between cells is a comma, a semicolon or a tab, whichever makes rows of one length;
cells may be quoted. Empty lines are passed over.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from netspec.data.layouts.folders import is_image
from netspec.diagnostics import failure
from netspec.diagnostics.tables import BrokenTable, WrongCells
from netspec.diagnostics.text import plural

DELIMITERS: Final = (",", ";", "\t")
_PROBE = 20
_NUMBER: Final = re.compile(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?")


@dataclass
class Table:
    """A CSV file. ``lines`` are the numbers of the lines on which its rows begin; ``wrong`` collects cells that cannot be used, as the
    line, the column (from 1) and what is wrong."""

    path: Path
    delimiter: str
    header: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]
    wrong: list[tuple[int, int, str]] = field(default_factory=list)
    wrong_rows: set[int] = field(default_factory=set)
    uneven: set[int] = field(default_factory=set)
    """The rows that are longer or shorter than the header, of whose cells nothing is known."""

    def find(self, names: Sequence[str]) -> int | None:
        """The first column that is called by one of some names, letter case aside where none is called exactly so."""
        for name in names:
            if name in self.header:
                return self.header.index(name)
        folded = [title.casefold() for title in self.header]
        return next((folded.index(name.casefold()) for name in names if name.casefold() in folded), None)

    def even_rows(self) -> Iterator[tuple[int, list[str]]]:
        """The rows that have a cell for each column, with their numbers."""
        return ((number, row) for number, row in enumerate(self.rows) if number not in self.uneven)

    def reject(self, row: int, column: int, sentence: str) -> None:
        """Note that a cell cannot be used."""
        self.wrong_rows.add(row)
        self.wrong.append((self.lines[row], column, f"{self.header[column]} {sentence}"))

    def reject_row(self, row: int, sentence: str) -> None:
        """Note that a whole row cannot be used, since its cells are not those of the header."""
        self.wrong_rows.add(row)
        self.uneven.add(row)
        self.wrong.append((self.lines[row], 0, sentence))

    def problem(self) -> WrongCells | None:
        """All cells that cannot be used, each with its place in the text."""
        if not self.wrong:
            return None
        texts = self._texts({line for line, _, _ in self.wrong})
        cells = tuple(f"{self.path}:{line}:{self._place(texts[line], column)}: {what}" for line, column, what in sorted(self.wrong))
        return WrongCells(str(self.path), cells)

    def _texts(self, lines: Set[int]) -> dict[int, str]:
        """Some lines of the file as they are written."""
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            return {number: text for number, text in enumerate(file, 1) if number in lines}

    def _place(self, line: str, column: int) -> int:
        """At which character of a line a cell begins, from 1; of a row over several lines, in its first."""
        return next(islice(_starts(line, self.delimiter), column, None), len(line.rstrip("\r\n"))) + 1


def read_table(path: Path) -> Table:
    """Read a CSV file. Raises N790 where it is none; rows that are longer or shorter than the header are noted as wrong."""
    try:
        return _table(path)
    except OSError as error:
        raise failure(BrokenTable(str(path), error.strerror or str(error))) from error
    except UnicodeDecodeError as error:
        raise failure(BrokenTable(str(path), f"it is not UTF-8 (byte {error.start:,})")) from error
    except csv.Error as error:
        raise failure(BrokenTable(str(path), str(error))) from error


def _table(path: Path) -> Table:
    delimiter = _delimiter(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        rows, lines = [], []
        line = 1
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append([cell.strip() for cell in row])
                lines.append(line)
            line = reader.line_num + 1
    if len(rows) < 2:
        raise failure(BrokenTable(str(path), "it has no rows below a header"))
    table = Table(path, delimiter, tuple(rows[0]), rows[1:], lines[1:])
    _check_lengths(table)
    return table


def _check_lengths(table: Table) -> None:
    count = len(table.header)
    if twice := next((name for i, name in enumerate(table.header) if name and name in table.header[:i]), None):
        missing = "the header seems to be missing: " if looks_like_values(table.header) else ""
        raise failure(BrokenTable(str(table.path), f"{missing}two of its columns are called {twice}"))
    for number, row in enumerate(table.rows):
        if len(row) != count:
            table.reject_row(number, f"the row has {plural(len(row), 'cell')}, and the header {count}")


def looks_like_values(header: Sequence[str]) -> bool:
    """Whether the first row is one of values, as if the header were missing: it has the path of an image, or numbers as no name is one."""
    numbers = [title for title in header if _NUMBER.fullmatch(title)]
    return any(map(is_image, header)) or any("." in number for number in numbers) or len(numbers) == len(header)


def _delimiter(path: Path) -> str:
    """What stands between cells: what makes the first rows equally long, and as long as possible."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        probe = list(islice(file, _PROBE))

    def fit(delimiter: str) -> tuple[bool, int]:
        try:
            lengths = [len(row) for row in csv.reader(probe, delimiter=delimiter) if row]
        except csv.Error:
            return (False, 0)
        return (len(set(lengths)) == 1, lengths[0] if lengths else 0)

    return max(DELIMITERS, key=lambda d: (fit(d)[1] > 1, *fit(d)))


def _starts(line: str, delimiter: str) -> Iterator[int]:
    """Where the cells of a line begin."""
    yield 0
    quoted = False
    for place, character in enumerate(line):
        if character == '"':
            quoted = not quoted
        elif character == delimiter and not quoted:
            yield place + 1
