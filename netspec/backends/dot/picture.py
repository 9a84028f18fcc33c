"""A picture, before it is DOT: boxes in clusters, and arrows between them. Texts here are plain; writing escapes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["down", "right"]
Side = Literal["right", "left"]
Form = Literal["box", "pill", "sign", "bar", "input", "output", "stub"]


@dataclass(frozen=True, slots=True)
class Box:
    """One mark on the page, for one node or for a run of nodes that belong together.

    ``form`` is ``box`` for a layer, ``pill`` for a small one, ``sign`` for a merge with a sign of its own, ``bar`` for other merges,
    ``stub`` for a tensor that comes from or goes to a part that is not drawn. ``name`` is what the text calls it, where it does.
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
    """A tensor on its way. ``skip`` marks one that goes around what its siblings go through; it arrives at ``side``, if given."""

    source: str
    target: str
    text: str = ""
    skip: bool = False
    side: Side | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """A frame around what belongs together. Its title is a mark of its own: ``name``, and ``lines`` below it."""

    id: str
    name: str
    lines: tuple[str, ...]
    content: tuple[Box | Cluster, ...]
    frozen: bool = False

    @property
    def title(self) -> str:
        """The id of the mark that bears the title."""
        return self.id.replace("cluster_", "t")


@dataclass(frozen=True, slots=True)
class Picture:
    """``content`` in the order of the net; ``caption`` stands above. ``rows`` are ids of marks that stand side by side, in this order."""

    name: str
    caption: str
    content: tuple[Box | Cluster, ...]
    arrows: tuple[Arrow, ...]
    rows: tuple[tuple[str, ...], ...]
    boxes: int
    """How many marks there are: what laying out costs depends on it."""
