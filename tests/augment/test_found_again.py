"""Figures found again in the pictures, where several steps are one, and for what trivial augment does."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tests.augment.making import augmenter, column, figures
from tests.augment.test_geometry import dots, middles

COUNT = 24
PLACES = [(0.0, 0.0), (14.0, 3.0), (-5.0, 11.0), (9.0, -8.0), (-12.0, -6.0)]
"""Where dots are, from the middle: an affine map has six numbers, and five dots say ten."""
GREY = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)


def maps(region: str, count: int = COUNT) -> tuple[Tensor, list[list[dict[str, float]]]]:
    """The affine map of each picture, `N x 2 x 3`, by least squares from where dots have gone, and the figures."""
    made = augmenter(region, "1x64x96")
    numbers = torch.arange(count)
    moved = torch.stack([middles(made(dots([place] * count), numbers, 0)) for place in PLACES], 1)
    before = torch.cat([torch.tensor(PLACES, dtype=torch.float64), torch.ones(len(PLACES), 1, dtype=torch.float64)], 1)
    found = torch.linalg.lstsq(before.expand(count, -1, -1), moved).solution.transpose(1, 2)
    left = (before @ found.transpose(1, 2) - moved).abs().max()
    assert left < 0.25, "the map is affine"
    return found, figures(made, count, shape=(1, 64, 96))


def turned(degrees: Tensor) -> Tensor:
    """Anticlockwise, where y points down."""
    a = torch.deg2rad(degrees)
    return torch.stack([torch.stack([a.cos(), a.sin()], -1), torch.stack([-a.sin(), a.cos()], -1)], 1)


def test_several_geometric_steps_are_found_in_their_order() -> None:
    """Turned, then larger or smaller, then moved; another order would move by other distances."""
    found, drawn = maps("rotate(0.08, fill=constant(0)) -> zoom([0.7, 1.2], fill=constant(0)) -> shift(0.05, fill=constant(0))")
    factor = column(drawn, 1, "factor")
    assert torch.allclose(found[:, :, :2], factor[:, None, None] * turned(column(drawn, 0, "degrees")), atol=0.02)
    moved = torch.stack([96 * column(drawn, 2, "right"), 64 * column(drawn, 2, "down")], 1)
    assert torch.allclose(found[:, :, 2], moved, atol=0.2)
    assert moved.abs().max() > 3
    first, drawn = maps("shift(0.05, fill=constant(0)) -> zoom([0.7, 1.2], fill=constant(0))")
    moved = torch.stack([96 * column(drawn, 0, "right"), 64 * column(drawn, 0, "down")], 1)
    assert torch.allclose(first[:, :, 2], column(drawn, 1, "factor")[:, None] * moved, atol=0.2)


def test_a_flip_before_a_turn_is_a_turn_the_other_way() -> None:
    found, drawn = maps("flip -> rotate(0.08, fill=constant(0))")
    mirrored = torch.where(column(drawn, 0, "horizontal").bool(), -1.0, 1.0).double()
    wanted = turned(column(drawn, 1, "degrees"))
    wanted[:, :, 0] *= mirrored[:, None]
    assert 4 < (mirrored < 0).sum() < 20
    assert torch.allclose(found[:, :, :2], wanted, atol=0.02)


@pytest.mark.parametrize("change", ["shear_x", "shear_y", "shift_x", "shift_y", "rotate"])
def test_trivial_augment_moves_as_it_says(change: str) -> None:
    made, many = augmenter("trivial_augment", "1x64x96"), torch.arange(400)
    drawn = figures(made, len(many), shape=(1, 64, 96))
    chosen = [i for i in many.tolist() if drawn[i][0]["change"] == change and abs(drawn[i][0]["strength"]) < 100]
    assert len(chosen) > 10
    strength = torch.tensor([drawn[i][0]["strength"] for i in chosen], dtype=torch.float64)
    places = [(0.0, 0.0), (6.0, 0.0), (0.0, 6.0)]
    zero, right, down = (middles(made(dots([place] * len(chosen)), torch.tensor(chosen), 0)) for place in places)
    linear = torch.stack([(right - zero) / 6, (down - zero) / 6], 2)
    wanted = torch.eye(2, dtype=torch.float64).repeat(len(chosen), 1, 1)
    if change == "shear_x":
        wanted[:, 0, 1] = strength
    elif change == "shear_y":
        wanted[:, 1, 0] = strength
    elif change == "rotate":
        wanted = turned(strength)
    assert torch.allclose(linear, wanted, atol=0.05)
    moved = torch.zeros(len(chosen), 2, dtype=torch.float64)
    if change.startswith("shift"):
        moved[:, "xy".index(change[-1])] = strength * (96 if change == "shift_x" else 64)
    assert torch.allclose(zero, moved, atol=0.3)


def flat(colours: Tensor) -> Tensor:
    return colours.float()[:, :, None, None].expand(-1, -1, 8, 8).contiguous()


def test_saturation_is_found_again() -> None:
    colours = torch.tensor([[150.0, 110.0, 90.0]], dtype=torch.float64).repeat(COUNT, 1)
    made = augmenter("saturation(0.6)", "3x8x8")
    seen, factor = (
        made(flat(colours), torch.arange(COUNT), 0)[:, :, 0, 0].double(),
        column(figures(made, COUNT, shape=(3, 8, 8)), 0, "factor"),
    )
    grey = (colours @ GREY)[:, None]
    found = ((seen - grey) * (colours - grey)).sum(1) / ((colours - grey) ** 2).sum(1)
    assert torch.allclose(found, factor, atol=1e-3)
    assert factor.min() < 0.6 and factor.max() > 1.4


def test_the_angle_of_hue_is_found_again() -> None:
    """In the plane of I and Q (ITU-R 601's matrix of NTSC), where a turn of the hue is a turn of the point."""
    chroma = torch.tensor([[0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]], dtype=torch.float64)
    colours = torch.tensor([[140.0, 120.0, 115.0]], dtype=torch.float64).repeat(COUNT, 1)
    made = augmenter("hue(0.2)", "3x8x8")
    seen = made(flat(colours), torch.arange(COUNT), 0)[:, :, 0, 0].double()
    points = [(picture @ chroma.T) for picture in (colours, seen)]
    angles = [torch.rad2deg(torch.atan2(p[:, 1], p[:, 0])) for p in points]
    found = (angles[1] - angles[0] + 180) % 360 - 180
    degrees = column(figures(made, COUNT, shape=(3, 8, 8)), 0, "degrees")
    assert torch.allclose(found.abs(), degrees.abs(), atol=0.5)
    assert len({math.copysign(1, a * b) for a, b in zip(found.tolist(), degrees.tolist(), strict=True)}) == 1, "all to one side"
    assert torch.allclose(points[0].norm(dim=1), points[1].norm(dim=1), rtol=0.01)
