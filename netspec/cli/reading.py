"""Options with which weights are read, for every command that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netspec.cli.options import compiled
from netspec.diagnostics.text import escape
from netspec.syntax.read import LIBRARY

if TYPE_CHECKING:
    from netspec.backends.torch.loading import Reading
    from netspec.inference import Model as Opened

Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="FILE",
        help="Weights of the net: .safetensors, .pth, .npz or .h5, or netspec:NAME for a published checkpoint.",
        show_default=False,
    ),
]
Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL", help="A run's folder, an .onnx file that netspec has exported, or a .net file with --weights.", show_default=False
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option("--labels", metavar="FILE", help="Names of the classes, one a line; their numbers if left out.", show_default=False),
]
Map = Annotated[
    str | None,
    typer.Option("--map", metavar="order", help="Match another framework's weights by structure instead of by name.", show_default=False),
]
Extra = Annotated[bool, typer.Option("--allow-extra", help="Leave out tensors that the net has not, instead of refusing the file.")]
Nonfinite = Annotated[bool, typer.Option("--allow-nonfinite", help="Take weights that are infinite or no numbers, to look into them.")]


def reading(
    map_: str | None,
    allow_extra: bool = False,
    allow_nonfinite: bool = False,
    pairs: Sequence[str] | None = None,
    as_written: bool = False,
) -> Reading:
    """How weights are to be read; raises a usage error for what is not said right."""
    from netspec.backends.mapping import Given
    from netspec.backends.torch.loading import Reading

    if map_ not in (None, "order"):
        raise typer.BadParameter(f"{escape(map_ or '')!r} is no way to map weights: write order", param_hint="--map")
    if (pairs or as_written) and map_ is None:
        raise typer.BadParameter("goes with --map order", param_hint="--pair" if pairs else "--as-written")
    return Reading(map_ == "order", Given(_pairs(pairs or ()), as_written), allow_extra, allow_nonfinite)


def _pairs(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for pair in given:
        layer, equals, slot = pair.rpartition("=")
        if not equals or not layer or not slot:
            raise typer.BadParameter(f"{escape(pair)!r} is not FILE'S LAYER=NET'S LAYER", param_hint="--pair")
        found[layer] = slot
    return found


def is_spec(model: Path) -> bool:
    """Whether a model is named by its spec: a ``.net`` file, or one of the library."""
    return model.suffix == ".net" or str(model).startswith(LIBRARY)


def opened(
    model: Path, weights: str | None, labels: Path | None, how: Reading, assignments: list[str] | None, net: str | None, device: str
) -> Opened:
    """What a command is to be done with: a spec's net with its weights, or a run or an exported model, which has its own."""
    from netspec.inference import SpecModel, open_model

    found: Opened
    if is_spec(model):
        found = SpecModel(compiled(model, assignments, net), weights, device, labels=labels, reading=how)
    else:
        given = {"--weights": weights, "--labels": labels if model.is_dir() else None, "--set": assignments, "--net": net}
        for name, value in given.items():
            if value is not None and value != []:
                raise typer.BadParameter("goes with a .net file; a run and an exported model have their own", param_hint=name)
        found = open_model(model, device, labels)
    if found.numbered:
        typer.echo("note: nothing names the classes, so they are called by their numbers; --labels FILE gives names, one a line", err=True)
    return found
