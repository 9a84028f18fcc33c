"""Normalisations that ``torch.nn`` lacks."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netspec.backends.torch.learned import Learned


class LayerNormOfChannels(nn.LayerNorm):
    """The channels at each place by their mean and variance: torchvision's ``LayerNorm2d``, with any number of axes in space."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class RMSNormOfChannels(nn.RMSNorm):
    """The channels at each place by the root of their mean square."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class PlainLayerNorm(nn.Module):
    """The axes from ``first`` on together by their mean and variance, whatever their sizes, and nothing learned."""

    def __init__(self, first: int, eps: float) -> None:
        super().__init__()
        self.first, self.eps = first, eps

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[self.first :], eps=self.eps)

    def extra_repr(self) -> str:
        return f"first={self.first}, eps={self.eps}"


class PlainRMSNorm(PlainLayerNorm):
    """The axes from ``first`` on together by the root of their mean square, whatever their sizes, and nothing learned."""

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[self.first :], eps=self.eps)


class L2Norm(nn.Module):
    """The channels at each place made a vector of length 1."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=1, eps=self.eps)

    def extra_repr(self) -> str:
        return f"eps={self.eps}"


class ScaledL2Norm(Learned):
    """The channels at each place made a vector of length 1, times a learned factor for each channel."""

    def __init__(self, channels: int, scale: float, eps: float, device: torch.device | str | None = None) -> None:
        self.scale, self.eps = scale, eps
        super().__init__((channels,), device)

    def reset_parameters(self) -> None:
        nn.init.constant_(self.tensor, self.scale)

    def forward(self, x: Tensor) -> Tensor:
        return self.tensor.view(-1, *(1,) * (x.dim() - 2)) * F.normalize(x, dim=1, eps=self.eps)


class LocalResponseNorm(nn.LocalResponseNorm):
    """torch.nn's, which fails on three axes in space where something before it, as a ``permute``, leaves the numbers in another order."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.contiguous())


MODULES: Final[tuple[type[nn.Module], ...]] = (
    *(LayerNormOfChannels, RMSNormOfChannels, PlainLayerNorm, PlainRMSNorm),
    *(L2Norm, ScaledL2Norm, LocalResponseNorm),
)
