"""A few hundred random files a day; ``python -m tests.random_graphs`` runs thousands."""

from __future__ import annotations

import pytest
import torch

from netspec.layer import layers
from tests.random_graphs.__main__ import run
from tests.random_graphs.generate import program
from tests.random_graphs.reference import outdated
from tests.random_graphs.spoil import spoiled

CHUNKS = 6
SIZE = 40


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("first", range(0, CHUNKS * SIZE, SIZE))
def test_valid_files_agree_with_pytorch_and_onnxruntime(first: int) -> None:
    summary = run(range(first, first + SIZE), spoil=False)
    assert not summary.failures, "\n".join(f"seed {s}: {why}\n{program(s).text()}" for s, why in summary.failures.items())
    assert summary.kinds["equal"] >= SIZE * 0.9


@pytest.mark.parametrize("first", range(0, CHUNKS * SIZE, SIZE))
def test_spoiled_files_are_accepted_when_pytorch_accepts_them(first: int) -> None:
    summary = run(range(first, first + SIZE), spoil=True)
    assert not summary.failures, "\n".join(f"seed {s}: {why}\n{spoiled(s).text()}" for s, why in summary.failures.items())
    assert summary.kinds["refused"] >= SIZE / 8 and summary.kinds["accepted"] >= SIZE / 8


def test_equal_seeds_give_equal_files() -> None:
    assert [program(seed).text() for seed in (3, 5)] == [program(seed).text() for seed in (3, 5)]
    assert spoiled(3).text() == spoiled(3).text() != program(3).text()


def test_every_layer_has_its_turn() -> None:
    """As many files as there are layers hold every layer."""
    texts = "\n".join(program(seed).text() for seed in range(len(layers())))
    assert [name for name in layers() if name not in texts] == []


def test_references_know_the_arguments_of_their_layers() -> None:
    assert outdated() == {}
