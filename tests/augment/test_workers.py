"""A sample is one picture in an epoch: whoever reads it, and whatever batch it is in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from netspec.augment import Augmenter
from netspec.augment import augmenter as module
from netspec.data.samples import Batch
from netspec.training import train
from netspec.training.seeing import Seeing
from tests.augment.making import compiled, noisy
from tests.training.several import net
from tests.training.swift import undrawn
from tests.training.test_going_on import picture_folder, reading

__all__ = ["undrawn"]

EVERYTHING = "flip -> pad(1) -> crop(8x8) -> rotate(0.1) -> zoom(0.2) -> contrast(0.3) -> hue(0.1) -> blur -> noise(5) -> erase"
TEXT = f"""
net Photos {{
    image: input(3x8x8)
    preprocess {{ scale(1/255) }}
    augment {{ {EVERYTHING} }}
    conv(4, 3) -> relu -> flatten -> linear(2)
}}
data {{ split = [1, 0, 0], cache = off }}
train {{ batch = BATCH, accumulate = PARTS, epochs = 2, optimizer = sgd(lr=0.01) }}
"""


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[int, int], bytes]:
    """What the net has been shown of each sample in each epoch."""
    found: dict[tuple[int, int], bytes] = {}
    real = Seeing.__call__

    def seen(self: Seeing, batch: Batch, indices: torch.Tensor, epoch: int, *rest: Any) -> Any:
        inputs, targets = real(self, batch, indices, epoch, *rest)
        for number, picture in zip(indices.tolist(), inputs["image"], strict=True):
            assert (epoch, number) not in found
            found[epoch, number] = picture.numpy().tobytes()
        return inputs, targets

    monkeypatch.setattr(Seeing, "__call__", seen)
    return found


@pytest.mark.usefixtures("undrawn")
def test_threads_and_batches_of_a_training_change_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: dict[tuple[int, int], bytes]
) -> None:
    data = picture_folder(tmp_path)
    ways = [(0, 8, 1), (1, 8, 1), (2, 8, 1), (8, 8, 1), (2, 3, 1), (8, 5, 2), (0, 24, 1), (1, 2, 4)]
    found = []
    for i, (threads, batch, parts) in enumerate(ways):
        with monkeypatch.context() as patched:
            reading(patched, threads)
            model = net(tmp_path, TEXT.replace("BATCH", str(batch)).replace("PARTS", str(parts)))
            train(model, data, out=tmp_path / f"run{i}", device="cpu")
        found.append(dict(shown))
        shown.clear()
    assert sorted(found[0]) == [(epoch, number) for epoch in range(2) for number in range(24)]
    assert len(set(found[0].values())) == 48, "and no two are alike"
    for way, pictures in zip(ways, found, strict=True):
        assert pictures == found[0], f"{way[0]} threads, batches of {way[1]}, {way[2]} to a step"


@pytest.mark.parametrize("region", [EVERYTHING.replace("8x8", "32x48"), "trivial_augment", "random_resized_crop -> saturation(0.4)"])
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_parts_of_a_batch_are_the_batch(monkeypatch: pytest.MonkeyPatch, region: str, threads: int) -> None:
    """Some by some, as a CPU does large batches and processes share them, and all at once; on any number of PyTorch's own threads."""
    made, pictures, numbers = Augmenter.of(compiled(region), 3)["image"], noisy(20), torch.arange(20)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        whole = made(pictures, numbers, 4)
        torch.set_num_threads(threads)
        for size in (1, 3, 20):
            for part in torch.split(order, size):
                assert torch.equal(made(pictures[part], part, 4), whole[part]), size
        monkeypatch.setattr(module, "_NUMBERS_AT_ONCE", 3 * 3 * 32 * 48)
        assert torch.equal(made(pictures, numbers, 4), whole)
    finally:
        torch.set_num_threads(before)
