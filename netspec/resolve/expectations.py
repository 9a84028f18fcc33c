"""``expect``: assertions about the net, that hold or are errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netspec.diagnostics import Problem, Related, problems
from netspec.diagnostics.collector import Collector
from netspec.diagnostics.text import closest
from netspec.graph import Graph
from netspec.resolve.evaluate import Evaluator, Failure
from netspec.resolve.scope import Namespace, Scope
from netspec.shape import Open, Shape
from netspec.shape import show as show_shape
from netspec.source import Place
from netspec.syntax import ast
from netspec.values import Rounded, Size, show

if TYPE_CHECKING:
    from netspec.open_sizes import OpenSizes


def check_expectations(graph: Graph, sections: tuple[ast.Section, ...], collector: Collector) -> int:
    """Hold the net to what the file expects of it; gives how many expectations there are."""
    settings = _settings(graph, sections, collector)
    scope = Scope(Namespace(""))
    scope.variables.update({} if graph.sizes is None else graph.sizes.variables)
    for setting in settings:
        try:
            expected = Evaluator(scope).value(setting.value)
        except Failure as failure:
            if failure.problem is not None:
                collector.add(_of_symbols(failure.problem, tuple(scope.variables)), Place(graph.source, failure.span))
            continue
        found = _found(graph, setting.key)
        if found is None:
            known = ("parameters", "trainable", "macs", "output", *graph.labels)
            collector.add(problems.NotAnExpectation(setting.key, closest(setting.key, known)), Place(graph.source, setting.key_span))
        elif not _holds(expected, found, graph.sizes):
            problem = problems.ExpectationFails(setting.key, _written(expected), _written(found), _hint(expected, found))
            collector.add(problem, Place(graph.source, setting.value.span))
    return len(settings)


def _settings(graph: Graph, sections: tuple[ast.Section, ...], collector: Collector) -> list[ast.Setting]:
    """What is expected, each key once; reports everything else."""
    found: dict[str, ast.Setting] = {}
    for entry in (e for section in sections for e in section.entries):
        if isinstance(entry, ast.Hole):
            continue
        if not isinstance(entry, ast.Setting):
            problem = problems.NotAnExpectation(entry.name, None)
            collector.add(problem, Place(graph.source, entry.span))
        elif entry.key in found:
            related = (Related(Place(graph.source, found[entry.key].key_span), "first here"),)
            collector.add(problems.DefinedTwice(entry.key, "expectation"), Place(graph.source, entry.key_span), related)
        else:
            found[entry.key] = entry
    return list(found.values())


def _found(graph: Graph, key: str) -> int | Shape | None:
    """What a key stands for: a figure of the net, or the shape of an output or of anything labelled."""
    figures = {"parameters": graph.parameters, "trainable": graph.trainable, "macs": graph.macs}
    if key in figures:
        return figures[key]
    shapes = graph.output_shapes()
    if key in shapes:
        return shapes[key]
    if key == "output" and len(shapes) == 1:
        return next(iter(shapes.values()))
    if key in graph.labels:
        return graph.nodes[graph.labels[key]].output
    return next((n.output for n in graph.nodes if n.path == key), None)


def _of_symbols(problem: Problem, known: tuple[str, ...]) -> Problem:
    """What is wrong with a letter that is no open size of the net."""
    return problems.NotAnOpenSize(problem.symbols[0], known) if isinstance(problem, problems.OpenSizeElsewhere) else problem


def _holds(expected: Any, found: int | Shape, sizes: OpenSizes | None) -> bool:
    if isinstance(found, tuple):
        wanted = tuple(expected) if isinstance(expected, tuple) else (expected,)
        return len(wanted) == len(found) and all(_holds(a, b, sizes) for a, b in zip(wanted, found, strict=True))
    if sizes is not None and (isinstance(found, Open) or isinstance(expected, Open)):
        return sizes.equal(expected, found)
    if isinstance(expected, Rounded):
        return expected.covers(found)
    return bool(expected == found)


def _written(value: Any) -> str:
    if isinstance(value, Rounded):
        return f"{float(value):,.0f}"
    if isinstance(value, int | Open) and not isinstance(value, bool):
        return f"{value:,}"
    return show_shape(tuple(value)) if isinstance(value, tuple | Size) else show(value)


def _hint(expected: Any, found: int | Shape) -> str | None:
    if isinstance(found, int) and isinstance(expected, int) and not isinstance(expected, bool) and found != expected:
        return f"that is {abs(found - expected):,} too {'many' if found > expected else 'few'}"
    return None
