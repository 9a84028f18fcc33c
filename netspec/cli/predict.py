"""``netspec predict``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netspec.cli.options import Device, Json
from netspec.cli.terminal import console, show_json

EXAMPLE = "Example: netspec predict runs/mnist_convnet-1 examples/mnist/digits"
Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A run's folder, or an .onnx file that netspec has exported.", show_default=False)
]
Files = Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files, or folders of them.", show_default=False)]
Top = Annotated[int, typer.Option("--top", min=1, help="How many classes to name for each image.")]


def command(model: Model, images: Files, top: Top = 3, json: Json = False, device: Device = "auto") -> None:
    """What a trained model sees in images: the likeliest classes, each with its probability."""
    from netspec.inference import predict
    from netspec.report.tables import show_predictions

    found = predict(model, images, top=top, device=device)
    if json:
        show_json([p.model_dump(mode="json") for p in found])
    else:
        show_predictions(console(), found)
