"""Random nets held: formulas against the same net of each size, and refusals against PyTorch's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

import torch
from torch import nn

from netspec.backends.torch.modules import construct
from netspec.compiler import compile_source
from netspec.diagnostics import NetspecError
from netspec.graph import Graph
from netspec.open_sizes import OpenSizes
from netspec.shape import Shape
from netspec.sizes import at
from netspec.source import Source
from tests.open_sizes.growing import Spec, random_net

SIZES = 12
EQUAL_ONLY = {"add", "max", "min", "mean", "subtract"}
"""Merges of equal shapes: PyTorch stretches axes of 1, and netspec refuses them (a documented exception)."""
UNFILLED = {"N211"}
"""A dilated pooling of which a window lies in the padding alone: PyTorch gives minus infinity (a documented exception)."""


class Wrong(AssertionError):
    """A net and a size for which what is said of open sizes does not hold."""


@dataclass
class Tally:
    """What was held so far."""

    counts: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return ", ".join(f"{count:,} {what}" for what, count in sorted(self.counts.items()))


def hold(seed: int, tally: Tally) -> None:
    """Grow the net of a seed and hold it; raises :class:`Wrong`."""
    chance = Random(seed)
    spec = random_net(chance)
    sizes = [_sizes(spec, chance) for _ in range(SIZES)] + [spec.grown]
    try:
        graph = _compiled(spec, {})
    except NetspecError as error:
        tally.counts["nets that take no size"] += 1
        for chosen in sizes:
            if not isinstance(_outcome(spec, chosen), str):
                raise Wrong(f"seed {seed}: {chosen} is accepted, and the net is refused: {error}\n{spec.text}") from None
        return
    tally.counts["nets with formulas"] += 1
    tally.counts["nets that refuse sizes"] += any(not rule.is_free for rule in _sizes_of(graph).rules.values())
    modules = {n.index: construct(n.facts.torch, meta=True).eval() for n in graph.layers}
    for chosen in sizes:
        try:
            _hold_size(spec, graph, modules, chosen, tally)
        except Wrong as wrong:
            raise Wrong(f"seed {seed}, {chosen}: {wrong}\n{spec.text}") from None


def _sizes(spec: Spec, chance: Random) -> dict[str, int]:
    """Sizes as they may come: near to those it was grown with, round ones, small ones."""

    def one(grown: int) -> int:
        return max(
            1, chance.choice((grown + chance.randint(-3, 3), 8 * chance.randint(1, 10), chance.randint(1, 80), chance.randint(1, 12)))
        )

    return {letter: one(n) for letter, n in spec.grown.items()}


def _compiled(spec: Spec, sizes: dict[str, int]) -> Graph:
    return compile_source(Source("random.net", spec.text), **sizes)[0]


def _outcome(spec: Spec, sizes: dict[str, int]) -> Graph | str:
    """The net of these sizes, or the codes of what is wrong with it."""
    try:
        return _compiled(spec, sizes)
    except NetspecError as error:
        return " ".join(sorted({d.code for d in error.diagnostics}))


def _sizes_of(graph: Graph) -> OpenSizes:
    if graph.sizes is None:
        raise Wrong("the net has no open sizes")
    return graph.sizes


def _hold_size(spec: Spec, graph: Graph, modules: Mapping[int, nn.Module], chosen: dict[str, int], tally: Tally) -> None:
    open_sizes = _sizes_of(graph)
    plain = _outcome(spec, chosen)
    refusal = open_sizes.refusal(chosen)
    accepted = not isinstance(plain, str)
    if accepted != (refusal is None):
        raise Wrong(f"as numbers: {plain if isinstance(plain, str) else 'accepted'}; as formulas: {refusal or 'accepted'}")
    if not open_sizes.relations and len(open_sizes.rules) == len(open_sizes.symbols):
        said = all(chosen[s] in rule for s, rule in open_sizes.rules.items())
        if said is not accepted:
            raise Wrong(f"the sizes are {'accepted' if accepted else 'refused'}, and the rules say {open_sizes.sentences()}")
    theirs = _by_pytorch(graph, modules, chosen)
    if accepted != (theirs is None) and not (isinstance(plain, str) and plain in UNFILLED):
        raise Wrong(f"the sizes are {'accepted' if accepted else f'refused ({refusal})'}, and PyTorch says: {theirs or 'fine'}")
    tally.counts["sizes accepted" if accepted else "sizes refused"] += 1
    if isinstance(plain, Graph):
        _compare(graph, plain, chosen)


def _compare(graph: Graph, plain: Graph, chosen: dict[str, int]) -> None:
    for ours, node in zip(graph.nodes, plain.nodes, strict=True):
        if at((ours.output, ours.facts.macs), chosen) != (node.output, node.facts.macs) or ours.facts.weights != node.facts.weights:
            raise Wrong(f"`{node.layer}` at {node.path}: {ours.output}, {ours.facts.macs} and not {node.output}, {node.facts.macs}")
    if at(graph.macs, chosen) != plain.macs:
        raise Wrong(f"{graph.macs} MACs and not {plain.macs}")


def _by_pytorch(graph: Graph, modules: Mapping[int, nn.Module], chosen: dict[str, int]) -> str | None:
    """Run the modules of the graph with open sizes on tensors without memory; what PyTorch refuses, or ``None``."""
    values: dict[int, torch.Tensor] = {}
    for node in graph.nodes:
        if node.role == "input":
            values[node.index] = torch.empty(2, *at(node.output, chosen), device="meta")
            continue
        inputs = [values[i] for i in node.inputs]
        if node.layer in EQUAL_ONLY and len({x.shape for x in inputs}) > 1:
            return f"`{node.layer}` of {[tuple(x.shape[1:]) for x in inputs]}"
        try:
            result = modules[node.index](*inputs)
        except (RuntimeError, ValueError, IndexError, AssertionError) as error:
            return f"`{node.layer}`: {str(error)[:200]}"
        if not result.numel():
            return f"`{node.layer}` gives a tensor without numbers"
        found: Shape = tuple(result.shape[1:])
        if found != at(node.output, chosen):
            return f"`{node.layer}` gives {found}, and the formulas say {at(node.output, chosen)}"
        values[node.index] = result
    return None
