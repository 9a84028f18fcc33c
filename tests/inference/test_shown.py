"""What the console shows of predictions: a golden file for each kind of output, and for several."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from netspec.report.answers import show_predictions
from netspec.report.models import (
    Answer,
    ClassAnswer,
    ClassShare,
    LabelProbability,
    LabelsAnswer,
    MaskAnswer,
    NumberAnswer,
    Prediction,
)


def ranked(**probabilities: float) -> tuple[LabelProbability, ...]:
    return tuple(LabelProbability(label=label, probability=p) for label, p in probabilities.items())


def pets(**probabilities: float) -> ClassAnswer:
    top = ranked(**probabilities)
    return ClassAnswer(kind="class", label=top[0].label, probability=top[0].probability, top=top)


def tags(there: int, **probabilities: float) -> LabelsAnswer:
    return LabelsAnswer(kind="labels", labels=ranked(**probabilities)[:there], top=ranked(**probabilities)[:2])


def cells(*shares: float, mask: str | None = None) -> MaskAnswer:
    names = (ClassShare(label=name, share=share) for name, share in zip(("ground", "cell", "rim"), shares, strict=True))
    return MaskAnswer(kind="mask", shares=tuple(names), mask=mask)


def numbers(*values: float, names: tuple[str, ...] = ()) -> NumberAnswer:
    return NumberAnswer(kind="number", values=values, names=names)


CASES: dict[str, list[dict[str, Answer]]] = {
    "classes": [{"pet": pets(cat=0.981, dog=0.0171, hamster=0.002)}, {"pet": pets(hamster=0.4, cat=0.35, dog=0.25)}],
    "labels": [{"tags": tags(2, hat=0.981, glasses=0.712, beard=0.2)}, {"tags": tags(0, beard=0.31, hat=0.02, glasses=0.01)}],
    "numbers": [{"corner": numbers(12.25, 3.0, names=("row", "left"))}, {"corner": numbers(-0.125, 123456.7, names=("row", "left"))}],
    "masks": [{"mask": cells(0.912, 0.0879, 0.0001, mask="out/1.png")}, {"mask": cells(0, 0, 1, mask="out/2.png")}],
    "several": [
        {
            "pet": pets(cat=0.9, dog=0.1), "tags": tags(1, hat=0.7, beard=0.3), "age": numbers(31.25), "box": numbers(1, 2),
            "seen": cells(0.5, 0.5, 0),
        },
        {
            "pet": pets(dog=0.6, cat=0.4), "tags": tags(0, beard=0.3, hat=0.1), "age": numbers(7), "box": numbers(3, 4),
            "seen": cells(1, 0, 0),
        },
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_predictions(name: str, golden: Callable[[str, str], None]) -> None:
    found = [Prediction(file=f"photos/{i}.jpg", outputs=outputs) for i, outputs in enumerate(CASES[name], 1)]
    console = Console(width=140, record=True, file=StringIO())
    show_predictions(console, found)
    golden(f"report/predictions-{name}.txt", "\n".join(line.rstrip() for line in console.export_text().splitlines()) + "\n")


def test_control_characters_are_shown_escaped() -> None:
    console = Console(width=140, record=True, file=StringIO())
    show_predictions(console, [Prediction(file="a\x1b[31m.png", outputs={"tags\x07": tags(1, **{"\x1b[2J": 0.9, "b": 0.1})})])
    text = console.export_text()
    assert "\x1b" not in text and "\x07" not in text and "\\x1b[2J" in text
    show_predictions(console, [])
