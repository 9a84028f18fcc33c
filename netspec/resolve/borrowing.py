"""What is left to do once a net is written out in which others are used: heads that nobody takes go, and shared weights must agree."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from netspec.diagnostics import Related, Trail, problems
from netspec.diagnostics.collector import Collector
from netspec.graph import Auxiliary, Node, Output, Region, key_of
from netspec.resolve.declarations import Definition
from netspec.shape import same, show
from netspec.source import Place
from netspec.values import show as show_value


@dataclass(frozen=True)
class Results:
    """The nodes of a net, what it gives, and which nodes its labels name."""

    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    auxiliary: tuple[Auxiliary, ...]
    labels: Mapping[str, int]
    left_out: frozenset[str] = frozenset()
    """The keys of the weights that went."""


def left_out(found: Results, regions: Sequence[Region], borrowed: Collection[int]) -> Results:
    """Without what a used net computes beyond what is taken of it, as a classifier where only its features are.

    ``borrowed`` are the regions that are uses of nets.
    """
    if not borrowed:
        return found
    within = _within(regions, borrowed)
    needed = {o.node for o in (*found.outputs, *found.auxiliary)} | {n.index for n in found.nodes if n.region not in within}
    for node in reversed(found.nodes):
        if node.index in needed:
            needed.update(node.inputs)
    kept = [n for n in found.nodes if n.index in needed]
    if len(kept) == len(found.nodes):
        return found
    number = {n.index: i for i, n in enumerate(kept)}
    return Results(
        tuple(replace(n, index=number[n.index], inputs=tuple(number[i] for i in n.inputs)) for n in kept),
        tuple(replace(o, node=number[o.node]) for o in found.outputs),
        tuple(replace(o, node=number[o.node]) for o in found.auxiliary),
        {path: number[node] for path, node in found.labels.items() if node in number},
        _keys(n for n in found.nodes if n.index not in needed) - _keys(kept),
    )


def _keys(nodes: Iterable[Node]) -> frozenset[str]:
    return frozenset(key_of(node.path, name) for node in nodes for name in node.facts.weights)


def _within(regions: Sequence[Region], borrowed: Collection[int]) -> set[int]:
    """The regions that are used nets, and those inside of them; a region comes after the one around it."""
    found = set(borrowed)
    for number, region in enumerate(regions):
        if region.parent in found:
            found.add(number)
    return found


def report_unused(found: Results, made: Sequence[Node], regions: Sequence[Region], uses: Mapping[int, Trail], collector: Collector) -> None:
    """Report uses of whole nets of which nothing is used; ``made`` are the nodes with what is left out, ``uses`` the regions that are
    such a use, each with its place. A net that makes nothing passes on what flows in."""
    used, holding = _holding(found.nodes, regions), _holding(made, regions)
    reported: set[int] = set()
    for number, use in uses.items():
        if number in used or number not in holding:
            continue
        if regions[number].parent not in _within(regions, reported):
            collector.add(problems.Unused(use.block.partition("(")[0], False, (), labelled=False), use.place, (), use.outer)
        reported.add(number)


def _holding(nodes: Sequence[Node], regions: Sequence[Region]) -> set[int]:
    """The regions with a node in them, or in one of theirs."""
    found = {n.region for n in nodes}
    for number in range(len(regions) - 1, -1, -1):
        if number in found:
            found.add(regions[number].parent)
    return found


def report_shared(nodes: Sequence[Node], regions: Sequence[Region], shared: Mapping[str, Definition], collector: Collector) -> None:
    """Report uses of a shared block that need other weights than the first, or are frozen where it is not; and what else is at its path."""
    if not shared:
        return
    first: dict[str, Node] = {}
    for node in nodes:
        path = next((p for p in _prefixes(node.path) if p in shared), None)
        if path is not None and not _is_of(path, node, regions):
            block = shared[path]
            related = (Related(Place(block.source, block.item.name_span), "the shared block, whose weights are there"),)
            collector.add(problems.DefinedTwice(path, "path of weights"), node.place, related, node.trail)
            return
        known = first.setdefault(node.path, node)
        if known is node or (problem := _difference(known, node)) is None:
            continue
        trail = node.trail
        while trail is not None and trail.outer is not None:
            trail = trail.outer
        uses = (Related(known.trail.place, "the first use"),) if known.trail is not None else ()
        collector.add(problem, trail.place if trail is not None else node.place, uses)
        return


def _prefixes(path: str) -> Iterator[str]:
    """A path, and those around it."""
    while path:
        yield path
        path = path.rpartition(".")[0]


def _is_of(path: str, node: Node, regions: Sequence[Region]) -> bool:
    """Whether a node is of a use of the shared block at this path."""
    name = path.rpartition(".")[2]
    number = node.region
    while number >= 0:
        region = regions[number]
        if region.kind == "block" and region.path == path and region.title.partition("(")[0] == name:
            return True
        number = region.parent
    return False


def _difference(first: Node, second: Node) -> problems.SharedDiffers | None:
    """What sets two uses of one layer apart; ``None`` where one set of weights serves both."""
    ours, theirs = first.facts.weights, second.facts.weights
    if first.layer != second.layer:
        return problems.SharedDiffers(first.path, f"the layer {first.layer}", f"the layer {second.layer}")
    for name in ours:
        if name not in theirs:
            return problems.SharedDiffers(first.path, f"a `{name}`", f"no `{name}`")
        if not same(theirs[name].shape, ours[name].shape):
            before, here = (f"a `{name}` of {show(w[name].shape)}" for w in (ours, theirs))
            return problems.SharedDiffers(first.path, before, here)
    if first.facts.torch != second.facts.torch:
        return problems.SharedDiffers(first.path, _settings(first, second), _settings(second, first))
    if first.frozen != second.frozen:
        before, here = ("to be frozen" if n.frozen else "to learn" for n in (first, second))
        return problems.SharedDiffers(first.path, before, here, "freeze every use of it, or none")
    return None


def _settings(node: Node, other: Node) -> str:
    """The arguments in which a node differs from another."""
    differing = [f"{name}={show_value(v)}" for name, v in node.arguments.items() if other.arguments.get(name) != v]
    return f"{node.layer}({', '.join(differing)})" if differing else f"the {node.layer} of another size"
