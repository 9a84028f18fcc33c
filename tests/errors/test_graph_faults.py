"""Nets that are well written and cannot be: each mistake is met where it is, with the tensors it is about."""

from __future__ import annotations

import time

import pytest

from netspec.compiler import compile_source
from netspec.layer import layers
from netspec.source import Source
from tests.errors.text import FIRST, codes, found, marked, net, only, position


@pytest.mark.parametrize(
    ("body", "code", "mark", "says"),
    [
        ("stem: relu\nsten -> relu", "N301", "sten", "did you mean stem?"),
        ("stem: relu\nconv(sten.channels, 3)", "N303", "sten", "did you mean stem?"),
        ("stem: relu\nconcat(sten)", "N303", "sten", "did you mean stem?"),
        ("stem: relu\nconv(stem.chanels, 3)", "N307", "stem.chanels", "did you mean channels?"),
        ("stem: { low: relu }\nstem.zzz -> relu", "N307", "stem.zzz", "it has channels, shape, height, width and low"),
        ("conv(8, 3)\nstem -> relu\nstem: relu", "N301", "stem", ""),
        ("flatten -> conv(8, 3)", "N202", "conv(8, 3)", "put this before flatten"),
        ("linear(8)", "N202", "linear(8)", "write flatten before it, for 12,288 inputs"),
        ("conv(8, 65)", "N201", "65", "make the kernel smaller"),
        ("maxpool(2) -> maxpool(2) -> avgpool(17)", "N201", "17", "make the kernel smaller"),
        ("conv(8, 3, groups=2)", "N205", "2", "groups may be 1"),
        ("conv(9, 3, groups=2)", "N205", "2", "groups may be 1 or 3"),
        ("a: conv(8, 1)\nrelu -> concat(a, axis=3)", "N210", "3", "axes count from 0"),
        ("a: conv(8, 1)\nb: relu\nconcat(a, b)", "N214", "b", "what flows in is always part of it: write concat(a)"),
        ("a: conv(8, 1)\nb: relu -> add(b, a)", "N214", "b", "write add(a)"),
        ("a: conv(8, 1)\nmultiply(a)", "N214", "a", "name another tensor; multiply { | | } merges what flows in with itself"),
        ("e: conv(8, 1) -> relu\ne -> tanh -> add(e)", "N310", "relu",
         "`e` names only `conv`, the step behind it; to name the whole chain, put braces around it: e: { … }"),
        ("e: conv(8, 1) -> s: relu\ne -> tanh -> add(e)", "N310", "relu", "`e` names only `conv`"),
        ("e: conv(8, 1) -> relu\nimage -> tanh", "N310", "relu", "give it a label"),
        ("image -> b: conv(8, 1) -> relu\nimage -> conv(8, 1) -> add(b)", "N310", "relu", "`b` names only `conv`"),
        ("trunk: concat(image) { | relu | tanh } -> relu\ntrunk -> tanh", "N310", "relu", "`trunk` names only `concat`, the step"),
        ("a: conv(8, 1)\nconcat(a, axis=-1)", "N401", "-1", ""),
        ("a: conv(8, 3)\nmaxpool(3) -> concat(a)", "N204", "concat", "equal strides and paddings"),
        ("a: conv(8, 1)\nconv(9, 1) -> add(a)", "N203", "add", "project the second branch with conv(9, 1)"),
        ("a: conv(8, 1)\nconv(8, 3, stride=2, padding=1) -> add(a)", "N203", "add", "project the branch of 8x64x64 with conv(8, 1, stri"),
        ("a: conv(8, 1)\nconv(8, 3) -> add(a)", "N203", "add", "8x62x62 is 2 smaller on every axis"),
        ("add", "N208", "add", "name a tensor"),
        ("add { | relu }", "N208", "add", "write the branches"),
        ("{ | relu | relu }", "N312", "|", "write add { | a | b }"),
        ("relu { | relu }", "N406", "{ | relu }", "take the braces out"),
        ("conv[3]", "N312", "conv[3]", "in parentheses"),
        ("residual", "N312", "residual", "write residual {"),
        ("relu -> image", "N312", "image", "begin a new line"),
        ("second: input(3x64x64)", "N310", "input(3x64x64)", "take it out"),
        ("stem: { inner: input(3x8x8) }", "N312", "input(3x8x8)", "move it out"),
        ("relu\npreprocess { scale(2) }", "N312", "preprocess { scale(2) }", "move it there"),
        ("preprocess { conv(3, 1) }", "N312", "conv(3, 1)", "put it behind"),
        ("preprocess", "N312", "preprocess", "write preprocess {"),
        ("side: conv(8, 3)\nimage -> relu", "N310", "conv(8, 3)", "use it, or take it out"),
        ("image -> tanh\nimage -> relu", "N310", "tanh", "give it a label"),
        ("output(3)", "N401", "3", ""),
        ("output(imge)", "N303", "imge", "did you mean image?"),
        ("normalize([1, 2])", "N207", "[1, 2]", "a list of 3"),
        ("maxpool(2, padding=2)", "N206", "2", "at most 1x1"),
        ("conv(8, 3x3x3)", "N209", "3x3x3", "write 3x3"),
    ],
)  # fmt: skip
def test_mistake(body: str, code: str, mark: str, says: str) -> None:
    said = only(net(body))
    assert (said.code, marked(said)) == (code, mark)
    assert says in (said.problem.help() or "")


def test_merges_show_every_branch() -> None:
    said = only(net("stem: conv(8, 1)\nconcat(stem) {\n| conv(4, 3)\n|\n| conv(4, 1)\n}"))
    assert [(r.text, marked_related) for r, marked_related in zip(said.related, _marked_related(said), strict=True)] == [
        ("gives 4x62x62", "conv(4, 3)"), ("gives 8x64x64", "|"), ("gives 4x64x64", "conv(4, 1)"), ("gives 8x64x64", "stem"),
    ]  # fmt: skip


def _marked_related(said: object) -> list[str]:
    return [r.place.source.text[r.place.span.start : r.place.span.end] for r in said.related]  # type: ignore[attr-defined]


def test_what_flows_into_a_merge_is_named_so() -> None:
    said = only(net("stem: conv(8, 1)\nconv(9, 1) -> add(stem)"))
    assert {r.text for r in said.related} == {"what flows in is 9x64x64", "gives 8x64x64"}


def test_a_switch_of_the_block_is_named() -> None:
    block = "block b(project = false) { add { | conv(8, 1) | if project { conv(8, 1) } } }"
    assert "or set project=true" in (only(net("b", behind=block)).problem.help() or "")
    assert codes(net("b(true)", behind=block)) == []


def test_the_history_of_a_size_is_told() -> None:
    (note,) = only(net("conv(8, 3) -> relu -> maxpool(4)\nmaxpool(4) -> bn -> maxpool(4)")).problem.notes()
    assert note.endswith("3x64x64 -> 8x62x62 -> 8x15x15 -> 8x3x3")


@pytest.mark.parametrize("merge", ["relu -> concat(stem, stem)", "concat(stem) { | relu | }", "concat { | | }"])
def test_a_merge_may_have_a_tensor_twice(merge: str) -> None:
    (graph,) = compile_source(Source("a.net", net(f"stem: relu\n{merge}")))
    inputs = next(n.inputs for n in graph.nodes if n.layer == "concat")
    assert len(set(inputs)) < len(inputs)


def test_a_block_that_merges_what_flows_in_with_itself() -> None:
    said = only(net("s: relu\nb(s)", behind="block b(skip) { concat(skip) }"))
    assert (said.code, said.message) == ("N214", "`concat` gets `skip` twice: it flows in, and it is named")


@pytest.mark.parametrize(
    ("text", "code", "mark"),
    [
        ("net A { relu }", "N309", "relu"),
        ("net A { }", "N311", "A"),
        ("net A { input(3x8x8)\ninput(3x8x8)\nrelu }", "N304", "input(3x8x8)"),
        ("net A { image: input(3x0x8) }", "N401", "3x0x8"),
        ("net A { image: input }", "N404", "input"),
        ("net A { image: input(1x2x3x4x5x6) }", "N401", "1x2x3x4x5x6"),
        ("net A { image: input(3xHxW)\nflatten -> linear(3) }", "N230", "linear(3)"),
        ("block b { b }\nnet A { image: input(3x8x8)\nb }", "N306", "b"),
        ("block b { c }\nblock c { b }\nnet A { image: input(3x8x8)\nb }", "N306", "b"),
        ("net A { image: input(3x8x8) }\nnet B = C()\nnet C = B()", "N306", "C"),
        ("net A { image: input(3x8x8) }\nnet B = D()", "N308", "D"),
        ("net A { image: input(3x8x8) }\ntrain B { epochs = 3 }", "N308", "train"),
        ("net A { image: input(3x8x8) }\ntest { epochs = 3 }", "N601", "test"),
        ("net A(width) { image: input(3x8x8)\nconv(width, 3) }", "N404", "A"),
    ],
)
def test_nets_that_cannot_be(text: str, code: str, mark: str) -> None:
    said = only(text)
    assert (said.code, marked(said)) == (code, mark)


def test_tensors_beyond_32_bits_are_a_warning() -> None:
    said = only("net A { image: input(3x1024x1024)\nconv(64, 3, padding=1) -> flatten -> linear(100) }")
    assert (said.code, said.is_error, marked(said)) == ("N212", False, "linear(100)")
    assert said.message == "`weight` of `linear` has 6,710,886,400 numbers"
    assert codes("net A { image: input(1x46341x46341)\nmaxpool(46341) }") == ["N212"]
    assert codes("net A { image: input(1x46340x46340)\nmaxpool(46340) }") == []


def test_a_circle_of_blocks_is_told_in_order() -> None:
    said = only(net("a", behind="block a { b }\nblock b { c }\nblock c { a }"))
    assert said.message == "block `a` uses itself: a -> b -> c -> a"


def _seconds(text: str) -> float:
    began = time.process_time()
    assert codes(text) == []
    return time.process_time() - began


@pytest.mark.parametrize(
    "body",
    [
        " -> ".join(["relu"] * 19_000),
        "\n".join(["relu"] * 19_000),
        "repeat 19000 { relu }",
        "for i in range(19000) { relu }",
        "repeat 6000 { residual { conv(3, 1) -> relu } }",
        "add {\n" + "| relu\n" * 10_000 + "}",
        "".join(f"a{i}: relu\n" for i in range(9_000)) + "add(" + ", ".join(f"a{i}" for i in range(8_999)) + ")",
    ],
    ids=["arrows", "lines", "repeat", "for", "residual", "branches", "arguments"],
)
def test_large_nets_take_a_moment(body: str) -> None:
    assert min(_seconds(net(body)) for _ in range(2)) < 2


def test_a_wide_merge_that_is_wrong_shows_each_shape_once() -> None:
    said = only(net("add {\n" + "| relu\n" * 5_000 + "| conv(4, 1)\n" + "| relu\n" * 3_000 + "}"))
    assert [r.text for r in said.related] == ["gives 3x64x64", "gives 4x64x64"]


def test_many_mistakes_are_cut_short() -> None:
    began = time.process_time()
    many = "".join(f"a{i}: relu\n" for i in range(3_000)) + "\n".join(f"ab{i}" for i in range(3_000))
    assert len(found(net(many))) == 100
    assert time.process_time() - began < 4


@pytest.mark.parametrize("name", [n for n, known in layers().items() if known.signature.others])
def test_a_layer_of_several_tensors_needs_them(name: str) -> None:
    other = layers()[name].signature.others[0]
    for call in (name, f"{name}()"):
        said = only(net(call))
        assert said.code == "N404" and said.message.startswith(f"`{name}` needs {other}")


def test_a_tensor_is_missing_beside_what_is_there() -> None:
    assert only(net("distance(kind=l1)")).message == "`distance` needs other"
    assert codes(net("distance(l1)")) == ["N404", "N303"]


def test_positions_count_code_points_from_one() -> None:
    assert position(only(net("   rleu # é"))) == (FIRST, 4)
