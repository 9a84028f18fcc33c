"""Geometric steps: the figures that were drawn are found again in the pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.augment.making import augmenter, column, figures, noisy, smooth

COUNT = 24


def dots(places: list[tuple[float, float]], height: int = 64, width: int = 96) -> Tensor:
    """Black pictures with a soft white dot at x, y from the middle."""
    y, x = torch.arange(height)[:, None] + 0.5 - height / 2, torch.arange(width)[None, :] + 0.5 - width / 2
    dot = [255 * torch.exp(-((x - px) ** 2 + (y - py) ** 2) / 8) for px, py in places]
    return torch.stack(dot)[:, None]


def middles(pictures: Tensor) -> Tensor:
    """The centres of gravity, `N x 2`, x and y from the middle."""
    height, width = pictures.shape[2:]
    mass = pictures[:, 0].double()
    x = (mass.sum(1) * (torch.arange(width) + 0.5 - width / 2)).sum(1) / mass.sum((1, 2))
    y = (mass.sum(2) * (torch.arange(height) + 0.5 - height / 2)).sum(1) / mass.sum((1, 2))
    return torch.stack([x, y], 1)


def followed(region: str, place: tuple[float, float]) -> tuple[Tensor, list[list[dict[str, float]]]]:
    """Where a dot at a place goes in each of many pictures, and the figures."""
    made = augmenter(region, "1x64x96")
    pictures = made(dots([place] * COUNT), torch.arange(COUNT), 0)
    return middles(pictures), figures(made, COUNT, shape=(1, 64, 96))


def test_rotation_is_found_again() -> None:
    moved, drawn = followed("rotate(0.1, fill=constant(0))", (20.0, 0.0))
    angle = torch.rad2deg(torch.atan2(-moved[:, 1], moved[:, 0]))  # anticlockwise, as y points down
    assert torch.allclose(angle, column(drawn, 0, "degrees"), atol=0.3)
    assert torch.allclose(moved.norm(dim=1), torch.tensor(20.0).double(), atol=0.1)
    assert -36 < angle.min() < -15 and 15 < angle.max() < 36


def test_degrees_and_shares_of_a_turn_are_one() -> None:
    pictures = smooth(8)
    assert torch.equal(
        augmenter("rotate(0.1)")(pictures, torch.arange(8), 0), augmenter("rotate(degrees=36)")(pictures, torch.arange(8), 0)
    )


def test_zoom_is_found_again() -> None:
    moved, drawn = followed("zoom([0.5, 1.5], fill=constant(0))", (20.0, 10.0))
    factor = column(drawn, 0, "factor")
    assert torch.allclose(moved, factor[:, None] * torch.tensor([20.0, 10.0]), atol=0.1)
    assert factor.min() < 0.7 and factor.max() > 1.3


def test_shift_is_found_again() -> None:
    moved, drawn = followed("shift(0.2, down=[0, 0.3], fill=constant(0))", (0.0, -8.0))
    assert torch.allclose(moved[:, 0], 96 * column(drawn, 0, "right"), atol=0.1)
    assert torch.allclose(moved[:, 1] + 8, 64 * column(drawn, 0, "down"), atol=0.1)
    assert column(drawn, 0, "down").min() >= 0


def test_shear_is_found_again() -> None:
    moved, drawn = followed("shear(0.3, vertical=0.2, fill=constant(0))", (8.0, 16.0))
    across, along = column(drawn, 0, "by"), column(drawn, 0, "vertical")
    x = 8 + across * 16
    assert torch.allclose(moved, torch.stack([x, 16 + along * x], 1), atol=0.15)


@pytest.mark.parametrize(("direction", "axes"), [("horizontal", {3}), ("vertical", {2}), ("both", {2, 3})])
@pytest.mark.parametrize("channels", [1, 3])
def test_flips_are_exact(direction: str, axes: set[int], channels: int) -> None:
    pictures = noisy(COUNT, channels)
    made = augmenter(f"flip({direction})", f"{channels}x32x48")
    seen = made(pictures, torch.arange(COUNT), 0)
    drawn = figures(made, COUNT)
    kinds = set()
    for i in range(COUNT):
        turned = [axis for axis, name in ((3, "horizontal"), (2, "vertical")) if drawn[i][0][name]]
        assert set(turned) <= axes
        assert torch.equal(seen[i], pictures[i].flip([axis - 1 for axis in turned]) if turned else pictures[i])
        kinds.add(tuple(turned))
    assert len(kinds) == 2 ** len(axes)


def test_alternating_flip_shows_both_sides_in_any_two_epochs() -> None:
    made, pictures = augmenter("alternating_flip"), noisy(COUNT)
    epochs = [made(pictures, torch.arange(COUNT), epoch) for epoch in range(4)]
    assert torch.equal(epochs[0], epochs[2])
    assert torch.equal(epochs[1], epochs[3])
    assert torch.equal(epochs[0].flip(3), epochs[1])
    flipped = [bool((epochs[0][i] != pictures[i]).any()) for i in range(COUNT)]
    assert 4 < sum(flipped) < 20


@pytest.mark.parametrize(("fill", "mode"), [("reflect", "symmetric"), ("nearest", "edge"), ("constant(7)", "constant")])
def test_pad_and_crop_are_numpys(fill: str, mode: str) -> None:
    pictures = noisy(COUNT)
    made = augmenter(f"pad([1, 2, 3, 4], fill={fill}) -> crop(32x48)")
    seen, drawn = made(pictures, torch.arange(COUNT), 5), figures(made, COUNT, 5)
    options = {"constant_values": 7} if mode == "constant" else {}
    for i in range(COUNT):
        padded = np.pad(pictures[i].numpy(), ((0, 0), (3, 4), (1, 2)), mode, **options)  # type: ignore[call-overload]
        left, top = int(drawn[i][1]["left"]), int(drawn[i][1]["top"])
        assert (seen[i].numpy() == padded[:, top : top + 32, left : left + 48]).all()
    places = {(d[1]["left"], d[1]["top"]) for d in drawn}
    assert len(places) > 15
    assert {d[1]["left"] for d in drawn} == {0, 1, 2, 3}


def test_a_margin_wider_than_the_picture() -> None:
    pictures = noisy(2, 1, 3, 4)
    seen = augmenter("pad(9) -> crop(3x4)", "1x3x4")(pictures, torch.arange(2), 1)
    assert seen.shape == pictures.shape
    assert set(seen[0].flatten().tolist()) <= set(pictures[0].flatten().tolist())


@pytest.mark.parametrize(("fill", "mode"), [("reflect", "symmetric"), ("nearest", "edge"), ("constant(50)", "constant")])
def test_fill_between_pixels(fill: str, mode: str) -> None:
    made = augmenter(f"shift([0.25, 0.25], down=[0.5, 0.5], fill={fill})")
    pictures = noisy(2)
    options = {"constant_values": 50} if mode == "constant" else {}
    padded = np.pad(pictures.numpy(), ((0, 0), (0, 0), (16, 0), (12, 0)), mode, **options)  # type: ignore[call-overload]
    assert (made(pictures, torch.arange(2), 0).numpy() == padded[:, :, :32, :48]).all()


def test_random_resized_crop_is_found_again() -> None:
    height, width = 64, 96
    y, x = torch.arange(height)[:, None] + 0.5, torch.arange(width)[None, :] + 0.5
    ramps = torch.stack([x.expand(height, width), y.expand(height, width), 0 * x + 0 * y])[None].repeat(COUNT, 1, 1, 1)
    made = augmenter("random_resized_crop(scale=[0.2, 0.9])", "3x64x96")
    seen, drawn = made(ramps, torch.arange(COUNT), 0), figures(made, COUNT, shape=(3, 64, 96))
    for axis, (start, length, size) in enumerate((("left", "width", width), ("top", "height", height))):
        ramp = seen[:, axis].mean(axis + 1).double()
        slope = (ramp[:, -8] - ramp[:, 7]) / (size - 15)
        assert torch.allclose(slope * size, column(drawn, 0, length), atol=0.05)
        assert torch.allclose(ramp[:, 7] - 7.5 * slope, column(drawn, 0, start), atol=0.05)
    area = column(drawn, 0, "width") * column(drawn, 0, "height") / (height * width)
    assert area.min() > 0.19
    assert area.max() < 0.92


def test_random_resized_crop_that_never_fits_takes_the_largest_in_the_middle() -> None:
    drawn = figures(augmenter("random_resized_crop(scale=[1, 1], ratio=[1, 1])"), 3)[0][0]
    assert (drawn["width"], drawn["height"], drawn["left"], drawn["top"]) == (32, 32, 8, 0)


def test_masks_go_where_their_pictures_go() -> None:
    pictures = (smooth(COUNT, 1) > 127.5).float() * 255
    black = "fill=constant(0)"
    region = f"flip -> rotate(0.2, {black}) -> zoom(0.3, {black}) -> brightness(0.2) -> noise(1) -> shift(0.1, {black})"
    made = augmenter(region, "1x32x48")
    drawn = made.draw(torch.arange(COUNT), 3, (1, 32, 48))
    masks = (pictures[:, 0] > 127).long() + 5
    moved = made.masks(masks, drawn, outside=9)
    assert moved.dtype == torch.long
    assert moved.shape == masks.shape
    assert set(moved.unique().tolist()) == {5, 6, 9}
    plain = augmenter("flip -> rotate(0.2, fill=constant(0)) -> zoom(0.3, fill=constant(0)) -> brightness(0)", "1x32x48")
    drawn = plain.draw(torch.arange(COUNT), 3, (1, 32, 48))
    shown, moved = plain.pixels(pictures, drawn)[:, 0], plain.masks(masks, drawn, outside=5)
    sure = (shown < 10) | (shown > 245)
    assert sure.float().mean() > 0.7
    assert torch.equal((shown > 245)[sure], (moved == 6)[sure])


def test_whole_pixels_of_masks() -> None:
    masks = noisy(COUNT, 1)[:, 0]
    made = augmenter("flip -> pad(3, fill=constant(200)) -> crop(32x48)", "1x32x48")
    drawn = made.draw(torch.arange(COUNT), 0, (1, 32, 48))
    changed = made.pixels(masks[:, None], drawn)[:, 0]
    assert torch.equal(made.masks(masks, drawn, outside=200), changed)


def test_boxes_go_where_their_pictures_go() -> None:
    pictures = torch.zeros(COUNT, 1, 64, 96)
    pictures[:, :, 20:30, 40:60] = 255
    made = augmenter("flip(both) -> rotate(0.05, fill=constant(0)) -> zoom(0.2, fill=constant(0))", "1x64x96")
    drawn = made.draw(torch.arange(COUNT), 0, (1, 64, 96))
    boxes = made.boxes(torch.tensor([[40.0, 20.0, 60.0, 30.0]]).repeat(COUNT, 1), torch.arange(COUNT), drawn)
    seen = made.pixels(pictures, drawn)[:, 0] > 60
    for i in range(COUNT):
        rows, columns = seen[i].any(1).nonzero()[:, 0], seen[i].any(0).nonzero()[:, 0]
        found = torch.tensor([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]).float()
        assert torch.allclose(found, boxes[i], atol=1.6)


def test_a_box_that_has_left_the_picture_is_empty() -> None:
    made = augmenter("shift([0.9, 0.9], down=0)", "1x64x96")
    drawn = made.draw(torch.arange(2), 0, (1, 64, 96))
    boxes = made.boxes(torch.tensor([[90.0, 0.0, 96.0, 8.0], [0.0, 0.0, 4.0, 8.0]]), torch.tensor([1, 0]), drawn)
    assert boxes[0, 2] == boxes[0, 0] == 96
    assert torch.allclose(boxes[1], torch.tensor([86.4, 0.0, 90.4, 8.0]))
