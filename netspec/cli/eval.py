"""``netspec eval``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netspec.cli.options import BadImages, Device, Json, Net, Set
from netspec.cli.reading import Extra, Labels, Map, Model, Nonfinite, Weights, opened, reading
from netspec.cli.terminal import console, show_json

EXAMPLE = "Example: netspec eval runs/mnist_convnet-1 --data examples/mnist/mnist.npz"
Data = Annotated[Path, typer.Option("--data", help="A folder of images, a CSV, an .npz or .npy: see docs/data.md.", show_default=False)]
Split = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="NAME",
        help="train, val, test or all; if left out, test (for .onnx and data without splits, all).",
        show_default=False,
    ),
]


def command(
    model: Model,
    data: Data,
    split: Split = None,
    weights: Weights = None,
    labels: Labels = None,
    map_: Map = None,
    allow_extra: Extra = False,
    allow_nonfinite: Nonfinite = False,
    set_: Set = None,
    net: Net = None,
    json: Json = False,
    device: Device = "auto",
    bad_images: BadImages = "error",
) -> None:
    """How good a trained model is: its loss, the metrics it was trained with, and each class of each output."""
    from netspec.inference import evaluate
    from netspec.report.tables import show_evaluation

    how = reading(map_, allow_extra, allow_nonfinite)
    ready = opened(model, weights, labels, how, set_, net, device)
    found = evaluate(ready, data, split=split, device=device, skip_bad=bad_images == "skip")
    if json:
        show_json(found.model_dump(mode="json"))
    else:
        show_evaluation(console(), found)
