"""``curves.png``: the loss and every other figure over the epochs, a panel for each."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Final, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from netspec.diagnostics.text import escape
from netspec.figures import SHARES, metric_of, minimized
from netspec.report.measured import figure_names, shown
from netspec.report.models import BestEpoch, EpochRow, Figures

TRAIN, VAL, TEST, INK, GRID = "#4477aa", "#ee6677", "#228833", "#333333", "#dddddd"
"""Tol's bright scheme, which stays distinct for eyes that see fewer colours."""
MOST: Final = 6
"""Up to so many panels; figures beyond these stand in ``history.csv``."""
_WIDTH: Final = 3
"""Panels in a row."""


def draw_curves(name: str, rows: Sequence[EpochRow], best: BestEpoch | None, test: Figures | None) -> bytes:
    """A picture (PNG) of the history: training and validation, the best epoch as a ring, the test split as a dashed line."""
    return saved(_figure(name, rows, best, test), "png")


def curve_svgs(rows: Sequence[EpochRow], best: BestEpoch | None, test: Figures | None) -> dict[str, str]:
    """Each panel alone, by the name of its figure, as SVG whose words are text. Title and legend are left to whoever shows them."""
    drawn = {}
    for name in _names(rows)[:MOST]:
        figure = Figure(figsize=(4.4, 2.8), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        _whole_panel(axes, name, rows, best, test)
        axes.set_title("", loc="left")
        drawn[name] = saved(figure, "svg").decode()
    return drawn


def saved(figure: Figure, form: Literal["png", "svg"]) -> bytes:
    """A figure's picture; equal figures give equal bytes."""
    picture = BytesIO()
    plain = {"Software": None} if form == "png" else {"Date": None, "Creator": None, "Format": None, "Type": None}
    with warnings.catch_warnings(), matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "netspec"}):
        warnings.filterwarnings("ignore", "Glyph")  # a name in letters that the font has not is drawn with boxes
        figure.savefig(picture, format=form, metadata=plain, transparent=form == "svg")
    return picture.getvalue()


def plain_text(text: str) -> str:
    """A text that is drawn as it stands: no control characters, and no formula."""
    return escape(text).replace("$", r"\$")


def panels(count: int, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels, up to three in a row."""
    wide = min(count, _WIDTH) if count != 4 else 2
    tall = -(-count // wide)
    figure = Figure(figsize=(5 * wide if wide < _WIDTH else 13.5, 0.4 + height * tall), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    grid = list(figure.subplots(tall, wide, squeeze=False).flat)
    for spare in grid[count:]:
        spare.set_visible(False)
    return figure, grid[:count]


def _names(rows: Sequence[EpochRow]) -> list[str]:
    return figure_names(rows) or ["loss"]


def _figure(name: str, rows: Sequence[EpochRow], best: BestEpoch | None, test: Figures | None) -> Figure:
    names = _names(rows)
    figure, axes = panels(len(names[:MOST]))
    left_out = len(names) - MOST
    more = f"   ({left_out} more in history.csv)" if left_out > 0 else ""
    if name or more:
        figure.suptitle(plain_text(name) + more, color=INK, fontsize=12)
    for place, title in zip(axes, names):
        _whole_panel(place, title, rows, best, test)
        if place.get_legend_handles_labels()[0]:
            place.legend(frameon=False, labelcolor=INK, fontsize=9)
    return figure


def _whole_panel(place: Axes, title: str, rows: Sequence[EpochRow], best: BestEpoch | None, test: Figures | None) -> None:
    _panel(place, title, rows, None if test is None else test.values.get(title))
    _mark(place, title, best)
    _stages(place, rows)


def _panel(axes: Axes, title: str, rows: Sequence[EpochRow], test: float | None) -> None:
    epochs = [row.epoch for row in rows]
    for split, color, values in (("training", TRAIN, [r.train for r in rows]), ("validation", VAL, [r.val for r in rows])):
        line(axes, epochs, values, title, color, split)
    if test is not None:
        axes.axhline(test, color=TEST, linewidth=1.3, linestyle=(0, (5, 3)), label=f"test: {shown(title, test)}")
    dress(axes, title)


def line(
    axes: Axes, epochs: Sequence[int], values: Sequence[Mapping[str, float]], title: str, color: str, label: str, style: str = "-"
) -> None:
    """One figure over the epochs, where there is any; a gap where an epoch has none."""
    if any(title in v for v in values):
        marker = "o" if len(epochs) < 30 else ""
        shown_values = [v.get(title, float("nan")) for v in values]
        axes.plot(epochs, shown_values, color=color, marker=marker, markersize=3.5, linewidth=1.8, linestyle=style, label=label)


def dress(axes: Axes, name: str, title: str = "") -> None:
    """Title, scales and grid of the panel of a figure."""
    axes.set_xlabel("epoch", color=INK)
    axes.set_title(plain_text(title or name), color=INK, fontsize=11, loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if metric_of(name) in SHARES:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlim(left=max(axes.get_xlim()[0], 0.5))
    if minimized(name) and axes.dataLim.ymin >= 0:
        axes.set_ylim(0, 1.04 * axes.get_ylim()[1])
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)


def _mark(axes: Axes, title: str, best: BestEpoch | None) -> None:
    """A ring at the best epoch; the panel of the figure that says so has it in its legend."""
    if best is None or title not in best.values:
        return
    label = f"best: epoch {best.epoch}" if best.monitor == f"val.{title}" else None
    axes.plot(best.epoch, best.values[title], "o", color=VAL, markersize=9, fillstyle="none", label=label)


def _stages(axes: Axes, rows: Sequence[EpochRow]) -> None:
    """The name of each stage, at the line where it begins."""
    begins = [row for before, row in zip((None, *rows), rows) if row.stage and (before is None or before.stage != row.stage)]
    for row in begins:
        if row is not rows[0]:
            axes.axvline(row.epoch - 0.5, color=GRID, linewidth=1.3, zorder=1)
        name = plain_text(row.stage)
        axes.text(row.epoch - 0.45, 0.98, name, transform=axes.get_xaxis_transform(), color=INK, fontsize=8, va="top", clip_on=True)
    if begins:
        axes.set_xlim(rows[0].epoch - 0.5, rows[-1].epoch + 0.5)
