"""Masks go where their pictures go, in training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from netspec.training import train
from netspec.training.measuring.scoring import Scoring
from netspec.training.runner import Runner
from tests.training.several import net
from tests.training.test_several import Targets

GEOMETRY = "augment { flip(both) -> rotate(0.2) -> zoom(0.3) -> shift(0.1) -> shear(0.1) -> brightness([0.98, 1.02]) }"
BANDS = """
net Bands {{
    image: input(3x36x36)
    {augment}
    preprocess {{ scale(1/255) }}
    mask: conv(9, 1)
}}

train {{ epochs = 2, batch = 8, metrics = accuracy }}
"""


def coordinates(folder: Path, count: int = 14) -> Path:
    """Pictures whose red is six times the column and whose green six times the row; masks of nine squares, numbered by row and column."""
    row, column = np.mgrid[:36, :36]
    picture = np.stack([6 * column, 6 * row, np.full((36, 36), 100)]).astype(np.uint8)
    mask = (3 * (row // 12) + column // 12).astype(np.uint8)
    pictures, masks_of = np.stack([picture] * count), np.stack([mask] * count)
    np.savez(folder / "bands.npz", x_train=pictures, y_train=masks_of, x_val=pictures[:2], y_val=masks_of[:2])
    return folder / "bands.npz"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Mapping[str, Tensor], Targets]]:
    """What the net gets, and what it is held against, for each batch of training."""
    inputs: list[Mapping[str, Tensor]] = []
    found: list[tuple[Mapping[str, Tensor], Targets]] = []
    real, really = Runner.__call__, Scoring.loss

    def call(self: Runner, given: Mapping[str, Tensor]) -> Any:
        inputs.append(given)
        return real(self, given)

    def loss(self: Scoring, results: Any, targets: Any) -> Any:
        found.append((inputs[-1], targets))
        return really(self, results, targets)

    monkeypatch.setattr(Runner, "__call__", call)
    monkeypatch.setattr(Scoring, "loss", loss)
    return found


def test_masks_follow_their_pictures(tmp_path: Path, seen: list[tuple[Mapping[str, Tensor], Targets]]) -> None:
    """Every pixel says in its colours where it was, so what its mask has to be is known, but near the borders of the squares."""
    data = coordinates(tmp_path)
    train(
        net(tmp_path, BANDS.format(augment=GEOMETRY.replace(" -> brightness([0.98, 1.02])", ""))), data, out=tmp_path / "run", device="cpu"
    )
    pixels = torch.cat([inputs["image"] for inputs, _ in seen]).float()
    given = torch.cat([targets["mask"] for _, targets in seen])  # type: ignore[misc]
    assert len(pixels) == 2 * 14
    column, row = pixels[:, 0] / 6, pixels[:, 1] / 6
    sure = ((column % 12 - 5.5).abs() < 4.5) & ((row % 12 - 5.5).abs() < 4.5) & (given != 255)
    expected = 3 * (row / 12).long() + (column / 12).long()
    assert torch.equal(given[sure].long(), expected[sure])
    assert float(sure.float().mean()) > 0.5
    assert len({tuple(mask.flatten().tolist()) for mask in given}) == 28, "no two pictures and epochs are alike"
    plain = torch.from_numpy(np.load(data)["y_train"][0])
    moved = [float((mask != plain).float().mean()) for mask in given]
    assert min(moved) > 0.02


def test_what_a_constant_fill_shows_counts_for_nothing(tmp_path: Path, seen: list[tuple[Mapping[str, Tensor], Targets]]) -> None:
    augment = "augment { shift(0.3, fill=constant) }"
    train(net(tmp_path, BANDS.format(augment=augment)), coordinates(tmp_path), out=tmp_path / "run", device="cpu")
    pixels = torch.cat([inputs["image"] for inputs, _ in seen])
    given = torch.cat([targets["mask"] for _, targets in seen])  # type: ignore[misc]
    filled = pixels[:, 2] == 0
    assert 0.02 < float(filled.float().mean()) < 0.6
    assert bool((given[filled] == 255).all())
    assert bool((given[pixels[:, 2] == 100] != 255).all())
