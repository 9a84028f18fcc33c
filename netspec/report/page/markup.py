"""HTML that is safe by construction: whatever is not :class:`Markup` is text, and escaped where it is put in."""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Final
from xml.etree import ElementTree

from netspec.diagnostics.text import escape

_EMPTY: Final = frozenset({"meta", "img", "br", "wbr"})
"""Elements that hold nothing and are not closed."""
_DRAWING: Final = frozenset(
    {
        "svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "defs", "use", "clipPath",
        "linearGradient", "radialGradient", "stop",
    }
)  # fmt: skip
"""What a drawing is made of; all else in it is left out."""


class Markup(str):
    """A piece of HTML."""

    __slots__ = ()


def tag(name: str, /, *inside: str, **attributes: str | None) -> Markup:
    """An element. Of an attribute, ``-`` is written ``_``, and a word of Python has ``_`` behind it; one that is ``None`` is left out."""
    pairs = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    head = "".join(f' {key}="{text(value)}"' for key, value in pairs.items())
    return Markup(f"<{name}{head}>" if name in _EMPTY else f"<{name}{head}>{joined(inside)}</{name}>")


def text(words: str) -> Markup:
    """Words as HTML shows them; control and bidirectional characters are shown escaped, line breaks and tabs kept."""
    if isinstance(words, Markup):
        return words
    shown = "".join(c if c in "\n\t" else escape(c) for c in words) if not words.isprintable() else escape(words)
    return Markup(html.escape(shown, quote=True))


def joined(parts: Iterable[str]) -> Markup:
    """Pieces one after the other."""
    return Markup("".join(text(part) for part in parts))


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, right: int = 0, total: Sequence[str] = ()) -> Markup:
    """A table whose first column names the rows; the last ``right`` columns are numbers; ``total`` is a last row that sums up."""

    def side(column: int) -> str | None:
        return "number" if column >= len(head) - right else None

    def line(cells: Sequence[str], class_: str | None = None) -> Markup:
        first = tag("th", cells[0], scope="row")
        return tag("tr", first, *(tag("td", cell, class_=side(i)) for i, cell in enumerate(cells[1:], 1)), class_=class_)

    heads = tag("tr", *(tag("th", cell, scope="col", class_=side(i)) for i, cell in enumerate(head)))
    body = [*(line(row) for row in rows), *([line(total, "total")] if total else [])]
    return tag("div", tag("table", tag("caption", caption), tag("thead", heads), tag("tbody", *body)), class_="wide")


def png(content: bytes, alt: str, *, pixelated: bool = False) -> Markup:
    """A picture that lies in the page itself."""
    return tag("img", src=f"data:image/png;base64,{b64encode(content).decode()}", alt=alt, class_="pixels" if pixelated else None)


def svg(drawing: str, label: str, prefix: str, colors: Sequence[tuple[str, str]] = ()) -> Markup:
    """A drawing as a part of the page: its names begin with ``prefix``, colours give way to those of the page, and only shapes and words
    of it are taken. Raises :class:`xml.etree.ElementTree.ParseError` for what is no XML."""
    root = _plain(ElementTree.fromstring(drawing), prefix, colors)
    assert root is not None
    root.set("role", "img")
    root.set("aria-label", escape(label))
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _plain(element: ElementTree.Element, prefix: str, colors: Sequence[tuple[str, str]]) -> ElementTree.Element | None:
    """An element without namespaces, and without what is not drawn. A link is a group: of it the words that a pointer shows are left."""
    name = {"a": "g"}.get(_local(element.tag), _local(element.tag))
    if name not in _DRAWING:
        return None
    found = ElementTree.Element(name)
    found.text, found.tail = element.text, element.tail
    for key, value in element.attrib.items():
        if _local(key) == "title":
            ElementTree.SubElement(found, "title").text = escape(value)
        else:
            _take(found, _local(key), value, prefix, colors)
    found.extend(child for part in element if (child := _plain(part, prefix, colors)) is not None)
    return found


def _take(found: ElementTree.Element, key: str, value: str, prefix: str, colors: Sequence[tuple[str, str]]) -> None:
    if key.lower().startswith("on") or (key == "href" and not value.startswith("#")):
        return
    if key == "id":
        value = f"{prefix}-{value}"
    elif key == "href":
        value = f"#{prefix}-{value[1:]}"
    elif key in ("style", "fill", "stroke", "clip-path"):
        value = value.replace("url(#", f"url(#{prefix}-")
        for old, new in colors:
            value = value.replace(old, new)
    found.set(key, value)


def _local(name: str) -> str:
    return name.rpartition("}")[2]
