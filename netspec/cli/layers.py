"""``netspec layers``"""

from __future__ import annotations

import re
from typing import Annotated

import typer

from netspec.cli.options import Json
from netspec.cli.terminal import show_json
from netspec.diagnostics import failure, problems
from netspec.diagnostics.text import closest
from netspec.layer import Layer, elsewhere, layers
from netspec.layers.planned import planned
from netspec.report.reference import call

EXAMPLE = "Example: netspec layers conv"
Name = Annotated[str | None, typer.Argument(metavar="LAYER", help="A layer, by its name here or elsewhere; all of them if left out.")]


def command(name: Name = None, json: Json = False) -> None:
    """The catalogue of layers, or all about one of them."""
    if name is None:
        if json:
            show_json([_data(known) for known in layers().values()])
        else:
            typer.echo(_catalogue())
        return
    known = layers().get(name) or layers().get(elsewhere().get(name.casefold(), ""))
    if known is None and (later := planned(name)) is not None:
        raise failure(problems.NotBuiltYet(f"the layer `{later}` is", "`netspec layers` lists those that are"))
    if known is None:
        raise failure(problems.UnknownLayer(name, closest(name, layers())))
    if json:
        show_json(_data(known))
    else:
        typer.echo((f"`{name}` is called `{known.name}` here\n\n" if name != known.name else "") + _page(known))


def _catalogue() -> str:
    lines = []
    for family in dict.fromkeys(known.family for known in layers().values()):
        lines.append(family)
        lines += [f"  {known.name:<18} {_first(known)}" for known in layers().values() if known.family == family]
    return "\n".join(lines)


def _first(known: Layer) -> str:
    """The first sentence about a layer, which may end on another line than it begins."""
    return re.split(r"(?<=\.)\s", " ".join(known.doc.split()))[0]


def _page(known: Layer) -> str:
    names = [f"Elsewhere: {', '.join(known.elsewhere)}"] if known.elsewhere else []
    return "\n\n".join([call(known), known.doc, *names])


def _data(known: Layer) -> dict[str, object]:
    arguments = [
        {"name": p.name, "accepts": p.kind.describe(), "required": p.required, "default": None if p.required else p.default}
        for p in known.signature.parameters
    ]
    return {
        "name": known.name,
        "family": known.family,
        "merge": known.is_merge,
        "arguments": arguments,
        "elsewhere": list(known.elsewhere),
        "doc": known.doc,
    }
