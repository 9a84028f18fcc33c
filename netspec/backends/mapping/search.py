"""Every way to put the layers of a file into the slots of a net in which both orders agree.

A file's layers come in an order; a net's order is that of its flow: a layer before which another stands in the flow comes behind it in
every file that was written from such a net. Branches side by side have no order, and then shapes decide, or names, or nothing does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from netspec.backends.mapping.grouping import FileLayer
from netspec.backends.mapping.slots import Slot

BUDGET: Final = 200_000
"""Steps after which the search gives up."""
Hint = Callable[[int, Sequence[int], Sequence[int]], tuple[int, str] | None]
"""From a layer, the slots it fits and the assignment so far: the one slot that names speak for, and what they say."""


class TooHard(Exception):
    """So many ways to try that they are not all tried."""


@dataclass
class Search:
    """``fits[i]`` are the slots into which layer i goes, in the net's order. There are as many layers as slots."""

    layers: Sequence[FileLayer]
    slots: Sequence[Slot]
    fits: Sequence[Sequence[int]]
    hint: Hint
    ordered: bool = False
    """Whether the file tells the order of all its layers."""
    as_written: bool = False
    """Whether the first way is meant: where there is a choice, the slot that stands first in the text."""
    farthest: tuple[int, ...] = ()
    """The longest assignment that was reached: a slot for each of the first layers."""
    reasons: dict[int, str] = field(default_factory=dict)
    """For layers that names have decided about, what they said."""
    _steps: int = 0
    _earlier: list[Sequence[int]] = field(default_factory=list)

    def ways(self) -> Iterator[tuple[int, ...]]:
        """Assignments: for each layer its slot. Raises :class:`TooHard` where there are too many ways to try."""
        after = self._slots_needed_first()
        if self.ordered:  # where all that comes first is used first, nothing is left to come behind what needs it
            self._earlier = [()] * len(self.layers)
        else:
            self._earlier = [[j for j in range(i) if self.layers[j].before(layer)] for i, layer in enumerate(self.layers)]
        stack: list[tuple[tuple[int, ...], int]] = [((), 0)]
        while stack:
            chosen, used = stack.pop()
            if len(chosen) > len(self.farthest):
                self.farthest = chosen
            if len(chosen) == len(self.layers):
                yield chosen
                continue
            self._steps += 1
            if self._steps > BUDGET:
                raise TooHard
            for slot in reversed(self._candidates(chosen, used, after[len(chosen)])):
                stack.append(((*chosen, slot), used | 1 << slot))

    def _candidates(self, chosen: tuple[int, ...], used: int, needed: int) -> list[int]:
        """The slots for the next layer that both orders allow; the one alone that names speak for, if there are several."""
        number = len(chosen)
        self.reasons.pop(number, None)
        behind = 0
        for i in self._earlier[number]:
            behind |= self.slots[chosen[i]].before
        found = [s for s in self.fits[number] if not used >> s & 1 and not behind >> s & 1 and not self.slots[s].before & needed & ~used]
        if len(found) > 1 and (hint := self.hint(number, found, chosen)) is not None:
            self.reasons[number] = hint[1]
            return [hint[0]]
        if len(found) > 1 and self.as_written:
            self.reasons[number] = "in the order of the text"
        return found

    def _slots_needed_first(self) -> list[int]:
        """For each layer, the slots that no later layer may fill, since all that fit come behind it: bits."""
        classes: dict[tuple[int, ...], list[int]] = {}
        for i, slots in enumerate(self.fits):
            classes.setdefault(tuple(slots), []).append(i)
        found = []
        for i, layer in enumerate(self.layers):
            open_ = 0
            for slots, members in classes.items():
                if any(k > i and not layer.before(self.layers[k]) for k in members):
                    for s in slots:
                        open_ |= 1 << s
            found.append(((1 << len(self.slots)) - 1) & ~open_)
        return found
