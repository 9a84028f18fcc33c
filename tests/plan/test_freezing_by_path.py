"""What `freeze` and `unfreeze` come to, stage by stage: exceptions, and batch norms."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from netspec.backends.torch.weights import read_weights
from netspec.compiler import compile_source
from netspec.freezing import frozen_in_stages, norms_again
from netspec.graph import Graph
from netspec.report.planned import plan_lines
from netspec.source import Source
from netspec.training import train
from netspec.training.planning import plan_training
from tests.training.nets import write_data

NET = """
net A(classes = 3) {
    image: input(1x8x8)
    preprocess { scale(1/255) }
    base: BEFORE {
        low:  { conv(4, 3, padding=1) -> bn -> relu }
        high: { conv(4, 3, padding=1) -> bn -> relu }
    }
    conv(4, 3) -> bn -> flatten -> linear(classes)
}
train { epochs = 1, batch = 8
    TRAIN
}
"""
LOW, HIGH = {"base.low.0", "base.low.1", "base.low.2"}, {"base.high.0", "base.high.1", "base.high.2"}


def net(text: str, before: str = "frozen") -> Graph:
    return compile_source(Source("a.net", NET.replace("TRAIN", text).replace("BEFORE", before)))[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('freeze = "base", unfreeze = "base.high"', LOW),
        ('unfreeze = "base", freeze = "base.low"', LOW),
        ('unfreeze = "base.high", freeze = "base.high.1"', LOW | {"base.high.1"}),
        ('freeze = "base.low", unfreeze = "base.low"', HIGH),
        ('unfreeze = "base.high", batch_norm = fixed', LOW | {"base.high.1"}),
        ('batch_norm = fixed, unfreeze = "base"', {"base.low.1", "base.high.1"}),
    ],
)
def test_the_narrower_is_the_exception(text: str, expected: set[str]) -> None:
    assert frozen_in_stages(net(text)) == (expected,)


def test_a_norm_that_never_was_frozen_is_not_fixed() -> None:
    graph = net('a { batch_norm = fixed }\n    b { freeze = "base" }\n    c { unfreeze = "base", batch_norm = fixed }', before="")
    assert frozen_in_stages(graph) == (frozenset(), LOW | HIGH, {"base.low.1", "base.high.1"})


def test_a_stage_has_what_train_says_of_norms_unless_it_says_otherwise() -> None:
    graph = net('batch_norm = fixed\n    a { unfreeze = "base.high" }\n    b { unfreeze = "base.high", batch_norm = learn }')
    assert frozen_in_stages(graph) == (LOW | {"base.high.1"}, LOW)
    assert norms_again(graph) == ((), ("base.high.1",))


def test_the_plan_tells_of_norms_that_learn_again() -> None:
    plan = plan_training(net('a { }\n    b { unfreeze = "base" }'), 24, torch.device("cpu"), largest=False)
    assert [stage.norms for stage in plan.stages] == [(), ("base.low.1", "base.high.1")]
    said = "2 batch norms that were frozen learn again, by the statistics of each batch: base.low.1 and on; batch_norm = fixed keeps theirs"
    assert f"  batch norms    {said}" in list(plan_lines(plan))


def test_fixed_norms_keep_every_figure(tmp_path: Path) -> None:
    """None of their numbers changes, statistics neither, while the convolution before them learns."""
    data = write_data(tmp_path, train=24, val=8, test=0)
    found = []
    for setting in ("fixed", "learn"):
        graph = net(f'a {{ unfreeze = "base.high", batch_norm = {setting}, optimizer = adam(lr=0.01) }}')
        run = train(graph, data, out=tmp_path / setting, device="cpu")
        (region,) = run.record.stages[0].frozen
        weights = read_weights(tmp_path / setting / "last.safetensors", graph)
        assert region.tensors == 7 + 5 * (setting == "fixed")
        found.append({key: value for key, value in weights.items() if key.startswith("base.high.1.")})
    fixed, learned = found
    assert fixed["base.high.1.running_mean"].eq(0).all()
    assert fixed["base.high.1.running_var"].eq(1).all()
    assert fixed["base.high.1.weight"].eq(1).all()
    assert not learned["base.high.1.running_mean"].eq(0).any()
