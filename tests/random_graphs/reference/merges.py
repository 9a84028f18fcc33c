"""Merges and comparisons."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.random_graphs.reference import Weights, dim_of, reference


@reference
def add(w: Weights, *branches: Tensor) -> Tensor:
    return reduce(torch.add, branches)


@reference
def subtract(w: Weights, *branches: Tensor) -> Tensor:
    return reduce(torch.sub, branches)


@reference
def multiply(w: Weights, *branches: Tensor) -> Tensor:
    return reduce(torch.mul, branches)


@reference
def max_(w: Weights, *branches: Tensor) -> Tensor:
    return reduce(torch.maximum, branches)


@reference
def min_(w: Weights, *branches: Tensor) -> Tensor:
    return reduce(torch.minimum, branches)


@reference
def mean(w: Weights, *branches: Tensor) -> Tensor:
    return reduce(torch.add, branches) / len(branches)


@reference
def concat(w: Weights, *branches: Tensor, axis: int) -> Tensor:
    return torch.cat(branches, dim_of(branches[0], axis))


@reference
def matmul(w: Weights, x: Tensor, other: Tensor, transpose: bool) -> Tensor:
    if min(x.dim(), other.dim()) < 3:
        raise ValueError("a vector is no matrix")
    return x @ (other.mT if transpose else other)


@reference
def distance(w: Weights, x: Tensor, other: Tensor, kind: str, axis: int) -> Tensor:
    dim = dim_of(x, axis)
    difference = x - other
    match kind:
        case "l1":
            return difference.abs()
        case "squared":
            return difference**2
        case "manhattan":
            return difference.abs().sum(dim, keepdim=True)
        case "l2":
            return torch.sqrt((difference**2).sum(dim, keepdim=True))
        case "cosine":
            return 1 - F.cosine_similarity(x, other, dim).unsqueeze(dim)
    raise ValueError("there is no such distance")
