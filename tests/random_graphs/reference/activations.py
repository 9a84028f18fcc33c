"""Activations, and what is there for training alone."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.random_graphs.reference import Reference, Weights, by_rank, dim_of, reference


@reference
def relu(w: Weights, x: Tensor) -> Tensor:
    return F.relu(x)


@reference
def relu6(w: Weights, x: Tensor) -> Tensor:
    return F.relu6(x)


@reference
def leaky_relu(w: Weights, x: Tensor, slope: float) -> Tensor:
    return F.leaky_relu(x, slope)


@reference
def gelu(w: Weights, x: Tensor, approximate: str) -> Tensor:
    return F.gelu(x, approximate=approximate)


@reference
def silu(w: Weights, x: Tensor) -> Tensor:
    return F.silu(x)


@reference
def tanh(w: Weights, x: Tensor) -> Tensor:
    return torch.tanh(x)


@reference
def sigmoid(w: Weights, x: Tensor) -> Tensor:
    return torch.sigmoid(x)


@reference
def elu(w: Weights, x: Tensor, alpha: float) -> Tensor:
    return F.elu(x, alpha)


@reference
def celu(w: Weights, x: Tensor, alpha: float) -> Tensor:
    return F.celu(x, alpha)


@reference
def selu(w: Weights, x: Tensor) -> Tensor:
    return F.selu(x)


@reference
def mish(w: Weights, x: Tensor) -> Tensor:
    return F.mish(x)


@reference
def softplus(w: Weights, x: Tensor, beta: float) -> Tensor:
    return F.softplus(x, beta)


@reference
def softsign(w: Weights, x: Tensor) -> Tensor:
    return F.softsign(x)


@reference
def tanhshrink(w: Weights, x: Tensor) -> Tensor:
    return F.tanhshrink(x)


@reference
def logsigmoid(w: Weights, x: Tensor) -> Tensor:
    return F.logsigmoid(x)


@reference
def hardsigmoid(w: Weights, x: Tensor) -> Tensor:
    return F.hardsigmoid(x)


@reference
def hardswish(w: Weights, x: Tensor) -> Tensor:
    return F.hardswish(x)


@reference
def hardtanh(w: Weights, x: Tensor, low: float, high: float) -> Tensor:
    if not high > low:
        raise ValueError("max_val must be larger than min_val")
    return F.hardtanh(x, low, high)


@reference
def hardshrink(w: Weights, x: Tensor, lambd: float) -> Tensor:
    return F.hardshrink(x, lambd)


@reference
def softshrink(w: Weights, x: Tensor, lambd: float) -> Tensor:
    return F.softshrink(x, lambd)


@reference
def threshold(w: Weights, x: Tensor, threshold: float, value: float) -> Tensor:
    return F.threshold(x, threshold, value)


@reference
def rrelu(w: Weights, x: Tensor, lower: float, upper: float) -> Tensor:
    return F.rrelu(x, lower, upper, training=False)


@reference
def prelu(w: Weights, x: Tensor, per_channel: bool, init: float) -> Tensor:
    return F.prelu(x, w("weight", x.shape[1] if per_channel else 1))


@reference
def glu(w: Weights, x: Tensor, axis: int) -> Tensor:
    return F.glu(x, dim_of(x, axis))


@reference
def softmax(w: Weights, x: Tensor, axis: int) -> Tensor:
    return F.softmax(x, dim_of(x, axis))


@reference
def softmin(w: Weights, x: Tensor, axis: int) -> Tensor:
    return F.softmin(x, dim_of(x, axis))


@reference
def log_softmax(w: Weights, x: Tensor, axis: int) -> Tensor:
    return F.log_softmax(x, dim_of(x, axis))


@reference
def identity(w: Weights, x: Tensor) -> Tensor:
    return x


@reference
def dropout(w: Weights, x: Tensor, rate: float) -> Tensor:
    return F.dropout(x, rate, training=False)


@reference
def alpha_dropout(w: Weights, x: Tensor, rate: float) -> Tensor:
    return F.alpha_dropout(x, rate, training=False)


@reference
def spatial_dropout(w: Weights, x: Tensor, rate: float) -> Tensor:
    drop: Reference = by_rank(x, F.dropout1d, F.dropout2d, F.dropout3d)
    return drop(x, rate, training=False)


@reference
def stochastic_depth(w: Weights, x: Tensor, rate: float, mode: str) -> Tensor:
    if mode not in ("row", "batch"):
        raise ValueError("there is no such mode")
    return F.dropout(x, rate, training=False)


@reference
def drop_block(w: Weights, x: Tensor, rate: float, size: int) -> Tensor:
    if x.dim() != 4 or not isinstance(size, int) or size < 1:
        raise ValueError("blocks are dropped of maps")
    return F.dropout(x, rate, training=False)


@reference
def gaussian_noise(w: Weights, x: Tensor, std: float) -> Tensor:
    if not std >= 0:
        raise ValueError("normal expects std >= 0.0")
    return x
