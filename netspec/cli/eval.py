"""``netspec eval``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netspec.cli.options import Device, Json
from netspec.cli.terminal import console, show_json

EXAMPLE = "Example: netspec eval runs/mnist_convnet-1 --data examples/mnist/mnist.npz"
Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A run's folder, or an .onnx file that netspec has exported.", show_default=False)
]
Data = Annotated[Path, typer.Option("--data", help="A folder of images, with a folder for each class, or an .npz.", show_default=False)]
Split = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="NAME",
        help="train, val, test or all; if left out, test (for .onnx and data without splits, all).",
        show_default=False,
    ),
]


def command(model: Model, data: Data, split: Split = None, json: Json = False, device: Device = "auto") -> None:
    """How good a trained model is: accuracy, loss, and each class."""
    from netspec.inference import evaluate
    from netspec.report.tables import show_evaluation

    found = evaluate(model, data, split=split, device=device)
    if json:
        show_json(found.model_dump(mode="json"))
    else:
        show_evaluation(console(), found)
