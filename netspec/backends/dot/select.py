"""What of a graph is drawn: all of it or one part, and each run of equal blocks once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from netspec.diagnostics import failure
from netspec.diagnostics.drawing import UnknownPart
from netspec.diagnostics.text import closest
from netspec.graph import Graph, Node


@dataclass(frozen=True)
class Extent:
    """The nodes of a region and of all inside it: they follow each other, as they were made in one walk."""

    start: int
    end: int

    @property
    def nodes(self) -> range:
        return range(self.start, self.end)

    def __len__(self) -> int:
        return self.end - self.start

    def __contains__(self, node: int) -> bool:
        return self.start <= node < self.end


@dataclass
class Selection:
    """``drawn`` are the numbers of the nodes to draw. ``stands_for`` names, for a node left out by folding, the drawn one that is
    equal to it; ``times`` how often a drawn region stands in a row, and the last region of the row.
    """

    graph: Graph
    only: str | None
    fold: bool
    drawn: tuple[int, ...]
    stands_for: dict[int, int] = field(default_factory=dict)
    times: dict[int, tuple[int, int]] = field(default_factory=dict)

    @cached_property
    def consumers(self) -> dict[int, list[int]]:
        """Whom each node flows to, in the whole graph."""
        return _consumers(self.graph)

    @cached_property
    def results(self) -> frozenset[int]:
        """The nodes that are outputs of the net."""
        return frozenset(o.node for o in self.graph.outputs)

    @property
    def inside_nodes(self) -> set[int]:
        """The nodes of the part, drawn or stood in for."""
        return {*self.drawn, *self.stands_for}

    def shown(self, node: int) -> int:
        """The node that is drawn for this one."""
        while node in self.stands_for:
            node = self.stands_for[node]
        return node

    def inside(self, path: str) -> bool:
        """Whether what stands at this path belongs to the part that is drawn."""
        return self.only is None or _within(path, self.only)


def select(graph: Graph, only: str | None, fold: bool) -> Selection:
    """Choose the nodes of the part at the path ``only`` (a region's, a block's use's or a node's), or all; fold if asked.

    Raises :class:`~netspec.diagnostics.NetspecError` N972 (exit 2) where there is no such part.
    """
    nodes = tuple(range(len(graph.nodes))) if only is None else _part(graph, only)
    selection = Selection(graph, only, fold, nodes)
    if fold:
        _fold(selection)
    return selection


def _within(path: str, part: str) -> bool:
    return path == part or path.startswith(part + ".")


def _part(graph: Graph, only: str) -> tuple[int, ...]:
    regions = {i for i, r in enumerate(graph.regions) if i and _within(r.path, only)}
    nodes = tuple(n.index for n in graph.nodes if n.role != "input" and (n.region in regions or _within(n.path, only)))
    if nodes:
        return nodes
    parts = tuple(dict.fromkeys(r.path for r in graph.regions if r.parent == 0))
    known = [*(r.path for r in graph.regions[1:]), *(n.path for n in graph.nodes)]
    raise failure(UnknownPart(only, graph.name, closest(only, known), parts))


def _consumers(graph: Graph) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {n.index: [] for n in graph.nodes}
    for node in graph.nodes:
        for source in node.inputs:
            found[source].append(node.index)
    return found


# ---- folding


def _fold(selection: Selection) -> None:
    """Find runs of equal regions that follow each other in one chain, outermost first; draw the first of each."""
    extents, hidden = _extents(selection.graph), set[int]()
    for siblings in _families(selection, extents, hidden):
        for run in _runs(selection, extents, siblings):
            selection.times[run[0]] = (len(run), run[-1])
            hidden.update(run[1:])
            for region in run[1:]:
                shift = extents[region].start - extents[run[0]].start
                selection.stands_for.update((n, n - shift) for n in extents[region].nodes)
    selection.drawn = tuple(n for n in selection.drawn if n not in selection.stands_for)


def _families(selection: Selection, extents: list[Extent], hidden: set[int]) -> Iterator[list[int]]:
    """The regions of the part with layers in them, by the region around them; ``hidden`` grows by what is inside hidden ones."""
    children: dict[int, list[int]] = {}
    for index, region in enumerate(selection.graph.regions[1:], 1):
        if len(extents[index]) and selection.inside(region.path):
            children.setdefault(region.parent, []).append(index)
    for parent, siblings in sorted(children.items()):
        if parent in hidden:
            hidden.update(siblings)
        else:
            yield siblings


def _extents(graph: Graph) -> list[Extent]:
    starts, ends = [len(graph.nodes)] * len(graph.regions), [0] * len(graph.regions)
    for node in graph.nodes:
        starts[node.region] = min(starts[node.region], node.index)
        ends[node.region] = max(ends[node.region], node.index + 1)
    for index, region in reversed(list(enumerate(graph.regions))[1:]):
        starts[region.parent] = min(starts[region.parent], starts[index])
        ends[region.parent] = max(ends[region.parent], ends[index])
    return [Extent(s, max(e, s)) for s, e in zip(starts, ends, strict=True)]


def _runs(selection: Selection, extents: list[Extent], siblings: list[int]) -> Iterator[list[int]]:
    """Runs of two and more equal siblings."""
    run: list[int] = []
    for region in siblings:
        if run and _continues(selection, extents, run[-1], region):
            run.append(region)
            continue
        if len(run) > 1:
            yield run
        run = [region]
    if len(run) > 1:
        yield run


def _continues(selection: Selection, extents: list[Extent], before: int, region: int) -> bool:
    """Whether a region is equal to the one before it and takes nothing but what that one gives, which nobody else takes."""
    first, second = extents[before], extents[region]
    if first.end != second.start or len(first) != len(second) or not _equal(selection.graph, before, region, first, second):
        return False
    nodes = selection.graph.nodes
    entries = {s for n in nodes[second.start : second.end] for s in n.inputs if s not in second}
    exits = {n for n in first.nodes if any(c not in first for c in selection.consumers[n])}
    if len(entries) != 1 or entries != exits or any(n in selection.results for n in first.nodes):
        return False
    return all(c in first or c in second for c in selection.consumers[entries.pop()])


def _equal(graph: Graph, before: int, region: int, first: Extent, second: Extent) -> bool:
    one, other = graph.regions[before], graph.regions[region]
    if one.kind != other.kind or (one.kind == "block" and one.title != other.title):
        return False
    pairs = zip(graph.nodes[first.start : first.end], graph.nodes[second.start : second.end], strict=True)
    return len(_entries(graph, first)) == 1 and all(_same(graph, a, b, first, second, region - before) for a, b in pairs)


def _entries(graph: Graph, extent: Extent) -> set[int]:
    return {s for n in graph.nodes[extent.start : extent.end] for s in n.inputs if s not in extent}


def _same(graph: Graph, a: Node, b: Node, first: Extent, second: Extent, regions: int) -> bool:
    """Whether two nodes are at the same place of two regions and do the same; inside a region, places count from its start."""
    if (a.layer, a.role, a.frozen, a.output, a.arguments) != (b.layer, b.role, b.frozen, b.output, b.arguments):
        return False
    if b.region - a.region != regions or len(a.inputs) != len(b.inputs):
        return False
    return all(
        j - i == second.start - first.start if i in first else j not in second and graph.nodes[i].output == graph.nodes[j].output
        for i, j in zip(a.inputs, b.inputs, strict=True)
    )
