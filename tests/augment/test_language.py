"""The region `augment`: what it holds, and what is said of what it cannot hold."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import netspec
from netspec.augmentations import FILLS, augmentations, elsewhere, flips_alone
from netspec.backends.onnx.model import to_model
from netspec.compiler import compile_source, diagnose
from netspec.graph import Graph
from netspec.kinds import Interval
from netspec.layer import layers
from netspec.signature import signature_of
from netspec.source import Source
from tests.augment.making import compiled

NET = "net A {{\n    image: input({size})\n{lines}\n    flatten -> linear(2)\n}}\n"


def net(*lines: str, size: str = "3x32x32") -> str:
    return NET.format(size=size, lines="\n".join(f"    {line}" for line in lines))


def steps(graph: Graph) -> list[tuple[str, dict[str, Any]]]:
    return [(s.name, dict(s.arguments)) for s in graph.augment["image"]]


def said(text: str) -> list[tuple[str, str, int]]:
    """Code, marked text and line of each problem."""
    found = diagnose(Source("a.net", text))
    places = [d.place for d in found]
    assert all(places)
    return [(d.code, text[p.span.start : p.span.end], p.source.position(p.span.start)[0]) for d, p in zip(found, places) if p]


def test_steps_are_checked_and_complete() -> None:
    found = steps(compiled("flip -> rotate(0.1) -> shift([0, 10%], fill=constant(9))"))
    assert [name for name, _ in found] == ["flip", "rotate", "shift"]
    assert found[0][1] == {"direction": "horizontal", "p": 0.5}
    assert (found[1][1]["turn"], found[1][1]["degrees"], found[1][1]["fill"].name) == ((-0.1, 0.1), None, "reflect")
    assert (found[2][1]["by"], found[2][1]["fill"].settings) == ((0.0, 0.1), {"value": 9.0})


def test_before_and_behind_preprocess_are_the_same() -> None:
    regions = ("augment { flip -> zoom(0.1) }", "preprocess { scale(1/255) -> resize(16x16) }")
    one, two = (compile_source(Source("a.net", net(*order)))[0] for order in (regions, regions[::-1]))
    assert steps(one) == steps(two)
    assert [n.path for n in one.nodes] == [n.path for n in two.nodes]


def test_the_net_is_as_without() -> None:
    plain, augmented = (compile_source(Source("a.net", net(*lines)))[0] for lines in ((), ("augment { rotate(0.1) -> mixup }",)))
    assert plain.augment == {}
    assert [(n.path, n.output) for n in plain.nodes] == [(n.path, n.output) for n in augmented.nodes]
    module = netspec.build(augmented).train()
    image = torch.rand(4, 3, 32, 32)
    assert torch.equal(module(image), netspec.build(plain, module.state_dict()).eval()(image))
    weights = {k: v.numpy() for k, v in module.state_dict().items()}
    one, two = (to_model(g, weights).graph.SerializeToString() for g in (plain, augmented))
    assert one == two


def test_the_language_goes_on_inside() -> None:
    text = net("let a = 0.05", "augment { if a > 0 { rotate(2 * a) }", "for b in [1, 2] { brightness([0.5, 1 + b]) } }")
    assert [s[0] for s in steps(compile_source(Source("a.net", text))[0])] == ["rotate", "brightness", "brightness"]


def test_each_input_has_its_own() -> None:
    text = "net A {\n a: input(3x8x8)\n augment { flip }\n b: input(3x8x8)\n augment { zoom(0.1) }\n a -> add(b) -> flatten -> linear(2) }"
    graph = compile_source(Source("a.net", text))[0]
    assert {name: [s.name for s in found] for name, found in graph.augment.items()} == {"a": ["flip"], "b": ["zoom"]}


def test_a_net_used_by_another_leaves_its_own() -> None:
    used = "net B {\n image: input(3x8x8)\n augment { flip }\n conv(4, 3) }\n"
    text = used + "net A {\n image: input(3x8x8)\n augment { zoom(0.1) }\n B -> flatten -> linear(2) }"
    graphs = {g.name: g for g in compile_source(Source("a.net", text), every=True)}
    assert [s.name for s in graphs["A"].augment["image"]] == ["zoom"]
    assert [s.name for s in graphs["B"].augment["image"]] == ["flip"]


@pytest.mark.parametrize(
    ("region", "code", "marked"),
    [
        ("flp", "N340", "flp"),
        ("RandomHorizontalFlip(0.5)", "N340", "RandomHorizontalFlip"),
        ("transforms.RandomRotation(10)", "N340", "transforms.RandomRotation"),
        ("conv(8, 3)", "N340", "conv"),
        ("bn", "N340", "bn"),
        ("add { | flip | zoom(0.1) }", "N340", "add"),
        ("flip(diagonal)", "N401", "diagonal"),
        ("flip(p=2)", "N401", "2"),
        ("rotate(0.1, angle=3)", "N402", "angle"),
        ("rotate", "N342", "rotate"),
        ("rotate(0.1, degrees=3)", "N342", "3"),
        ("rotate([0.2, 0.1])", "N401", "[0.2, 0.1]"),
        ("zoom", "N404", "zoom"),
        ("zoom(1)", "N401", "1"),
        ("zoom(0.1, fill=wrap)", "N401", "wrap"),
        ("zoom(0.1, fill=constant(256))", "N401", "256"),
        ("shift(3)", "N401", "3"),
        ("crop(40)", "N241", "40"),
        ("crop(8x8x8)", "N401", "8x8x8"),
        ("pad([1, 2, 3]) -> crop(32)", "N401", "[1, 2, 3]"),
        ("pad(2)", "N240", "augment"),
        ("crop(24)", "N240", "augment"),
        ("erase(value=300)", "N401", "300"),
        ("noise(-1)", "N401", "-1"),
        ("mixup -> flip", "N312", "flip"),
        ("mixup -> mixup", "N312", "mixup"),
        ("mixup(0)", "N401", "0"),
        ("turned: rotate(0.1)", "N312", "turned"),
        ("flip { }", "N312", "flip { }"),
        ("| flip", "N312", "|"),
    ],
)  # fmt: skip
def test_what_cannot_stand_in_it(region: str, code: str, marked: str) -> None:
    assert said(net(f"augment {{ {region} }}")) == [(code, marked, 3)]


@pytest.mark.parametrize(
    ("lines", "code", "line"),
    [
        (["conv(8, 3)", "augment { flip }"], "N312", 4),
        (["augment { flip }", "augment { zoom(0.1) }"], "N312", 4),
        (["augment(3)"], "N312", 3),
        (["a: augment { flip }"], "N312", 3),
        (["part: { augment { flip } }"], "N312", 3),
        (["flip"], "N341", 3),
        (["RandomErasing(0.5)"], "N341", 3),
        (["layers.RandomZoom(0.2)"], "N341", 3),
    ],
)
def test_where_it_cannot_stand(lines: list[str], code: str, line: int) -> None:
    ((found, _, at),) = said(net(*lines))
    assert (found, at) == (code, line)


def test_colours_need_colours_and_pictures_two_axes() -> None:
    assert said(net("augment { hue(0.1) -> saturation(0.1) -> contrast(0.1) -> grayscale }", size="1x32x32")) == [
        ("N242", "hue(0.1)", 3),
        ("N242", "saturation(0.1)", 3),
        ("N242", "grayscale", 3),
    ]
    assert [code for code, _, _ in said(net("augment { flip }", size="64"))] == ["N202"]


def test_open_sizes() -> None:
    text = (
        "net A {\n image: input(3xHxW)\n augment { flip -> rotate(0.1) -> random_resized_crop }\n global_avgpool -> flatten -> linear(2) }"
    )
    assert len(compile_source(Source("a.net", text))[0].augment["image"]) == 3
    assert [code for code, _, _ in said(text.replace("flip", "pad(4)"))] == ["N240"]


def test_mistakes_in_one_region_are_all_reported() -> None:
    assert [code for code, _, _ in said(net("augment { flp -> relu -> zoom(2) -> hue(0.1) }", "linera(3)"))] == [
        "N340",
        "N340",
        "N401",
        "N301",
    ]


def test_every_declaration_is_whole() -> None:
    others = [other.casefold() for known in augmentations().values() for other in known.elsewhere]
    assert len(others) == len(set(others)) == len(elsewhere())
    for name, known in augmentations().items():
        documented = [line for line in known.doc.splitlines() if line.strip().startswith("- `")]
        assert [p.name for p in known.signature.parameters] == [line.split("`")[1] for line in documented], name
        assert name in {"crop", "pad"} or name not in layers()
    assert all(signature_of(f) is not None and f.__doc__ for f in FILLS.values())


def test_flips_alone() -> None:
    alone = {"flip": True, "flip -> alternating_flip": True, "flip(vertical)": False, "flip -> zoom(0.1)": False, "": True}
    assert {region: flips_alone(compiled(region).augment["image"]) for region in alone} == alone


@pytest.mark.parametrize(("value", "wanted"), [(0.25, (0.75, 1.25)), ((0.5, 2), (0.5, 2.0)), (0, (1.0, 1.0)), ((1, 1), (1.0, 1.0))])
def test_intervals(value: Any, wanted: tuple[float, float]) -> None:
    assert Interval(0, 3, around=1.0, open_low=True).accept(value) == wanted


@pytest.mark.parametrize("value", [1, -0.1, (2, 1), (0, 1), (1, 4), (1,), (1, 2, 3), True, "a", float("nan")])
def test_what_is_no_interval(value: Any) -> None:
    with pytest.raises(ValueError):
        Interval(0, 3, around=1.0, open_low=True).accept(value)
    with pytest.raises(ValueError):
        Interval(0, 3).accept(0.5)
