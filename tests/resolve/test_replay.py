"""Equal uses of blocks are written out once and repeated: what comes of it is what writing each of them out gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.compiler import Limits, compile_source
from netspec.diagnostics import NetspecError
from netspec.graph import Graph
from netspec.resolve import blocks
from netspec.source import Source
from netspec.syntax.read import read_source

SPECS = Path(__file__).resolve().parents[2] / "specs"

TEXTS = {
    "nested": """
        block inner(c) { residual { a: conv(c, 3, padding=1) -> b: bn } }
        block outer(c, n) { first: inner(c) -> relu
            repeat(n) { inner(c) }
            again: { deep: inner(c) } }
        net Nested { image: input(8x9x9)
            outer(8, 2) -> left: outer(8, 2) -> outer(8, 3) -> right: outer(8, 2)
            right.first -> relu -> add(left.again.deep) -> add(right) -> add(left.first.b) }""",
    "tensors": """
        block join(other, more) { conv(4, 3, padding=1) -> add(other) -> concat(more) -> conv(4, 1) }
        net Tensors { image: input(4x8x8)
            a: conv(4, 3, padding=1)
            b: join(a, a) -> c: join(b, a) -> d: join(a, b) -> e: join(c, c) -> join(d, e) -> join(image, a) }""",
    "types": """
        block scaled(n, on = true) { conv(8 * n, 1) -> if on { relu } }
        net Types { image: input(3x8x8)
            scaled(1) -> scaled(1.0) -> scaled(2) -> scaled(2, on=false) -> frozen scaled(2) -> scaled(2) }""",
    "empty": """
        block nothing { }
        block pick(a) { a -> relu }
        net Empty { image: input(3x8x8)
            nothing -> nothing -> a: conv(3, 1) -> nothing -> b: pick(a) -> c: pick(b) -> add(a) -> add(b) -> add(c) }""",
    "shared": """
        shared block encoder { conv(4, 3) -> relu }
        block pair { left: encoder -> conv(6, 1)
            conv(4, 1) }
        net Shared { image: input(4x20x20)
            pair -> pair -> last: pair -> add(last.left) }""",
}


def _compiled(source: Source, monkeypatch: pytest.MonkeyPatch, repeats: bool) -> tuple[Graph, ...]:
    with monkeypatch.context() as patch:
        if not repeats:
            patch.setattr(blocks, "key_of", lambda *_: None)
        return compile_source(source, every=True)


def _facts(graph: Graph) -> list[object]:
    nodes = [
        (
            *(n.index, n.path, n.layer, n.label, dict(n.arguments), n.inputs, n.output),
            *(n.frozen, n.role, n.region, str(n.place)),
            *((t.block, str(t.place)) for t in n.trail or ()),
        )
        for n in graph.nodes
    ]
    return [nodes, graph.regions, graph.outputs, dict(graph.labels), [k for k, _, _ in graph.weights()]]


@pytest.mark.parametrize("name", TEXTS)
def test_repeating_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(f"{name}.net", TEXTS[name])
    ours, plain = (_compiled(source, monkeypatch, repeats) for repeats in (True, False))
    assert list(map(_facts, ours)) == list(map(_facts, plain))


@pytest.mark.parametrize("name", sorted(p.stem for p in SPECS.glob("*.net")))
def test_repeating_changes_nothing_in_the_library(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = read_source(SPECS / f"{name}.net")
    ours, plain = (_compiled(source, monkeypatch, repeats) for repeats in (True, False))
    assert list(map(_facts, ours)) == list(map(_facts, plain))


def test_a_million_layers_fit_the_text_that_makes_them() -> None:
    text = """
        block unit(c) { residual { conv(c, 3, padding=1) -> bn -> relu } }
        net Deep { image: input(8x16x16)
            repeat(2500) { unit(8) -> unit(8) }
            global_avgpool -> flatten -> linear(2) }"""
    graph = compile_source(Source("deep.net", text), limits=Limits(nodes=100_000))[0]
    assert len(graph.nodes) == 5000 * 4 + 4
    assert graph.parameters == 5000 * (8 * 8 * 9 + 8 + 16) + 8 * 2 + 2
    assert graph.nodes[-4].trail is not None
    assert [n.path for n in graph.nodes[1:5]] == ["0.0", "0.1", "0.2", "0.add"]
    assert graph.nodes[-5].path == "4999.2"


def test_blocks_that_make_nothing_are_counted_too() -> None:
    """Each doubles the one before it and none makes a layer: what is repeated costs as much as what is written out."""
    doubling = "\n".join(f"block b{i} {{ b{i - 1} -> b{i - 1} }}" for i in range(1, 40))
    text = f"block b0 {{ }}\n{doubling}\nnet A {{ image: input(3x8x8)\n b39 -> relu }}"
    with pytest.raises(NetspecError) as error:
        compile_source(Source("a.net", text))
    assert [d.problem.__class__.__name__ for d in error.value.diagnostics] == ["TooManySteps"]
