"""What shares a box: a layer with the norm and the activation behind it; and rows of equal boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from netspec.backends.dot import words
from netspec.backends.dot.picture import Box, Form
from netspec.backends.dot.select import Selection
from netspec.graph import Node
from netspec.shape import Shape

_FOLLOWS: Final = frozenset({"norm", "activation", "regularise"})
"""Families that go into the box of the layer before them."""
_SMALL: Final = _FOLLOWS | {"reshape", "preprocess"}
_ROW: Final = 4
"""This many equal boxes in a row, and more, are drawn once."""


@dataclass
class Group:
    """Nodes that share a box. ``times`` boxes in a row are equal to it, up to the one ``through``."""

    nodes: list[Node]
    family: str
    times: int = 1
    through: Group | None = None

    @property
    def id(self) -> str:
        return f"n{self.head.index:04d}"

    @property
    def head(self) -> Node:
        return self.nodes[0]

    @property
    def last(self) -> Node:
        return self.nodes[-1]

    @property
    def region(self) -> int:
        return self.head.region

    @property
    def form(self) -> Form:
        if self.family == "input":
            return "input"
        if self.family == "merge":
            return "sign" if words.symbol(self.head) and self.head.label is None else "bar"
        return "pill" if self.family in _SMALL else "box"

    def keeps(self, shape: Shape) -> bool:
        """Whether it is one of those that need not say what they give: small layers and merges that leave a shape as it is."""
        return (self.family in _SMALL or self.form == "sign") and all(n.output == shape for n in self.nodes)

    def box(self, nodes: Sequence[Node], name: str, framed_frozen: bool) -> Box:
        """As it is drawn, under this name; a frozen one says so where no frame around it does."""
        lines = self._lines(nodes)
        if self.times > 1:
            lines[0] = f"{self.times} ×   {lines[0]}"
        if self.head.frozen and not framed_frozen:
            lines.append("❄ frozen")
        tooltip = "\n".join(words.full(n) for n in self.nodes)
        return Box(self.id, tuple(lines), self.family, self.form, self.head.frozen, tooltip, name)

    def _lines(self, nodes: Sequence[Node]) -> list[str]:
        if self.family == "input":
            return [words.cut(self.head.path), words.times(self.head.output)]
        if self.family == "merge":
            return [words.symbol(self.head) or words.describe(self.head, nodes)]
        said = [words.describe(n, nodes) for n in self.nodes]
        if self.family == "preprocess":
            return said
        if self.family in _FOLLOWS:
            return [" · ".join(said)]
        return [said[0], " · ".join(said[1:])] if len(said) > 1 else said


def group(selection: Selection) -> Grouping:
    """Divide what is selected into boxes; where the selection folds, keep one of each row of equal ones."""
    grouping = Grouping(selection)
    for index in selection.drawn:
        grouping.add(selection.graph.nodes[index])
    if selection.fold:
        grouping.fold_rows()
    return grouping


@dataclass
class Grouping:
    """``groups`` in the order of the net; ``of`` names the group of each node that is drawn."""

    selection: Selection
    groups: list[Group] = field(default_factory=list)
    of: dict[int, Group] = field(default_factory=dict)

    def add(self, node: Node) -> None:
        """Put a node into the group before it where it belongs there, or into one of its own."""
        family = words.family(node)
        here = self._before(node)
        if here is not None and self._joins(node, family, here):
            here.nodes.append(node)
        else:
            here = Group([node], family)
            self.groups.append(here)
        self.of[node.index] = here

    def _before(self, node: Node) -> Group | None:
        """The group whose last tensor flows to this node, and nowhere else."""
        if len(node.inputs) != 1 or not self._flows_only_on(node.inputs[0]):
            return None
        before = self.of.get(node.inputs[0])
        return before if before is not None and before.last.index == node.inputs[0] else None

    def _flows_only_on(self, node: int) -> bool:
        return len(self.selection.consumers[node]) == 1 and node not in self.selection.results

    def _joins(self, node: Node, family: str, before: Group) -> bool:
        if node.region != before.region or node.frozen != before.last.frozen:
            return False
        if family == "preprocess":
            return before.family == "preprocess"
        return family in _FOLLOWS and before.family not in {"input", "merge", "preprocess", "reshape"}

    def fold_rows(self) -> None:
        """Keep the first of each row of equal boxes."""
        kept: list[Group] = []
        row: list[Group] = []
        for here in self.groups:
            if row and self._repeats(row[-1], here):
                row.append(here)
                continue
            kept += self._folded(row)
            row = [here]
        self.groups = kept + self._folded(row)

    def _folded(self, row: list[Group]) -> list[Group]:
        if len(row) < _ROW:
            return row
        first = row[0]
        first.times, first.through = len(row), row[-1]
        for other in row[1:]:
            for node, equal in zip(other.nodes, first.nodes, strict=True):
                self.of[node.index] = first
                self.selection.stands_for[node.index] = equal.index
        return [first]

    def _repeats(self, one: Group, other: Group) -> bool:
        """Whether one box is equal to the other before it, and takes from that one alone."""
        if other.head.inputs != (one.last.index,) or not self._flows_only_on(one.last.index):
            return False
        if one.region != other.region or len(one.nodes) != len(other.nodes) or one.family in {"input", "preprocess"}:
            return False
        if self.entering(one) != self.entering(other):
            return False
        pairs = zip(one.nodes, other.nodes, strict=True)
        return all((a.layer, a.arguments, a.output, a.frozen) == (b.layer, b.arguments, b.output, b.frozen) for a, b in pairs)

    def entering(self, group: Group) -> list[Shape]:
        """The shapes that flow into a group."""
        return [self.selection.graph.nodes[i].output for i in group.head.inputs]
