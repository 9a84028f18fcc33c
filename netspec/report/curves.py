"""``curves.png``: loss and accuracy over the epochs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from netspec.report.models import BestEpoch, EpochRow, Figures

_TRAIN, _VAL, _TEST, _INK, _GRID = "#4477aa", "#ee6677", "#228833", "#333333", "#dddddd"
"""Tol's bright scheme, which stays distinct for eyes that see fewer colours."""


def draw_curves(name: str, rows: Sequence[EpochRow], best: BestEpoch | None, test: Figures | None) -> bytes:
    """A picture (PNG) of the history: training and validation, the best epoch as a dot, the test split as a dashed line."""
    figure = Figure(figsize=(10, 4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(name.replace("$", r"\$"), color=_INK, fontsize=12)
    losses, accuracies = figure.subplots(1, 2)
    epochs = [r.epoch for r in rows]
    _panel(losses, "loss", epochs, [r.train_loss for r in rows], [r.val_loss for r in rows], None if test is None else test.loss)
    _panel(
        accuracies,
        "accuracy",
        epochs,
        [r.train_accuracy for r in rows],
        [r.val_accuracy for r in rows],
        None if test is None else test.accuracy,
    )
    accuracies.yaxis.set_major_formatter(PercentFormatter(1.0))
    if best is not None:
        accuracies.plot(best.epoch, best.val_accuracy, "o", color=_VAL, markersize=9, fillstyle="none", label=f"best: epoch {best.epoch}")
        losses.plot(best.epoch, best.val_loss, "o", color=_VAL, markersize=9, fillstyle="none")
    losses.set_ylim(bottom=0)
    for axes in (losses, accuracies):
        _stages(axes, rows)
        axes.legend(frameon=False, labelcolor=_INK, fontsize=9)
    picture = BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a name in letters that the font has not is drawn with boxes
        figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def _stages(axes: Axes, rows: Sequence[EpochRow]) -> None:
    """The name of each stage, at the line where it begins."""
    begins = [row for before, row in zip((None, *rows), rows) if row.stage and (before is None or before.stage != row.stage)]
    for row in begins:
        if row is not rows[0]:
            axes.axvline(row.epoch - 0.5, color=_GRID, linewidth=1.3)
        axes.text(row.epoch - 0.45, 0.98, row.stage, transform=axes.get_xaxis_transform(), color=_INK, fontsize=8, va="top")
    if begins:
        axes.set_xlim(rows[0].epoch - 0.5, rows[-1].epoch + 0.5)


def _panel(axes: Axes, title: str, epochs: list[int], train: list[float], val: Sequence[float | None], test: float | None) -> None:
    marker = "o" if len(epochs) < 30 else ""
    axes.plot(epochs, train, color=_TRAIN, marker=marker, markersize=3.5, linewidth=1.8, label="training")
    if any(v is not None for v in val):
        shown = [float("nan") if v is None else v for v in val]
        axes.plot(epochs, shown, color=_VAL, marker=marker, markersize=3.5, linewidth=1.8, label="validation")
    if test is not None:
        shown_test = f"{test:.2%}" if title == "accuracy" else f"{test:.4f}"
        axes.axhline(test, color=_TEST, linewidth=1.3, linestyle=(0, (5, 3)), label=f"test: {shown_test}")
    axes.set_xlabel("epoch", color=_INK)
    axes.set_title(title, color=_INK, fontsize=11, loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_INK, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_GRID)
