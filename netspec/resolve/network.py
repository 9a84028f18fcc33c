"""One net of a file to its graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import Related, problems
from netspec.diagnostics.collector import Collector
from netspec.diagnostics.text import closest
from netspec.graph import Graph, Node, Output
from netspec.kinds import MAX_WHOLE
from netspec.resolve.borrowing import Results, left_out, report_shared, report_unused
from netspec.resolve.declarations import Base, Declarations, Definition
from netspec.resolve.doubts import report_doubts
from netspec.resolve.emit import UNKNOWN_TENSOR, Emitter, Frame, Overflow
from netspec.resolve.evaluate import NeedsTrace
from netspec.resolve.expand import Expander
from netspec.resolve.nearby import meant_for_chain
from netspec.resolve.nets import alias_values
from netspec.resolve.scope import Namespace, Scope
from netspec.resolve.suggesting import as_setting
from netspec.shape import Open, elements
from netspec.source import Place
from netspec.syntax import ast
from netspec.values import Tensor

if TYPE_CHECKING:
    from netspec.resolve.opening import Trace

Written = Mapping[str, tuple[Any, Place | None]]
"""Values for a net's parameters from outside, each with the place it was written at, if there is one."""


def expand_net(declarations: Declarations, name: str, given: Written, collector: Collector, max_nodes: int) -> Graph | None:
    """Write a net out and infer it; ``None`` after reports.

    ``given`` may also fix sizes that an input leaves open, by their letters.
    """
    base = declarations.base_of(Definition(declarations, declarations.nets[name]), collector)
    if base is None:
        return None
    own = {p.name for p in base.net.parameters}
    fixed = {n: v for n, v in given.items() if n not in own and len(n) == 1 and n.isupper()}
    rest = {n: v for n, v in given.items() if n not in fixed}
    used: frozenset[str] = frozenset()
    try:
        graph = _written_out(declarations, name, base, rest, collector, max_nodes)
    except NeedsTrace:
        from netspec.resolve.opening import fixed_sizes, trace

        if (sizes := fixed_sizes(fixed, collector)) is None:
            return None
        graph, used = trace(lambda found, t: _written_out(declarations, name, base, rest, found, max_nodes, t), sizes, collector)
    if graph is not None and (unknown := next((n for n in fixed if n not in used), None)) is not None:
        _report_unknown(unknown, given[unknown][1], base, collector)
        return None
    return graph


def _written_out(
    declarations: Declarations,
    name: str,
    base: Base,
    given: Written,
    collector: Collector,
    max_nodes: int,
    trace: Trace | None = None,
) -> Graph | None:
    """One walk through the text; raises :class:`NeedsTrace` where it meets open sizes and has no trace."""
    emitter = Emitter(collector, max_nodes, trace)
    expander = Expander(emitter)
    namespace = Namespace("")
    frame = Frame(base.home, Scope(namespace), namespace, emitter.region("net", "", name, None), blocks=(base.net,), text=base.net.body)
    errors = collector.errors
    own_place = Place(declarations.source, declarations.nets[name].name_span)
    try:
        values = _values(base, given, frame, expander, collector, own_place)
        if values is None or not expander.parameters(base.net.parameters, values, frame, None):
            return None
        settings = dict(frame.scope.variables)
        flow = expander.body(base.net.body, frame, None)
    except Overflow as overflow:
        if overflow.nodes:
            place = Place(overflow.source or base.home.source, overflow.span or base.net.name_span)
            collector.add(problems.ExpandsTooFar(overflow.nodes, max_nodes), place)
        return None
    if collector.errors > errors or expander.holes:
        return None
    outputs = tuple(expander.outputs) or _last(flow, emitter)
    if not any(n.role == "input" for n in emitter.nodes):
        collector.add(problems.NoInput(name), own_place)
        return None
    found = _checked(expander, outputs, declarations, collector)
    if collector.errors > errors:
        return None
    return _graph(name, declarations, settings, found, expander)


def _graph(name: str, declarations: Declarations, settings: Mapping[str, Any], found: Results, expander: Expander) -> Graph:
    return Graph(
        name,
        declarations.source,
        found.nodes,
        tuple(expander.emitter.regions),
        found.outputs,
        settings,
        found.labels,
        found.auxiliary,
        pretrained=tuple(expander.pretrained),
        augment=expander.augmenting.found,
        left_out=found.left_out,
    )


def _checked(expander: Expander, outputs: tuple[Output, ...], declarations: Declarations, collector: Collector) -> Results:
    """What is left of a net once it is written out; reports what its nodes are together and none of them is alone."""
    emitter = expander.emitter
    written = Results(tuple(emitter.nodes), outputs, tuple(expander.auxiliary), emitter.labels)
    found = left_out(written, emitter.regions, expander.borrowed)
    errors = collector.errors
    _report_unused(found, declarations, collector)
    report_unused(found, emitter.nodes, emitter.regions, expander.borrowed, collector)
    report_shared(found.nodes, emitter.regions, expander.shared, collector)
    if collector.errors == errors:
        report_doubts(found.nodes, collector)
        _report_huge(found.nodes, collector)
    return found


def _values(base: Base, given: Written, frame: Frame, expander: Expander, collector: Collector, own_place: Place) -> dict[str, Any] | None:
    """Values of the net's parameters: those given from outside, then those of the aliases, the nearest first."""
    net = base.net
    known = tuple(p.name for p in net.parameters)
    for parameter, (_, place) in given.items():
        if parameter not in known:
            _report_unknown(parameter, place, base, collector)
            return None
    values = alias_values(base, {parameter: value for parameter, (value, _) in given.items()}, expander, frame)
    if values is None:
        return None
    missing = tuple(p.name for p in net.parameters if p.default is None and p.name not in values)
    if missing:
        related = (Related(Place(base.home.source, net.parameters[0].span), "has no default"),)
        collector.add(problems.MissingArguments(net.name, missing, ", ".join(known), is_net=True), own_place, related)
        return None
    return values


def _report_unknown(parameter: str, place: Place | None, base: Base, collector: Collector) -> None:
    known = tuple(p.name for p in base.net.parameters)
    instead = None if place is None else as_setting(parameter, place.source.text)
    collector.add(problems.UnknownParameter(parameter, base.net.name, known, closest(parameter, known), instead), place)


def _last(flow: Tensor | None, emitter: Emitter) -> tuple[Output, ...]:
    """Without ``output(…)``, the last tensor is the output, under its label if it has one."""
    if flow is None or flow is UNKNOWN_TENSOR or flow.node < 0:
        return ()
    named = [path for path, node in emitter.labels.items() if node == flow.node and path.isidentifier()]
    return (Output(named[-1] if named else "output", flow.node),)


def _report_huge(nodes: Sequence[Node], collector: Collector) -> None:
    """Warn of tensors with more numbers than a 32-bit index counts: most kernels and file formats refuse them."""
    for node in {id(n.facts): n for n in reversed(nodes)}.values():
        weights = {name: elements(w.shape) for name, w in node.facts.weights.items()}
        for name, count in ("output", elements(node.output)), *weights.items():
            if not isinstance(count, Open) and count > MAX_WHOLE:
                what = "the output" if name == "output" else f"`{name}`"
                collector.add(problems.HugeTensor(node.layer, what, count), node.place, (), node.trail)


def _report_unused(found: Results, declarations: Declarations, collector: Collector) -> None:
    """A tensor that nothing uses is an error: it would be computed, learned and counted for nothing."""
    results = (*found.outputs, *found.auxiliary)
    used = {i for n in found.nodes for i in n.inputs} | {o.node for o in results}
    roles = [n.role for n in found.nodes]
    several = roles.count("input") > 1 and "preprocess" in roles
    for node in found.nodes:
        if node.index not in used and not collector.full:
            name = node.label or ("input" if node.role == "input" else node.layer)
            named = tuple(o.name for o in found.outputs if o.name != "output")
            own = (*declarations.nets.values(), *declarations.blocks.values()) if node.place.source is declarations.source else ()
            meant = meant_for_chain((b for b in own if not isinstance(b, ast.NetAlias)), node.place)
            problem = problems.Unused(name, node.role == "input", named, node.label is not None, meant, several)
            collector.add(problem, node.place, (), node.trail)
