"""Each mistake is reported, once, and nothing that merely follows from it: k mistakes in a file are k errors."""

from __future__ import annotations

import random
from itertools import combinations
from pathlib import Path

import pytest

from netspec.compiler import diagnose
from netspec.diagnostics import Diagnostic
from netspec.diagnostics.render import render
from netspec.source import Source

TEXT = (Path(__file__).parents[1] / "errors" / "everything.net").read_text("utf-8")

MISTAKES: tuple[tuple[str, str, str], ...] = (
    ("conv1: conv(width, 3, padding=1) -> bn", "conv1: conv(width, 3, padding=1) -> bnn", "N301"),
    ("if project {", "if projct {", "N303"),
    ("input(3x16x16)", "input(3x16x16", "N104"),
    ("scale(1/255)", "scale(1/0)", "N502"),
    ("let first = widths[0]", "let first = widths[9]", "N507"),
    ("padding=same", "padding=saem", "N401"),
    ("maxpool(2)", "maxpool(kernal=2)", "N402"),
    ("repeat 2 {", "repeat 2.5 {", "N505"),
    ("side: linear(3)", "side: linear(3 3)", "N101"),
    ("linear(classes)", "linear(clases)", "N303"),
    ("the head", "the \x1bhead", "N102"),
    ("2 * classes", "2 * \"classes\"", "N501"),
    ("A(classes=5)", "A(clases=5)", "N402"),
    ("lr=1e-3", "lr=-1", "N401"),
    ("epochs = 3", "epoch = 3", "N602"),
    ("expect {", "expects {", "N601"),
)  # fmt: skip


def said_of(chosen: tuple[tuple[str, str, str], ...]) -> tuple[Diagnostic, ...]:
    text = TEXT
    for right, wrong, _ in chosen:
        assert text.count(right) == 1, right
        text = text.replace(right, wrong)
    return diagnose(Source("a.net", text))


def check(chosen: tuple[tuple[str, str, str], ...]) -> None:
    said = said_of(chosen)
    assert sorted(d.code for d in said) == sorted(code for _, _, code in chosen), render(said)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m[1])
def test_one(mistake: tuple[str, str, str]) -> None:
    check((mistake,))


def test_every_two() -> None:
    for pair in combinations(MISTAKES, 2):
        check(pair)


def test_any_number() -> None:
    chance = random.Random(6)
    for _ in range(60):
        check(tuple(chance.sample(MISTAKES, chance.randrange(3, len(MISTAKES) + 1))))


NET = """block step(width) {{
    conv(width, 3, padding=1) -> {inside}
}}

net A {{
    image: input(3x16x16)
    {uses}
    global_avgpool -> flatten -> linear(10)
}}
"""


@pytest.mark.parametrize("inside", ["rleu", "bn(epsilon=3)", "conv(widht, 1)", "conv(0, 1)", "maxpool(99)", "linear(3)", "add(image)"])
def test_a_block_used_sixteen_times_is_one_mistake(inside: str) -> None:
    uses = "\n    ".join(["step(8)"] * 16)
    (said,) = diagnose(Source("a.net", NET.format(inside=inside, uses=uses)))
    shown = render([said])
    assert "in step(8), used at a.net:7:5" in shown
    follows = inside in {"maxpool(99)", "linear(3)"}  # what flows into the second use is not known
    assert ("and at 15 more uses of the same lines" in shown) is not follows


def test_three_mistakes_are_three_errors() -> None:
    text = NET.format(inside="relu", uses="conv(8, kernal=3)\n    step(16) -> rleu\n    dropout(1.5)")
    assert [d.code for d in diagnose(Source("a.net", text))] == ["N402", "N301", "N401"]


@pytest.mark.parametrize(
    "body",
    [
        "let w = foo\nconv(w, 3) -> conv(2 * w, 3, padding=w)\nrepeat(w) { relu }\nfor i in w { relu }\nif w > 1 { relu }",
        "let w = foo\n\"stem{w}\": conv(3, 3)\nstem3 -> relu",
        "stem: convv(3, 3)\nrelu -> add(stem) -> concat(stem)\nconv(stem.channels, 1)\nstep(stem.height)",
        "stem: { low: convv(3, 3) -> high: conv(4, 3) }\nstem.low -> conv(3, 3) -> add(stem.high)\nstem -> relu",
        "stem: add { | conv(3, 1) | conv(4, 1) }\nstem -> conv(stem.channels, 3) -> add(stem)",
        "unheard -> conv(x.channels, 3) -> conv(x.height // 2, x.width)",
        "base: frozen { unheard(3) -> conv(x.channels, 3) }\nbase -> relu",
        "if unheard { conv(3, 3) } else { conv(4, 3) }\nconv(x.channels, 3)",
        "stem: unheard\nconv(3, 3) -> a: relu\noutput(stem, a)",
        "step(unheard)\nstep(8) -> conv(x.channels, 3)",
        "step(3, 4)\nconv(x.channels, 3)",
        "for i in unheard { \"stem{i}\": conv(3, 3) }\nrelu -> conv(x.channels, 1)",
        "stem: conv(3, 3)\nstem: conv(4, 3)\nstem -> relu -> add(stem)",
    ],
)  # fmt: skip
def test_nothing_follows_from_a_mistake(body: str) -> None:
    said = diagnose(Source("a.net", NET.format(inside="relu", uses=body)))
    assert len(said) == 1, render(said)


@pytest.mark.parametrize(
    ("before", "use"),
    [
        ("block b(w,,) { conv(w, 3) }", "b(8) -> b(4)"),
        ("block b(w { conv(w, 3) }", "b(8) -> b(4)"),
        ("block relu(w) { conv(w, 3) }", "relu(8)"),
        ("block b(w = foo) { conv(w, 3) -> conv(2 * w, 3) }", "b -> b"),
        ("use b from \"b.net\"", "b.features(weights=\"b.pth\") -> b"),
        ("shared block b(w,,) { conv(w, 3) }", "b(8) -> b(8)"),
        ("use b from \"netspec:nothing\"", "b.features(weights=\"b.pth\") -> frozen b.features[2:] -> b"),
        ("use b from \"netspec:vgg\"", "b.features -> b[0] -> b"),
        ("net B = C()", "relu"),
    ],
)  # fmt: skip
def test_nothing_follows_from_a_definition_that_is_wrong(before: str, use: str) -> None:
    said = diagnose(Source("a.net", before + "\n" + NET.format(inside="relu", uses=use)))
    assert len(said) == 1, render(said)
