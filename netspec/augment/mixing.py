"""Pictures mixed with others of their batch, and the loss that goes with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from netspec.graph import Augmentation


@dataclass(frozen=True)
class Mixed:
    """What the pictures of a mixed batch show: ``labels`` with the weight ``weight``, and ``others`` with what is left of 1.

    ``kind`` is ``mixup`` or ``cutmix``; ``partners`` are the places in the batch that each picture was mixed with.
    """

    kind: str
    labels: Tensor
    others: Tensor
    weight: float
    partners: Tensor

    @property
    def main(self) -> Tensor:
        """The labels of what there is more of in each picture."""
        return self.labels if self.weight >= 0.5 else self.others


def mixed_loss(loss: Callable[[Tensor, Tensor], Tensor], results: Tensor, targets: Tensor | Mixed) -> Tensor:
    """A loss of results: for mixed pictures, `w loss(labels) + (1 - w) loss(others)`.

    For cross entropy that is the loss of the mixed one-hot labels exactly, as it is linear in them.
    """
    if not isinstance(targets, Mixed):
        return loss(results, targets)
    return targets.weight * loss(results, targets.labels) + (1 - targets.weight) * loss(results, targets.others)


def mix(pixels: Tensor, labels: Tensor, steps: Sequence[Augmentation], seed: int, epoch: int, step: int) -> tuple[Tensor, Tensor | Mixed]:
    """A batch mixed as one of the ``steps`` says. Everything follows from the seed, the epoch, the step's number and the batch's size.

    Bytes stay bytes, rounded.
    """
    if not steps or len(pixels) < 2:
        return pixels, labels
    generator = np.random.default_rng([seed, epoch, step, 0x6D6978])
    chosen = steps[int(generator.integers(len(steps)))]
    applied = generator.random() < chosen.arguments["p"]
    weight = float(generator.beta(chosen.arguments["alpha"], chosen.arguments["alpha"]))
    partners = torch.from_numpy(generator.permutation(len(pixels))).to(pixels.device)
    corner = generator.random(2)
    if not applied:
        return pixels, labels
    if chosen.name == "mixup":
        pixels = _blended(pixels, partners, weight)
    else:
        pixels, weight = _pasted(pixels, partners, weight, (float(corner[0]), float(corner[1])))
    return pixels, Mixed(chosen.name, labels, labels[partners.to(labels.device)], weight, partners)


def _blended(pixels: Tensor, partners: Tensor, weight: float) -> Tensor:
    values = pixels.float()
    made = torch.lerp(values.index_select(0, partners), values, weight)
    return made.round().to(pixels.dtype) if pixels.dtype == torch.uint8 else made


def _pasted(pixels: Tensor, partners: Tensor, weight: float, corner: tuple[float, float]) -> tuple[Tensor, float]:
    """A rectangle of the share `1 - weight` about a drawn point, cut off at the edge; gives the share that stays, which is what counts."""
    height, width = pixels.shape[2:]
    tall, wide = (int(n * (1 - weight) ** 0.5) for n in (height, width))
    middle = int(corner[0] * height), int(corner[1] * width)
    top, bottom = max(middle[0] - tall // 2, 0), min(middle[0] - tall // 2 + tall, height)
    left, right = max(middle[1] - wide // 2, 0), min(middle[1] - wide // 2 + wide, width)
    made = pixels.clone()
    made[:, :, top:bottom, left:right] = pixels[:, :, top:bottom, left:right].index_select(0, partners)
    return made, 1 - (bottom - top) * (right - left) / (height * width)
