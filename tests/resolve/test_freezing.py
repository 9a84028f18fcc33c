"""What `freeze` and `unfreeze` name, and which layers are frozen in each stage: of the graph alone, without PyTorch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from netspec.compiler import compile_source, diagnose
from netspec.diagnostics import NetspecError
from netspec.freezing import NamesNothing, frozen_in_stages, initially_frozen, learning, selected
from netspec.graph import Graph
from netspec.source import Source
from tests.conftest import ROOT

NET = """
block unit(width) { conv1: conv(width, 3, padding=1) -> bn1: bn -> relu }

net N {
    image: input(1x8x8)
    preprocess { scale(1/255) }
    base: {
        stem: conv(4, 3, padding=1)
        layer1: { unit(4) -> unit(4) }
        layer2: { unit(6) -> unit(6) }
        concat { | conv(2, 1) | | conv(2, 1) | }
        relu
    }
    FROZENtail: { conv(4, 1) -> bn }
    global_avgpool -> flatten -> head: linear(3)
}
"""


def net(train: str = "", frozen: bool = False, **settings: str) -> Graph:
    text = NET.replace("FROZEN", "").replace("tail: {", "tail: frozen {" if frozen else "tail: {")
    text = text.replace(
        "concat { | conv(2, 1) | | conv(2, 1) | }", "concat {\n            | conv(2, 1)\n            | conv(2, 1)\n        }"
    )
    (graph,) = compile_source(Source("n.net", f"{text}\ntrain {{\n{train}\n}}\n"), settings=settings)
    return graph


def below(graph: Graph, *tops: str) -> set[str]:
    return {n.path for n in graph.layers if any(n.path == t or n.path.startswith(f"{t}.") for t in tops)}


@pytest.mark.parametrize(
    ("pattern", "tops"),
    [
        ("base", ["base"]),
        ("head", ["head"]),
        ("base.layer1", ["base.layer1"]),
        ("base.layer1.0", ["base.layer1.0"]),
        ("base.layer*", ["base.layer1", "base.layer2"]),
        ("base.layer1.*", ["base.layer1"]),
        ("base.layer?", None),
        ("base.*.0.conv1", ["base.layer1.0.conv1", "base.layer2.0.conv1"]),
        ("*.layer2", ["base.layer2"]),
        ("base[0]", ["base.stem"]),
        ("base[1]", ["base.layer1"]),
        ("base[-1]", ["base.5"]),
        ("base[:2]", ["base.stem", "base.layer1"]),
        ("base[1:3]", ["base.layer1", "base.layer2"]),
        ("base[-3:]", ["base.3", "base.4", "base.5"]),
        ("base[1:3].1", ["base.layer1.1", "base.layer2.1"]),
        ("base.layer2[-1:].bn1", ["base.layer2.1.bn1"]),
        ("base[ -1 : ]", ["base.5"]),
    ],
)
def test_paths_globs_and_slices(pattern: str, tops: list[str] | None) -> None:
    graph = net()
    if tops is None:
        with pytest.raises(NamesNothing):
            selected(graph, (pattern,))
        return
    assert selected(graph, (pattern,)) == below(graph, *tops)
    assert selected(graph, (pattern,))


@pytest.mark.parametrize(
    ("pattern", "near", "words"),
    [
        ("bsae", "base", "there is no bsae"),
        ("layer1.*", "base.layer1.*", "there is no layer1"),
        ("base.layer3", "base.layer2", "base has no layer3"),
        ("base.Layer1", "base.layer1", "base has no Layer1"),
        ("base[9:]", None, "base has 6 steps, and [9:] takes none of them"),
        ("base[6]", None, "takes none of them"),
        ("base[a]", None, "[a] is no slice"),
        ("base[]", None, "[] is no slice"),
        ("base[1 2]", None, "is no slice"),
        ("", None, "a path is names with dots between them"),
        ("base.", None, None),
        ("base..layer1", None, "a path is names with dots between them"),
        ("base[0", None, "a path is names with dots between them"),
        ("preprocess", None, "there is no preprocess"),
        ("image", None, "there is no image"),
        ("head.weight", None, "head has no weight"),
    ],
)
def test_what_names_nothing(pattern: str, near: str | None, words: str | None) -> None:
    if words is None:
        assert selected(net(), (pattern,))
        return
    with pytest.raises(NamesNothing) as caught:
        selected(net(), (pattern,))
    assert words in caught.value.why
    if near is not None:
        assert caught.value.near == near


def test_stages_go_on_from_each_other() -> None:
    train = ['freeze = "base"', 'a { unfreeze = "tail" }', 'b { unfreeze = "base[-2:]", freeze = "tail.1" }']
    graph = net("\n".join([*train, 'c { freeze = "base", unfreeze = "base.layer2" }']), frozen=True)
    base, tail = below(graph, "base"), below(graph, "tail")
    assert initially_frozen(graph) == tail
    a, b, c = frozen_in_stages(graph)
    assert a == base
    assert b == (base - below(graph, "base.4", "base.5")) | {"tail.1"}
    assert c == (base - below(graph, "base.layer2")) | {"tail.1"}
    assert learning(graph, a) == graph.parameters - sum(n.facts.parameters for n in graph.owners if n.path in base)


def test_without_stages_there_is_one() -> None:
    assert frozen_in_stages(net()) == (frozenset(),)
    graph = net('freeze = ["base", "tail"]')
    assert frozen_in_stages(graph) == (below(graph, "base", "tail"),)


@pytest.mark.parametrize(
    ("train", "codes"),
    [
        ('a { freeze = "base" }', []),
        ('a { freeze = ["base", "tale", "hed"] }', ["N606", "N606"]),
        ('freeze = ["base", "tail", "head"]', ["N607"]),
        ('a { freeze = "base" }\nb { freeze = "tail" }\nc { freeze = "head" }', ["N607"]),
        ("a { seed = 1 }", ["N608"]),
        ("a { precision = bf16, keep = last, ema = 0.9 }", ["N608", "N608", "N608"]),
        ("a { batch = 0 }", ["N401"]),
        ("a { epoch = 2 }", ["N602"]),
        ("a { lr = 2 }", ["N602"]),
        ("a { epochs = 2 }\na { epochs = 3 }", ["N304"]),
        ("a { epochs = 2, epochs = 3 }", ["N304"]),
        ("a { b { epochs = 2 } }", ["N602"]),
        ("metrics { tail = accuracy }", ["N771"]),
        ("loss { tail = cross_entropy }", ["N771"]),
        ("optimizer { lr = 0.1 }", ["N602"]),
        ("stop { patience = 0 }", ["N401"]),
        ("stop { patience = 2 }\nstop { patience = 3 }", ["N304"]),
        ("stop { monitor = val.f1 }", ["N770"]),
        ("keep = best(train.loss)", ["N401"]),
        ("keep = first", ["N401"]),
        ("ema = 1", ["N401"]),
        ("freeze = base", ["N401"]),
        ("freeze = 3", ["N401"]),
        ("schedule = multistep", ["N401"]),
        ("schedule = multistep()", ["N404"]),
        ("schedule = multistep(at=[3, 2])", ["N401"]),
        ("loss = cross_entropy(weight=[1, 2])", ["N609"]),
        ("a { loss = focal(weight=[1, 2]) }", ["N609"]),
        ("loss = cross_entropy(weight=[1, 2, 0])", ["N401"]),
        ("loss = cross_entropy(weight=balance)", ["N401"]),
        ("a { loss = contrastive }", ["N605"]),
        ("clip = 0", ["N401"]),
        ("clip = none\naccumulate = 4\ndecay = weights\nkeep = best(val.loss)\nstop { monitor = val.loss, patience = 10 }", []),
    ],
)
def test_what_check_says(train: str, codes: list[str]) -> None:
    try:
        net(train)
    except NetspecError as error:
        assert [d.code for d in error.diagnostics] == codes
        assert all(d.place is not None for d in error.diagnostics)
    else:
        assert not codes


def test_places_are_those_of_single_paths() -> None:
    text = NET.replace("FROZEN", "").replace("concat { | conv(2, 1) | | conv(2, 1) | }", "")
    text += 'train { a { freeze = ["base", "hed"] } }'
    (found,) = diagnose(Source("n.net", text))
    assert found.place is not None
    assert text[found.place.span.start : found.place.span.end] == '"hed"'


@pytest.mark.parametrize("key", ["train.a.epochs", "train.a.stop", "train.b.epochs", "train.a.seed"])
def test_stages_from_outside(key: str) -> None:
    values = {"train.a.epochs": "7", "train.a.stop": "stop(patience=3)", "train.b.epochs": "1", "train.a.seed": "1"}
    (value,) = [values[key]]
    if key in {"train.b.epochs", "train.a.seed"}:
        with pytest.raises(NetspecError) as caught:
            net("a { epochs = 2 }", **{key: value})
        assert caught.value.diagnostics[0].code == ("N602" if "b." in key else "N608")
    else:
        (stage,) = net("a { epochs = 2 }", **{key: value}).train.stages
        assert key.rpartition(".")[2] in stage.values
        assert stage.values["epochs"] == (7 if key == "train.a.epochs" else 2)


def test_no_torch_is_needed() -> None:
    program = "import sys, netspec.freezing, netspec.sections; assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
