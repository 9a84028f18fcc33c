"""Auxiliary outputs in a text: what they are called, what they count for, and that nothing of them is left in inference."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.compiler import compile_source, load
from netspec.graph import Auxiliary, Graph
from netspec.resources import folder
from netspec.source import Source
from tests.errors.text import codes, marked, only

NET = """net G(classes = 3) {
    image: input(3x16x16)
    trunk: { conv(4, 3) -> relu }
    trunk -> global_avgpool -> flatten -> side: linear(classes)
    %s
    trunk -> conv(5, 3) -> global_avgpool -> flatten -> fc: linear(classes)
}
"""


def graph(line: str) -> Graph:
    return compile_source(Source("a.net", NET % line))[0]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("auxiliary(side)", [("side", 0.3)]),
        ("auxiliary(side, weight=0.4)", [("side", 0.4)]),
        ("auxiliary(weight=1/2, other=side)", [("other", 0.5)]),
        ("auxiliary(side, weight=0)", [("side", 0.0)]),
        ("if true { auxiliary(side) }", [("side", 0.3)]),
        ("auxiliary(side)\nauxiliary(trunk, weight=0.1)", [("side", 0.3), ("trunk", 0.1)]),
        ("auxiliary(side, early=trunk)", [("side", 0.3), ("early", 0.3)]),
    ],
)
def test_their_names_and_weights(line: str, wanted: list[tuple[str, float]]) -> None:
    made = graph(line)
    assert [(o.name, o.weight) for o in made.auxiliary] == wanted
    assert [o.name for o in made.outputs] == ["fc"]


def test_inference_is_without_them() -> None:
    made = graph("auxiliary(side)")
    assert made.parameters == 112 + 15 + 185 + 18
    assert made.macs == 112 * 196 - 4 * 196 + 180 * 144 + 15
    assert {n.path for n in made.nodes if n.index not in made.inferred} == {"1", "2", "side"}


@pytest.mark.parametrize(
    ("line", "code", "mark"),
    [
        ("auxiliary(sied)", "N303", "sied"),
        ("auxiliary(3)\nside -> relu -> concat(side) -> o: relu", "N401", "3"),
        ("auxiliary(side, weight=-1)", "N401", "-1"),
        ("auxiliary(side, weight=foo)", "N303", "foo"),
        ("auxiliary(side, side)", "N304", "side"),
        ("auxiliary(side)\nauxiliary(side)", "N304", "side"),
        ("auxiliary(side)\noutput(side)", "N304", "side"),
        ("auxiliary()", "N310", "linear(classes)"),
        ("r: { auxiliary(side) -> relu }", "N312", "auxiliary(side)"),
        ("l: auxiliary(side)", "N312", "l"),
        ("auxiliary(side) { relu }", "N312", "auxiliary(side) { relu }"),
    ],
)
def test_what_cannot_be(line: str, code: str, mark: str) -> None:
    assert code in codes(NET % line)


def test_in_a_block_they_are_out_of_place() -> None:
    said = only("net A { image: input(3x8x8)\n b }\nblock b { a: relu\nauxiliary(a) }")
    assert (said.code, marked(said)) == ("N312", "auxiliary(a)")


def test_training_gives_them_and_inference_does_not(tmp_path: Path) -> None:
    import torch

    from netspec.backends.onnx import export, open_session
    from netspec.backends.torch import build

    made = graph("auxiliary(side)")
    net, x = build(made), torch.rand(2, 3, 16, 16)
    assert {name: tuple(t.shape) for name, t in net.train()(x).items()} == {"fc": (2, 3), "side": (2, 3)}
    assert tuple(net.eval()(x).shape) == (2, 3)
    export(made, {k: v.numpy() for k, v in net.state_dict().items()}, tmp_path / "g.onnx")
    assert [o.name for o in open_session(tmp_path / "g.onnx").get_outputs()] == ["fc"]


def test_googlenet() -> None:
    made = load(folder("specs") / "googlenet.net")
    assert [type(o) for o in made.auxiliary] == [Auxiliary, Auxiliary]
    assert made.macs == load(folder("specs") / "googlenet.net", net="GoogLeNetInference").macs
