"""``netspec plan``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netspec.cli.options import AllowEmptyClass, BadImages, Device, Json, Net, Set, Spec, compiled
from netspec.cli.terminal import show_json

if TYPE_CHECKING:
    from netspec.graph import Graph

EXAMPLE = "Example: netspec plan flowers.net --data photos --set train.batch=64"
Data = Annotated[Path, typer.Option("--data", help="What the net is to be trained on, as for `netspec train`.", show_default=False)]


def command(
    spec: Spec,
    data: Data,
    set_: Set = None,
    net: Net = None,
    json: Json = False,
    device: Device = "auto",
    bad_images: BadImages = "error",
    allow_empty_class: AllowEmptyClass = False,
) -> None:
    """What training will do before it does it: what learns, where the backward pass ends, what is kept, and the memory of a step."""
    from netspec.report.planned import plan_lines
    from netspec.training.devices.device import choose_device
    from netspec.training.planning import plan_training

    graph = compiled(spec, set_, net)
    plan = plan_training(graph, _samples(graph, data, bad_images == "skip", allow_empty_class), choose_device(device))
    if json:
        show_json(plan.model_dump(mode="json"))
        return
    for line in plan_lines(plan):
        typer.echo(line)


def _samples(graph: Graph, data: Path, skip_bad: bool, allow_empty_class: bool) -> int:
    """How many samples there are to train on."""
    from netspec.data import Allowed
    from netspec.training.opening import open_training_split

    return len(open_training_split(graph, data, Allowed(skip_bad, allow_empty_class)))
