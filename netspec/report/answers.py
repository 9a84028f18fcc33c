"""Predictions on the console: a row for each image, and for each output what it says of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from netspec.diagnostics.text import escape
from netspec.report.models import Answer, ClassAnswer, LabelProbability, LabelsAnswer, MaskAnswer, NumberAnswer, Prediction

_LEAST: Final = 0.0005
"""Shares below this would be written as 0.0%."""
_SHARES: Final = 6
"""So many classes of a mask are named, the largest."""


@dataclass(frozen=True)
class _Column:
    """A column of the table: its title and a cell for each image."""

    title: str
    cells: list[str]
    bold: bool = False
    right: bool = False


def show_predictions(console: Console, found: Sequence[Prediction]) -> None:
    """A row for each image; nothing where there is none."""
    if not found:
        return
    columns = [_Column("file", [answer.file for answer in found])]
    for name in found[0].outputs:
        columns += _columns(name, [answer.outputs[name] for answer in found], alone=len(found[0].outputs) == 1)
    table = Table(box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(Text(escape(column.title)), overflow="fold", justify="right" if column.right else "left")
    for row in range(len(found)):
        table.add_row(*(Text(escape(c.cells[row]), "bold" if c.bold else "") for c in columns))
    console.print(table)


def _columns(output: str, answers: Sequence[Answer], *, alone: bool) -> Iterator[_Column]:
    """What an output says; where it is the only one, in more columns."""
    classes = [a for a in answers if isinstance(a, ClassAnswer)]
    labels = [a for a in answers if isinstance(a, LabelsAnswer)]
    numbers = [a for a in answers if isinstance(a, NumberAnswer)]
    masks = [a for a in answers if isinstance(a, MaskAnswer)]
    if classes and alone:
        yield _Column("class", [a.label for a in classes], bold=True)
        yield _Column("probability", [f"{a.probability:.2%}" for a in classes], right=True)
        yield _Column("then", [_listed(a.top[1:]) for a in classes])
    elif classes:
        yield _Column(output, [_listed(a.top[:1]) for a in classes])
    if labels:
        yield _Column("labels" if alone else output, [_listed(a.labels) or "none" for a in labels], bold=alone)
        yield _Column("below 50%" if alone else f"{output}, below 50%", [_listed(_absent(a)) for a in labels])
    if numbers:
        yield from _numbers(output, numbers)
    if masks:
        yield _Column("shares of the pixels" if alone else output, [_shares(a) for a in masks])
        if any(a.mask for a in masks):
            yield _Column("mask" if alone else f"{output}, mask", [a.mask or "" for a in masks])


def _numbers(output: str, answers: Sequence[NumberAnswer]) -> Iterator[_Column]:
    count = len(answers[0].values)
    titles = answers[0].names or ((output,) if count == 1 else tuple(f"{output}[{i}]" for i in range(count)))
    for place, title in enumerate(titles):
        yield _Column(title, [_number(a.values[place]) for a in answers], right=True)


def _number(value: float) -> str:
    return f"{value:,.0f}" if 10_000 <= abs(value) < 1e15 else f"{value:.5g}"


def _absent(answer: LabelsAnswer) -> list[LabelProbability]:
    return [label for label in answer.top if label not in answer.labels]


def _listed(ranked: Sequence[LabelProbability]) -> str:
    return ", ".join(f"{one.label} {one.probability:.1%}" for one in ranked)


def _shares(answer: MaskAnswer) -> str:
    """The classes that an image shows, the largest first."""
    largest = sorted((s for s in answer.shares if s.share >= _LEAST), key=lambda s: -s.share)
    rest = len(largest) - _SHARES
    return ", ".join([*(f"{s.label} {s.share:.1%}" for s in largest[:_SHARES]), *([f"{rest} more"] if rest > 0 else [])])
