"""A picture as DOT text.

Every text is written with whatever its place makes of backslashes, quotes, ampersands and angle brackets escaped, so that no text from a
spec ends a string, calls one of DOT's own escapes (``\\N``, ``\\G``) or becomes markup. Ids are our own.

A label is a string in quotes wherever one will do. A string has letters of one size; a box's name above what the box says, and a frame's
title, are smaller, and only HTML-like labels can say so: those are ``<…>`` around tables and fonts of ours, and each text in them is
escaped by :func:`marked_up`.
"""

from __future__ import annotations

import html
from collections.abc import Container, Iterator, Mapping
from typing import Final

from netspec.backends.dot import palette
from netspec.backends.dot.picture import Arrow, Box, Cluster, Direction, Form, Picture, Row
from netspec.backends.dot.routing import STRAIGHT

_RANKDIR: Final = {"down": "TB", "right": "LR"}
_SMALL: Final = {"shape": "box", "style": "rounded,filled", "height": "0.26", "fontsize": "9", "margin": "0.10,0.04"}
_OVAL: Final = {"shape": "ellipse", "style": "filled", "margin": "0.01,0.01"}
_FORMS: Final[Mapping[Form, dict[str, str]]] = {
    "box": {"shape": "box", "style": "rounded,filled", "width": "1.9", "height": "0.42"},
    "pill": {**_SMALL, "width": "0.9"},
    "sign": {"shape": "circle", "style": "filled", "width": "0.32", "fixedsize": "true", "fontsize": "15", "penwidth": "1.4"},
    "bar": {**_SMALL, "width": "1.1", "penwidth": "1.4"},
    "input": {**_OVAL, "penwidth": "1.4"},
    "output": {**_OVAL, "peripheries": "2"},
    "fork": {"shape": "point", "style": "filled", "width": "0.04", "height": "0.04"},
    "stub": {"shape": "plaintext", "style": "", "fontsize": "9", "margin": "0.04,0.02", "height": "0.2", "width": "0"},
}
_TITLE: Final = {"shape": "plaintext", "margin": "0,0", "width": "0", "height": "0"}
_UNSEEN: Final = {"label": "", "style": "invis", "margin": "0"}
_NOT_IN_XML: Final = {0xFFFE: "\ufffd", 0xFFFF: "\ufffd"}


def write(picture: Picture, direction: Direction = "down") -> str:
    """The whole text, a statement a line, ending in a line break."""
    return "\n".join([f"digraph {quote(picture.name)} {{", *_indented(_statements(picture, direction)), "}", ""])


def quote(text: str) -> str:
    """A DOT string that shows ``text`` as it is; line breaks break lines, centred."""
    return '"' + _escape(text).replace("\n", "\\n") + '"'


def marked_up(text: str) -> str:
    """A text inside an HTML-like label that shows it as it is. A backslash is one there only if doubled, and a character XML has not is
    shown as �.
    """
    safe = html.escape(text.translate(_NOT_IN_XML).replace("\\", "\\\\"))
    return safe.replace("\\", "&#92;")


def _left(text: str) -> str:
    """As :func:`quote`, with lines that begin at the left."""
    return '"' + "".join(f"{_escape(line)}\\l" for line in text.split("\n")) + '"'


def _font(text: str, size: str, colour: str) -> str:
    return f'<font point-size="{size}" color="{colour}">{marked_up(text)}</font>'


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)


def _statements(picture: Picture, direction: Direction) -> Iterator[str]:
    yield f"graph [label={_left(picture.caption)}, {_attributes(_page(direction))[1:]}"
    yield f"node {_attributes({'fontname': palette.FONT, 'fontsize': '10', 'fontcolor': palette.TEXT, 'margin': '0.12,0.06'})}"
    yield f"edge {_attributes(_EDGE)}"
    apart = frozenset(mark for row in picture.rows for mark in row.among_frames)
    page = frozenset(part.id for part in picture.content)
    for part in picture.content:
        yield from _part(part, direction, 0, apart)
    for arrow in picture.arrows:
        yield _arrow(arrow, direction)
    for row in picture.rows:
        yield from _row(row, direction, page)


def _page(direction: Direction) -> dict[str, str]:
    return {
        "rankdir": _RANKDIR[direction], "newrank": "true", "remincross": "false", "labelloc": "t", "labeljust": "l", "bgcolor": "white",
        "fontname": palette.FONT, "fontsize": "12", "fontcolor": palette.TEXT, "pad": "0.2", "nodesep": "0.3", "ranksep": "0.28",
    }  # fmt: skip


_EDGE: Final = {
    "fontname": palette.FONT, "fontsize": "8", "fontcolor": palette.MUTED, "color": palette.EDGE, "arrowsize": "0.6", "penwidth": "0.9",
    "weight": str(STRAIGHT),
}  # fmt: skip


def _part(part: Box | Cluster, direction: Direction, depth: int, apart: frozenset[str]) -> Iterator[str]:
    if isinstance(part, Box):
        yield from _mark(part.id, _label(part, direction), _look(part), apart)
        return
    yield f"subgraph {part.id} {{"
    yield f"    graph {_attributes(_frame(part, depth))}"
    yield from _indented(_mark(part.title, _title(part), _TITLE, apart))
    for inner in part.content:
        yield from _indented(_part(inner, direction, depth + 1, apart))
    yield "}"


def _mark(name: str, label: str, look: Mapping[str, str], apart: frozenset[str]) -> Iterator[str]:
    """A node; in a frame that is not seen, if it stands apart."""
    node = f"{name} [label={label}, {_attributes(look)[1:]}"
    if name not in apart:
        yield node
        return
    yield f"subgraph cluster_{name} {{"
    yield f"    graph {_attributes(_UNSEEN)}"
    yield f"    {node}"
    yield "}"


def _row(row: Row, direction: Direction, page: Container[str]) -> Iterator[str]:
    """Marks on one line in their order; a weight of 0 would free it. Where the flow is to the right, it holds from above on the page itself
    and from below inside frames.
    """
    yield f"{{rank=same; {'; '.join(row.marks)}}}"
    for chain in row.chains:
        yield f"{' -> '.join(chain if direction == 'down' or chain[0] in page else reversed(chain))} [style=invis, minlen=0, weight=1]"
    if row.over:
        yield f"{' -> '.join(row.over)} [style=invis]"


def _look(box: Box) -> dict[str, str]:
    ink = palette.ink(box.family)
    form = dict(_FORMS[box.form])
    if box.frozen:
        form["style"] += ",dashed"
    found = {**form, "fillcolor": ink.fill, "color": ink.border}
    return {**found, "tooltip": box.tooltip} if box.tooltip else found


def _label(box: Box, direction: Direction) -> str:
    """The lines of a box; its name above them, smaller."""
    if not box.name:
        flat = direction == "down" and box.form in {"input", "output"}
        return quote(("  " if flat else "\n").join(box.lines))
    return _lines((_font(box.name, "8", palette.MUTED), *map(marked_up, box.lines)), "center")


def _title(cluster: Cluster) -> str:
    """The name of a frame and what is below it, from the left on."""
    return _lines((_font(cluster.name, "9", palette.TEXT), *(_font(line, "8", palette.MUTED) for line in cluster.lines)), "left")


def _lines(lines: tuple[str, ...], align: str) -> str:
    """An HTML-like label of these lines of markup. As rows of a table each is as high as its letters need."""
    rows = "".join(f'<tr><td align="{align}">{line}</td></tr>' for line in lines)
    return f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="0">{rows}</table>>'


def _frame(cluster: Cluster, depth: int) -> dict[str, str]:
    fill = palette.FROZEN_FILL if cluster.frozen else palette.CLUSTER_FILLS[depth % 2]
    return {
        "label": "", "margin": "10", "style": "rounded,filled,dashed" if cluster.frozen else "rounded,filled", "fillcolor": fill,
        "color": palette.FROZEN_BORDER if cluster.frozen else palette.CLUSTER_BORDER, "tooltip": " ".join((cluster.name, *cluster.lines)),
    }  # fmt: skip


def _arrow(arrow: Arrow, direction: Direction) -> str:
    look = {"label": f" {arrow.text} "} if arrow.text else {}
    if arrow.skip:
        look |= {"color": palette.SKIP, "penwidth": "1.6"}
    if arrow.beside and direction == "down":
        look["headport"] = "e"
    if not arrow.pointed:
        look["arrowhead"] = "none"
    if arrow.weight != STRAIGHT:
        look["weight"] = str(arrow.weight)
    return f"{arrow.source} -> {arrow.target}" + (f" {_attributes(look)}" if look else "")


def _attributes(pairs: Mapping[str, str]) -> str:
    return "[" + ", ".join(f"{name}={quote(value)}" for name, value in pairs.items()) + "]"
