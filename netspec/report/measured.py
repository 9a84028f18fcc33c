"""Measured figures by name, as ``val.age.mae``: in which order they stand, and how each is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from netspec.figures import SHARES, metric_of
from netspec.report.models import EpochRow, TrainSettings
from netspec.sections import METRICS as _METRICS

METRICS: Final = frozenset(_METRICS) | {"loss"}
"""All that is measured."""


def shown(name: str, value: float) -> str:
    """A figure as text: ``98.80%``, a loss ``0.0401``, a distance in the units of what is measured ``4.31``."""
    metric = metric_of(name)
    if metric in SHARES:
        return f"{value:.2%}"
    if metric in ("loss", "auc"):
        return f"{value:.4f}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"


def told(values: Mapping[str, float], split: str = "", titles: Mapping[str, str] = {}) -> list[str]:
    """Figures in words, ``val loss 0.0401`` and ``val accuracy 98.80%``; of several outputs the sum of the losses and no others.
    ``titles`` are what some of them are called there."""
    before = f"{split} " if split else ""
    return [f"{before}{titles.get(name, name)} {shown(name, values[name])}" for name in in_short(values)]


def titles(trainings: Iterable[TrainSettings]) -> dict[str, str]:
    """What figures are called in words where their name does not say all: ``top_k`` with its k, ``top_5``. Where stages or runs have
    other k, the name stays what it is."""
    found: dict[str, set[str]] = {}
    for train in trainings:
        for stage in train.in_turn:
            for output, metrics in stage.metrics.items():
                of = f"{output}." if len(stage.metrics) > 1 else ""
                for metric in metrics:
                    if metric.name == "top_k":
                        found.setdefault(f"{of}top_k", set()).add(f"{of}top_{metric.settings['k']}")
    return {name: next(iter(called)) for name, called in found.items() if len(called) == 1}


def in_short(names: Iterable[str]) -> list[str]:
    """The figures to show where there is little room: the loss, and of each output what else is measured."""
    return [name for name in names if name == "loss" or metric_of(name) != "loss"]


def figure_names(rows: Sequence[EpochRow]) -> list[str]:
    """Every figure of a history, in the order of its first epochs: the loss, and of each output what else is measured, then its loss."""
    found = list(dict.fromkeys(name for row in rows for name in (*row.train, *row.val)))
    short = in_short(found)
    return [*short, *(name for name in found if name not in short)]
