"""What can be wrong with characters and brackets, reported once each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from netspec.diagnostics import Diagnostic, Problem, Related, problems
from netspec.limits import NESTING
from netspec.source import Place, Source, Span

BAD: Final = "BAD"
MAX_ERRORS: Final = 20
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_NEVER = re.compile(r"(?:[^\t\n -~]|[$&'?;@\\^`~])+")
"""Characters that begin no token, and are part of none but strings and comments."""
_COMMENT = re.compile(r"^[ \t]*(//|/\*)|[)}\w][ \t]+(//|/\*)[ \t]*[A-Za-z]")
_QUOTED = re.compile(r"'([A-Za-z_][A-Za-z0-9_]*)'(?![ \t]*:)")
_PAIRS: Final = {"(": ")", "[": "]", "{": "}"}


class LexicalError(Exception):
    """Text that cannot be divided into tokens; ``related`` is a second place, and what it has to do with it."""

    def __init__(self, source: Source, problem: Problem, start: int, end: int, related: tuple[Span, str] | None = None) -> None:
        super().__init__(problem)
        spots = (Related(Place(source, related[0]), related[1]),) if related else ()
        self.diagnostic = Diagnostic(problem, Place(source, Span(start, end)), spots)


class Again(Exception):
    """The text is to be read anew, now that a bracket is known to be never closed."""


def brackets_differ(opener: str, closer: str) -> bool:
    """Whether a bracket is closed by another kind of bracket."""
    return _PAIRS[opener] != closer


class Faults:
    """Puts what is wrong into ``found``, at most one fault a line; without ``found``, raises it."""

    def __init__(self, source: Source, found: list[Diagnostic] | None) -> None:
        self.source = source
        self.found = found
        self.broken: set[int] = set()
        """Where brackets stand that are never closed."""
        self._lines: set[int] = set()
        self._lost_bracket = False
        self._fenced = False

    def _add(self, problem: Problem, start: int, end: int, related: tuple[Span, str] | None = None) -> None:
        line, _ = self.source.position(start)
        if line in self._lines:
            return
        error = LexicalError(self.source, problem, start, end, related)
        if self.found is None or len(self.found) >= MAX_ERRORS - 1:
            raise error
        self.found.append(error.diagnostic)
        self._lines.add(line)

    def forbidden(self, start: int, end: int) -> None:
        """Characters that may stand nowhere, not even in a comment or a string: those that control how text is shown."""
        line_end = -1
        for match in _FORBIDDEN.finditer(self.source.text, start, end):
            if match.start() > line_end:
                self._add(problems.BadCharacter(match[0]), match.start(), match.end())
                line_end = self._end_of_line(match.start())

    def stuck(self, position: int, end: int) -> int:
        """At a character that begins no token; gives where to go on."""
        character = self.source.text[position]
        if character == '"':
            stop = min(self._end_of_line(position), end)
            self._add(problems.UnclosedString(), position, stop)
            swallowed = self.source.text[position:stop]
            self._lost_bracket |= any(swallowed.count(a) != swallowed.count(b) for a, b in _PAIRS.items())
            return stop
        if self.source.text.startswith("```", position):
            return self._fence(position)
        self._add(problems.BadCharacter(character, self._instead(position)), position, position + 1)
        more = _NEVER.match(self.source.text, position + 1, end)
        return more.end() if more else position + 1

    def _fence(self, position: int) -> int:
        """At the marks around a text in Markdown: reported the first time; gives the end of their line."""
        if not self._fenced:
            self._add(problems.BadCharacter("`", "take out the lines with ```"), position, position + 3)
        self._fenced = True
        return self._end_of_line(position)

    def _instead(self, position: int) -> str | None:
        """What to write where a character stands in a comment of another language, or quotes a word that needs no quotes."""
        line = self.source.text[self.source.text.rfind("\n", 0, position) + 1 : position]
        if _COMMENT.search(line):
            return "a comment begins with #"
        quoted = _QUOTED.match(self.source.text, position)
        return f"write {quoted[1]}, without quotes" if quoted else None

    def _end_of_line(self, position: int) -> int:
        stop = self.source.text.find("\n", position)
        return len(self.source.text) if stop < 0 else stop

    def too_long(self, kind: str, start: int, end: int) -> str:
        """A name or number beyond the limit; gives the kind to go on with."""
        self._add(problems.NameTooLong(end - start) if kind == "NAME" else problems.BadNumber(end - start), start, end)
        return kind if kind == "NAME" else BAD

    def depth(self, depth: int, start: int) -> None:
        """Raises where brackets within brackets go beyond the limit."""
        if depth > NESTING:
            raise LexicalError(self.source, problems.TooDeep(), start, start + 1)

    def mismatch(self, closer: str, start: int, opener: tuple[str, int] | None) -> bool:
        """A closing bracket that fits nothing; gives whether what was open counts as closed by it."""
        self._give_up_after_lost_bracket()
        here = Span(start, start + 1)
        if opener is None or opener[0] == "{":
            problem = problems.Unbalanced(closer)
            if closer == "}":
                raise LexicalError(self.source, problem, *here)
            self._add(problem, *here)
            self._lost_bracket |= opener is not None
            return False
        there = Span(opener[1], opener[1] + 1)
        if closer == "}":
            self.not_closed(*opener, start)
            self.broken.add(opener[1])
            raise Again
        self._add(problems.Unbalanced(closer, opener[0]), *here, (there, "opened here"))
        return True

    def not_closed(self, opener: str, start: int, noticed: int) -> None:
        """A bracket that is still open where another one around it is closed."""
        self._add(problems.Unbalanced(opener), start, start + 1, (Span(noticed, noticed + 1), "still open here"))

    def left_open(self, brackets: Sequence[tuple[str, int]], tokens: Sequence[Any]) -> Exception:
        """What to raise at the end of a text with brackets still open."""
        self._give_up_after_lost_bracket()
        bracket, start = brackets[-1]
        if bracket != "{":
            self._add(problems.Unbalanced(bracket), start, start + 1)
            self.broken.add(start)
            return Again()
        start = _outdented(self.source, tokens) or start
        return LexicalError(self.source, problems.Unbalanced(bracket), start, start + 1)

    def _give_up_after_lost_bracket(self) -> None:
        """An unclosed string may have hidden a bracket: then whatever brackets do not match follow from that."""
        if self._lost_bracket:
            raise GaveUp


class GaveUp(Exception):
    """What is wrong has been reported, and nothing further can be told."""


def _outdented(source: Source, tokens: Sequence[Any]) -> int | None:
    """Where the last brace stands whose closing one is on a line that begins further left: most likely, one of its own is missing."""
    open_braces: list[int] = []
    suspect = None
    for token in tokens:
        if token.kind == "LBRACE":
            open_braces.append(token.start)
        elif token.kind == "RBRACE" and open_braces:
            opener = open_braces.pop()
            if _indentation(source, token.start) < _indentation(source, opener):
                suspect = opener
    return suspect


def _indentation(source: Source, offset: int) -> int:
    """How far the line around an offset is indented."""
    number, _ = source.position(offset)
    line = source.line(number)
    return len(line) - len(line.lstrip())
