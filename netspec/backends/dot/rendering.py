"""The public functions: DOT text of a graph, a picture's bytes, and a picture's file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal, get_args

from netspec.backends.atomic import refuse_other_than_file, write_atomically
from netspec.backends.dot.compose import compose
from netspec.backends.dot.layout import USUAL, Drawn, LayoutFailed, LayoutTimeout, Limits, NoGraphviz, TooManyPixels, lay_out
from netspec.backends.dot.picture import Direction, Picture
from netspec.backends.dot.select import select
from netspec.backends.dot.writing import write
from netspec.diagnostics import NetspecError, failure
from netspec.diagnostics.drawing import DrawingFailed, DrawingTimedOut, GraphvizMissing, TooLargeToDraw, TooLongForPixels, UnknownPicture
from netspec.graph import Graph

Format = Literal["svg", "png", "pdf", "dot"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)


def to_dot(graph: Graph, *, direction: Direction = "down", only: str | None = None, fold: bool = True, shapes: bool = True) -> str:
    """The diagram of a graph as DOT text.

    - ``direction``: the way the tensors flow on the page
    - ``only``: draw one part, by its path, as ``layer1`` or ``layer1.0``
    - ``fold``: draw a run of equal blocks once, marked ``3 ×``
    - ``shapes``: write the tensors' shapes on the arrows

    Equal graphs give equal texts. Raises :class:`~netspec.diagnostics.NetspecError` N972 (exit 2) where there is no part ``only``.
    """
    return write(compose(select(graph, only, fold), shapes), direction)


def render(
    graph: Graph,
    path: str | os.PathLike[str],
    format: Format | None = None,  # noqa: A002
    *,
    direction: Direction = "down",
    only: str | None = None,
    fold: bool = True,
    shapes: bool = True,
    limits: Limits = USUAL,
) -> None:
    """Write the diagram of a graph to a file: its old content stands until the new is complete.

    ``format`` is that of the name's ending if left out; PNG has 300 dots an inch. The other arguments are those of :func:`to_dot`.

    Raises :class:`~netspec.diagnostics.NetspecError` with exit 2: N971 for more boxes than ``limits`` allow, N972 for an unknown part, N973
    for an unknown format, N977 for a PNG too long to be read; with exit 5: N974 without Graphviz, N975 where the layout takes too
    long, N976 where it fails; and what writing raises. After N974 to N976 the DOT text stands beside ``path``, under its name with
    ``.dot`` behind it.
    """
    chosen = format or format_of(path)
    refuse_other_than_file(Path(path))
    picture = compose(select(graph, only, fold), shapes)
    dot = write(picture, direction)
    content = dot.encode() if chosen == "dot" else _drawn(graph, picture, dot, chosen, limits, f"{os.fspath(path)}.dot")
    write_atomically(path, [content], len(content))


def picture_bytes(
    graph: Graph,
    format: Format,  # noqa: A002
    *,
    direction: Direction = "down",
    only: str | None = None,
    fold: bool = True,
    shapes: bool = True,
    limits: Limits = USUAL,
) -> bytes:
    """The content of the file that :func:`render` writes; nothing is written. Raises the same errors."""
    picture = compose(select(graph, only, fold), shapes)
    dot = write(picture, direction)
    return dot.encode() if format == "dot" else _drawn(graph, picture, dot, format, limits, None)


def format_of(path: str | os.PathLike[str]) -> Format:
    """The format that a file's name ends in. Raises N973 (exit 2) for another ending."""
    ending = Path(path).suffix.lower().removeprefix(".")
    if ending == "gv":
        return "dot"
    if ending not in FORMATS:
        raise failure(UnknownPicture(os.fspath(path), (*FORMATS, "gv")))
    return ending


def _drawn(graph: Graph, picture: Picture, dot: str, form: Drawn, limits: Limits, beside: str | None) -> bytes:
    if picture.boxes > limits.boxes:
        raise failure(TooLargeToDraw(graph.name, picture.boxes, limits.boxes, _parts(graph)))
    try:
        return lay_out(dot, form, limits)
    except TooManyPixels as long:
        raise failure(TooLongForPixels(graph.name)) from long
    except NoGraphviz as missing:
        raise failure(GraphvizMissing(str(missing), _keep(dot, beside))) from missing
    except LayoutTimeout as late:
        raise failure(DrawingTimedOut(graph.name, limits.seconds, picture.boxes, _keep(dot, beside))) from late
    except LayoutFailed as failed:
        raise failure(DrawingFailed(graph.name, str(failed), _keep(dot, beside))) from failed


def _keep(dot: str, beside: str | None) -> str | None:
    """Keep the text that could not be drawn; ``None`` where even that fails, as the drawing's failure is the news."""
    if beside is None:
        return None
    content = dot.encode()
    try:
        write_atomically(beside, [content], len(content))
    except NetspecError:
        return None
    return beside


def _parts(graph: Graph) -> tuple[str, ...]:
    """The outermost parts of a net, by their paths."""
    return tuple(r.path for r in graph.regions if r.parent == 0 and r.role != "preprocess")
