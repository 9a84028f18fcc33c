"""Equal uses of a block are written out once: the second is the first, moved to another path and fed by other tensors.

A use is known by its text, its arguments, the shapes that flow in and whether it is frozen. All that comes of it follows from these,
since a block sees nothing of what lies around it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from netspec.diagnostics import Trail
from netspec.graph import Node, Region
from netspec.resolve.emit import Emitter, Frame, Overflow
from netspec.resolve.scope import Labelled, Namespace
from netspec.source import Span
from netspec.syntax import ast
from netspec.values import Tensor


@dataclass(frozen=True)
class Mark:
    """How much had been written when a use began."""

    nodes: int
    regions: int
    labels: int
    reports: int

    @classmethod
    def of(cls, emitter: Emitter) -> Mark:
        return cls(len(emitter.nodes), len(emitter.regions), len(emitter.labels), emitter.collector.added)


@dataclass(frozen=True)
class Take:
    """A use of a block as it was written out: what it made, where it stood, and what was fed to it."""

    nodes: Sequence[Node]
    regions: Sequence[Region]
    labels: Sequence[tuple[str, int]]
    namespace: Namespace
    region: int
    trail: Trail | None
    fed: tuple[Tensor, ...]
    result: Tensor
    first: int
    spent: int
    """How many statements were done for it."""


def key_of(block: ast.Block, given: Mapping[str, Any], flow: Tensor | None, frame: Frame) -> Hashable | None:
    """What a use of a block is known by; ``None`` where it cannot be repeated."""
    fed = feeding(given, flow)
    if any(t.shape is None or t.node < 0 for t in fed):
        return None
    pattern = tuple(next(i for i, other in enumerate(fed) if other.node == t.node) for t in fed)
    values = tuple((name, typed(v)) for name, v in given.items() if not isinstance(v, Tensor))
    tensors = tuple(name for name, v in given.items() if isinstance(v, Tensor))
    return (id(block), values, tensors, tuple(t.shape for t in fed), pattern, flow is None, frame.frozen, frame.role, frame.root)


def feeding(given: Mapping[str, Any], flow: Tensor | None) -> tuple[Tensor, ...]:
    """The tensors that a use is fed: what flows in, then those among its arguments."""
    return (*(() if flow is None else (flow,)), *(v for v in given.values() if isinstance(v, Tensor)))


def typed(value: Any) -> Hashable:
    """A value with its type: 1, 1.0 and true are three things."""
    return (tuple, tuple(map(typed, value))) if type(value) is tuple else (type(value), value)


def taken(emitter: Emitter, mark: Mark, inner: Frame, fed: tuple[Tensor, ...], result: Tensor, spent: int) -> Take | None:
    """What was written since a mark, to be repeated; ``None`` where it leans on anything but what it was fed."""
    if result.node < 0 or emitter.collector.added != mark.reports:
        return None
    nodes = emitter.nodes[mark.nodes :]
    outside = {i for n in nodes for i in n.inputs if i < mark.nodes}
    known = {t.node for t in fed}
    if not outside <= known or (result.node < mark.nodes and result.node not in known):
        return None
    labels = tuple(islice(emitter.labels.items(), mark.labels, None))
    regions = emitter.regions[inner.region + 1 :]
    return Take(nodes, regions, labels, inner.namespace, inner.region, inner.trail, fed, result, mark.nodes, spent)


def repeat(take: Take, emitter: Emitter, inner: Frame, fed: tuple[Tensor, ...], span: Span) -> Tensor:
    """Write a use out again: ``inner`` is its frame, ``fed`` what it is fed. Gives what flows out of it.

    Raises :class:`Overflow` where there would be too many nodes.
    """
    here = len(emitter.nodes)
    if here + len(take.nodes) > emitter.max_nodes:
        raise Overflow(here + len(take.nodes), span, inner.source)
    shift, old, new = here - take.first, take.namespace.path, inner.namespace.path
    number = {t.node: other.node for t, other in zip(take.fed, fed, strict=True)}
    below, cut = f"{old}.", len(old)
    trails: dict[int, Trail | None] = {id(take.trail): inner.trail}
    by_region = inner.region - take.region
    append = emitter.nodes.append
    for n in take.nodes:
        append(
            Node(
                n.index + shift,
                new + n.path[cut:] if n.path.startswith(below) else n.path,
                n.layer,
                n.label,
                n.arguments,
                tuple([i + shift if i >= take.first else number[i] for i in n.inputs]),
                n.facts,
                n.role,
                n.frozen,
                n.region + by_region,
                n.place,
                trails[id(n.trail)] if id(n.trail) in trails else _moved(n.trail, trails),
            )
        )
    for r in take.regions:
        emitter.regions.append(replace(r, path=_renamed(r.path, old, new), parent=r.parent + by_region))
    for path, node in take.labels:
        emitter.labels.setdefault(_renamed(path, old, new), node + shift if node >= take.first else number[node])
    return _tensor(take.result, take.first, shift, number)


def _renamed(path: str, old: str, new: str) -> str:
    """A path below ``old`` as one below ``new``; that of a shared block stays."""
    return new + path[len(old) :] if path.startswith(old) and path[len(old) : len(old) + 1] in ("", ".") else path


def _moved(trail: Trail | None, known: dict[int, Trail | None]) -> Trail | None:
    """The trail of an inner use, through the new use instead of the old one."""
    if trail is None or id(trail) in known:
        return known.get(id(trail))
    known[id(trail)] = found = Trail(trail.block, trail.place, _moved(trail.outer, known))
    return found


def _tensor(tensor: Tensor, first: int, shift: int, number: Mapping[int, int]) -> Tensor:
    return Tensor(tensor.node + shift if tensor.node >= first else number.get(tensor.node, -1), tensor.shape)


def fill(namespace: Namespace, take: Take, first_node: int, fed: tuple[Tensor, ...]) -> None:
    """Put what is labelled inside the take into a namespace, so that it can be read from outside."""
    number = {t.node: other.node for t, other in zip(take.fed, fed, strict=True)}
    _copy(take.namespace, namespace, take.namespace.path, namespace.path, first_node - take.first, take.first, number)


def _copy(source: Namespace, target: Namespace, old: str, new: str, shift: int, first: int, number: Mapping[int, int]) -> None:
    target.count, target.unsure = source.count, source.unsure
    target.steps = {place: _tensor(tensor, first, shift, number) for place, tensor in source.steps.items()}
    for name, found in source.labels.items():
        inside = None
        if found.inside is not None:
            inside = Namespace(_renamed(found.inside.path, old, new))
            _copy(found.inside, inside, old, new, shift, first, number)
        target.labels[name] = Labelled(_tensor(found.tensor, first, shift, number), found.place, inside)
