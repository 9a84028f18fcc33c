"""Figures that are watched from epoch to epoch: for a plateau of the schedule, for stopping early, and for what is best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from netspec.figures import minimized
from netspec.report.models import BestEpoch, EpochRow, NamedSettings, StageSettings, TrainSettings

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
    seen = watch.saw(row.figure(monitor), minimized(monitor), _THRESHOLD)
    if seen.waited <= schedule.settings["patience"]:
        return seen
    return replace(seen, waited=0, factor=seen.factor * schedule.settings["factor"])


def after_epoch(watch: Watch, stop: NamedSettings | None, row: EpochRow) -> tuple[Watch, bool]:
    """The watch for stopping early after an epoch, and whether to stop."""
    if stop is None:
        return watch, False
    monitor = stop.settings["monitor"]
    seen = watch.saw(row.figure(monitor), minimized(monitor))
    return seen, seen.waited >= stop.settings["patience"]


def watched(settings: TrainSettings, stage: StageSettings) -> list[str]:
    """The figures of validation that something goes by in a stage: what to keep, when to stop, a plateau."""
    choices = (settings.keep, stage.schedule, *(() if stage.stop is None else (stage.stop,)))
    monitors = [str(choice.settings.get("monitor")) for choice in choices]
    return [monitor.removeprefix("val.") for monitor in monitors if monitor.startswith("val.")]


def better(best: BestEpoch | None, row: EpochRow, keep: NamedSettings) -> BestEpoch | None:
    """The best epoch so far by a figure of the validation split, of equals by the loss, of these the first; none where the last is kept."""
    if not row.val or keep.name != "best":
        return None
    monitor: str = keep.settings["monitor"]

    def rank(values: Mapping[str, float]) -> tuple[float, float]:
        value = values[monitor.partition(".")[2]]
        return -value if minimized(monitor) else value, -values["loss"]

    if best is not None and rank(row.val) <= rank(best.values):
        return best
    return BestEpoch(epoch=row.epoch, monitor=monitor, values=row.val)
