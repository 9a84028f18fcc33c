"""What a box is called: the labels of the text, as far as no frame around the box says them."""

from __future__ import annotations

from typing import Final

from netspec.backends.dot import words
from netspec.backends.dot.grouping import Group
from netspec.graph import Node

_NAME: Final = 34
"""About as many small letters fit in a box."""


def name_in(frame: str, group: Group, alone: str | None) -> str:
    """``conv1 · bn1``, ``branch1``, ``branch2.0``: the path of a box from the path of its frame on; nothing where it has numbers alone.

    ``alone`` is the path of the outermost region that holds nothing but this box.
    """
    if group.family == "input":
        return ""
    name = _from(frame, group, alone)
    if group.times > 1 and name and group.through is not None:
        name = f"{name} – {_from(frame, group.through, None).rpartition('.')[2]}"
    return words.cut(name, _NAME)


def _from(frame: str, group: Group, alone: str | None) -> str:
    told = [n for n in group.nodes if n.label is not None and n.label != n.layer]
    if told:
        return " · ".join((_within(frame, told[0].path), *(_last(n) for n in told[1:])))
    path = _within(frame, alone or group.head.path)
    labels = path if alone or group.head.label is not None else path.rpartition(".")[0]
    return path if any(not part.isdecimal() for part in labels.split(".") if part) else ""


def _last(node: Node) -> str:
    return node.path.rpartition(".")[2]


def _within(frame: str, path: str) -> str:
    return path.removeprefix(f"{frame}.") if frame != path else path.rpartition(".")[2]
