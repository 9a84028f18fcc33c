"""Mixed pictures, mixed losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from netspec.augment import Mixed, mixed_loss
from tests.augment.making import augmenter, noisy

LABELS = torch.arange(16) % 5


def test_mixup_is_a_weighted_sum() -> None:
    made, pictures = augmenter("mixup(1.0)"), noisy(16)
    seen, targets = made.mix(pictures, LABELS, 3, 7)
    assert isinstance(targets, Mixed)
    assert (targets.kind, made.mixes) == ("mixup", True)
    wanted = targets.weight * pictures.double() + (1 - targets.weight) * pictures[targets.partners].double()
    assert seen.dtype == torch.uint8
    assert (seen.double() - wanted).abs().max() < 0.51
    assert torch.equal(targets.others, LABELS[targets.partners])
    assert targets.main is (targets.labels if targets.weight >= 0.5 else targets.others)


def test_cutmix_weight_is_the_area_that_stays() -> None:
    made, pictures = augmenter("cutmix"), noisy(16)
    for step in range(20):
        seen, targets = made.mix(pictures, LABELS, 0, step)
        assert isinstance(targets, Mixed)
        changed = (seen != pictures).any(1).any(0)  # of all pictures the same rectangle
        rows, columns = changed.any(1).nonzero()[:, 0], changed.any(0).nonzero()[:, 0]
        if len(rows) == 0:
            assert targets.weight == 1
            continue
        box = (slice(None), slice(None), slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
        assert torch.equal(seen[box], pictures[targets.partners][box])
        assert targets.weight == pytest.approx(1 - changed.float().mean().item())


def test_everything_follows_from_seed_epoch_and_step() -> None:
    made, pictures = augmenter("mixup -> cutmix"), noisy(16)
    first, targets = made.mix(pictures, LABELS, 1, 2)
    again, same = augmenter("mixup -> cutmix").mix(pictures, LABELS, 1, 2)
    assert torch.equal(first, again)
    assert isinstance(targets, Mixed) and isinstance(same, Mixed)
    assert (targets.weight, targets.kind) == (same.weight, same.kind)
    for other in ((1, 3), (2, 2)):
        assert not torch.equal(made.mix(pictures, LABELS, *other)[0], first)
    assert not torch.equal(augmenter("mixup -> cutmix", seed=1).mix(pictures, LABELS, 1, 2)[0], first)


def test_both_in_a_region_take_turns_and_the_weights_are_of_beta() -> None:
    made, pictures = augmenter("mixup(0.4) -> cutmix"), noisy(2, 1, 4, 4)
    found = [made.mix(pictures, LABELS[:2], 0, step)[1] for step in range(600)]
    mixed = [m for m in found if isinstance(m, Mixed)]
    weights = np.array([m.weight for m in mixed if m.kind == "mixup"])
    assert len(mixed) == 600
    assert 240 < len(weights) < 360
    assert weights.mean() == pytest.approx(0.5, abs=0.06)
    assert weights.var() == pytest.approx(0.25 / (2 * 0.4 + 1), abs=0.03)  # of Beta(a, a)


def test_a_share_of_the_batches() -> None:
    made, pictures = augmenter("mixup(p=0.3)"), noisy(2, 1, 4, 4)
    mixed = sum(isinstance(made.mix(pictures, LABELS[:2], 0, step)[1], Mixed) for step in range(300))
    assert 60 < mixed < 120


def test_nothing_to_mix() -> None:
    pictures = noisy(1)
    for made in (augmenter("mixup"), augmenter("flip")):
        seen, targets = made.mix(pictures, LABELS[:1], 0, 0)
        assert seen is pictures
        assert targets.equal(LABELS[:1])


def test_the_loss_is_that_of_mixed_one_hot_labels() -> None:
    targets = Mixed("mixup", LABELS, LABELS.flip(0), 0.3, torch.arange(16).flip(0))
    logits = torch.randn(16, 5, generator=torch.Generator().manual_seed(0))
    soft = 0.3 * F.one_hot(LABELS, 5).float() + 0.7 * F.one_hot(LABELS.flip(0), 5).float()
    assert torch.allclose(mixed_loss(F.cross_entropy, logits, targets), F.cross_entropy(logits, soft))
    assert torch.equal(mixed_loss(F.cross_entropy, logits, LABELS), F.cross_entropy(logits, LABELS))
