"""Chance that is part of training alone: in inference mode these modules pass what they get."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class StochasticDepth(nn.Module):
    """All of a sample (``row``) or of a batch (``batch``) is set to zero with probability ``rate``, and scaled by ``1 / (1 - rate)``
    otherwise."""

    def __init__(self, rate: float, mode: str) -> None:
        super().__init__()
        self.rate, self.mode = rate, mode

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        survival = 1 - self.rate
        rows = x.shape[0] if self.mode == "row" else 1
        kept = torch.empty((rows, *(1,) * (x.dim() - 1)), dtype=x.dtype, device=x.device).bernoulli_(survival)
        return x * (kept / survival if survival > 0 else kept)

    def extra_repr(self) -> str:
        return f"rate={self.rate:.9g}, mode={self.mode}"


class GaussianNoise(nn.Module):
    """Normally distributed numbers of this standard deviation are added."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.randn_like(x) * self.std if self.training else x

    def extra_repr(self) -> str:
        return f"std={self.std:.9g}"


class DropBlock(nn.Module):
    """Squares of each channel are set to zero, and the rest is scaled so that as much is left."""

    def __init__(self, rate: float, size: int) -> None:
        super().__init__()
        self.rate, self.size = rate, size

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        height, width = x.shape[2:]
        size = min(self.size, height, width)
        places = (*x.shape[:2], height - size + 1, width - size + 1)
        chance = min(self.rate * height * width / (size**2 * places[2] * places[3]), 1.0)
        corners = torch.empty(places, dtype=x.dtype, device=x.device).bernoulli_(chance)
        kept = 1 - F.max_pool2d(F.pad(corners, (size - 1,) * 4), size, stride=1)
        return x * kept * (kept.numel() / kept.sum().clamp_min(1))

    def extra_repr(self) -> str:
        return f"rate={self.rate:.9g}, size={self.size}"


MODULES: Final = (StochasticDepth, GaussianNoise, DropBlock)
