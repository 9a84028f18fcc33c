"""Learning rates over the steps of a stage."""

from __future__ import annotations

from bisect import bisect_right
from math import cos, pi

from netspec.report.models import NamedSettings


def learning_rate(chosen: NamedSettings, lr: float, step: int, steps: int, per_epoch: int = 1, factor: float = 1.0) -> float:
    """The learning rate of step ``step`` (from 0) out of the ``steps`` of a stage, of which there are ``per_epoch`` in each epoch.

    ``factor`` is what a plateau has come to. With a ``warmup``, the rate first rises linearly over ``round(warmup steps)`` steps.
    """
    settings = chosen.settings
    if chosen.name == "one_cycle":
        return _one_cycle(settings["warmup"], settings["start"], settings["end"], lr, step, steps)
    rising: int = round(settings.get("warmup", 0.0) * steps)
    along = max(step - rising, 0) / max(steps - rising, 1)
    floor = settings.get("floor", 0.0)
    match chosen.name:
        case "step":
            factor = settings["factor"] ** (step // per_epoch // settings["every"])
        case "multistep":
            factor = settings["factor"] ** bisect_right(settings["at"], step // per_epoch)
        case "cosine":
            factor = floor + (1 - floor) * (1 + cos(pi * along)) / 2
        case "polynomial":
            factor = floor + (1 - floor) * (1 - along) ** settings["power"]
    return float(lr * factor * ((step + 1) / rising if step < rising else 1))


def _one_cycle(warmup: float, start: float, end: float, lr: float, step: int, steps: int) -> float:
    """Smith and Topin, 2017, as PyTorch has it: from `lr / start` up to `lr`, and down to `lr / start / end` in the last step."""
    top, last = max(warmup * steps - 1, 0.0), steps - 1
    first, final = lr / start, lr / start / end
    if step < top:
        return _between(first, lr, step / top)
    return _between(lr, final, (step - top) / (last - top) if last > top else 0.0)


def _between(start: float, end: float, share: float) -> float:
    """From start to end on half a cosine."""
    return end + (start - end) / 2 * (1 + cos(pi * min(share, 1.0)))
