"""Pairs of images from one labelled set: of one class, or of two.

The first of a pair is each image of the split in turn, so there are as many pairs as images. With the probability ``share`` the second is
another image of the same class, each equally likely, else one of another class; an image that is alone in its class is
paired with one of another.
All of this depends on the seed, the epoch and the image alone. Pairs for training are drawn anew in each epoch; those of other splits are
drawn once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import torch

from netspec.data.columns import PickedColumn
from netspec.data.found import Indices
from netspec.data.samples import Column, MemoryColumn, Samples

CLASSES: Final = ("different", "same")
SHARE: Final = 0.5
"""How many pairs are of one class where nothing is said."""
_FIXED: Final = 2**32 - 1
"""What stands in the place of an epoch for pairs that are drawn once."""


@dataclass(frozen=True)
class PairSamples(Samples):
    """Pairs of the images of a column, ``whole``; ``labels`` are the images' classes. With ``anew``, each epoch has pairs of its own."""

    whole: Column = field(kw_only=True)
    labels: Indices = field(kw_only=True)
    share: float = field(kw_only=True)
    seed: int = field(kw_only=True)
    anew: bool = field(kw_only=True)

    def name(self, index: int) -> str:
        partners = [c.places for c in self.inputs.values() if isinstance(c, PickedColumn)][-1]
        return f"{self.names(index)} and {self.names(int(partners[index]))}"

    def in_epoch(self, epoch: int) -> Samples:
        return self._drawn(epoch) if self.anew else self

    def to(self, device: torch.device) -> Samples:
        """The images are held on the device once."""
        whole = self.whole.to(device)
        inputs = {name: PickedColumn(whole, c.places) for name, c in self.inputs.items() if isinstance(c, PickedColumn)}
        return replace(self, whole=whole, inputs=inputs, targets={n: c.to(device) for n, c in self.targets.items()})

    def _drawn(self, epoch: int) -> PairSamples:
        partners, same = draw_pairs(self.labels, self.share, self.seed, epoch)
        places = (torch.arange(len(self.labels)), torch.from_numpy(partners))
        return replace(
            self,
            inputs={name: PickedColumn(self.whole, part) for name, part in zip(self.inputs, places, strict=True)},
            targets={name: MemoryColumn(torch.from_numpy(same)) for name in self.targets},
        )


def pair_samples(whole: Samples, target: str, *, share: float, seed: int, anew: bool) -> Samples:
    """The pairs of a split, from its images (a column, under the names of both inputs) and their classes under the name of the target."""
    labels = whole.target(target).numpy()
    column = next(iter(whole.inputs.values()))
    pairs = PairSamples(
        inputs=whole.inputs, targets=whole.targets, names=whole.names, whole=column, labels=labels, share=share, seed=seed, anew=anew
    )
    return pairs._drawn(0 if anew else _FIXED)


def draw_pairs(labels: Indices, share: float, seed: int, epoch: int) -> tuple[Indices, Indices]:
    """For each image the number of its partner, and 1 where both are of one class, else 0.

    The figures for an image are those at its place in a stream that counts (Philox, keyed by seed and epoch).
    """
    chance = np.random.Generator(np.random.Philox(key=[seed, epoch])).random((len(labels), 2))
    order = np.argsort(labels, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    first, many = (np.cumsum(counts) - counts)[inverse], counts[inverse]
    same = ((chance[:, 0] < share) & (many > 1)) | (many == len(labels))
    among = np.where(same, np.maximum(many - 1, 1), np.maximum(len(labels) - many, 1))
    drawn = np.minimum((chance[:, 1] * among).astype(np.int64), among - 1)
    own = first + drawn
    others = drawn + np.where(drawn >= first, many, 0)
    partners = order[np.where(same, own + ((own >= place) & (many > 1)), others)]
    return partners, same.astype(np.int64)
