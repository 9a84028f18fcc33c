"""Formulas of open sizes: they compute as numbers do, and what is printed is what they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from math import ceil, floor
from random import Random
from typing import Any

import pytest

from netspec.bounds import least
from netspec.conditions import listening
from netspec.formulas import equal, grouped, remainder, written
from netspec.shape import same, show, windows
from netspec.sizes import Dim, NeedsNumber, at, larger, symbol

H, W = symbol("H", 224), symbol("W", 256)
Formula = Callable[[Any, Any], Any]


def grown(chance: Random, depth: int) -> Formula:
    """Arithmetic of two sizes, for numbers and formulas alike."""
    if depth == 0:
        return chance.choice((lambda h, w: h, lambda h, w: w))
    a, b, c = grown(chance, depth - 1), grown(chance, depth - 1), chance.randint(1, 5)
    ways: tuple[Formula, ...] = (
        lambda h, w: a(h, w) + c,
        lambda h, w: c - a(h, w),
        lambda h, w: a(h, w) - b(h, w) - c,
        lambda h, w: a(h, w) + b(h, w),
        lambda h, w: a(h, w) * c,
        lambda h, w: a(h, w) // (c + 1),
        lambda h, w: -(-a(h, w) // (c + 1)),
        lambda h, w: a(h, w) % (c + 1),
        lambda h, w: larger(a(h, w), b(h, w)),
        lambda h, w: a(h, w) * b(h, w) if depth < 3 else a(h, w),
    )
    return chance.choice(ways)


def value(text: str, h: int, w: int) -> Any:
    """A formula as it is printed, computed by Python."""
    python = re.sub(r"(\d)([HW])", r"\1*\2", text)
    python = re.sub(r"(?<=[\dHW)]) (?=[HW]|floor|ceil|max)", "*", python)
    return eval(python, {"H": Fraction(h), "W": Fraction(w), "floor": floor, "ceil": ceil, "max": max})


@pytest.mark.parametrize("seed", range(300))
def test_formulas_compute_as_numbers_do(seed: int) -> None:
    chance = Random(seed)
    formula = grown(chance, chance.randint(1, 5))
    found = formula(H, W)
    assert at(found, {"H": 224, "W": 256}) == formula(224, 256)
    if isinstance(found, int):
        return
    assert found.tried == formula(224, 256)
    low, high = least(found), least(-found)
    for _ in range(10):
        h, w = chance.randint(1, 60), chance.randint(1, 60)
        expected = formula(h, w)
        assert found.at({"H": h, "W": w}) == expected
        assert at(found.among({"W": w}), {"H": h}) == expected
        assert low is None or low <= expected
        assert high is None or -high >= expected
        assert value(str(found), h, w) == expected
        classes = {"H": (12, h % 12), "W": (12, w % 12)}
        assert value(written(found, classes), h, w) == expected
        left = remainder(found, 3, classes)
        assert left is None or left == expected % 3


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (H + 1, "H + 1"),
        (3 - H, "-H + 3"),
        (2 * H, "2H"),
        (2048 * H, "2048 H"),
        ((H + 1) // 2, "ceil(H/2)"),
        (-(-H // 2), "ceil(H/2)"),
        (H // 2 * 2, "2 floor(H/2)"),
        (((H + 1) // 2 + 1) // 2, "ceil(H/4)"),
        ((3 * H) // 4, "floor(3H/4)"),
        ((H - 3) // 2 + 1, "ceil(H/2) - 1"),
        ((H - 9) // 4 + 1, "ceil(H/4) - 2"),
        ((H - 20 + 15) // 16, "floor((H - 5)/16)"),
        (W * H // W, "floor((H W)/W)"),
        (5 // H, "floor(5/H)"),
        (H * W * 9, "9 H W"),
        (H // 2 * (W // 2) + H, "floor(H/2) floor(W/2) + H"),
        ((H // 2 + W // 2) // 3, "floor((floor(H/2) + floor(W/2))/3)"),
        (larger(H - 4, 0), "max(H - 4, 0)"),
        ((2 * H + 3) // 4, "ceil(H/2)"),
    ],
)
def test_words(formula: Dim, text: str) -> None:
    assert str(formula) == text


@pytest.mark.parametrize(
    ("formula", "classes", "text"),
    [
        (H // 16, {"H": (16, 0)}, "H/16"),
        ((H + 1) // 2 * 3, {"H": (2, 0)}, "3H/2"),
        ((H - 1) // 8, {"H": (16, 4)}, "(H - 4)/8"),
        (H // 2 * 2 - H, {"H": (2, 0)}, "0"),
        (H // 4 * (W // 4) * 64, {"H": (4, 0), "W": (4, 0)}, "4 H W"),
        (H // 4 + W, {"W": (4, 0)}, "W + floor(H/4)"),
        ((H // 3 + 1) // 5, {"H": (3, 1)}, "floor((H + 3)/15)"),
    ],
)
def test_words_where_it_is_known_which_sizes_there_are(formula: Dim, classes: dict[str, tuple[int, int]], text: str) -> None:
    assert written(formula, classes) == text


def test_equal_formulas_are_one() -> None:
    assert H + W == W + H and hash(H + W) == hash(W + H)
    assert H * W - W * H == 0 and isinstance(H - H, int)
    assert {H // 2: 1}[(2 * H) // 4] == 1
    assert H != W and H != 224
    assert not equal(H // 2, H - H // 2, {}) and equal(H // 2, H - H // 2, {"H": (2, 0)})


def test_comparisons_that_hold_for_all_sizes_ask_nothing() -> None:
    with listening() as asked:
        assert H >= 1 and H > 0 and (H + 1) // 2 >= 1 and (H - 1) // 2 >= 0
        assert not H < 1 and not same(H, 0) and not same(2 * H, 2 * W + 1)
        assert H - H // 2 >= 0 and H * W >= 1 and larger(H, 1) is H and larger(H - 1, -3) == H - 1
        assert same((3, H), (3, H)) and not same((3, H), (4, H)) and not same((3, H), (3, H, W))
    assert asked == []


def test_other_comparisons_are_decided_by_the_sizes_tried_and_remembered() -> None:
    with listening() as asked:
        assert H < W and same(H // 2 * 2, H) and not same(H, 7) and H - 2 >= 1
        assert max(H, W) is W
    assert [str(c) for c in asked] == ["W >= H + 1", "2 floor(H/2) = H", "H != 7", "H >= 3", "W >= H + 1"]
    assert [c.holds({"H": 7, "W": 7}) for c in asked] == [False, False, False, True, False]


@pytest.mark.parametrize(
    "what", [int, float, range, lambda n: [0] * n, lambda n: n * 0.5, lambda n: 5 % n, lambda n: 2**n, lambda n: H / 3]
)
def test_what_only_a_number_can_do_is_refused(what: Callable[[Any], Any]) -> None:
    with pytest.raises(NeedsNumber):
        what(H)


def test_a_division_without_remainder_is_one_on_that_condition() -> None:
    with listening() as asked:
        assert H / 2 == H // 2
    assert [str(c) for c in asked] == ["H = 2 floor(H/2)"]


def test_shapes_with_formulas() -> None:
    assert show((3, H, W)) == "3xHxW"
    assert show((64, H // 2, 2 * W)) == "64 x floor(H/2) x 2W"
    assert show((64, H - 2, W)) == "64 x (H - 2) x W"
    assert grouped("9408 H W + 12") == "9,408 H W + 12"
    assert f"{H * W * 9408:,}" == "9,408 H W"


def test_windows_of_formulas_are_those_of_numbers() -> None:
    """Strides, paddings, dilations, and a last window that is only partly filled."""
    for kernel, stride, padding, dilation, ceil_mode in product((1, 2, 3, 5), (1, 2, 3), (0, 1, 2), (1, 2), (False, True)):
        if padding > kernel // 2:
            continue
        found = windows(H, kernel, stride, padding, padding, dilation, ceil_mode)  # type: ignore[arg-type]
        for n in range(1, 30):
            assert at(found, {"H": n}) == windows(n, kernel, stride, padding, padding, dilation, ceil_mode)


def test_a_chain_of_windows_stays_short() -> None:
    size: Any = H
    for _ in range(5):
        size = windows(size, 3, 2, 1, 1, 1)
    assert str(size) == "ceil(H/32)"
