"""How sides are compared.

Both sides run in the same benchmark, in random order within each round, after a warm-up round that is not counted. What is quoted is the
median of the rounds' own ratios, with the smallest and largest; beside it stands a control, the second side against itself, which
shows what the machine can tell apart. Times are CPU times of the process (or, for whole processes, of the child), user and system.
"""

from __future__ import annotations

import random
import resource
import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Side = Callable[[], float]
"""Does the work once; gives the CPU seconds it took."""


@dataclass(frozen=True)
class Spread:
    """A median and the range around it."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True)
class Comparison:
    """``ratio`` is the peer's time over ours, ``control`` the peer's over the peer's; times in CPU seconds."""

    ours: Spread
    peer: Spread
    ratio: Spread
    control: Spread


def compare(ours: Side, peer: Side, rounds: int) -> Comparison:
    """Run both sides twice in random order each round: the peer is its own control, and neither finds the processor's caches warmer, as
    a side of two thirds of all runs would."""
    shuffler = random.Random(0)
    sides = {"ours": ours, "again": ours, "peer": peer, "control": peer}
    found: dict[str, list[float]] = {name: [] for name in sides}
    for round_ in range(rounds + 1):
        for name in shuffler.sample(list(sides), len(sides)):
            seconds = sides[name]()
            if round_:
                found[name].append(seconds)
    ratios = [p / o for p, o in zip(found["peer"], found["ours"], strict=True)]
    controls = [p / c for p, c in zip(found["peer"], found["control"], strict=True)]
    return Comparison(spread(found["ours"]), spread(found["peer"]), spread(ratios), spread(controls))


def spread(values: Sequence[float]) -> Spread:
    """Median, smallest and largest."""
    return Spread(statistics.median(values), min(values), max(values))


def process(*command: str) -> Side:
    """A side that is a whole process, start to end."""

    def side() -> float:
        before = _cpu(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return _cpu(resource.RUSAGE_CHILDREN) - before

    return side


def function(work: Callable[[], object], times: int = 1) -> Side:
    """A side that is a call in this process, made ``times`` times."""

    def side() -> float:
        before = _cpu(resource.RUSAGE_SELF)
        for _ in range(times):
            work()
        return (_cpu(resource.RUSAGE_SELF) - before) / times

    return side


def _cpu(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime
