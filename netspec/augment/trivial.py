"""Trivial augment: one of fourteen changes for each picture (Müller and Hutter, 2021, the wide set).

Each change is a geometric one, one of colours or one of tones, so a draw is three parts of which two do nothing to a given picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from netspec.augment.colour import Coloured, towards_grey
from netspec.augment.counting import Floats, Numbers
from netspec.augment.geometry import Canvas, Placed, moved, rotation, slant
from netspec.augment.picture import TONES, Tone

CHANGES: Final = (
    "none", "shear_x", "shear_y", "shift_x", "shift_y", "rotate", "brightness", "saturation", "contrast", *TONES
)  # fmt: skip
_MOST: Final[Mapping[str, float]] = {
    "shear_x": 0.99, "shear_y": 0.99, "shift_x": 32 / 224, "shift_y": 32 / 224, "rotate": 135.0,
    "brightness": 0.99, "saturation": 0.99, "contrast": 0.99, "sharpness": 0.99,
}  # fmt: skip
"""The greatest strengths; both signs are drawn."""


@dataclass(frozen=True)
class Trivial:
    """A draw: the number of each picture's change, and its strength with its sign."""

    change: Floats
    strength: Floats

    @staticmethod
    def draw(arguments: Mapping[str, Any], numbers: Numbers, position: int) -> Trivial:
        u = numbers.uniform(position, 3)
        change = np.floor(u[:, 0] * len(CHANGES))
        share = np.floor(u[:, 1] * arguments["bins"]) / (arguments["bins"] - 1)
        sign = np.where(u[:, 2] < 0.5, -1.0, 1.0)
        strength = np.zeros(len(u))
        for number, name in enumerate(CHANGES):
            own = sign * share * _MOST[name] if name in _MOST else _unsigned(name, share)
            strength = np.where(change == number, own, strength)
        return Trivial(change, strength)

    @property
    def shown(self) -> dict[str, Floats]:
        return {"change": self.change, "strength": self.strength}

    def geometry(self, canvas: Canvas) -> Placed:
        """The geometric part."""
        shear_x, shear_y, shift_x, shift_y, turn = (self._of(n) for n in ("shear_x", "shear_y", "shift_x", "shift_y", "rotate"))
        matrices = slant(shear_x, shear_y, canvas) @ moved(-shift_x * canvas[1], -shift_y * canvas[0]) @ rotation(np.radians(turn), canvas)
        return Placed(matrices, canvas, {})

    def colours(self, channels: int) -> tuple[Coloured, ...]:
        """The part of colours; a picture that is not RGB has no saturation."""
        brightness = Coloured({}, factor=1 + self._of("brightness"))
        contrast = Coloured({}, factor=1 + self._of("contrast"), to_mean=True)
        if channels != 3:
            return brightness, contrast
        return brightness, Coloured({}, matrices=towards_grey(1 + self._of("saturation"))), contrast

    def tones(self) -> Tone:
        """The part of tones."""
        first = CHANGES.index(TONES[0])
        which = np.where(self.change >= first, self.change - first, -1).astype(np.int64)
        return Tone(which, np.where(which == 0, 1 + self.strength, self.strength))

    def _of(self, name: str) -> Floats:
        return np.where(self.change == CHANGES.index(name), self.strength, 0.0)


def _unsigned(name: str, share: Floats) -> Floats:
    """Strengths that have no sign: bits that stay, and the threshold above which a picture is turned to its negative."""
    if name == "posterize":
        return 8 - np.round(6 * share)
    return 255 * (1 - share) if name == "solarize" else np.zeros_like(share)
