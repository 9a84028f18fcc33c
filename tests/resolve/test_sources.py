"""What `check` says of the section `data`: targets against outputs, inputs against inputs."""

from __future__ import annotations

from typing import Any

import pytest

from netspec.compiler import compile_source, diagnose
from netspec.diagnostics import Diagnostic
from netspec.objectives import objectives, targets_of
from netspec.source import Source
from netspec.values import Choice, Percent

HEADS = """net Heads {
    image: input(3x16x16)
    facts: input(4)
    linear(8) -> known: relu
    image -> base: { conv(8, 3, padding=1) -> bn -> relu }
    base -> mask: conv(4, 1)
    base -> global_avgpool -> flatten -> concat(known)
    trunk: { linear(8) -> relu }
    trunk -> age: linear(1)
    trunk -> kind: linear(6)
    trunk -> tags: linear(3) -> hints: sigmoid
    output(age, kind, tags=hints, mask)
}
train { loss { age = mae } }
"""
ALL = "target age = column(age)\ntarget kind = class\ntarget tags = column(a, b, c)\ntarget mask = mask\n"
ONE = "net One { image: input(3x16x16)\nconv(8, 3, padding=1) -> relu -> END }\n"
PAIR = """shared block encoder { flatten -> linear(8) -> relu }
net Pair {
    left: input(1x8x8)
    one: encoder
    right: input(1x8x8)
    encoder -> distance(one, l1) -> same: linear(1)
}
"""


def said(data: str, text: str = HEADS) -> tuple[Diagnostic, ...]:
    return diagnose(Source("n.net", f"{text}\ndata {{\n{data}\n}}\n"))


def one(end: str, loss: str = "") -> str:
    return ONE.replace("END", end) + (f"train {{ loss = {loss} }}\n" if loss else "")


def values(data: str, text: str = HEADS, **settings: str) -> dict[str, Any]:
    (graph,) = compile_source(Source("n.net", f"{text}\ndata {{\n{data}\n}}\n"), settings=settings)
    return dict(graph.data.values)


def test_what_is_written_is_there_with_defaults() -> None:
    found = values(ALL + 'input image = column(file)\ninput facts = column(a, b, x, "d in m")\ncache = off')
    assert found["target"] == {
        "age": Choice("column", {"names": ("age",)}), "kind": Choice("class"), "tags": Choice("column", {"names": ("a", "b", "c")}),
        "mask": Choice("mask"),
    }  # fmt: skip
    assert found["input"] == {
        "image": Choice("column", {"names": ("file",)}),
        "facts": Choice("column", {"names": ("a", "b", "x", "d in m")}),
    }
    assert (found["cache"], found["split"]) == ("off", (Percent(0.8), Percent(0.1), Percent(0.1)))
    nothing = values("")
    assert (nothing["target"], nothing["input"], nothing["cache"]) == (None, None, "auto")


def test_a_target_from_outside() -> None:
    found = values(ALL, **{"data.target.age": 'column("years")', "data.input.facts": "column(row)"})
    assert (found["target"]["age"].settings, found["input"]["facts"].settings) == ({"names": ("years",)}, {"names": ("row",)})
    assert list(found["target"]) == ["age", "kind", "tags", "mask"]


def test_one_output_learns_the_one_target_there_is() -> None:
    for name, learned in (("label", "label"), ("head", "head")):
        text = one("global_avgpool -> flatten -> head: linear(3)")
        (graph,) = compile_source(Source("n.net", f"{text}data {{ target {name} = class }}"))
        assert [o.target for o in objectives(graph, graph.train.values)] == [learned]
        assert targets_of(graph) == {name: Choice("class")}


def test_without_targets_each_output_has_one_of_its_name() -> None:
    (graph,) = compile_source(Source("n.net", HEADS))
    assert [o.target for o in objectives(graph, graph.train.values)] == ["age", "kind", "tags", "mask"]
    assert targets_of(graph) == dict.fromkeys(("age", "kind", "tags", "mask"), Choice(""))


@pytest.mark.parametrize(
    ("data", "code", "at", "help"),
    [
        (ALL.replace("target kind", "target kid"), "N773", "kid", "did you mean kind?"),
        (ALL + "target zebra = class", "N773", "zebra", "the outputs are `age`, `kind`, `tags` and `mask`"),
        ("target age = column(age)\ntarget mask = mask", "N774", "age",
         "write target kind = column(kind), or leave out all targets: each is then the column of its output's name"),
        (ALL.replace("column(age)", "class"), "N775", "age", "write target age = column(age), or another loss"),
        (ALL.replace("kind = class", "kind = mask"), "N775", "kind",
         "let the net end with a channel for each class, as conv(classes, 1), without flatten"),
        (ALL.replace("mask = mask", "mask = class"), "N775", "mask", "write target mask = mask, or another loss"),
        (ALL.replace("column(a, b, c)", "class"), "N775", "tags", "write target tags = column(tags), or another loss"),
        (ALL.replace("column(a, b, c)", "column(a, b)"), "N776", "tags", "name 3 columns, or one that holds all 3"),
        (ALL.replace("kind = class", "kind = column(a, b)"), "N776", "kind", "name one column"),
        (ALL.replace("mask = mask", "mask = column(a, b)"), "N776", "mask", "name one column"),
        ("input imag = column(a)", "N777", "imag", "did you mean image?"),
        ("input label = column(a)", "N777", "label", "it has `image` and `facts`"),
        ("input facts = column(a, b)", "N776", "facts", "name 4 columns, or one that holds all 4"),
        ("input image = column(a, b)", "N776", "image", "name one column"),
        ("target age = column(age)\n" + ALL, "N304", "age", "give one of them another name"),
        ("input image = class", "N401", "class", None),
        ("target age = column", "N401", "column", None),
        ("target age = column()", "N404", "column()", None),
        ("target age = column(3)", "N401", "3", None),
        ('target age = "class"', "N401", '"class"', "write class, without quotes"),
        ("target age = columns(age)", "N303", "columns", "did you mean column?"),
        ("target age = pairs(share=1)", "N401", "1", None),
        ("target = column(age)", "N401", "column(age)", "write target NAME = column(age), with the name of an output"),
        ("target { age = class }", "N602", "target", "write target NAME = …"),
        ("targets age = class", "N602", "age", "write target age = …"),
        ("label age = class", "N602", "age", None),
        ("cache = on", "N401", "on", None),
        ("shuffle = true", "N602", "shuffle", None),
        ("loss { age = mae }", "N602", "loss", None),
    ],
)  # fmt: skip
def test_what_check_says(data: str, code: str, at: str, help: str | None) -> None:  # noqa: A002
    found = said(data)[0]
    assert found.code == code
    assert found.place is not None
    assert found.place.source.text[found.place.span.start : found.place.span.end] == at
    if help is not None:
        assert found.problem.help() == help


@pytest.mark.parametrize(
    "data",
    [
        ALL,
        ALL.replace("column(a, b, c)", "column(all)").replace("kind = class", 'kind = column("kind of thing")'),
        ALL.replace("mask = mask", "mask = column(masks)"),
        "input facts = column(row)",
        "input facts = column(a, b, c, d)\ninput image = column(path)",
        "split = [70%, 20%, 10%]\ncache = off",
    ],
)
def test_what_is_right(data: str) -> None:
    assert said(data) == ()


def test_one_output_takes_no_two_targets() -> None:
    found = said("target a = class\ntarget b = class", one("global_avgpool -> flatten -> head: linear(3)"))
    assert [(d.code, d.problem.help()) for d in found] == [("N773", "write one target: the net has one output")] * 2


def test_a_target_is_held_against_every_stage() -> None:
    text = one("global_avgpool -> flatten -> head: linear(3)", "mse") + "data { target head = class }"
    assert [d.code for d in diagnose(Source("n.net", text))] == ["N775"]
    later = text.replace("loss = mse", "a { loss = focal }\nb { loss = mse }")
    (found,) = diagnose(Source("n.net", later))
    assert found.message == "class does not fit the output `head`, which learns 3 numbers, with mse"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (PAIR, None),
        (PAIR.replace("distance(one, l1) -> same: linear(1)", "same: distance(one, l2)"), None),
        (PAIR.replace("linear(1)", "linear(1) -> sigmoid"), None),
        (PAIR.replace("linear(1)", "linear(2)"), "the output same has 2 numbers"),
        (PAIR.replace("right: input(1x8x8)", "right: input(1x8x9)").replace("shared block", "block"),
         "the inputs of Pair are 1x8x8 and 1x8x9"),
        (PAIR.replace("same: linear(1)", "linear(4) -> near: linear(1)\nnear -> far: linear(1)\noutput(near, far)"), "Pair has 2 outputs"),
        (one("global_avgpool -> flatten -> head: linear(1)"), "One has 1 input"),
    ],
)  # fmt: skip
def test_pairs_need_two_inputs_that_are_compared(text: str, why: str | None) -> None:
    target = "target near = pairs\ntarget far = pairs" if "far" in text else "target same = pairs(share=30%)"
    found = said(target, text)
    assert [d.message for d in found] == [
        f"pairs are for nets that say of two inputs whether they are the same, and {why}" for _ in [0] if why
    ]


def test_pairs_are_drawn_for_both_inputs() -> None:
    (found,) = said("target same = pairs\ninput left = column(a)", PAIR)
    assert (found.code, found.message.endswith("and input left has data of its own")) == ("N778", True)


@pytest.mark.parametrize(
    ("end", "fits"),
    [
        ("mask: conv(2, 3, padding=1)", True),
        ("mask: conv(2, 2, stride=2)", True),
        ("mask: conv(2, 3)", False),
        ("maxpool(2x1) -> mask: conv(2, 1)", False),
        ("upsample(2) -> mask: conv(2, 1)", False),
    ],
)
def test_a_map_lies_over_the_whole_picture(end: str, fits: bool) -> None:
    codes = [] if fits else ["N779"]  # a warning: masks of an array may be cut to the map
    assert [d.code for d in said("target mask = mask", one(end))] == codes
    assert [d.code for d in diagnose(Source("n.net", one(end, "dice")))] == codes
    assert diagnose(Source("n.net", one(end))) == (), "a net alone may be for anything"
    assert said("target mask = mask", one(end).replace("3x16x16", "3xHxW")) == (), "what sizes are open is not judged"
