"""``netspec predict``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netspec.cli.options import Device, Json, Net, Set
from netspec.cli.reading import Extra, Labels, Map, Model, Nonfinite, Weights, opened, reading
from netspec.cli.terminal import console, show_json
from netspec.diagnostics import NetspecError

EXAMPLE = "Example: netspec predict runs/mnist_convnet-1 examples/mnist/digits"
Files = Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files, or folders of them.", show_default=False)]
Top = Annotated[int, typer.Option("--top", min=1, help="How many classes, or labels, to name for each image.")]
Masks = Annotated[
    Path | None,
    typer.Option("--masks", metavar="DIR", help="A new folder for predicted masks, a PNG for each image.", show_default=False),
]


def command(
    model: Model,
    images: Files,
    top: Top = 3,
    masks: Masks = None,
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
    """What a trained model sees in images: classes and labels with their probabilities, numbers, or a class for each pixel."""
    from netspec.inference import predict_each
    from netspec.report.answers import show_predictions

    how = reading(map_, allow_extra, allow_nonfinite)
    found = predict_each(opened(model, weights, labels, how, set_, net, device), images, top=top, device=device, masks=masks)
    if json:
        show_json([p.model_dump(mode="json", exclude_defaults=True) for p in found.predictions])
    else:
        show_predictions(console(), found.predictions)
    if found.failed:
        raise NetspecError(found.failed)
