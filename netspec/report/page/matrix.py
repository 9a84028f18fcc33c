"""Who is taken for whom: as a table of cells where there is room for it, else as the commonest confusions and a picture."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from netspec.report.confusion import brief, cut, draw_confusion
from netspec.report.models import OutputFigures
from netspec.report.page.markup import Markup, png, table, tag

MOST: Final = 40
"""Up to so many classes, every cell is written; beyond, only the commonest confusions."""
_STEPS: Final = (0.01, 0.03, 0.1, 0.25, 0.5, 0.9)
"""Shares of a row at which a cell gets the next colour: even a few in a hundred are seen."""
_PAIRS: Final = 20
_WORDS: Final = "Rows are the classes, columns what they were taken for; what is right is on the diagonal."


def matrix(output: OutputFigures, heading: str) -> list[Markup]:
    """The confusion of an output below a heading of that level (``h3``); nothing where it has none."""
    if not output.confusion:
        return []
    labels = [row.label for row in output.classes]
    shown = _cells(labels, output.confusion) if len(labels) <= MOST else _folded(labels, output.confusion)
    return [tag(heading, "Who is taken for whom"), *shown]


def _cells(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> list[Markup]:
    turned = max(map(len, labels), default=0) > 3
    head = tag("tr", tag("td", ""), *(_head(label, "col", 22, turned=turned) for label in labels))
    rows = [tag("tr", _head(labels[i], "row", 26), *_row(labels, i, row)) for i, row in enumerate(counts)]
    size = " tiny" if len(labels) > 24 else " small" if len(labels) > 14 else ""
    caption = tag("caption", _WORDS, class_="unseen")
    whole = tag("table", caption, tag("thead", head), tag("tbody", *rows), class_=f"confusion{size}")
    return [tag("p", _WORDS, class_="muted above", aria_hidden="true"), _scale(), tag("div", whole, class_="wide", tabindex="0")]


def _head(label: str, scope: str, room: int, *, turned: bool = False) -> Markup:
    """The name of a row or column, cut to the room that there is; the whole name is told all the same."""
    short = cut(label, room)
    words = tag("span", short, class_="turned") if turned else short
    return tag("th", words, scope=scope, title=label, aria_label=label if short != label else None)


def _row(labels: Sequence[str], row: int, counts: Sequence[int]) -> Iterator[Markup]:
    whole = max(sum(counts), 1)
    for column, count in enumerate(counts):
        right = row == column
        if not count:
            yield tag("td", "0" if right else "", class_="right" if right else None)
            continue
        share = count / whole
        words = f"{labels[row]}: {count:,} ({share:.1%}) " + ("right" if right else f"taken for {labels[column]}")
        yield tag("td", brief(count), title=words, class_=f"{_color(share, right)}{' right' * right}")


def _color(share: float, right: bool) -> str:
    return f"{'right' if right else 'wrong'}-{bisect_right(_STEPS, share)}"


def _scale() -> Markup:
    """What the colours mean."""
    shares = (0.0, *_STEPS)
    names = [f"under {_STEPS[0]:.0%}", *(f"{share:.0%}" for share in _STEPS)]
    parts = [
        tag("span", tag("span", word), *(tag("i", name, class_=_color(share, right)) for share, name in zip(shares, names, strict=True)))
        for word, right in (("right", True), ("wrong", False))
    ]
    return tag("p", *parts, tag("span", "of the row, or more"), class_="scale")


def _folded(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> list[Markup]:
    alt = f"Confusion of {len(labels)} classes: {_WORDS[0].lower()}{_WORDS[1:]}"
    drawn = tag("figure", png(draw_confusion("", labels, counts), alt), class_="sheet")
    return [_pairs(labels, counts), tag("details", tag("summary", f"All {len(labels)} classes as a picture"), drawn)]


def _pairs(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Markup:
    """The commonest confusions of many classes."""
    found = [
        (count, count / sum(row), labels[i], labels[j])
        for i, row in enumerate(counts)
        for j, count in enumerate(row)
        if count and i != j
    ]  # fmt: skip
    worst = sorted(found, key=lambda pair: (-pair[0], -pair[1]))[:_PAIRS]
    body = [[label, other, f"{count:,}", f"{share:.1%}"] for count, share, label, other in worst]
    caption = "The commonest confusions" if len(found) <= _PAIRS else f"The {_PAIRS} commonest of {len(found):,} confusions"
    return table(caption, ["is", "taken for", "how often", "of the class"], body, right=2)
