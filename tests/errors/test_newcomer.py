"""What is said to somebody who tries the language for the first time: each mistake is one error, and the error says what to write."""

from __future__ import annotations

import pytest

from netspec.compiler import compile_source
from netspec.diagnostics import NetspecError
from netspec.source import Source
from tests.errors.text import codes, only

NET = "net A(classes = 2) {\nimage: input(3x32x32)\n%s\nflatten -> linear(classes)\n}\n"

X = "x stands for the tensor that flows in, and cannot be a name: choose another"

IN_A_NET = (
    # comments
    ("// first conv\nconv(8, 3)", "N101", "a comment begins with #"),
    ("relu // c", "N101", "a comment begins with #"),
    ("relu // that's it", "N102", "a comment begins with #"),
    ("// that's it", "N102", "a comment begins with #"),
    ("/* */", "N101", "a comment begins with #"),
    ("/* the first\n * convolution\n */\nconv(8, 3)", "N101", "a comment begins with #"),
    ("```\nrelu\n```", "N102", "take out the lines with ```"),
    # conditions and loops
    ("let a = 1\nif a = 1 { relu }", "N101", "compare with =="),
    ("let a = 1\ns: if a = 1 { relu }", "N101", "compare with =="),
    ("for i in range(2):\n\"c{i}\": conv(8, 1)", "N101", "what belongs to it stands in braces: for … { … }"),
    ("if True:\nrelu", "N101", "what belongs to it stands in braces: if … { … }"),
    ("if true { relu } else:\nrelu", "N101", "what belongs to it stands in braces: else { … }"),
    ("for (w in [8, 16]) { conv(w, 3) }", "N101", "leave the parentheses out, as for w in [8, 16] { … }"),
    ("if (x.channels > 2) { relu } elif false { tanh }", "N101", "write else if"),
    ("for i in 0..3 { relu }", "N101", "write range(3)"),
    ("for i in range(1..3) { relu }", "N101", "write range(1, 3)"),
    ("for w in 8, 16, 32 {\nconv(w, 3)\n}", "N101", "a list stands in brackets, as [8, 16, 32]"),
    # what is known is not written
    ("conv(8, 3) -> bn(8)", "N401", "the channels are known: leave them out, and write bn"),
    ("Conv2d(3, 8, 3)", "N302", "write conv(8, 3); what flows in is known, so its channels or features are not written"),
    (
        "residual { conv(16, 3, padding=1) }",
        "N203",
        "what flows in is narrower: put conv(16, 1) before it, or project it, as add { | … | conv(16, 1) }",
    ),
    # sizes, numbers and words
    ("conv(8, (3, 5))", "N101", "write a size as 3x5, and a list as [3, 5]"),
    ("conv(8, 3X3)", "N101", "write a small x: 3x3"),
    ("conv(8, 3 x 3)", "N101", "write a size in one piece: 3x3"),
    ("conv(9.2K, 3)", "N101", "write 9.2k"),
    ("conv(8px, 3)", "N101", "a number stands without a unit: write 8"),
    ("conv(8, 3, bias=True)", "N303", "did you mean true?"),
    ("conv(8, 3, padding=None)", "N401", "leave it out"),
    ("conv(8, 3, padding='same')", "N102", "write same, without quotes"),
    ("conv(8, 3, padding=\"same\")", "N401", "write same, without quotes"),
    ("dropout(50)", "N401", "write 50%, or 0.5"),
    # merges
    ("concat { conv(8, 1) conv(8, 3, padding=1) }", "N101", "each branch begins with a bar: concat { | a | b }"),
    ("concat {\nconv(8, 1)\n| conv(8, 3, padding=1)\n}", "N101",
     "branches stand in a merge, each behind a bar, the first one too: concat { | a | b }"),
    ("a: conv(8, 1)\nrelu -> concat([a, image])", "N401", "write concat(a, image), without brackets"),
    ("s: relu\ntanh -> add(\"s\")", "N401", "write add(s), without quotes"),
    ("s: relu\ns + image\nrelu", "N101", "write s -> add(image)"),
    ("s: relu\ns * image\nrelu", "N101", "write s -> multiply(image)"),
    ("s: relu\ntanh\nx + s", "N101", "write add(s): what flows in is always part of it"),
    # labels and names
    ("x: conv(8, 3)\nx -> relu", "N101", X),
    ("x: conv(8, 3)\nrelu -> concat(x)\nconv(x.channels, 3)", "N101", X),
    ("for x in [8, 16] { conv(x, 3) }", "N101", X),
    ("let x = 3", "N101", X),
    ("for i in range(2) {\nf\"c{i}\": conv(8, 1)\n}", "N101", "write \"c{i}\", without the f before it"),
    ("stem conv(8, 3)\nrelu", "N101", "if stem is a label, write stem: conv; to join two steps, write ->"),
    ("conv-1: relu", "N101", "names are made of the letters a to z, digits and _, as conv_1"),
    ("my conv: relu", "N101", "names are made of the letters a to z, digits and _, as my_conv"),
    ("frozen backbone: { conv(8, 3) }", "N101", "the label comes first: backbone: frozen …"),
    ("b: { c: relu -> conv(8, 1) }\nconcat(c)", "N303", "write b.c: it is inside of a labelled part"),
    ("b: { c: { d: relu -> conv(8, 1) } }\nd -> relu", "N301", "write b.c.d: it is inside of a labelled part"),
    ("add(late)\nlate: relu", "N303", "`late` is defined further below, on line 4: a tensor can be used from there on"),
    ("relu\nlate -> relu\nlate: tanh", "N301", "`late` is defined further below, on line 5: a tensor can be used from there on"),
    ("if false { s: relu }\nadd(s)", "N303", None),
    # steps
    ("conv(8, 3)\nreturn x", "N101", "the last tensor is the result: leave return out, or write output(a, b) for several"),
    ("conv(8, 3)\nreturn", "N301", "the last tensor is the result: leave return out, or write output(a, b) for several"),
    ("conv(8, 3) → relu", "N102", "write -> between steps"),
    ("conv(8, 3) => relu", "N101", "steps are joined with ->"),
    ("conv(8, 3)(image)", "N101", "a step takes what flows in: leave the second parentheses out"),
    ("freeze { conv(8, 3) }", "N301", "write frozen { … }"),
    ("conv(8, 3, trainable=false)", "N402", "leave it out: frozen before a step or region takes it out of training, as frozen { … }"),
    ("flatten -> linear(3072, 3)", "N401", "the size of what flows in is worked out: write linear(3)"),
    ("expect { output = 2 }", "N314", "move it behind the net's closing brace"),
    ("train { epochs = 2, batch = 3 }", "N314", "move it behind the net's closing brace"),
    ("train { }", "N314", "move it behind the net's closing brace"),
)  # fmt: skip


@pytest.mark.parametrize(("body", "code", "says"), IN_A_NET)
def test_in_a_net(body: str, code: str, says: str | None) -> None:
    said = only(NET % body)
    assert (said.code, said.problem.help()) == (code, says)


STEPS = "image: input(3x32x32)\nconv(8, 3)\nflatten -> linear(3)\n"
FILES = (
    ("net D:\n" + STEPS, "N101", "what belongs to it stands in braces: net D { … }"),
    ("net D:\n" + STEPS + "train { epochs = 3 }\nnet B { " + STEPS + "}", "N101", "what belongs to it stands in braces: net D { … }"),
    (STEPS, "N101", "layers stand in a net: net Name { … }"),
    (NET % "relu" + STEPS, "N101", "layers stand in a net: net Name { … }"),
    ("let a = 3\n" + NET % "relu", "N101", "let stands in a net or a block"),
    ("block b(x) { relu }\n" + NET % "b(3)", "N101", X),
    *((f"{word} D {{\n{STEPS}}}", "N101", "write net D { … }") for word in ("Net", "NET", "model", "Model", "class", "network")),
    ("Net {\n" + STEPS + "}", "N101", "write net Name { … }"),
    ("class D(classes = 3) {\n" + STEPS + "}", "N101", "write net D { … }"),
    ("Block b(w) { conv(w, 1) }\n" + NET % "b(3)", "N101", "write block b { … }"),
    ("def b(w) { conv(w, 1) }\n" + NET % "b(3)", "N101", "write block b { … }"),
    *((f"{line}\n" + NET % "relu", "N101", "write use NAME from \"./file.net\", a line for each name") for line in (
        'use resnet50 "netspec:resnet"', 'from "netspec:resnet" use resnet50', 'import resnet50 from "netspec:resnet"',
        'use "netspec:resnet"', 'use resnet50 as r from "netspec:resnet"', 'use resnet50, resnet18 from "netspec:resnet"',
        'use vgg16.features from "netspec:vgg"')),
    ("modle D { epochs = 3 }\n" + NET % "relu", "N601", "a file has net, block, and the sections train, data and expect"),
    ("nett D { epochs = 3 }\n" + NET % "relu", "N601", "did you mean net?"),
    ("net my-net {\n" + STEPS + "}", "N101", "names are made of the letters a to z, digits and _, as my_net"),
    ("net My Net {\n" + STEPS + "}", "N101", "names are made of the letters a to z, digits and _, as My_Net"),
    ("net 2d {\n" + STEPS + "}", "N101", "names are made of the letters a to z, digits and _, and begin with a letter"),
    ("block b-c { relu }\n" + NET % "relu", "N101", "names are made of the letters a to z, digits and _, as b_c"),
    ("net D(classes) {\nimage: input(3x8x8)\nflatten -> linear(classes)\n}", "N404",
     "give it a default, as classes = 10, or set it on the command line: --set classes=10"),
    ("```net\n" + NET % "relu" + "```\n", "N102", "take out the lines with ```"),
    (NET % "relu" + "preprocess { scale(1/255) }", "N314", "move it into the net, right behind the input"),
    (NET % "relu" + "augment { flip = true }", "N314", "move it into the net, right behind the input"),
    (NET % "relu" + "train { epochs = 3 }\ntrain { batch = 3 }", "N304", "write what is in both into one"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "code", "says"), FILES)
def test_in_a_file(text: str, code: str, says: str) -> None:
    said = only(text)
    assert (said.code, said.problem.help()) == (code, says)


@pytest.mark.parametrize("word", ["Net", "model", "class"])
def test_what_is_in_a_net_by_another_name_is_checked_too(word: str) -> None:
    assert codes(f"{word} D {{\nimage: input(3x8x8)\nrleu\nconv(0, 3)\nflatten -> linear(3)\n}}") == ["N101", "N301", "N401"]


def test_what_is_behind_a_slip_is_checked_too() -> None:
    assert codes(NET % "concat {\nconv(8, 1)\n| rleu\n}\nconv(0, 1)") == ["N101", "N301", "N401"]
    assert codes(NET % "x: relu\nx -> rleu\nx: relu\nconv(0, 1)") == ["N101", "N301", "N101", "N401"]


@pytest.mark.parametrize(
    ("shape", "code", "says"),
    [
        ("3, 32, 32", "N403", "write input(3x32x32)"),
        ("32, 32, 3", "N403", "write input(3x32x32)"),
        ("3, image", "N403", "write one size, channels first, as input(3x224x224)"),
        ("(3, 32, 32)", "N101", "write a size as 3x32x32, and a list as [3, 32, 32]"),
        ("3 x 32 x 32", "N101", "write a size in one piece: 3x32x32"),
        ("32x32x3", "N213", "if it is a picture, channels come first: input(3x32x32)"),
        ("28x28x1", "N213", "if it is a picture, channels come first: input(1x28x28)"),
        ("480x640x3", "N213", "if it is a picture, channels come first: input(3x480x640)"),
        ("32x32x3) -> preprocess { normalize(imagenet) } -> scale(1", "N207", "channels come first: input(3x32x32)"),
        ("32x32x3) -> conv(8, 5", "N201", "channels come first: input(3x32x32)"),
    ],
)
def test_the_size_of_an_input(shape: str, code: str, says: str) -> None:
    said = only(f"net A {{\nimage: input({shape})\nflatten -> linear(2)\n}}")
    assert (said.code, said.problem.help()) == (code, says)


@pytest.mark.parametrize("shape", ["3x32x32", "1x28x28", "64x8x4", "3x3x3", "1x1x1", "40x100x1", "32x32"])
def test_inputs_that_are_no_pictures_with_channels_last(shape: str) -> None:
    assert codes(f"net A {{\nimage: input({shape})\nflatten -> linear(2)\n}}") == []


@pytest.mark.parametrize(
    ("shape", "code", "says"),
    [
        ("1x3x224x224", "N217", "the batch is left out: write input(3x224x224)"),
        ("32x1x28x28", "N217", "the batch is left out: write input(1x28x28)"),
        ("Nx3x32x32", "N303", "the batch is left out: write input(3x32x32)"),
        ("Nx3xHxW", "N303", "the batch is left out: write input(3xHxW)"),
        ("3xhxw", "N101", "open sizes are capital letters, as 3xHxW"),
        ("3xHxw", "N101", None),
    ],
)
def test_an_input_with_a_batch_or_open_in_small_letters(shape: str, code: str, says: str | None) -> None:
    said = only(f"net A {{\nimage: input({shape})\nglobal_avgpool -> flatten -> linear(2)\n}}")
    assert (said.code, said.problem.help()) == (code, says or said.problem.help())


@pytest.mark.parametrize("shape", ["1x16x224x224", "3x3x8x8", "1x1x1x1", "2x64x64x64"])
def test_volumes_that_are_no_batches(shape: str) -> None:
    assert codes(f"net A {{\nimage: input({shape})\nflatten -> linear(2)\n}}") == []


@pytest.mark.parametrize(
    ("step", "code", "instead"),
    [
        ("conv(3, 64, 7, 2, 3)", "N216", "conv(64, 7, 2, 3)"),
        ("conv(3, 64, 7, padding=3)", "N216", "conv(64, 7, padding=3)"),
        ("conv(3, 232, padding=4)", "N216", "conv(232, padding=4)"),
        ("conv_transpose(3, 64, 2, 2)", "N216", "conv_transpose(64, 2, 2)"),
        ("conv(3, 256, 3, padding=1)", "N201", "conv(256, 3, padding=1)"),
    ],
)
def test_a_convolution_that_is_told_what_flows_in(step: str, code: str, instead: str) -> None:
    said = only(f"net A {{\nimage: input(3x224x224)\n{step} -> global_avgpool -> flatten -> linear(2)\n}}")
    assert (said.code, said.problem.help()) == (code, f"the channels that flow in are known: write {instead}")


@pytest.mark.parametrize(
    "step", ["conv(3, 64)", "conv(3, 15, 2)", "conv(4, 64, 7, 2)", "conv(3, kernel=64, stride=7)", "conv(3, 31, padding=15)"]
)
def test_convolutions_with_large_kernels_that_are_meant(step: str) -> None:
    assert codes(f"net A {{\nimage: input(3x224x224)\n{step} -> global_avgpool -> flatten -> linear(2)\n}}") == []


def test_an_axis_is_counted_without_the_batch() -> None:
    said = only(NET % "a: conv(8, 1)\nrelu -> concat(image, dim=1)")
    assert (said.code, said.problem.help()) == ("N402", "did you mean axis? Axes are counted without the batch: dim=1 is axis=0")


@pytest.mark.parametrize("scaled", [True, False])
def test_the_figures_of_imagenet_are_for_pixels_from_0_to_1(scaled: bool) -> None:
    steps = f"crop(28x28) -> {'scale(1/255) -> ' if scaled else ''}normalize(imagenet)"
    assert codes(NET % f"preprocess {{ {steps} }}") == ([] if scaled else ["N408"])
    assert codes(NET % "normalize([0.5, 0.5, 0.5])\nconv(3, 1) -> normalize(imagenet)") == []


def test_momentum_as_keras_counts_it() -> None:
    said = only(NET % "bn(momentum=0.99)")
    assert (said.code, said.problem.help()) == ("N409", "it is what is taken of the new ones: 0.99 in Keras is 0.01 here")
    assert codes(NET % "bn(momentum=0.89)") == []


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ("multiply { | | global_avgpool -> conv(x.channels, 1) -> conv(2, 1) -> conv(x.channels, 1) -> sigmoid }", "N203",
         "a factor for each channel has as many channels: x is what flows in at its place, so take let c = x.channels before"),
        ("maxpool(3, 2, padding=same)", "N303", "write half of the kernel, as padding=1 for a kernel of 3"),
        ("avgpool(3, 2, padding=valid)", "N303", "leave it out: no padding is the default"),
        ("ToTensor()", "N302", "write scale(1/255): pixels come in from 0 to 255"),
        ("argmax", "N301", "leave it out: `netspec predict` names the likeliest class"),
        ("resnet18", "N301", 'write use resnet18 from "netspec:resnet" above the net'),
        ('VGG16(weights="netspec:vgg16")', "N301", 'write use VGG16 from "netspec:vgg" above the net'),
        ("a: conv(8, 2)\nmaxpool(2) -> upsample(2) -> concat(a)", "N204",
         "give the branches equal strides and paddings, so that height and width agree; or cut the larger one with crop_to"),
        ("conv(8, 3).relu()", "N101", "join steps with ->"),
    ],
)  # fmt: skip
def test_habits_of_other_frameworks(body: str, code: str, says: str) -> None:
    said = only(NET % body)
    assert (said.code, said.problem.help()) == (code, says)


@pytest.mark.parametrize(
    ("loss", "ours"),
    [
        ("categorical_crossentropy", "cross_entropy"), ("sparse_categorical_crossentropy", "cross_entropy"),
        ("CrossEntropyLoss", "cross_entropy"), ("bce", "binary_cross_entropy"), ("BCEWithLogitsLoss", "binary_cross_entropy"),
        ('"binary_crossentropy"', "binary_cross_entropy"),
    ],
)  # fmt: skip
def test_losses_by_their_names_elsewhere(loss: str, ours: str) -> None:
    said = only(NET % "relu" + f"train {{ loss = {loss} }}")
    assert (said.code, said.problem.help()) == ("N401", f"write {ours}")


USED = 'use %s from "netspec:%s"\nnet A {\nimage: input(3x224x224)\n%s\nglobal_avgpool -> flatten -> linear(2)\n}'


@pytest.mark.parametrize(
    ("use", "code", "says"),
    [
        (("resnet18", "resnet", "resnet18(classes=5).layer1"), "N101", "the part comes before the arguments: resnet18.layer1(…)"),
        (("resnet18", "resnet", "resnet18.layer1(pretrained=true)"), "N402",
         'write weights="netspec:resnet18", say; `netspec fetch` lists the names'),
        (("mobilenet", "mobilenet", "mobilenet"), "N321", "there is netspec:mobilenet_v1, netspec:mobilenet_v2 and netspec:mobilenet_v3"),
    ],
)  # fmt: skip
def test_nets_of_the_library(use: tuple[str, str, str], code: str, says: str) -> None:
    said = only(USED % use)
    assert (said.code, said.problem.help()) == (code, says)


@pytest.mark.parametrize("name", ["classes", "num_classes"])
def test_classes_that_are_not_declared(name: str) -> None:
    said = only(f"net A {{\nimage: input(3x8x8)\nflatten -> linear({name})\n}}")
    assert (said.code, said.problem.help()) == ("N303", f"declare it behind the net's name, as net Name({name} = 10)")


def test_two_inputs_with_one_preprocess() -> None:
    said = only("net A {\na: input(3x8x8)\nb: input(3x8x8)\npreprocess { scale(1/255) }\nflatten -> linear(2)\n}")
    help_ = said.problem.help()
    assert help_ is not None
    assert help_.endswith("or take it out; each input has a preprocess of its own, right behind it")


def test_a_list_from_outside_stands_in_brackets() -> None:
    with pytest.raises(NetspecError) as caught:
        compile_source(Source("a.net", NET % "relu"), settings={"depths": "3,4,6,3"})
    (said,) = caught.value.diagnostics
    assert said.problem.help() == "a list stands in brackets: write [3,4,6,3]"


def test_one_of_two_inputs_is_not_used() -> None:
    said = only("net A {\na: input(3x8x8)\nb: input(3x8x8)\nflatten -> linear(2)\n}")
    assert said.problem.help() == "begin a chain with it, as a -> …, merge it with another, as concat(a), or take it out"


def test_resizing_may_be_part_of_preprocess() -> None:
    assert codes("net A {\nimage: input(3x8x8)\npreprocess { scale(1/255) -> resize(32) }\nflatten -> linear(2)\n}") == []


@pytest.mark.parametrize(
    ("section", "code", "says"),
    [
        ("train { epochs: 5 }", "N101", "a setting is given with =, as epochs = 5"),
        ("train { epochs = 5 epochs }", "N101", "a number stands without a unit: write 5"),
        ("train { epochs = 5 // not many }", "N101", "a comment begins with #"),
        ("train { lr = 0.01 }", "N602", "write optimizer = adam(lr=0.01)"),
        ("train { learning_rate = 1/100 }", "N602", "write optimizer = adam(lr=1/100)"),
        ("train { optimizer = sgd\nlr = 0.01 }", "N602", "write optimizer = sgd(lr=0.01)"),
        ("train { momentum = 0.9 }", "N602", "write optimizer = sgd(momentum=0.9)"),
        ("train { optimizer.lr = 0.1 }", "N602", "write optimizer = adam(lr=0.1)"),
        ("train { optimizer = adam(learning_rate=3) }", "N402", "did you mean lr?"),
        ("train { optimizer = \"adam\" }", "N401", "write adam, without quotes"),
        ("train { schedule = cosine(warmup=5) }", "N401", "write 5%, or 0.05"),
        ("data { split = [0.8, 0.2] }", "N401", "these are 2 of 3: training, validation and test"),
        ("data { split = [80, 10, 10] }", "N401", "write [80%, 10%, 10%]"),
        ("data { split = [70%, 10%, 10%] }", "N401", "these sum to 90%"),
    ],
)  # fmt: skip
def test_in_a_section(section: str, code: str, says: str) -> None:
    said = only(NET % "relu" + section)
    assert (said.code, said.problem.help()) == (code, says)


@pytest.mark.parametrize(
    ("name", "value", "code", "says"),
    [
        ("epochs", "3", "N407", 'write --set "train.epochs=3"'),
        ("split", "[80%, 10%, 10%]", "N407", 'write --set "data.split=[80%, 10%, 10%]"'),
        ("optimizer", "sgd(lr=0.1)", "N407", 'write --set "train.optimizer=sgd(lr=0.1)"'),
        ("lr", "0.1", "N407", 'write --set "train.optimizer=adam(lr=0.1)"'),
        ("clases", "3", "N407", "did you mean classes?"),
        ("train.lr", "0.1", "N602", 'write --set "train.optimizer=adam(lr=0.1)"'),
        ("train.optimizer.lr", "0.1", "N602", 'write --set "train.optimizer=adam(lr=0.1)"'),
        ("train.epoch", "3", "N602", "did you mean epochs?"),
    ],
)
def test_set_from_outside(name: str, value: str, code: str, says: str) -> None:
    with pytest.raises(NetspecError) as caught:
        compile_source(Source("a.net", NET % "relu"), settings={name: value})
    (said,) = caught.value.diagnostics
    assert (said.code, said.problem.help()) == (code, says)


@pytest.mark.parametrize(
    ("step", "layer"),
    [
        ("Embedding(10, 4)", "embedding"), ("lstm(8)", "lstm"), ("nn.GRU(8)", "lstm"),
    ],
)  # fmt: skip
def test_layers_that_are_not_built_yet(step: str, layer: str) -> None:
    said = only(NET % step)
    assert (said.code, said.message) == ("N900", f"the layer `{layer}` is not built yet")


@pytest.mark.parametrize(
    ("step", "layer"),
    [
        ("ELU", "elu"), ("deconv(3, 3)", "conv_transpose"), ("Conv2DTranspose(3, 3)", "conv_transpose"), ("LayerNorm", "layer_norm"),
        ("GroupNorm(2)", "group_norm"), ("DepthwiseConv2D(3)", "depthwise_conv"), ("nn.LocalResponseNorm(5)", "lrn"),
    ],
)  # fmt: skip
def test_layers_by_their_names_elsewhere(step: str, layer: str) -> None:
    said = only(NET % step)
    assert (said.code, said.problem.help().startswith(f"write {layer}")) == ("N302", True)


def test_a_separable_convolution_is_two_steps() -> None:
    said = only(NET % "SeparableConv2D(64, 3)")
    assert (said.code, said.problem.help()) == ("N301", "it is two steps: write depthwise_conv(3, padding=1, bias=false) -> conv(64, 1)")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("cnov", "conv"), ("rleu", "relu"), ("lineer", "linear"), ("pool", "maxpool"), ("drop", "crop"),
        ("late", None), ("tarn", "tanh"), ("foo", None), ("run", None), ("convolve2d", None), ("sum3", None),
    ],
)  # fmt: skip
def test_near_spellings(name: str, near: str | None) -> None:
    said = only(NET % name)
    assert said.problem.help() == (f"did you mean {near}?" if near else "`netspec layers` lists every layer")


@pytest.mark.parametrize(
    "text", ["repeat(4/2) { relu }", "for i in range(4/2) { relu }", "conv([8, 16][2/2], 1)", "repeat(2k / 1000) { relu }"]
)
def test_a_decimal_number_without_a_fraction_counts_as_whole(text: str) -> None:
    assert codes(NET % text) == []


def test_a_long_list_of_what_could_stand_there_ends_without_a_count() -> None:
    said = only(NET % "let a = 3 3")
    assert said.problem.label() == "expected `}` or a new line"
    labels = [only(NET % body).problem.label() for body, code, _ in IN_A_NET if code == "N101"]
    assert not [label for label in labels if " more" in label]


LOSSES = (
    ("head: linear(1)", "cross_entropy(label_smoothing=0.1)", "`A`, whose output `head` has 1 number",
     "write binary_cross_entropy or focal for one of 2 classes; mae, mse or huber for numbers; or give it a number for each class"),
    ("linear(10)", "contrastive", "`A`, whose output has 10 numbers",
     "write cross_entropy or focal for one of 10 classes; binary_cross_entropy for labels; mae, mse or huber for numbers"),
    ("linear(10)", "dice", "`A`, whose output has 10 numbers",
     "write cross_entropy or focal for one of 10 classes; binary_cross_entropy for labels; mae, mse or huber for numbers"),
    ("linear(10) -> softmax", "binary_cross_entropy", "`A`, whose output has 10 numbers, and ends in softmax",
     "end with sigmoid, or without an activation; or write cross_entropy or focal for one of 10 classes; mae, mse or huber for numbers"),
    ("linear(10) -> sigmoid", "cross_entropy", "`A`, whose output has 10 numbers, and ends in sigmoid",
     "end with softmax, or without an activation; or write binary_cross_entropy for labels; mae, mse or huber for numbers"),
    ("linear(1) -> softmax", "binary_cross_entropy", "`A`, whose output has 1 number, and ends in softmax",
     "end with sigmoid, or without an activation; or write mae, mse or huber for numbers"),
)  # fmt: skip


@pytest.mark.parametrize(("end", "loss", "which", "says"), LOSSES)
def test_a_loss_that_does_not_fit_is_found_before_training(end: str, loss: str, which: str, says: str) -> None:
    text = f"net A {{\nimage: input(1x8x8)\nflatten -> {end}\n}}\n"
    name = loss.partition("(")[0]
    said = only(f"{text}train {{ loss = {loss} }}")
    assert (said.code, said.message, said.problem.help()) == ("N605", f"{name} does not fit {which}", says)
    assert said.place is not None
    assert said.place.source.position(said.place.span.start) == (5, 9)
    with pytest.raises(NetspecError, match=r"does not fit"):
        compile_source(Source("a.net", text), settings={"train.loss": loss})


@pytest.mark.parametrize(
    "text",
    [
        "net A {\nimage: input(1x8x8)\nflatten -> linear(10) -> softmax\n}\ntrain { loss = cross_entropy }",
        "net A {\nimage: input(1x8x8)\nflatten -> linear(1) -> sigmoid\n}\ntrain { loss = binary_cross_entropy }",
        "net A {\nimage: input(1x8x8)\nflatten -> linear(1)\n}\ntrain { epochs = 3 }",
        "net A {\nimage: input(1x8x8)\nflatten -> linear(10) -> sigmoid\n}\ntrain { loss = binary_cross_entropy }",
        "net A {\nimage: input(1x8x8)\nflatten -> linear(10)\n}\ntrain { loss = binary_cross_entropy }",
        "net A {\nimage: input(1x8x8)\nconv(8, 3, padding=1)\n}\ntrain { loss = dice }",
        "net A {\nimage: input(1x8x8)\nconv(1, 3, padding=1) -> sigmoid\n}\ntrain { loss = binary_cross_entropy }",
        "net A {\nimage: input(1x8x8)\nflatten -> a: linear(8) -> b: linear(8)\noutput(a, b)\n}\ntrain { loss = binary_cross_entropy }",
        "net A(n = 1) {\nimage: input(1x8x8)\nflatten -> linear(n)\n}\nnet B = A(n=8)\ntrain { loss = binary_cross_entropy }",
    ],
)
def test_losses_that_fit_or_are_judged_in_training(text: str) -> None:
    assert codes(text) == []
