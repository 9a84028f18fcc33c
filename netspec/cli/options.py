"""Arguments and options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from netspec.limits import MAX_BYTES, MAX_NODES

if TYPE_CHECKING:
    from netspec.data import Allowed
    from netspec.graph import Graph

Spec = Annotated[Path, typer.Argument(metavar="SPEC", help="A .net file, or - for standard input.", show_default=False)]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Set a parameter of the net (classes=5) or a setting (train.epochs=3).", show_default=False
    ),
]
Net = Annotated[str | None, typer.Option("--net", metavar="NAME", help="Which net of the file; the first if left out.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
MaxNodes = Annotated[int, typer.Option("--max-nodes", min=1, help="Layers allowed once blocks and loops are written out.")]
MaxBytes = Annotated[int, typer.Option("--max-bytes", min=1, help="Size allowed of a spec.")]
AllowEmptyClass = Annotated[
    bool, typer.Option("--allow-empty-class", help="Take the folder of a class without images for a class without samples.")
]
BadImages = Annotated[
    Literal["error", "skip"], typer.Option("--bad-images", help="What to do about images that cannot be read: stop, or leave them out.")
]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, mps, or auto for the best there is.")]


def allowed(bad_images: str, allow_empty_class: bool = False) -> Allowed:
    """What is no error in data, as the command line says."""
    from netspec.data import Allowed

    return Allowed(bad_images == "skip", allow_empty_class)


def settings(assignments: list[str] | None) -> dict[str, str]:
    """``NAME=VALUE`` pairs by name; raises a usage error for anything else."""
    found = {}
    for assignment in assignments or ():
        name, equals, value = assignment.partition("=")
        if not equals or not name or not value:
            raise typer.BadParameter(f"{assignment!r} is not NAME=VALUE, as classes=5", param_hint="--set")
        found[name.strip()] = value
    return found


def refuse_inputs(target: Path, *inputs: Path | None) -> None:
    """Raise a usage error where the file to write is one of those it is made from."""
    if target.exists() and any(path is not None and path.exists() and path.samefile(target) for path in inputs):
        raise typer.BadParameter(f"{str(target)!r} is a file that this is made from: give another name", param_hint="--out")


def compiled(spec: Path, assignments: list[str] | None, net: str | None, max_nodes: int = MAX_NODES, max_bytes: int = MAX_BYTES) -> Graph:
    """The graph of a spec as the command line describes it."""
    from netspec.compiler import Limits, load

    return load(spec, net=net, settings=settings(assignments), limits=Limits(max_bytes, max_nodes))
