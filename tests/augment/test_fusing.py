"""Steps joined into stages mean what the steps mean, and what happens to a picture is its own affair."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from netspec.augment import Augmenter
from netspec.graph import Augmentation
from tests.augment.making import augmenter, noisy, smooth

REGIONS = {
    "flip": 1,
    "flip -> rotate(0.1) -> zoom(0.2) -> shift(0.1) -> contrast(0.2)": 1,
    "rotate(0.1) -> brightness(0.2) -> zoom(0.1)": 1,
    "rotate(0.1) -> contrast(0.2) -> zoom(0.1)": 2,
    "brightness(0.2) -> rotate(0.1, fill=constant(9))": 2,
    "brightness(0.2) -> flip": 1,
    "rotate(0.1) -> zoom(0.1, fill=nearest)": 2,
    "pad(2) -> crop(32x48) -> flip": 1,
    "flip -> blur -> flip": 2,
    "blur -> noise(3) -> erase": 3,
    "trivial_augment -> flip": 2,
    "flip -> trivial_augment": 1,
    "random_resized_crop -> hue(0.1) -> grayscale -> erase": 1,
    "alternating_flip -> shear(0.2) -> saturation(0.3)": 1,
    "rotate(0) -> zoom([1, 1]) -> shift(0) -> brightness(0) -> hue(0) -> blur([0, 0]) -> noise(0) -> flip(p=0)": 0,
    "mixup -> cutmix": 0,
}


@pytest.mark.parametrize(("region", "stages"), REGIONS.items(), ids=list(REGIONS))
def test_stages(region: str, stages: int) -> None:
    assert len(augmenter(region).stages) == stages


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_same_picture_in_any_batch(region: str, dtype: torch.dtype) -> None:
    made, pictures = augmenter(region), noisy(33).to(dtype)
    whole = made(pictures, torch.arange(100, 133), 4)
    assert whole.dtype == dtype
    assert whole.shape == pictures.shape
    order = torch.randperm(33, generator=torch.Generator().manual_seed(0))
    for size in (1, 2, 5, 32):
        parts = [made(pictures[rows], 100 + rows, 4) for rows in order.split(size)]
        assert torch.equal(torch.cat(parts), whole[order])


@pytest.mark.parametrize("region", ["blur([0.1, 2])", "contrast(0.4)", "flip -> rotate(0.1) -> brightness(0.2) -> contrast(0.4) -> blur"])
@pytest.mark.parametrize("channels", [1, 2, 5, 8])
def test_same_picture_in_any_batch_of_other_channels(region: str, channels: int) -> None:
    made, pictures = augmenter(region, f"{channels}x32x48"), noisy(33, channels).float()
    whole = made(pictures, torch.arange(33), 4)
    for size in (1, 2, 32):
        parts = [made(pictures[rows], rows, 4) for rows in torch.arange(33).split(size)]
        assert torch.equal(torch.cat(parts), whole)


def test_no_pictures() -> None:
    for region in ("flip -> rotate(0.1)", "random_resized_crop -> contrast(0.2) -> blur"):
        assert augmenter(region)(noisy(1)[:0], torch.arange(0), 0).shape == (0, 3, 32, 48)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
@pytest.mark.parametrize("region", ["flip -> rotate(0.1) -> contrast(0.2) -> noise(3)", "zoom(0.2) -> crop(20x30)", "trivial_augment"])
def test_a_batch_that_is_done_in_parts(region: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = noisy(33).to(dtype)
    size = "3x20x30" if "crop" in region else "3x32x48"
    monkeypatch.setattr("netspec.augment.augmenter._NUMBERS_AT_ONCE", 10**9)
    whole = augmenter(region, size)(pictures, torch.arange(33), 0)
    monkeypatch.setattr("netspec.augment.augmenter._NUMBERS_AT_ONCE", 10_000)
    parts = augmenter(region, size)(pictures, torch.arange(33), 0)
    assert parts.dtype == whole.dtype == dtype
    assert parts.is_contiguous()
    assert torch.equal(parts, whole)


@pytest.mark.parametrize("region", [r for r, stages in REGIONS.items() if stages and "alternating" not in r])
def test_seed_epoch_and_number_change_the_picture(region: str) -> None:
    pictures = noisy(1).expand(24, -1, -1, -1)
    first = augmenter(region)(pictures, torch.arange(24), 0)
    assert len(torch.unique(first.flatten(1), dim=0)) > 1
    for other in (
        augmenter(region)(pictures, torch.arange(24), 1),
        augmenter(region, seed=1)(pictures, torch.arange(24), 0),
        augmenter(region)(pictures, torch.arange(24) + 24, 0),
    ):
        assert not torch.equal(first, other)
    assert torch.equal(first, augmenter(region)(pictures, torch.arange(24), 0))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_no_strength_is_the_identity(dtype: torch.dtype) -> None:
    pictures = noisy(5).to(dtype)
    nothing = [r for r, stages in REGIONS.items() if stages == 0]
    for region in nothing:
        assert torch.equal(augmenter(region)(pictures, torch.arange(5), 0), pictures)


def test_a_step_that_never_comes_to_pass_is_the_identity_in_bytes() -> None:
    """Where it is not left out, because another step beside it does something."""
    pictures = noisy(5)
    made = augmenter(
        "rotate(0.1, p=1e-9) -> zoom(0.5, p=1e-9) -> contrast(0.9, p=1e-9) -> hue(0.3, p=1e-9) -> noise(50, p=1e-9) -> blur(p=1e-9)"
    )
    assert len(made.stages) == 2
    assert torch.equal(made(pictures, torch.arange(5), 0), pictures)


def test_input_is_left_as_it_was() -> None:
    for region in REGIONS:
        for pictures in (noisy(4), noisy(4).float()):
            before = pictures.clone()
            augmenter(region)(pictures, torch.arange(4), 0)
            assert torch.equal(pictures, before)


GEOMETRY = (
    "flip(both)",
    "rotate(0.03)",
    "zoom([0.9, 1.1])",
    "shift(0.04)",
    "shear(0.05, vertical=0.05)",
    "pad(3) -> crop(32x48)",
    "alternating_flip",
)
COLOURS = ("brightness(0.1)", "contrast(0.2)", "saturation(0.3)", "hue(0.1)", "grayscale(p=0.5)")


def apart(made: Augmenter, pictures: Tensor, indices: Tensor, epoch: int) -> Tensor:
    """The same steps one after the other, each by itself. The steps before it are there and do nothing, so that draws are the same."""
    for position in range(len(made.steps)):
        if made.steps[position].name == "pad":
            continue
        start = position - 1 if made.steps[position].name == "crop" else position
        steps = [_still(s) if i < start else s for i, s in enumerate(made.steps[: position + 1])]
        pictures = Augmenter(steps, made.seed)(pictures, indices, epoch)
    return pictures


def _still(step: Augmentation) -> Augmentation:
    """A step that does nothing, in the place of another."""
    return Augmentation("flip", {"direction": "horizontal", "p": 0.0}, step.place)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.sampled_from(GEOMETRY + COLOURS), min_size=1, max_size=5),
    seed=st.integers(0, 2**64 - 1),
    epoch=st.integers(0, 10_000),
    first=st.integers(0, 2**40),
)
def test_joined_is_one_after_the_other(steps: list[str], seed: int, epoch: int, first: int) -> None:
    made = augmenter(" -> ".join(steps), seed=seed)
    pictures, indices = 70 + 0.4 * smooth(3), first + torch.arange(3)
    joined, single = made(pictures, indices, epoch), apart(made, pictures, indices, epoch)
    inner = (slice(None), slice(None), slice(13, -13), slice(13, -13))  # at the edge each resampling makes its fill anew
    wide = any(s in GEOMETRY for s in steps)
    assert (joined[inner] - single[inner]).abs().max() < (3.0 if wide else 0.02)


def test_what_is_moved_out_and_back_is_still_there() -> None:
    pictures = noisy(3)
    made = augmenter("shift([0.5, 0.5], down=0) -> shift([-0.5, -0.5], down=0)")
    assert torch.equal(made(pictures, torch.arange(3), 0), pictures)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("region", REGIONS)
def test_a_gpu_computes_the_same(region: str) -> None:
    made, pictures = augmenter(region), noisy(33)
    here = made(pictures, torch.arange(33), 2)
    there = made(pictures.cuda(), torch.arange(33).cuda(), 2)
    assert there.is_cuda
    difference = (there.cpu().int() - here.int()).abs()
    assert (difference > 1).float().mean() < 1e-3
