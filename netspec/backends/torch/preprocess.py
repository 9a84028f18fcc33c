"""Arithmetic on raw images, which takes bytes as they are.

What the first operation has made is changed in its place by the second: on a CPU it is fresh memory that costs time, more than the numbers.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn


class TakesBytes(nn.Module):
    """A module whose arithmetic takes ``uint8`` as well as floats, and gives floats."""


class Scale(TakesBytes):
    """``x * factor + offset``."""

    def __init__(self, factor: float, offset: float) -> None:
        super().__init__()
        self.factor, self.offset = factor, offset

    def forward(self, x: Tensor) -> Tensor:
        scaled = x * self.factor
        return scaled.add_(self.offset) if self.offset else scaled

    def extra_repr(self) -> str:
        return f"factor={self.factor:.9g}, offset={self.offset:.9g}"


class Normalize(TakesBytes):
    """``(x - mean) / std``, by channel. The figures move with the module and are no part of its state dict."""

    mean: Tensor
    std: Tensor

    def __init__(self, means: tuple[float, ...], stds: tuple[float, ...], axes: int) -> None:
        super().__init__()
        column = (-1, *(1,) * axes)
        self.register_buffer("mean", torch.tensor(means, dtype=torch.float32).view(column), persistent=False)
        self.register_buffer("std", torch.tensor(stds, dtype=torch.float32).view(column), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean).div_(self.std)

    def extra_repr(self) -> str:
        return f"figures={self.mean.shape[0]}"


MODULES: Final = (Scale, Normalize)
