"""The beginning of a region that is done to photographs of any size, where they are read: flips and one random resized crop.

A part is cut out of the photograph and stretched to the size of the net's input, as torchvision does it. The other way, to stretch the
whole and then a part of that, comes to a part of fewer pixels, and stretches twice. So what follows on it is another resampling, and the
photograph is kept as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from netspec.augment.counting import Floats, Numbers
from netspec.augment.geometry import Shown, crop_of, place
from netspec.augment.parts import Parts
from netspec.graph import Augmentation, Graph

_CROP: Final = "random_resized_crop"
_FLIPS: Final = ("flip", "alternating_flip")


def beginning(steps: Sequence[Augmentation]) -> int:
    """How many steps at the beginning of a region can be done to photographs of any size; 0 where a random resized crop is none of them."""
    crops = count = 0
    for step in steps:
        crops += step.name == _CROP
        if crops > 1 or step.name not in (_CROP, *_FLIPS):
            break
        count += 1
    return count if any(step.name == _CROP for step in steps[:count]) else 0


@dataclass(frozen=True)
class Cutting:
    """The beginning of the region of one input. ``stream`` is the number of the input among those of the net, as of an ``Augmenter``."""

    steps: tuple[Augmentation, ...]
    seed: int
    stream: int

    @staticmethod
    def of(graph: Graph, seed: int) -> dict[str, Cutting]:
        """That of each input which has one, by the input's name."""
        names = [n.label or n.path for n in graph.inputs]
        begun = {name: tuple(steps[: beginning(steps)]) for name, steps in graph.augment.items()}
        return {name: Cutting(steps, seed, names.index(name)) for name, steps in begun.items() if steps}

    def parts(self, indices: Tensor, epoch: int, sizes: NDArray[np.int64]) -> Parts:
        """The parts that are seen in an epoch of photographs with these numbers and these sizes, `N x 2` of height and width."""
        return self._drawn(indices, epoch, sizes)[0]

    def figures(self, indices: Tensor, epoch: int, sizes: NDArray[np.int64]) -> list[list[dict[str, Any]]]:
        """What was drawn, for each photograph and step: of the crop, in pixels of the photograph as it is kept."""
        shown = self._drawn(indices, epoch, sizes)[1]
        named = list(zip(self.steps, shown, strict=True))
        return [[{"step": s.name, **{n: float(v[i]) for n, v in found.items()}} for s, found in named] for i in range(len(sizes))]

    def _drawn(self, indices: Tensor, epoch: int, sizes: NDArray[np.int64]) -> tuple[Parts, list[Shown]]:
        numbers = Numbers(self.seed, epoch, indices.cpu().numpy().astype(np.int64), self.stream)
        height, width = sizes[:, 0].astype(np.float64), sizes[:, 1].astype(np.float64)
        sideways, upright = np.zeros(len(sizes), np.bool_), np.zeros(len(sizes), np.bool_)
        box: Shown = {}
        shown = []
        for position, step in enumerate(self.steps):
            if step.name == _CROP:
                drawn = crop_of(step.arguments, numbers, position, (height, width))
                box = {**drawn, "left": _mirrored(drawn["left"], drawn["width"], width, sideways)}
                box["top"] = _mirrored(drawn["top"], drawn["height"], height, upright)
            else:
                drawn = place(step, numbers, position, (1, 1)).shown
                sideways = sideways ^ (drawn["horizontal"] > 0)
                upright = upright ^ (drawn["vertical"] > 0) if "vertical" in drawn else upright
            shown.append(drawn)
        whole = {name: values.astype(np.int64) for name, values in box.items()}
        return Parts(**whole, sideways=sideways, upright=upright), shown


def _mirrored(start: Floats, length: Floats, size: Floats, swapped: NDArray[np.bool_]) -> Floats:
    """Where a part begins in the photograph, of one that begins so in its mirror image where it is ``swapped``."""
    return np.where(swapped, size - start - length, start)
