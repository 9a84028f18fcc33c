"""One net of a file to its graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec.diagnostics import Related, problems
from netspec.diagnostics.collector import Collector
from netspec.diagnostics.text import closest
from netspec.graph import Graph, Node, Output
from netspec.kinds import MAX_WHOLE
from netspec.resolve.arguments import Binder, all_words
from netspec.resolve.declarations import Declarations
from netspec.resolve.emit import UNKNOWN_TENSOR, Emitter, Frame, Overflow
from netspec.resolve.evaluate import Evaluator
from netspec.resolve.expand import Expander
from netspec.resolve.nearby import meant_for_chain
from netspec.resolve.scope import Namespace, Scope
from netspec.resolve.settings import as_setting
from netspec.resolve.uses import block_signature
from netspec.shape import elements
from netspec.source import Place
from netspec.syntax import ast
from netspec.values import Tensor

Written = Mapping[str, tuple[Any, Place | None]]
"""Values for a net's parameters from outside, each with the place it was written at, if there is one."""


def expand_net(declarations: Declarations, name: str, given: Written, collector: Collector, max_nodes: int) -> Graph | None:
    """Write a net out and infer it; ``None`` after reports."""
    found = declarations.base_of(name, collector)
    if found is None:
        return None
    net, aliases = found
    emitter = Emitter(collector, max_nodes)
    expander = Expander(emitter, declarations.blocks, tuple(declarations.nets), declarations.missing)
    namespace = Namespace("")
    frame = Frame(declarations.source, Scope(namespace), namespace, emitter.region("net", "", name, None), text=net.body)
    errors = collector.errors
    try:
        values = _values(net, aliases, given, frame, expander, collector)
        if values is None or not expander.parameters(net.parameters, values, frame, None):
            return None
        settings = dict(frame.scope.variables)
        flow = expander.body(net.body, frame, None)
    except Overflow as overflow:
        if overflow.nodes:
            collector.add(problems.ExpandsTooFar(overflow.nodes, max_nodes), Place(declarations.source, overflow.span or net.name_span))
        return None
    if collector.errors > errors or expander.holes:
        return None
    outputs = tuple(expander.outputs) or _last(flow, emitter)
    if not any(n.role == "input" for n in emitter.nodes):
        collector.add(problems.NoInput(name), Place(declarations.source, net.name_span))
        return None
    _report_unused(emitter.nodes, outputs, declarations, collector)
    if collector.errors > errors:
        return None
    _report_channels_last(emitter.nodes, collector)
    _report_huge(emitter.nodes, collector)
    return Graph(name, declarations.source, tuple(emitter.nodes), tuple(emitter.regions), outputs, settings, emitter.labels)


def _values(
    net: ast.Net, aliases: tuple[ast.NetAlias, ...], given: Written, frame: Frame, expander: Expander, collector: Collector
) -> dict[str, Any] | None:
    """Values of the net's parameters: those given from outside, then those of the aliases, the nearest first."""
    known = tuple(p.name for p in net.parameters)
    values: dict[str, Any] = {}
    for parameter, (value, place) in given.items():
        if parameter not in known:
            instead = None if place is None else as_setting(parameter, place.source.text)
            collector.add(problems.UnknownParameter(parameter, net.name, known, closest(parameter, known), instead), place)
            return None
        values[parameter] = value
    for alias in aliases:
        binder = Binder(alias.base, Evaluator(frame.scope), expander.reporter(frame))
        binder.passed_on = all_words()
        bound = binder.bind(block_signature(net.parameters, all_optional=True), alias.arguments, alias.span)
        if bound is None:
            return None
        for parameter in bound.spans:
            values.setdefault(parameter, bound.arguments[parameter])
    missing = tuple(p.name for p in net.parameters if p.default is None and p.name not in values)
    if missing:
        related = (Related(Place(frame.source, net.parameters[0].span), "has no default"),)
        collector.add(
            problems.MissingArguments(net.name, missing, ", ".join(known), is_net=True), Place(frame.source, net.name_span), related
        )
        return None
    return values


def _report_channels_last(nodes: list[Node], collector: Collector) -> None:
    """Warn of an input that looks like a picture with its channels at the end."""
    for node in nodes:
        if node.role == "input" and len(node.output) == 3 and node.output[2] in (1, 3) and problems.channels_last(node.output):
            collector.add(problems.ChannelsLast(node.output), node.place)


def _last(flow: Tensor | None, emitter: Emitter) -> tuple[Output, ...]:
    """Without ``output(…)``, the last tensor is the output, under its label if it has one."""
    if flow is None or flow is UNKNOWN_TENSOR or flow.node < 0:
        return ()
    named = [path for path, node in emitter.labels.items() if node == flow.node and path.isidentifier()]
    return (Output(named[-1] if named else "output", flow.node),)


def _report_huge(nodes: list[Node], collector: Collector) -> None:
    """Warn of tensors with more numbers than a 32-bit index counts: most kernels and file formats refuse them."""
    for node in {id(n.facts): n for n in reversed(nodes)}.values():
        weights = {name: elements(w.shape) for name, w in node.facts.weights.items()}
        for name, count in ("output", elements(node.output)), *weights.items():
            if count > MAX_WHOLE:
                what = "the output" if name == "output" else f"`{name}`"
                collector.add(problems.HugeTensor(node.layer, what, count), node.place, (), node.trail)


def _report_unused(nodes: list[Node], outputs: tuple[Output, ...], declarations: Declarations, collector: Collector) -> None:
    """A tensor that nothing uses is an error: it would be computed, learned and counted for nothing."""
    used = {i for n in nodes for i in n.inputs} | {o.node for o in outputs}
    for node in nodes:
        if node.index not in used and not collector.full:
            name = node.label or ("input" if node.role == "input" else node.layer)
            results = tuple(o.name for o in outputs if o.name != "output")
            bodies = (b for b in (*declarations.nets.values(), *declarations.blocks.values()) if not isinstance(b, ast.NetAlias))
            meant = meant_for_chain(bodies, node.place)
            problem = problems.Unused(name, node.role == "input", results, node.label is not None, meant)
            collector.add(problem, node.place, (), node.trail)
