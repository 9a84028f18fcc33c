"""Diagnostics as text for a terminal: the message, the place, the lines with carets, notes and what to write instead."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, Final

from netspec.diagnostics.problem import Diagnostic
from netspec.diagnostics.text import escape, plural
from netspec.source import Place

WIDTH: Final = 120
_TAB: Final = "    "
_USES: Final = 6
"""How many uses of blocks are named one by one."""


def render(diagnostics: Iterable[Diagnostic], color: bool = False) -> str:
    """All diagnostics, an empty line between them."""
    return "\n".join("\n".join(_lines(d, _Paint(color))) + "\n" for d in diagnostics)


def as_data(diagnostic: Diagnostic) -> dict[str, Any]:
    """A diagnostic for programs: code, severity, message, file, line, column (from 1), label, notes, help."""
    place = diagnostic.place
    line, column = place.source.position(place.span.start) if place else (None, None)
    problem = diagnostic.problem
    return {
        "code": problem.code,
        "severity": problem.severity,
        "message": problem.message(),
        "file": place.source.name if place else None,
        "line": line,
        "column": column,
        "label": problem.label() or None,
        "notes": list(_notes(diagnostic)),
        "help": problem.help(),
        "related": [{"place": str(r.place), "text": r.text} for r in diagnostic.related],
    }


class _Paint:
    """ANSI colours, or none."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, style: str, text: str) -> str:
        codes = {"error": "1;31", "warning": "1;33", "bold": "1", "gutter": "1;34", "caret": "1;31", "help": "1;36"}
        return f"\x1b[{codes[style]}m{text}\x1b[0m" if self.on and text else text


def _lines(d: Diagnostic, paint: _Paint) -> Iterator[str]:
    problem = d.problem
    yield paint(problem.severity, f"{problem.severity}[{problem.code}]") + paint("bold", f": {escape(problem.message())}")
    margin = ""
    if d.place is not None:
        spots = [(d.place, problem.label())] if d.place else []
        spots += [(r.place, r.text) for r in d.related]
        numbers = [p.source.position(p.span.start)[0] for p, _ in spots]
        margin = " " * (len(str(max(numbers))) + 1)
        yield from _excerpts(d.place, spots, margin, paint)
    for note in _notes(d):
        yield f"{margin}{paint('gutter', ' =' if margin else '  =')} note: {escape(note)}"
    if (hint := problem.help()) is not None:
        yield f"{margin}{paint('gutter', ' =' if margin else '  =')} {paint('help', 'help')}: {escape(hint)}"


def _notes(d: Diagnostic) -> Iterator[str]:
    yield from d.problem.notes()
    if d.trail is not None:
        uses = [f"in {use.block}, used at {escape(str(use.place))}" for use in d.trail]
        yield from uses if len(uses) <= _USES else [*uses[: _USES - 2], f"in {plural(len(uses) - _USES + 1, 'more use')}", uses[-1]]
    if d.repeats:
        yield f"and at {plural(d.repeats, 'more use')} of the same lines"


def _excerpts(main: Place, spots: list[tuple[Place, str]], margin: str, paint: _Paint) -> Iterator[str]:
    """Each source's spots in the order of its lines, the main place's source first."""
    bar = paint("gutter", f"{margin} |")
    for source in dict.fromkeys([main.source, *(p.source for p, _ in spots)]):
        here = [(p, text) for p, text in spots if p.source is source]
        head = main if source is main.source else here[0][0]
        yield f"{margin}{paint('gutter', '-->')} {escape(str(head))}"
        yield bar
        here = [(p, text) for i, (p, text) in enumerate(here) if text or all(p.span != q.span or i == j for j, (q, _) in enumerate(here))]
        here.sort(key=lambda spot: spot[0].span.start)
        shown = 0
        for place, text in here:
            number, column = source.position(place.span.start)
            excerpt, lead, carets = _excerpt(source.line(number), column, place.span.end - place.span.start)
            if number != shown:
                yield f"{paint('gutter', f'{number:>{len(margin)}} |')} {excerpt}".rstrip()
            shown = number
            yield f"{bar} {lead}{paint('caret', carets)}{' ' + paint('caret', escape(text)) if text else ''}"
    yield bar


def _excerpt(line: str, column: int, length: int) -> tuple[str, str, str]:
    """A line cut to a readable width around the column, the space before the carets, and the carets."""
    start = column - 1
    length = max(1, min(length, len(line) - start))
    first = 0 if len(line) <= WIDTH else max(0, min(start - WIDTH // 3, len(line) - WIDTH))
    last = min(len(line), first + WIDTH)
    before = "…" if first else ""
    after = "…" if last < len(line) else ""
    shown = before + "".join(map(_shown, line[first:last])) + after
    lead = before + "".join(map(_shown, line[first:start]))
    marked = "".join(map(_shown, line[start : min(start + length, last)]))
    return shown, " " * _columns(lead), "^" * max(1, _columns(marked))


def _shown(character: str) -> str:
    return _TAB if character == "\t" else escape(character)


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return (
        len(text) if text.isascii() else sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)
    )
