"""Where weights live: the contract of labels, numbers and regions, path by path."""

from __future__ import annotations

import pytest

from netspec.compiler import compile_source, diagnose
from netspec.graph import Graph
from netspec.source import Source


def graph(body: str, before: str = "") -> Graph:
    (made,) = compile_source(Source("a.net", f"{before}\nnet A {{ image: input(3x16x16)\n{body}\n}}"))
    return made


def paths(body: str, before: str = "") -> list[str]:
    return [n.path for n in graph(body, before).layers]


BLOCK = "block b(w) { conv(w, 1) -> c: conv(w, 1) }"
NESTED = "block b(w) { c(w) -> d: c(w) }\nblock c(w) { conv(w, 1) }"


@pytest.mark.parametrize(
    ("body", "before", "wanted"),
    [
        ("conv(4, 3) -> relu\nconv(4, 3)", "", "0 1 2"),
        ("stem: conv(4, 3) -> relu -> conv(4, 3)", "", "stem 1 2"),
        ("conv(4, 3) -> stem: { conv(4, 3) -> a: relu -> conv(4, 3) } -> conv(4, 3)", "", "0 stem.0 stem.a stem.2 2"),
        ("a: { b: { c: { conv(1, 1) } } }", "", "a.b.c.0"),
        ("conv(4, 1) -> { relu -> a: conv(4, 1) } -> conv(4, 1)", "", "0 1 a 3"),
        ("add { | conv(3, 1) -> relu | a: conv(3, 1) | } -> conv(4, 1) -> add { | conv(4, 1) | }", "", "0 1 a add 3 4 add-2"),
        ("m: add { | conv(3, 1) -> relu | a: conv(3, 1) | } -> conv(4, 1)", "", "m.0 m.1 m.a m.add 1"),
        ("residual { conv(3, 1) } -> residual { a: { conv(3, 1) } } -> conv(1, 1)", "", "0 add a.0 add-2 2"),
        ("if true { conv(4, 1) } else { a: conv(4, 1) }\nconv(4, 1)", "", "0 1"),
        ("if false { conv(4, 1) } else { a: conv(4, 1) }\nconv(4, 1)", "", "a 1"),
        ("for i in [1, 2] { conv(i, 1) -> \"c{i}\": conv(4, 1) }", "", "0 c1 2 c2"),
        ("repeat 2 { relu }\nconv(4, 1)", "", "0 1 2"),
        ("b(4) -> s: b(4) -> conv(4, 1) -> r: { b(4) -> b(4) }", BLOCK, "0.0 0.c s.0 s.c 2 r.0.0 r.0.c r.1.0 r.1.c"),
        ("b(4) -> relu", NESTED, "0.0.0 0.d.0 1"),
        ("\"conv\": conv(4, 1) -> \"relu{1 + 1}\": relu -> concat(image)", "", "conv relu2 concat"),
        ("frozen { conv(4, 1) } -> a: frozen { conv(4, 1) } -> frozen conv(4, 1)", "", "0 a.0 2"),
        ("relu -> j: concat(image) -> conv(1, 1) -> concat(image)", "", "0 j 2 concat"),
        ("preprocess { scale(2) -> normalize(0.5) } -> conv(1, 1)", "", "preprocess.0 preprocess.1 0"),
        ("repeat 2 { add { | relu | relu } }", "", "0 1 add 2 3 add-2"),
        ("a: { repeat 2 { add { | relu | relu } } }", "", "a.0 a.1 a.add a.2 a.3 a.add-2"),
    ],
)  # fmt: skip
def test_paths(body: str, before: str, wanted: str) -> None:
    assert paths(body, before) == wanted.split()


def test_keys_are_paths_and_torch_names() -> None:
    made = graph("stem: { conv(4, 3, bias=false) -> norm: bn -> relu }\nflatten -> head: linear(2)")
    assert [key for key, _, _ in made.weights()] == [
        "stem.0.weight", "stem.norm.weight", "stem.norm.bias", "stem.norm.running_mean", "stem.norm.running_var",
        "stem.norm.num_batches_tracked", "head.weight", "head.bias",
    ]  # fmt: skip


def test_paths_are_unique() -> None:
    body = "\n".join(["b(4)", "r: { b(4) -> add { | relu | relu } }", "add { | relu | tanh }", "repeat 3 { residual { conv(4, 1) } }"])
    found = paths(body, BLOCK)
    assert len(found) == len(set(found))


def test_labels_name_what_flows_out() -> None:
    made = graph("s: { conv(4, 3) -> low: relu -> conv(5, 3) }\nt: b(6)\nconcat { | u: conv(7, 1) | }", BLOCK)
    outputs = {path: made.nodes[node].output[0] for path, node in made.labels.items()}
    assert outputs == {"image": 3, "s.low": 4, "s": 5, "t.c": 6, "t": 6, "u": 7}


def test_a_label_in_quotes_may_be_a_layers_name_and_be_read() -> None:
    made = graph('s: { "conv": conv(4, 1) -> relu }\nconcat(s.conv)')
    assert made.nodes[-1].output[0] == 8


def test_an_official_path() -> None:
    from netspec.compiler import load
    from netspec.resources import folder

    keys = {key for key, _, _ in load(folder("specs") / "resnet50.net").weights()}
    assert {"conv1.weight", "layer1.0.conv1.weight", "layer1.0.downsample.1.running_var", "layer4.2.bn3.bias", "fc.bias"} <= keys
    assert len(keys) == 320


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ('"add": conv(3, 1)\nresidual { conv(3, 1) }', "add 1 add-2"),
        ('s: { "concat": relu -> concat(image) -> concat(image) }', "s.concat s.concat-2 s.concat-3"),
        ("preprocess: conv(3, 1)\nb: input(3x16x16)\npreprocess { scale(2) } -> add(preprocess)", "preprocess preprocess-2.0 add"),
    ],
)  # fmt: skip
def test_what_has_no_label_leaves_labels_their_paths(body: str, wanted: str) -> None:
    assert paths(body) == wanted.split()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('image: input(3x8x8)\nresidual { conv(3, 1) }\n"add": conv(3, 1)', "add"),
        ("image: input(3x8x8)\npreprocess { scale(1/255) }\npreprocess: { conv(3, 1) }", "preprocess"),
        ("image: input(3x8x8)\npreprocess { scale(1/255) }\npreprocess: conv(3, 1)", "preprocess"),
        ("input(3x8x8)\ninput: conv(4, 1)", "input"),
    ],
)
def test_a_label_is_refused_where_something_without_one_has_its_path(text: str, name: str) -> None:
    (found,) = diagnose(Source("a.net", f"net A {{ {text} }}"))
    assert (found.code, found.message) == ("N304", f"the path `{name}` is defined twice")


def test_an_input_that_is_preprocessed_goes_by_its_name() -> None:
    text = """net A {
        left: input(1x4x4)
        right: input(1x4x4)
        right -> preprocess { scale(1/255) }
        left -> add(right) }"""
    graph = compile_source(Source("a.net", text))[0]
    assert [n.layer for n in graph.layers] == ["scale", "add"]
    assert graph.layers[1].inputs == (0, graph.layers[0].index)
