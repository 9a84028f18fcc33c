"""Where phases put what they find."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from netspec.diagnostics.error import NetspecError
from netspec.diagnostics.problem import Diagnostic, Problem, Related, Trail
from netspec.source import Place

LIMIT: Final = 100


class Collector:
    """Diagnostics in the order they were found. The same problem at the same place, reached again, counts as a repeat."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Place | None], Diagnostic] = {}
        self.errors = 0
        """How many errors were found, repeats counted."""
        self.added = 0
        """How often anything was reported."""

    def add(self, problem: Problem, place: Place | None, related: tuple[Related, ...] = (), trail: Trail | None = None) -> None:
        key = (problem.code, place)
        known = self._found.get(key)
        self.added += 1
        self.errors += problem.severity == "error"
        self._found[key] = replace(known, repeats=known.repeats + 1) if known else Diagnostic(problem, place, related, trail)

    def extend(self, diagnostics: list[Diagnostic]) -> None:
        for d in diagnostics:
            self._found[d.code, d.place] = d
            self.added += 1
            self.errors += d.is_error

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All of them, file by file, in the order of the text."""
        files = {d.place.source: i for i, d in reversed(list(enumerate(self._found.values()))) if d.place}
        return tuple(sorted(self._found.values(), key=lambda d: (files[d.place.source], *d.place.span) if d.place else (-1, -1, -1)))

    @property
    def full(self) -> bool:
        """Whether so much is wrong that looking for more serves nobody."""
        return len(self._found) >= LIMIT

    @property
    def failed(self) -> bool:
        return self.errors > 0

    def raise_errors(self) -> None:
        """Raises :class:`NetspecError` with everything found if any of it is an error."""
        if self.failed:
            raise NetspecError(self.diagnostics)
