"""Runs side by side: as a table, as data, and as a picture of their curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from matplotlib.axes import Axes
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from netspec.diagnostics.text import escape, plural
from netspec.report.curves import INK, MOST, dress, line, panels, plain_text, saved
from netspec.report.differences import differences
from netspec.report.measured import figure_names, in_short, shown, titles
from netspec.report.progress import duration
from netspec.report.runs import Comparison, Run, best_of, known_figures

_COLORS: Final = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#555555")
"""Tol's bright scheme."""
_DRAWN: Final = 2 * len(_COLORS)
"""So many runs can be told apart: those beyond the first colours are dashed."""
_WIDE: Final = 180
"""Beyond so many characters a table with a row for each run is turned round, a column for each."""
_BESIDE: Final = 5
"""So many runs stand beside one another then, each in so many characters, and so many settings are shown unless all are asked for."""
_CELL: Final = 28
_SETTINGS: Final = 24

_Cells = Mapping[str, Sequence[Text]]
"""A setting or a figure of every run, by its name."""


def comparison_table(runs: Sequence[Run], every: bool = False) -> RenderableType:
    """What differs in the settings of runs, their figures, the best of each in bold, their time and their parameters.

    A row for each run; where that is wider than can be read, a column for each, with no more than some settings, or with ``every`` one.
    """
    settings = {name: [Text(escape(v)) for v in values] for name, values in differences([run.record for run in runs]).items()}
    measured = _measured(runs)
    if sum(3 + max(len(name), *(len(cell) for cell in cells)) for name, cells in (settings | measured).items()) <= _WIDE:
        return _across(runs, settings, measured)
    shown_settings = settings if every else dict(list(settings.items())[:_SETTINGS])
    more = len(settings) - len(shown_settings)
    tables: list[RenderableType] = [_down(runs, slice(n, n + _BESIDE), shown_settings, measured) for n in range(0, len(runs), _BESIDE)]
    return Group(*tables, *([Text(f"and {plural(more, 'more setting')} that differ (--all-settings)")] if more else []))


def _measured(runs: Sequence[Run]) -> dict[str, Sequence[Text]]:
    """What came of the runs."""
    figures = [name for name in known_figures(runs) if in_short([name.partition(".")[2]])]
    called = titles(run.record.train for run in runs)
    return {
        "epoch": [Text(_epoch(run)) for run in runs],
        **{_title(name, called): [_figure(run, name, best_of(runs, name)) for run in runs] for name in figures},
        "time": [Text("" if run.seconds is None else duration(run.seconds)) for run in runs],
        "parameters": [Text(f"{run.record.parameters:,}") for run in runs],
    }


def _title(name: str, called: Mapping[str, str]) -> str:
    """``val.top_k`` as ``val top_5``."""
    split, _, figure = name.partition(".")
    return f"{split} {called.get(figure, figure)}"


def _across(runs: Sequence[Run], settings: _Cells, measured: _Cells) -> Table:
    """A row for each run."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("run", overflow="fold")
    for name in settings:
        table.add_column(Text(escape(name)), overflow="fold")
    for name in measured:
        table.add_column(Text(escape(name)), justify="right")
    for row, run in enumerate(runs):
        table.add_row(Text(escape(run.name), "bold"), *(cells[row] for cells in (*settings.values(), *measured.values())))
    return table


def _down(runs: Sequence[Run], part: slice, settings: _Cells, measured: _Cells) -> Table:
    """A column for each of some runs, and a row for each setting and figure."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("", overflow="fold", max_width=_CELL)
    for run in runs[part]:
        table.add_column(Text(escape(run.name), "bold"), overflow="fold", max_width=_CELL)
    for cells_by_name in (settings, measured):
        for name, cells in cells_by_name.items():
            table.add_row(Text(escape(name)), *cells[part])
        table.add_section()
    return table


def _figure(run: Run, name: str, best: float | None) -> Text:
    value = run.figures.get(name)
    return Text("") if value is None else Text(shown(name, value), "bold" if value == best else "")


def _epoch(run: Run) -> str:
    """The epoch whose weights are used, of how many; a run that is not finished says so."""
    record = run.record
    used = record.epochs_done if record.best is None else record.best.epoch
    return f"{used} of {record.epochs_done}" + ("" if record.status == "finished" else f" ({record.status})")


def comparison_data(found: Comparison) -> dict[str, Any]:
    """The same for programs: figures by split and name, times in seconds."""
    settings = differences([run.record for run in found.runs])
    return {
        "runs": [
            {
                "path": run.name,
                "net": run.record.net,
                "status": run.record.status,
                "epochs": run.record.epochs_done,
                "best_epoch": None if run.record.best is None else run.record.best.epoch,
                "settings": {name: values[row] for name, values in settings.items()},
                "figures": run.figures,
                "seconds": run.seconds,
                "parameters": run.record.parameters,
            }
            for row, run in enumerate(found.runs)
        ],
        "left_out": [{"path": path, "reason": reason} for path, reason in found.left_out],
    }


def draw_comparison(runs: Sequence[Run]) -> bytes:
    """A PNG: for each figure a panel with a curve for each run, of validation, or of training where no run has it for validation."""
    drawn = runs[:_DRAWN]
    known = figure_names([row for run in drawn for row in run.rows]) or ["loss"]
    names = known[:MOST]
    figure, axes = panels(len(names))
    if title := left_undrawn(len(runs), len(known)):
        figure.suptitle(title, color=INK, fontsize=12)
    for place, name in zip(axes, names, strict=True):
        _panel(place, name, drawn)
    handles = {label: handle for place in axes for handle, label in zip(*place.get_legend_handles_labels(), strict=True)}
    if handles:
        columns = max(1, min(4, len(handles)))
        figure.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=columns, frameon=False, labelcolor=INK, fontsize=9
        )
    return saved(figure, "png")


def left_undrawn(runs: int, figures: int) -> str:
    """What a picture of so many runs and figures says that it does not show; nothing where it shows all."""
    told = [f"the first {_DRAWN} of {runs} runs"] if runs > _DRAWN else []
    told += [f"the first {MOST} of {figures} figures; the others are in each history.csv"] if figures > MOST else []
    return ", ".join(told)


def _panel(axes: Axes, name: str, runs: Sequence[Run]) -> None:
    split = "val" if any(name in row.val for run in runs for row in run.rows) else "train"
    for number, run in enumerate(runs):
        style = "-" if number < len(_COLORS) else "--"
        color, label = _COLORS[number % len(_COLORS)], plain_text(run.name)
        line(axes, [row.epoch for row in run.rows], [getattr(row, split) for row in run.rows], name, color, label, style)
    dress(axes, name, f"{split} {name}")
