"""Which regions get a frame: those that say more than the boxes in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from netspec.backends.dot import words
from netspec.backends.dot.grouping import Group
from netspec.backends.dot.naming import name_in
from netspec.backends.dot.picture import Box, Cluster
from netspec.backends.dot.select import Selection
from netspec.graph import Region


@dataclass
class Frames:
    """Boxes in their frames.

    No frame stands around a single box, nor around a plain branch of a merge; one always does around what is preprocessed
    and around a run of equal blocks that is drawn once. What no frame says, the names in the boxes do.
    """

    selection: Selection
    groups: list[Group]
    inside: dict[int, list[Box | int]] = field(default_factory=dict)
    """What stands directly in each frame: boxes, and frames by the number of their region."""

    @property
    def regions(self) -> tuple[Region, ...]:
        return self.selection.graph.regions

    def content(self) -> tuple[Box | Cluster, ...]:
        """Everything, in the order of the net."""
        placed = {0}
        for group in self.groups:
            here = self._around(group.region)
            self.inside.setdefault(here, []).append(self._box(group, here))
            while here not in placed:
                placed.add(here)
                outer = self._around(self.regions[here].parent)
                self.inside.setdefault(outer, []).append(here)
                here = outer
        return self._assembled(0)

    def _box(self, group: Group, frame: int) -> Box:
        around = self.regions[frame].path if frame else self.selection.only or ""
        return group.box(self.selection.graph.nodes, name_in(around, group, self._alone(group, frame)), self._is_frozen(frame))

    def _alone(self, group: Group, frame: int) -> str | None:
        """The path of the outermost region in a frame that holds this box alone."""
        found, here = None, group.region
        while here != frame and here > 0:
            start, end = self._spans[here]
            if end - start > 1:
                break
            found, here = self.regions[here].path, self.regions[here].parent
        return found

    def _assembled(self, region: int) -> tuple[Box | Cluster, ...]:
        return tuple(self._cluster(c) if isinstance(c, int) else c for c in self.inside.get(region, []))

    def _cluster(self, region: int) -> Cluster:
        outer = self._around(self.regions[region].parent)
        name, lines = self._title(region)
        if self._is_frozen(region) and not self._is_frozen(outer):
            lines = [*lines, "❄ frozen"]
        return Cluster(f"cluster_{region:04d}", name, tuple(lines), self._assembled(region), self._is_frozen(region))

    def _around(self, region: int) -> int:
        """The frame that a region's boxes stand in, 0 for the page."""
        while region not in self.framed and region > 0:
            region = self.regions[region].parent
        return region

    def _is_frozen(self, frame: int) -> bool:
        return frame > 0 and self.regions[frame].frozen

    @cached_property
    def framed(self) -> set[int]:
        """The regions that get a frame."""
        return {i for i, r in enumerate(self.regions) if i and self.selection.inside(r.path) and self._deserves(i, r)}

    def _deserves(self, index: int, region: Region) -> bool:
        start, end = self._spans[index]
        if start == end:
            return False
        if region.role == "preprocess" or index in self.selection.times:
            return True
        if end - start < 2:
            return False
        return (region.frozen and not self.regions[region.parent].frozen) or not self._is_branch(self.groups[start:end])

    def _is_branch(self, groups: list[Group]) -> bool:
        """Whether a region is a plain way into a merge around it: all of its boxes in one line."""
        nodes = self.selection.graph.nodes
        for before, after in pairwise(groups):
            if after.head.inputs != (before.last.index,):
                return False
        consumers = self.selection.consumers[groups[-1].last.index]
        return len(groups[0].head.inputs) == 1 and len(consumers) == 1 and len(nodes[consumers[0]].inputs) > 1

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        """For each region, from which to which of the groups are inside it: they follow each other, as nodes do."""
        starts, ends = [len(self.groups)] * len(self.regions), [0] * len(self.regions)
        for position, group in enumerate(self.groups):
            starts[group.region] = min(starts[group.region], position)
            ends[group.region] = position + 1
        for index in range(len(self.regions) - 1, 0, -1):
            parent = self.regions[index].parent
            starts[parent], ends[parent] = min(starts[parent], starts[index]), max(ends[parent], ends[index])
        return [(s, max(s, e)) for s, e in zip(starts, ends, strict=True)]

    def _title(self, index: int) -> tuple[str, list[str]]:
        """``layer1.0`` and below it ``bottleneck(64, stride=2)``; ``3 × layer1.1–3`` for a run."""
        region = self.regions[index]
        times, last = self.selection.times.get(index, (1, index))
        use = words.broken(region.title) if region.kind == "block" else []
        if use and region.path.isdecimal() and times == 1:
            return use[0], use[1:]  # a bare number tells nobody anything
        return words.cut(region.path if times == 1 else f"{times} × {_range(region.path, self.regions[last].path)}"), use


def _range(first: str, last: str) -> str:
    """``layer1.1–3`` for ``layer1.1`` to ``layer1.3``."""
    return f"{first}–{last.rpartition('.')[2]}"
