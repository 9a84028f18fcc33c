"""Parts of nets used as blocks: found by labels and numbers, sliced as an `nn.Sequential` is, and written out on what flows in."""

from __future__ import annotations

import time

import pytest

from netspec.compiler import Limits, compile_source, diagnose, load
from netspec.diagnostics import NetspecError
from netspec.diagnostics.render import render
from netspec.graph import Graph, Node
from netspec.resources import folder
from netspec.source import Source
from netspec.syntax import ast
from netspec.syntax.parser import parse
from tests.errors.text import codes, marked, only

SPECS = folder("specs")
NET = """
block unit(width, stride = 1) {
    a: conv(width, 3, stride=stride, padding=1) -> bn
    residual { b: conv(width, 1) }
}
net N(width = 4, depths = [1, 2]) {
    image: input(3x16x16)
    features: { stem: conv(width, 3) -> relu -> conv(width, 3) -> relu -> last: conv(width, 3) -> relu }
    for i in range(len(depths)) {
        "stage{i + 1}": { repeat(depths[i]) { unit(width * 2 ** i, stride=1 + i) } }
    }
    join: concat { | conv(2, 1) | side: { conv(3, 1) -> relu } }
    global_avgpool -> flatten -> head: linear(10)
}
"""


def text(body: str, more: str = NET, shape: str = "3x20x20") -> str:
    return f"net A {{ image: input({shape})\n{body}\n}}\n{more}"


def graph(body: str, more: str = NET, shape: str = "3x20x20") -> Graph:
    return compile_source(Source("a.net", text(body, more, shape)))[0]


def owners(made: Graph) -> list[str]:
    """The paths of layers with weights."""
    return [n.path for n in made.owners if n.facts.weights]


# ---- every labelled part of every spec


def parts_of(made: Graph) -> dict[str, tuple[list[Node], Node]]:
    """The labelled parts of a net: the nodes of each, and the one node that feeds it, where there is one."""
    found = {}
    for path, last in made.labels.items():
        numbers = {n.index for n in made.nodes if n.path == path or n.path.startswith(f"{path}.")} & needed(made, last)
        inside = [made.nodes[i] for i in sorted(numbers)]
        fed = {i for n in inside for i in n.inputs} - numbers
        if inside and last in numbers and len(fed) == 1 and all(n.role == "layer" for n in inside):
            found[path] = (inside, made.nodes[fed.pop()])
    return found


def needed(made: Graph, last: int) -> set[int]:
    """The nodes that lead to one."""
    found = {last}
    for node in made.nodes[last::-1]:
        if node.index in found:
            found.update(node.inputs)
    return found


def reference(path: str) -> str:
    """A path as it is written: numbers in brackets."""
    return "".join(f"[{p}]" if p.isdigit() else f".{p}" for p in path.split("."))


def nets_of(spec: str) -> list[str]:
    """A few nets of a file that can be compiled without a setting: one from each kind of family is enough."""
    file, _ = parse(Source(spec, (SPECS / f"{spec}.net").read_text("utf-8")))
    nets = [item for item in file.items if isinstance(item, ast.Net | ast.NetAlias)]
    ready = [net.name for net in nets if isinstance(net, ast.NetAlias) or all(p.default is not None for p in net.parameters)]
    return [ready[0], ready[-1]] if len(ready) > 1 else ready


@pytest.mark.parametrize("spec", sorted(path.stem for path in SPECS.glob("*.net")))
def test_a_part_on_the_shape_that_reaches_it_is_what_it_is_in_its_net(spec: str) -> None:
    tried = 0
    for name in nets_of(spec):
        own = load(SPECS / f"{spec}.net", net=name)
        if own.sizes is not None or len(own.owners) < len(own.nodes):
            return  # it has open sizes, or shared weights, which have a path of their own
        for path, (inside, feeding) in parts_of(own).items():
            shape = "x".join(map(str, feeding.output))
            use = f'use {name} from "netspec:{spec}"\nnet A {{ image: input({shape})\nother: {name}{reference(path)}\n}}'
            said = diagnose(Source("a.net", use))
            if said and {d.code for d in said} <= {"N324", "N101"}:
                continue  # it uses a tensor of the net around it, or is called by a word of the language, as "block"
            assert said == (), f"{name}{reference(path)}: {render(said)}"
            (used,) = compile_source(Source("a.net", use))
            there = [("other" + n.path[len(path) :], n.facts.output, n.facts.weights, n.facts.macs) for n in inside]
            assert [(n.path, n.facts.output, n.facts.weights, n.facts.macs) for n in used.layers] == there, path
            tried += 1
    assert tried or len(own.labels) < 3


# ---- what is found


@pytest.mark.parametrize(
    ("part", "wanted"),
    [
        ("features", "p.stem p.2 p.last"),
        ("features.stem", "p"),
        ("features.last", "p"),
        ("features[0]", "p"),
        ("features[2]", "p"),
        ("features[4]", "p"),
        ("features[-2]", "p"),
        ("features[2 * 2]", "p"),
        ("stage1", "p.0.a p.0.1 p.0.b"),
        ("stage2", "p.0.a p.0.1 p.0.b p.1.a p.1.1 p.1.b"),
        ("stage2[1]", "p.a p.1 p.b"),
        ("stage2[-2]", "p.a p.1 p.b"),
        ("stage2[1].a", "p"),
        ("stage2[1][1]", "p"),
        ("stage2[1][-1]", "p"),
        ("[1]", "p.0.a p.0.1 p.0.b"),
        ("[-1]", "p"),
        ("join", "p.0 p.side.0"),
        ("join.side", "p.0"),
        ("features[:]", "p.stem p.2 p.last"),
        ("features[:3]", "p.stem p.2"),
        ("features[1:5]", "p.2 p.last"),
        ("features[4:]", "p.last"),
        ("features[-2:]", "p.last"),
        ("features[:-2]", "p.stem p.2"),
        ("features[-4:-1]", "p.2 p.last"),
        ("features[2:99999999999999999999]", "p.2 p.last"),
        ("stage2[1:]", "p.1.a p.1.1 p.1.b"),
        ("stage2[:1]", "p.0.a p.0.1 p.0.b"),
    ],
)
def test_parts(part: str, wanted: str) -> None:
    dot = "" if part.startswith("[") else "."
    before = "global_avgpool -> flatten -> " if part == "[-1]" else ""
    made = graph(f"{before}p: N{dot}{part}")
    assert owners(made) == wanted.split()
    numbered = graph(f"{before}N{dot}{part}")
    first = "2" if before else "0"
    assert owners(numbered) == [p.replace("p", first, 1) for p in wanted.split()]
    assert [n.facts for n in numbered.layers] == [n.facts for n in made.layers]


def test_a_slice_is_what_slicing_a_sequential_gives() -> None:
    from torch import nn

    layers = [
        ("stem", nn.Conv2d(3, 4, 3)),
        ("1", nn.ReLU()),
        ("2", nn.Conv2d(4, 4, 3)),
        ("3", nn.ReLU()),
        ("last", nn.Conv2d(4, 4, 3)),
        ("5", nn.ReLU()),
    ]
    whole = nn.Sequential()
    for name, module in layers:
        whole.add_module(name, module)
    for start in (None, 0, 1, 2, -5, -3, -1):
        for stop in (None, 2, 5, 6, -1):
            sliced = whole[slice(start, stop)]
            if len(sliced) == 0:
                continue
            made = graph(f"p: N.features[{'' if start is None else start}:{'' if stop is None else stop}]", shape="4x20x20")
            assert [n.path for n in made.layers] == [f"p.{name}" for name, _ in sliced.named_children()]
            keys = {f"p.{key}": tuple(t.shape) for key, t in sliced.state_dict().items()}
            if start not in (None, 0):
                assert {key: weight.shape for key, weight, _ in made.weights()} == keys


def test_numbers_are_kept_in_a_slice() -> None:
    keys = [key for key, _, _ in load(SPECS / "vgg.net", net="VGG16").weights() if key.startswith("features.")]
    (made,) = compile_source(Source("a.net", 'use vgg16 from "netspec:vgg"\nnet A { image: input(3x180x180)\nvgg16.features[:17] }'))
    assert [key for key, _, _ in made.weights()] == [f"0.{k.removeprefix('features.')}" for k in keys if int(k.split(".")[1]) < 17]


def test_a_part_follows_what_flows_in() -> None:
    made = graph("conv(7, 1) -> p: N.features(width=9) -> N.stage2(width=5, depths=[0, 1])", shape="1x33x40")
    assert [n.output for n in made.layers][-1] == (10, 14, 17)
    assert made.nodes[2].facts.weights["weight"].shape == (9, 7, 3, 3)


def test_what_is_labelled_in_a_part_can_be_read() -> None:
    made = graph("p: N.features\np.stem -> relu -> conv(2, 5) -> concat(p)\n")
    assert made.nodes[-1].output == (6, 14, 14)
    assert {"p.stem", "p.last", "p"} <= made.labels.keys()
    assert codes(text("p: N.features[2:]\np.stem -> relu -> conv(2, 5) -> concat(p)")) == ["N307"]


def test_an_unlabelled_part_has_a_number_and_its_own_region() -> None:
    made = graph("relu -> N.features[1:4] -> N.stage1[0] -> conv(2, 1)")
    assert owners(made) == ["1.2", "2.a", "2.1", "2.b", "3"]
    assert [(r.kind, r.path, r.title) for r in made.regions[1:]] == [("block", "1", "N.features[1:4]"), ("block", "2", "unit(4)")]


def test_a_part_in_every_kind_of_place() -> None:
    body = """
    block two { for i in range(2) { "p{i}": N.features[2:4] } }
    net A { image: input(4x40x40)
        two -> residual { N.stage1 }
        concat { | N.features.stem | r: { N.features[0] -> frozen N.join.side[0] } }
        repeat(2) { N[0](3) }
        if true { f: frozen N.stage2[0] }
    }"""
    (made,) = compile_source(Source("a.net", body + NET))
    assert owners(made) == [
        "0.p0.2", "0.p1.2", "1.0.a", "1.0.1", "1.0.b", "2", "r.0", "r.1", "4.stem", "4.2", "4.last", "5.stem", "5.2", "5.last",
        "f.a", "f.1", "f.b",
    ]  # fmt: skip
    assert [n.path for n in made.nodes if n.frozen] == ["r.1", "f.a", "f.1", "f.b", "f.add"]


def test_parts_of_parts() -> None:
    more = (
        NET + "net B { image: input(3x16x16)\nbase: { in: N.features[1:5] -> N.stage1 } }\nnet C { image: input(3x16x16)\nrow: B.base.in }"
    )
    more = more.replace("in:", "low:").replace("base.in", "base.low")
    for use, wanted in (
        ("B.base", "p.low.2 p.low.last p.1.0.a p.1.0.1 p.1.0.b"),
        ("B.base.low", "p.2 p.last"),
        ("B.base[0]", "p.2 p.last"),
        ("B.base.low.last", "p"),
        ("B.base.low[2]", "p"),
        ("B.base.low[2:4]", "p.2"),
        ("B.base.low[:3]", "p.2"),
        ("B.base.low[-2:]", "p.last"),
        ("C.row", "p.2 p.last"),
        ("C.row[2:4]", "p.2"),
        ("B.base[1:][0].a", None),
        ("B.base[1][0].a", "p"),
    ):
        if wanted is None:
            assert codes(text(f"p: {use}", more)) == ["N327"]
        else:
            assert owners(graph(f"p: {use}", more)) == wanted.split(), use


def test_a_part_may_be_frozen_or_shared_where_it_stands() -> None:
    more = "shared block s { k: conv(3, 1) -> relu }\nnet M { image: input(3x4x4)\nf: frozen { conv(3, 1) }\na: s -> b: s }"
    made = graph("M.f -> M.a -> M.b -> s -> M.a.k -> p: M.b[:1]", more)
    assert owners(made) == ["0.0", "s.k", "4"]
    assert [n.path for n in made.layers if n.facts.weights] == ["0.0", "s.k", "s.k", "s.k", "4", "s.k"]
    assert [n.path for n in made.nodes if n.frozen] == ["0.0"]


def test_numbers_and_bounds_may_be_computed() -> None:
    for use in ("N.stage2[i]", "N.stage2[i:]", "N.stage2[len([0]):i + 1]", "N.stage2[x.channels - 2:]"):
        assert owners(graph(f"let i = 1\np: {use}"))[0].endswith("a")


# ---- what is not


@pytest.mark.parametrize(
    ("use", "code", "mark", "says"),
    [
        ("N.featurs", "N325", "N.featurs", "did you mean N.features?"),
        ("N.features.stm", "N325", "N.features.stm", "did you mean N.features.stem?"),
        ("N.stage3", "N325", "N.stage3", "did you mean N.stage"),
        ("N.zebra", "N325", "N.zebra", "labelled in the net are image, features, stage1, stage2, join and head"),
        ("N.stage1.zebra", "N325", "N.stage1.zebra", "nothing in `stage1` has a label; its steps have numbers"),
        ("N.features[6]", "N325", "N.features[6]", "`features` has 6 steps, numbered from 0"),
        ("N.features[-7]", "N325", "N.features[-7]", "`features` has 6 steps, numbered from 0"),
        ("N.stage2[2]", "N325", "N.stage2[2]", "`stage2` has 2 steps, numbered from 0"),
        ("N[9]", "N325", "N[9]", "the net has 7 steps, numbered from 0"),
        ("N.features.stem.low", "N325", "N.features.stem.low", "`features.stem` is one layer"),
        ("N.features.stem[0]", "N325", "N.features.stem[0]", "`features.stem` is one layer"),
        ("N.image", "N325", "N.image", "labelled in the net are"),
        ("N.width", "N325", "N.width", "labelled in the net are"),
        ("N.features.stem[:1]", "N327", "N.features.stem[:1]", "a slice takes whole steps"),
        ("N.join[:1]", "N327", "N.join[:1]", "a slice takes whole steps"),
        ("N[:3]", "N327", "N[:3]", "a slice takes whole steps"),
        ("N.features[:3][0]", "N327", ":3", "a slice takes whole steps"),
        ("N.features[3:3]", "N328", "N.features[3:3]", "write numbers from 0 to 6"),
        ("N.features[6:]", "N328", "N.features[6:]", "write numbers from 0 to 6"),
        ("N.features[4:2]", "N328", "N.features[4:2]", "write numbers from 0 to 6"),
        ("N.features[1.5]", "N401", "1.5", ""),
        ("N.features[:1.5]", "N401", "1.5", ""),
        ('N.features["stem"]', "N401", '"stem"', ""),
        ("N.features[true]", "N401", "true", ""),
        ("N.features[image]", "N401", "image", ""),
        ("N.features[foo]", "N303", "foo", ""),
        ("N.features[:foo]", "N303", "foo", ""),
        ("N.features[1 / 0]", "N502", "0", ""),
        ("N.features(widht=3)", "N402", "widht", "did you mean width?"),
        ("N.features(2, [1], 3)", "N403", "3", "its declaration is N(width, depths)"),
        ("unit.a", "N312", "unit.a", "use the block as a whole: unit"),
        ("unit[0]", "N312", "unit[0]", "use the block as a whole: unit"),
        ("M.features", "N301", "M.features", ""),
        ("image[1:]", "N327", "image[1:]", "a slice takes whole steps"),
    ],
)  # fmt: skip
def test_there_is_no_such_part(use: str, code: str, mark: str, says: str) -> None:
    said = only(text(f"relu\nconv(3, 1) -> p: {use}" if "image[" not in use else f"relu\n{use} -> relu"))
    assert (said.code, marked(said)) == (code, mark), render([said])
    assert says in (said.problem.help() or "")


OUTER = """
net O(n = 2) {
    image: input(3x16x16)
    let k = n + 1
    early: conv(3, 1)
    stem: { let m = x.channels
        a: conv(k, 1) -> relu -> b: conv(m, 1) -> add(early) -> conv(x.channels, 1) }
    wide: { p: conv(4, 1) -> q: conv(4, 1) -> add(p) }
    row: { p: conv(4, 1) -> q: conv(4, 1) -> last: concat(p) -> conv(early.channels, 1) }
    let both = [[early, 1], [stem, 2]]
    listed: { conv(1, 1) -> concat(both[1][0]) }
    bare: { let m = x.channels
        conv(k, 1) -> conv(m, 1) }
    after: conv(n, 1) -> concat(stem)
}
"""


@pytest.mark.parametrize(
    ("use", "name", "part"),
    [
        ("O.stem", "early", "O.stem"),
        ("O.row", "early", "O.row"),
        ("O.row[1:3]", "p", "O.row[1:3]"),
        ("O.row.last", "p", "O.row.last"),
        ("O.row[2]", "p", "O.row[2]"),
        ("O.row[3]", "early", "O.row[3]"),
        ("O.bare[1:]", "x", "O.bare[1:]"),
        ("O.listed", "both", "O.listed"),
    ],
)
def test_a_part_that_needs_what_lies_outside(use: str, name: str, part: str) -> None:
    (said, *more) = diagnose(Source("a.net", text(f"conv(3, 1) -> {use}", OUTER)))
    assert (said.code, marked(said)) == ("N324", name)
    assert said.message == f"`{part}` cannot be taken out of its net: it uses `{name}`, which lies outside of it"
    assert f"in {part}, used at a.net:2:15" in render([said])
    assert {d.code for d in more} <= {"N324", "N327"}


def test_open_sizes_of_the_net_that_a_part_is_of_are_nothing_to_the_net_around() -> None:
    more = """net Open { image: input(3xHxW)
        features: { if x.height > 100 { conv(4, 3) } else { conv(8, 3) }
            relu -> maxpool(2) } }"""
    assert graph("Open.features", more, "3x20x20").nodes[1].output == (8, 18, 18)
    made = graph("maxpool(4) -> Open.features", more, "3xHxW")
    assert made.sizes is not None
    assert [made.sizes.refusal({"H": h, "W": 20}) is None for h in (16, 20, 100, 403, 404, 500)] == [True, True, True, True, False, False]


def test_values_of_the_net_around_are_known_in_a_part() -> None:
    made = graph("O.stem.a(n=6) -> O.wide -> O.wide[0]", OUTER)
    assert [n.output[0] for n in made.layers] == [7, 4, 4, 4, 4]


@pytest.mark.parametrize("use", ["M.row[:2]", "M.row[1:]", "M.inner[1:3]", "M.b[:1]"])
def test_a_merge_without_a_label_has_no_position(use: str) -> None:
    more = "net M { image: input(3x4x4)\nrow: { relu -> residual { relu } -> relu }\ninner: { relu -> add { | | relu } -> relu }\nb: k }\n"
    said = only(text(use, more + "block k { relu -> concat { | | relu } -> relu }"))
    assert (said.code, "a merge without a label, is among its steps" in said.message) == ("N327", True)
    labelled = more.replace("residual", "m: residual").replace("add {", "m: add {")
    assert codes(text(use, labelled + "block k { relu -> m: concat { | | relu } -> relu }")) == []


def test_what_is_wrong_in_a_net_is_said_where_it_is() -> None:
    for wrong, code in (("linear(10)", "N401"), ("head: linear(0)", "N401"), ("rleu", "N301")):
        more = NET.replace("head: linear(10)", wrong.replace("linear(10)", "linear(-1)"))
        said = only(text("N.features -> N.stage1", more))
        assert said.code == code


def test_a_part_of_a_net_whose_file_could_not_be_read_is_no_second_mistake() -> None:
    assert codes(text("N.features -> relu", NET.replace("conv(width, 3)", "conv(width, 3", 1))) == ["N104"]


# ---- how much it may cost


def _seconds(source: str) -> tuple[float, list[str]]:
    began = time.process_time()
    said = diagnose(Source("a.net", source))
    return time.process_time() - began, [d.code for d in said]


def test_parts_of_parts_of_parts_do_not_double_the_work() -> None:
    nets = "net N0 { image: input(3x4x4)\nf: { relu } }\n"
    nets += "".join(f"net N{i} {{ image: input(3x4x4)\nf: {{ N{i - 1}.f }} }}\n" for i in range(1, 19))
    spent, said = _seconds(text("N18.f", nets))
    assert (said, spent < 3) == ([], True)


@pytest.mark.parametrize(
    ("inside", "code"),
    [("N{0}.f -> N{0}.f", "N510"), ("N{0}.f(2 * n) -> N{0}.f(2 * n + 1)", "N510"), ("repeat(2) {{ N{0}.f(n) }}", "N510")],
)
def test_doubling_parts(inside: str, code: str) -> None:
    nets = "net N0(n = 1) { image: input(3x4x4)\nf: { relu } }\n"
    nets += "".join(f"net N{i}(n = 1) {{ image: input(3x4x4)\nf: {{ {inside.format(i - 1)} }} }}\n" for i in range(1, 16))
    began = time.process_time()
    with pytest.raises(NetspecError) as caught:
        compile_source(Source("a.net", f"net A {{ image: input(3x4x4)\nN15.f }}\n{nets}"), limits=Limits(nodes=2_000))
    assert [d.code for d in caught.value.diagnostics] == [code]
    assert time.process_time() - began < 5


def test_a_long_chain_of_nets_is_too_deep() -> None:
    nets = "net N0 { image: input(3x4x4)\nf: { relu } }\n"
    nets += "".join(f"net N{i} {{ image: input(3x4x4)\nf: {{ N{i - 1}.f }} }}\n" for i in range(1, 2_000))
    spent, said = _seconds(text("N1999.f", nets))
    assert set(said) == {"N105"}
    assert spent < 20


def test_many_parts_of_one_large_net() -> None:
    large = "net L { image: input(3x4x4)\nf: { repeat(3000) { relu } } }"
    uses = "\n".join(f"L.f[{i}:{i + 2}]" for i in range(0, 20, 2))
    spent, said = _seconds(text(uses, large))
    assert (said, spent < 5) == ([], True)
