"""The report on data for a terminal: counts by class and split, and a verdict for each thing that was looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from netspec.data.looking.report import ClassCounts, Report, Verdict
from netspec.diagnostics.text import escape, plural

_MANY: Final = 40
"""Of more classes than this, the largest and the smallest halves of as many are shown."""
_STYLES: Final[dict[Verdict, str]] = {"fine": "green", "note": "cyan", "warning": "yellow", "error": "red"}


def show_report(console: Console, report: Report) -> None:
    """The report, without the full text of what is wrong."""
    for sentence in header(report):
        console.print(Text(sentence), soft_wrap=True)
    for counts in report.counts:
        console.print(_table(counts))
    width = max((len(check.name) for check in report.checks), default=0)
    for check in report.checks:
        line = Text.assemble((f"{check.verdict:<8}", _STYLES[check.verdict]), f"{check.name:<{width}}  {escape(check.text)}")
        console.print(line, soft_wrap=True)


def in_short(report: Report) -> str:
    """How the checks came out: ``9 checks of the data are fine, 1 warning``."""
    counts = Counter(check.verdict for check in report.checks)
    told = [plural(counts[verdict], verdict) for verdict in ("note", "warning") if counts[verdict]]
    return ", ".join([f"{plural(counts['fine'], 'check')} of the data fine", *told]) + "; netspec check SPEC --data DIR tells all"


def header(report: Report) -> Iterator[str]:
    """What the data is and how many samples each split has."""
    if report.samples:
        counts = ", ".join(f"{count:,} {split}" for split, count in report.samples.items())
        yield f"{escape(report.path)}: {counts} ({'splits of its own' if report.own else 'split by shares'})"
    else:
        yield escape(report.path)


def _table(counts: ClassCounts) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column(escape(counts.target) + ("" if counts.of == "samples" else f" ({counts.of})"))
    for split in counts.splits:
        table.add_column(split, justify="right")
    numbers = list(range(len(counts.classes)))
    if len(numbers) > _MANY:
        totals = [sum(column[i] for column in counts.splits.values()) for i in numbers]
        ranked = sorted(numbers, key=lambda i: -totals[i])
        numbers = sorted({*ranked[: _MANY // 2], *ranked[-_MANY // 2 :]})
    for number in numbers:
        cells = [_cell(counts, column, number) for column in counts.splits.values()]
        table.add_row(Text(escape(counts.classes[number])), *cells)
    if len(numbers) < len(counts.classes):
        table.add_row(Text(f"and {len(counts.classes) - len(numbers):,} more"), *("" for _ in counts.splits))
    return table


def _cell(counts: ClassCounts, column: Sequence[int], number: int) -> str:
    """How many there are of a class; of pixels which share."""
    if not column[number]:
        return "·"
    return f"{column[number] / sum(column):.2%}" if counts.of == "pixels" else f"{column[number]:,}"
