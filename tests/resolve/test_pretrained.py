"""`weights=` at the use of a block, net or part: what the graph remembers of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.compiler import compile_source, load
from netspec.diagnostics import NetspecError
from netspec.graph import Graph
from netspec.source import Source
from tests.errors.text import marked, only

NETS = """
block inner(width = 4) { k: conv(width, 1) -> relu }
shared block s { conv(3, 1) }
net N(width = 4) {
    image: input(3x8x8)
    features: { inner(width) -> deep: { conv(3, 1) -> row: { relu -> conv(3, 1) } } }
    b: inner -> conv(3, 1)
    side: s
    global_avgpool -> flatten -> head: linear(2)
}
net Alias = N(width=8)
net Own { image: input(3x8x8)
    base: { N.features(weights="own.pth") } }
"""


def graph(body: str) -> Graph:
    return compile_source(Source("a.net", f"net A {{ image: input(3x8x8)\n{body}\n}}\n{NETS}"))[0]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ('N(weights="n.pth")', [("0", "")]),
        ('base: frozen N(weights="n.pth")', [("base", "")]),
        ('base: N.features(weights="n.pth")', [("base", "features")]),
        ('relu -> N.features.deep.row(weights="n.pth")', [("1", "features.deep.row")]),
        ('p: N.features.deep[0](weights="n.pth")', [("p", "features.deep.0")]),
        ('p: N.features.deep[1](weights="n.pth")', [("p", "features.deep.row")]),
        ('p: N.features.deep[-1][-1](weights="n.pth")', [("p", "features.deep.row.1")]),
        ('p: N.features[:1](weights="n.pth")', [("p", "features")]),
        ('p: N.features[0](weights="n.pth")', [("p", "features.0")]),
        ('p: N.b.k(weights="n.pth")', [("p", "b.k")]),
        ('p: N.side(weights="n.pth")', [("s", "s")]),
        ('p: Alias.features(weights="n.pth")', [("p", "features")]),
        ('r: { inner(weights="n.pth") }', [("r.0", "")]),
        ('s(weights="n.pth") -> s', [("s", "")]),
        ('repeat(2) { inner(3, weights="n.pth") }', [("0", ""), ("1", "")]),
        ('for i in range(2) { "p{i}": inner(3, weights="n.pth") }', [("p0", ""), ("p1", "")]),
    ],
)
def test_where_the_weights_go_and_where_they_stood(body: str, wanted: list[tuple[str, str]]) -> None:
    asked = graph(body).pretrained
    assert [(p.path, p.origin) for p in asked] == wanted
    assert {(p.file, p.order) for p in asked} == {("n.pth", False)}
    assert all(p.place.source.text[p.place.span.start : p.place.span.end] == '"n.pth"' for p in asked)


def test_the_way_they_are_read() -> None:
    (asked,) = graph('base: N(weights="n.pth", map=order)').pretrained
    assert asked.order
    (asked,) = graph('let file = "n.pth"\nbase: N(weights=file)').pretrained
    assert asked.file == "n.pth"


def test_weights_inside_of_what_is_used_are_remembered_too() -> None:
    assert [(p.path, p.origin, p.file) for p in graph('Own -> conv(3, 1) -> p: Own(weights="all.pth")').pretrained] == [
        ("0.base.0", "features", "own.pth"), ("p", "", "all.pth"), ("p.base.0", "features", "own.pth"),
    ]  # fmt: skip


def test_of_a_part_that_is_a_part_there_the_nearest_weights_count() -> None:
    assert [(p.path, p.file) for p in graph('Own.base[0](weights="mine.pth") -> conv(3, 1) -> Own.base[0]').pretrained] == [
        ("0", "mine.pth"), ("2", "own.pth"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("use", "code", "mark"),
    [
        ("N(weights=3)", "N401", "3"),
        ("N(weights=resnet)", "N303", "resnet"),
        ('N("n.pth")', "N401", "width"),
        ("N(map=order)", "N404", "order"),
        ("N.features(map=order)", "N404", "order"),
        ('N(weights="n.pth", map=name)', "N401", "name"),
        ('N(weights="n.pth", weights="m.pth")', "N405", 'weights="m.pth"'),
        ('N(wieghts="n.pth")', "N402", "wieghts"),
        ('conv(3, 1, weights="n.pth")', "N402", "weights"),
    ],
)
def test_what_cannot_be(use: str, code: str, mark: str) -> None:
    said = only(f"net A {{ image: input(3x8x8)\n{use}\n}}\n{NETS}")
    assert (said.code, marked(said)) == (code, mark)


def test_what_is_left_out_of_a_used_net_may_be_in_its_file(tmp_path: Path) -> None:
    import torch

    from netspec.backends.torch import build

    (tmp_path / "n.net").write_text(NETS)
    whole = build(load(tmp_path / "n.net", net="N")).state_dict()
    torch.save(whole, tmp_path / "n.pth")
    text = 'use n from "n.net"\nnet A { image: input(3x8x8)\nbase: n(weights="n.pth")\nbase.features -> conv(2, 1) }'
    (tmp_path / "a.net").write_text(text)
    made = load(tmp_path / "a.net")
    assert made.left_out == {f"base.{key}" for key in whole if not key.startswith("features.")}
    state = build(made).state_dict()
    taken = {key.removeprefix("base.") for key in state if key.startswith("base.")}
    assert taken == {key for key in whole if key.startswith("features.")}
    assert all(torch.equal(state[f"base.{key}"], whole[key]) for key in taken)
    torch.save({**whole, "more.weight": torch.zeros(2)}, tmp_path / "n.pth")
    with pytest.raises(NetspecError, match="1 unexpected tensor"):
        build(made)
