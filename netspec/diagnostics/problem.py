"""What can be wrong, as data.

A :class:`Problem` is one kind of mistake: its fields are the facts, its methods the words, its code its name for
ever. A :class:`Diagnostic` is a problem found somewhere: the place, the places it has to do with, and the chain of
blocks through which it was reached.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from netspec.source import Place


class Exit(IntEnum):
    """Exit codes of the program."""

    FINE = 0
    SPEC = 1
    USAGE = 2
    DATA = 3
    MODEL_FILE = 4
    ENVIRONMENT = 5
    NUMBERS = 6
    BUG = 70
    INTERRUPTED = 130


class Problem(ABC):
    """One kind of mistake. Subclasses are frozen dataclasses and say their ``code``, ``message`` and more."""

    code: ClassVar[str]
    exit: ClassVar[Exit] = Exit.SPEC
    severity: ClassVar[str] = "error"

    @abstractmethod
    def message(self) -> str:
        """What is wrong, in one sentence without a full stop."""

    def label(self) -> str:
        """A few words to stand beside the caret."""
        return ""

    def notes(self) -> Iterable[str]:
        """Further facts."""
        return ()

    def help(self) -> str | None:
        """What to write instead, computed from the facts."""
        return None


@dataclass(frozen=True)
class Related:
    """A second place that has to do with a problem, and what it has to do with it."""

    place: Place
    text: str


@dataclass(frozen=True)
class Trail:
    """The use of a block through which a place was reached; ``outer`` is the use around it."""

    block: str
    place: Place
    outer: Trail | None = None

    def __iter__(self) -> Iterator[Trail]:
        here: Trail | None = self
        while here is not None:
            yield here
            here = here.outer


@dataclass(frozen=True)
class Diagnostic:
    """A problem found somewhere. ``place`` is ``None`` for what lies in no text, as a missing file."""

    problem: Problem
    place: Place | None = None
    related: tuple[Related, ...] = ()
    trail: Trail | None = None
    repeats: int = 0
    """How many more uses of the same text run into the same problem."""

    @property
    def code(self) -> str:
        return self.problem.code

    @property
    def message(self) -> str:
        return self.problem.message()

    @property
    def is_error(self) -> bool:
        return self.problem.severity == "error"
