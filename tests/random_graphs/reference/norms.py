"""Normalisations, arithmetic by channel, and the linear layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.random_graphs.reference import Weights, reference


@reference
def scale(w: Weights, x: Tensor, factor: float, offset: float) -> Tensor:
    return x * factor + offset


@reference
def normalize(w: Weights, x: Tensor, mean: Any, std: Any) -> Tensor:
    if mean == "imagenet":
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    column = (-1, *(1,) * (x.dim() - 2))
    means, stds = (torch.as_tensor(v, dtype=torch.float32, device=x.device).to(x.dtype) for v in (mean, std))
    return (x - means.view(column)) / stds.view(column)


@reference
def linear(w: Weights, x: Tensor, features: int, bias: bool, over: str | None) -> Tensor:
    if over not in (None, "last"):
        raise ValueError("only the last axis is mapped")
    return F.linear(x, w("weight", features, x.shape[-1]), w("bias", features) if bias else None)


@reference
def bn(w: Weights, x: Tensor, eps: float, momentum: float, affine: bool) -> Tensor:
    if not 2 <= x.dim() <= 5:
        raise ValueError("there is no such BatchNorm")
    c = x.shape[1]
    weight, shift = (w("weight", c), w("bias", c)) if affine else (None, None)
    return F.batch_norm(x, w("running_mean", c), w("running_var", c), weight, shift, False, momentum, eps)


@reference
def group_norm(w: Weights, x: Tensor, groups: int, eps: float, affine: bool) -> Tensor:
    weight, shift = (w("weight", x.shape[1]), w("bias", x.shape[1])) if affine else (None, None)
    return F.group_norm(x, groups, weight, shift, eps)


@reference
def instance_norm(w: Weights, x: Tensor, eps: float, momentum: float, affine: bool, track_running_stats: bool) -> Tensor:
    if not 3 <= x.dim() <= 5:
        raise ValueError("there is no such InstanceNorm")
    c = x.shape[1]
    mean, var = (w("running_mean", c), w("running_var", c)) if track_running_stats else (None, None)
    weight, shift = (w("weight", c), w("bias", c)) if affine else (None, None)
    return F.instance_norm(x, mean, var, weight, shift, not track_running_stats, momentum, eps)


def _axes(over: str | None, x: Tensor) -> tuple[int, ...]:
    """The axes of the numbers that belong together, without the batch."""
    axes = tuple(range(1, x.dim()))
    if over is None and x.dim() > 3:
        raise ValueError("of a map it has to be said")
    return {None: axes[-1:], "last": axes[-1:], "channels": axes[:1], "all": axes}[over]


@reference
def layer_norm(w: Weights, x: Tensor, over: str | None, eps: float, affine: bool, bias: bool) -> Tensor:
    axes = _axes(over, x)
    shape = tuple(x.shape[a] for a in axes)
    weight = w("weight", *shape) if affine else None
    shift = w("bias", *shape) if affine and bias else None
    if axes != (1,):
        return F.layer_norm(x, shape, weight, shift, eps)
    return F.layer_norm(x.movedim(1, -1), shape, weight, shift, eps).movedim(-1, 1)


@reference
def rms_norm(w: Weights, x: Tensor, over: str | None, eps: float, affine: bool) -> Tensor:
    axes = _axes(over, x)
    shape = tuple(x.shape[a] for a in axes)
    weight = w("weight", *shape) if affine else None
    if axes != (1,):
        return F.rms_norm(x, shape, weight, eps)
    return F.rms_norm(x.movedim(1, -1), shape, weight, eps).movedim(-1, 1)


@reference
def l2_norm(w: Weights, x: Tensor, scale: float | None, eps: float) -> Tensor:
    one = F.normalize(x, dim=1, eps=eps)
    return one if scale is None else one * w("", x.shape[1]).view(-1, *(1,) * (x.dim() - 2))


@reference
def lrn(w: Weights, x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    return F.local_response_norm(x.contiguous(), size, alpha, beta, k)
