"""A picture as DOT text.

Every text is written as ``"…"`` with its backslashes, quotes and ampersands escaped, so that no text from a spec ends a string, calls
one of DOT's own escapes (``\\N``, ``\\G``) or becomes an HTML entity; no label is ever HTML-like. Ids are our own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from netspec.backends.dot import palette
from netspec.backends.dot.picture import Arrow, Box, Cluster, Direction, Form, Picture
from netspec.backends.dot.words import TITLE

_SPACE: Final = "\N{NO-BREAK SPACE}"
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
    "stub": {"shape": "plaintext", "style": "", "fontsize": "9", "margin": "0.04,0.02", "height": "0.2", "width": "0"},
}


def write(picture: Picture, direction: Direction = "down") -> str:
    """The whole text, a statement a line, ending in a line break."""
    return "\n".join([f"digraph {quote(picture.name)} {{", *_indented(_statements(picture, direction)), "}", ""])


def quote(text: str) -> str:
    """A DOT string that shows ``text`` as it is; line breaks break lines, centred."""
    return '"' + _escape(text).replace("\n", "\\n") + '"'


def _left(lines: tuple[str, ...]) -> str:
    """A DOT string of lines that begin at the left."""
    return '"' + "".join(_escape(line) + "\\l" for line in lines) + '"'


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)


def _statements(picture: Picture, direction: Direction) -> Iterator[str]:
    yield f"graph {_attributes(_page(picture, direction))}"
    yield f"node {_attributes({'fontname': palette.FONT, 'fontsize': '10', 'fontcolor': palette.TEXT, 'margin': '0.12,0.06'})}"
    yield f"edge {_attributes(_EDGE)}"
    for part in picture.content:
        yield from _part(part, direction, 0)
    for arrow in picture.arrows:
        yield _arrow(arrow, direction)


def _page(picture: Picture, direction: Direction) -> dict[str, str]:
    return {
        "rankdir": _RANKDIR[direction], "label": picture.caption, "labelloc": "b", "fontname": palette.FONT, "fontsize": "12",
        "fontcolor": palette.TEXT, "bgcolor": "white", "pad": "0.2", "nodesep": "0.3", "ranksep": "0.28",
    }  # fmt: skip


_EDGE: Final = {
    "fontname": palette.FONT, "fontsize": "8", "fontcolor": palette.MUTED, "color": palette.EDGE, "arrowsize": "0.6", "penwidth": "0.9",
    "weight": "8",
}  # fmt: skip


def _part(part: Box | Cluster, direction: Direction, depth: int) -> Iterator[str]:
    if isinstance(part, Box):
        yield f"{part.id} {_attributes(_look(part, direction))}"
        return
    yield f"subgraph {part.id} {{"
    yield f"    graph {_frame(part, direction, depth)}"
    for inner in part.content:
        yield from _indented(_part(inner, direction, depth + 1))
    yield "}"


def _look(box: Box, direction: Direction) -> dict[str, str]:
    ink = palette.ink(box.family)
    form = dict(_FORMS[box.form])
    if box.frozen:
        form["style"] += ",dashed"
    flat = direction == "down" and box.form in {"input", "output"}
    found = {"label": ("  " if flat else "\n").join(box.lines), **form, "fillcolor": ink.fill, "color": ink.border}
    return {**found, "tooltip": box.tooltip} if box.tooltip else found


def _frame(cluster: Cluster, direction: Direction, depth: int) -> str:
    fill = palette.FROZEN_FILL if cluster.frozen else palette.CLUSTER_FILLS[depth % 2]
    look = {
        "labelloc": "b", "labeljust": "l", "fontsize": "8", "fontcolor": palette.MUTED, "margin": "10",
        "style": "rounded,filled,dashed" if cluster.frozen else "rounded,filled",
        "fillcolor": fill, "color": palette.FROZEN_BORDER if cluster.frozen else palette.CLUSTER_BORDER, "tooltip": " ".join(cluster.lines),
    }  # fmt: skip
    return f"[label={_left(_clear_of_the_middle(cluster.lines) if direction == 'down' else cluster.lines)}, {_attributes(look)[1:]}"


def _clear_of_the_middle(lines: tuple[str, ...]) -> tuple[str, ...]:
    """A long title made twice as wide with spaces on its right, so that the frame is, and arrows pass beside the words.

    What flows down goes into a frame in many ways and mostly out of it in one, in the middle: so the title stands below, at the left.
    """
    widest = max(lines, key=len)
    if len(widest) <= TITLE:
        return lines
    return tuple(line + _SPACE * round(1.9 * len(widest)) if line is widest else line for line in lines)


def _arrow(arrow: Arrow, direction: Direction) -> str:
    look = {"label": f" {arrow.text} "} if arrow.text else {}
    if arrow.skip:
        look |= {"color": palette.SKIP, "penwidth": "1.6", "weight": "1"} | ({"headport": "e"} if direction == "down" else {})
    return f"{arrow.source} -> {arrow.target}" + (f" {_attributes(look)}" if look else "")


def _attributes(pairs: Mapping[str, str]) -> str:
    return "[" + ", ".join(f"{name}={quote(value)}" for name, value in pairs.items()) + "]"
