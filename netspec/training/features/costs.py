"""Whether keeping the values of a frozen part pays, and where: a comparison of seconds, with the reason in one sentence.

Without keeping, each epoch computes every value anew. With it, every view of every sample is computed once, and each epoch reads one
view of each sample. The rates are low on purpose: where the comparison is wrong, it should be wrong on the side of computing anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Literal

from netspec.diagnostics.text import storage

Where = Literal["no", "memory", "disk"]

MEMORY_RATE: Final = 1e9
"""Bytes a second that rows are gathered with in memory."""
DISK_RATE: Final = 1e8
"""Bytes a second that rows are read from a file with, in random order."""
ROW_SECONDS: Final = 20e-6
"""Seconds that reading a row from a file takes however short it is."""
WRITE_RATE: Final = 1e8
"""Bytes a second that a file is written with."""
_MARGIN: Final = 0.9
"""What keeping has to cost at most, of what computing anew costs."""
_LEFT_ALONE: Final = 2
"""Of free memory at most one part of so many is taken."""


@dataclass(frozen=True)
class Costs:
    """What is known of the values that could be kept.

    ``seconds`` is what one view of one sample takes to compute, ``bytes`` what it takes to keep. ``epochs`` are those that will
    surely be run. ``memory`` is what of it is free, ``disk`` what a file may take. ``kept`` says that a file from before has them all.
    """

    samples: int
    epochs: int
    views: int
    seconds: float
    bytes: int
    memory: int | None
    disk: int
    kept: bool = False

    @property
    def size(self) -> int:
        """The bytes of all that is to be kept."""
        return self.samples * self.views * self.bytes

    @property
    def anew(self) -> float:
        """Seconds that the stage spends on these values where nothing is kept."""
        return self.epochs * self.samples * self.seconds

    def keeping(self, where: Where) -> float:
        """Seconds that the stage spends on them where they are kept."""
        reads = self.epochs * self.samples
        if where == "memory":
            return self._computing + reads * self.bytes / MEMORY_RATE
        written = 0.0 if self.kept else self.size / WRITE_RATE
        return self._computing + written + reads * (self.bytes / DISK_RATE + ROW_SECONDS)

    @property
    def _computing(self) -> float:
        return 0.0 if self.kept else self.samples * self.views * self.seconds


@dataclass(frozen=True)
class Decision:
    """Where values are kept, and why there or why not."""

    where: Where
    reason: str


def may_pay(costs: Costs) -> bool:
    """Whether keeping could pay however long computing takes, so that measuring it is worth the time."""
    return decide(replace(costs, seconds=math.inf)).where != "no"


def decide(costs: Costs) -> Decision:
    """Where to keep values so that a stage is not slower than without: in memory where they fit, else on disk, else nowhere."""
    if costs.epochs <= costs.views and not costs.kept:
        return Decision("no", _too_few(costs))
    fits_memory = costs.memory is not None and costs.size <= costs.memory // _LEFT_ALONE
    fits_disk = costs.kept or costs.size <= costs.disk
    if not fits_memory and not fits_disk:
        return Decision(
            "no", f"all of it takes {storage(costs.size)}, more than half of the free memory, and more than a file of the cache may take"
        )
    where: Where = "memory" if fits_memory and not costs.kept else "disk"
    spent, anew = costs.keeping(where), costs.anew
    if spent > _MARGIN * anew:
        return Decision("no", f"computing it anew takes {_seconds(anew)} in the stage, and keeping it in {_place(where)} {_seconds(spent)}")
    found = "a run before has left it" if costs.kept else f"it takes {storage(costs.size)}"
    once = "" if costs.views == 1 else ", as two views"
    return Decision(where, f"{found}{once}, and saves about {_seconds(anew - spent)} of {_seconds(anew)} in {costs.epochs:,} epochs")


def _too_few(costs: Costs) -> str:
    if costs.epochs <= 1:
        return "one epoch computes everything once anyway"
    return f"{costs.epochs:,} epochs compute no more than {costs.views} views of everything"


def _place(where: Where) -> str:
    return {"memory": "memory", "disk": "a file", "no": "nothing"}[where]


def _seconds(seconds: float) -> str:
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 90 else f"{seconds:.1f} s"
