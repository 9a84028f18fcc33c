"""Training with kept values ends with the weights of training without, bit for bit: over optimisers, precisions, places and views."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from netspec.augment import Augmenter
from netspec.backends.torch import build
from netspec.compiler import compile_source
from netspec.freezing import initially_frozen
from netspec.frontier import frontier_of
from netspec.source import Source
from netspec.training.devices.precision import Precision, mixed
from netspec.training.features.frozen_part import FrozenPart
from netspec.training.features.views import mirrored_in, seen_of
from netspec.training.learning.averaging import Averaged
from netspec.training.learning.learner import Learner
from tests.plan.real import stage

SAMPLES, BATCH, EPOCHS = 40, 8, 3
CPU = torch.device("cpu")
TEXT = """
net A {
    image: input(3x16x16)
    preprocess { scale(1/255) -> normalize(imagenet) }
    AUGMENT
    base: frozen { conv(8, 3, padding=1) -> bn -> relu -> conv(16, 3, stride=2, padding=1) -> bn -> relu -> dropout(0.5) }
    top: { conv(16, 3) -> bn -> relu -> dropout(0.3) }
    base -> flatten -> side: linear(4)
    top -> global_avgpool -> flatten -> main: linear(4)
    output(main)
    auxiliary(side)
}
"""


def trained(where: str, augment: str, optimizer: str, precision: Precision) -> dict[str, Tensor]:
    """The state, and the means of the weights, after a few epochs."""
    graph = compile_source(Source("a.net", TEXT.replace("AUGMENT", augment)))[0]
    torch.manual_seed(0)
    net = build(graph).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learner = Learner(net, CPU, Averaged(net, 0.9))
    frozen = initially_frozen(graph)
    learner.enter(stage(optimizer), frozen)
    net.train()
    pixels = torch.randint(0, 256, (SAMPLES, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(SAMPLES) % 4
    frontier = frontier_of(graph, frozen, seen_of(graph))
    assert [v.path for v in frontier.values] == ["base.6"]

    def batches() -> Iterable[Sequence[Tensor]]:
        return ((part,) for part in pixels.split(BATCH))

    part = FrozenPart(net, frontier, batches, SAMPLES, "d", precision, CPU, BATCH)
    told: list[Any] = []
    kept = part.features(where, told.append)  # type: ignore[arg-type]
    assert (kept is None, told) == (where == "no", [])
    augmenter = Augmenter.of(graph, 5).get("image")
    for epoch in range(EPOCHS):
        order = torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(epoch))
        for rows in order.split(BATCH):
            with mixed(precision, CPU):
                if kept is None:
                    found = net.logits(pixels[rows] if augmenter is None else augmenter(pixels[rows], rows, epoch))
                else:
                    found = net.logits_from(kept.rows(rows, {} if augmenter is None else {"image": mirrored_in(augmenter, rows, epoch)}))
            assert isinstance(found, dict)
            loss = sum((functional.cross_entropy(x.float(), labels[rows]) for x in found.values()), torch.zeros(()))
            learner.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            learner.optimizer.step()
            assert learner.averaged is not None
            learner.averaged.update(net, epoch + 1)
    return {**net.state_dict(), **{f"mean {k}": v for k, v in learner.weights().items()}}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETSPEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NETSPEC_CACHE_GB", raising=False)


@pytest.mark.parametrize("augment", ["", "augment { flip }", "augment { alternating_flip }"])
@pytest.mark.parametrize("where", ["memory", "disk"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "rmsprop"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_weights_are_the_same(where: str, augment: str, optimizer: str, precision: Precision) -> None:
    expected, found = trained("no", augment, optimizer, precision), trained(where, augment, optimizer, precision)
    assert expected.keys() == found.keys()
    different = [key for key in expected if not torch.equal(expected[key], found[key])]
    assert not different
