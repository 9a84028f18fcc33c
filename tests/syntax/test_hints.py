"""What is said to somebody who writes as in another language."""

from __future__ import annotations

import pytest

from netspec.compiler import diagnose
from netspec.source import Source


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ("conv(3, 3) relu", "join steps with ->, or begin a new line"),
        ("conv(3, 3).relu", "join steps with ->"),
        ("conv(3, 3), relu", "steps are joined with ->, or stand on lines of their own"),
        ("c = conv(3, 3)", "a label is followed by a colon: c: …"),
        ("conv(3, kernel: 3)", "an argument is given with =, as kernel=…"),
        ("conv(3, kernel 3)", "an argument is given with =, as kernel=3"),
        ("conv(3 3)", "put a comma between arguments"),
        ("conv(3, 3 x 3)", "write a size in one piece: 3x3"),
        ("conv(3, 3xhxw)", "write a size in one piece and with numbers, as 3x224x224"),
        ("conv(3, (3, 5))", "write a size as 3x5, and a list as [3, 5]"),
        ("conv 32", "arguments stand in parentheses, as conv(32)"),
        ("c: 3x3", "a label is followed by a layer or a block, as input(3x3)"),
        ("dropout(.5)", "write 0.5"),
        ("relu // said", "a comment begins with #"),
        ("/* said */", "a comment begins with #"),
        ("if true { relu } elif false { tanh }", "write else if"),
        ("if x.channels = 3 { relu }", "compare with =="),
        ("if true\n{ relu }", "put the { on this line"),
        ("add { relu | tanh }", "branches stand in a merge, each behind a bar, the first one too: add { | a | b }"),
        ("| relu", "branches stand in a merge, each behind a bar, the first one too: add { | a | b }"),
        ("x -> relu", "x is the tensor that flows in already: begin with the next step"),
        ("x = relu", "x is the tensor that flows in already: begin with the next step"),
        ("net: relu", "net is a word of the language, and cannot be a name"),
        ("in: relu", "in is a word of the language, and cannot be a name"),
        ("x: relu", "x stands for the tensor that flows in, and cannot be a name: choose another"),
        ("for i range(3) { relu }", None),
        ("repeat 3 relu", None),
    ],
)
def test_hint(body: str, hint: str | None) -> None:
    (said,) = diagnose(Source("a.net", f"net A {{ image: input(3x32x32)\n{body}\nflatten -> linear(2)\n}}"))
    assert (said.code, said.problem.help()) == ("N101", hint)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("net B = A", "write A(…), with the parameters to set between the parentheses"),
        ("net B\n{ }", "put the { on this line"),
        ("// said", "a comment begins with #"),
    ],
)
def test_hint_outside_a_net(text: str, hint: str) -> None:
    said = diagnose(Source("a.net", f"net A {{ image: input(3x32x32)\nflatten -> linear(2)\n}}\n{text}\n"))
    assert [d.problem.help() for d in said] == [hint]


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ("net A { relu relu }", "expected `(`, `->`, `.`, `:`, `[`, `{`, `}` or a new line"),
        ("net A { conv(3 3) }", "expected `)` or `,`"),
        ("net A { conv(3, ) ) }", None),
        ("net A { conv(, 3) }", "expected a value or `)`"),
        ("net A { let 3 }", "expected a name"),
        ("net A { let a 3 }", "expected `=`"),
        ("net A { repeat { relu } }", "expected a value"),
        ("net A { for i in [1] }", "expected `{`"),
        ("relu", "expected `{` or a name"),
        ("net { }", "expected a name"),
        ("net A }", None),
        ("3", "expected `net`, `block`, `use` or a section"),
    ],
)
def test_what_could_stand_there(wrong: str, expected: str | None) -> None:
    said = diagnose(Source("a.net", wrong))[0]
    if expected is None:
        assert said.code == "N104"
    else:
        assert (said.code, said.problem.label()) == ("N101", expected)
