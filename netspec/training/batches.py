"""Which images make which batch: from the seed and the epoch alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """A permutation of `0 … count - 1` for an epoch. It depends on nothing else, so a resumed run goes on as if never broken off."""
    return torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(count))


def batch_bounds(count: int, batch: int) -> list[tuple[int, int]]:
    """Where each batch starts and ends. A last batch of one image joins the one before it, as batch norm needs two values."""
    starts = list(range(0, count, batch))
    if len(starts) > 1 and batch > 1 and count - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], count], strict=True))


def group_of(bounds: list[tuple[int, int]], index: int, accumulate: int) -> tuple[int, int, int]:
    """The first batch of the step that batch ``index`` belongs to, the one behind its last, and how many images they have together."""
    first = index - index % accumulate
    behind = min(first + accumulate, len(bounds))
    return first, behind, bounds[behind - 1][1] - bounds[first][0]
