"""``netspec reference``"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

EXAMPLE = "Example: netspec reference layers > layers.md"


class Page(StrEnum):
    """A page of the reference."""

    LAYERS = "layers"
    LANGUAGE = "language"
    AUGMENTATIONS = "augmentations"


def command(
    page: Annotated[
        Page, typer.Argument(metavar="PAGE", help="layers; augmentations; or language for sections, functions, limits, grammar.")
    ],
) -> None:
    """A page of the reference as Markdown, written from the declarations."""
    from netspec.report.reference import PAGES

    typer.echo(PAGES[page.value](), nl=False)
