"""The samples that a net does worst on, with bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from netspec.objectives import Objective
from netspec.training.measuring.deciding import decided

KEPT: Final = 24
"""How many are kept for each output."""


@dataclass(frozen=True)
class WorstSample:
    """A sample with a high loss, by its number in the split.

    Of an output that tells classes apart it is a mistake, with the class it is of, the one it was taken for, and how probable the net held
    that; a distance is no probability. Of masks there are none of these.
    """

    sample: int
    loss: float
    true: int | None = None
    taken: int | None = None
    probability: float | None = None


class Worst:
    """The samples with the highest losses so far, of equals the first: of masks, of all; of classes, of those that were mistaken."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._kept: list[WorstSample] = []

    def add(self, losses: Tensor, logits: Tensor, target: Tensor, start: int) -> None:
        """A batch whose first sample has the number ``start``; ``losses`` are on the CPU."""
        floor = self._kept[-1].loss if len(self._kept) == KEPT else float("-inf")
        among = losses > floor
        if self._objective.kind == "class":
            among &= (decided(self._objective, logits) != target).cpu()
        rows = losses.masked_fill(~among, float("-inf")).sort(descending=True, stable=True).indices[: min(KEPT, int(among.sum()))]
        if not len(rows):
            return
        there = rows.to(logits.device)
        found = self._described(start + rows, losses[rows], logits.index_select(0, there), target.index_select(0, there))
        self._kept = sorted([*self._kept, *found], key=lambda worst: -worst.loss)[:KEPT]

    def _described(self, samples: Tensor, losses: Tensor, logits: Tensor, target: Tensor) -> list[WorstSample]:
        if self._objective.kind == "mask":
            return [WorstSample(*found) for found in zip(samples.tolist(), losses.tolist(), strict=True)]
        taken = decided(self._objective, logits)
        sure = _probabilities(self._objective, logits, taken)
        return [WorstSample(*found) for found in zip(samples.tolist(), losses.tolist(), target.tolist(), taken.tolist(), sure, strict=True)]

    def join(self, found: Iterable[WorstSample]) -> None:
        """Take those that were found among other samples."""
        self._kept = sorted([*self._kept, *found], key=lambda worst: (-worst.loss, worst.sample))[:KEPT]

    def samples(self) -> tuple[WorstSample, ...]:
        """Those with the highest loss first."""
        return tuple(self._kept)


def _probabilities(objective: Objective, logits: Tensor, taken: Tensor) -> list[float] | list[None]:
    """How probable the net held the class that it says."""
    if objective.loss.name == "contrastive":
        return [None] * len(taken)
    both = torch.cat([torch.zeros_like(logits), logits], 1) if objective.binary else logits
    found: list[float] = both.softmax(1).gather(1, taken[:, None])[:, 0].tolist()
    return found
