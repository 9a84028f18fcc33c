"""Nets with open sizes: written out at sizes that are tried, and again at others until some are accepted.

The walk is the same as ever; only the shapes hold formulas. What a rule of a layer decides by the sizes tried becomes a demand of that
layer, and what the text decides one of the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Final, TypeVar

from netspec.conditions import Condition, listening
from netspec.diagnostics import Diagnostic, Related, Trail, problems
from netspec.diagnostics.collector import Collector
from netspec.diagnostics.text import listing
from netspec.graph import Facts, Graph, Node
from netspec.kinds import Whole
from netspec.layer import Layer, Reject
from netspec.open_sizes import Demand, Objection, OpenSizes, Sizes
from netspec.resolve.evaluate import NeedsTrace
from netspec.resolve.searching import Ask, accepted_sizes, other_ways
from netspec.shape import Shape, is_open, symbols_of
from netspec.sizes import Dim, NeedsNumber, at, symbol
from netspec.source import Place
from netspec.values import show

FIRST: Final = (224, 256, 192, 160)
"""The sizes that are tried first: such as pictures have, often halved, and different, so that no two agree by chance."""
_TRIES: Final = 16
_SIZE: Final = Whole(1)


T = TypeVar("T")

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
        self.refused: Ask | None = None
        """The first use of a layer that was rejected for these sizes, to be asked of others, and the code of what was wrong."""
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
            asked = tuple(dict.fromkeys(self._asked))
            self.demands.append(Demand(asked, lambda sizes: _another("the text", asked), place, trail))
            self._asked.clear()

    def infer(self, layer: Layer, shapes: tuple[Shape, ...], arguments: Mapping[str, Any], place: Place, trail: Trail | None) -> Facts:
        """As :meth:`Layer.infer`, for shapes of which some are formulas."""
        if not any(map(is_open, shapes)):
            return layer.infer(shapes, arguments)
        with listening() as conditions:
            try:
                facts = _facts(layer, shapes, arguments)
            except Reject as rejection:
                if conditions and self.refused is None and not isinstance(rejection.problem, problems.NeedsSizes | problems.OpenWeights):
                    self.refused, self.code = _asking(layer, shapes, arguments), rejection.problem.code
                raise _speakable(rejection, layer, at(shapes, self.tried), arguments) from None
        if conditions:
            judge = _judge(layer, shapes, arguments, facts, conditions)
            self.demands.append(Demand(tuple(dict.fromkeys(conditions)), judge, place, trail, facts))
        return facts

    def better(self) -> dict[str, int] | None:
        """Sizes that everything so far accepts, and the layer too that refused these."""
        tried = {s: self.tried[s] for s in self.symbols}
        return None if self.refused is None else accepted_sizes(tried, self.refused, self.demands)

    def elsewhere(self) -> Iterator[dict[str, int]]:
        """Sizes at which the text goes another way."""
        yield from other_ways({s: self.tried[s] for s in self.symbols}, [d for d in self.demands if d.facts is None])


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


def _trying(shapes: tuple[Shape, ...], sizes: Sizes) -> tuple[Shape, ...]:
    """The same formulas, for other sizes."""
    return tuple(tuple(n.trying(sizes) if isinstance(n, Dim) else n for n in shape) for shape in shapes)


def _asking(layer: Layer, shapes: tuple[Shape, ...], arguments: Mapping[str, Any]) -> Ask:
    """Whether the layer accepts other sizes, and what it decides by them."""

    def ask(sizes: Sizes) -> tuple[bool, list[Condition]]:
        with listening() as conditions:
            try:
                _facts(layer, _trying(shapes, sizes), arguments)
            except Reject:
                return False, conditions
        return True, conditions

    return ask


def _judge(
    layer: Layer, shapes: tuple[Shape, ...], arguments: Mapping[str, Any], facts: Facts, conditions: Sequence[Condition]
) -> Callable[[Sizes], Objection | None]:
    """Whether the layer, asked again at other sizes, rejects them, or says something else than the formulas do.

    A condition may fail and nothing be wrong, as where it only told which of two equal ways to go.
    """

    def objection(sizes: Sizes) -> Objection | None:
        with listening():
            try:
                again = _facts(layer, _trying(shapes, sizes), arguments)
            except Reject as rejection:
                plain = _in_numbers(rejection, layer, at(shapes, sizes), arguments)
                return Objection(plain.problem.message(), tuple(plain.inputs.values()))
        if _alike(facts, again, sizes):
            return None
        return _another(f"`{layer.name}`", conditions)

    return objection


def _alike(one: Facts, other: Facts, sizes: Sizes) -> bool:
    """Whether two answers of a rule come to the same at these sizes."""
    return (one.torch, one.onnx, one.weights) == (other.torch, other.onnx, other.weights) and (
        at((one.output, one.macs), sizes) == at((other.output, other.macs), sizes)
    )


def _in_numbers(rejection: Reject, layer: Layer, shapes: tuple[Shape, ...], arguments: Mapping[str, Any]) -> Reject:
    """What the rule says to the numbers themselves."""
    try:
        layer.infer(shapes, arguments)
    except Reject as plain:
        rejection = plain
    return rejection


def _speakable(rejection: Reject, layer: Layer, shapes: tuple[Shape, ...], arguments: Mapping[str, Any]) -> Reject:
    """The rejection, if its problem can speak of formulas; else that of the numbers tried, with what it says of its inputs in formulas."""
    problem = rejection.problem
    try:
        [*problem.notes(), problem.message(), problem.label(), problem.help()]
    except (NeedsNumber, TypeError, ValueError):
        return Reject(_in_numbers(rejection, layer, shapes, arguments).problem, rejection.at, rejection.inputs)
    return rejection


def _another(what: str, conditions: Sequence[Condition]) -> Objection:
    """That the text, or a layer, makes something else of the sizes, since it asks for ``H >= 3 and W >= 3``."""
    asked = listing(list(dict.fromkeys(map(str, conditions))), limit=4)
    return Objection(f"{what} asks for {asked}, and otherwise makes another net", another=True)


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

    Where no such sizes are found, what is wrong with the last ones is reported that took the way through the text that the first took.
    """
    waiting: list[tuple[Sizes, bool]] = [({}, True)]
    known: list[Sizes] = []
    told = Collector(), Trace({}, fixed)
    while waiting and len(known) < _TRIES:
        sizes, straight = waiting.pop(0)
        found, attempt = Collector(), Trace(sizes, fixed)
        with attempt.active():
            graph = walk(found, attempt)
        told = (found, attempt) if straight or graph is not None else told
        if graph is not None:
            collector.extend(list(found.diagnostics))
            graph = _settled(graph, attempt)
            _report_few(graph, collector)
            return graph, frozenset(attempt.used)
        known.append(attempt.tried)
        if (better := attempt.better()) is not None and better not in known:
            waiting.insert(0, (better, straight))
        waiting += [(sizes, False) for sizes in attempt.elsewhere() if sizes not in known]
    collector.extend(_with_inputs(*told))
    return None, frozenset(attempt.used)


def at_own_sizes(walk: Callable[[Trace], T], accepted: Callable[[T], bool]) -> T:
    """Walk through a net that is no part of the one that is compiled, at sizes of its own, until they are accepted. What it decides by them
    is nothing to the net around. Gives what the last walk found.
    """
    sizes: Sizes = {}
    for _ in range(_TRIES):
        attempt = Trace(sizes, {})
        with attempt.active():
            found = walk(attempt)
        better = None if accepted(found) else attempt.better()
        if better is None:
            break
        sizes = better
    return found


def _report_few(graph: Graph, collector: Collector) -> None:
    """Warn where what is left open can be only some few sizes: mostly two formulas that were meant to agree and do so by chance."""
    rules = {} if graph.sizes is None else graph.sizes.rules
    for finite in dict.fromkeys(rule for rule in rules.values() if rule.is_finite):
        letters = tuple(s for s, rule in rules.items() if rule == finite)
        refusal = graph.sizes.refused(letters[0]) if graph.sizes is not None else None
        if refusal is not None:
            problem = problems.FewSizes(letters, str(finite), refusal.sizes[letters[0]], str(refusal.objection))
            collector.add(problem, refusal.place, (), refusal.trail)


def _with_inputs(collector: Collector, attempt: Trace) -> list[Diagnostic]:
    """What was found, with the inputs whose sizes were tried in vain beside what refuses them."""
    found = list(collector.diagnostics)
    for i, diagnostic in enumerate(found):
        if attempt.refused is not None and diagnostic.code == attempt.code:
            places: dict[Place, list[str]] = {}
            for letter in (s for s in attempt.symbols if s in attempt.places):
                places.setdefault(attempt.places[letter], []).append(letter)
            texts = {p: f"leaves {listing(letters)} open, and no sizes were found that fit" for p, letters in places.items()}
            found[i] = replace(diagnostic, related=(*diagnostic.related, *(Related(p, text) for p, text in texts.items())))
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
