"""``netspec train``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netspec.cli.options import Device, Net, Set, Spec, compiled
from netspec.diagnostics import Exit

EXAMPLE = "Example: netspec train mnist_convnet.net --data examples/mnist/mnist.npz --set train.epochs=2"
Data = Annotated[Path, typer.Option("--data", help="A folder of images, with a folder for each class, or an .npz.", show_default=False)]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="The run's folder; runs/NAME-1 or the next free number if left out.", show_default=False)
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, or with the last one of this net.")]


def command(
    spec: Spec, data: Data, out: Out = None, resume: Resume = False, set_: Set = None, net: Net = None, device: Device = "auto"
) -> int:
    """Train a net on images, as its sections train and data say."""
    import os

    # Waiting threads sleep instead of spinning: where the machine does other work as well, a step takes half the time. torch reads it once.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

    from rich.console import Console

    from netspec.training import train
    from netspec.training.stopping import Interrupted

    try:
        train(compiled(spec, set_, net), data, out=out, resume=resume, device=device, console=Console())
    except Interrupted as stop:
        typer.echo(str(stop), err=True)
        return int(stop.exit)
    return Exit.FINE
