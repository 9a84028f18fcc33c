"""The mapping of a file to a net, as a table: for each weight which tensor it gets, what is done to it, and what speaks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from netspec.backends.mapping.conversion import Conversion, Fit, fit
from netspec.backends.mapping.grouping import Contents, FileLayer, Layout, layers_of, layout_by_names, left_out
from netspec.backends.mapping.hints import by_name, by_partner
from netspec.backends.mapping.search import Search, TooHard
from netspec.backends.mapping.slots import Slot, rearranging, slots_of
from netspec.diagnostics import Problem
from netspec.diagnostics.models import WrongTensor
from netspec.diagnostics.weights import LayoutAmbiguous, NotConvertible, OrderAmbiguous, OrderDoesNotFit, UnknownPair
from netspec.graph import Graph
from netspec.shape import Shape, show
from netspec.source import Place

_LAYOUTS: Final[tuple[Layout, ...]] = ("first", "last")
_WORDS: Final = {"first": "channels first, as PyTorch's", "last": "channels last, as Keras'"}


class Unmappable(Exception):
    """No mapping, or more than one. ``places`` are the places in the spec that it has to do with, and a few words for each."""

    def __init__(self, problem: Problem, places: Sequence[tuple[Place, str]] = ()) -> None:
        super().__init__(problem.message())
        self.problem = problem
        self.places = tuple(places)


@dataclass(frozen=True)
class Row:
    """One weight of the net: the tensor that it gets (``None`` where the file has none), what is done to it, and why it is this one."""

    source: str | None
    found: Shape | None
    key: str
    wanted: Shape
    conversion: Conversion
    why: str


@dataclass(frozen=True)
class Mapped:
    """A mapping. ``notes`` say what was assumed; ``left_over`` are keys of the file that are not used."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    left_over: tuple[str, ...]


@dataclass(frozen=True)
class _Way:
    """One way to map: some of the file's layers, and the slot of each."""

    layers: tuple[FileLayer, ...]
    slots: tuple[int, ...]
    reasons: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """What a user says where structure leaves a choice: ``pairs`` are layers of the file, by their names, and the slots they belong to;
    ``as_written`` takes branches side by side in the order of the text."""

    pairs: Mapping[str, str] = field(default_factory=dict)
    as_written: bool = False


_NOTHING: Final = Given()


def map_by_order(graph: Graph, contents: Contents, path: str = "", *, part: bool = False, given: Given = _NOTHING) -> Mapped:
    """Map a file to a net, or to what stands at ``path`` in it and below. With ``part`` the file may have more layers than that.

    Raises :class:`Unmappable`.
    """
    slots, layers = slots_of(graph, path), layers_of(contents)
    _check_pairs(given.pairs, layers, slots, contents.name)
    evidence = layout_by_names(contents)
    blocked = _blocked(graph, path, slots)
    ways: dict[Layout, list[_Way]] = {}
    for layout in _LAYOUTS:
        if layout == "first" or blocked is None:
            attempt = _Attempt(contents, layers, slots, layout, given)
            ways[layout] = attempt.ways(part)
    if blocked is not None and (evidence == "last" or (evidence is None and not ways["first"])):
        raise blocked
    layout = _layout(ways, evidence, contents, slots, layers)
    if not ways[layout]:
        raise _Attempt(contents, layers, slots, layout, given).failure()
    if len(ways[layout]) > 1:
        raise _ambiguous(contents, ways[layout], slots)
    return _table(contents, ways[layout][0], slots, layout, _layout_note(ways, layout, evidence, contents))


@dataclass(frozen=True)
class _Attempt:
    """A try with one layout."""

    contents: Contents
    layers: tuple[FileLayer, ...]
    slots: tuple[Slot, ...]
    layout: Layout
    given: Given

    def ways(self, part: bool) -> list[_Way]:
        """No way, one, or two of however many there are."""
        found: list[_Way] = []
        for layers in self._choices(part):
            search = self._search(layers)
            if not all(search.fits):
                continue
            try:
                for chosen in search.ways():
                    found.append(_Way(layers, chosen, dict(search.reasons)))
                    if len(found) == 2 or self.given.as_written:
                        return found
            except TooHard:
                raise Unmappable(self._does_not_fit(layers, search, "there are too many ways to try")) from None
        return found

    def _choices(self, part: bool) -> Iterator[tuple[FileLayer, ...]]:
        """The layers to map: all of them, or every stretch of as many as there are slots."""
        spare = len(self.layers) - len(self.slots)
        if spare == 0:
            yield self.layers
        elif spare > 0 and part and self.contents.ordered:
            yield from (self.layers[i : i + len(self.slots)] for i in range(spare + 1))
        elif spare > 0 and part:
            kept = tuple(layer for layer in self.layers if self._fits(layer))
            others = [layer for layer in self.layers if layer not in kept]
            between = any(a.before(o) and o.before(b) for o in others for a in kept for b in kept)
            if len(kept) == len(self.slots) and not between:
                yield kept

    def _fits(self, layer: FileLayer) -> list[int]:
        paired = self.given.pairs.get(layer.name)
        return [
            i
            for i, slot in enumerate(self.slots)
            if (slot.name == paired if paired is not None else slot.name not in self.given.pairs.values())
            and self.fit(layer, slot) is not None
        ]

    def fit(self, layer: FileLayer, slot: Slot) -> Fit | None:
        return fit(layer, self.contents.shapes, slot, self.layout)

    def _search(self, layers: tuple[FileLayer, ...]) -> Search:
        def hint(number: int, found: Sequence[int], chosen: Sequence[int]) -> tuple[int, str] | None:
            layer = layers[number]
            return by_name(layer, self.slots, found) or by_partner(layer, layers, self.slots, found, chosen)

        known: dict[tuple[object, ...], list[int]] = {}
        fits = []
        for layer in layers:
            key = (layer.single, self.given.pairs.get(layer.name), *((r, self.contents.shapes[k]) for r, k in layer.roles.items()))
            fits.append(known[key] if key in known else known.setdefault(key, self._fits(layer)))
        ordered = self.contents.ordered and len({layer.own for layer in layers}) < 2
        return Search(layers, self.slots, fits, hint, ordered, self.given.as_written)

    def failure(self) -> Unmappable:
        """Why there is no way, as far as the first layer that goes nowhere."""
        count = min(len(self.layers), len(self.slots))
        search = self._search(self.layers[:count])
        for _ in search.ways():
            break
        problem = self._does_not_fit(self.layers, search)
        slot = next((s for i, s in enumerate(self.slots) if i not in search.farthest), None)
        return Unmappable(problem, [(slot.node.place, "the first layer without a partner")] if slot else [])

    def _does_not_fit(self, layers: Sequence[FileLayer], search: Search, reason: str = "") -> OrderDoesNotFit:
        done = len(search.farthest)
        left = [slot for i, slot in enumerate(self.slots) if i not in search.farthest]
        pairs = list(zip(layers[done:], left))
        wrong = tuple(w for layer, slot in pairs for w in self._compared(layer, slot))
        spare = tuple(layer.name for layer in layers[done + len(pairs) :])
        missing = tuple((s.name, str(s.node.place)) for s in left[len(pairs) :])
        counts = len(layers), len(self.slots), done
        return OrderDoesNotFit(self.contents.name, *counts, _WORDS[self.layout], wrong, spare, missing, reason)

    def _compared(self, layer: FileLayer, slot: Slot) -> Iterator[WrongTensor]:
        """How a layer and a slot differ; nothing where they do not."""
        if self.fit(layer, slot) is not None:
            return
        for role, key in layer.roles.items():
            wanted = slot.weights.get(role)
            text = f"not in {slot.name}" if wanted is None else f"{show(wanted[1].shape)} as {wanted[0]}"
            yield WrongTensor(key, show(self.contents.shapes[key]), text, str(slot.node.place))


def _check_pairs(pairs: Mapping[str, str], layers: Sequence[FileLayer], slots: Sequence[Slot], name: str) -> None:
    for layer, slot in pairs.items():
        if layer not in {known.name for known in layers}:
            raise Unmappable(UnknownPair(layer, name, tuple(known.name for known in layers)))
        if slot not in {known.name for known in slots}:
            raise Unmappable(UnknownPair(slot, "the net", tuple(known.name for known in slots)))


def _blocked(graph: Graph, path: str, slots: Sequence[Slot]) -> Unmappable | None:
    """Why weights with channels last cannot be taken over at all, if so."""
    node = rearranging(graph, path)
    if node is None:
        unknown = (s for s in slots if s.pieces is None)
        node = next((s.node for s in unknown), None)
    return None if node is None else Unmappable(NotConvertible(node.layer, node.path), [(node.place, "")])


def _layout(
    ways: Mapping[Layout, list[_Way]], evidence: Layout | None, contents: Contents, slots: Sequence[Slot], layers: Sequence[FileLayer]
) -> Layout:
    """The layout: the one that fits; of two that do, the one that names speak for."""
    fitting = [layout for layout in ways if ways[layout]]
    if len(fitting) == 1:
        return fitting[0]
    if evidence is not None and evidence in ways:
        return evidence
    if not fitting:
        return "first"
    first, last = (_rows(contents, ways[layout][0], slots, layout) for layout in _LAYOUTS)
    other = [(a, b) for a, b in zip(first, last) if (a.source, a.conversion) != (b.source, b.conversion)]
    if not other:
        return "first"
    one, words = other[0][0], other[0][1].conversion.words
    place = next(s.node.place for s in slots if any(key == one.key for key, _ in s.weights.values()))
    raise Unmappable(LayoutAmbiguous(contents.name, one.source or "", show(one.found), one.key, words), [(place, "")])


def _layout_note(ways: Mapping[Layout, list[_Way]], layout: Layout, evidence: Layout | None, contents: Contents) -> str:
    both = all(ways.get(known) for known in _LAYOUTS)
    if not both:
        return f"the file has {_WORDS[layout]}: only so do the shapes fit"
    return f"assumed {_WORDS[layout]}: the shapes fit both ways, and " + (
        "names in the file are of that kind" if evidence is not None else "it makes no difference here"
    )


def _ambiguous(contents: Contents, ways: Sequence[_Way], slots: Sequence[Slot]) -> Unmappable:
    """The first layer that two ways put into different slots."""
    one, other = ways
    if one.layers != other.layers:
        stretches = tuple(f"{w.layers[0].name} to {w.layers[-1].name}" for w in ways)
        return Unmappable(OrderAmbiguous(contents.name, "what the net needs", "", stretches, ()))
    number = next(i for i, (a, b) in enumerate(zip(one.slots, other.slots)) if a != b)
    layer, found = one.layers[number], [slots[w.slots[number]] for w in ways]
    shapes = ", ".join(show(contents.shapes[key]) for key in layer.roles.values())
    names, places = tuple(s.name for s in found), tuple(str(s.node.place) for s in found)
    problem = OrderAmbiguous(contents.name, layer.name, shapes, names, places)
    return Unmappable(problem, [(found[0].node.place, "either here"), (found[1].node.place, "or here")])


def _rows(contents: Contents, way: _Way, slots: Sequence[Slot], layout: Layout) -> list[Row]:
    """The rows of a mapping, in the order of the net."""
    found: dict[int, list[Row]] = {}
    for number, (layer, index) in enumerate(zip(way.layers, way.slots)):
        slot = slots[index]
        fitted = fit(layer, contents.shapes, slot, layout)
        assert fitted is not None
        alone = next(iter(layer.roles.values())) if len(layer.roles) == 1 and len(slot.weights) == 1 else None
        for role, (key, weight) in slot.weights.items():
            source = alone or layer.roles.get(role)
            shape = None if source is None else contents.shapes[source]
            found.setdefault(index, []).append(Row(source, shape, key, weight.shape, fitted[role], way.reasons.get(number, "")))
    return [row for index in sorted(found) for row in found[index]]


def _table(contents: Contents, way: _Way, slots: Sequence[Slot], layout: Layout, note: str) -> Mapped:
    rows = _rows(contents, way, slots, layout)
    notes = [note]
    if not contents.ordered:
        notes.append("the file does not tell the order of its layers: numbers in names were taken for it")
    used = {row.source for row in rows}
    skipped = left_out(contents)
    others = tuple(key for key in contents.shapes if key not in used and key not in skipped and not key.endswith("num_batches_tracked"))
    return Mapped(tuple(rows), tuple(notes), others)
