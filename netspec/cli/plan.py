"""``netspec plan``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netspec.cli.options import AllowEmptyClass, Device, Json, Net, Set, Spec, compiled
from netspec.cli.terminal import show_json

EXAMPLE = "Example: netspec plan flowers.net --data photos --set train.batch=64"
Data = Annotated[Path, typer.Option("--data", help="What the net is to be trained on, as for `netspec train`.", show_default=False)]


def command(
    spec: Spec,
    data: Data,
    set_: Set = None,
    net: Net = None,
    json: Json = False,
    device: Device = "auto",
    allow_empty_class: AllowEmptyClass = False,
) -> None:
    """What training will do before it does it: what learns, where the backward pass ends, what is kept, and the memory of a step."""
    from netspec.asking import plan as planned
    from netspec.report.planned import plan_lines

    plan = planned(compiled(spec, set_, net), data, device=device, allow_empty_class=allow_empty_class)
    if json:
        show_json(plan.model_dump(mode="json"))
        return
    for line in plan_lines(plan):
        typer.echo(line)
