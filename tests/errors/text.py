"""Short ways to compile a text and to see what is said of it."""

from __future__ import annotations

from netspec.compiler import diagnose
from netspec.diagnostics import Diagnostic
from netspec.diagnostics.render import render
from netspec.source import Source

FIRST = 3
"""The line on which the body of :func:`net` begins."""


def net(body: str, before: str = "", behind: str = "", parameters: str = "") -> str:
    """A net around a body, which is at the beginning of its lines."""
    return f"{before}\nnet A{parameters} {{ image: input(3x64x64)\n{body}\nglobal_avgpool -> flatten -> linear(10)\n}}\n{behind}\n"


def found(text: str) -> tuple[Diagnostic, ...]:
    return diagnose(Source("a.net", text))


def codes(text: str) -> list[str]:
    return [d.code for d in found(text)]


def only(text: str) -> Diagnostic:
    """The one thing that is said of a text."""
    said = found(text)
    assert len(said) == 1, render(said)
    return said[0]


def position(diagnostic: Diagnostic) -> tuple[int, int]:
    """Line and column."""
    assert diagnostic.place is not None
    return diagnostic.place.source.position(diagnostic.place.span.start)


def marked(diagnostic: Diagnostic) -> str:
    """The text that the carets stand under."""
    assert diagnostic.place is not None
    span = diagnostic.place.span
    return diagnostic.place.source.text[span.start : span.end]


def shown(text: str) -> str:
    return render(found(text))
