"""Tables of plain text."""

from __future__ import annotations

from collections.abc import Sequence

Row = Sequence[str]


def columns(head: Row, *groups: Sequence[Row], right: int = 0) -> list[str]:
    """The lines of a table: columns two spaces apart, a rule before each group of rows, and the last ``right`` columns set to the right."""
    widths = [max(map(len, column)) for column in zip(head, *(row for group in groups for row in group), strict=True)]
    lines = [_line(head, widths, right)]
    for group in groups:
        lines += ["-" * (sum(widths) + 2 * len(widths) - 2), *(_line(row, widths, right) for row in group)]
    return lines


def _line(row: Row, widths: Sequence[int], right: int) -> str:
    cells = [cell.ljust(width) if i < len(row) - right else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))]
    return "  ".join(cells).rstrip()
