"""A random resized crop is a part cut out, then stretched: as torchvision does it, whatever computes it."""

from __future__ import annotations

import cv2
import pytest
import torch
from torch import Tensor

from tests.augment.making import augmenter, figures, noisy
from tests.zoo.peer import transforms

COUNT = 60
HEIGHT, WIDTH = 40, 56
SHAPE = (3, HEIGHT, WIDTH)
REGIONS = ("random_resized_crop", "random_resized_crop(scale=[0.02, 0.1]) -> flip(direction=both)", "flip -> random_resized_crop")


def by_torchvision(region: str, pictures: Tensor) -> Tensor:
    """Cut out, stretched and mirrored one by one, by the figures that are shown."""
    functional, bilinear = transforms.functional, transforms.InterpolationMode.BILINEAR
    made = []
    for picture, steps in zip(pictures.float(), figures(augmenter(region, "3x40x56"), COUNT, shape=SHAPE), strict=True):
        for step in steps:
            if step["step"] == "flip":
                picture = functional.hflip(picture) if step["horizontal"] else picture
                picture = functional.vflip(picture) if step["vertical"] else picture
                continue
            box = [int(step[name]) for name in ("top", "left", "height", "width")]
            picture = functional.resized_crop(picture, *box, [HEIGHT, WIDTH], bilinear, antialias=False)
        made.append(picture)
    return torch.stack(made)


@pytest.mark.parametrize("region", REGIONS)
def test_bytes_are_cut_out_and_stretched(region: str) -> None:
    pictures = noisy(COUNT, 3, HEIGHT, WIDTH)
    before = pictures.clone()
    seen = augmenter(region, "3x40x56")(pictures, torch.arange(COUNT), 0)
    assert seen.dtype == torch.uint8
    assert seen.is_contiguous()
    assert (seen.float() - by_torchvision(region, pictures)).abs().max() <= 1.5, "rounded once in each direction"
    assert torch.equal(pictures, before)


@pytest.mark.parametrize("region", REGIONS)
def test_floats_are_cut_out_and_stretched(region: str) -> None:
    """The way of a GPU: sampled at points, none of them beyond the edge of the part."""
    pictures = noisy(COUNT, 3, HEIGHT, WIDTH).float()
    seen = augmenter(region, "3x40x56")(pictures, torch.arange(COUNT), 0)
    assert (seen - by_torchvision(region, pictures)).abs().max() < 0.02


@pytest.mark.parametrize("region", REGIONS)
def test_what_goes_on_to_colours_is_not_rounded(region: str) -> None:
    pictures = noisy(COUNT, 3, HEIGHT, WIDTH)
    seen = augmenter(f"{region} -> brightness([1.5, 1.5])", "3x40x56")(pictures, torch.arange(COUNT), 0)
    expected = (by_torchvision(region, pictures) * 1.5).clamp(0, 255)
    assert (seen.float() - expected).abs().max() <= 0.55


@pytest.mark.parametrize(
    ("region", "kind"),
    [
        ("flip -> random_resized_crop -> alternating_flip", "part"),
        ("rotate(0.1) -> random_resized_crop", "any"),
        ("random_resized_crop -> random_resized_crop", "any"),
        ("pad(4) -> crop(40x56) -> random_resized_crop", "any"),
        ("flip -> pad(4) -> crop(40x56)", "whole"),
    ],
)
def test_only_a_part_of_the_picture_itself_is_one(region: str, kind: str) -> None:
    made = augmenter(region, "3x40x56")
    assert [stage.kind for stage in made.stages] == [kind]
    assert len(made.joined()) == 1


@pytest.mark.parametrize("index", [0, 17, 59])
def test_a_picture_does_not_depend_on_its_batch(index: int) -> None:
    pictures = noisy(COUNT, 3, HEIGHT, WIDTH)
    made = augmenter(REGIONS[1], "3x40x56")
    together = made(pictures, torch.arange(COUNT), 2)
    alone = made(pictures[index : index + 1], torch.tensor([index]), 2)
    assert torch.equal(together[index : index + 1], alone)


@pytest.mark.parametrize("then", ["", " -> brightness(0.2)"])
def test_the_threads_of_opencv_do_not_matter(then: str) -> None:
    """It shares large pictures out among them."""
    pictures, before = noisy(2, 3, 700, 900), cv2.getNumThreads()
    made, found = augmenter(REGIONS[0] + then, "3x700x900"), []
    try:
        for threads in (0, 1, 2, 8):
            cv2.setNumThreads(threads)
            found.append(made(pictures, torch.arange(2), 0))
    finally:
        cv2.setNumThreads(before)
    assert all(torch.equal(seen, found[0]) for seen in found)


@pytest.mark.parametrize("channels", [1, 2, 4, 5])
def test_any_number_of_channels(channels: int) -> None:
    pictures = noisy(4, channels, HEIGHT, WIDTH)
    made = augmenter(REGIONS[0], f"{channels}x40x56")
    seen = made(pictures, torch.arange(4), 0)
    assert (seen.float() - made(pictures.float(), torch.arange(4), 0)).abs().max() <= 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("region", REGIONS)
def test_a_gpu_makes_the_same(region: str) -> None:
    pictures, numbers = noisy(COUNT, 3, HEIGHT, WIDTH), torch.arange(COUNT)
    made = augmenter(region, "3x40x56")
    assert (made(pictures, numbers, 0).float() - made(pictures.cuda(), numbers, 0).cpu().float()).abs().max() <= 2
