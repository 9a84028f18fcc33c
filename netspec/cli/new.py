"""``netspec new``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netspec import resources
from netspec.diagnostics import failure, problems
from netspec.diagnostics.text import closest, escape, plural

EXAMPLE = "Example: netspec new pets.net --from resnet50"
Target = Annotated[Path, typer.Argument(metavar="SPEC", help="The file to write.", show_default=False)]
From = Annotated[
    str | None, typer.Option("--from", metavar="NAME", help="Which spec of the library to begin with; a list if it is unknown.")
]


def command(target: Target, from_: From = None) -> None:
    """Write a first spec: one of the library, by the file's own name or with --from, or else a small net for 28x28 images."""
    library = {p.stem: p for p in sorted(resources.folder("specs").glob("*.net"))}
    name = from_ or (target.stem if target.stem in library else "mnist_convnet")
    if name not in library:
        raise failure(problems.NoSuchTemplate(name, tuple(library), closest(name, library)))
    if target.is_dir() or target.suffix != ".net":
        raise failure(problems.NotASpecName(str(target)))
    text = library[name].read_text("utf-8")
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise failure(problems.AlreadyThere(str(target))) from None
    typer.echo(f"wrote {escape(str(target))}, {plural(len(text.splitlines()), 'line')}: now netspec check {escape(str(target))}")
