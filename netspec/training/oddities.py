"""Losses that are odd, and numbers all the same: what a user should look at before hours have gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Final

from netspec.diagnostics import Problem
from netspec.diagnostics.learning import LossExploded, LossStandsStill
from netspec.report.models import EpochRow

_MANY_TIMES: Final = 10.0
"""How many times the lowest loss so far is too much."""
_STANDS: Final = 3
"""After how many epochs of a stage a loss should have moved."""
_MOVED: Final = 1e-4
"""By which share of itself at least."""
_NOTHING: Final = 1e-6
"""A loss below this has nowhere to go."""


def odd_losses(rows: Sequence[EpochRow]) -> Iterator[Problem]:
    """All that is odd about the losses of a run."""
    for epochs in range(1, len(rows) + 1):
        yield from odd_loss(rows[:epochs])


def odd_loss(rows: Sequence[EpochRow]) -> Iterator[Problem]:
    """What the last epoch is the first of its stage to show."""
    last = rows[-1]
    own = [row.train["loss"] for row in takewhile(lambda row: row.stage == last.stage, reversed(rows))][::-1]
    if len(own) > 1 and _exploded(own) and not any(_exploded(own[:n]) for n in range(2, len(own))):
        yield LossExploded(last.stage, last.epoch, own[-1], min(own))
    if len(own) == _STANDS and min(own) > _NOTHING and max(own) - min(own) < _MOVED * min(own):
        yield LossStandsStill(last.stage, _STANDS, own[-1])


def _exploded(losses: Sequence[float]) -> bool:
    return losses[-1] > losses[0] and losses[-1] > _MANY_TIMES * min(losses)
