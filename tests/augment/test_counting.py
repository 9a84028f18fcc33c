"""The generator: the published answers, and numbers that are even and independent."""

from __future__ import annotations

import numpy as np
import pytest

from netspec.augment.counting import Numbers, philox

KNOWN = [  # the known answers that come with the authors' own code
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_published_answers(counter: tuple[int, ...], key: tuple[int, int], answer: tuple[int, ...]) -> None:
    words = [np.array([c], np.uint64) for c in counter]
    assert tuple(int(w[0]) for w in philox((words[0], words[1], words[2], words[3]), key)) == answer


def numbers(seed: int = 0, epoch: int = 0, count: int = 20_000, stream: int = 0) -> Numbers:
    return Numbers(seed, epoch, np.arange(count), stream)


def test_numbers_are_even() -> None:
    u = numbers().uniform(0, 5)
    assert u.shape == (20_000, 5)
    assert (u > 0).all() and (u < 1).all()
    for draw in u.T:
        counts = np.histogram(draw, 50, (0, 1))[0]
        assert ((counts - 400) ** 2 / 400).sum() < 100  # chi squared with 49 degrees of freedom: above 100 once in 25,000


@pytest.mark.parametrize(
    "other",
    [numbers(seed=1), numbers(epoch=1), numbers(stream=1), Numbers(0, 0, np.arange(1, 20_001)), numbers(seed=2**32)],
    ids=["seed", "epoch", "stream", "picture", "high seed"],
)
def test_what_differs_in_anything_is_independent(other: Numbers) -> None:
    one, two = numbers().uniform(3, 4), other.uniform(3, 4)
    assert not np.isin(one, two).mean() > 0.2 or other.indices[0] == 1
    for i in range(4):
        assert abs(np.corrcoef(one[:, i], two[:, i])[0, 1]) < 0.03


def test_steps_and_draws_are_independent() -> None:
    made = np.concatenate([numbers().uniform(step, 6) for step in range(4)], axis=1)
    correlated = np.corrcoef(made.T) - np.eye(24)
    assert np.abs(correlated).max() < 0.035


def test_a_number_is_that_of_its_picture_whatever_is_asked_with_it() -> None:
    whole = numbers(count=100).uniform(2, 7)
    few = Numbers(0, 0, np.array([41, 7]), 0).uniform(2, 7)
    assert (few == whole[[41, 7]]).all()
    assert (numbers(count=100).uniform(2, 3) == whole[:, :3]).all()


def test_more_pictures_than_a_word_counts() -> None:
    far = Numbers(0, 0, np.array([5, 5 + 2**32]), 0).uniform(0, 4)
    assert not (far[0] == far[1]).any()
