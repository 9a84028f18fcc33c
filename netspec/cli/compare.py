"""``netspec compare``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netspec.cli.options import Json
from netspec.cli.terminal import console, show_json
from netspec.diagnostics.text import escape

EXAMPLE = "Example: netspec compare runs/* --sort test.accuracy --out compare.png"
Runs = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs, as runs/*.", show_default=False)]
Sort = Annotated[
    str | None,
    typer.Option("--sort", metavar="FIGURE", help="The best first, by val.accuracy, test.loss, time or parameters.", show_default=False),
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="A .png to draw their curves to, one over the other.", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="Also runs that are not finished.")]
Settings = Annotated[bool, typer.Option("--all-settings", help="Every setting that differs, where there are very many.")]


def command(runs: Runs, sort: Sort = None, out: Out = None, all_: All = False, all_settings: Settings = False, json: Json = False) -> None:
    """Runs side by side: what differs in their settings, and what came of it."""
    from dataclasses import replace

    from netspec.backends.atomic import write_atomically
    from netspec.report.comparing import comparison_data, comparison_table, draw_comparison
    from netspec.report.runs import in_order, read_runs

    if out is not None and out.suffix.lower() != ".png":
        raise typer.BadParameter(f"{escape(str(out))} does not end in .png", param_hint="--out")
    found = read_runs(runs, unfinished=all_)
    if sort is not None:
        found = replace(found, runs=in_order(found.runs, sort))
    for path, reason in found.left_out:
        typer.echo(f"left out: {escape(path)}: {escape(reason)}", err=True)
    if out is not None:
        picture = draw_comparison(found.runs)
        write_atomically(out, [picture], len(picture))
    if json:
        show_json(comparison_data(found))
        return
    console().print(comparison_table(found.runs, all_settings))
    if out is not None:
        typer.echo(f"drew {escape(str(out))}")
