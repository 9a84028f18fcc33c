"""Merges and comparisons of tensors that ``torch.nn`` has no modules for."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import add, mul, sub
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Add(nn.Module):
    """The sum of all inputs, from left to right."""

    def forward(self, *branches: Tensor) -> Tensor:
        return reduce(add, branches)


class Subtract(nn.Module):
    """The first input less all others, from left to right."""

    def forward(self, *branches: Tensor) -> Tensor:
        return reduce(sub, branches)


class Multiply(nn.Module):
    """The product of all inputs, from left to right; axes of 1 are stretched."""

    def forward(self, *branches: Tensor) -> Tensor:
        return reduce(mul, branches)


class Maximum(nn.Module):
    """The largest of all inputs, number by number."""

    def forward(self, *branches: Tensor) -> Tensor:
        return reduce(torch.maximum, branches)


class Minimum(nn.Module):
    """The smallest of all inputs, number by number."""

    def forward(self, *branches: Tensor) -> Tensor:
        return reduce(torch.minimum, branches)


class Mean(nn.Module):
    """The mean of all inputs, number by number."""

    def forward(self, *branches: Tensor) -> Tensor:
        return reduce(add, branches) / len(branches)


class Concat(nn.Module):
    """The inputs side by side along ``dim``, which counts the batch."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *branches: Tensor) -> Tensor:
        return torch.cat(branches, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class MatMul(nn.Module):
    """The product of two batches of matrices, the second turned over where ``transpose`` says so."""

    def __init__(self, transpose: bool) -> None:
        super().__init__()
        self.transpose = transpose

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        return x @ (other.mT if self.transpose else other)

    def extra_repr(self) -> str:
        return f"transpose={self.transpose}"


class Distance(nn.Module):
    """How far two tensors are apart, number by number or along ``dim``, which counts the batch and stays as an axis of 1."""

    def __init__(self, kind: str, dim: int) -> None:
        super().__init__()
        self.kind, self.dim = kind, dim

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        return _MEASURES[self.kind](x, other, self.dim)

    def extra_repr(self) -> str:
        return f"{self.kind}, dim={self.dim}"


_MEASURES: Final[dict[str, Callable[[Tensor, Tensor, int], Tensor]]] = {
    "l1": lambda x, other, dim: (x - other).abs(),
    "squared": lambda x, other, dim: (x - other).square(),
    "manhattan": lambda x, other, dim: (x - other).abs().sum(dim, keepdim=True),
    "l2": lambda x, other, dim: torch.linalg.vector_norm(x - other, dim=dim, keepdim=True),
    "cosine": lambda x, other, dim: 1 - F.cosine_similarity(x, other, dim).unsqueeze(dim),
}

MODULES: Final = (Add, Subtract, Multiply, Maximum, Minimum, Mean, Concat, MatMul, Distance)
