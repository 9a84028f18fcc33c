"""Colour steps against formulas written here, and figures found again in ramps."""

from __future__ import annotations

import colorsys

import pytest
import torch
from torch import Tensor

from tests.augment.making import augmenter, column, figures, smooth

COUNT = 16
LUMA = torch.tensor([0.299, 0.587, 0.114])


def middling(channels: int = 3) -> Tensor:
    """Pictures whose values stay within 0 to 255 under mild changes."""
    return 90 + smooth(COUNT, channels) * 0.25


def grey(pictures: Tensor) -> Tensor:
    weights = LUMA if pictures.shape[1] == 3 else torch.ones(pictures.shape[1]) / pictures.shape[1]
    return (pictures * weights[None, :, None, None]).sum(1, keepdim=True)


def by_hand(name: str, pictures: Tensor, factor: Tensor) -> Tensor:
    """One step as its documentation says it."""
    f = factor.float()[:, None, None, None]
    if name == "brightness":
        return f * pictures
    if name == "contrast":
        return f * pictures + (1 - f) * grey(pictures).mean((1, 2, 3), keepdim=True)
    return f * pictures + (1 - f) * grey(pictures)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_a_step_is_its_formula(name: str) -> None:
    made, pictures = augmenter(f"{name}(0.2)"), middling()
    factor = column(figures(made, COUNT), 0, "factor")
    assert 0.8 <= factor.min() < 0.9 and 1.1 < factor.max() <= 1.2
    assert torch.allclose(made(pictures, torch.arange(COUNT), 0), by_hand(name, pictures, factor), atol=1e-2)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_several_steps_are_one_matrix_that_means_the_same(channels: int) -> None:
    region = "contrast(0.2) -> brightness(0.2) -> contrast(0.3)" + " -> saturation(0.2) -> contrast(0.1)" * (channels == 3)
    made, pictures = augmenter(region, f"{channels}x32x48"), middling(channels)
    assert len(made.stages) == 1
    drawn, wanted = figures(made, COUNT, shape=(channels, 32, 48)), pictures
    for step in range(len(made.steps)):
        wanted = by_hand(made.steps[step].name, wanted, column(drawn, step, "factor"))
    assert torch.allclose(made(pictures, torch.arange(COUNT), 0), wanted, atol=2e-2)


def test_a_ramp_shows_its_factor() -> None:
    ramp = torch.linspace(0, 200, 48)[None, None, None, :].repeat(COUNT, 1, 32, 1)
    made = augmenter("brightness(0.2) -> contrast(0.2)", "1x32x48")
    seen, drawn = made(ramp, torch.arange(COUNT), 0), figures(made, COUNT, shape=(1, 32, 48))
    slope = ((seen[:, 0, 0, 40] - seen[:, 0, 0, 8]) / (ramp[:, 0, 0, 40] - ramp[:, 0, 0, 8])).double()
    assert torch.allclose(slope, column(drawn, 0, "factor") * column(drawn, 1, "factor"), atol=1e-4)


def test_hue_turns_colours_and_leaves_greys_and_brightness() -> None:
    pictures = middling()
    made = augmenter("hue([0.25, 0.25])")
    seen = made(pictures, torch.arange(COUNT), 0)
    assert torch.allclose(grey(seen), grey(pictures), atol=1e-2)
    assert (seen - pictures).abs().mean() > 3
    flat = torch.full((1, 3, 32, 48), 77.0)
    assert torch.allclose(made(flat, torch.arange(1), 0), flat, atol=1e-2)
    back = augmenter("hue([-0.25, -0.25])")(seen, torch.arange(COUNT), 0)
    assert torch.allclose(back, pictures, atol=2e-2)


def test_small_turns_of_hue_are_nearly_those_of_hsv() -> None:
    red = torch.tensor([150.0, 110.0, 110.0])[None, :, None, None].repeat(1, 1, 32, 48)
    before = colorsys.rgb_to_hsv(*(red[0, :, 0, 0] / 255).tolist())
    after = colorsys.rgb_to_hsv(*(augmenter("hue([0.05, 0.05])")(red, torch.arange(1), 0)[0, :, 0, 0] / 255).tolist())
    assert (after[0] - before[0]) % 1 == pytest.approx(0.05, abs=0.025)


def test_grayscale_is_grey_as_often_as_asked() -> None:
    made, pictures = augmenter("grayscale(p=0.5)"), middling()
    seen, applied = made(pictures, torch.arange(COUNT), 0), column(figures(made, COUNT), 0, "grey").bool()
    assert 3 < applied.sum() < 13
    assert torch.allclose(seen[applied], grey(pictures)[applied].expand(-1, 3, -1, -1), atol=1e-2)
    assert torch.allclose(seen[~applied], pictures[~applied], atol=1e-3)


def test_bytes_are_rounded_once_and_stay_within_their_range() -> None:
    pictures = smooth(COUNT).clamp(0, 255).to(torch.uint8)
    made = augmenter("brightness([0, 3]) -> brightness([0, 3])")
    factor = column(figures(made, COUNT), 0, "factor") * column(figures(made, COUNT), 1, "factor")
    wanted = (pictures.double() * factor[:, None, None, None]).clamp(0, 255)
    seen = made(pictures, torch.arange(COUNT), 0)
    assert seen.dtype == torch.uint8
    assert (seen.double() - wanted).abs().max() < 0.51
    assert seen.max() == 255
