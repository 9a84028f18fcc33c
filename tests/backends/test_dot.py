"""Diagrams: what is drawn of a graph, and in which words."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pygraphviz
import pytest

from netspec.backends.dot import Direction, to_dot
from netspec.backends.dot.compose import compose
from netspec.backends.dot.picture import Box, Cluster, Picture
from netspec.backends.dot.select import select
from netspec.backends.dot.words import broken, describe
from netspec.compiler import Limits as CompilerLimits
from netspec.compiler import compile_source, load
from netspec.diagnostics import Exit, NetspecError
from netspec.graph import Graph
from netspec.source import Source

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "specs").glob("*.net"))

FACES = """
block se(ratio = 4) {
    multiply {
        |
        | global_avgpool -> conv(64 // ratio, 1) -> relu -> conv(64, 1) -> sigmoid
    }
}
net Faces {
    image: input(3x64x64)
    preprocess { scale(1/255) -> normalize(imagenet) }
    base: frozen {
        conv(64, 3, padding=1, bias=false) -> bn -> relu -> maxpool(2)
        se
    }
    pooled: { global_avgpool -> flatten }
    meta: input(12)
    meta -> linear(64) -> relu -> concat(pooled) -> trunk: { linear(512) -> relu -> dropout(0.3) }
    trunk -> linear(128) -> relu -> age: linear(1)
    trunk -> linear(128) -> relu -> gender: { linear(1) -> sigmoid }
    output(age, gender)
}
"""


def graph_of(text: str, nodes: int = 50_000) -> Graph:
    return compile_source(Source("test.net", text), limits=CompilerLimits(nodes=nodes))[0]


def picture_of(graph: Graph, only: str | None = None, fold: bool = True) -> Picture:
    return compose(select(graph, only, fold))


def boxes(part: Picture | Cluster) -> list[Box]:
    return [b for c in part.content for b in ([c] if isinstance(c, Box) else boxes(c)) if b.form != "fork"]


def clusters(part: Picture | Cluster) -> list[Cluster]:
    return [d for c in part.content if isinstance(c, Cluster) for d in [c, *clusters(c)]]


def titles(picture: Picture) -> list[str]:
    return [" ".join((c.name, *c.lines)) for c in clusters(picture)]


def parsed(dot: str) -> pygraphviz.AGraph:
    return pygraphviz.AGraph(string=dot)


def problem_of(error: pytest.ExceptionInfo[NetspecError]) -> tuple[str, Exit]:
    return error.value.diagnostics[0].code, error.value.exit


# ---- the texts, read by a person


@pytest.mark.parametrize(
    ("name", "spec", "only", "direction"),
    [
        ("lenet5", "lenet5", None, "down"),
        ("bottlenecks", "resnet50", "layer1", "down"),
        ("inception", "googlenet", "inception3a", "right"),
        ("faces", None, None, "down"),
    ],
)
def test_golden(golden: Callable[[str, str], None], name: str, spec: str | None, only: str | None, direction: Direction) -> None:
    graph = load(ROOT / "specs" / f"{spec}.net") if spec else graph_of(FACES)
    golden(f"dot/{name}.dot", to_dot(graph, only=only, direction=direction))


# ---- what is drawn


@pytest.mark.parametrize("spec", SPECS, ids=lambda p: p.stem)
@pytest.mark.parametrize("fold", [True, False])
def test_every_spec_is_well_formed_dot(spec: Path, fold: bool) -> None:
    dot = to_dot(load(spec), fold=fold)
    declared = set(re.findall(r"^ *([a-z]+\d+) \[label", dot, re.MULTILINE))
    with parsed(dot) as graph:
        assert set(graph.nodes()) == declared
        assert all(re.fullmatch(r"[nt]\d{4,}|fn\d{4,}|f?i\d+|o\d+", n) for n in declared)


@pytest.mark.parametrize("spec", SPECS, ids=lambda p: p.stem)
def test_unfolded_every_layer_is_drawn_once(spec: Path) -> None:
    graph = load(spec)
    told = [line.split(":")[0] for b in boxes(picture_of(graph, fold=False)) for line in b.tooltip.splitlines()]
    assert sorted(told) == sorted(n.path for n in graph.nodes)


@pytest.mark.parametrize("spec", SPECS, ids=lambda p: p.stem)
def test_everything_drawn_is_joined(spec: Path) -> None:
    picture = picture_of(load(spec))
    reached = {a for arrow in picture.arrows for a in (arrow.source, arrow.target) if not a.startswith("f")}
    assert reached == {b.id for b in boxes(picture)}
    assert picture.boxes == len(reached)


def test_equal_blocks_in_a_row_are_drawn_once() -> None:
    graph = load(ROOT / "specs" / "resnet50.net")
    folded, whole = picture_of(graph), picture_of(graph, fold=False)
    assert [t for t in titles(folded) if "×" in t] == [
        "2 × layer1.1–2 bottleneck(64)",
        "3 × layer2.1–3 bottleneck(128)",
        "5 × layer3.1–5 bottleneck(256)",
        "2 × layer4.1–2 bottleneck(512)",
    ]
    assert sum(b.lines[0].startswith("conv") for b in boxes(whole)) == 53
    assert sum(b.lines[0].startswith("conv") for b in boxes(folded)) == 53 - 3 * (1 + 2 + 4 + 1)
    assert not any("×" in t for t in titles(whole))


def test_equal_layers_in_a_row_are_drawn_once() -> None:
    graph = graph_of("net N {\n image: input(8x9x9)\n repeat(6) { conv(8, 3, padding=1) -> relu }\n conv(4, 1)\n}")
    picture = picture_of(graph)
    assert [b.lines[0] for b in boxes(picture)] == ["image", "6 ×   conv 3×3, 8", "conv 1×1, 4", "output"]
    assert [(a.source, a.target) for a in picture.arrows] == [("n0000", "n0001"), ("n0001", "n0013"), ("n0013", "o0")]


@pytest.mark.parametrize(
    "after",
    ["add(a)\n", "output(a, b)\n", "output(b, a)\n"],
    ids=["a tensor of the row is used behind it", "a tensor of the row is an output", "in whatever order"],
)
def test_a_block_that_others_read_is_not_folded(after: str) -> None:
    text = "block c { conv(8, 3, padding=1) -> relu -> conv(8, 1) }\nnet N {\n image: input(8x9x9)\n a: c\n b: c\n " + after + "}"
    assert not any("×" in t for t in titles(picture_of(graph_of(text))))


def test_blocks_of_other_arguments_or_shapes_are_not_folded() -> None:
    text = "block c(w) { conv(w, 3) -> relu -> conv(8, 1) }\nnet N {\n image: input(8x19x19)\n c(4)\n c(4)\n c(5)\n}"
    assert not any("×" in t for t in titles(picture_of(graph_of(text))))


def test_identity_ways_into_merges_are_marked() -> None:
    picture = picture_of(load(ROOT / "specs" / "resnet.net", net="ResNet18"), fold=False)
    assert sum(a.skip for a in picture.arrows) == 5
    assert "skip" not in {b.form for b in boxes(picture)}


def arrows_into(picture: Picture, text: str) -> list[tuple[str, bool, bool]]:
    targets = {b.id for b in boxes(picture) if b.lines[0] == text}
    return [(a.text, a.skip, a.beside) for a in picture.arrows if a.target in targets]


def test_a_way_around_tells_a_shape_that_the_merge_does_not() -> None:
    text = "net N {\n image: input(8x9x9)\n a: conv(4, 1)\n b: conv(8, 1)\n conv(8, 1) -> concat(a, b)\n conv(8, 1) -> add(b)\n}"
    picture = picture_of(graph_of(text))
    assert arrows_into(picture, "concat") == [("8×9×9", False, False), ("4×9×9", True, True), ("8×9×9", True, False)]
    assert arrows_into(picture, "+") == [("8×9×9", False, False), ("", True, True)]


def test_one_way_into_a_merge_is_never_the_way_around() -> None:
    text = "net N {\n image: input(8x9x9)\n a: conv(8, 1)\n b: conv(8, 1)\n c: add(a)\n c -> add(b)\n}"
    assert [skip for _, skip, _ in arrows_into(picture_of(graph_of(text)), "+")].count(False) == 2


# ---- names


@pytest.mark.parametrize("spec", [*SPECS, None], ids=lambda p: p.stem if p else "faces")
def test_every_label_is_written_somewhere(spec: Path | None) -> None:
    graph = load(spec) if spec else graph_of(FACES)
    picture = picture_of(graph, fold=False)
    written = " ".join([*titles(picture), *(" ".join((b.name, *b.lines)) for b in boxes(picture))])
    labels = {n.label for n in graph.nodes if n.label and n.label != n.layer}
    labels |= {part for r in graph.regions for part in r.path.split(".") if part.isidentifier()}
    assert {label for label in labels if label not in re.findall(r"\w+", written)} == set()


@pytest.mark.parametrize(
    ("steps", "names"),
    [
        ("conv(8, 1) -> bn -> relu", [""]),
        ("stem: conv(8, 1) -> bn -> relu", ["stem"]),
        ("c: conv(8, 1) -> b: bn -> relu", ["c · b"]),
        ("stem: { conv(8, 1) -> bn }", ["stem"]),
        ('stem: { "conv": conv(8, 1) -> "bn": bn }', ["stem"]),
        ("stem: { c: conv(8, 1) -> b: bn }", ["stem.c · b"]),
        ("stem: { c: conv(8, 1)\n d: conv(8, 1) }", ["c", "d"]),
        ("add {\n | left: { conv(8, 1)\n conv(8, 1) }\n | right: conv(8, 1)\n }", ["left.0", "left.1", "right", ""]),
        ("a: conv(8, 1)\n conv(8, 1) -> sum: add(a)", ["a", "", "sum"]),
        ('for i in range(5) { "c{i}": conv(8, 3, padding=1) }', ["c0 – c4"]),
        ("repeat(5) { conv(8, 3, padding=1) }", [""]),
    ],
)
def test_names(steps: str, names: list[str]) -> None:
    picture = picture_of(graph_of("net N {\n image: input(8x9x9)\n " + steps + "\n}"))
    assert [b.name for b in boxes(picture) if b.form not in {"input", "output"}] == names


def test_titles_are_broken_into_few_lines_of_one_length() -> None:
    assert broken("incep(16, 32, 8, 8)") == ["incep(16, 32, 8, 8)"]
    assert broken("bottleneck(64, stride=2, project=true)") == ["bottleneck(64,", "stride=2, project=true)"]
    assert broken("x" * 60) == ["x" * 28, "x" * 28, "xxxx"]
    assert len(broken("block(" + "1, " * 500)) <= 5


def test_inputs_outputs_and_frozen_parts() -> None:
    picture = picture_of(graph_of(FACES))
    by_form: dict[str, list[tuple[str, ...]]] = {}
    for box in boxes(picture):
        by_form.setdefault(box.form, []).append(box.lines)
    assert by_form["input"] == [("image", "3×64×64"), ("meta", "12")]
    assert by_form["output"] == [("age", "1"), ("gender", "1")]
    assert by_form["sign"] == [("×",)]
    assert [(c.name, c.frozen) for c in clusters(picture)][:2] == [("preprocess", False), ("base", True)]
    assert {b.frozen for c in clusters(picture) if c.frozen for b in boxes(c)} == {True}
    assert "trainable" in picture.caption


def test_a_lone_frozen_layer_says_so() -> None:
    picture = picture_of(graph_of("net N {\n image: input(3x9x9)\n frozen conv(4, 3) -> relu -> conv(2, 1)\n}"))
    assert [b.lines for b in boxes(picture) if b.frozen] == [("conv 3×3, 4", "❄ frozen")]


def test_a_part_is_drawn_alone() -> None:
    graph = load(ROOT / "specs" / "resnet50.net")
    picture = picture_of(graph, only="layer2.0")
    assert [b.lines for b in boxes(picture) if b.form == "stub"] == [("256×56×56",), ("512×28×28",)]
    assert sum(b.lines[0].startswith("conv") for b in boxes(picture)) == 4
    inside = [n for n in graph.nodes if n.path.startswith("layer2.0.")]
    assert picture.caption == f"ResNet50: layer2.0\n{sum(n.facts.parameters for n in inside):,} parameters · 372.5 MMACs"
    assert "layer2" not in titles(picture)


def test_a_part_with_a_skip_from_outside() -> None:
    text = "net N {\n image: input(8x9x9)\n e: conv(8, 1)\n m: { conv(8, 1) -> add(e) }\n conv(2, 1)\n}"
    picture = picture_of(graph_of(text), only="m")
    assert [b.lines for b in boxes(picture) if b.form == "stub"] == [("e", "8×9×9"), ("8×9×9",)]
    assert [(a.source, a.target, a.skip) for a in picture.arrows] == [
        ("i0", "n0002", False), ("i0", "n0003", True), ("n0002", "n0003", False), ("n0003", "o0", False),
    ]  # fmt: skip


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(NetspecError) as error:
        to_dot(load(ROOT / "specs" / "resnet50.net"), only="layr2")
    assert problem_of(error) == ("N972", Exit.USAGE)
    assert error.value.diagnostics[0].problem.help() == "did you mean layer2?"


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("conv(64, 3, stride=2, padding=1)", "conv 3×3, 64 /2"),
        ("conv(64, 1x7)", "conv 1×7, 64"),
        ("conv(16, 3, groups=16)", "depthwise conv 3×3, 16"),
        ("conv(32, 3, groups=4, dilation=2)", "conv 3×3, 32, groups 4, dilation 2"),
        ("maxpool(3, stride=2)", "maxpool 3×3 /2"),
        ("maxpool(2)", "maxpool 2×2 /2"),
        ("avgpool(3x1, stride=1)", "avgpool 3×1"),
        ("conv(8, 1, stride=2x1)", "conv 1×1, 8 /2×1"),
        ("adaptive_avgpool(6)", "adaptive avgpool 6"),
        ("scale(1/255)", "scale 1/255"),
        ("scale(1/127.5, -1)", "scale 0.007843, offset -1"),
        ("leaky_relu(0.2)", "leaky relu 0.2"),
        ("relu", "relu"),
        ("dropout(0.5)", "dropout"),
        ("dropout(0.2)", "dropout 0.2"),
    ],
)
def test_words(layer: str, words: str) -> None:
    graph = graph_of("net N {\n image: input(16x32x32)\n " + layer + "\n}")
    assert describe(graph.nodes[1], graph.nodes) == words


def test_shapes_on_the_arrows_can_be_left_out() -> None:
    graph = load(ROOT / "specs" / "lenet5.net")
    assert '-> n0004 [label=" 6×28×28 "]' in to_dot(graph)
    assert "6×28×28 " not in to_dot(graph, shapes=False)
