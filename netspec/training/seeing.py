"""What a net sees of a batch while it trains: pictures augmented, their masks with them, and all of it mixed where that is asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from netspec.augment import Augmenter, Mixed
from netspec.data.found import IGNORED
from netspec.data.samples import Batch
from netspec.diagnostics import failure
from netspec.diagnostics.stages import CannotMix, MaskOfOtherSize, MasksOfSeveral
from netspec.graph import Graph
from netspec.objectives import Objective

Targets = Mapping[str, Tensor | Mixed]


class Seeing:
    """The augmentation of every input of a net, and what follows from it for the targets.

    What becomes of a sample follows from the seed, the epoch and its number alone; whom it is mixed with, from its batch. ``cut`` names
    the inputs whose batches are of parts of photographs, so that the beginning of their region is done.
    """

    def __init__(self, graph: Graph, learned: Sequence[Objective], seed: int, cut: Collection[str] = ()) -> None:
        self.augmenters = Augmenter.of(graph, seed, cut)
        self._masks = tuple(o.target for o in learned if o.kind == "mask")
        self._mixing = next((name for name, augmenter in self.augmenters.items() if augmenter.mixes), None)
        if self._mixing is not None and (len(graph.inputs) > 1 or self._masks):
            raise failure(CannotMix(self._mixing, "a net with several inputs" if len(graph.inputs) > 1 else "masks"))
        self._check_masks(graph, learned)

    def _check_masks(self, graph: Graph, learned: Sequence[Objective]) -> None:
        if not self.augmenters or not self._masks:
            return
        if len(self.augmenters) > 1:
            raise failure(MasksOfSeveral(tuple(self.augmenters)))
        shapes = {n.label or n.path: n.output for n in graph.inputs}
        for objective in learned:
            for name in self.augmenters:
                if objective.kind == "mask" and shapes[name][1:] != objective.shape[1:]:
                    raise failure(MaskOfOtherSize(name, shapes[name], objective.output, objective.shape))

    def __call__(self, batch: Batch, indices: Tensor, epoch: int, step: int, mixes: bool = True) -> tuple[Mapping[str, Tensor], Targets]:
        """The inputs and the targets of a batch as the net is to see them. ``indices`` are the samples' numbers in their split, ``step``
        the number of the batch in the epoch; without ``mixes`` no samples are mixed."""
        if not self.augmenters:
            return batch.inputs, batch.targets
        inputs, targets = dict(batch.inputs), dict[str, Tensor | Mixed](batch.targets)
        for name, augmenter in self.augmenters.items():
            if name not in inputs:  # its values behind a frozen part have been kept, as the epoch shows them
                continue
            if self._masks:
                shape = inputs[name].shape
                drawn = augmenter.draw(indices, epoch, (shape[1], shape[2], shape[3]))
                inputs[name] = augmenter.pixels(inputs[name], drawn)
                for mask in self._masks:
                    targets[mask] = augmenter.masks(batch.targets[mask], drawn, IGNORED)
            else:
                inputs[name] = augmenter(inputs[name], indices, epoch)
        if self._mixing is None or not mixes:
            return inputs, targets
        return self._mixed(self._mixing, inputs, batch.targets, epoch, step)

    def _mixed(
        self, name: str, inputs: dict[str, Tensor], targets: Mapping[str, Tensor], epoch: int, step: int
    ) -> tuple[Mapping[str, Tensor], Targets]:
        """The batch mixed with itself: all targets of a sample with the weight of its picture."""
        places = torch.arange(len(inputs[name]), device=inputs[name].device)
        inputs[name], found = self.augmenters[name].mix(inputs[name], places, epoch, step)
        if not isinstance(found, Mixed):
            return inputs, targets
        return inputs, {key: replace(found, labels=t, others=t[found.partners.to(t.device)]) for key, t in targets.items()}


def main(target: Tensor | Mixed) -> Tensor:
    """The values that a sample mostly has."""
    return target.main if isinstance(target, Mixed) else target
