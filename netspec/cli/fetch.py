"""``netspec fetch``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from netspec.cli.options import Json
from netspec.cli.terminal import show_json
from netspec.diagnostics.text import escape
from netspec.report.columns import columns

if TYPE_CHECKING:
    from netspec.backends.checkpoints import Checkpoint

EXAMPLE = "Example: netspec fetch mobilenet_v2"
Names = Annotated[
    list[str] | None, typer.Argument(metavar="NAME...", help="Published checkpoints; a list of all, if left out.", show_default=False)
]


def command(names: Names = None, json: Json = False) -> None:
    """Fetch published weights into the cache, checked; or list those that are known, with address, size and licence."""
    from netspec.backends.checkpoints import checkpoint, checkpoints, open_checkpoint

    chosen = [checkpoint(name) for name in names or ()]
    for wanted in chosen:
        open_checkpoint(wanted).close()
    shown = chosen or list(checkpoints().values())
    if json:
        show_json([_data(known) for known in shown])
    elif chosen:
        for known in chosen:
            typer.echo(f"{known.name}: {escape(str(known.path))}")
    else:
        typer.echo(_catalogue(shown))


def _catalogue(known: list[Checkpoint]) -> str:
    head = ("name", "net", "MiB", "trained on", "SHA-256 begins", "here")
    body = [(c.name, f"{c.spec}.net {c.net}", f"{c.mebibytes:.1f}", c.data, c.sha256[:8], "yes" if c.path.is_file() else "") for c in known]
    return "\n".join([*columns(head, body), "", *dict.fromkeys(c.licence for c in known)])


def _data(known: Checkpoint) -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(known), "file": str(known.path), "here": known.path.is_file()}
