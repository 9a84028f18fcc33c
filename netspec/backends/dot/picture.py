"""A picture, before it is DOT: boxes in clusters, and arrows between them. Texts here are plain; writing escapes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["down", "right"]
Form = Literal["box", "pill", "sign", "bar", "input", "output", "stub", "fork"]


@dataclass(frozen=True, slots=True)
class Box:
    """One mark on the page, for one node or for a run of nodes that belong together.

    ``form`` is ``box`` for a layer, ``pill`` for a small one, ``sign`` for a merge with a sign of its own, ``bar`` for other merges,
    ``stub`` for a tensor that comes from or goes to a part that is not drawn, ``fork`` for a point where an arrow parts. ``name`` is what
    the text calls it, where it does.
    """

    id: str
    lines: tuple[str, ...]
    family: str
    form: Form
    frozen: bool = False
    tooltip: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Arrow:
    """A tensor on its way. ``skip`` marks one that goes around what its siblings go through; the outermost arrives ``beside``.

    ``weight`` says how much a bend costs. One that is not ``pointed`` is a line to a fork.
    """

    source: str
    target: str
    text: str = ""
    skip: bool = False
    beside: bool = False
    weight: int = 8
    pointed: bool = True


@dataclass(frozen=True, slots=True)
class Cluster:
    """A frame around what belongs together. Its title is a mark of its own: ``name``, and ``lines`` below it."""

    id: str
    name: str
    lines: tuple[str, ...]
    content: Content
    frozen: bool = False

    @property
    def title(self) -> str:
        """The id of the mark that bears the title."""
        return self.id.replace("cluster_", "t")


Content = tuple[Box | Cluster, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """Ids of marks that stand side by side.

    ``chains`` are those of one frame, in order; ``among_frames`` those that stand beside frames. ``over`` are two marks, one above the
    other, the first of them in this row.
    """

    marks: tuple[str, ...]
    chains: tuple[tuple[str, ...], ...]
    among_frames: frozenset[str]
    over: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """``content`` in the order of the net; ``caption`` stands above."""

    name: str
    caption: str
    content: Content
    arrows: tuple[Arrow, ...]
    rows: tuple[Row, ...]
    boxes: int
    """How many marks there are: what laying out costs depends on it."""
