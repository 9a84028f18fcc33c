"""Steps of a region by their position, and loops that make the branches of a merge."""

from __future__ import annotations

import pytest

from netspec.compiler import compile_source
from netspec.graph import Graph
from netspec.source import Source
from tests.errors.text import only

TRUNK = """
trunk: {
    conv(8, 3) -> relu
    for width in [4, 5] { conv(width, 3) }
    residual { conv(5, 1) }
    wide: { conv(6, 1) -> low: relu }
    pair(7)
}
"""
BLOCKS = "block pair(width) { conv(width, 1) -> conv(2 * width, 3) }"


def text(body: str) -> str:
    return f"{BLOCKS}\nnet A {{\nimage: input(3x16x16)\n{body}\n}}"


def graph(body: str) -> Graph:
    return compile_source(Source("a.net", text(body)))[0]


def source_of(made: Graph, path: str) -> str:
    """The path of the node that flows into a node."""
    node = next(n for n in made.nodes if n.path == path)
    return made.nodes[node.inputs[0]].path


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ("trunk[0]", "trunk.0"),
        ("trunk[1]", "trunk.1"),
        ("trunk[2]", "trunk.2"),
        ("trunk[3]", "trunk.3"),
        ("trunk[4]", "trunk.4"),  # the branch of the merge, which has no position itself
        ("trunk[5]", "trunk.wide.low"),  # positions count what is labelled too
        ("trunk[6]", "trunk.6.1"),
        ("trunk[-1]", "trunk.6.1"),
        ("trunk[-7]", "trunk.0"),
        ("trunk[2 * 3 - 3]", "trunk.3"),
        ("trunk.wide[0]", "trunk.wide.0"),
        ("trunk.wide[1]", "trunk.wide.low"),
        ("trunk", "trunk.6.1"),
    ],
)
def test_a_step_by_its_position(step: str, path: str) -> None:
    made = graph(f"{TRUNK}\n{step} -> there: conv(1, 1)\ntrunk -> here: conv(1, 1)\noutput(there, here)")
    assert source_of(made, "there") == path


def test_as_a_value() -> None:
    uses = "let maps = [trunk[0], trunk.wide[0], trunk]\nconcat { for map in maps { | map -> conv(map.channels, 1) -> global_avgpool } }"
    assert graph(f"{TRUNK}\n{uses}").nodes[-1].output == (8 + 6 + 14, 1, 1)


def test_of_uses_of_one_block() -> None:
    """The second is not written out but repeated, and has its own steps."""
    uses = "two[0] -> a: relu\none[0] -> b: relu\ntwo -> c: relu\none -> d: relu"
    made = graph(f"one: pair(4)\nimage -> two: pair(4)\n{uses}\noutput(a, b, c, d)")
    assert [source_of(made, p) for p in "abcd"] == ["two.0", "one.0", "two.1", "one.1"]


@pytest.mark.parametrize(
    ("step", "code", "words"),
    [
        ("trunk[7]", "N507", "`trunk` has no step 7: there are 7"),
        ("trunk[-8]", "N507", "`trunk` has no step -8: there are 7"),
        ("trunk.wide[2]", "N507", "`trunk.wide` has no step 2: there are 2"),
        ("trunk[0.5]", "N501", "[ ]"),
        ("trunk[image]", "N501", "[ ]"),
        ("trunk[1:2]", "N327", "`trunk` cannot be sliced"),
        ("image[0]", "N327", "`image` cannot be sliced"),
        ("trunk[0][0]", "N327", "cannot be sliced"),
    ],
)
def test_steps_that_are_not_there(step: str, code: str, words: str) -> None:
    said = only(text(f"{TRUNK}\n{step} -> conv(1, 1)\nadd(trunk)"))
    assert (said.code, words in said.message) == (code, True)


def test_a_step_that_failed_is_not_reported_again() -> None:
    assert only(text("trunk: { conv(8, 99) -> relu }\ntrunk[0] -> conv(1, 1)\ntrunk[1] -> relu")).code == "N201"


def test_a_loop_between_the_braces_of_a_merge_makes_branches() -> None:
    made = graph("convs: concat { for width, rate in [[4, 1], [5, 2]] { | conv(width, 3, padding=rate, dilation=rate) | relu } }")
    assert [made.nodes[i].path for i in made.nodes[-1].inputs] == ["convs.0", "convs.1", "convs.2", "convs.3"]
    assert made.nodes[-1].output == (4 + 3 + 5 + 3, 16, 16)


def test_branches_of_a_loop_begin_with_what_flows_in_and_see_its_variable() -> None:
    body = """
    maps: { repeat(3) { conv(3, 3, padding=1) } }
    concat(image) {
        for i in range(3) {
            | relu -> conv(i + 1, 1)
            | let width = 10 * i + 1
              maps[i] -> conv(width, 1)
        }
    }
    """
    made = graph(body)
    last = made.nodes[-1]
    branches = [made.nodes[i] for i in last.inputs]
    assert [n.output[0] for n in branches] == [1, 1, 2, 11, 3, 21, 3]
    assert [source_of(made, n.path) for n in branches[1:-1:2]] == ["maps.0", "maps.1", "maps.2"]
    assert source_of(made, source_of(made, branches[0].path)) == "maps.2"  # the relu of the first branch


def test_a_residual_over_a_loop_adds_what_flows_in() -> None:
    assert len(graph("residual { for i in [1, 2] { | conv(3, 1) } }").nodes[-1].inputs) == 3


def test_a_loop_that_is_not_all_there_is_has_no_branches() -> None:
    assert only(text("concat { relu\nfor i in [1, 2] { | conv(3, 1) } }")).code == "N312"


@pytest.mark.parametrize(
    ("loop", "code"),
    [
        ("for i in [] { | conv(3, 1) }", "N208"),
        ("for i in [1] { | conv(3, 1) }", "N208"),
        ("for i in 3 { | conv(3, 1) | relu }", "N506"),
        ("for i, j in [[1, 2], [3]] { | conv(3, 1) | relu }", "N512"),
        ("for i in [1, 2] { | conv(3, i) }", "N204"),
    ],
)
def test_loops_that_make_no_merge(loop: str, code: str) -> None:
    assert only(text(f"concat {{ {loop} }}")).code == code
