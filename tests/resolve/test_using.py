"""Nets used as blocks: what flows in stands for their input, their parameters are arguments, and what nobody takes of them is left out."""

from __future__ import annotations

import pytest

from netspec.compiler import compile_source, load
from netspec.diagnostics.render import render
from netspec.graph import Graph
from netspec.resources import folder
from netspec.source import Source
from netspec.syntax import ast
from netspec.syntax.parser import parse
from tests.errors.text import found, marked, only, position

SPECS = folder("specs")
ENCODER = """
net Encoder(width = 4, depth = 1) {
    image: input(3x16x16)
    preprocess { scale(1/255) }
    features: { repeat(depth) { conv(width, 3) -> relu } }
    global_avgpool -> flatten -> head: linear(10)
}
"""
TWO = """
net Two(width = 4) {
    left: input(3x16x16)
    preprocess { scale(1/255) }
    conv(width, 3) -> a: relu
    right: input(3x16x16)
    preprocess { scale(1/255) }
    conv(width, 3) -> add(a) -> both: { global_avgpool -> flatten }
    linear(2) -> p: relu
    both -> q: linear(3)
    output(p, q)
}
"""
PAIR = "one: input(3x20x20)\nother: input(3x20x20)"


def text(body: str, more: str = ENCODER, inputs: str = "image: input(3x20x20)") -> str:
    return f"net A {{ {inputs}\n{body}\n}}\n{more}"


def graph(body: str, more: str = ENCODER, inputs: str = "image: input(3x20x20)") -> Graph:
    return compile_source(Source("a.net", text(body, more, inputs)))[0]


def keys(made: Graph) -> list[str]:
    return [key for key, _, _ in made.weights()]


def owners(made: Graph) -> list[str]:
    """The paths of layers with weights."""
    return [n.path for n in made.owners if n.facts.weights]


# ---- a net by itself and as a block


def nets_of(spec: str) -> list[str]:
    """The nets of a file that can be compiled without a setting."""
    file, _ = parse(Source(spec, (SPECS / f"{spec}.net").read_text("utf-8")))
    nets = [item for item in file.items if isinstance(item, ast.Net | ast.NetAlias)]
    return [net.name for net in nets if isinstance(net, ast.NetAlias) or all(p.default is not None for p in net.parameters)]


@pytest.mark.parametrize("spec", sorted(path.stem for path in SPECS.glob("*.net")))
def test_a_net_as_a_block_has_its_own_state_dict_under_a_prefix(spec: str) -> None:
    for name in nets_of(spec):
        own = load(SPECS / f"{spec}.net", net=name)
        if own.sizes is not None or len(own.inputs) > 1:
            continue  # with open sizes or several inputs
        shape = "x".join(map(str, own.inputs[0].output))
        (used,) = compile_source(Source("a.net", f'use {name} from "netspec:{spec}"\nnet A {{ image: input({shape})\nbase: {name} }}'))
        taken = [own.nodes[i] for i in sorted(_needed(own)) if own.nodes[i].role == "layer"]
        assert [(n.path, n.facts) for n in used.layers] == [(f"base.{n.path}", n.facts) for n in taken], name


def _needed(made: Graph) -> set[int]:
    """The nodes that the first output needs."""
    needed = {made.outputs[0].node}
    for node in reversed(made.nodes):
        if node.index in needed:
            needed.update(node.inputs)
    return needed


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("Encoder", "0.features.0 0.head"),
        ("base: Encoder", "base.features.0 base.head"),
        ("relu -> Encoder -> linear(3)", "1.features.0 1.head 2"),
        ("base: { conv(3, 1) -> Encoder }", "base.0 base.1.features.0 base.1.head"),
        ("concat { | Encoder | Encoder(8) }", "0.features.0 0.head 1.features.0 1.head"),
        ("repeat 2 { conv(3, 1) -> b -> conv(3, 1) }", "0 1.e.0 1.e.2 2 3 4.e.0 4.e.2 5"),
        ("for d in range(1, 3) { \"e{d}\": Encoder.features(depth=d) }", "e1.0 e2.0 e2.2"),
        ("b -> Encoder(8)", "0.e.0 0.e.2 1.features.0 1.head"),
    ],
)  # fmt: skip
def test_paths(body: str, wanted: str) -> None:
    assert owners(graph(body, ENCODER + "block b { e: Encoder.features(depth=2) }")) == wanted.split()


def test_what_flows_in_stands_for_the_input() -> None:
    made = graph("conv(7, 5) -> base: Encoder", inputs="photo: input(1x30x40)")
    assert [n.path for n in made.inputs] == ["photo"]
    assert made.nodes[2].output == (4, 24, 34)
    assert made.labels["base.image"] == 1
    assert not [n for n in made.nodes if n.role == "preprocess"]


def test_parameters_are_arguments() -> None:
    assert graph("Encoder(8, 2)").parameters == graph("Encoder(depth=2, width=8)").parameters == 224 + 584 + 90
    said = only(text("Encoder(8, 2, 3)"))
    assert (said.code, said.problem.help()) == ("N403", "its declaration is Encoder(width, depth)")
    said = only(text("Encoder(widht=8)"))
    assert (said.code, said.problem.help()) == ("N402", "did you mean width?")


def test_a_parameter_without_a_default_has_to_be_given() -> None:
    needy = ENCODER.replace("width = 4", "width")
    for use in ("Encoder", "Encoder.features", "Encoder(depth=3)"):
        said = only(text(use, needy + "net Fine = Encoder(3)"))
        assert (said.code, said.message.split("`")[2], marked(said)) == ("N404", " needs width", use)
    fine = needy + "net Fine = Encoder(3)"
    assert graph("Fine", fine).parameters == graph("Encoder(3)", fine).parameters == 84 + 40


def test_words_may_be_passed_on() -> None:
    more = "net P(how = valid) { image: input(3x8x8)\nconv(4, 3, padding=how) }\nnet Q = P(how=same)"
    assert [graph(use, more).nodes[-1].output for use in ("P", "P(same)", "Q", "Q(valid)")] == [
        (4, 18, 18), (4, 20, 20), (4, 20, 20), (4, 18, 18),
    ]  # fmt: skip


@pytest.mark.parametrize(("use", "width", "depth"), [("B", 8, 1), ("C", 8, 3), ("C(depth=0)", 8, 0), ("C(2)", 2, 3)])
def test_the_nearest_value_of_a_parameter_counts(use: str, width: int, depth: int) -> None:
    more = ENCODER + "net B = Encoder(width=8)\nnet C = B(depth=3)"
    assert keys(graph(use, more)) == keys(graph(f"Encoder({width}, {depth})"))
    assert graph(use, more).parameters == graph(f"Encoder({width}, {depth})").parameters


def test_parameters_from_outside_reach_used_nets_through_those_of_the_net() -> None:
    source = Source("a.net", f"net A(w = 4) {{ image: input(3x20x20)\nbase: Encoder.features(w) }}\n{ENCODER}")
    for settings in ({"w": "6"}, {"w": "3 * 2"}):
        assert compile_source(source, settings=settings)[0].nodes[-1].output == (6, 18, 18)


def test_defaults_are_evaluated_where_they_stand() -> None:
    more = "net P(a = 2, b = a * 3) { image: input(3x8x8)\nconv(b, 1) }\nnet Q = P(a=4)"
    assert [graph(use, more).nodes[-1].output[0] for use in ("P", "P(5)", "Q", "Q(b=1)")] == [6, 15, 12, 1]
    said = only("net A { let a = 9\nimage: input(3x8x8)\nP }\nnet P(b = c) { image: input(3x8x8)\nconv(b, 1) }\n")
    assert (said.code, marked(said)) == ("N303", "c")


# ---- several inputs and outputs


def test_inputs_beside_the_first_are_named_tensors() -> None:
    made = graph("one -> base: Two(right=other, width=8)", TWO, PAIR)
    assert owners(made) == ["base.0", "base.2", "base.4"]
    add = next(n for n in made.nodes if n.layer == "add")
    assert {made.nodes[i].inputs[0] for i in (add.inputs[0], made.nodes[add.inputs[1]].inputs[0])} == {0, 1}


@pytest.mark.parametrize(
    ("use", "code", "mark", "hint"),
    [
        ("Two", "N404", "Two", "write Two(width, right=…)"),
        ("Two(8, other)", "N403", "other", "its declaration is Two(width, right=…)"),
        ("Two(right=3)", "N401", "3", None),
        ("Two(left=other, right=other)", "N402", "left", "it takes width and right"),
        ("Two(right=othr)", "N303", "othr", "did you mean other?"),
    ],
)
def test_inputs_that_are_missing_or_wrong(use: str, code: str, mark: str, hint: str | None) -> None:
    said = [d for d in found(text(f"one -> base: {use} -> concat(other) {{ | }}", TWO, PAIR)) if d.code != "N310"]
    assert [(d.code, marked(d), d.problem.help()) for d in said[:1]] == [(code, mark, hint)]


def test_inputs_that_a_net_has_only_sometimes() -> None:
    more = "net Some(two = true) { a: input(3x4x4)\nrelu\nif two { b: input(3x4x4)\nadd(a) } }"
    assert len(graph("one -> Some(right)", more.replace("two", "right"), "one: input(3x4x4)\nlet right = false").nodes) == 2
    assert [n.layer for n in graph("one -> relu -> Some(b=other) -> add(one)", more.replace("relu\n", ""), PAIR).layers][-1] == "add"


def test_the_first_output_flows_on_and_the_others_are_labelled_inside() -> None:
    made = graph("one -> base: Two(right=other)\nbase.q -> relu -> concat(base)", TWO, PAIR)
    assert made.nodes[-1].output == (5,)
    assert [o.name for o in graph("one -> base: Two(right=other)\noutput(base, base.q)", TWO, PAIR).outputs] == ["base", "base_q"]


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("one -> base: Two(right=other)", "base.0 base.2 base.4"),
        ("one -> base: Two(right=other)\nbase.q -> relu", "base.0 base.2 base.q"),
        ("one -> base: Two(right=other)\nbase.both -> linear(7)", "base.0 base.2 1"),
        ("one -> base: Two(right=other)\nbase.a -> conv(3, 1) -> flatten -> concat(base.q)", "base.0 base.2 base.q 1"),
    ],
)
def test_heads_that_nobody_takes_are_left_out(body: str, kept: str) -> None:
    made = graph(body, TWO, PAIR)
    assert owners(made) == kept.split()
    assert sorted(i for n in made.nodes for i in n.inputs if i >= n.index) == []
    assert all(made.nodes[i].path for i in made.labels.values())
    assert [n.index for n in made.nodes] == list(range(len(made.nodes)))


def test_a_head_that_the_net_itself_leaves_lying_is_its_own_mistake() -> None:
    bad = ENCODER.replace("global_avgpool ->", "conv(5, 1)\nfeatures -> global_avgpool ->")
    assert only(text("relu", bad)).code == "N310"


@pytest.mark.parametrize("body", ["e: Encoder\ne.image -> relu", "one: relu\nb: { e: Encoder }\none -> relu"])
def test_a_net_of_which_nothing_is_used_is_a_mistake(body: str) -> None:
    said = only(text(body))
    assert (said.code, said.message, marked(said)) == ("N310", "nothing uses the result of `Encoder`", "Encoder")


def test_auxiliary_outputs_of_a_used_net_are_left_out() -> None:
    more = ENCODER.replace("global_avgpool", "aux: conv(2, 1)\nauxiliary(aux)\nfeatures -> global_avgpool")
    assert owners(graph("Encoder", more)) == ["0.features.0", "0.head"]
    made = graph("base: Encoder\nauxiliary(base.aux, weight=0.5)\nbase", more)
    assert [(o.name, o.weight) for o in made.auxiliary] == [("base_aux", 0.5)]


# ---- frozen, preprocess, and where a net cannot stand


def test_a_frozen_use_is_frozen_all_through() -> None:
    made = graph("base: frozen Encoder -> linear(3)")
    assert {n.path: n.frozen for n in made.owners if n.facts.weights} == {"base.features.0": True, "base.head": True, "1": False}
    assert made.trainable == 33
    inner = graph("frozen { relu -> Encoder.features }\nbase: Encoder.features", ENCODER.replace("features: {", "features: frozen {"))
    assert all(n.frozen for n in inner.layers)


@pytest.mark.parametrize(
    ("body", "code", "mark"),
    [
        ("preprocess { Encoder }\nrelu", "N312", "Encoder"),
        ("preprocess { Encoder.features }\nrelu", "N312", "Encoder.features"),
        ("Encoder { relu }", "N406", "{ relu }"),
        ("Encoder.features { relu }", "N406", "{ relu }"),
        ("A", "N306", "A"),
        ("f: { A.f } -> relu", "N306", "A.f"),
        ("f: relu\nA.f", "N306", "A.f"),
        ("concat(Encoder)", "N303", "Encoder"),
    ],
)
def test_a_net_cannot_stand_here(body: str, code: str, mark: str) -> None:
    said = only(text(body))
    assert (said.code, marked(said)) == (code, mark)


@pytest.mark.parametrize("use", ["Encoder", "Encoder.features", "base: Encoder(8)"])
def test_something_has_to_flow_in(use: str) -> None:
    said = only(f"net A {{\n{use}\nimage: input(3x8x8)\n}}{ENCODER}")
    assert (said.code, position(said)[0]) == ("N309", 2)


def test_nets_that_use_one_another_are_one_mistake() -> None:
    for body in ("B", "B.f", "B(3)"):
        more = "net B(n = 1) { image: input(3x8x8)\nf: { C } }\nnet C { image: input(3x8x8)\nA }"
        said = only(text(body, more))
        assert (said.code, said.message, position(said)) == ("N306", "net `A` uses itself: A -> B -> C -> A", (2, 1))


def test_a_net_may_use_another_that_is_made_from_the_same_one() -> None:
    more = "net B(n, inner = false) { image: input(3x8x8)\nconv(n, 1) -> if inner { relu } }\nnet C = B(2)\nnet D = B(3)"
    assert graph("C -> D", more).parameters == 8 + 9


# ---- mistakes inside of used nets


def test_a_mistake_in_a_used_net_has_its_place_and_the_way_to_it() -> None:
    said = only(f'use vgg16 from "netspec:vgg"\n{text("vgg16.features", "", "image: input(3x20x20)")}')
    shown = render([said])
    assert (said.code, "--> netspec:vgg:" in shown) == ("N201", True)
    assert "= note: in vgg16.features, used at a.net:3:1" in shown


def test_a_mistake_of_a_net_that_is_in_the_file_is_said_once() -> None:
    wrong = ENCODER.replace("relu", "rleu")
    for body in ("Encoder -> relu", "Encoder.features -> Encoder.features", "a: Encoder.head\nb: Encoder.head"):
        assert [d.code for d in found(text(body, wrong))] == ["N301"]


def test_names_of_the_user_mean_nothing_inside() -> None:
    said = only(text("width1: relu\nlet extra = 3\nEncoder", ENCODER.replace("conv(width, 3)", "conv(extra, 3)")))
    assert (said.code, marked(said), said.message) == ("N303", "extra", "there is no value or tensor named `extra` here")


# ---- names


@pytest.mark.parametrize(("name", "what"), [("Encoder", "net"), ("step", "block"), ("A", "net")])
def test_a_label_may_be_called_as_a_net_or_block_where_that_can_be_told_apart(name: str, what: str) -> None:
    more = f"{ENCODER}block step(n = 3) {{ conv(n, 1) }}"
    clear = f"{name}: conv(3, 1) -> relu -> concat({name})"
    assert graph(clear, more).labels[name] == 1
    if name == "step":
        assert [n.layer for n in graph(f"{clear}\nstep(3) -> relu -> step", more).layers][3:] == ["conv", "relu", "conv"]
    said = next(d for d in found(text(f"{clear}\n{name} -> relu", more)) if d.code == "N312")
    assert (marked(said), said.message) == (name, f"`{name}` is a label and a {what}, and a chain could begin with either")


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ("net conv { image: input(3x2x2)\nrelu }", "conv"),
        ("block residual { relu }", "residual"),
        ("net auxiliary = Encoder()", "auxiliary"),
    ],
)
def test_a_net_or_block_with_the_name_of_a_step_is_refused(item: str, name: str) -> None:
    said = only(text("relu", ENCODER + item))
    assert (said.code, marked(said)) == ("N305", name)


def test_parameters_called_weights_are_the_nets_own() -> None:
    more = "block b(weights, map = 1) { conv(weights, map) }\nnet N(weights = 5) { image: input(3x4x4)\nmap: conv(weights, 1) }"
    made = graph("b(4) -> b(weights=6, map=3) -> N(weights=7)", more)
    assert [n.output[0] for n in made.layers] == [4, 6, 7]
    assert made.pretrained == ()
