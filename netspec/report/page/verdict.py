"""What is said of a run first: what came of it, in one figure and a few words."""

from __future__ import annotations

from dataclasses import dataclass

from netspec.report.measured import shown, titles
from netspec.report.models import RunRecord
from netspec.report.wording import of_epochs

_OVER = {
    "running": "This page was written while the run went on.",
    "interrupted": "The run was broken off; `netspec train --resume` goes on with it.",
    "failed": "The run failed, and is not complete.",
}


@dataclass(frozen=True)
class Verdict:
    """A figure, what it is of, and where the weights are from; ``over`` says why a run is not finished."""

    figure: str
    of: str
    weights: str
    over: str = ""


def verdict(record: RunRecord) -> Verdict:
    """The figure that the run goes by, on the test split, else on that for validation, else on what was trained on."""
    over = _OVER.get(record.status, "")
    epochs = of_epochs(record.epochs_done)
    main, called = main_figure(record), titles([record.train])
    said = called.get(main, main)
    if record.test is not None and main in record.test.values:
        return Verdict(shown(main, record.test.values[main]), f"test {said}", f"{_weights(record)}, on {record.test.images:,} images", over)
    if record.best is not None:
        return Verdict(shown(main, record.best.value), f"{record.best.monitor.partition('.')[0]} {said}", _weights(record), over)
    for split in ("val", "train"):
        values: dict[str, float] = getattr(record.last, split) if record.last is not None else {}
        if values:
            name = main if main in values else next(iter(values))
            return Verdict(shown(name, values[name]), f"{split} {called.get(name, name)}", f"after {epochs}", over)
    return Verdict("–", "no epoch was complete", "there are no weights", over)


def main_figure(record: RunRecord) -> str:
    """The name of the figure by which the best epoch is known."""
    monitor = record.best.monitor if record.best is not None else str(record.train.keep.settings.get("monitor", "val.loss"))
    return monitor.partition(".")[2]


def _weights(record: RunRecord) -> str:
    if record.best is None:
        return f"weights of the last of {of_epochs(record.epochs_done)}"
    return f"weights of epoch {record.best.epoch} of {record.epochs_done}, the best by {record.best.monitor}"
