"""Attention, and tensors that are learned."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.random_graphs.reference import Weights, reference


def _heads(x: Tensor, heads: int) -> Tensor:
    """``… x T x N`` as ``… x heads x T x d``."""
    if x.shape[-1] % heads:
        raise ValueError("the heads must divide the features")
    return x.view(*x.shape[:-1], heads, x.shape[-1] // heads).transpose(-2, -3)


def _attended(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    query, key, value = _heads(query, heads), _heads(key, heads), _heads(value, heads)
    scores = query @ key.mT / query.shape[-1] ** 0.5
    return (scores.softmax(-1) @ value).transpose(-2, -3).flatten(-2)


@reference
def attention(w: Weights, x: Tensor, heads: int, dropout: float, bias: bool) -> Tensor:
    if x.dim() not in (3, 5):
        raise ValueError("attention is of sequences")
    n = x.shape[-1]
    packed = F.linear(x, w("in_proj_weight", 3 * n, n), w("in_proj_bias", 3 * n) if bias else None)
    joined = _attended(*packed.chunk(3, -1), heads)
    return F.linear(joined, w("out_proj.weight", n, n), w("out_proj.bias", n) if bias else None)


@reference
def cross_attention(w: Weights, x: Tensor, memory: Tensor, heads: int, dropout: float, bias: bool) -> Tensor:
    n, m = x.shape[-1], memory.shape[-1]
    if n == m:
        weights = w("in_proj_weight", 3 * n, n).chunk(3)
    else:
        weights = (w("q_proj_weight", n, n), w("k_proj_weight", n, m), w("v_proj_weight", n, m))
    shifts = w("in_proj_bias", 3 * n).chunk(3) if bias else (None,) * 3
    sources = (x, memory, memory)
    query, key, value = (F.linear(s, weight, shift) for s, weight, shift in zip(sources, weights, shifts, strict=True))
    joined = _attended(query, key, value, heads)
    return F.linear(joined, w("out_proj.weight", n, n), w("out_proj.bias", n) if bias else None)


@reference
def class_token(w: Weights, x: Tensor, tokens: int) -> Tensor:
    first = w("", 1, tokens, x.shape[-1])
    return torch.cat([first.repeat(x.shape[0], 1, 1), x], 1)


@reference
def position_embedding(w: Weights, x: Tensor) -> Tensor:
    return x + w("", 1, *x.shape[1:])


@reference
def layer_scale(w: Weights, x: Tensor, init: float, axis: int | None, flat: bool) -> Tensor:
    rank = x.dim() - 1
    chosen = (0 if rank != 2 else 1) if axis is None else axis % rank if -rank <= axis < rank else None
    if chosen is None:
        raise IndexError("there is no such axis")
    behind = (1,) * (rank - 1 - chosen)
    gamma = w("", x.shape[chosen + 1], *(() if flat else behind))
    return x * gamma.view(-1, *behind)
