"""How far back a stage of training has to go: where its backward pass ends, and which values stay the same from epoch to epoch.

A value is *still* where every epoch computes it again to the same numbers: the input is not augmented, and every layer on the way is
frozen, or has neither weights nor chance. The *frontier* are the last still values: those that something uses which learns or draws,
or that a loss is computed from. They can be computed once and kept. An input that is only mirrored left and right has two views, and
so has each value behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from netspec.diagnostics.text import escape, listing, plural
from netspec.graph import Graph, Node, Output
from netspec.shape import Shape, elements

Seen = Literal["plain", "mirrored", "varied"]
"""How training sees an input: as it is; as it is or with left and right swapped; in ever new ways."""

_CHANCE: Final[Mapping[str, str | None]] = {
    **dict.fromkeys(("dropout", "spatial_dropout", "alpha_dropout", "stochastic_depth", "drop_block"), "rate"),
    "gaussian_noise": "std",
    "rrelu": None,
}
"""Layers without weights that draw while they train, and the argument that is 0 where they do not."""


@dataclass(frozen=True, slots=True)
class StillValue:
    """A value to keep: ``node`` gives it, of this shape for each sample; ``mirrored`` is the input whose view it follows, if any."""

    node: int
    path: str
    shape: Shape
    mirrored: str | None

    @property
    def views(self) -> int:
        return 1 if self.mirrored is None else 2

    @property
    def numbers(self) -> int:
        """How many numbers there are to keep for each sample, all views together."""
        return self.views * elements(self.shape)


@dataclass(frozen=True, slots=True)
class Frontier:
    """What a stage computes again and again although it need not, and what it goes back through.

    ``values`` can be kept; beside them what learns needs the inputs ``inputs``, by number. ``macs`` is what one forward pass
    over one sample spends on the values, ``whole`` what it spends altogether.
    ``ends`` are the layers at which the backward pass ends, ``through`` the frozen ones that it goes through.
    ``reasons`` says in a sentence each why there is not more to keep.
    """

    values: tuple[StillValue, ...]
    inputs: tuple[int, ...]
    macs: int
    whole: int
    ends: tuple[str, ...]
    through: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def given(self) -> tuple[int, ...]:
        """The nodes that the rest of the net is computed from: the values, then the inputs."""
        return (*(v.node for v in self.values), *self.inputs)

    @property
    def views(self) -> int:
        return max((v.views for v in self.values), default=1)


def logit_node(graph: Graph, output: Output) -> int:
    """The node that an output's loss is computed from: the one before the softmax or sigmoid it ends in, else its own."""
    return output.node if graph.ending(output) is None else graph.nodes[output.node].inputs[0]


def loss_nodes(graph: Graph) -> tuple[int, ...]:
    """The nodes that losses are computed from, auxiliary ones last."""
    return tuple(logit_node(graph, o) for o in (*graph.outputs, *graph.auxiliary))


def needed_beyond(nodes: Sequence[Node], results: Iterable[int], given: Iterable[int]) -> frozenset[int]:
    """The numbers of the nodes on a way to a result where the values ``given`` are known; those of them that are used are in it too."""
    found, known = set(results), set(given)
    for node in reversed(nodes):
        if node.index in found and node.index not in known:
            found.update(node.inputs)
    return frozenset(found)


def frontier_of(graph: Graph, frozen: frozenset[str], seen: Mapping[str, Seen] | None = None) -> Frontier:
    """The frontier of a stage in which the layers at the paths ``frozen`` do not learn.

    ``seen`` says by the name of an input how training sees it; one that is not named is seen as it is.
    """
    results = loss_nodes(graph)
    wanted = needed_beyond(graph.nodes, results, ())
    stirring = _Stirring(graph, frozen, wanted, seen or {})
    taken = {i for n in stirring.moving for i in graph.nodes[n].inputs} | set(results)
    edge = [n for n in stirring.still if n in taken]
    kept = _worthwhile(graph, _pulled_back(graph, edge, stirring.mirrored))
    rest = needed_beyond(graph.nodes, results, kept)
    values = tuple(_value(graph.nodes[n], stirring.mirrored[n]) for n in kept if n in rest)
    before = needed_beyond(graph.nodes, (v.node for v in values), ())
    learning = [n for n in stirring.learning if not any(i in stirring.learned for i in graph.nodes[n].inputs)]
    return Frontier(
        values=values,
        inputs=tuple(n.index for n in graph.inputs if n.index in rest),
        macs=sum(graph.nodes[n].facts.macs for n in before),
        whole=sum(graph.nodes[n].facts.macs for n in wanted),
        ends=_paths(graph, learning),
        through=_paths(graph, (n for n in stirring.passed if graph.nodes[n].facts.weights)),
        reasons=tuple(_reasons(graph, frozen, stirring, kept)),
    )


class _Stirring:
    """For each node that a loss needs, whether its value is still, and, where it is not, why."""

    def __init__(self, graph: Graph, frozen: frozenset[str], wanted: frozenset[int], seen: Mapping[str, Seen]) -> None:
        self.still: list[int] = []
        self.moving: list[int] = []
        self.learning: list[int] = []
        self.learned: set[int] = set()
        """Nodes that gradients flow through or end at."""
        self.passed: dict[int, None] = {}
        """Frozen nodes behind what learns."""
        self.mirrored: dict[int, frozenset[str]] = {}
        self.origin: dict[int, int] = {}
        """For each node that is not still, the first on the way to it that is not."""
        for node in graph.nodes:
            if node.index in wanted:
                self._add(node, frozen, seen)

    def _add(self, node: Node, frozen: frozenset[str], seen: Mapping[str, Seen]) -> None:
        n, fixed = node.index, node.path in frozen
        self.mirrored[n] = frozenset[str]().union(*(self.mirrored[i] for i in node.inputs))
        if node.role == "input" and seen.get(name_of(node)) == "mirrored":
            self.mirrored[n] = frozenset({name_of(node)})
        before = next((self.origin[i] for i in node.inputs if i in self.origin), None)
        own = seen.get(name_of(node)) == "varied" if node.role == "input" else not fixed and _stirs(node)
        if before is not None or own:
            self.origin[n] = n if before is None else before
            self.moving.append(n)
        else:
            self.still.append(n)
        flows = any(i in self.learned for i in node.inputs)
        learns = bool(node.facts.parameters) and not fixed
        if learns:
            self.learning.append(n)
        if learns or flows:
            self.learned.add(n)
        if fixed and flows:
            self.passed[n] = None


def name_of(node: Node) -> str:
    """What an input is called where its augmentation is named."""
    return node.label or node.path


def _stirs(node: Node) -> bool:
    """Whether a layer that is not frozen gives other numbers from step to step: it has weights or statistics, or it draws."""
    if node.layer not in _CHANCE:
        return bool(node.facts.weights)
    strength = _CHANCE[node.layer]
    return strength is None or node.arguments[strength] != 0


def _pulled_back(graph: Graph, edge: Sequence[int], mirrored: Mapping[int, frozenset[str]]) -> list[int]:
    """The values with some left out, and what they are made of in their place: those that steps without products make larger, and those
    behind several mirrored inputs, which have a view for each pair of theirs."""
    kept = set(edge)
    for node in reversed(graph.nodes):
        if node.index in kept and node.role != "input":
            origin = set(node.inputs) if len(mirrored[node.index]) > 1 else _smaller(graph, node, kept)
            if origin:
                kept = (kept - {node.index}) | origin
    return sorted(kept)


def _smaller(graph: Graph, node: Node, kept: set[int]) -> set[int]:
    """What a value is made of without products and is together smaller, or nothing; what is kept anyway takes no room."""
    if node.facts.macs:
        return set()
    if len(node.inputs) > 1:
        fresh = sum(elements(graph.nodes[i].output) for i in set(node.inputs) - kept)
        return set(node.inputs) if fresh < elements(node.output) else set()
    smallest = here = node
    while here.role != "input" and not here.facts.macs and len(here.inputs) == 1:
        here = graph.nodes[here.inputs[0]]
        if here.index in kept:
            return {here.index}
        if elements(here.output) < elements(smallest.output):
            smallest = here
    return set() if smallest is node else {smallest.index}


def _worthwhile(graph: Graph, values: Sequence[int]) -> list[int]:
    """Those of the values that products are spent on."""
    spent: set[int] = set()
    for node in graph.nodes:
        if node.facts.macs or any(i in spent for i in node.inputs):
            spent.add(node.index)
    return [v for v in values if v in spent]


def _value(node: Node, mirrored: frozenset[str]) -> StillValue:
    return StillValue(node.index, node.path, node.output, next(iter(mirrored), None))


def _paths(graph: Graph, nodes: Iterable[int]) -> tuple[str, ...]:
    """The paths of nodes, each once, in the order of the net."""
    return tuple(dict.fromkeys(graph.nodes[n].path for n in nodes))


def _reasons(graph: Graph, frozen: frozenset[str], stirring: _Stirring, kept: Sequence[int]) -> Iterable[str]:
    """Why frozen layers that spend products are computed in every step."""
    spending = [n for n in sorted((*stirring.moving, *stirring.still)) if graph.nodes[n].path in frozen and graph.nodes[n].facts.macs]
    if not spending:
        yield "no frozen layer has anything to compute" if frozen else "nothing is frozen"
    behind: dict[int, list[int]] = {}
    for n in spending:
        if n in stirring.origin:
            behind.setdefault(stirring.origin[n], []).append(n)
    for origin, nodes in sorted(behind.items()):
        yield f"{_are(graph, nodes)} computed in every step: {_since(graph.nodes[origin], not stirring.passed.keys().isdisjoint(nodes))}"
    beyond = needed_beyond(graph.nodes, loss_nodes(graph), kept) - set(kept)
    if again := [n for n in spending if n in beyond and n not in stirring.origin]:
        names = listing(sorted(map(escape, stirring.mirrored[again[0]])))
        yield f"{_are(graph, again)} computed in every step: {names} before are mirrored each by itself"


def _are(graph: Graph, nodes: Sequence[int]) -> str:
    paths = _paths(graph, nodes)
    return f"{escape(paths[0])} is" if len(paths) == 1 else f"{plural(len(paths), 'frozen layer')} from {escape(paths[0])} on are"


def _since(origin: Node, gradients: bool) -> str:
    """What keeps everything behind a node from being still."""
    if origin.role == "input":
        return f"{escape(name_of(origin))} is augmented by more than mirroring left and right"
    if not origin.facts.weights:
        return f"{escape(origin.path)} before draws anew, as {origin.layer} does while training"
    return f"{escape(origin.path)} before learns" + (", and gradients flow through" if gradients else "")
