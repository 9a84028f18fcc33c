"""What is left to do once a net is written out in which others are used: heads that nobody takes go, and shared weights must agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from netspec.diagnostics import Related, problems
from netspec.diagnostics.collector import Collector
from netspec.graph import Auxiliary, Node, Output, Region
from netspec.shape import show
from netspec.values import show as show_value


@dataclass(frozen=True)
class Results:
    """The nodes of a net, what it gives, and which nodes its labels name."""

    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    auxiliary: tuple[Auxiliary, ...]
    labels: Mapping[str, int]


def left_out(found: Results, regions: Sequence[Region], borrowed: set[int]) -> Results:
    """Without what a used net computes beyond what is taken of it, as a classifier where only its features are.

    ``borrowed`` are the regions that are uses of nets.
    """
    if not borrowed:
        return found
    needed = {o.node for o in (*found.outputs, *found.auxiliary)}
    for node in reversed(found.nodes):
        if node.index in needed:
            needed.update(node.inputs)
    within = _within(regions, borrowed)
    kept = [n for n in found.nodes if n.index in needed or n.region not in within]
    if len(kept) == len(found.nodes):
        return found
    number = {n.index: i for i, n in enumerate(kept)}
    return Results(
        tuple(replace(n, index=number[n.index], inputs=tuple(number[i] for i in n.inputs)) for n in kept),
        tuple(replace(o, node=number[o.node]) for o in found.outputs),
        tuple(replace(o, node=number[o.node]) for o in found.auxiliary),
        {path: number[node] for path, node in found.labels.items() if node in number},
    )


def _within(regions: Sequence[Region], borrowed: set[int]) -> set[int]:
    """The regions that are used nets, and those inside of them; a region comes after the one around it."""
    found = set(borrowed)
    for number, region in enumerate(regions):
        if region.parent in found:
            found.add(number)
    return found


def report_shared(nodes: Sequence[Node], shared: set[str], collector: Collector) -> None:
    """Report uses of one shared block that would need other weights than the first, or are frozen where it is not."""
    if not shared:
        return
    first: dict[str, Node] = {}
    for node in nodes:
        known = first.setdefault(node.path, node)
        if known is node or not (difference := _difference(known, node)):
            continue
        problem = problems.SharedDiffers(node.path, *difference)
        trail = node.trail
        while trail is not None and trail.outer is not None:
            trail = trail.outer
        related = (Related(known.trail.place, "the first use"),) if known.trail is not None else ()
        collector.add(problem, trail.place if trail is not None else node.place, related)
        return


def _difference(first: Node, second: Node) -> tuple[str, str] | None:
    """What sets two uses of one layer apart, in words; ``None`` where one set of weights serves both."""
    ours, theirs = first.facts.weights, second.facts.weights
    for name in ours:
        if name not in theirs or theirs[name].shape != ours[name].shape:
            return f"`{name}` {show(ours[name].shape)}", f"`{name}` {show(theirs[name].shape)}" if name in theirs else "without it"
    if first.facts.torch != second.facts.torch:
        return _settings(first, second), _settings(second, first)
    if first.frozen != second.frozen:
        return ("frozen", "not frozen") if first.frozen else ("not frozen", "frozen")
    return None


def _settings(node: Node, other: Node) -> str:
    """The arguments in which a node differs from another."""
    differing = [f"{name}={show_value(v)}" for name, v in node.arguments.items() if other.arguments.get(name) != v]
    return f"{node.layer}({', '.join(differing)})" if differing else node.layer
