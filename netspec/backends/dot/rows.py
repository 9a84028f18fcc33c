"""What stands side by side: the titles of frames beside their first boxes, and branches in the order of the text.

Titles are marks on the page as boxes are, so that the layout leads no arrow across them.
"""

from __future__ import annotations

from collections.abc import Iterator

from netspec.backends.dot.picture import Arrow, Box, Cluster, Content, Row
from netspec.backends.dot.routing import siblings

Frame = tuple[str, ...]
"""The ids of the frames around a mark, from the outermost on."""


def rows(content: Content, arrows: tuple[Arrow, ...]) -> tuple[Row, ...]:
    """The marks that stand in one row: boxes that work on one tensor, and before a box the titles of the frames that it begins."""
    titles: dict[str, list[str]] = {}
    frames: dict[str, Frame] = {}
    for box, around in _boxes(content, ()):
        frames[box.id] = tuple(c.id for c in around)
        begun = [c for c in around if _first(c) is box]
        titles[box.id] = [c.title for c in begun]
        frames.update((c.title, frames[box.id][: around.index(c) + 1]) for c in begun)
    alike = siblings(arrows)
    beside = {box for row in alike.values() for box in row}
    alone = {box: alike.get(box, []) for box in frames if titles.get(box) and box not in beside}
    found = [_row([m for box in row for m in (*titles.get(box, []), box)], frames) for row in alike.values()]
    return (*found, *(_row([*titles[box], box], frames, below) for box, below in alone.items()))


def _row(marks: list[str], frames: dict[str, Frame], below: list[str] | None = None) -> Row:
    """Graphviz keeps the order of marks in one frame if told so, and that of frames as they come: a mark among frames gets one too.

    A title before a fork stands above the first of the boxes below.
    """
    own = {mark: frames.get(mark, ()) for mark in marks}
    among = frozenset(m for m in marks if any(len(other) > len(own[m]) and other[: len(own[m])] == own[m] for other in own.values()))
    chains: dict[Frame, list[str]] = {}
    for mark in marks:
        if mark not in among:
            chains.setdefault(own[mark], []).append(mark)
    return Row(tuple(marks), tuple(tuple(c) for c in chains.values() if len(c) > 1), among, (marks[-2], below[0]) if below else None)


def _boxes(content: Content, around: tuple[Cluster, ...]) -> Iterator[tuple[Box, tuple[Cluster, ...]]]:
    """All boxes, and the frames around each from the outermost on."""
    for part in content:
        if isinstance(part, Cluster):
            yield from _boxes(part.content, (*around, part))
        else:
            yield part, around


def _first(cluster: Cluster) -> Box:
    part = cluster.content[0]
    return part if isinstance(part, Box) else _first(part)
