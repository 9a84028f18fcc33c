"""``netspec weights``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netspec.cli.options import Json, Net, Set, Spec, compiled, refuse_inputs
from netspec.cli.reading import Extra, Map, Nonfinite, reading
from netspec.cli.terminal import show_json
from netspec.diagnostics.text import escape, plural
from netspec.report.columns import columns
from netspec.shape import show

if TYPE_CHECKING:
    from netspec.backends.torch.loading import Loaded
    from netspec.graph import Graph

EXAMPLE = "Example: netspec weights vgg16.net vgg16_keras.h5 --map order --out vgg16.safetensors"
File = Annotated[
    str | None, typer.Argument(metavar="FILE", help="Weights, or netspec:NAME; what the spec asks for, if left out.", show_default=False)
]
Pair = Annotated[
    list[str] | None,
    typer.Option("--pair", metavar="LAYER=PATH", help="The file's layer LAYER belongs to PATH in the net.", show_default=False),
]
AsWritten = Annotated[bool, typer.Option("--as-written", help="Take branches side by side in the order of the text.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Write the net's weights there, as safetensors.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there.")]


def command(
    spec: Spec,
    file: File = None,
    map_: Map = None,
    pair: Pair = None,
    as_written: AsWritten = False,
    out: Out = None,
    force: Force = False,
    allow_extra: Extra = False,
    allow_nonfinite: Nonfinite = False,
    set_: Set = None,
    net: Net = None,
    json: Json = False,
) -> None:
    """Which tensor of a file goes where in a net, and what is done to it; nothing is printed but an error where it does not fit."""
    graph = compiled(spec, set_, net)
    how = reading(map_, allow_extra, allow_nonfinite, pair, as_written)
    if file is None:
        if out is not None:
            raise typer.BadParameter("goes with a FILE", param_hint="--out")
        _show_asked(graph, json)
        return
    from netspec.backends.torch.loading import load_weights

    loaded = load_weights(graph, file, how)
    if out is not None:
        _write(out, force, loaded, spec, Path(file))
    if json:
        show_json({"file": file, **_data(loaded)})
    else:
        typer.echo(_table(loaded))
        if out is not None:
            typer.echo(f"wrote {escape(str(out))}: {plural(len(loaded.tensors), 'tensor')} under the net's keys")


def _write(out: Path, force: bool, loaded: Loaded, *inputs: Path) -> None:
    from netspec.backends.torch.weights import write_weights
    from netspec.diagnostics import failure
    from netspec.diagnostics.models import TargetExists
    from netspec.training.folders.class_names import CLASSES

    refuse_inputs(out, *inputs)
    if out.exists() and not force:
        raise failure(TargetExists(str(out)))
    write_weights(out, loaded.tensors, {k: v for k, v in loaded.metadata.items() if k == CLASSES})


def _show_asked(graph: Graph, json: bool) -> None:
    """What the spec itself asks for, and what is left to start fresh."""
    from netspec.backends.torch.pretrained import fresh, pretrained_parts

    parts, rest = pretrained_parts(graph), fresh(graph)
    if json:
        files = [{"path": p.asked.path, "origin": p.asked.origin, "file": p.asked.file, **_data(p.loaded)} for p in parts]
        show_json({"parts": files, "fresh": list(rest)})
        return
    for part in parts:
        origin = f", its part {part.asked.origin}" if part.asked.origin else ""
        typer.echo(f"{part.asked.path or graph.name} from {escape(part.asked.file)}{origin}\n{_table(part.loaded)}\n")
    typer.echo(f"start fresh: {plural(len(rest), 'tensor')}{': ' + ', '.join(rest[:10]) if rest else ''}{', …' if len(rest) > 10 else ''}")


def _data(loaded: Loaded) -> dict[str, Any]:
    rows = [
        {
            "from": row.source,
            "shape": None if row.found is None else list(row.found),
            "key": row.key,
            "wanted": list(row.wanted),
            "done": row.conversion.words or None,
            "why": row.why or None,
        }
        for row in loaded.rows
    ]
    return {"rows": rows, "notes": list(loaded.notes), "left_over": list(loaded.left_over)}


def _table(loaded: Loaded) -> str:
    """The rows in columns, then what was assumed and what was left over."""
    head = ("in the file", "shape", "in the net", "shape", "done")
    body = [
        (
            "-" if row.source is None else escape(row.source[:200]),
            "" if row.found is None else show(row.found),
            row.key,
            show(row.wanted),
            ", ".join(filter(None, (row.conversion.words, row.why))),
        )
        for row in loaded.rows
    ]
    lines = columns(head, body) + [f"note: {note}" for note in loaded.notes]
    if loaded.left_over:
        shown = ", ".join(escape(key[:200]) for key in loaded.left_over[:10])
        lines.append(
            f"left over in the file: {plural(len(loaded.left_over), 'tensor')}: {shown}{', …' if len(loaded.left_over) > 10 else ''}"
        )
    return "\n".join(lines)
