"""Row 6: the memory of a training step. Row 13: training behind a frozen base, with its values kept and without."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from netspec.backends.torch import CompiledNet, build
from netspec.compiler import compile_source, load
from netspec.frontier import frontier_of
from netspec.graph import Graph
from netspec.source import Source
from netspec.training.features.costs import Costs, decide, may_pay
from netspec.training.features.frozen_part import FrozenPart, bytes_of
from netspec.training.features.speed import measured_seconds
from netspec.training.planning.measuring import measured_peak
from netspec.training.planning.plan import Room

CPU = torch.device("cpu")
SAMPLES, BATCH = 256, 32


def step_peaks(graph: Graph, hand: nn.Module, batch: int) -> tuple[int, int]:
    """The most bytes of tensors in a step of SGD with momentum on bytes of pictures: of ours, and of the net written by hand."""
    net = build(graph)
    shape = (batch, *graph.inputs[0].output)
    image = torch.randint(0, 256, shape, dtype=torch.uint8)
    labels = torch.zeros(batch, dtype=torch.int64)
    return _peak(net, image, labels), _peak(hand, image, labels)


def _peak(net: nn.Module, image: Tensor, labels: Tensor) -> int:
    optimizer = torch.optim.SGD(net.train().parameters(), lr=1e-6, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(net(image), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    step()
    optimizer.zero_grad()
    return measured_peak(step, CPU)


class WithPreprocessing(nn.Module):
    """torchvision's model behind what its users write for bytes of pictures."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1))

    def forward(self, image: Tensor) -> Any:
        return self.model((image.float() / 255 - self.mean) / self.std)


_PAYS = """
use ResNet18 from "netspec:resnet"
net Head(classes = 10) {
    image: input(3x64x64)
    preprocess { scale(1/255) -> normalize(imagenet) }
    base: frozen ResNet18
    base.layer4 -> global_avgpool -> flatten -> linear(classes)
}
"""
_DOES_NOT = """
net Tail(classes = 10) {
    image: input(3x64x64)
    preprocess { scale(1/255) }
    base: frozen conv(16, 1)
    conv(16, 3, stride=2) -> relu -> conv(32, 3, stride=2) -> relu -> global_avgpool -> flatten -> linear(classes)
}
"""


def frozen_sides(pays: bool, epochs: int) -> tuple[Callable[[], object], Callable[[], object], str]:
    """Training for some epochs as the plan says, and without keeping anything, from the same weights; and what the plan says."""
    graph = compile_source(Source("frozen.net", _PAYS if pays else _DOES_NOT))[0]
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (SAMPLES, *graph.inputs[0].output), dtype=torch.uint8)
    labels = torch.randint(0, 10, (SAMPLES,))
    net = build(graph).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    net.freeze(frozenset(n.path for n in graph.layers if n.frozen))
    said = _decision(net, pixels, epochs)
    return lambda: train(net, pixels, labels, epochs, None), lambda: train(net, pixels, labels, epochs, "no"), said


def _decision(net: CompiledNet, pixels: Tensor, epochs: int) -> Any:
    frontier = frontier_of(net.graph, net.frozen)
    room = Room.here(CPU)
    costs = Costs(len(pixels), epochs, frontier.views, 0.0, bytes_of(frontier, "fp32"), room.memory, room.disk)
    if may_pay(costs):
        costs = replace(costs, seconds=measured_seconds(net.train(), frontier, [pixels[:BATCH]], "fp32"))
    return decide(costs)


def train(net: CompiledNet, pixels: Tensor, labels: Tensor, epochs: int, where: str | None) -> float:
    """Some epochs in a new order each; ``where`` as the plan decides if ``None``, whose measurement counts as it does in a run."""
    net.train()
    frontier = frontier_of(net.graph, net.frozen)
    chosen = where or _decision(net, pixels, epochs).where

    def batches() -> Iterable[Sequence[Tensor]]:
        return ((part,) for part in pixels.split(BATCH))

    kept = FrozenPart(net, frontier, batches, len(pixels), "", "fp32", CPU, BATCH).features(chosen, print)
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=1e-3)
    loss = torch.zeros(())
    for epoch in range(epochs):
        order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(epoch))
        for rows in order.split(BATCH):
            logits = net.logits(pixels[rows]) if kept is None else net.logits_from(kept.rows(rows))
            assert isinstance(logits, Tensor)
            loss = functional.cross_entropy(logits, labels[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return float(loss.detach())


def zoo(name: str, net: str | None = None) -> Graph:
    """A net of the library."""
    from netspec.resources import folder

    return load(folder("specs") / f"{name}.net", net=net)
