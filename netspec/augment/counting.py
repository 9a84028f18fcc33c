"""Random numbers from counters: Philox 4x32 with ten rounds (Salmon et al., 2011, "Parallel random numbers: as easy as 1, 2, 3").

A number follows from what it is for (seed, epoch, picture, step, which draw) and from nothing that was drawn before. They are made on the
host, for a whole batch at once, so that every device computes with the same parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


def philox(counter: tuple[Words, Words, Words, Words], key: tuple[int, int]) -> tuple[Words, Words, Words, Words]:
    """Four words of 32 bits for each counter of four words, all held in 64 bits; the arrays broadcast."""
    a, b, c, d = counter
    for turn in range(_ROUNDS):
        k0, k1 = (np.uint64((k + turn * w) & 0xFFFFFFFF) for k, w in zip(key, _WEYL, strict=True))
        p, q = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = (q >> _HALF) ^ b ^ k0, q & _LOW, (p >> _HALF) ^ d ^ k1, p & _LOW
    return a, b, c, d


@dataclass(frozen=True)
class Numbers:
    """The random numbers of pictures in an epoch. ``indices``, `N`, are their numbers in their set; ``stream`` tells inputs apart."""

    seed: int
    epoch: int
    indices: NDArray[np.int64]
    stream: int = 0

    def words(self, step: int, count: int) -> Words:
        """`N x count` words of 32 bits for a step, by its place in the region."""
        blocks = np.arange(-(-count // 4), dtype=np.uint64)
        number = self.indices.astype(np.uint64)[:, None]
        place = np.uint64(step << 16) | blocks[None, :]
        last = np.uint64(self.stream & 0xFFFF) | ((number >> _HALF) << np.uint64(16))
        counter = np.broadcast_arrays(number & _LOW, np.uint64(self.epoch & 0xFFFFFFFF), place, last)
        made = philox((counter[0], counter[1], counter[2], counter[3]), (self.seed & 0xFFFFFFFF, (self.seed >> 32) & 0xFFFFFFFF))
        return np.stack(made, axis=-1).reshape(len(self.indices), 4 * len(blocks))[:, :count]

    def uniform(self, step: int, count: int) -> Floats:
        """`N x count` numbers evenly from 0 to 1, both ends left out."""
        made: Floats = (self.words(step, count).astype(np.float64) + 0.5) / 2.0**32
        return made

    def of_epoch(self, epoch: int) -> Numbers:
        """The numbers of the same pictures in another epoch."""
        return Numbers(self.seed, epoch, self.indices, self.stream)


def some(values: Mapping[str, Floats], rows: slice) -> dict[str, Floats]:
    """The figures of some of the pictures, from those of all."""
    return {name: one[rows] for name, one in values.items()}


def between(u: Floats, interval: tuple[float, float]) -> Floats:
    """Numbers from 0 to 1 stretched to an interval."""
    return interval[0] + (interval[1] - interval[0]) * u
