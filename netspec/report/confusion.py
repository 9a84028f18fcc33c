"""``confusion.png``: who is taken for whom, each row in shares of its class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from netspec.report.curves import GRID, INK, TRAIN, plain_text, saved
from netspec.report.models import Evaluation

NAMED: Final = 40
"""Up to so many classes, rows and columns bear their names; beyond, only some numbers of classes."""
COUNTED: Final = 15
"""Up to so many classes, each cell bears its count."""
_LONG: Final = 24
_RIGHT: Final = LinearSegmentedColormap.from_list("right", ("#ffffff", TRAIN, "#16324f"))
_WRONG: Final = LinearSegmentedColormap.from_list("wrong", ("#ffffff", "#e0764a", "#6e1f0c"))
"""What is right is blue and what is wrong is red, so that a mistake is seen at once."""


def draw_confusions(name: str, found: Evaluation) -> bytes | None:
    """The confusion of every output that has one, side by side, as a PNG; nothing where none has."""
    shown = {output: figures for output, figures in found.outputs.items() if figures.confusion}
    if not shown:
        return None
    parts = [
        (output if len(found.outputs) > 1 else "", [row.label for row in figures.classes], figures.confusion)
        for output, figures in shown.items()
    ]
    return _drawn(f"{name}: {found.split}", parts)


def draw_confusion(title: str, labels: Sequence[str], counts: Sequence[Sequence[int]]) -> bytes:
    """One confusion as a PNG: ``counts[i][j]`` of what is of class i were taken for class j."""
    return _drawn(title, [("", labels, counts)])


def _drawn(title: str, parts: Sequence[tuple[str, Sequence[str], Sequence[Sequence[int]]]]) -> bytes:
    sides = [_side(len(labels)) for _, labels, _ in parts]
    figure = Figure(figsize=(sum(sides) + 0.6, max(sides) + 0.3), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(plain_text(title), color=INK, fontsize=12)
    grid = figure.subplots(1, len(parts), squeeze=False, width_ratios=sides)[0]
    for axes, (name, labels, counts) in zip(grid, parts, strict=True):
        _matrix(axes, name, labels, np.asarray(counts, dtype=np.float64))
    return saved(figure, "png")


def _side(classes: int) -> float:
    """How many inches a matrix takes."""
    return min(12.0, max(4.0, 1.6 + 0.42 * classes)) if classes <= NAMED else 9.0


def _matrix(axes: Axes, name: str, labels: Sequence[str], counts: np.ndarray) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    colors = _colors(shares)
    axes.imshow(colors, interpolation="nearest")
    axes.set_xlabel("taken for", color=INK)
    axes.set_ylabel("is", color=INK)
    if name:
        axes.set_title(plain_text(name), color=INK, fontsize=11, loc="left")
    if len(labels) <= NAMED:
        words = [plain_text(cut(label, _LONG)) for label in labels]
        axes.set_xticks(range(len(labels)), words, rotation=90 if max(map(len, words)) > 3 else 0, fontsize=9)
        axes.set_yticks(range(len(labels)), words, fontsize=9)
        _lines(axes, len(labels))
    else:
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True))
    if len(labels) <= COUNTED:
        _write_counts(axes, counts, colors)
    axes.tick_params(colors=INK, length=0)
    for spine in axes.spines.values():
        spine.set_color(GRID)


def _colors(shares: np.ndarray) -> np.ndarray:
    """A colour for each cell, `N x N x 3`: by the root of the share, or a few in a hundred would be all but white."""
    right = np.eye(len(shares), dtype=bool)[:, :, None]
    strength = np.sqrt(shares)
    found: np.ndarray = np.where(right, _RIGHT(strength), _WRONG(strength))[:, :, :3]
    return found


def _lines(axes: Axes, classes: int) -> None:
    """Lines between the cells, so that a row can be followed."""
    between = [n - 0.5 for n in range(1, classes)]
    axes.set_xticks(between, minor=True)
    axes.set_yticks(between, minor=True)
    axes.grid(which="minor", color=GRID, linewidth=0.5)
    axes.tick_params(which="minor", length=0)


def _write_counts(axes: Axes, counts: np.ndarray, colors: np.ndarray) -> None:
    size = 8 if counts.max() < 10_000 else 6
    light = colors @ (0.299, 0.587, 0.114)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            ink = "#ffffff" if light[row, column] < 0.55 else INK
            axes.text(column, row, brief(int(count)), ha="center", va="center", color=ink, fontsize=size)


def brief(count: int) -> str:
    """``98``, ``12.3k``, ``4.5M``: a count in the room of a cell."""
    for scale, letter in ((10**9, "G"), (10**6, "M"), (10**4, "k")):
        if count >= scale:
            return f"{count / (1000 if letter == 'k' else scale):.3g}{letter}"
    return str(count)


def cut(label: str, room: int) -> str:
    """As much of a name as there is room for, in letters."""
    return label if len(label) <= room else f"{label[: room - 1]}…"
