"""What a first look at data tells: counts, and a verdict for each thing that can be wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from netspec.diagnostics import Problem
from netspec.diagnostics.problem import Diagnostic
from netspec.diagnostics.render import as_data
from netspec.diagnostics.text import plural

_ENOUGH: Final = "the data has what the settings of the training go by"
Verdict = Literal["fine", "note", "warning", "error"]

CHECKS: Final[Mapping[str, tuple[str, ...]]] = {
    "splits": (),
    "hidden": (),
    "entries": ("N720",),
    "files": ("N711", "N743", "N742", "N744", "N745", "N746"),
    "targets": ("N749", "N715"),
    "classes": ("N704", "N730", "N705", "N708", "N709", "N710", "N723", "N740", "N865"),
    "pairs": (),
    "balance": ("N793",),
    "sizes": ("N794",),
    "channels": (),
    "leaks": ("N721",),
    "labels": ("N722",),
    "content": ("N796",),
}
"""What is looked at, in the order in which it is told, and the problems each look can find. All others are of the layout."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what was found, in a sentence, and what is wrong with it."""

    name: str
    text: str
    problems: tuple[Problem, ...] = ()
    remarkable: bool = False
    """Whether the sentence says something that may not be meant."""

    @property
    def verdict(self) -> Verdict:
        found = {p.severity for p in self.problems}
        return "error" if "error" in found else "warning" if found else "note" if self.remarkable else "fine"


@dataclass(frozen=True)
class ClassCounts:
    """How many samples of each class each split has, for one target; of masks the pixels are counted, of pairs the images."""

    target: str
    classes: tuple[str, ...]
    splits: Mapping[str, tuple[int, ...]]
    of: Literal["samples", "images", "pixels"] = "samples"


@dataclass(frozen=True)
class Report:
    """What was found in data. ``own`` says whether its splits are its own, or drawn by shares."""

    path: str
    layout: str
    own: bool
    samples: Mapping[str, int]
    counts: tuple[ClassCounts, ...]
    checks: tuple[Check, ...]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that is wrong, in the order of the checks."""
        return tuple(p for check in self.checks for p in check.problems)

    @property
    def failed(self) -> bool:
        """Whether the data cannot be used as it is."""
        return any(p.severity == "error" for p in self.problems)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(p for p in self.problems if p.severity != "error")

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All that is wrong, to be shown or raised."""
        return tuple(Diagnostic(p) for p in self.problems)

    def with_settings(self, problems: Sequence[Problem]) -> Report:
        """The same with what the settings of a training ask of the data and it lacks."""
        return replace(self, checks=(*self.checks, Check("settings", _told(problems) or _ENOUGH, tuple(problems))))

    def data(self) -> dict[str, Any]:
        """The report for programs."""
        checks = [
            {"check": c.name, "verdict": c.verdict, "found": c.text, "problems": [as_data(Diagnostic(p)) for p in c.problems]}
            for c in self.checks
        ]
        counts = {c.target: {"of": c.of, "classes": list(c.classes), **{s: list(n) for s, n in c.splits.items()}} for c in self.counts}
        own = {"path": self.path, "layout": self.layout, "own_splits": self.own, "samples": dict(self.samples)}
        return {"ok": not self.failed, **own, "counts": counts, "checks": checks}


NOTHING: Final = Report("", "", False, {}, (), ())


def checked(layout: str, facts: Mapping[str, str], remarkable: Sequence[str], problems: Sequence[Problem]) -> tuple[Check, ...]:
    """A check for each thing that was looked at (``facts``), and for each that something is wrong with."""
    by_code = {code: name for name, codes in CHECKS.items() for code in codes}
    found: dict[str, list[Problem]] = {}
    for problem in problems:
        found.setdefault(by_code.get(problem.code, "layout"), []).append(problem)
    return tuple(_checks({**facts, "layout": layout}, remarkable, found))


def _checks(facts: Mapping[str, str], remarkable: Sequence[str], found: Mapping[str, list[Problem]]) -> Iterator[Check]:
    for name in ("layout", *CHECKS):
        problems = tuple(found.get(name, ()))
        if name in facts or problems:
            yield Check(name, _told(problems) or facts[name], problems, name in remarkable)


def _told(problems: Sequence[Problem]) -> str:
    """What is wrong, in short: it is told in full below."""
    if not problems:
        return ""
    worst = next((p for p in problems if p.severity == "error"), problems[0])
    return worst.message() + (f"; and {plural(len(problems) - 1, 'more problem')}" if len(problems) > 1 else "")
