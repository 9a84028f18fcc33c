"""A net run in two parts, its still values first, is the net run whole: outputs, gradients and running statistics, bit for bit."""

from __future__ import annotations

import copy
import random

import pytest
import torch
from torch import Tensor

from netspec.backends.torch import CompiledNet, build
from netspec.diagnostics import NetspecError
from netspec.freezing import selected
from netspec.frontier import frontier_of
from netspec.graph import Graph
from tests.plan.zoo import RUN, images, zoo

SEEDS = range(4)


def random_frozen(graph: Graph, seed: int) -> frozenset[str]:
    """Every layer up to some place, and a few behind it; or a few at random."""
    chance = random.Random(seed)
    paths = [n.path for n in graph.layers if n.role == "layer"]
    cut = chance.randrange(1, len(paths))
    few = {p for p in paths if chance.random() < 0.2}
    return frozenset(few if seed % 4 == 3 else {*paths[:cut], *(p for p in few if seed % 2)})


def results(found: Tensor | dict[str, Tensor]) -> list[Tensor]:
    return [found] if isinstance(found, Tensor) else list(found.values())


def learn(net: CompiledNet, found: Tensor | dict[str, Tensor]) -> list[Tensor]:
    """Results, gradients and the state after a backward pass."""
    loss = sum((r.float().square().mean() for r in results(found)), torch.zeros(()))
    if loss.requires_grad:
        loss.backward()  # type: ignore[no-untyped-call]
    gradients = [torch.zeros(0) if p.grad is None else p.grad for p in net.parameters()]
    return [*(r.detach() for r in results(found)), *gradients, *net.state_dict().values()]


@pytest.mark.parametrize("name", sorted(RUN))
def test_two_parts_are_the_whole(name: str) -> None:
    graph = zoo(name)
    torch.manual_seed(0)
    built = build(graph).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batch = images(graph, 2)
    kept = 0
    for seed in SEEDS:
        frozen = random_frozen(graph, seed)
        frontier = frontier_of(graph, frozen)
        kept += len(frontier.values)
        whole, parts = copy.deepcopy(built), copy.deepcopy(built)
        for net in (whole, parts):
            net.freeze(frozen)
            net.train()
        places = {n.index: x for n, x in zip(graph.inputs, batch, strict=True)}
        torch.manual_seed(seed)
        expected = learn(whole, whole.logits(*batch))
        values = parts.features([v.node for v in frontier.values], *batch)
        assert not any(v.requires_grad for v in values)
        given = dict(zip(frontier.given, [*values, *(places[i] for i in frontier.inputs)], strict=True))
        torch.manual_seed(seed)
        assert all(map(torch.equal, learn(parts, parts.logits_from(given)), expected))
        with torch.no_grad():
            again = parts.eval().features([v.node for v in frontier.values], *batch)
            assert all(map(torch.equal, again, values))
            assert all(map(torch.equal, results(parts.logits_from(given)), results(whole.eval().logits(*batch))))
    assert kept, "no frontier had a value: nothing was tested"


def test_a_copy_runs_its_own_weights() -> None:
    graph = zoo("lenet5")
    net, batch = build(graph), images(graph, 2)
    value = next(n.index for n in graph.layers if n.role == "layer")
    before = net.features([value], *batch)
    twin = copy.deepcopy(net)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert not twin.features([value], *batch)[0].any()
    assert torch.equal(net.features([value], *batch)[0], before[0])


def test_what_is_missing_or_wrong_is_said() -> None:
    graph = zoo("photo_and_table")
    net = build(graph).eval()
    photo, facts = images(graph, 2)
    with pytest.raises(ValueError, match="facts is needed"):
        net.logits_from({graph.inputs[0].index: photo})
    with pytest.raises(NetspecError, match=r"photo"):
        net.logits_from({graph.inputs[0].index: photo[:, :1], graph.inputs[1].index: facts})
    whole = net.logits_from({graph.inputs[0].index: photo, graph.inputs[1].index: facts})
    assert torch.equal(whole, net.logits(photo, facts))  # type: ignore[arg-type]


def test_selected_paths_of_the_example_are_kept() -> None:
    """The frontier of a frozen trunk is what its pooling gives, and the head alone is run from it."""
    graph = zoo("resnet18")
    frontier = frontier_of(graph, selected(graph, ["conv1", "bn1", "layer*"]))
    assert [v.shape for v in frontier.values] == [(512,)]
    net = build(graph)
    ran: list[str] = []
    for path, module in net.named_modules():
        module.register_forward_hook(lambda *_, path=path: ran.append(path))
    net.logits_from({frontier.values[0].node: torch.zeros(2, 512)})
    assert ran == ["fc"]
