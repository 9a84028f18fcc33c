"""``netspec summary``"""

from __future__ import annotations

import typer

from netspec.cli.options import Json, MaxBytes, MaxNodes, Net, Set, Spec, compiled
from netspec.cli.terminal import show_json
from netspec.limits import MAX_BYTES, MAX_NODES
from netspec.report.figures import rows, table

EXAMPLE = "Example: netspec summary resnet50.net"


def command(
    spec: Spec, set_: Set = None, net: Net = None, json: Json = False, max_nodes: MaxNodes = MAX_NODES, max_bytes: MaxBytes = MAX_BYTES
) -> None:
    """Every layer with its path, output shape, parameters and multiply-accumulates."""
    graph = compiled(spec, set_, net, max_nodes, max_bytes)
    if json:
        show_json(rows(graph))
    else:
        typer.echo(f"{graph.name}\n{table(graph)}")
