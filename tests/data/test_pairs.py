"""Pairs drawn from one labelled set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from netspec.data import Wanted, open_data
from netspec.data.images.decode import ImageFormat
from netspec.data.pairs import draw_pairs
from netspec.data.samples import Samples
from netspec.data.task import WantedInput, WantedTarget
from netspec.diagnostics import NetspecError
from netspec.values import Choice
from tests.data.pictures import RGB, write_folder


def wanted(share: float = 0.5, size: ImageFormat = RGB, outputs: int = 1) -> Wanted:
    inputs = (WantedInput("left", RGB.shape, RGB), WantedInput("right", size.shape, size))
    return Wanted("Twins", inputs, (WantedTarget("same", "class", outputs, source=Choice("pairs", {"share": share})),))


def arrays(folder: Path, labels: list[int], splits: tuple[str, ...] = ("train", "val")) -> Path:
    """Images all of whose bytes are their own number, so that a batch says whom it holds."""
    pixels = np.arange(len(labels), dtype=np.uint8)[:, None, None, None].repeat(3, 1).repeat(8, 2).repeat(8, 3)
    found = {f"{what}_{split}": value for split in splits for what, value in (("x", pixels), ("y", np.array(labels)))}
    np.savez(folder / "pairs.npz", **found)
    return folder / "pairs.npz"


def pairs(samples: Samples | None) -> tuple[list[int], list[int], list[int]]:
    """Who is on the left, who on the right, and whether they are said to be of one class."""
    assert samples is not None
    (batch,) = samples.batches(torch.arange(len(samples)), [(0, len(samples))])
    return batch.inputs["left"][:, 0, 0, 0].tolist(), batch.inputs["right"][:, 0, 0, 0].tolist(), batch.targets["same"].tolist()


LABELS = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 0, 3]


def test_the_target_says_whether_both_are_of_one_class(tmp_path: Path) -> None:
    opened = open_data(arrays(tmp_path, LABELS), wanted())
    assert opened.classes == {"same": ("different", "same")}
    for samples in (opened.train, opened.val):
        left, right, same = pairs(samples)
        assert left == list(range(len(LABELS)))
        assert same == [int(LABELS[a] == LABELS[b]) for a, b in zip(left, right, strict=True)]
        assert all(a != b for a, b in zip(left, right, strict=True))
    assert opened.train is not None
    assert opened.train.name(0) == f"x_train[0] and x_train[{pairs(opened.train)[1][0]}]"


def test_each_epoch_has_its_own_pairs_for_training_and_the_same_to_measure(tmp_path: Path) -> None:
    path = arrays(tmp_path, LABELS)
    train, val = open_data(path, wanted()).train, open_data(path, wanted()).val
    again = open_data(path, wanted()).train
    assert train is not None
    assert val is not None
    assert again is not None
    epochs = [pairs(train.in_epoch(e))[1] for e in range(4)]
    assert len({tuple(e) for e in epochs}) == 4
    assert [pairs(again.in_epoch(e))[1] for e in (3, 0, 2, 1)] == [epochs[e] for e in (3, 0, 2, 1)]
    assert [pairs(train.in_epoch(1).in_epoch(e))[1] for e in range(4)] == epochs
    assert pairs(train.in_epoch(0)) == pairs(train)
    assert pairs(val.in_epoch(3)) == pairs(val)


def test_every_partner_is_equally_likely() -> None:
    """Frequencies against the rule, by chi-squared (99.9 % of 11 degrees of freedom: 31.3)."""
    labels = np.array(LABELS)
    partners = np.stack([draw_pairs(labels, 0.4, 1, epoch)[0] for epoch in range(20_000)])
    for image in (0, 4):
        same = [i for i in range(12) if i != image and labels[i] == labels[image]]
        others = [i for i in range(12) if labels[i] != labels[image]]
        expected = np.zeros(12)
        expected[same], expected[others] = 0.4 / len(same), 0.6 / len(others)
        counts = np.bincount(partners[:, image], minlength=12)
        there = expected > 0
        assert counts[~there].sum() == 0
        assert ((counts[there] - 20_000 * expected[there]) ** 2 / (20_000 * expected[there])).sum() < 31.3


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_an_image_alone_in_its_class_is_paired_with_another(share: float) -> None:
    partners, same = draw_pairs(np.array([0, 0, 1]), share, 0, 0)
    assert same.tolist() == [int(share), int(share), 0]
    assert partners[2] in (0, 1)
    assert (np.array([0, 0, 1])[partners] == [0, 0, 1]).astype(int).tolist() == same.tolist()


def test_one_class_alone_makes_pairs_of_that_class() -> None:
    partners, same = draw_pairs(np.zeros(5, np.int64), 0.0, 0, 0)
    assert same.tolist() == [1] * 5
    assert all(a != b for a, b in enumerate(partners))


def test_one_image_is_its_own_partner() -> None:
    partners, same = draw_pairs(np.zeros(1, np.int64), 0.5, 0, 0)
    assert (partners.tolist(), same.tolist()) == ([0], [1])


@pytest.mark.parametrize("budget", [None, 0])
def test_from_a_folder_of_classes(tmp_path: Path, budget: int | None) -> None:
    """Classes that were never seen are fine: of them too can be asked whether two are one."""
    write_folder(tmp_path, {"train/ann": 3, "train/bob": 3, "val/cyd": 2, "val/dan": 2})
    opened = open_data(tmp_path, wanted(), budget=budget)
    assert opened.counts() == {"train": 6, "val": 4}
    assert opened.val is not None
    (batch,) = opened.val.batches(torch.arange(4), [(0, 4)])
    assert batch.inputs["left"].shape == batch.inputs["right"].shape == (4, 3, 8, 8)


@pytest.mark.parametrize("ask", [wanted(size=ImageFormat(3, 4, 4)), wanted(outputs=2)])
def test_what_pairs_do_not_fit(tmp_path: Path, ask: Wanted) -> None:
    with pytest.raises(NetspecError, match="pairs need two inputs of one shape"):
        open_data(arrays(tmp_path, LABELS), ask)
