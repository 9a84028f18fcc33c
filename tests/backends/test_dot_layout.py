"""Diagrams as they are laid out: what stands beside what, and what no arrow crosses."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pygraphviz
import pytest

from netspec.backends.dot import Direction, to_dot
from netspec.compiler import load
from netspec.graph import Graph
from tests.backends.test_dot import FACES, ROOT, graph_of, picture_of

UNET = """
block double(width) {
    conv1: conv(width, 3, padding=1) -> bn1: bn -> relu
    conv2: conv(width, 3, padding=1) -> bn2: bn -> relu
}
net UNet {
    image: input(3x32x32)
    e1: double(8)
    e2: double(16)
    mid: double(32)
    concat(e2) -> d2: double(16)
    concat(e1) -> d1: double(8)
    head: conv(2, 1)
}
"""
MIXED = """
block incep(a, b) {
    concat {
        | left: { conv(a, 1) -> conv(a, 3, padding=1) -> conv(a, 3, padding=1) }
        | right: { conv(b, 1) -> conv(b, 3, padding=1) }
        | maxpool(3, stride=1, padding=1)
        | conv(2, 1)
    }
}
net Mixed {
    image: input(3x32x32)
    stem: conv(16, 3, padding=1)
    stage: { repeat(2) { add { | conv(16, 3, padding=1) -> bn -> relu -> conv(16, 3, padding=1) | } -> relu } }
    one: incep(16, 8)
    two: incep(8, 4)
    concat(one, stem) -> global_avgpool -> flatten -> trunk: linear(8)
    trunk -> a: linear(1)
    trunk -> b: linear(1)
    output(a, b)
}
"""
DRAWN = ["resnet18", "resnet50", "vgg16", "googlenet", "faces", "unet", "mixed"]


def graph_named(name: str) -> Graph:
    texts = {"faces": FACES, "unet": UNET, "mixed": MIXED}
    if name == "resnet18":
        return load(ROOT / "specs" / "resnet.net", net="ResNet18")
    return graph_of(texts[name]) if name in texts else load(ROOT / "specs" / f"{name}.net")


def laid_out(dot: str) -> pygraphviz.AGraph:
    graph = pygraphviz.AGraph(string=dot)
    graph.layout(prog="dot")
    return graph


def centre(graph: pygraphviz.AGraph, mark: str) -> tuple[float, float]:
    x, y = graph.get_node(mark).attr["pos"].split(",")
    return float(x), float(y)


def along(spline: str) -> Iterator[tuple[float, float]]:
    """Points of an arrow: sixteen on each of its Bézier curves."""
    ends = re.sub(r"[es],[-\d.,e]+ ", "", spline.replace("\\\n", "")).split()
    points = [tuple(map(float, p.split(","))) for p in ends]
    for start in range(0, len(points) - 3, 3):
        p, q, r, s = points[start : start + 4]
        for t in (step / 16 for step in range(17)):
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            yield tuple(sum(w * v for w, v in zip(weights, axis, strict=True)) for axis in zip(p, q, r, s, strict=True))  # type: ignore[misc]


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("direction", ["down", "right"])
def test_no_arrow_crosses_a_title(name: str, direction: Direction) -> None:
    graph = laid_out(to_dot(graph_named(name), direction=direction))
    points = [p for e in graph.edges() if e.attr["style"] != "invis" for p in along(e.attr["pos"])]
    titles = [n for n in graph.nodes() if n.startswith("t")]
    assert len(points) > 100
    for title in titles:
        (x, y), width, height = centre(graph, title), *(36 * float(title.attr[a]) for a in ("width", "height"))
        assert not [p for p in points if abs(p[0] - x) < width and abs(p[1] - y) < height]


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("direction", ["down", "right"])
def test_branches_stand_in_the_order_of_the_text(name: str, direction: Direction) -> None:
    net = graph_named(name)
    graph = laid_out(to_dot(net, direction=direction))
    rows = [[m for m in row.marks if not m.startswith("t")] for row in picture_of(net).rows]
    for row in rows:
        across = [centre(graph, mark)[0] if direction == "down" else -centre(graph, mark)[1] for mark in row]
        assert across == sorted(across)
    widest = {"googlenet": 5, "mixed": 4}  # with a side classifier beside the four branches of a module
    assert name not in widest or max(map(len, rows)) == widest[name]


@pytest.mark.parametrize("name", DRAWN)
def test_titles_stand_at_the_left(name: str) -> None:
    net = graph_named(name)
    graph = laid_out(to_dot(net))
    for row in picture_of(net).rows:
        across = [centre(graph, mark)[0] for mark in row.marks]
        assert across == sorted(across)


def test_an_arrow_into_a_frame_parts_inside_it() -> None:
    picture = picture_of(load(ROOT / "specs" / "googlenet.net"), only="inception3a")
    assert [(a.source, a.target, a.pointed) for a in picture.arrows[:5]] == [
        ("i0", "fi0", False), ("fi0", "n0014", True), ("fi0", "n0017", True), ("fi0", "n0023", True), ("fi0", "n0029", True),
    ]  # fmt: skip


def test_the_first_of_two_ways_is_straight() -> None:
    graph = laid_out(to_dot(load(ROOT / "specs" / "resnet50.net"), only="layer2.0"))
    column = [centre(graph, mark)[0] for mark in graph.nodes() if mark.startswith("n")]
    assert column[0] == column[1] == column[2] < column[3]
