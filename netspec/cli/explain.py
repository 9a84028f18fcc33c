"""``netspec explain``"""

from __future__ import annotations

import re
from typing import Annotated

import typer

from netspec import resources
from netspec.diagnostics import failure, problems

EXAMPLE = "Example: netspec explain N203"
Code = Annotated[str | None, typer.Argument(metavar="CODE", help="The code of an error; all of them if left out.")]


def command(code: Code = None) -> None:
    """What an error means: the mistake, a net that makes it, and the net mended."""
    pages = resources.folder("errors")
    if code is None:
        for page in sorted(pages.glob("N*.md")):
            typer.echo(page.read_text("utf-8").splitlines()[0].removeprefix("# "))
        return
    full = f"N{code.upper().removeprefix('N'):0>3}"
    page = pages / f"{full}.md"
    if not re.fullmatch(r"N\d{3}", full) or not page.is_file():
        raise failure(problems.NoSuchCode(code))
    typer.echo(page.read_text("utf-8"), nl=False)
