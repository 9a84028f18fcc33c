"""What the console shows: golden files for the tables, and lines for epochs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from netspec.figures import LOWER, SHARES
from netspec.report.measured import METRICS, shown, told
from netspec.report.models import BestEpoch, ClassFigures, Evaluation, Figures, OutputFigures, RunRecord
from netspec.report.progress import Reporter, epoch_line
from netspec.report.tables import show_evaluation, show_header, show_outcome
from tests.report.making import evaluation, record, rows, rows_of_two, settings, staged, two_outputs

Golden = Callable[[str, str], None]


def text_of(show: Callable[[Console], None], width: int = 200) -> str:
    """What is printed on a console that is no terminal, a wide one."""
    found = StringIO()
    show(Console(file=found, width=width))
    return "\n".join(line.rstrip() for line in found.getvalue().splitlines()) + "\n"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("accuracy", 0.988, "98.80%"), ("gender.accuracy", 1.0, "100.00%"), ("mask.miou", 0.8, "80.00%"), ("loss", 0.04012, "0.0401"),
        ("age.loss", 12.3456, "12.3456"), ("age.mae", 4.3123, "4.312"), ("rmse", 12345.6, "12,346"), ("mse", 0.0, "0"),
        ("auc", 0.98765, "0.9877"),
        ("mae", float("nan"), "nan"), ("mse", 1e30, "1e+30"),
    ],
)  # fmt: skip
def test_figures_are_written_by_their_nature(name: str, value: float, text: str) -> None:
    assert shown(name, value) == text


def test_figures_are_metrics_of_the_language() -> None:
    assert SHARES | LOWER | {"auc"} == METRICS


def test_losses_of_outputs_are_left_out_where_there_is_little_room() -> None:
    assert told(rows_of_two(1)[0].train) == ["loss 3.5000", "age.mae 30", "gender.accuracy 90.00%"]


def test_epoch_lines() -> None:
    first, last = rows(2)
    assert epoch_line(first, 12, best=None) == (
        "epoch  1/12  loss 1.2000  accuracy 50.00%  val loss 1.0000  val accuracy 60.00%  1,234 images/s  2.5 s"
    )
    assert "val accuracy 80.00% (best)  1,234 images/s" in epoch_line(last, 2, best="val.accuracy")
    bare = last.model_copy(update={"val": {}, "stage": "warm\x1b"})
    assert epoch_line(bare, 2, best=None) == r"epoch 2/2  warm\x1b  loss 0.6000  accuracy 75.00%  1,234 images/s  2.5 s"
    assert epoch_line(rows_of_two(1)[0], 3, best="val.age.mae") == (
        "epoch 1/3  loss 3.5000  age.mae 30  gender.accuracy 90.00%  "
        "val loss 3.6000  val age.mae 31 (best)  val gender.accuracy 85.00%  val gender.auc 0.9000  99 images/s  1 min 15 s"
    )
    assert "val gender.auc 0.9000 (best)" in epoch_line(rows_of_two(1)[0], 3, best="val.gender.loss"), "what decides is not shown"


@dataclass
class At:
    """A place in an epoch."""

    epoch: int = 0
    step: int = 3
    sums: dict[str, float] = field(default_factory=lambda: {"loss": 64.0, "accuracy": 48.0})
    seconds: float = 2.0


def test_the_live_line_shows_means_so_far() -> None:
    live = StringIO()
    reporter = Reporter(Console(file=live, force_terminal=True, width=160))
    reporter.begin(2, 128)
    with reporter:
        reporter.step(At(), 64)
    assert "loss 1.0000  accuracy 75.00%  32 images/s  6.0 s left" in live.getvalue()


HEADERS = {
    "one": record(),
    "staged": record(train=staged(), data=record().data.model_copy(update={"own_splits": True, "counts": {"train": 240}}), trainable=1200),
    "two": record(
        train=two_outputs(), classes={"gender": ("female", "male")}, test=Figures(images=30, values=rows_of_two(2)[1].val),
        best=BestEpoch(epoch=2, monitor="val.loss", values=rows_of_two(2)[1].val),
    ),
    "numbers": record(classes={}, train=settings(ema=0.999, clip=1.0, accumulate=4, decay="weights"), test=None, best=None),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
def test_header_and_outcome(name: str, golden: Golden) -> None:
    kept: RunRecord = HEADERS[name]

    def show(console: Console) -> None:
        show_header(Reporter(console), Path("runs/pets-1"), kept)
        show_outcome(Reporter(console), Path("runs/pets-1"), kept)

    golden(f"report/run-{name}.txt", text_of(show))


MASK = OutputFigures(
    kind="mask",
    classes=(
        ClassFigures(label="ground", images=9000, correct=8900, accuracy=8900 / 9000),
        ClassFigures(label="cell", images=0, correct=0, accuracy=None),
    ),
    confusion=((8900, 100), (0, 0)),
)  # fmt: skip
EVALUATIONS = {
    "classes": evaluation(),
    "top": evaluation(figures={"loss": 1.2, "accuracy": 0.5, "top_k": 0.75}, titles={"top_k": "top_3"}),
    "outputs": evaluation(
        figures={"loss": 3.4, "age.loss": 30.1, "age.mae": 30.1, "mask.loss": 0.4, "mask.miou": 0.61},
        outputs={"age": OutputFigures(kind="number"), "mask": MASK},
    ),
}


@pytest.mark.parametrize("name", EVALUATIONS)
def test_evaluation(name: str, golden: Golden) -> None:
    found: Evaluation = EVALUATIONS[name]
    golden(f"report/evaluation-{name}.txt", text_of(lambda console: show_evaluation(console, found)))


def test_names_too_long_for_columns_are_numbers(golden: Golden) -> None:
    names = ("Anjou", "Cantaloupe", "Golden_Delicious", "Granny_Smith", "Honeydew_Melon", *(f"Variety_{n}" for n in range(7)))
    rows = tuple(ClassFigures(label=name, images=100, correct=100 - n, accuracy=1 - n / 100) for n, name in enumerate(names))
    square = tuple(tuple(100 - i if i == j else i * (j == (i + 3) % 12) for j in range(12)) for i in range(12))
    found = evaluation(outputs={"output": OutputFigures(kind="class", classes=rows, confusion=square)})
    text = text_of(lambda console: show_evaluation(console, found), 80)
    golden("report/evaluation-narrow.txt", text)
    assert max(map(len, text.splitlines())) <= 80


def test_many_classes_have_no_table_of_confusion() -> None:
    many = tuple(ClassFigures(label=f"c{i}", images=1, correct=1, accuracy=1.0) for i in range(21))
    square = tuple(tuple(int(i == j) for j in range(21)) for i in range(21))
    shown_text = text_of(
        lambda console: show_evaluation(
            console, evaluation(outputs={"output": OutputFigures(kind="class", classes=many, confusion=square)})
        )
    )
    assert "taken for" not in shown_text
    assert "c20" in shown_text


def test_names_are_shown_escaped() -> None:
    hostile = "\x1b]0;owned\x07[bold]x"
    found = evaluation()
    output = found.outputs["output"]
    classes = (output.classes[0].model_copy(update={"label": hostile}), *output.classes[1:])
    show = text_of(
        lambda c: show_evaluation(c, found.model_copy(update={"outputs": {"output": output.model_copy(update={"classes": classes})}}))
    )
    header = text_of(lambda c: show_header(Reporter(c), Path("runs/\x1b[31m"), record(classes={"class": (hostile, "dog")})))
    for text in (show, header):
        assert "\x1b" not in text
        assert r"\x1b]0;owned\x07[bold]x" in text
