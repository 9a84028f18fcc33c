"""Where a line break separates statements, and where it does not."""

from __future__ import annotations

import pytest

from netspec.source import Source
from netspec.syntax.lexer import tokenize
from netspec.syntax.parser import parse
from netspec.syntax.tables import tables


def kinds(text: str) -> list[tuple[str, str]]:
    return [(t.kind, t.text if t.kind != "_NL" else "") for t in tokenize(Source("a.net", text), tables())]


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("a\n-> b", "a -> b"),
        ("a ->\nb", "a -> b"),
        ("a ->\n\n# said\n\n  b", "a -> b"),
        ("{\na\n}", "{ a }"),
        ("{ | a\n| b\n}", "{ | a | b }"),
        ("{\n|\n| b }", "{ | | b }"),
        ("f(1,\n2\n)", "f(1, 2)"),
        ("f(\n1\n+\n2)", "f(1 + 2)"),
        ("[1,\n2,\n]", "[1, 2,]"),
        ("if a { b }\nelse { c }", "if a { b } else { c }"),
        ("a = 1,\nb = 2", "a = 1, b = 2"),
        ("a\n\n\nb", "a\nb"),
        ("\n\na\n\n", "a"),
        ("a # said\nb", "a\nb"),
        ("a\n# said\nb", "a\nb"),
        ("a\n\n  # said\n\n# and more\n\nb", "a\nb"),
        ("{\n# said\na\n# said\n}", "{ a }"),
        ("f([\n1\n])\nb", "f([1])\nb"),
    ],
)
def test_breaks_that_mean_nothing(broken: str, whole: str) -> None:
    assert kinds(broken) == kinds(whole)


@pytest.mark.parametrize("text", ["a\nb", "a { b }\nc", "f(1)\n{ a }", "let a = 1\nb", "{ a\nb }", "{ f({\na\nb}) }"])
def test_breaks_that_separate(text: str) -> None:
    assert "_NL" in [kind for kind, _ in kinds(text)]


def test_comments_and_blank_lines_at_both_ends() -> None:
    file, found = parse(Source("a.net", "# first\n\nnet A { image: input(1x2x2) }  # said\n\n# last"))
    assert found == []
    assert len(file.items) == 1


def test_no_line_break_at_the_end() -> None:
    assert parse(Source("a.net", "net A { image: input(1x2x2) }"))[1] == []
