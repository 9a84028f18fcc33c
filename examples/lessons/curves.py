"""A picture of how the lessons went."""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final

from examples.lessons.lessons import Lesson
from examples.lessons.running import Run

_LOSS, _FIGURE, _INK, _GRID = "#4477aa", "#ee6677", "#333333", "#dddddd"
"""Tol's bright scheme, which stays distinct for eyes that see fewer colours."""
_ACROSS: Final = 3


def draw_curves(lessons: Sequence[tuple[Lesson, Sequence[Run]]]) -> bytes:
    """A picture (PNG) with a panel for each lesson and a line for each of its runs: the loss of training on the left axis, the figure that
    is told of it on the right one, over the epochs; dots are the test split."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    across, down = min(_ACROSS, len(lessons)), math.ceil(len(lessons) / _ACROSS)
    figure = Figure(figsize=(4.4 * across, 2.9 * down), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for number, (lesson, runs) in enumerate(lessons, 1):
        _panel(figure.add_subplot(down, across, number), lesson, runs)
    picture = BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def _panel(axes: Any, lesson: Lesson, runs: Sequence[Run]) -> None:
    main, right = lesson.main[0], axes.twinx()
    for run in runs:
        _line(axes, run, "train_loss", _LOSS)
        _line(right, run, f"train_{main.replace('.', '_')}", _FIGURE)
        right.plot([run.epochs[-1]["epoch"]], [run.figures[main]], "o", color=_FIGURE, markersize=5)
    axes.set_title(lesson.name, color=_INK, fontsize=10)
    axes.set_ylabel("loss", color=_LOSS, fontsize=8)
    right.set_ylabel(main, color=_FIGURE, fontsize=8)
    axes.set_ylim(bottom=0)
    axes.grid(color=_GRID, linewidth=0.6)


def _line(axes: Any, run: Run, column: str, colour: str) -> None:
    """A column of the history; of training where it is measured there, else of validation, else nothing."""
    for name in (column, column.replace("train_", "val_", 1)):
        if name in run.epochs[0]:
            axes.plot([row["epoch"] for row in run.epochs], [row[name] for row in run.epochs], color=colour, linewidth=1.2)
            return
