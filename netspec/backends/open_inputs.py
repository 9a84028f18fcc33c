"""Open sizes where a net is built, exported and run: inputs of accepted sizes, and nothing fixed that is left open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from netspec.diagnostics import Diagnostic, NetspecError, failure
from netspec.diagnostics.models import WrongInput
from netspec.diagnostics.sizes import OpenSizeFixed, RefusedSizes
from netspec.graph import Graph
from netspec.lowering import OnnxCall, OnnxConstant, TorchCall
from netspec.open_sizes import OpenSizes
from netspec.shape import Open, Shape, symbols_of
from netspec.sizes import at


def sizes_of(graph: Graph, shapes: Sequence[Shape]) -> dict[str, int]:
    """The open sizes by what comes in, a shape (without the batch) for each input.

    Raises a :class:`~netspec.diagnostics.NetspecError` N820 where a shape is not of its input's form, N830 where the net refuses the sizes.
    """
    found: dict[str, int] = {}
    for node, shape in zip(graph.inputs, shapes, strict=True):
        if len(shape) == len(node.output):
            for wanted, n in zip(node.output, shape, strict=True):
                if isinstance(wanted, Open) and str(wanted) in symbols_of(wanted):
                    found.setdefault(str(wanted), n)
    for node, shape in zip(graph.inputs, shapes, strict=True):
        if any(s not in found for s in symbols_of(node.output)) or at(node.output, found) != shape:
            with_sizes = "".join(f", where {s} is {n}" for s, n in found.items() if len(graph.inputs) > 1)
            raise failure(WrongInput(node.label or node.path, f"of shape {tuple(shape)}{with_sizes}", node.output))
    if graph.sizes is not None:
        _refuse(graph.sizes, found)
    return found


def _refuse(sizes: OpenSizes, found: dict[str, int]) -> None:
    refusal = sizes.refusal(found)
    if refusal is None:
        return
    rules = tuple((s, str(rule), rule.nearest(found[s])) for s, rule in sizes.rules.items() if found[s] not in rule)
    problem = RefusedSizes(tuple(found.items()), str(refusal.objection), rules, sizes.relations)
    raise NetspecError([Diagnostic(problem, refusal.place, (), refusal.trail)])


def refuse_fixed(graph: Graph, target: str) -> None:
    """Raise a located N831 where ``target`` ('PyTorch', 'ONNX') would get a number for a size that is left open."""
    if graph.sizes is None:
        return
    for node in graph.layers:
        lowering = node.facts.torch if target == "PyTorch" else node.facts.onnx
        size = next(open_sizes_in(lowering), None)
        if size is not None:
            problem = OpenSizeFixed(node.layer, target, str(size), tuple(sorted(size.symbols)))
            raise NetspecError([Diagnostic(problem, node.place, (), node.trail)])


def open_sizes_in(value: Any) -> Iterator[Open]:
    """The open sizes in a recorded call."""
    if isinstance(value, Open):
        yield value
    elif isinstance(value, TorchCall):
        yield from open_sizes_in((*value.args, *value.kwargs.values()))
    elif isinstance(value, OnnxCall):
        yield from open_sizes_in((*value.inputs, *value.attributes.values()))
    elif isinstance(value, OnnxConstant):
        yield from open_sizes_in(value.value)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from open_sizes_in(part)
