"""Loops that take items apart, shortcuts that depend on a condition, nets that others are made from, and what uses are called."""

from __future__ import annotations

import pytest

from netspec.compiler import compile_source
from netspec.diagnostics import NetspecError
from netspec.graph import Graph
from netspec.source import Source


def _net(body: str) -> Graph:
    return compile_source(Source("a.net", f"net A {{ image: input(8x16x16)\n{body} }}"))[0]


def test_a_loop_takes_items_apart() -> None:
    graph = _net("for width, stride in [[16, 1], [32, 2]] { conv(width, 3, stride=stride) }")
    assert [n.output for n in graph.layers] == [(16, 14, 14), (32, 6, 6)]


@pytest.mark.parametrize("items", ["[[16, 1], [32]]", "[[16, 1], 32]", '[["a"]]', "[[]]", "range(3)"])
def test_items_have_to_have_as_many_parts(items: str) -> None:
    with pytest.raises(NetspecError) as error:
        _net(f"for a, b in {items} {{ relu }}")
    assert [d.code for d in error.value.diagnostics] == ["N512"]


def test_one_variable_is_the_item_itself() -> None:
    assert _net("for row in [[16, 3]] { conv(row[0], row[1]) }").layers[0].output == (16, 14, 14)


def test_a_shortcut_may_depend_on_a_condition() -> None:
    with_it, without = (_net(f"residual(x.channels == {c}) {{ a: conv(8, 1) -> b: relu }}") for c in (8, 9))
    assert [n.layer for n in with_it.layers] == ["conv", "relu", "add"]
    assert [n.layer for n in without.layers] == ["conv", "relu"]
    assert [k for k, _, _ in with_it.weights()] == [k for k, _, _ in without.weights()]


def test_the_label_of_a_shortcut_holds_either_way() -> None:
    for condition in ("true", "false"):
        graph = _net(f"step: residual({condition}) {{ a: conv(8, 1) }}\nstep.a -> relu -> add(step)")
        assert "step.a.weight" in {k for k, _, _ in graph.weights()}


def test_the_tensors_of_a_residual_are_no_condition() -> None:
    assert [n.layer for n in _net("residual(image) { conv(8, 1) }").layers] == ["conv", "add"]


def test_what_is_wrong_in_a_condition_is_said_once() -> None:
    with pytest.raises(NetspecError) as error:
        _net("residual(nothing == 1) { conv(8, 1) }")
    assert len(error.value.diagnostics) == 1


FAMILY = """
net Family(depth, width = 4) { image: input(3x8x8)
    repeat(depth) { conv(width, 3, padding=1) }
    flatten -> linear(2) }
net Small = Family(1)
net Large = Family(2, width=8)
"""


def test_a_net_that_others_are_made_from_is_no_net_by_itself() -> None:
    graphs = compile_source(Source("a.net", f"{FAMILY}\nexpect {{ parameters = 626 }}"), every=True)
    assert [g.name for g in graphs] == ["Small", "Large"]
    assert graphs[0].expectations == 1


def test_without_a_net_made_from_it_its_parameter_is_missing() -> None:
    with pytest.raises(NetspecError) as error:
        compile_source(Source("a.net", FAMILY.partition("net Small")[0]))
    assert error.value.diagnostics[0].code == "N404"


def test_a_template_can_be_asked_for_by_name() -> None:
    graph = compile_source(Source("a.net", FAMILY), net="Family", settings={"depth": "3"})[0]
    assert sum(n.layer == "conv" for n in graph.layers) == 3


@pytest.mark.parametrize(
    ("use", "title"),
    [
        ("unit(4)", "unit(4)"),
        ("unit(4, 1)", "unit(4)"),
        ("unit(4, 2)", "unit(4, 2)"),
        ("unit(4, 1, 3)", "unit(4, 1, 3)"),
        ("unit(4, groups=1)", "unit(4)"),
        ("unit(4, groups=2, stride=1)", "unit(4, groups=2)"),
        ("unit(width=4)", "unit(width=4)"),
    ],
)
def test_a_use_is_called_by_what_is_not_usual(use: str, title: str) -> None:
    text = f"""block unit(width, stride = 1, groups = 1) {{ conv(width, 3) }}
    net A {{ image: input(8x16x16)\n {use} }}"""
    assert compile_source(Source("a.net", text))[0].regions[1].title == title
