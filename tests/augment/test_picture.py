"""Steps that stand alone: filters, noise, erased rectangles and trivial augment, against libraries that do the same."""

from __future__ import annotations

import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor
from torch.nn import functional as F

from netspec.augment.picture import TONES, _tone, normal
from netspec.augment.trivial import CHANGES
from tests.augment.making import augmenter, column, figures, noisy, smooth


def test_blur_spreads_a_point_as_far_as_it_says() -> None:
    point = torch.zeros(12, 1, 41, 41)
    point[:, 0, 20, 20] = 255
    made = augmenter("blur([1, 3])", "1x41x41")
    seen, sigma = made(point, torch.arange(12), 0)[:, 0].double(), column(figures(made, 12, shape=(1, 41, 41)), 0, "sigma")
    assert torch.allclose(seen.sum((1, 2)), torch.tensor(255.0).double(), rtol=0.01)
    distance = torch.arange(41) - 20
    for axis in (1, 2):
        variance = (seen.sum(axis) * distance**2).sum(1) / seen.sum((1, 2))
        assert torch.allclose(variance.sqrt(), sigma, rtol=0.02)


def test_blur_of_pictures_smaller_than_its_reach() -> None:
    pictures = torch.full((2, 3, 2, 2), 99.0)
    assert torch.allclose(augmenter("blur([2, 2])", "3x2x2")(pictures, torch.arange(2), 0), pictures, atol=1e-3)


def test_noise_is_normal_and_of_its_own_in_every_picture_channel_and_epoch() -> None:
    grey = torch.full((6, 3, 64, 64), 128.0)
    made = augmenter("noise(10)", "3x64x64")
    first = made(grey, torch.arange(6), 0) - 128
    assert first.mean() == pytest.approx(0, abs=0.2)
    assert first.std() == pytest.approx(10, abs=0.2)
    assert (first / 10).pow(4).mean() == pytest.approx(3, abs=0.15)
    rows = torch.cat([first.flatten(0, 1), (made(grey, torch.arange(6), 1) - 128).flatten(0, 1)]).flatten(1)
    correlated = torch.corrcoef(rows) - torch.eye(len(rows))
    assert correlated.abs().max() < 0.08
    neighbours = torch.corrcoef(torch.stack([first[..., 1:].flatten(), first[..., :-1].flatten()]))[0, 1]
    assert abs(neighbours) < 0.02


def test_normal_numbers_have_any_shape() -> None:
    keys = torch.tensor([[1, 2], [3, 4]])
    assert normal(keys, torch.Size((3, 1, 3))).shape == (2, 3, 1, 3)


@pytest.mark.parametrize("value", ["mean", "17"])
def test_erase_paints_one_rectangle(value: str) -> None:
    pictures = smooth(40, 3, 48, 48)
    made = augmenter(f"erase(value={value}, p=0.7)", "3x48x48")
    seen, drawn = made(pictures, torch.arange(40), 0), figures(made, 40, shape=(3, 48, 48))
    painted = 0
    for i, (row,) in enumerate(drawn):
        top, left, height, width = (int(row[n]) for n in ("top", "left", "height", "width"))
        wanted = pictures[i].clone()
        paint = pictures[i].mean((1, 2), keepdim=True) if value == "mean" else torch.tensor(17.0)
        wanted[:, top : top + height, left : left + width] = paint
        assert torch.allclose(seen[i], wanted, atol=1e-3)
        assert height == 0 or 0.015 < height * width / 48**2 < 0.35
        painted += height > 0
    assert 18 < painted < 38


def enhanced(name: str, picture: Tensor, strength: float) -> Tensor:
    """What Pillow makes of a picture, `3 x H x W` of bytes."""
    image = Image.fromarray(picture.permute(1, 2, 0).numpy())
    if name == "sharpness":
        image = ImageEnhance.Sharpness(image).enhance(strength)
    elif name == "posterize":
        image = ImageOps.posterize(image, int(strength))
    elif name == "solarize":
        image = ImageOps.solarize(image, strength)
    else:
        image = ImageOps.autocontrast(image) if name == "autocontrast" else ImageOps.equalize(image)
    return torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(*picture.shape[1:], 3).permute(2, 0, 1)


@pytest.mark.parametrize(
    ("name", "strength"),
    [("sharpness", 0.3), ("sharpness", 1.8), ("posterize", 3), ("solarize", 100), ("autocontrast", 0), ("equalize", 0)],
)
def test_tones_are_pillows(name: str, strength: float) -> None:
    assert name in TONES
    picture = (smooth(1, 3, 40, 40)[0] * 0.6 + 30).to(torch.uint8)
    seen = _tone(name, picture[None].float(), torch.tensor(float(strength)).view(1, 1, 1, 1))[0].clamp(0, 255)
    assert (seen - enhanced(name, picture, strength).float()).abs().max() < 1.01  # Pillow cuts off where this rounds


def test_trivial_augment_draws_every_change_as_often_and_one_at_a_time() -> None:
    made = augmenter("trivial_augment")
    drawn = figures(made, 7000)
    counts = [sum(d[0]["change"] == name for d in drawn) for name in CHANGES]
    assert sum(counts) == 7000
    assert all(400 < n < 600 for n in counts)
    for name, low, high in (("rotate", -135, 135), ("shear_x", -0.99, 0.99), ("posterize", 2, 8), ("solarize", 0, 255)):
        strengths = [d[0]["strength"] for d in drawn if d[0]["change"] == name]
        assert min(strengths) == pytest.approx(low, abs=0.1)
        assert max(strengths) == pytest.approx(high, abs=0.1)


def test_trivial_augment_changes_a_picture_as_it_says() -> None:
    pictures = smooth(120).clamp(0, 255).to(torch.uint8)
    made = augmenter("trivial_augment")
    seen, drawn = made(pictures, torch.arange(120), 0), figures(made, 120)
    for i, (row,) in enumerate(drawn):
        change, strength, before = row["change"], row["strength"], pictures[i].float()
        if change == "none" or (strength == 0 and change not in TONES):
            assert torch.equal(seen[i], pictures[i])
        elif change in TONES:
            factor = 1 + strength if change == "sharpness" else strength
            wanted = enhanced(change, pictures[i], factor).float()
            assert (seen[i].float() - wanted).abs().max() < 1.01
        elif change == "brightness":
            assert (seen[i].float() - ((1 + strength) * before).clamp(0, 255)).abs().max() <= 0.51
        elif change == "rotate":
            assert F.l1_loss(seen[i].float(), before) > 1


def test_trivial_augment_of_grey_pictures() -> None:
    pictures = noisy(60, 1)
    assert augmenter("trivial_augment", "1x32x48")(pictures, torch.arange(60), 0).shape == pictures.shape
