"""A split drawn by shares, class by class, from a seed."""

from __future__ import annotations

import numpy as np

from netspec.data.found import Indices


def draw(labels: Indices, shares: tuple[float, ...], seed: int) -> tuple[Indices, Indices, Indices]:
    """Indices for training, validation and test, each in rising order.

    Within each class the images are shuffled by a generator made from the seed and the class's number, and dealt out by the shares.
    What rounding takes from one class it gives to the next, so that the totals come out right. A class always keeps at least one image
    for training.
    """
    _, val_share, test_share = shares
    parts: tuple[list[Indices], list[Indices], list[Indices]] = ([], [], [])
    owed_val = owed_test = 0.0
    for label in np.unique(labels):
        members = np.random.default_rng([seed, int(label)]).permutation(np.flatnonzero(labels == label))
        owed_val += val_share * len(members)
        owed_test += test_share * len(members)
        test = min(round(owed_test), len(members) - 1)
        val = min(round(owed_val), len(members) - 1 - test)
        owed_val -= val
        owed_test -= test
        for part, some in zip(parts, (members[test + val :], members[test : test + val], members[:test]), strict=True):
            part.append(some)
    train, validation, tested = (np.sort(np.concatenate(part)) for part in parts)
    return train, validation, tested
