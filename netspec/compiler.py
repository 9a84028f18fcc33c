"""The driver: from a file to graphs, phase by phase."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from netspec.diagnostics import Diagnostic, NetspecError, problems
from netspec.diagnostics.collector import Collector
from netspec.diagnostics.text import closest
from netspec.graph import Graph
from netspec.limits import MAX_BYTES, MAX_NODES
from netspec.resolve.arguments import all_words
from netspec.resolve.declarations import Declarations, declare
from netspec.resolve.evaluate import Evaluator, Failure
from netspec.resolve.expectations import check_expectations
from netspec.resolve.files import Library
from netspec.resolve.learning import check_training
from netspec.resolve.network import Written, expand_net
from netspec.resolve.scope import Namespace, Scope
from netspec.resolve.settings import Override, check_names, check_section
from netspec.resolve.sources import check_data
from netspec.resolve.suggesting import as_setting
from netspec.sections import SECTIONS
from netspec.source import Place, Source, Span
from netspec.syntax import ast
from netspec.syntax.lexer import LexicalError
from netspec.syntax.parser import parse, parse_expression
from netspec.syntax.read import read_source
from netspec.values import Word, show


@dataclass(frozen=True)
class Limits:
    """What a spec may cost: bytes of text, and layers once blocks and loops are written out."""

    bytes: int = MAX_BYTES
    nodes: int = MAX_NODES


def load(
    path: str | Path,
    *,
    net: str | None = None,
    settings: Mapping[str, str] | None = None,
    limits: Limits = Limits(),
    files: Mapping[str, str] | None = None,
    **parameters: Any,
) -> Graph:
    """Compile a spec to the graph of its first net, or of the one named ``net``.

    ``settings`` are texts as on the command line (``{"classes": "5", "train.epochs": "3"}``); ``parameters`` are the net's own
    parameters as Python values (``classes=5``). Raises :class:`NetspecError` with every diagnostic found.
    """
    return compile_source(read_source(path, limits.bytes), net=net, settings=settings, limits=limits, files=files, **parameters)[0]


def graph_of(net: Graph | str | os.PathLike[str]) -> Graph:
    """A net as it was given: compiled already, or the path of a spec. Raises :class:`TypeError` for anything else, and as :func:`load`."""
    if isinstance(net, Graph):
        return net
    if isinstance(net, str | os.PathLike):
        return load(os.fspath(net))
    raise TypeError(f"a net is a Graph, as netspec.load gives it, or the path of a .net file, and not a {type(net).__name__}")


def compile_source(
    source: Source,
    *,
    net: str | None = None,
    settings: Mapping[str, str] | None = None,
    limits: Limits = Limits(),
    every: bool = False,
    collector: Collector | None = None,
    files: Mapping[str, str] | None = None,
    **parameters: Any,
) -> tuple[Graph, ...]:
    """The graph of the first net, or of the one named; with ``every``, those of the file's other nets after it.

    Expectations hold for a net as it is written: where its parameters are set from outside, they are not checked. Whoever
    gives a ``collector`` finds the warnings in it. ``files`` are the texts of used files, as :attr:`Graph.files` has them, where
    they are not to be read from the disk.
    """
    collector = Collector() if collector is None else collector
    library = Library(collector, files, limits.bytes)
    with _collection_off():
        file, found = parse(source)
        collector.extend(found)
        declarations = declare(file, collector, library)
        if not declarations.nets and not collector.failed:
            collector.add(problems.NoNet(), Place(source, Span(len(source.text), len(source.text))))
        check_names(declarations, collector)
        written, overrides = _outside(settings or {}, parameters, declarations, collector)
        names = _chosen(declarations, net, every, collector)
        graphs = [_graph(declarations, n, written if i == 0 else {}, overrides, collector, limits) for i, n in enumerate(names)]
        for graph in graphs:
            if graph is not None and (graph is graphs[0] or _own_sections(declarations, graph.name)):
                check_training(graph, collector)
                check_data(graph, collector)
    collector.raise_errors()
    given = {
        name: value if isinstance(value, str) else show(_as_value(value)) for name, value in {**(settings or {}), **parameters}.items()
    }
    return tuple(replace(g, files=library.texts, given=given) if library.texts or given else g for g in graphs if g is not None)


def diagnose(source: Source, limits: Limits = Limits()) -> tuple[Diagnostic, ...]:
    """Everything there is to say about a file and each of its nets."""
    collector = Collector()
    try:
        compile_source(source, limits=limits, every=True, collector=collector)
    except NetspecError as error:
        return error.diagnostics
    return collector.diagnostics


def _graph(
    declarations: Declarations,
    name: str,
    written: Written,
    overrides: Mapping[str, Mapping[str, Override]],
    collector: Collector,
    limits: Limits,
) -> Graph | None:
    graph = expand_net(declarations, name, written, collector, limits.nodes)
    checked = {
        section: check_section(section, _of_net(declarations, section, name), declarations.source, overrides.get(section, {}), collector)
        for section in SECTIONS
    }
    if graph is None:
        return None
    expected = _of_net(declarations, "expect", name)
    held = None if written and expected else check_expectations(graph, expected, collector)
    return replace(graph, train=checked["train"], data=checked["data"], expectations=held)


def _of_net(declarations: Declarations, section: str, net: str) -> tuple[Any, ...]:
    """A file's sections of a kind that speak of a net: ``train`` and ``data`` of all, ``expect`` of the first, unless they name one."""
    own = [s for s in declarations.sections if s.name == section and s.subject in (net, None)]
    if section != "expect" or all(s.subject == net for s in own):
        return tuple(own)
    first = next(iter(_complete(declarations)), None)
    return tuple(s for s in own if s.subject == net or net == first)


def _own_sections(declarations: Declarations, net: str) -> bool:
    """Whether a file says of this very net how it is trained, or on what."""
    return any(s.subject == net and s.name in SECTIONS for s in declarations.sections)


def _chosen(declarations: Declarations, net: str | None, every: bool, collector: Collector) -> list[str]:
    names = _complete(declarations)
    if net is not None and net not in declarations.nets:
        if net not in declarations.missing:
            collector.add(problems.UnknownNet(net, tuple(names), closest(net, names)), None)
        return []
    first = net or (names[0] if names else None)
    if first is None:
        return []
    return [first, *(n for n in names if n != first)] if every else [first]


def _complete(declarations: Declarations) -> list[str]:
    """The nets of a file, without those that have parameters without defaults and are there for others to be made from."""
    bases = {net.base for net in declarations.nets.values() if isinstance(net, ast.NetAlias)}
    written = {name: net for name, net in declarations.nets.items() if isinstance(net, ast.Net) and name in bases}
    templates = {name for name, net in written.items() if any(p.default is None for p in net.parameters)}
    return [name for name in declarations.nets if name not in templates] or list(declarations.nets)


def _outside(
    settings: Mapping[str, str], parameters: Mapping[str, Any], declarations: Declarations, collector: Collector
) -> tuple[Written, dict[str, dict[str, Override]]]:
    """What was set from outside: values for the net's parameters, and for each section its keys' expressions."""
    written: dict[str, tuple[Any, Place | None]] = {name: (_as_value(value), None) for name, value in parameters.items()}
    overrides: dict[str, dict[str, Override]] = {}
    for key, value in settings.items():
        text = value if isinstance(value, str) else show(_as_value(value))
        source = Source(f"<set {key}>", text)
        section, _, rest = key.partition(".")
        try:
            expression = parse_expression(source)
            if rest and section in SECTIONS:
                overrides.setdefault(section, {})[rest] = (source, expression)
            else:
                written[key] = (Evaluator(Scope(Namespace("")), words=all_words()).value(expression), Place(source, expression.span))
        except LexicalError as error:
            collector.extend([error.diagnostic])
        except Failure as failure:
            instead = None if declarations.has_parameter(key) else as_setting(key, text)
            problem = problems.UnknownParameter(key, next(iter(declarations.nets), ""), (), None, instead) if instead else failure.problem
            if problem is not None:
                collector.add(problem, Place(source, failure.span))
    return written, overrides


def _as_value(value: Any) -> Any:
    """A value of Python as one of the language: a list as such, and a text as a word where it is one."""
    if isinstance(value, list | tuple):
        return tuple(map(_as_value, value))
    return Word(value) if isinstance(value, str) and value in all_words() else value


@contextmanager
def _collection_off() -> Iterator[None]:
    """No garbage collection meanwhile: trees and graphs have no cycles, and walking 10^5 nodes again and again is half the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
