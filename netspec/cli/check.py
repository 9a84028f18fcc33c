"""``netspec check``"""

from __future__ import annotations

from typing import Any

import typer

from netspec.cli.options import BYTES, NODES, Json, MaxBytes, MaxNodes, Net, Set, Spec, settings
from netspec.cli.terminal import show_json
from netspec.diagnostics import NetspecError
from netspec.diagnostics.text import plural
from netspec.graph import Graph
from netspec.report.figures import macs, outline

EXAMPLE = "Example: netspec check resnet50.net --set classes=5"


def command(
    spec: Spec, set_: Set = [], net: Net = None, json: Json = False, max_nodes: MaxNodes = NODES, max_bytes: MaxBytes = BYTES
) -> int:
    """Say whether a spec is right, and what it comes to: shapes, parameters, multiply-accumulates."""
    from netspec.compiler import Limits, compile_source
    from netspec.syntax.read import read_source

    limits = Limits(max_bytes, max_nodes)
    try:
        graphs = compile_source(read_source(spec, max_bytes), net=net, settings=settings(set_), limits=limits, every=net is None)
    except NetspecError as error:
        if json:
            from netspec.diagnostics.render import as_data

            show_json({"ok": False, "diagnostics": [as_data(d) for d in error.diagnostics]})
            return int(error.exit)
        raise
    if json:
        show_json({"ok": True, **outline(graphs[0]), "nets": [outline(g) for g in graphs]})
        return 0
    for graph in graphs:
        typer.echo(_sentence(graph))
    return 0


def _sentence(graph: Graph) -> str:
    shapes = [f"{n.path} {_x(n.output)}" for n in graph.inputs]
    results = [f"{name} {_x(shape)}" for name, shape in graph.output_shapes().items()]
    lines = [
        f"{graph.name}: {', '.join(shapes)} -> {', '.join(results)}",
        f"  {plural(graph.parameters, 'parameter')}{_trainable(graph)}, {macs(graph.macs)}, {plural(len(graph.layers), 'layer')}",
    ]
    if graph.expectations is None:
        lines.append("  expectations of the file not checked, since parameters were set")
    elif graph.expectations:
        lines.append(f"  {plural(graph.expectations, 'expectation')} {'holds' if graph.expectations == 1 else 'hold'}")
    return "\n".join(lines)


def _x(shape: Any) -> str:
    return "x".join(map(str, shape))


def _trainable(graph: Graph) -> str:
    return "" if graph.trainable == graph.parameters else f", {graph.trainable:,} of them trainable"
