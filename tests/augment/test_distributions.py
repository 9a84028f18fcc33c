"""What is drawn is distributed as the catalogue says: Kolmogorov and Smirnov's test over pictures and seeds, chi squared for counts.

The bound is passed by chance once in ten thousand draws. Draws follow from seeds, so a test that passes passes always.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from netspec.augment import Mixed
from netspec.augment.trivial import CHANGES
from tests.augment.making import augmenter, column, noisy

Cdf = Callable[[np.ndarray], np.ndarray]
COUNT = 1500
BOUND = 2.225
"""Of the square root of the count times the largest distance: P(K > 2.225) is 1e-4 (Kolmogorov, 1933)."""


def even(low: float, high: float) -> Cdf:
    return lambda x: np.clip((x - low) / (high - low), 0, 1)


def evenly_in_logarithm(low: float, high: float) -> Cdf:
    return lambda x: even(math.log(low), math.log(high))(np.log(x))


def arcsine(x: np.ndarray) -> np.ndarray:
    """Of Beta(1/2, 1/2)."""
    return np.asarray(2 / math.pi * np.arcsin(np.sqrt(x)))


def normal(std: float) -> Cdf:
    return np.vectorize(lambda x: 0.5 * (1 + math.erf(x / std / math.sqrt(2))))


def distance(values: np.ndarray, cdf: Cdf) -> float:
    """Kolmogorov and Smirnov's statistic, by the square root of the count."""
    ordered, n = cdf(np.sort(values)), len(values)
    ranks = np.arange(n)
    return float(math.sqrt(n) * max((ordered - ranks / n).max(), ((ranks + 1) / n - ordered).max()))


def drawn(region: str, name: str, seed: int, step: int = 0, size: str = "3x32x48") -> np.ndarray:
    """One figure over many pictures; of every second seed in a later epoch."""
    shape = tuple(int(n) for n in size.split("x"))
    found = augmenter(region, size, seed).draw(torch.arange(COUNT), 40 * (seed % 2), (shape[0], shape[1], shape[2]))
    return column([found.figures(i) for i in range(COUNT)], step, name).numpy()


FIGURES = {
    "rotate": ("rotate(0.1)", "degrees", even(-36, 36)),
    "rotate in degrees": ("rotate(degrees=[-10, 40])", "degrees", even(-10, 40)),
    "zoom": ("zoom([0.5, 1.1])", "factor", even(0.5, 1.1)),
    "shift": ("shift(0.2, down=[0, 0.3])", "right", even(-0.2, 0.2)),
    "shift down": ("shift(0.2, down=[0, 0.3])", "down", even(0, 0.3)),
    "shear": ("shear(0.3, vertical=0.2)", "by", even(-0.3, 0.3)),
    "shear of columns": ("shear(0.3, vertical=0.2)", "vertical", even(-0.2, 0.2)),
    "brightness": ("brightness(0.2)", "factor", even(0.8, 1.2)),
    "contrast": ("contrast([0, 3])", "factor", even(0, 3)),
    "saturation": ("saturation(0.5)", "factor", even(0.5, 1.5)),
    "hue": ("hue(0.05)", "degrees", even(-18, 18)),
    "blur": ("blur([1, 3])", "sigma", even(1, 3)),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_even(name: str) -> None:
    """And another interval, by a tenth wider, is told apart from it."""
    region, figure, cdf = FIGURES[name]
    values = [drawn(region, figure, seed) for seed in range(4)]
    assert max(distance(v, cdf) for v in values) < BOUND
    together = np.concatenate(values)
    assert distance(together, cdf) < BOUND
    middle, half = (together.max() + together.min()) / 2, (together.max() - together.min()) / 2
    assert distance(together, even(middle - 1.1 * half, middle + 1.1 * half)) > BOUND


def test_seeds_epochs_and_steps_draw_apart() -> None:
    """Neither the same numbers nor numbers that go together: of both, two thirds and more would be seen."""
    made = augmenter("brightness(0.2) -> contrast(0.2) -> brightness(0.2)")
    rows = []
    for seed in (0, 1):
        for epoch in (0, 1):
            found = augmenter("brightness(0.2) -> contrast(0.2) -> brightness(0.2)", seed=seed).draw(
                torch.arange(COUNT), epoch, (3, 32, 48)
            )
            figures = [found.figures(i) for i in range(COUNT)]
            rows += [column(figures, step, "factor").numpy() for step in range(len(made.steps))]
    apart = np.abs(np.corrcoef(np.stack(rows)) - np.eye(len(rows)))
    assert apart.max() < 4.5 / math.sqrt(COUNT)


@pytest.mark.parametrize(
    ("region", "figure", "p"),
    [
        ("flip(p=0.3)", "horizontal", 0.3),
        ("flip(both)", "vertical", 0.5),
        ("alternating_flip", "horizontal", 0.5),
        ("grayscale", "grey", 0.1),
    ],
)
def test_how_often(region: str, figure: str, p: float) -> None:
    for seed in range(4):
        share = drawn(region, figure, seed).mean()
        assert abs(share - p) < 4 * math.sqrt(p * (1 - p) / COUNT)


def test_a_step_that_passes_over_some_is_even_over_the_others() -> None:
    for seed in range(3):
        values = drawn("rotate(0.1, p=0.6)", "degrees", seed)
        turned = values[values != 0]
        assert abs(len(turned) / COUNT - 0.6) < 4 * math.sqrt(0.24 / COUNT)
        assert distance(turned, even(-36, 36)) < BOUND


def chi_squared(values: np.ndarray, kinds: int) -> float:
    counts = np.bincount(values.astype(int), minlength=kinds)
    assert len(counts) == kinds
    return float(((counts - len(values) / kinds) ** 2 / (len(values) / kinds)).sum())


def test_crops_come_from_every_place_as_often() -> None:
    """9 places in each direction, 8 degrees of freedom: above 31.8 once in ten thousand."""
    for seed in range(4):
        for figure in ("left", "top"):
            assert chi_squared(drawn("pad(4) -> crop(32x48)", figure, seed, step=1), 9) < 31.8


def test_parts_have_the_areas_shapes_and_places_that_are_said() -> None:
    """In a picture so large that rounding to whole pixels does not show, of areas that always fit."""
    height, width = 4000, 4000
    for seed in range(3):
        wide, tall, left = (
            drawn("random_resized_crop(scale=[0.1, 0.7])", n, seed, size="3x4000x4000") for n in ("width", "height", "left")
        )
        assert distance(wide * tall / (height * width), even(0.1, 0.7)) < BOUND
        assert distance(wide / tall, evenly_in_logarithm(3 / 4, 4 / 3)) < BOUND
        assert distance(left / (width - wide), even(0, 1)) < BOUND


def test_erased_rectangles_have_the_areas_and_shapes_that_are_said() -> None:
    for seed in range(3):
        wide, tall, top = (drawn("erase(scale=[0.05, 0.3], p=0.5)", n, seed, size="3x4000x4000") for n in ("width", "height", "top"))
        some = wide > 0
        assert abs(some.mean() - 0.5) < 4 * math.sqrt(0.25 / COUNT)
        wide, tall, top = wide[some], tall[some], top[some]
        assert distance(wide * tall / 16e6, even(0.05, 0.3)) < BOUND
        assert distance(wide / tall, evenly_in_logarithm(0.3, 3.3)) < BOUND
        assert distance(top / (4000 - tall), even(0, 1)) < BOUND


@pytest.mark.parametrize(("alpha", "cdf"), [("1.0", even(0, 1)), ("0.5", arcsine)])
@pytest.mark.parametrize("seed", [0, 1])
def test_weights_of_mixed_batches(alpha: str, cdf: Cdf, seed: int) -> None:
    made, pictures, labels = augmenter(f"mixup({alpha})", "1x4x4", seed), noisy(4, 1, 4, 4), torch.arange(4)
    found = [made.mix(pictures, labels, step // 100, step % 100)[1] for step in range(800)]
    weights = np.array([m.weight for m in found if isinstance(m, Mixed)])
    assert len(weights) == 800
    assert distance(weights, cdf) < BOUND
    assert distance(weights, arcsine if alpha == "1.0" else even(0, 1)) > BOUND
    partners = np.concatenate([m.partners.numpy() for m in found if isinstance(m, Mixed)])
    assert chi_squared(partners, 4) < 22  # 3 degrees of freedom


def test_noise_is_normal() -> None:
    grey = torch.full((8, 1, 32, 48), 128.0)
    for seed in range(3):
        found = (augmenter("noise(10)", "1x32x48", seed)(grey, torch.arange(8), seed) - 128).numpy().ravel()
        assert distance(found, normal(10)) < BOUND
        assert distance(found, normal(11)) > BOUND


def test_trivial_augment_draws_changes_and_strengths_evenly() -> None:
    """13 and 30 degrees of freedom, above 41 and 69 once in ten thousand."""
    made = augmenter("trivial_augment", seed=2).draw(torch.arange(6000), 3, (3, 32, 48))
    figures = [made.figures(i)[0] for i in range(6000)]
    assert chi_squared(np.array([CHANGES.index(f["change"]) for f in figures]), len(CHANGES)) < 41
    for change, most in (("shear_y", 0.99), ("shift_x", 1 / 7), ("brightness", 0.99)):
        strengths = np.array([f["strength"] for f in figures if f["change"] == change])
        assert chi_squared(np.round(np.abs(strengths) / most * 30), 31) < 69
        signs = np.sign(strengths[strengths != 0])
        assert abs(signs.mean()) < 4 / math.sqrt(len(signs))
