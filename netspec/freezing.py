"""Which layers are frozen in each stage of training, and how fast the others learn: a function of the graph alone.

``"base"`` is everything at and below a path; ``"base.layer*.conv1"`` all that fit, a star standing for any letters of one name;
``"base[-4:]"`` the last four steps of a region, which count as in a slice of a region in the language: layers, uses of blocks and
labelled regions have a position, merges without a label have none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from netspec.diagnostics.text import closest
from netspec.graph import Graph, Node, is_below

_SEGMENT: Final = re.compile(r"([^.\[\]]*)((?:\[[^\[\]]*\])?)(?:\.|$)")
_INDEX: Final = re.compile(r"\[\s*([+-]?\d{1,9})?\s*(:)?\s*([+-]?\d{1,9})?\s*\]")


class NamesNothing(ValueError):
    """A path that leads nowhere; ``why`` says where it ends, ``near`` what was most likely meant, ``known`` what there is."""

    def __init__(self, why: str, near: str | None = None, known: tuple[str, ...] = ()) -> None:
        super().__init__(why)
        self.why = why
        self.near = near
        self.known = known


@dataclass
class _Place:
    """A piece of a path: what stands at it and below."""

    path: str
    steps: dict[str, _Place] = field(default_factory=dict)
    counts: bool = True
    """Whether it has a position."""

    def row(self) -> list[_Place]:
        return [place for place in self.steps.values() if place.counts]

    def within(self) -> Iterator[_Place]:
        """Everything below."""
        for place in self.steps.values():
            yield place
            yield from place.within()


def initially_frozen(graph: Graph) -> frozenset[str]:
    """The paths of the layers that `frozen` in the net is written before."""
    return frozenset(n.path for n in graph.layers if n.frozen)


def frozen_in_stages(graph: Graph) -> tuple[frozenset[str], ...]:
    """For each stage, the paths of the layers that do not learn; one set where there are no stages.

    It begins with what the net freezes; then come `freeze` and `unfreeze` of `train`, and so on with each stage in turn. Raises
    :class:`NamesNothing`.
    """
    return tuple(frozen for frozen, _ in _in_turn(graph))


def norms_again(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """For each stage, the paths of the batch norms that were frozen before and learn in it, so that they go by the statistics of the batch
    where they went by those they came with. Raises :class:`NamesNothing`."""
    return tuple(tuple(path for path in _norms(graph) if path in before - frozen) for frozen, before in _in_turn(graph))


def _in_turn(graph: Graph) -> list[tuple[frozenset[str], frozenset[str]]]:
    """For each stage, what is frozen, and what was frozen at any time before it."""
    top, before = graph.train.values, initially_frozen(graph)
    frozen = _changed(graph, before, before, top)
    found = []
    for stage in graph.train.stages:
        before |= frozen
        frozen = _changed(graph, frozen, before, {"batch_norm": top.get("batch_norm"), **stage.values})
        found.append((frozen, before))
    return found or [(frozen, before)]


def _changed(graph: Graph, frozen: frozenset[str], before: frozenset[str], values: Mapping[str, Any]) -> frozenset[str]:
    """What is frozen from here on. Where `freeze` names a part of what `unfreeze` names, that is the exception; else it is the other way
    round. Batch norms that are to be `fixed` stay frozen once they were."""
    freeze, unfreeze = (selected(graph, values.get(key) or ()) for key in ("freeze", "unfreeze"))
    frozen = (frozen - unfreeze) | freeze if freeze < unfreeze else (frozen | freeze) - unfreeze
    return frozen | (before.intersection(_norms(graph)) if values.get("batch_norm") == "fixed" else frozenset())


def _norms(graph: Graph) -> tuple[str, ...]:
    """The paths of the layers that go by statistics of their own while they are frozen."""
    return tuple(dict.fromkeys(n.path for n in graph.layers if n.layer == "bn"))


def learning(graph: Graph, frozen: frozenset[str]) -> int:
    """How many parameters learn while the layers at these paths do not."""
    return sum(n.facts.parameters for n in graph.owners if n.path not in frozen)


def most_learning(graph: Graph) -> int:
    """How many parameters learn in the stage in which most do."""
    return max(learning(graph, frozen) for frozen in frozen_in_stages(graph))


def selected(graph: Graph, patterns: Sequence[str]) -> frozenset[str]:
    """The paths of all layers that the patterns name. Raises :class:`NamesNothing` for the first that names none."""
    if not patterns:
        return frozenset()
    root, paths = _tree(graph), [n.path for n in graph.layers if n.role == "layer"]
    tops = [place.path for pattern in patterns for place in _found(root, pattern)]
    return frozenset(path for path in paths if any(is_below(path, top) for top in tops))


def factors(graph: Graph, rates: Sequence[tuple[str, float]]) -> dict[str, float]:
    """What the learning rate of each layer is multiplied with, by the layer's path; 1 for those that are not in it.

    ``rates`` are the lines of the setting `rates`: a pattern as of `freeze`, and the factor of the layers that it names. Of several that
    name one layer, the last holds. Raises :class:`NamesNothing`.
    """
    found: dict[str, float] = {}
    for pattern, factor in rates:
        found |= dict.fromkeys(selected(graph, (pattern,)), factor)
    return found


def _tree(graph: Graph) -> _Place:
    root = _Place("")
    for node in graph.layers:
        if node.role == "layer":
            _insert(root, node)
    return root


def _insert(root: _Place, node: Node) -> None:
    place, names = root, node.path.split(".")
    for i, name in enumerate(names):
        place = place.steps.setdefault(name, _Place(".".join(names[: i + 1])))
    place.counts = node.label is not None or names[-1].isdecimal()


def _found(root: _Place, pattern: str) -> list[_Place]:
    """What a pattern leads to."""
    places, at = [root], 0
    while at < len(pattern) or not pattern:
        match = _SEGMENT.match(pattern, at)
        if match is None or not match[0].strip("."):
            raise NamesNothing('a path is names with dots between them, as "base.layer4.*" or "base[-4:]"')
        if match[1]:
            places = _named(root, places, match[1], pattern)
        if match[2]:
            places = _sliced(places, match[2])
        at = match.end()
    return places


def _named(root: _Place, places: list[_Place], name: str, pattern: str) -> list[_Place]:
    found = [step for place in places for step in place.steps.values() if fnmatchcase(step.path.rpartition(".")[2], _escaped(name))]
    if found:
        return found
    where = f"{places[0].path} has no" if places[0].path else "there is no"
    known = tuple(p.path for p in places[0].steps.values() if not p.path.rpartition(".")[2].isdecimal()) or tuple(
        p.path for p in places[0].steps.values()
    )
    raise NamesNothing(f"{where} {name}", _nearest(root, pattern), known)


def _escaped(name: str) -> str:
    """A star alone has a meaning."""
    return name.replace("?", "[?]")


def _nearest(root: _Place, pattern: str) -> str | None:
    """The path that was most likely meant: one that ends so, or one that looks so."""
    paths = [p.path for p in root.within() if not p.path.rpartition(".")[2].isdecimal()]
    plain = pattern.split("[")[0].removesuffix(".*")
    if ending := [p for p in paths if p.endswith(f".{plain}")]:
        return ending[0] + pattern[len(plain) :]
    return closest(plain, paths)


def _sliced(places: list[_Place], index: str) -> list[_Place]:
    """The steps of a place that an index or a slice takes."""
    match = _INDEX.fullmatch(index)
    if match is None or not (match[1] or match[2]) or (match[3] and not match[2]):
        raise NamesNothing(f"{index} is no slice; write [-4:] for the last four steps, [:10] for the first ten, [3] for one")
    first, last = (None if part is None else int(part) for part in (match[1], match[3]))
    found: list[_Place] = []
    for place in places:
        row = place.row()
        if match[2]:
            found += row[first:last]
        elif first is not None and -len(row) <= first < len(row):
            found.append(row[first])
    if not found:
        place = places[0]
        raise NamesNothing(f"{place.path or 'the net'} has {len(place.row())} steps, and {index} takes none of them")
    return found
