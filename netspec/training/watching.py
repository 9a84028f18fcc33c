"""Figures that are watched from epoch to epoch: for a plateau of the schedule, and for stopping early."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from netspec.report.models import EpochRow, NamedSettings
from netspec.setting_kinds import minimized

_THRESHOLD: Final = 1e-4
"""What share of the best a figure has to be better by, to be no plateau: PyTorch's default."""


@dataclass(frozen=True)
class Watch:
    """The best of a figure in a stage, and for how many epochs in a row none was better; ``factor`` is what a plateau has come to."""

    best: float | None = None
    waited: int = 0
    factor: float = 1.0

    def saw(self, value: float, less_is_better: bool, threshold: float = 0.0) -> Watch:
        """After another epoch."""
        best = self.best
        margin = 1 - threshold if less_is_better else 1 + threshold
        if best is None or (value < best * margin if less_is_better else value > best * margin):
            return replace(self, best=value, waited=0)
        return replace(self, waited=self.waited + 1)


def after_plateau(watch: Watch, schedule: NamedSettings, row: EpochRow) -> Watch:
    """The watch of a schedule after an epoch; only `plateau` has one (`ReduceLROnPlateau`, relative threshold, no cooldown)."""
    if schedule.name != "plateau":
        return watch
    monitor = schedule.settings["monitor"]
    seen = watch.saw(figure(row, monitor), minimized(monitor), _THRESHOLD)
    if seen.waited <= schedule.settings["patience"]:
        return seen
    return replace(seen, waited=0, factor=seen.factor * schedule.settings["factor"])


def after_epoch(watch: Watch, stop: NamedSettings | None, row: EpochRow) -> tuple[Watch, bool]:
    """The watch for stopping early after an epoch, and whether to stop."""
    if stop is None:
        return watch, False
    monitor = stop.settings["monitor"]
    seen = watch.saw(figure(row, monitor), minimized(monitor))
    return seen, seen.waited >= stop.settings["patience"]


def figure(row: EpochRow, monitor: str) -> float:
    """A figure of an epoch by its name: ``val.loss``."""
    value = {
        "val.loss": row.val_loss, "val.accuracy": row.val_accuracy, "train.loss": row.train_loss, "train.accuracy": row.train_accuracy,
    }[monitor]  # fmt: skip
    assert value is not None
    return value
