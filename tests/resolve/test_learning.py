"""What `check` says of losses, metrics, figures to watch and rates, of the graph alone, without PyTorch."""

from __future__ import annotations

import pytest

from netspec.compiler import compile_source, diagnose
from netspec.diagnostics import Diagnostic, NetspecError
from netspec.figures import minimized
from netspec.freezing import NamesNothing, factors
from netspec.graph import Graph
from netspec.objectives import DoesNotFit, monitors, objectives
from netspec.source import Source
from netspec.values import ByOutput, Choice

HEADS = """net Heads {
    image: input(3x16x16)
    base: { conv(8, 3, padding=1) -> bn -> relu }
    base -> mask: conv(4, 1)
    base -> global_avgpool -> flatten -> trunk: { linear(8) -> relu }
    trunk -> age: linear(1)
    trunk -> kind: linear(6)
    trunk -> tags: linear(3) -> hints: sigmoid
    output(age, kind, tags=hints, mask)
}
"""
ONE = """net One {
    image: input(3x16x16)
    base: { layer1: { conv(8, 3) -> bn } -> layer2: { conv(8, 3) -> bn -> relu } }
    global_avgpool -> flatten -> head: linear(6)
}
"""
AGE = "loss { age = mae }\n"


def net(train: str = "", text: str = HEADS, **settings: str) -> Graph:
    (graph,) = compile_source(Source("n.net", f"{text}\ntrain {{\n{train}\n}}\n"), settings=settings)
    return graph


def said(train: str, text: str = HEADS) -> tuple[Diagnostic, ...]:
    return diagnose(Source("n.net", f"{text}\ntrain {{\n{train}\n}}\n"))


def pointed_at(found: Diagnostic) -> str:
    assert found.place is not None
    return found.place.source.text[found.place.span.start : found.place.span.end]


def test_what_is_learned_where_nothing_is_written() -> None:
    learned = objectives(net(), net().train.values)
    assert [(o.output, o.loss.name, o.kind, o.classes, [m.name for m in o.metrics], o.weight, o.target) for o in learned] == [
        ("age", "binary_cross_entropy", "class", 2, ["accuracy"], 1.0, "age"),
        ("kind", "cross_entropy", "class", 6, ["accuracy"], 1.0, "kind"),
        ("tags", "binary_cross_entropy", "labels", 3, ["f1"], 1.0, "tags"),
        ("mask", "cross_entropy", "mask", 4, ["miou"], 1.0, "mask"),
    ]
    assert [o.ending for o in learned] == [None, None, "sigmoid", None]


@pytest.mark.parametrize(
    ("end", "loss"),
    [
        ("linear(1)", "binary_cross_entropy"),
        ("linear(1) -> sigmoid", "binary_cross_entropy"),
        ("linear(5) -> sigmoid", "binary_cross_entropy"),
        ("linear(5) -> softmax", "cross_entropy"),
        ("linear(5)", "cross_entropy"),
        ("linear(5) -> distance(other, l2)", "contrastive"),
        ("linear(5) -> distance(other, l2) -> linear(1)", "binary_cross_entropy"),
        ("reshape(3x16x16) -> conv(1, 1) -> sigmoid", "binary_cross_entropy"),
        ("reshape(3x16x16) -> conv(2, 1) -> softmax", "cross_entropy"),
    ],
)
def test_the_loss_of_an_output_follows_from_its_end(end: str, loss: str) -> None:
    other = "image -> flatten -> other: linear(5)\nimage -> " if "other" in end else ""
    (graph,) = compile_source(Source("n.net", f"net N {{ image: input(3x16x16)\n{other}flatten -> {end} }}"))
    assert [o.loss.name for o in objectives(graph, {})] == [loss]


@pytest.mark.parametrize("end", ["reshape(6x8x4x4)", "reshape(24x32)", "reshape(3x16x16) -> conv(3, 1) -> sigmoid"])
def test_an_output_with_which_no_loss_goes_by_itself(end: str) -> None:
    text = f"net N {{ image: input(3x16x16)\nflatten -> {end} }}"
    (graph,) = compile_source(Source("n.net", text))
    with pytest.raises(DoesNotFit):
        objectives(graph, {})
    (found,) = diagnose(Source("n.net", f"{text}\ntrain {{ loss = mae }}"))
    assert found.code == "N605"


def test_settings_by_output() -> None:
    graph = net(
        "loss { age = huber(delta=5), tags = binary_cross_entropy(weight=balanced) }\nloss_weights { age = 1/4 }\n"
        "metrics { age = [rmse, mae], kind = top_k(k=2) }"
    )
    age, kind, tags, _ = objectives(graph, graph.train.values)
    assert (age.loss, age.weight, [m.name for m in age.metrics]) == (Choice("huber", {"delta": 5.0}), 0.25, ["rmse", "mae"])
    assert (kind.loss.name, kind.weight, kind.metrics) == ("cross_entropy", 1.0, (Choice("top_k", {"k": 2}),))
    assert tags.loss.settings == {"weight": "balanced"}
    assert monitors(objectives(graph, graph.train.values)) == (
        *(f"val.{name}" for name in ("loss", "age.loss", "age.rmse", "age.mae", "kind.loss", "kind.top_k", "tags.loss", "tags.f1")),
        *("val.mask.loss", "val.mask.miou", "train.loss", "train.age.loss", "train.age.mae", "train.kind.loss", "train.kind.top_k"),
        *("train.tags.loss", "train.mask.loss"),
    )


def test_one_output_needs_no_name() -> None:
    plain, braces = (
        net(text, ONE) for text in ("loss = focal(gamma=1)\nmetrics = f1", "loss { head = focal(gamma=1) }\nmetrics { head = [f1] }")
    )
    assert objectives(plain, plain.train.values) == objectives(braces, braces.train.values)
    assert monitors(objectives(plain, plain.train.values)) == ("val.loss", "val.f1", "train.loss")


def test_braces_of_a_stage_hold_for_the_outputs_that_they_name() -> None:
    graph = net(
        AGE + "loss_weights { age = 2, kind = 3 }\nmetrics { kind = [accuracy, f1] }\n"
        "a { loss { kind = focal }, loss_weights { kind = 5 } }\nb { metrics { age = mse } }\nc { epochs = 1 }"
    )
    learned = [objectives(graph, {**graph.train.values, **s.values}) for s in graph.train.stages]
    assert [[o.loss.name for o in stage][:2] for stage in learned] == [["mae", "focal"], ["mae", "cross_entropy"], ["mae", "cross_entropy"]]
    assert [[o.weight for o in stage][:2] for stage in learned] == [[2, 5], [2, 3], [2, 3]]
    names = [[[m.name for m in o.metrics] for o in stage][:2] for stage in learned]
    assert names == [[["mae"], ["accuracy", "f1"]], [["mse"], ["accuracy", "f1"]], [["mae"], ["accuracy", "f1"]]]


def test_braces_of_a_stage_over_what_holds_for_all() -> None:
    text = ONE.replace("head: linear(6)", "deep: linear(8)\ndeep -> a: linear(6)\ndeep -> b: linear(2)\noutput(a, b)")
    graph = net("loss = focal\nmetrics = [accuracy, auc]\nlater { loss { a = cross_entropy }, metrics { b = f1 } }", text)
    (stage,) = graph.train.stages
    a, b = objectives(graph, {**graph.train.values, **stage.values})
    assert (a.loss.name, b.loss.name, len(a.metrics), [m.name for m in b.metrics]) == ("cross_entropy", "focal", 2, ["f1"])
    graph = net("loss { a = focal }\nlater { loss = cross_entropy }", text)
    (stage,) = graph.train.stages
    assert {o.loss.name for o in objectives(graph, {**graph.train.values, **stage.values})} == {"cross_entropy"}


def test_single_lines_from_outside() -> None:
    settings = {"train.loss.age": "mse", "train.metrics.kind": "[f1, auc]", "train.a.loss_weights.age": "7", "train.rates.trunk.0": "0.5"}
    graph = net(AGE + "rates { trunk = 2 }\na { epochs = 1 }", **settings)
    age, kind, *_ = objectives(graph, {**graph.train.values, **graph.train.stages[0].values})
    assert (age.loss.name, age.weight, [m.name for m in kind.metrics]) == ("mse", 7.0, ["f1", "auc"])
    assert graph.train.values["rates"] == (("trunk", 2.0), ("trunk.0", 0.5))
    graph = net("loss = cross_entropy(label_smoothing=0.1)", ONE, **{"train.loss.head": "focal"})
    assert graph.train.values["loss"] == ByOutput(
        {"head": Choice("focal", {"gamma": 2.0, "weight": None})}, graph.train.values["loss"].otherwise
    )
    assert graph.train.values["loss"].otherwise.name == "cross_entropy"
    with pytest.raises(NetspecError) as caught:
        net(AGE, **{"train.loss.ages": "mae"})
    assert [d.code for d in caught.value.diagnostics] == ["N771"]


@pytest.mark.parametrize(
    ("train", "code", "at", "help"),
    [
        ("loss { ages = mae }", "N771", "ages", "did you mean age?"),
        ("loss { age = mae, zebra = mae }", "N771", "zebra", "it has `age`, `kind`, `tags` and `mask`"),
        ("metrics { mask = miou, masks = dice }", "N771", "masks", "did you mean mask?"),
        ("loss_weights { kid = 2 }", "N771", "kid", "did you mean kind?"),
        ("loss { age = mae, age = mse }", "N304", "age", "take one of them out"),
        ("loss { age = crossentropy }", "N401", "crossentropy", "write cross_entropy"),
        ("loss { age = MeanAbsoluteError }", "N401", "MeanAbsoluteError", "write mae"),
        ("loss { age = huber(delta=0) }", "N401", "0", None),
        ("loss { age { delta = 1 } }", "N602", "age", "write age = …"),
        ("loss { kind = contrastive }", "N605", "kind",
         "write cross_entropy or focal for one of 6 classes; binary_cross_entropy for labels; mae, mse or huber for numbers"),
        ("loss { mask = mae }", "N605", "mask", "write cross_entropy, focal or dice for the class of each pixel"),
        ("loss { age = dice }", "N605", "age", "write binary_cross_entropy or focal for one of 2 classes; mae, mse or huber for numbers"),
        ("loss { tags = cross_entropy }", "N605", "tags",
         "end with softmax, or without an activation; or write binary_cross_entropy for labels; mae, mse or huber for numbers"),
        ("loss { mask = focal(weight=[1, 2]) }", "N609", "mask",
         "give a weight for each of the 4 classes, in their order, or write weight=balanced"),
        ("loss = cross_entropy", "N605", "loss", None),
        ("loss_weights = 2", "N401", "2", None),
        ("loss_weights { age = 0 }", "N401", "0", None),
        ("metrics { age = [accuracy, acc] }", "N401", "acc", "write accuracy"),
        ("metrics { kind = [accuracy, accuracy] }", "N405", "accuracy", "take one of them out"),
        ("metrics { kind = [] }", "N401", "[]", None),
        ("metrics { kind = miou }", "N772", "kind",
         "for it there are accuracy, top_k, precision, recall, f1 and auc: write metrics { kind = accuracy }"),
        ("metrics { kind = top_k(k=6) }", "N772", "kind", "for it there are top_k(k=3), accuracy, precision, recall, f1 and auc: "
         "write metrics { kind = top_k(k=3) }"),
        ("metrics { mask = rmse }", "N772", "mask", "for it there are accuracy, miou and dice: write metrics { mask = accuracy }"),
        ("metrics = accuracy\nloss { age = mse }", "N772", "metrics", "for it there are mae, mse and rmse: write metrics { age = mae }"),
        ("a { metrics { tags = top_k } }", "N772", "tags",
         "for it there are accuracy, precision, recall, f1 and auc: write metrics { tags = accuracy }"),
        ("metrics { age = accuracy }\na { loss { age = mae } }", "N772", "age", None),
        ("stop { monitor = val.accuracy }", "N770", "val.accuracy", "did you mean val.age.accuracy?"),
        ("stop { monitor = val.kind.f1 }", "N770", "val.kind.f1", "have it measured: metrics { kind = [accuracy, f1] }"),
        ("stop { monitor = val.kid.accuracy }", "N770", "val.kid.accuracy", "did you mean val.kind.accuracy?"),
        ("stop { monitor = train.mask.miou }", "N770", "train.mask.miou", "mask.miou is a figure of a whole split: write val.mask.miou"),
        ("stop { monitor = val.kind.acuracy }", "N770", "val.kind.acuracy", "did you mean val.kind.accuracy?"),
        ("schedule = plateau(monitor=val.x1)", "N770", "val.x1", None),
        ("keep = best(val.mask.dice)", "N770", "val.mask.dice", "have it measured: metrics { mask = [miou, dice] }"),
        ("keep = best(val.kind.f1)\na { metrics { kind = f1 } }\nb { epochs = 1 }", "N770", "val.kind.f1", None),
        ("a { stop { monitor = val.age.mae } }", "N770", "val.age.mae", None),
        ("stop { monitor = val_loss }", "N401", "val_loss", "write val.loss"),
        ("stop { monitor = loss }", "N401", "loss", "write val.loss"),
        ('stop { monitor = "val.loss" }', "N401", '"val.loss"', "write val.loss, without quotes"),
        ("stop { monitor = test.loss }", "N401", "test.loss", "write val.loss"),
        ("keep = best(train.loss)", "N401", "train.loss", "write val.loss"),
        ("keep = best(age.accuracy)", "N401", "age.accuracy", "write val.age.accuracy"),
        ("stop { monitor = 3 }", "N401", "3", None),
        ('rates { "trunks" = 2 }', "N606", '"trunks"', 'did you mean "trunk"?'),
        ("rates { base = 0.1, base.9 = 2 }", "N101", "9", None),
        ('a { rates { "base[7:]" = 2 } }', "N606", '"base[7:]"', None),
        ("rates { trunk = 0 }", "N401", "0", "what is not to learn is named by freeze"),
        ("rates { trunk = 1, trunk = 2 }", "N304", "trunk", "take one of them out"),
        ("rates = 0.1", "N401", "0.1", None),
        ("a { layout = contiguous }", "N608", "layout", "write layout in train itself, beside the stages"),
        ("a { compile = true }", "N608", "compile", "write compile in train itself, beside the stages"),
        ("compile = 1", "N401", "1", None),
        ("layout = nhwc", "N401", "nhwc", None),
        ("epochs { age = 3 }", "N602", "epochs", "write epochs = …"),
    ],
)  # fmt: skip
def test_what_check_says(train: str, code: str, at: str, help: str | None) -> None:  # noqa: A002
    (found,) = said(train)
    assert (found.code, pointed_at(found)) == (code, at)
    if help is not None:
        assert found.problem.help() == help


@pytest.mark.parametrize(
    "train",
    [
        AGE + "stop { monitor = val.age.mae }\nkeep = best(val.kind.accuracy)\nschedule = plateau(monitor=train.age.loss)",
        "keep = best",
        "stop { monitor = val.f1 }\nmetrics = f1",
        "keep = best(val.f1)\na { metrics = f1 }\nb { metrics = [accuracy, f1] }",
        "metrics { head = [top_k(k=5), accuracy] }",
        'rates { "base.layer*" = 0.1, base.layer2 = 3, "base[-1:]" = 1 }',
        "layout = channels_last\ncompile = true",
        "loss = none\nmetrics = none\nrates = none\nloss_weights = none",
    ],
)
def test_what_is_right(train: str) -> None:
    assert said(train, HEADS if "age" in train else ONE) == ()


def test_an_auxiliary_output_has_no_loss_of_its_own() -> None:
    text = ONE.replace("    global", "    base -> global_avgpool -> flatten -> side: linear(6)\n    auxiliary(side)\n    base -> global")
    (found,) = said("loss { side = focal }", text)
    assert (found.code, "auxiliary" in (found.problem.help() or "")) == ("N771", True)


def test_a_loss_for_all_is_wrong_once() -> None:
    (found,) = said("loss = mae\na { epochs = 1 }\nb { epochs = 2 }")
    assert found.message == "mae does not fit `Heads`, whose output `mask` is 4x16x16"


def test_open_sizes_are_judged_where_they_say_enough() -> None:
    text = "net N { image: input(3xHxW)\nmask: conv(CHANNELS, 1) }"
    assert said("loss = dice", text.replace("CHANNELS", "3")) == ()
    (found,) = said("loss = cross_entropy", text.replace("CHANNELS", "1"))
    assert found.message == "cross_entropy does not fit `N`, whose output `mask` is 1xHxW"
    assert found.problem.help() == "write binary_cross_entropy, focal or dice for the class of each pixel; or give it two channels"


def test_what_is_written_of_another_net_of_the_file_is_checked() -> None:
    text = HEADS + ONE
    assert said("", text) == ()
    (found,) = diagnose(Source("n.net", text + "train One { loss = dice }"))
    assert "`One`" in found.message


def test_factors_of_the_learning_rate() -> None:
    graph = net('rates { base = 0.1, base.layer2 = 0.5, "base.*.1" = 2 }', ONE)
    found = factors(graph, graph.train.values["rates"])
    assert found == {"base.layer1.0": 0.1, "base.layer1.1": 2.0, "base.layer2.0": 0.5, "base.layer2.1": 2.0, "base.layer2.2": 0.5}
    assert factors(graph, ()) == {}
    with pytest.raises(NamesNothing):
        factors(graph, (("tail", 1.0),))


def test_rates_of_a_stage_come_after_those_of_train() -> None:
    graph = net("rates { base = 0.1, head = 4 }\na { rates { base.layer1 = 1 } }\nb { rates = none }\nc { epochs = 1 }", ONE)
    a, b, c = ({**graph.train.values, **s.values}["rates"] for s in graph.train.stages)
    assert a == (("base", 0.1), ("head", 4.0), ("base.layer1", 1.0))
    assert (b, c) == (None, a[:2])


@pytest.mark.parametrize(("monitor", "less"), [("val.loss", True), ("train.age.mae", True), ("val.rmse", True), ("val.auc", False)])
def test_of_which_figures_less_is_better(monitor: str, less: bool) -> None:
    assert minimized(monitor) == less
