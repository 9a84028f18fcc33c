"""Source text and places in it.

A :class:`Span` is a pair of code-point offsets; lines and columns, which count from 1, are worked out only
when somebody is shown a place.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple


class Span(NamedTuple):
    """A half-open range of code points in a source's text."""

    start: int
    end: int


def join(first: Span, last: Span) -> Span:
    """The smallest span that covers both."""
    return Span(first[0], last[1])


@dataclass(frozen=True, eq=False)
class Source:
    """A named text. ``name`` is what a user is shown: the path as it was given, or ``<command line>``.

    The files it uses are looked for from ``folder``, the way ``way`` down from there; ``identity`` tells whether two names are one
    file (device and inode).
    """

    name: str
    text: str
    folder: str = "."
    identity: tuple[int, int] | None = None
    way: tuple[str, ...] = ()

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        position = self.text.find("\n")
        while position >= 0:
            starts.append(position + 1)
            position = self.text.find("\n", position + 1)
        return starts

    def __repr__(self) -> str:
        return f"Source({self.name!r})"

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both counted from 1, columns in code points."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, without its line break."""
        start = self._line_starts[number - 1]
        end = self._line_starts[number] if number < len(self._line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")


class Place(NamedTuple):
    """A span of a certain source."""

    source: Source
    span: Span

    def __str__(self) -> str:
        line, column = self.source.position(self.span.start)
        return f"{self.source.name}:{line}:{column}"
