"""A sample of the random nets with open sizes; ``python -m tests.open_sizes`` holds thousands."""

from __future__ import annotations

import pytest

from tests.open_sizes.holding import Tally, hold

SEEDS = 64
SLICES = 4


@pytest.mark.parametrize("part", range(SLICES))
def test_formulas_and_refusals(part: int) -> None:
    tally = Tally()
    for seed in range(part, SEEDS, SLICES):
        hold(seed, tally)
    assert tally.counts["nets with formulas"] >= 12
    assert tally.counts["sizes accepted"] >= 80
    assert tally.counts["sizes refused"] >= 20
