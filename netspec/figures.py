"""Measured figures by their names, as ``val.age.mae``: what each measures, and which way is better."""

from __future__ import annotations

from typing import Final

SHARES: Final = frozenset({"accuracy", "top_k", "precision", "recall", "f1", "miou", "dice"})
"""Figures that are shares of a whole, written in percent."""
LOWER: Final = frozenset({"loss", "mae", "mse", "rmse"})
"""Figures of which less is better."""


def metric_of(name: str) -> str:
    """What a figure measures: ``mae`` of ``val.age.mae``."""
    return name.rpartition(".")[2]


def minimized(name: str) -> bool:
    """Whether less of a figure is better."""
    return metric_of(name) in LOWER
