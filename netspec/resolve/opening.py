"""Nets with open sizes: written out at sizes that are tried, and again at others until some are accepted.

The walk is the same as ever; only the shapes hold formulas. What a rule of a layer decides by the sizes tried becomes a demand of that
layer, and what the text decides one of the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from itertools import chain, product
from typing import Any, Final

from netspec.conditions import Condition, listening
from netspec.diagnostics import Diagnostic, Related, Trail, problems
from netspec.diagnostics.collector import Collector
from netspec.diagnostics.text import listing
from netspec.graph import Facts, Graph, Node
from netspec.kinds import Whole
from netspec.layer import Layer, Reject
from netspec.open_sizes import Demand, Objection, OpenSizes, Sizes
from netspec.resolve.evaluate import NeedsTrace
from netspec.shape import Shape, is_open, symbols_of
from netspec.sizes import Dim, NeedsNumber, at, symbol
from netspec.source import Place
from netspec.values import show

FIRST: Final = (224, 256, 192, 160)
"""The sizes that are tried first: such as pictures have, often halved, and different, so that no two agree by chance."""
_NEXT: Final = (256, 224, 512, 384, 640, 1024, 960, 720, 300, 299, 227, 105)
_TRIES: Final = 12
_FARTHEST: Final = 2048
_SIZE: Final = Whole(1)


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def open_size(name: str) -> Dim | int:
    """The open size of this name, or its number where it was fixed from outside. Raises :class:`NeedsTrace`."""
    trace = _current.get()
    if trace is None:
        raise NeedsTrace
    return trace.size(name)


class Trace:
    """One walk at certain sizes: what it is asked for, and what it comes upon."""

    def __init__(self, tried: Sizes, fixed: Sizes) -> None:
        self.tried = dict(tried)
        self.fixed = fixed
        self.symbols: dict[str, Dim] = {}
        self.places: dict[str, Place] = {}
        self.used: set[str] = set()
        self.demands: list[Demand] = []
        self.refused: Callable[[Sizes], Objection | None] | None = None
        """The first use of a layer that was rejected for these sizes, and the code of what was wrong."""
        self.code = ""
        self._asked: list[Condition] = []

    @contextmanager
    def active(self) -> Iterator[None]:
        """While this is the trace that the text is walked through with."""
        token = _current.set(self)
        try:
            with listening() as self._asked:
                yield
        finally:
            _current.reset(token)

    def size(self, name: str) -> Dim | int:
        self.used.add(name)
        if name in self.fixed:
            return self.fixed[name]
        if name not in self.symbols:
            self.tried.setdefault(name, FIRST[len(self.symbols) % len(FIRST)])
            self.symbols[name] = symbol(name, self.tried[name])
        return self.symbols[name]

    def asked(self, place: Place, trail: Trail | None) -> None:
        """Make what the text has decided by the sizes a demand of this place, and remember the symbols that were met here."""
        for name in self.symbols:
            self.places.setdefault(name, place)
        if self._asked:
            self.demands.append(Demand(tuple(self._asked), _another_net(tuple(self._asked)), place, trail))
            self._asked.clear()

    def infer(self, layer: Layer, shapes: tuple[Shape, ...], arguments: Mapping[str, Any], place: Place, trail: Trail | None) -> Facts:
        """As :meth:`Layer.infer`, for shapes of which some are formulas."""
        if not any(map(is_open, shapes)):
            return layer.infer(shapes, arguments)
        with listening() as conditions:
            try:
                facts = _facts(layer, shapes, arguments)
            except Reject as rejection:
                if conditions and self.refused is None:
                    self.refused, self.code = _judge(layer, shapes, arguments, None), rejection.problem.code
                raise _speakable(rejection, layer, at(shapes, self.tried), arguments) from None
        if conditions:
            judge = _judge(layer, shapes, arguments, facts)
            self.demands.append(Demand(tuple(dict.fromkeys(conditions)), judge, place, trail, facts))
        return facts

    def better(self) -> dict[str, int] | None:
        """Sizes that everything so far accepts, and the layer too that refused the ones tried."""
        if self.refused is None:
            return None
        for sizes in self._others():
            if self.refused(sizes) is None and all(d.objection(sizes) is None for d in self.demands):
                return sizes
        return None

    def _others(self) -> Iterator[dict[str, int]]:
        """Other sizes in the order in which they are tried: a symbol alone, all alike, and some of each."""
        names = list(self.symbols)
        for name in names:
            around = chain(_NEXT, range(self.tried[name] + 1, _FARTHEST), range(self.tried[name], 0, -1))
            yield from ({**self.tried, name: n} for n in around)
        yield from ({**self.tried, **dict.fromkeys(names, n)} for n in range(1, _FARTHEST // 2))
        near = [sorted({*_NEXT, *range(self.tried[s], self.tried[s] + 33)}) for s in names[:2]]
        yield from ({**self.tried, **dict(zip(names, sizes))} for sizes in product(*near))


def _facts(layer: Layer, shapes: tuple[Shape, ...], arguments: Mapping[str, Any]) -> Facts:
    """What the rule says, and that no weight depends on an open size."""
    try:
        facts = layer.rule(*shapes, **arguments)
    except NeedsNumber as need:
        raise Reject(problems.NeedsSizes(layer.name, shapes, symbols_of(need.size))) from None
    for name, weight in facts.weights.items():
        if is_open(weight.shape):
            raise Reject(problems.OpenWeights(layer.name, name, weight.shape, symbols_of(weight.shape)))
    return facts


def _judge(
    layer: Layer, shapes: tuple[Shape, ...], arguments: Mapping[str, Any], facts: Facts | None
) -> Callable[[Sizes], Objection | None]:
    """Whether the layer, asked again at other sizes, rejects them, or says something else than the formulas do.

    A condition may fail and nothing be wrong, as where it only told which of two equal ways to go.
    """

    def objection(sizes: Sizes) -> Objection | None:
        tried = tuple(tuple(n.trying(sizes) if isinstance(n, Dim) else n for n in shape) for shape in shapes)
        with listening():
            try:
                again = _facts(layer, tried, arguments)
            except Reject as rejection:
                return _in_numbers(rejection, layer, at(tried, sizes), arguments)
        if facts is None or _alike(facts, again, sizes):
            return None
        return Objection(problems.AnotherNet("`" + layer.name + "` gets a size like those that were tried"))

    return objection


def _alike(one: Facts, other: Facts, sizes: Sizes) -> bool:
    """Whether two answers of a rule come to the same at these sizes."""
    return (one.torch, one.onnx, one.weights) == (other.torch, other.onnx, other.weights) and (
        at((one.output, one.macs), sizes) == at((other.output, other.macs), sizes)
    )


def _in_numbers(rejection: Reject, layer: Layer, shapes: tuple[Shape, ...], arguments: Mapping[str, Any]) -> Objection:
    """What the rule says to the numbers themselves."""
    try:
        layer.infer(shapes, arguments)
    except Reject as plain:
        rejection = plain
    return Objection(rejection.problem, tuple(rejection.inputs.values()))


def _speakable(rejection: Reject, layer: Layer, shapes: tuple[Shape, ...], arguments: Mapping[str, Any]) -> Reject:
    """The rejection, if its problem can speak of formulas; else that of the numbers tried, with what it says of its inputs in formulas."""
    problem = rejection.problem
    try:
        [*problem.notes(), problem.message(), problem.label(), problem.help()]
    except (NeedsNumber, TypeError, ValueError):
        return Reject(_in_numbers(rejection, layer, shapes, arguments).problem, rejection.at, rejection.inputs)
    return rejection


def _another_net(conditions: tuple[Condition, ...]) -> Callable[[Sizes], Objection | None]:
    text = " and ".join(dict.fromkeys(map(str, conditions)))
    return lambda sizes: Objection(problems.AnotherNet(text))


def fixed_sizes(given: Mapping[str, tuple[Any, Place | None]], collector: Collector) -> dict[str, int] | None:
    """The sizes that were fixed from outside; ``None`` after a report."""
    found: dict[str, int] = {}
    for name, (value, place) in given.items():
        try:
            found[name] = _SIZE.accept(value)
        except (ValueError, OverflowError):
            collector.add(problems.BadValue("input", name, _SIZE.describe(), show(value)), place)
            return None
    return found


def trace(walk: Callable[[Collector, Trace], Graph | None], fixed: Sizes, collector: Collector) -> tuple[Graph | None, frozenset[str]]:
    """Walk until sizes are found that are accepted; gives the graph, and which symbols there are.

    Where no such sizes are found, what is wrong with the last ones tried is reported.
    """
    tried: Sizes = {}
    for _ in range(_TRIES):
        found, attempt = Collector(), Trace(tried, fixed)
        with attempt.active():
            graph = walk(found, attempt)
        better = None if graph is not None else attempt.better()
        if better is None:
            break
        tried = better
    if graph is not None:
        graph = _settled(graph, attempt)
    collector.extend(_with_inputs(list(found.diagnostics), attempt))
    return graph, frozenset(attempt.used)


def _with_inputs(found: list[Diagnostic], attempt: Trace) -> list[Diagnostic]:
    """What was found, with the inputs whose sizes were tried in vain beside what refuses them."""
    names = tuple(attempt.symbols)
    for i, diagnostic in enumerate(found):
        if attempt.refused is not None and diagnostic.code == attempt.code:
            places = dict.fromkeys(attempt.places[s] for s in names if s in attempt.places)
            text = f"leaves {listing(names)} open, and no sizes were found that fit"
            found[i] = replace(diagnostic, related=(*diagnostic.related, *(Related(p, text) for p in places)))
            break
    return found


def _settled(graph: Graph, attempt: Trace) -> Graph:
    """The graph with its open sizes beside it, and its formulas as they may be written for those that are accepted."""
    settings = {**graph.settings, **{name: n for name, n in attempt.fixed.items() if name in attempt.used}}
    names = symbols_of(tuple(n for node in graph.inputs for n in node.output))
    if not names:
        return replace(graph, settings=settings)
    kept = {id(n.facts) for n in graph.nodes}
    demands = tuple(d for d in attempt.demands if d.facts is None or id(d.facts) in kept)
    ordered = tuple(s for s in attempt.symbols if s in names)
    sizes = OpenSizes(ordered, {s: attempt.tried[s] for s in ordered}, demands)
    known: dict[int, Facts] = {}
    nodes = tuple(_shown(n, sizes, known) for n in graph.nodes)
    return replace(graph, nodes=nodes, settings=settings, sizes=sizes)


def _shown(node: Node, sizes: OpenSizes, known: dict[int, Facts]) -> Node:
    facts = known.get(id(node.facts))
    if facts is None:
        output = tuple(map(sizes.shown, node.output))
        facts = known[id(node.facts)] = replace(node.facts, output=output, macs=sizes.shown(node.facts.macs))
    return replace(node, facts=facts)
