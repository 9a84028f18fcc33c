"""``netspec train``"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from netspec.cli.options import AllowEmptyClass, BadImages, Device, Net, Set, Spec, compiled
from netspec.diagnostics import Exit, NetspecError

EXAMPLE = "Example: netspec train mnist_convnet.net --data examples/mnist/mnist.npz --set train.epochs=2"
_SIGNALLED: Final = 128
_LINGERS: Final = 5.0
_WAITS: Final = 60.0
"""Seconds that a process with nothing to say leaves to the one that speaks: after an error in training, and before training."""

Data = Annotated[Path, typer.Option("--data", help="A folder of images, a CSV, an .npz or .npy: see docs/data.md.", show_default=False)]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="The run's folder; runs/NAME-1 or the next free number if left out.", show_default=False)
]
Tensorboard = Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard's event files into the run's folder, too.")]
Rescue = Annotated[
    Path | None,
    typer.Option("--rescue-dir", help="Where to save the state if the run's folder takes nothing any more.", show_default=False),
]
Shard = Annotated[bool, typer.Option("--shard", help="Divide the weights among the processes of torchrun (FSDP).")]
AcceptDataChange = Annotated[
    bool, typer.Option("--accept-data-change", help="With --resume, go on though the data has changed: not bit-identical.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, or with the last one of this net.")]


def command(
    spec: Spec,
    data: Data,
    out: Out = None,
    resume: Resume = False,
    set_: Set = None,
    net: Net = None,
    device: Device = "auto",
    tensorboard: Tensorboard = False,
    bad_images: BadImages = "error",
    allow_empty_class: AllowEmptyClass = False,
    accept_data_change: AcceptDataChange = False,
    rescue_dir: Rescue = None,
    shard: Shard = False,
) -> int:
    """Train a net on images, as its sections train and data say."""
    import os

    # Waiting threads sleep instead of spinning: where the machine does other work as well, a step takes half the time. torch reads it once.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

    from rich.console import Console

    from netspec.training import train
    from netspec.training.devices.allocator import keep_freed_memory

    keep_freed_memory()
    try:
        graph = compiled(spec, set_, net)
    except NetspecError as error:
        if os.environ.get("RANK", "0") == "0":
            raise
        return _silent(error.exit, _WAITS)  # each process finds the same, and the first one says it
    given: dict[str, Any] = {"out": out, "resume": resume, "device": device, "tensorboard": tensorboard, "rescue": rescue_dir}
    given |= {"skip_bad": bad_images == "skip", "allow_empty_class": allow_empty_class, "accept_data_change": accept_data_change}
    return _ended(lambda: train(graph, data, console=Console(), shard=shard, **given))


def _ended(training: Callable[[], object]) -> int:
    """Train, and give the exit code of how that ends."""
    from netspec.training.devices.processes import SaidElsewhere
    from netspec.training.stopping import Interrupted

    try:
        training()
    except Interrupted as stop:
        typer.echo(str(stop), err=True)
        return int(stop.exit)
    except KeyboardInterrupt:  # before there is a run to be gone on with, or asked a second time
        typer.echo("interrupted", err=True)
        return int(Exit.INTERRUPTED)
    except SaidElsewhere as end:
        return _silent(end.exit, _LINGERS if end.exit < _SIGNALLED else 0)
    return Exit.FINE


def _silent(code: int, seconds: float) -> int:
    """Leave the last word to another process: `torchrun` ends all of them as soon as one has ended."""
    import time

    time.sleep(seconds)
    return code
