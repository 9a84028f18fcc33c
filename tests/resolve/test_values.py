"""What names mean: parameters, lets, loops, tensors and their sizes."""

from __future__ import annotations

import pytest

from netspec.compiler import compile_source, load
from netspec.diagnostics import NetspecError
from netspec.graph import Graph
from netspec.resources import folder
from netspec.source import Source
from netspec.values import show

SPECS = folder("specs")


def graph(body: str, before: str = "", head: str = "", **parameters: object) -> Graph:
    text = f"{before}\nnet A{head} {{ image: input(3x16x16)\n{body}\n}}"
    return compile_source(Source("a.net", text), **parameters)[0]


def shapes(body: str, before: str = "", head: str = "", **parameters: object) -> list[tuple[int, ...]]:
    return [n.output for n in graph(body, before, head, **parameters).layers]


@pytest.mark.parametrize(
    ("body", "before", "last"),
    [
        ("conv(2 * x.channels, 3)", "", (6, 14, 14)),
        ("conv(8, x.height - x.width + 3)", "", (8, 14, 14)),
        ("conv(x.shape[0] + len(x.shape), 1)", "", (6, 16, 16)),
        ("conv(8, 3) -> conv(image.channels, 1)", "", (3, 14, 14)),
        ("stem: conv(8, 3)\nrelu -> conv(stem.channels // 2, 1)", "", (4, 14, 14)),
        ("flatten -> linear(x.channels // 2)", "", (384,)),
        ("let c = x.channels\nconv(8, 3) -> conv(c, 1)", "", (3, 14, 14)),
        ("let c = 2\nlet c = c + 3\nconv(c, 1)", "", (5, 16, 16)),
        ("let c = 2\nif true { let c = 7\nconv(c, 1) }\nconv(c, 1)", "", (2, 16, 16)),
        ("for w in [4, 8] { conv(w, 3) }", "", (8, 12, 12)),
        ("for i in range(2) { for j in range(2) { conv(1 + i * 2 + j, 1) } }", "", (4, 16, 16)),
        ("b(8)", "block b(width, factor = width // 2) { conv(factor, 1) }", (4, 16, 16)),
        ("b(8, 1)", "block b(width, factor = width // 2) { conv(factor, 1) }", (1, 16, 16)),
        ("b(factor=1, width=8)", "block b(width, factor = width // 2) { conv(factor, 1) -> conv(width, 1) }", (8, 16, 16)),
        ("b", "block b(width = x.channels * 2) { conv(width, 1) }", (6, 16, 16)),
        ("b(same)", "block b(how) { conv(4, 3, padding=how) }", (4, 16, 16)),
        ("b(1x3)", "block b(how) { conv(4, how) }", (4, 16, 14)),
        ("b(image)", "block b(skip) { conv(4, 1) -> concat(skip) }", (7, 16, 16)),
        ("a: conv(5, 1)\nrelu -> b(skip=a)", "block b(skip) { concat(skip) -> conv(skip.channels, 1) }", (5, 16, 16)),
        ("s: b\nconcat(s.low)", "block b { low: conv(4, 1) -> conv(2, 1) }", (6, 16, 16)),
        ("r: { s: { low: relu } -> conv(1, 1) }\nconcat(r.s.low)", "", (4, 16, 16)),
        ("r: add { | low: conv(3, 1) | }\nconcat(r.low)", "", (6, 16, 16)),
        ("conv(min(4, 8) + max([1, 2]), 1)", "", (6, 16, 16)),
        ("conv(round(2.5) + floor(2.9) + ceil(2.1) + round_to(37, 8), 1)", "", (3 + 2 + 3 + 40, 16, 16)),
        ("conv(4 if x.channels == 3 and not false else 9, 1)", "", (4, 16, 16)),
        ("conv(len([1, 2] + [3]) + len([0] * 4), 1)", "", (7, 16, 16)),
        ("let n = [1, 2, 3]\nconv(sum(n[:2]) + sum(n) + sum(n[:0]), 1)", "", (9, 16, 16)),
        ("conv([1, 2, 3][-1], 1)", "", (3, 16, 16)),
        ("conv(7 // 2 + 7 % 4 + 2 ** 3, 1)", "", (14, 16, 16)),
        ("conv(1e1, 1)", "", (10, 16, 16)),
        ("conv(4.0 * 2, 1)", "", (8, 16, 16)),
        ("if x.height > 8 { conv(1, 1) } else if true { conv(2, 1) } else { conv(3, 1) }", "", (1, 16, 16)),
        ("if x.height > 99 { conv(1, 1) } else if x.width == 16 { conv(2, 1) } else { conv(3, 1) }", "", (2, 16, 16)),
        ("if false { conv(1, 1) }\nconv(9, 1)", "", (9, 16, 16)),
        ("relu\nrepeat 0 { conv(1, 1) }", "", (3, 16, 16)),
        ("image -> conv(1, 1) -> a: relu\nimage -> conv(2, 1) -> concat(a)", "", (3, 16, 16)),
        ("conv(4, 1) -> concat(image) { | conv(1, 1) | conv(2, 1) }", "", (1 + 2 + 3, 16, 16)),
        ("matrix: conv(16, 1)\nrelu -> concat(matrix, axis=1)", "", (16, 32, 16)),
        ("conv(4, 1) -> multiply { | | global_avgpool -> conv(x.channels, 1) -> sigmoid }", "", (4, 16, 16)),
    ],
)
def test_last_shape(body: str, before: str, last: tuple[int, ...]) -> None:
    assert shapes(body, before)[-1] == last


def test_one_and_three_dimensions() -> None:
    (sound,) = compile_source(
        Source("a.net", "net A { sound: input(1x16000)\nconv(8, 9, stride=4) -> maxpool(2) -> conv(x.length // 8, 1) }")
    )
    assert [n.output for n in sound.layers] == [(8, 3998), (8, 1999), (249, 1999)]
    (volume,) = compile_source(Source("a.net", "net A { scan: input(1x8x16x32)\nconv(x.depth, 3x1x1) -> maxpool(2) }"))
    assert [n.output for n in volume.layers] == [(8, 6, 16, 32), (8, 3, 8, 16)]


def test_a_block_sees_its_own_names_alone() -> None:
    for body in ("let w = 3\nb", "stem: relu\nb"):
        with pytest.raises(NetspecError, match=r"there is no value or tensor named `(w|stem)` here"):
            graph(body, f"block b {{ conv({'w' if 'let' in body else 'stem.channels'}, 1) }}")


def test_each_use_of_a_block_makes_weights_of_its_own() -> None:
    made = graph("b -> b", "block b { conv(3, 1) }")
    assert made.parameters == 2 * (3 * 3 + 3)


def test_several_inputs_and_outputs() -> None:
    text = """net Pair {
        left: input(1x8x8)
        right: input(3x8x8)
        left -> conv(4, 1) -> a: relu
        right -> conv(4, 1) -> add(a) -> both: relu
        both -> flatten -> age: linear(1)
        both -> global_avgpool -> kind: conv(5, 1)
        output(age, who=kind, a)
    }"""
    (made,) = compile_source(Source("a.net", text))
    assert [(n.path, n.output) for n in made.inputs] == [("left", (1, 8, 8)), ("right", (3, 8, 8))]
    assert made.output_shapes() == {"age": (1,), "who": (5, 1, 1), "a": (4, 8, 8)}


@pytest.mark.parametrize(("last", "name"), [("relu", "output"), ("head: relu", "head"), ("r: { relu }", "r"), ("r: { a: relu }", "r")])
def test_the_last_tensor_is_the_output(last: str, name: str) -> None:
    assert list(graph(last).output_shapes()) == [name]


def test_frozen_parts_count_and_do_not_learn() -> None:
    made = graph("base: frozen { conv(4, 1) -> b(2) }\nfrozen conv(2, 1, bias=false)\nb(3) -> flatten", "block b(w) { conv(w, 1) }")
    assert [n.path for n in made.layers if n.frozen] == ["base.0", "base.1.0", "1"]
    assert (made.parameters, made.trainable) == (16 + 10 + 4 + 9, 9)


def test_macs_and_parameters_of_a_layer() -> None:
    made = graph("conv(8, 3, padding=1, groups=1) -> flatten -> linear(10)")
    conv, _, linear = made.layers
    assert (conv.facts.macs, conv.facts.parameters) == (16 * 16 * 8 * 3 * 9, 8 * 3 * 9 + 8)
    assert (linear.facts.macs, linear.facts.parameters) == (2048 * 10, 2048 * 10 + 10)


SPEC_FIGURES = {
    "alexnet": (61_100_840, 714_188_480), "cats_dogs": (991_041, 415_288_960), "googlenet": (13_004_888, 1_498_376_192),
    "lenet5": (61_706, 416_520), "mnist_convnet": (104_202, 3_100_032),
    "resnet50": (25_557_032, 4_089_184_256), "vgg16": (138_357_544, 15_470_264_320),
}  # fmt: skip


@pytest.mark.parametrize("name", SPEC_FIGURES)
def test_figures_of_the_specs(name: str) -> None:
    made = load(SPECS / f"{name}.net")
    assert (made.parameters, made.macs) == SPEC_FIGURES[name]
    assert made.parameters == made.trainable
    assert made.expectations


# ---- parameters from outside


def test_parameters_as_values_and_as_text() -> None:
    text = "net A(classes = 10, widths = [4, 8], wide = false, how = same) { image: input(3x8x8)\n"
    text += "for w in widths { conv(2 * w if wide else w, 3, padding=how) }\nflatten -> linear(classes) }"
    source = Source("a.net", text)
    (first,) = compile_source(source, classes=5, widths=[1, 2, 3], wide=True)
    (second,) = compile_source(source, settings={"classes": "2 + 3", "widths": "[1, 2, 3]", "wide": "true"})
    assert [n.output for n in first.layers] == [n.output for n in second.layers]
    assert dict(first.settings) == {"classes": 5, "widths": (1, 2, 3), "wide": True, "how": "same"}
    assert first.expectations == 0


def test_official_sizes_by_setting() -> None:
    assert load(SPECS / "resnet50.net", settings={"depths": "[3,8,36,3]"}).parameters == 60_192_808
    assert load(SPECS / "resnet50.net", settings={"depths": "[3,4,23,3]"}).parameters == 44_549_160
    assert load(SPECS / "resnet.net", net="ResNet18", depths=[3, 4, 6, 3]).parameters == 21_797_672
    assert load(SPECS / "vgg16.net", net="VGG16Features", settings={"size": "180"}).output_shapes() == {"features": (512, 5, 5)}
    assert load(SPECS / "vgg16.net", classes=2).parameters == 138_357_544 - 998 * 4097


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"clases": "5"}, "net `LeNet5` has no parameter `clases`"),
        ({"classes": "five"}, "there is no value or tensor named `five` here"),
        ({"classes": "0"}, "features of `linear` must be a whole number 1..2147483647"),
        ({"classes": "5,"}, "unexpected `,`"),
        ({"classes": "("}, r"this \( is never closed"),
        ({"classes": "×"}, "character U"),
        ({"classes": "1 / 0"}, "divides by zero"),
        ({"train.epochs": "many"}, "there is no value"),
        ({"train.epoch": "3"}, "train has no setting `epoch`"),
        ({"train.batch": "0"}, "batch of `train` must be a whole number"),
        ({"data.split": "[80%, 30%]"}, "split of `data` must be a list of 3 shares"),
        ({"trane.epochs": "3"}, "net `LeNet5` has no parameter `trane.epochs`"),
        ({"expect.output": "3"}, "net `LeNet5` has no parameter `expect.output`"),
    ],
)
def test_settings_that_are_wrong(settings: dict[str, str], message: str) -> None:
    with pytest.raises(NetspecError, match=message) as caught:
        load(SPECS / "lenet5.net", settings=settings)
    assert len(caught.value.diagnostics) == 1


def test_settings_of_sections() -> None:
    made = load(SPECS / "lenet5.net", settings={"train.epochs": "3", "train.optimizer": "sgd(lr=0.1)", "data.split": "[50%, 25%, 25%]"})
    assert (made.train.values["epochs"], made.train.values["batch"]) == (3, 64)
    assert made.train.values["optimizer"].settings["lr"] == 0.1
    assert made.data.values["split"] == (0.5, 0.25, 0.25)
    assert made.train.places["epochs"].source.name == "<set train.epochs>"
    assert made.train.present
    assert not made.data.present
    assert made.expectations == 2


def test_another_net_of_the_file() -> None:
    assert load(SPECS / "vgg16.net", net="VGG16Features").name == "VGG16Features"
    with pytest.raises(NetspecError, match="there is no net named `VGG16Feature`") as caught:
        load(SPECS / "vgg16.net", net="VGG16Feature")
    assert caught.value.diagnostics[0].problem.help() == "did you mean VGG16Features?"


def test_nets_made_from_nets() -> None:
    text = """net A(width = 4, classes = 2) { image: input(3x8x8)
        conv(width, 1) -> flatten -> linear(classes) }
    net B = A(width=8)
    net C = B(classes=3)
    net D = C(width=1, classes=7)"""
    made = {g.name: g for g in compile_source(Source("a.net", text), every=True)}
    assert {n: (g.settings["width"], g.settings["classes"]) for n, g in made.items()} == {
        "A": (4, 2),
        "B": (8, 2),
        "C": (8, 3),
        "D": (1, 7),
    }
    (set_,) = compile_source(Source("a.net", text), net="D", settings={"width": "5"})
    assert (set_.settings["width"], set_.settings["classes"]) == (5, 7)


def test_a_net_whose_parameter_has_no_default_is_set_from_outside() -> None:
    source = Source("a.net", "net A(width) { image: input(3x8x8)\nconv(width, 1) }")
    assert compile_source(source, settings={"width": "4"})[0].nodes[-1].output == (4, 8, 8)
    with pytest.raises(NetspecError, match="`A` needs width"):
        compile_source(source)


# ---- expectations


NET = "net A { image: input(3x8x8)\nstem: { low: conv(8, 3) -> conv(16, 3) }\nflatten -> head: linear(10) }\nexpect { %s }"
"""3x8x8 -> 8x6x6 (224 parameters, 7,776 MACs) -> 16x4x4 (1,168; 18,432) -> 10 (2,570; 2,560): 3,962 parameters and 28,768 MACs."""


@pytest.mark.parametrize(
    "holds",
    ["parameters = 3_962", "parameters = 3.962k", "parameters = 4k", "parameters = 3.96k", "trainable = 3962", "macs = 28_768",
     "macs = 28.77k", "macs = 29k", "macs = 0.03M", "output = 10", "head = 10", "stem = 16x4x4", "stem.low = 8x6x6",
     "\"stem.low\" = [8, 6, 6]",
     "parameters = 3000 + 962"],
)  # fmt: skip
def test_expectations_that_hold(holds: str) -> None:
    (made,) = compile_source(Source("a.net", NET % holds))
    assert made.expectations == 1


@pytest.mark.parametrize(
    ("fails", "message", "hint"),
    [
        ("parameters = 3_961", "expected parameters = 3,961, and it is 3,962", "that is 1 too many"),
        ("parameters = 4_000", "expected parameters = 4,000, and it is 3,962", "that is 38 too few"),
        ("parameters = 3.97k", "expected parameters = 3,970, and it is 3,962", None),
        ("macs = 28.76k", "expected macs = 28,760, and it is 28,768", None),
        ("output = 11", "expected output = 11, and it is 10", None),
        ("stem = 16x4x5", "expected stem = 16x4x5, and it is 16x4x4", None),
        ("stem = 16", "expected stem = 16, and it is 16x4x4", None),
        ("parameters = true", "expected parameters = true, and it is 3,962", None),
        ("stm = 16x4x4", "there is nothing named `stm` to expect something of", "did you mean stem?"),
    ],
)
def test_expectations_that_fail(fails: str, message: str, hint: str | None) -> None:
    with pytest.raises(NetspecError) as caught:
        compile_source(Source("a.net", NET % fails))
    (said,) = caught.value.diagnostics
    assert (said.message, said.problem.help()) == (message, hint)


def test_expectations_of_another_net() -> None:
    text = (NET % "output = 10") + "\nnet B = A()\nexpect B { output = 11 }"
    with pytest.raises(NetspecError, match="expected output = 11, and it is 10"):
        compile_source(Source("a.net", text), every=True)
    assert compile_source(Source("a.net", text))[0].expectations == 1


def test_expectations_hold_for_a_net_as_it_is_written() -> None:
    assert load(SPECS / "lenet5.net").expectations == 2
    assert load(SPECS / "lenet5.net", classes=5).expectations is None


WORDS = """
block b(how) { conv(4, 3, padding=how) }
net A(how = valid) { image: input(3x8x8)
b(how) }
net B = A(how=same)
"""


def test_a_word_may_come_from_anywhere() -> None:
    source = Source("a.net", WORDS)
    outputs = [g.nodes[-1].output for g in compile_source(source, every=True)]
    assert outputs == [(4, 6, 6), (4, 8, 8)]
    assert compile_source(source, settings={"how": "same"})[0].nodes[-1].output == (4, 8, 8)
    assert compile_source(source, how="same")[0].nodes[-1].output == (4, 8, 8)


@pytest.mark.parametrize("net", ["A", "B"])
def test_settings_written_down_make_the_same_net_again(net: str) -> None:
    """As a run's record does."""
    source = Source("a.net", WORDS)
    (made,) = compile_source(source, net=net)
    (again,) = compile_source(source, net=net, settings={name: show(value) for name, value in made.settings.items()})
    assert again.settings == made.settings
    assert again.nodes[-1].output == made.nodes[-1].output
