"""Where a name stands that means nothing where it was written: inside a region, further below, or as a label of one step of a chain.

All of it looks into the tree again, and only once something is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import lru_cache
from typing import Final

from netspec.diagnostics import Problem, problems
from netspec.resolve.scope import Namespace, Scope
from netspec.resources import folder
from netspec.source import Place, Span
from netspec.syntax import ast


def told(problem: Problem, scope: Scope, place: Place, labels: dict[str, Span]) -> Problem:
    """The problem of an unknown name at a place, and where the name is; ``labels`` are those of the net or block around."""
    if not isinstance(problem, problems.UnknownName | problems.UnknownStep) or problem.hint is not None:
        return problem
    inside = _inside(problem.name, scope.namespace)
    if inside is not None:
        return replace(problem, hint=f"write {inside}: it is inside of a labelled part")
    below = labels.get(problem.name, place.span)
    if below.start <= place.span.start:
        undeclared = isinstance(problem, problems.UnknownName) and problem.near is None and problem.name.casefold() in _CLASSES
        return replace(problem, hint=f"declare it behind the net's name, as net Name({problem.name} = 10)") if undeclared else problem
    line, _ = place.source.position(below.start)
    return replace(problem, hint=f"`{problem.name}` is defined further below, on line {line}: a tensor can be used from there on")


_CLASSES: Final = frozenset(("classes", "num_classes", "n_classes", "nclasses"))
"""What a net is told by name in most frameworks, and may be here, once it is declared."""


def _inside(name: str, namespace: Namespace | None) -> str | None:
    """The dotted name of a label in a labelled part of a region around."""
    while namespace is not None:
        for label, labelled in namespace.labels.items():
            if labelled.inside is not None and (found := _path(name, labelled.inside, label)):
                return found
        namespace = namespace.outer
    return None


def _path(name: str, namespace: Namespace, prefix: str, depth: int = 8) -> str | None:
    if name in namespace.labels:
        return f"{prefix}.{name}"
    within = ((label, found.inside) for label, found in namespace.labels.items() if found.inside is not None and depth)
    return next((path for label, inside in within if (path := _path(name, inside, f"{prefix}.{label}", depth - 1))), None)


def labels_of(body: ast.Body) -> dict[str, Span]:
    """The labels in a body that are plain names, the last of each name, those within labelled steps left out."""
    found: dict[str, Span] = {}
    pending: list[ast.Node] = [body]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Step) and node.label is not None:
            if len(node.label.parts) == 1 and isinstance(node.label.parts[0], str):
                found[node.label.parts[0]] = max(node.label.span, found.get(node.label.parts[0], node.label.span))
            continue
        pending += [part for part in _parts(node) if not isinstance(part, ast.Arguments)]
    return found


def meant_for_chain(file: Iterator[ast.Net | ast.Block], place: Place) -> tuple[str, str] | None:
    """Of what ends a chain: the label of a step before it that is used elsewhere, and the step that the label names."""
    for item in file:
        if not item.span.start <= place.span.start < item.span.end:
            continue
        for chain in (node for node in _around(item.body, place.span.start) if isinstance(node, ast.Chain)):
            *before, last = chain.steps
            if last.operation.span.start != place.span.start:
                continue
            for step in reversed(before):
                name = step.label.parts[0] if step.label is not None else None
                if isinstance(name, str) and isinstance(step.operation, ast.UseOf) and name in _named(item.body):
                    reference = step.operation.reference.span
                    return name, place.source.text[reference.start : reference.end]
    return None


@lru_cache(maxsize=1)
def _named(body: ast.Body) -> frozenset[str]:
    """Every name in a body, worked out once for all that is wrong in it."""
    return frozenset(node.name for node in _all(body) if isinstance(node, ast.Name))


def _around(node: ast.Node, position: int) -> Iterator[ast.Node]:
    """A node and what in it stands around a position."""
    yield node
    for part in _parts(node):
        span: Span | None = getattr(part, "span", None)  # a file alone has none
        if span is not None and span.start <= position < span.end:
            yield from _around(part, position)


def _all(node: ast.Node) -> Iterator[ast.Node]:
    """A node and all that is in it."""
    pending = [node]
    while pending:
        node = pending.pop()
        yield node
        pending += _parts(node)


def of_library(name: str) -> str | None:
    """How to use a net of the library under a name, if there is one, letter case and underscores aside."""
    file = _library().get(name.casefold().replace("_", ""))
    return f'write use {name} from "netspec:{file}" above the net' if file is not None else None


@lru_cache(maxsize=1)
def _library() -> dict[str, str]:
    """The file of the library that each of its nets is in, by the net's plain name; of several the first."""
    found: dict[str, str] = {}
    for path in sorted(folder("specs").glob("*.net")):
        for net in _NET.findall(path.read_text("utf-8")):
            found.setdefault(net.casefold().replace("_", ""), path.stem)
    return found


_NET: Final = re.compile(r"^net (\w+)", re.MULTILINE)


def _parts(node: ast.Node) -> Iterator[ast.Node]:
    for field in fields(node):  # type: ignore[arg-type]
        value = getattr(node, field.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, ast.Node):
                yield part
