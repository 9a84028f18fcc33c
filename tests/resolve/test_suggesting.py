"""Settings in the wrong place, or under the names of other frameworks: the line that is said can be pasted, and keeps what stands there."""

from __future__ import annotations

import shlex

import pytest

from netspec.compiler import compile_source, diagnose
from netspec.diagnostics import NetspecError
from netspec.source import Source

NET = "net A {\nimage: input(3x32x32)\nbase: { conv(8, 3) -> relu }\nflatten -> linear(10)\n}\n"


def help_of(text: str, **settings: str) -> str:
    """What is said of the setting that there is not."""
    with pytest.raises(NetspecError) as caught:
        compile_source(Source("a.net", text), settings={k.replace("__", "."): v for k, v in settings.items()})
    (said,) = (d.problem.help() for d in caught.value.diagnostics if d.code in ("N602", "N407"))
    return said or ""


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("class_weight = balanced", "loss = cross_entropy(weight=balanced)"),
        ("early_stopping = 3", "stop { patience = 3 }"),
        ("early_stopping = true", "stop { patience = 10 }"),
        ("patience = 3", "stop { patience = 3 }"),
        ("label_smoothing = 0.1", "loss = cross_entropy(label_smoothing=0.1)"),
        ("warmup = 5%", "schedule = cosine(warmup=5%)"),
        ("warmup = 5", "schedule = cosine(warmup=5%)"),
        ("schedule = step(every=10)\nwarmup = 3%", "schedule = step(every=10, warmup=3%)"),
        ("val_split = 0.2", "data { split = [70%, 20%, 10%] }"),
        ("validation_split = 15%", "data { split = [75%, 15%, 10%] }"),
        ("learning_rate = 0.1", "optimizer = adam(lr=0.1)"),
        ("lr = 0.1\noptimizer = sgd(momentum=0.9)", "optimizer = sgd(lr=0.1, momentum=0.9)"),
        ("optimizer = SGD(momentum=0.9)\nlearning_rate = 0.1", "optimizer = sgd(lr=0.1)"),
        ("learning_rate = 0.1\noptimizer = SGD(momentum=0.9)", "optimizer = sgd(lr=0.1)"),
        ("momentum = 0.9", "optimizer = sgd(momentum=0.9)"),
        ("mixed_precision = true", "precision = bf16"),
        ("optimizer = sgd(momentum=0.9)\na { lr = 0.01 }", "optimizer = sgd(lr=0.01, momentum=0.9)"),
    ],
)
def test_lines_of_a_file(lines: str, said: str) -> None:
    assert help_of(f"{NET}train {{\n{lines}\n}}\n") == f"write {said}"
    text = f"{NET}{said}" if said.startswith("data") else f"{NET}train {{\n{said}\n}}\n"
    assert not [d for d in diagnose(Source("a.net", text)) if d.is_error]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("train.optimizer.lr", "0.2", 'train.optimizer=sgd(lr=0.2, momentum=0.9)'),
        ("train.schedule.warmup", "0.1", "train.schedule=cosine(warmup=0.1, floor=0.1)"),
        ("train.stop.patience", "3", "train.stop=stop(patience=3)"),
        ("train.a.optimizer.lr", "0.2", "train.a.optimizer=sgd(lr=0.2, momentum=0.9)"),
        ("train.a.stop.patience", "3", "train.a.stop=stop(patience=3)"),
        ("train.label_smoothing", "0.1", "train.loss=cross_entropy(label_smoothing=0.1)"),
        ("train.val_split", "0.2", "data.split=[70%, 20%, 10%]"),
        ("data.val_split", "0.2", "data.split=[70%, 20%, 10%]"),
        ("warmup", "0.1", "train.schedule=cosine(warmup=0.1)"),
        ("patience", "3", "train.stop=stop(patience=3)"),
    ],
)  # fmt: skip
def test_lines_of_the_command_line(key: str, value: str, said: str) -> None:
    text = f"{NET}train {{\noptimizer = sgd(lr=0.1, momentum=0.9)\nschedule = cosine(floor=0.1)\na {{ epochs = 2 }}\n}}\n"
    assert help_of(text, **{key: value}) == f'write --set "{said}"'
    name, _, new = shlex.split(f'"{said}"')[0].partition("=")
    compile_source(Source("a.net", text), settings={name: new})


@pytest.mark.parametrize(
    ("word", "said"), [("fp16", "bf16"), ("float16", "bf16"), ("half", "bf16"), ("bfloat16", "bf16"), ("float32", "fp32")]
)
def test_precisions_by_other_names(word: str, said: str) -> None:
    (found,) = diagnose(Source("a.net", f"{NET}train {{\nprecision = {word}\n}}\n"))
    help_ = found.problem.help() or ""
    assert help_.startswith(f"write {said}")
    assert ("range of fp32" in help_) == (word in ("fp16", "float16", "half"))


def test_rates_are_replaced_where_they_stand() -> None:
    text = NET + 'train { rates { base = 0.1, "base.0" = 0.5 } }\n'
    settings = {"train.rates.base": "0.2", "train.rates.base.1": "0.3"}
    (graph,) = compile_source(Source("a.net", text), settings=settings)
    assert graph.train.values["rates"] == (("base", 0.2), ("base.0", 0.5), ("base.1", 0.3))


@pytest.mark.parametrize(
    ("metrics", "code", "marked"),
    [
        ("[top_k(k=3), top_k(k=5)]", "N405", "top_k(k=5)"),
        ("top_k(k=10)", "N772", "metrics"),
        ("top_k(k=11)", "N772", "metrics"),
    ],
)
def test_metrics_that_cannot_be_told_apart_or_say_nothing(metrics: str, code: str, marked: str) -> None:
    text = f"{NET}train {{\nmetrics = {metrics}\n}}\n"
    (found,) = diagnose(Source("a.net", text))
    assert found.code == code
    assert found.place is not None and text[found.place.span.start : found.place.span.end] == marked
