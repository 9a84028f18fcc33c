"""Nets with open sizes: formulas, which sizes are accepted, why others are not, and what open sizes cannot do."""

from __future__ import annotations

from typing import Any

import pytest

from netspec.compiler import compile_source, diagnose
from netspec.diagnostics import NetspecError
from netspec.diagnostics.collector import Collector
from netspec.graph import Graph
from netspec.open_sizes import OpenSizes
from netspec.resources import folder
from netspec.shape import show
from netspec.sizes import at
from netspec.source import Source

UP_AND_DOWN = """
    fine: conv(4, 3, padding=1)
    maxpool(2) -> coarse: conv(8, 3, padding=1)
    maxpool(2) -> conv(8, 3, padding=1)
    upsample(2) -> concat(coarse) -> upsample(2) -> concat(fine)
    conv(2, 1)
"""


ODD = "add { | conv(3, 1, stride=2) -> upsample(2) -> slice(1, axis=1) -> slice(1, axis=2) | }"


def graph(body: str, shape: str = "3xHxW", after: str = "", **sizes: Any) -> Graph:
    return compile_source(Source("a.net", f"net A {{ image: input({shape})\n{body}\n}}\n{after}"), **sizes)[0]


def sizes_of(body: str, shape: str = "3xHxW") -> OpenSizes:
    found = graph(body, shape).sizes
    assert found is not None
    return found


def codes(body: str, shape: str = "3xHxW", after: str = "") -> list[str]:
    return [d.code for d in diagnose(Source("a.net", f"net A {{ image: input({shape})\n{body}\n}}\n{after}"))]


@pytest.mark.parametrize(
    ("body", "output", "macs"),
    [
        ("conv(8, 3)", "8 x (H - 2) x (W - 2)", "216 H W - 432H - 432W + 864"),
        ("conv(8, 3, padding=1, stride=2)", "8 x ceil(H/2) x ceil(W/2)", "216 ceil(H/2) ceil(W/2)"),
        ("conv(8, 3, padding=same, stride=2)", "8 x ceil(H/2) x ceil(W/2)", "216 ceil(H/2) ceil(W/2)"),
        ("conv(8, 1x3, padding=0x1)", "8xHxW", "72 H W"),
        ("maxpool(3, stride=2, ceil_mode=true)", "3 x floor(H/2) x floor(W/2)", "0"),
        ("upsample(2)", "3 x 2H x 2W", "0"),
        ("conv_transpose(2, 4, stride=2, padding=1)", "2 x 2H x 2W", "96 H W"),
        ("global_avgpool -> flatten -> linear(5)", "5", "15"),
        ("adaptive_avgpool(2) -> flatten -> linear(5)", "5", "60"),
        ("conv(4, 1) -> pixel_shuffle(2)", "1 x 2H x 2W", "12 H W"),
        ("flatten(start=1) -> transpose", "H W x 3", "0"),
        ("concat(axis=1) { | | | }", "3 x 3H x W", "0"),
        (UP_AND_DOWN, "2xHxW", "256 H W"),
    ],
)
def test_shapes_and_work_are_formulas(body: str, output: str, macs: str) -> None:
    found = graph(body)
    assert show(found.nodes[-1].output) == output
    assert str(found.macs) == macs


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("conv(8, 3, padding=1)", "at least 1"),
        ("conv(8, 7)", "at least 7"),
        ("conv(8, 3) -> conv(8, 3) -> maxpool(2)", "at least 6"),
        ("add { | maxpool(2) -> upsample(2) | }", "a multiple of 2"),
        (UP_AND_DOWN, "a multiple of 4"),
        ("add { | maxpool(4) -> upsample(4) | conv(3, 5, padding=2) }", "a multiple of 4"),
        (
            ODD,
            "1 more than a multiple of 2",
        ),
        ("add { | maxpool(3) -> upsample(3) | conv(3, 9) -> pad(4) }", "a multiple of 3, from 9 on"),
        (
            "t: maxpool(2, ceil_mode=true)\nmaxpool(2, ceil_mode=true) -> upsample(2) -> concat(t)",
            "0 or 3 more than a multiple of 4",
        ),
        ("add { | conv(3, 3, stride=2, padding=1) | }", "1"),
        ("add { | conv(3, 3, stride=2) -> pad(2) | }", "6 or 7"),
    ],
)
def test_what_is_accepted_in_words(body: str, rule: str) -> None:
    found = sizes_of(body)
    assert {str(r) for r in found.rules.values()} == {rule}
    for n in range(1, 40):
        assert found.accepts(H=n, W=n) is (n in found.rules["H"])


def test_sizes_of_a_rule_and_those_next_to_others() -> None:
    rule = sizes_of(UP_AND_DOWN).rules["H"]
    assert [n for n in range(20) if n in rule] == [4, 8, 12, 16]
    assert (rule.least, rule.nearest(17), rule.nearest(2)) == (4, (16, 20), (4,))


def test_a_refusal_names_the_place_and_both_sides() -> None:
    refusal = sizes_of(UP_AND_DOWN).refusal({"H": 18, "W": 16})
    assert refusal is not None
    assert str(refusal.place) == "a.net:6:20"
    assert str(refusal) == "`concat` joins along axis 0, and every other axis must agree, and these are 8x8x8 and 8x9x8 (a.net:6:20)"


def test_what_check_says_of_them() -> None:
    assert sizes_of("conv(8, 3, padding=1)").sentences() == []
    (said,) = sizes_of(UP_AND_DOWN).sentences()
    assert said.startswith("H and W must each be a multiple of 4: with H = 5, `concat` joins along axis 0")
    (said,) = sizes_of("conv(8, 5x1)").sentences()
    assert said == "H must be at least 5: with H = 4, `conv` covers 5x1, but what flows in is only 4x256 (a.net:2:1)"


def test_equal_letters_are_equal_sizes() -> None:
    text = "net A { left: input(3xHxW)\nright: input(1xHxW) -> concat(left) -> conv(2, 1) }"
    found = compile_source(Source("a.net", text))[0]
    assert show(found.nodes[-1].output) == "2xHxW"
    assert found.sizes is not None and found.sizes.sentences() == []


def test_different_letters_that_must_be_equal() -> None:
    text = "net A { left: input(3xHxW)\nright: input(3xWxH) -> add(left) }"
    found = compile_source(Source("a.net", text))[0].sizes
    assert found is not None and found.relations == ("H = W",)
    assert found.sentences() == ["it must be that H = W"]
    assert found.accepts(H=5, W=5) and not found.accepts(H=5, W=6)


def test_sizes_that_never_agree_are_an_error_with_both_formulas() -> None:
    source = Source("a.net", "net A { image: input(3xHxW)\nadd { | conv(3, 3) | } }")
    (said,) = diagnose(source)
    assert (said.code, str(said.place)) == ("N203", "a.net:2:1")
    assert {r.text for r in said.related} == {"gives 3 x (H - 2) x (W - 2)", "gives 3xHxW"}


def test_where_sizes_were_looked_for_in_vain_the_input_is_named() -> None:
    odd = "image -> conv(3, 1, stride=2) -> upsample(2) -> slice(1, axis=1) -> slice(1, axis=2) -> add(image)"
    body = f"even: add {{ | maxpool(2) -> upsample(2) | }}\n{odd} -> concat(even)"
    (said,) = diagnose(Source("a.net", f"net A {{ image: input(3xHxW)\n{body}\n}}"))
    assert (said.code, str(said.place)) == ("N203", "a.net:3:89")
    assert [str(r.place) for r in said.related if "no sizes were found" in r.text] == ["a.net:1:16"]


def test_sizes_that_hardly_ever_agree_are_a_warning() -> None:
    collector = Collector()
    compile_source(Source("a.net", "net A { image: input(3xHxW)\nadd { | conv(3, 3, stride=2, padding=1) | } }"), collector=collector)
    (said,) = collector.diagnostics
    assert (said.code, said.message) == ("N235", "H and W are left open, and must each be 1")


def test_sizes_are_looked_for_until_some_are_accepted() -> None:
    """The first sizes tried are refused: 224 and 256 are no odd numbers, nor are they between 71 and 118."""
    assert sizes_of(ODD).traced == {"H": 225, "W": 257}
    body = "conv(3, 1, stride=24) -> pad(1) -> t: identity\nupsample(2) -> pad(2) -> slice(0, 6, axis=1) -> slice(0, 6, axis=2) -> add(t)"
    assert sizes_of(body).accepts(H=80, W=90)


@pytest.mark.parametrize(
    ("body", "accepted", "refused"),
    [
        ("if x.height > 100 { conv(4, 3) } else { conv(5, 3) }", {"H": 101, "W": 9}, {"H": 100, "W": 9}),
        ("if x.height > 500 { conv(4, x.height) } else { conv(5, 3) }", {"H": 500, "W": 9}, {"H": 501, "W": 9}),
        ("if x.height < 100 { conv(4, 3) } else { conv(4, x.width) }", {"H": 99, "W": 9}, {"H": 100, "W": 9}),
        ("let n = min(x.height, 7)\nadaptive_avgpool(n)", {"H": 8, "W": 1}, {"H": 6, "W": 7}),
        ("if x.height == 64 { conv(4, 3) } else { conv(5, 3) }", {"H": 65, "W": 9}, {"H": 64, "W": 9}),
        ("let half = x.height / 2\nif half >= 3 { relu } else { tanh }", {"H": 6, "W": 1}, {"H": 7, "W": 1}),
    ],
)
def test_the_text_may_ask_for_sizes(body: str, accepted: dict[str, int], refused: dict[str, int]) -> None:
    found = sizes_of(body)
    assert found.accepts(**accepted)
    refusal = found.refusal(refused)
    assert refusal is not None and refusal.objection.another
    assert "and otherwise makes another net" in str(refusal)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("flatten -> linear(10)", "N230"),
        ("flatten(start=1) -> linear(10)", "N230"),
        ("conv(8, x.height)", "N231"),
        ("conv(x.height // 2, 3)", "N231"),
        ("avgpool(x.shape)", "N231"),
        ("let n = 2 ** x.height\nconv(n, 1)", "N231"),
        ("let n = x.height * 0.5\nconv(n, 1)", "N231"),
        ("let n = round_to(x.height, 8)\nconv(n, 1)", "N231"),
        ("flatten(start=1) -> attention(1)", "N232"),
        ("let s = 3xHxW\nrelu", "N233"),
        ("repeat(x.height) { relu }", "N505"),
        ("for i in range(x.height) { relu }", "N508"),
        ("conv(8, 3", "N104"),
    ],
)
def test_what_open_sizes_cannot_do_is_said_once(body: str, code: str) -> None:
    assert codes(body)[:1] == [code]
    assert len(codes(body)) == 1


def test_all_errors_of_a_net_with_open_sizes_are_reported() -> None:
    assert codes("conv(8, kernal=3) -> foo\nflatten -> linear(10)") == ["N402", "N301"]
    assert codes("maxpool(3) -> flatten -> linear(10)\nimage -> conv(8, x.height)") == ["N230", "N231"]


@pytest.mark.parametrize(
    ("expected", "code"),
    [
        ("mask = 2xHxW", None),
        ("mask = [2, H, W]", None),
        ("mask = [2, 2 * (H // 2), W]", None),
        ("macs = 6 * H * W", None),
        ("parameters = 8", None),
        ("mask = 2xHxH", "N603"),
        ("mask = 2x224x224", "N603"),
        ("mask = 3xHxW", "N603"),
        ("mask = 2xHxN", "N234"),
        ("macs = 7 * H * W", "N603"),
        ("macs = 1.2M", "N603"),
    ],
)
def test_expectations_in_formulas(expected: str, code: str | None) -> None:
    body = "add { | maxpool(2) -> upsample(2) | }\nmask: conv(2, 1)"
    assert codes(body, after=f"expect {{ {expected} }}") == ([] if code is None else [code])


def test_a_letter_is_fixed_from_outside() -> None:
    found = graph(UP_AND_DOWN, H=16, W=32)
    assert (found.sizes, found.nodes[-1].output, found.settings["H"]) == (None, (2, 16, 32), 16)
    partly = graph(UP_AND_DOWN, H=16)
    assert partly.sizes is not None and partly.sizes.symbols == ("W",)
    with pytest.raises(NetspecError, match="every other axis must agree"):
        graph(UP_AND_DOWN, H=17, W=32)
    for wrong in (0, -3, 2.5, "x"):
        with pytest.raises(NetspecError, match="H of `input` must be a whole number"):
            graph(UP_AND_DOWN, H=wrong)
    with pytest.raises(NetspecError, match="no parameter `T`"):
        graph(UP_AND_DOWN, T=17)


def test_a_parameter_of_that_name_is_meant() -> None:
    text = "net A(H = 32) { image: input(3xHxW)\nmaxpool(2) }"
    found = compile_source(Source("a.net", text))[0]
    assert show(found.nodes[-1].output) == "3 x 16 x floor(W/2)"
    assert show(compile_source(Source("a.net", text), H=64)[0].nodes[-1].output) == "3 x 32 x floor(W/2)"


def test_one_and_three_axes() -> None:
    assert show(graph("conv(4, 9, stride=4) -> maxpool(4)", "1xT").nodes[-1].output) == "4 x floor((T - 5)/16)"
    assert show(graph("conv(4, 3, stride=2, padding=1)", "1xDxHxW").nodes[-1].output) == "4 x ceil(D/2) x ceil(H/2) x ceil(W/2)"


def test_square_pictures() -> None:
    found = graph("conv(4, 3) -> transpose(1, 2) -> conv(4, 1)", "3xSxS")
    assert show(found.nodes[-1].output) == "4 x (S - 2) x (S - 2)"
    assert found.sizes is not None and found.sizes.symbols == ("S",)


def test_a_net_with_open_sizes_is_used_in_another() -> None:
    text = "net A { image: input(3xHxW)\nbody: { conv(4, 3) -> relu }\nglobal_avgpool -> flatten -> linear(2) }\n"
    inner = compile_source(Source("a.net", text + "net B { image: input(3x20x30)\nA.body -> conv(2, 1) }"), net="B")[0]
    assert (inner.sizes, inner.nodes[-1].output) == (None, (2, 18, 28))
    outer = compile_source(Source("a.net", text + "net B { image: input(3xSxS)\nA.body -> conv(2, 1) }"), net="B")[0]
    assert show(outer.nodes[-1].output) == "2 x (S - 2) x (S - 2)"


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "resnet", "squeezenet", "densenet", "mobilenet_v2", "mobilenet_v3", "convnext"])
def test_published_nets_with_open_sizes(name: str) -> None:
    """Each comes to its own figures at its own size, and to the same at another as if that were written."""
    path = folder("specs") / f"{name}.net"
    text = path.read_text("utf-8").partition("\nexpect")[0]
    assert "input(3x224x224)" in text
    found = compile_source(Source(str(path), text.replace("input(3x224x224)", "input(3xHxW)")))[0]
    assert found.sizes is not None
    for height, width in ((224, 224), (160, 231)):
        plain = compile_source(Source(str(path), text.replace("input(3x224x224)", f"input(3x{height}x{width})")))[0]
        sizes = {"H": height, "W": width}
        assert found.sizes.accepts(**sizes)
        assert at(found.macs, sizes) == plain.macs
        assert [at(n.output, sizes) for n in found.nodes] == [n.output for n in plain.nodes]
