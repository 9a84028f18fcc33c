"""Shared blocks: one set of weights at the path of the name, counted once, stored once, and learning from every use."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.compiler import compile_source, diagnose, load
from netspec.diagnostics import Diagnostic
from netspec.diagnostics.render import render
from netspec.graph import Graph
from netspec.source import Source
from tests.errors.text import codes, marked, only, position

ENCODER = "shared block encoder(width = 4) { conv(width, 3) -> n: bn -> relu -> flatten -> linear(5) }\n"
PAIR = "net A {{ one: input(3x8x8)\nother: input(3x{0}x8)\n{1}\n}}\n"
SIAMESE = PAIR.format(8, "one -> a: encoder\nother -> encoder -> distance(a, kind=l1) -> same: linear(1)") + ENCODER


def graph(text: str) -> Graph:
    return compile_source(Source("a.net", text))[0]


def pair(body: str, height: int = 8, more: str = ENCODER) -> str:
    return PAIR.format(height, body) + more


def keys(made: Graph) -> list[str]:
    return [key for key, _, _ in made.weights()]


# ---- where the weights are


def test_the_weights_stand_once_at_the_name() -> None:
    made = graph(SIAMESE)
    assert keys(made) == [
        "encoder.0.weight", "encoder.0.bias", "encoder.n.weight", "encoder.n.bias", "encoder.n.running_mean", "encoder.n.running_var",
        "encoder.n.num_batches_tracked", "encoder.4.weight", "encoder.4.bias", "same.weight", "same.bias",
    ]  # fmt: skip
    assert made.parameters == 112 + 8 + 725 + 6
    assert made.macs == 2 * (4 * 27 * 36 + 720) + 5
    assert len([n for n in made.nodes if n.path == "encoder.0"]) == 2


@pytest.mark.parametrize(
    ("body", "more", "wanted"),
    [
        ("repeat(3) { s }", "shared block s { conv(3, 3, padding=1) -> relu }", "s.0"),
        ("relu -> s -> conv(3, 1) -> r: { s -> conv(3, 1) }", "shared block s { conv(3, 1) }", "s.0 2 r.1"),
        ("outer -> outer -> inner", "shared block inner { conv(3, 1) }\nshared block outer { inner -> k: conv(3, 1) }", "inner.0 outer.k"),
        ("outer -> outer", "block plain { conv(3, 1) }\nshared block outer { plain -> plain }", "outer.0.0 outer.1.0"),
        ("plain -> plain", "shared block s { conv(3, 1) }\nblock plain { s -> k: conv(3, 1) }", "s.0 0.k 1.k"),
        ("residual { s } -> residual { s }", "shared block s { residual { k: conv(3, 1) } -> dropout(0.5) }", "s.k"),
        ("relu -> s(image) -> s(image)", "shared block s(t) { concat(t) -> conv(3, 1) }", "s.0"),
        ("s -> maxpool(2) -> s", "shared block s { conv(3, 3, padding=1) }", "s.0"),
        ("s -> maxpool(2) -> s", "shared block s { conv(3, 1) -> if x.height < 6 { conv(3, 1) } }", "s.0 s.1"),
        ("a: s -> b: s\na.k -> concat(b.k)", "shared block s { k: conv(3, 1) -> relu }", None),
        ("B -> B", "net B { image: input(3x2x2)\ns -> s -> conv(3, 1) }\nshared block s { conv(3, 1) }", "0.s.0 0.2 1.s.0 1.2"),
        ("s -> p -> B -> s -> p", "net B { image: input(3x2x2)\np -> s }\nshared block s { conv(3, 1) }\nblock p { s }", "s.0 2.s.0"),
        ("B.f -> B.g -> s", "net B { image: input(3x2x2)\nf: s -> g: { s } }\nshared block s { conv(3, 1) }", "s.0"),
        ("s(4, 1) -> s(4, 1)", "shared block s(w, k) { conv(w, k) -> conv(3, k) }", "s.0 s.1"),
        ("s(4) -> s(width=4)", "shared block s(width) { conv(width, 1) -> conv(3, 1) }", "s.0 s.1"),
    ],
)  # fmt: skip
def test_paths(body: str, more: str, wanted: str | None) -> None:
    text = f"net A {{ image: input(3x8x8)\n{body}\n}}\n{more}"
    if wanted is None:
        assert codes(text) == ["N310"]  # what follows k in the second use is used by nothing
    else:
        assert [n.path for n in graph(text).owners if n.facts.weights] == wanted.split()


def test_each_use_can_be_labelled_and_read_into() -> None:
    made = graph(pair("one -> a: encoder\nother -> b: encoder\na.n -> flatten -> concat(a, b) -> linear(2)"))
    first, second = (i for i, n in enumerate(made.nodes) if n.path == "encoder.n")
    assert first < second
    assert made.labels["a"] != made.labels["b"]
    flat = next(n for n in made.nodes if n.layer == "flatten" and not n.path.startswith("encoder"))
    assert flat.inputs == (first,)


def test_a_used_net_shares_within_itself() -> None:
    more = ENCODER.replace("flatten -> linear(5)", "conv(3, 3, padding=1)")
    more += "net Twin { left: input(3x8x8)\nright: input(3x8x8)\nleft -> a: encoder\nright -> encoder -> add(a) }"
    made = graph(pair("one -> base: Twin(right=other)\none -> encoder -> k: conv(3, 1)\noutput(k, base)", more=more))
    assert {n.path.rpartition(".")[0] for n in made.owners if n.layer == "conv"} == {"base.encoder", "encoder", ""}
    assert len([n for n in made.nodes if n.path == "base.encoder.0"]) == 2


# ---- what the uses must agree on


def said(text: str) -> Diagnostic:
    found = only(text)
    assert (found.code, [r.text for r in found.related]) == ("N326", ["the first use"]), render([found])
    return found


OTHER_SHAPE, FREEZE_ALL = "bring the same shape to every use", "freeze every use of it, or none"


@pytest.mark.parametrize(
    ("body", "height", "path", "second", "first", "hint"),
    [
        ("one -> a: encoder\nother -> encoder(8)", 8, "encoder.0", "a `weight` of 8x3x3x3", "a `weight` of 4x3x3x3", OTHER_SHAPE),
        ("one -> a: encoder\nother -> encoder", 9, "encoder.4", "a `weight` of 5x168", "a `weight` of 5x144", OTHER_SHAPE),
        ("one -> a: frozen encoder\nother -> encoder", 8, "encoder.0", "to learn", "to be frozen", FREEZE_ALL),
        ("one -> a: encoder\nother -> frozen { encoder }", 8, "encoder.0", "to be frozen", "to learn", FREEZE_ALL),
    ],
)
def test_uses_that_differ(body: str, height: int, path: str, second: str, first: str, hint: str) -> None:
    found = said(pair(f"{body} -> concat(a)", height))
    assert found.message == f"the uses of a shared block have one set of weights, and `{path}` would need {second} here and {first} before"
    assert (found.problem.help() or "").startswith(hint)
    assert position(found)[0] == 4


@pytest.mark.parametrize(
    ("inside", "second", "first"),
    [
        ("if x.height > 6 { conv(3, 1) } else { relu }", "the layer relu", "the layer conv"),
        ("conv(3, 3, padding=1 if x.height > 6 else 0)", "conv(padding=0)", "conv(padding=1)"),
        ("conv(3, 1, bias=x.height > 6)", "no `bias`", "a `bias`"),
        ("if x.height > 6 { relu } else { tanh }", "the layer tanh", "the layer relu"),
        ("dropout(0.5 if x.height > 6 else 0.1)", "dropout(rate=0.1)", "dropout(rate=0.5)"),
    ],
)
def test_a_shared_block_that_is_another_at_another_size(inside: str, second: str, first: str) -> None:
    found = said(f"net A {{ image: input(3x8x8)\ns -> maxpool(2) -> s }}\nshared block s {{ {inside} }}")
    assert found.message.endswith(f"`s.0` would need {second} here and {first} before")


def test_a_shared_block_cannot_use_itself() -> None:
    assert only("net A { image: input(3x8x8)\ns }\nshared block s { relu -> s }").code == "N306"


# ---- names


@pytest.mark.parametrize(
    "body", ['"s": conv(3, 1) -> s', 's -> "s": conv(3, 1)', '"s": { conv(3, 1) } -> s', '"s": { relu -> s }',
             '"s": other -> s', 's -> "s": concat(image)'],
)  # fmt: skip
def test_a_label_cannot_stand_where_the_weights_of_a_shared_block_are(body: str) -> None:
    found = only(f"net A {{ image: input(3x8x8)\n{body} }}\nshared block s {{ conv(3, 1) }}\nblock other {{ conv(3, 1) }}")
    assert (found.code, found.message) == ("N304", "the path of weights `s` is defined twice")
    assert [(r.text, r.place.source.text[r.place.span.start : r.place.span.end]) for r in found.related] == [
        ("the shared block, whose weights are there", "s"),
    ]  # fmt: skip


@pytest.mark.parametrize("body", ["s: s -> s", "s: s -> s()", "relu -> s: s -> conv(3, 1) -> concat(s)"])
def test_a_use_may_be_called_as_the_block(body: str) -> None:
    assert "s.0" in [n.path for n in graph(f"net A {{ image: input(3x8x8)\n{body} }}\nshared block s {{ conv(3, 1) }}").owners]


def test_shared_blocks_of_two_files_with_one_name(tmp_path: Path) -> None:
    main = 'use one from "one.net"\nuse two from "two.net"\nnet A { image: input(3x4x4)\none -> two -> one }'
    for name in ("one", "two"):
        (tmp_path / f"{name}.net").write_text(f"block {name} {{ stem }}\nshared block stem {{ conv(3, 1) }}")
    (tmp_path / "main.net").write_text(main)
    (found,) = diagnose(Source("main.net", main, str(tmp_path)))
    assert (found.code, found.message) == ("N304", "the shared block `stem` is defined twice")
    assert sorted(Path(r.place.source.name).name for r in found.related) == ["one.net", "two.net"]


def test_a_shared_block_of_a_used_file(tmp_path: Path) -> None:
    (tmp_path / "s.net").write_text("shared block stem { conv(3, 1) }\nnet N { image: input(3x2x2)\nstem -> head: conv(3, 1) }")
    text = 'use stem from "s.net"\nuse n from "s.net"\nnet A { image: input(3x4x4)\nstem -> n -> n }'
    (tmp_path / "main.net").write_text(text)
    assert [n.path for n in load(tmp_path / "main.net").owners if n.facts.weights] == ["stem.0", "1.stem.0", "1.head", "2.stem.0", "2.head"]


# ---- weights from files


def test_weights_of_a_shared_block_are_asked_for_once() -> None:
    one, two = 'encoder(weights="a.pth")', 'encoder(weights="b.pth")'
    for uses in ((one, "encoder"), ("encoder", one), (one, one)):
        (asked,) = graph(pair(f"one -> a: {uses[0]}\nother -> {uses[1]} -> concat(a)")).pretrained
        assert (asked.path, asked.origin, asked.file, asked.order) == ("encoder", "", "a.pth", False)
    found = said(pair(f"one -> a: {one}\nother -> {two} -> concat(a)"))
    assert marked(found) == '"b.pth"'
    assert found.message.endswith('`encoder` would need those of "b.pth" here and those of "a.pth" before')


# ---- what they compute


def test_the_gradient_is_the_sum_over_the_uses() -> None:
    import torch

    from netspec.backends.torch import build

    made = graph(SIAMESE.replace("n: bn", "n: tanh"))
    net = build(made)
    state = net.state_dict()
    assert sorted(state) == sorted(keys(made))
    assert sum(p.numel() for p in net.parameters()) == made.parameters
    apart = {f"{side}.{key}": value.clone().requires_grad_() for side in ("one", "other") for key, value in state.items()}
    one, other = torch.rand(3, 3, 8, 8), torch.rand(3, 3, 8, 8)

    def encoded(side: str, x: torch.Tensor) -> torch.Tensor:
        w = {key.removeprefix(f"{side}.encoder."): value for key, value in apart.items() if key.startswith(side)}
        x = torch.relu(torch.tanh(torch.nn.functional.conv2d(x, w["0.weight"], w["0.bias"]))).flatten(1)
        return torch.nn.functional.linear(x, w["4.weight"], w["4.bias"])

    difference = (encoded("other", other) - encoded("one", one)).abs()
    expected = torch.nn.functional.linear(difference, state["same.weight"], state["same.bias"])
    found = net(one, other)
    assert torch.allclose(found, expected, atol=1e-6)
    found.sum().backward()
    expected.sum().backward()
    for key, parameter in net.named_parameters():
        if key.startswith("encoder."):
            total = sum(apart[f"{side}.{key}"].grad for side in ("one", "other"))  # type: ignore[misc]
            assert torch.allclose(parameter.grad, total, atol=1e-5), key


def test_the_file_holds_them_once(tmp_path: Path) -> None:
    import numpy as np
    import torch
    from onnx import numpy_helper

    from netspec.backends.onnx import export, open_session, to_model
    from netspec.backends.torch import build

    made = graph(SIAMESE)
    net = build(made).eval()
    state = {key: value.numpy() for key, value in net.state_dict().items()}
    model = to_model(made, state)
    held = [numpy_helper.to_array(t) for t in model.graph.initializer]
    assert sum(a.size for a in held if a.dtype == np.float32) == sum(v.size for k, v in state.items() if not k.endswith("tracked"))
    assert sum(node.op_type == "Conv" for node in model.graph.node) == 2
    export(made, state, tmp_path / "pair.onnx")
    one, other = (np.random.default_rng(i).random((4, 3, 8, 8), np.float32) for i in (0, 1))
    (found,) = open_session(tmp_path / "pair.onnx").run(None, {"one": one, "other": other})
    with torch.no_grad():
        np.testing.assert_allclose(found, net(torch.from_numpy(one), torch.from_numpy(other)).numpy(), atol=1e-5)
