"""Figures of a graph as text and as data: what `check` and `summary` show. Neither torch nor any other heavy library is needed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from netspec.graph import Graph, Node
from netspec.layer import layers
from netspec.report.columns import columns
from netspec.shape import Open, Shape
from netspec.shape import show as show_shape
from netspec.values import show

if TYPE_CHECKING:
    from netspec.open_sizes import OpenSizes


def outline(graph: Graph) -> dict[str, Any]:
    """A net in figures. Shapes are lists, without the batch; MACs are of one sample. What depends on open sizes is a text, as ``H/2``."""
    return {
        "name": graph.name,
        "parameters": graph.parameters,
        "trainable": graph.trainable,
        "macs": _data(graph.macs),
        "layers": len(graph.layers),
        "inputs": {n.path: _data(n.output) for n in graph.inputs},
        "outputs": {name: _data(shape) for name, shape in graph.output_shapes().items()},
        "settings": dict(graph.settings),
        "expectations": graph.expectations,
    } | ({} if graph.sizes is None else {"sizes": _sizes(graph.sizes)})


def _data(value: int | Shape) -> Any:
    """Numbers as they are and formulas as text."""
    if isinstance(value, tuple):
        return [_data(n) for n in value]
    return str(value) if isinstance(value, Open) else value


def _sizes(sizes: OpenSizes) -> dict[str, Any]:
    """Which sizes are accepted: of a letter, from ``settled`` on those with these residues of ``period``, before it those in ``early``."""
    rules = {symbol: asdict(rule) | {"must": str(rule)} for symbol, rule in sizes.rules.items()}
    return {"symbols": list(sizes.symbols), "rules": rules, "relations": list(sizes.relations), "sentences": sizes.sentences()}


def rows(graph: Graph) -> list[dict[str, Any]]:
    """Every layer in figures, in order."""
    return [
        {
            "path": n.path,
            "layer": n.layer,
            "arguments": dict(n.arguments),
            "inputs": [graph.nodes[i].path for i in n.inputs],
            "output": _data(n.output),
            "parameters": n.facts.parameters,
            "macs": _data(n.facts.macs),
            "frozen": n.frozen,
            "auxiliary": n.index not in graph.inferred,
        }
        for n in graph.layers
    ]


def written(node: Node) -> str:
    """A layer as its author would write it, defaults left out: ``conv(64, 7, stride=2)``."""
    if node.role == "input":
        return f"input({show_shape(node.output)})"
    signature = layers()[node.layer].signature
    parts = []
    for parameter in signature.parameters:
        value = node.arguments[parameter.name]
        if parameter.required:
            parts.append(show(value))
        elif value != parameter.default:
            parts.append(f"{parameter.name}={show(value)}")
    return f"{node.layer}({', '.join(parts)})" if parts else node.layer


def table(graph: Graph) -> str:
    """The net as a table: path, layer, output, parameters and MACs of each layer, and the sums."""
    head = ("path", "layer", "output", "parameters", "MACs")
    body = [
        (
            n.path,
            written(n),
            show_shape(n.output),
            _figure(n.facts.parameters) + (" *" if n.frozen and n.facts.parameters else ""),
            _figure(n.facts.macs) + ("" if n.index in graph.inferred else " +"),
        )
        for n in graph.nodes
    ]
    total = ("", f"{len(graph.layers)} layers", "", f"{graph.parameters:,}", f"{graph.macs:,}")
    lines = columns(head, body, [total], right=2)
    if graph.trainable != graph.parameters:
        lines.append(f"* frozen: {graph.trainable:,} of {graph.parameters:,} parameters are trainable")
    if graph.auxiliary:
        lines.append("+ auxiliary: for training alone, and not in the sum of the MACs, which is that of inference")
    return "\n".join(lines)


def _figure(count: int) -> str:
    return f"{count:,}" if count else ""


def of_trainable(parameters: int, most: int, in_stages: bool) -> str:
    """``, 240 of them trainable``: how many parameters learn, of stages in the one where most do; nothing where that is all."""
    return "" if most == parameters else f", {'at most ' * in_stages}{most:,} of them trainable"
