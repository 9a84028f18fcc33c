"""``netspec preview``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netspec.cli.options import AllowEmptyClass, BadImages, Json, Net, Set, Spec, allowed, compiled, refuse_inputs
from netspec.cli.terminal import show_json
from netspec.diagnostics.text import escape

EXAMPLE = "Example: netspec preview cats_dogs.net --data data/pets --epoch 3"
Data = Annotated[Path, typer.Option("--data", help="What the net is to be trained on, as for `netspec train`.", show_default=False)]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="The PNG to write; NAME-preview.png if left out.", show_default=False)]
Images = Annotated[int, typer.Option("--images", min=1, max=64, help="How many images.")]
Epoch = Annotated[int, typer.Option("--epoch", min=1, help="The first epoch to show.")]
Epochs = Annotated[int, typer.Option("--epochs", min=1, max=32, help="How many epochs.")]


def command(
    spec: Spec,
    data: Data,
    out: Out = None,
    images: Images = 6,
    epoch: Epoch = 1,
    epochs: Epochs = 5,
    set_: Set = None,
    net: Net = None,
    json: Json = False,
    bad_images: BadImages = "error",
    allow_empty_class: AllowEmptyClass = False,
) -> None:
    """A sheet of the very pictures that a net will see while it trains: each row an image, each column an epoch."""
    from netspec.backends.atomic import write_atomically
    from netspec.report.sheet import draw_sheet
    from netspec.training.preview import preview

    graph = compiled(spec, set_, net)
    target = out or Path(f"{'net' if str(spec) == '-' else spec.stem}-preview.png")
    if out is not None or not json:
        refuse_inputs(target, spec, data)
    found = preview(graph, data, images=images, epoch=epoch, epochs=epochs, allowed=allowed(bad_images, allow_empty_class))
    if out is not None or not json:
        sheet = draw_sheet(["as it is", *(f"epoch {n}" for n in found.epochs)], found.tiles)
        write_atomically(target, [sheet], len(sheet))
    if json:
        show_json(found.data())
        return
    for line in found.joined or ("the net has no augment: it sees every image as it is",):
        typer.echo(line)
    typer.echo(f"drew {escape(str(target))}")
