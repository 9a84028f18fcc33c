"""``netspec check``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netspec.cli.checking import check
from netspec.cli.options import AllowEmptyClass, BadImages, Json, MaxBytes, MaxNodes, Net, Set, Spec, allowed, settings
from netspec.limits import MAX_BYTES, MAX_NODES

EXAMPLE = "Example: netspec check resnet50.net --set classes=5"
Data = Annotated[
    Path | None,
    typer.Option("--data", help="Look at data as well: a folder of images, a .csv, .npz or .npy, as for train.", show_default=False),
]


def command(
    spec: Spec,
    data: Data = None,
    set_: Set = None,
    net: Net = None,
    json: Json = False,
    max_nodes: MaxNodes = MAX_NODES,
    max_bytes: MaxBytes = MAX_BYTES,
    bad_images: BadImages = "error",
    allow_empty_class: AllowEmptyClass = False,
) -> int:
    """Say whether a spec is right and what it comes to: shapes, parameters, multiply-accumulates; with --data, whether data fits it."""
    return check(spec, settings(set_), net, json, max_nodes, max_bytes, data, allowed(bad_images, allow_empty_class) if data else None)
