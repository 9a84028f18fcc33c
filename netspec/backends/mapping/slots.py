"""A net's weights grouped into slots, what comes before what, and in which order the places of each vector stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

from netspec.backends.fit import is_counter
from netspec.backends.mapping.grouping import by_names
from netspec.graph import Graph, Node, Weight, is_below, key_of
from netspec.layer import layers
from netspec.shape import Shape, elements

Pieces = tuple[Shape, ...]
"""What a vector was put together from: a shape of more than one axis is a map that was flattened, its channels slowest."""

_CHANNELWISE: Final = frozenset({"activation", "norm", "regularise", "preprocess"})
"""Families of layers that leave every number at its place."""
_MIXING: Final = frozenset({"add", "subtract", "multiply", "max", "mean"})
_REARRANGING: Final = frozenset({"reshape", "permute", "pixel_shuffle", "pixel_unshuffle"})
"""Layers that do something else where channels stand last."""


@dataclass(frozen=True)
class Slot:
    """Weights of one layer that belong together: ``weights`` gives, by what each is, its key in the state dict and its shape.

    ``before`` has a bit for each slot whose layer comes before in the flow. ``pieces`` are those of the vector that flows in; empty where
    no vector does, ``None`` where the order of its places is not known.
    """

    name: str
    node: Node
    weights: Mapping[str, tuple[str, Weight]]
    before: int
    pieces: Pieces | None
    single: bool = False


def slots_of(graph: Graph, path: str = "") -> tuple[Slot, ...]:
    """The slots of a net, or of what stands at a path and below it, in the net's order. Counters of batches are none."""
    own: dict[int, list[int]] = {}
    made: list[tuple[str, Node, Mapping[str, tuple[str, Weight]], bool]] = []
    for node in graph.owners:
        weights = {key_of(node.path, name): w for name, w in node.facts.weights.items() if not is_counter(w)}
        if not weights or not is_below(node.path, path):
            continue
        for group in by_names(list(weights)):
            own.setdefault(node.index, []).append(len(made))
            roles = {role: (key, weights[key]) for role, key in group.roles.items()}
            made.append((group.name.replace("/", "."), node, roles, group.single))
    before, orders = _before(graph, own), _orders(graph)
    return tuple(Slot(name, node, roles, before[node.index], _flowing_in(graph, node, orders), one) for name, node, roles, one in made)


def rearranging(graph: Graph, path: str = "") -> Node | None:
    """The first layer at a path or below it that does something else where channels stand last."""
    inside = (n for n in graph.layers if is_below(n.path, path))
    return next((n for n in inside if n.layer in _REARRANGING), None)


def _before(graph: Graph, own: Mapping[int, Sequence[int]]) -> list[int]:
    """For each node, a bit for every slot before it in the flow."""
    owners = {n.path: n.index for n in graph.owners}
    bits = [0] * len(graph.nodes)
    for node in graph.nodes:
        for i in node.inputs:
            mine = own.get(owners.get(graph.nodes[i].path, i), ())
            bits[node.index] |= reduce(or_, (1 << slot for slot in mine), bits[i])
    return bits


def _flowing_in(graph: Graph, node: Node, orders: Sequence[Pieces | None]) -> Pieces | None:
    """The pieces of the vector that flows into a layer; empty where it is no vector."""
    if not node.inputs or len(graph.nodes[node.inputs[0]].output) != 1:
        return ()
    return orders[node.inputs[0]]


def _orders(graph: Graph) -> list[Pieces | None]:
    """For each node's output: the pieces of a vector, nothing for what is none, ``None`` where its order cannot be told."""
    found: list[Pieces | None] = []
    maps: list[bool] = []
    for node in graph.nodes:
        maps.append(_is_map(graph, node, maps))
        found.append(_order(graph, node, found, maps) if len(node.output) == 1 else ())
    return found


def _is_map(graph: Graph, node: Node, maps: Sequence[bool]) -> bool:
    """Whether a tensor is channels and places: with three axes or more it is, with two where convolutions and poolings made it."""
    if len(node.output) > 2:
        return True
    if len(node.output) < 2 or not node.inputs:
        return False
    return node.layer in ("conv", "conv_transpose") or "pool" in node.layer or (node.layer != "linear" and maps[node.inputs[0]])


def _order(graph: Graph, node: Node, found: Sequence[Pieces | None], maps: Sequence[bool]) -> Pieces | None:
    """The pieces of a node's output, a vector."""
    plain = (node.output,)
    sources = [graph.nodes[i] for i in node.inputs]
    if not sources or node.layer == "linear" or elements(node.output) == 1:
        return plain
    orders = [found[i] for i in node.inputs]
    known = layers().get(node.layer)
    if any(len(s.output) != 1 for s in sources):
        return _flattened(sources[0], maps[node.inputs[0]]) if node.layer in ("flatten", "squeeze") and len(sources) == 1 else None
    if node.layer == "concat":
        return tuple(p for order in orders for p in order or ()) if None not in orders else None
    same = len(set(orders)) == 1 and (node.layer in _MIXING or (known is not None and known.family in _CHANNELWISE))
    return orders[0] if same or node.layer == "flatten" else None


def _flattened(source: Node, is_map: bool) -> Pieces | None:
    if is_map:
        return (source.output,)
    return None if len(source.output) > 1 and not source.inputs else ((elements(source.output),),)
