"""``netspec predict``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netspec.cli.options import Device, Json, Net, Set
from netspec.cli.reading import Extra, Labels, Map, Model, Nonfinite, Weights, opened, reading
from netspec.cli.terminal import console, show_json

EXAMPLE = "Example: netspec predict runs/mnist_convnet-1 examples/mnist/digits"
Files = Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files, or folders of them.", show_default=False)]
Top = Annotated[int, typer.Option("--top", min=1, help="How many classes to name for each image.")]


def command(
    model: Model,
    images: Files,
    top: Top = 3,
    weights: Weights = None,
    labels: Labels = None,
    map_: Map = None,
    allow_extra: Extra = False,
    allow_nonfinite: Nonfinite = False,
    set_: Set = None,
    net: Net = None,
    json: Json = False,
    device: Device = "auto",
) -> None:
    """What a trained model sees in images: the likeliest classes, each with its probability."""
    from netspec.inference import predict
    from netspec.report.tables import show_predictions

    how = reading(map_, allow_extra, allow_nonfinite)
    found = predict(opened(model, weights, labels, how, set_, net, device), images, top=top, device=device)
    if json:
        show_json([p.model_dump(mode="json") for p in found])
    else:
        show_predictions(console(), found)
