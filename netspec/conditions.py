"""What was decided by the sizes that were tried, and might go out otherwise at others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netspec.formulas import sides

if TYPE_CHECKING:
    from netspec.sizes import Dim


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of open sizes: whether ``difference`` is 0, or with ``order`` whether it is at least 0, and the ``outcome``."""

    difference: Dim
    order: bool
    outcome: bool

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Whether it goes out at these sizes as it did at those that were tried."""
        found = self.difference.at(sizes)
        return (found >= 0 if self.order else found == 0) is self.outcome

    @property
    def turned(self) -> Condition:
        """Of an equality the same with its sides changed over."""
        return self if self.order else Condition(-self.difference, False, self.outcome)

    def __str__(self) -> str:
        sign = (">=" if self.outcome else "<") if self.order else ("=" if self.outcome else "!=")
        left, right = sides(self.difference)
        return f"{left} {sign} {right}"


_log: ContextVar[list[Condition] | None] = ContextVar("conditions", default=None)


@contextmanager
def listening() -> Iterator[list[Condition]]:
    """The conditions of all that is compared meanwhile."""
    found: list[Condition] = []
    token = _log.set(found)
    try:
        yield found
    finally:
        _log.reset(token)


def note(condition: Condition) -> None:
    """Tell whoever is listening."""
    log = _log.get()
    if log is not None:
        log.append(condition)
