"""``netspec render``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netspec.cli.options import MaxBytes, MaxNodes, Net, Set, Spec, compiled, refuse_inputs
from netspec.diagnostics.text import escape
from netspec.limits import MAX_BYTES, MAX_NODES

EXAMPLE = "Example: netspec render googlenet.net -o inception.svg --only inception3a"
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="The picture to write: .svg, .png, .pdf or .dot; NAME.svg if left out.", show_default=False),
]
Right = Annotated[bool, typer.Option("--right", help="Draw from left to right instead of downwards.")]
Only = Annotated[str | None, typer.Option("--only", metavar="PATH", help="Draw one labelled part alone, as layer1.", show_default=False)]


def command(
    spec: Spec,
    out: Out = None,
    only: Only = None,
    right: Right = False,
    set_: Set = None,
    net: Net = None,
    max_nodes: MaxNodes = MAX_NODES,
    max_bytes: MaxBytes = MAX_BYTES,
) -> None:
    """Draw a net: regions and blocks as boxes, shapes on the arrows, frozen parts tinted."""
    from netspec.backends.dot import render

    graph = compiled(spec, set_, net, max_nodes, max_bytes)
    target = out or Path(f"{'net' if str(spec) == '-' else spec.stem}.svg")
    refuse_inputs(target, spec)
    render(graph, target, only=only, direction="right" if right else "down")
    typer.echo(f"drew {escape(str(target))}")
