"""Attention, and tensors that are learned."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.random_graphs.reference import Weights, reference


def _heads(x: Tensor, heads: int) -> Tensor:
    """``… x T x N`` as ``… x heads x T x d``."""
    if x.shape[-1] % heads:
        raise ValueError("the heads must divide the features")
    return x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads).transpose(-2, -3)


def _attended(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    query, key, value = _heads(query, heads), _heads(key, heads), _heads(value, heads)
    scores = query @ key.mT / query.shape[-1] ** 0.5
    joined: Tensor = scores.softmax(-1) @ value
    return joined.transpose(-2, -3).flatten(-2)


@reference
def attention(w: Weights, x: Tensor, heads: int, dropout: float, bias: bool) -> Tensor:
    if x.dim() not in (3, 5):
        raise ValueError("attention is of sequences")
    n = x.shape[-1]
    packed = F.linear(x, w("in_proj_weight", 3 * n, n), w("in_proj_bias", 3 * n) if bias else None)
    query, key, value = packed.chunk(3, -1)
    joined = _attended(query, key, value, heads)
    return F.linear(joined, w("out_proj.weight", n, n), w("out_proj.bias", n) if bias else None)


@reference
def cross_attention(w: Weights, x: Tensor, memory: Tensor, heads: int, dropout: float, bias: bool) -> Tensor:
    if x.dim() != 3 or memory.dim() != 3:
        raise ValueError("attention is of sequences")
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
def layer_scale(w: Weights, x: Tensor, init: float, axis: int | None) -> Tensor:
    rank = x.dim() - 1
    chosen = (0 if rank != 2 else 1) if axis is None else axis % rank if -rank <= axis < rank else None
    if chosen is None:
        raise IndexError("there is no such axis")
    behind = (1,) * (rank - 1 - chosen)
    gamma = w("", x.shape[chosen + 1], *behind)
    return x * gamma.view(-1, *behind)


@reference
def window_attention(w: Weights, x: Tensor, heads: int, window: Any, shift: Any, dropout: float, bias: bool) -> Tensor:
    if x.dim() != 4:
        raise ValueError("attention of windows is of maps")
    (height, width), by = ((n, n) if isinstance(n, int) else tuple(n) for n in (window, shift))
    if any(s < 0 or s >= n for s, n in zip(by, (height, width), strict=True)):
        raise ValueError("a shift is smaller than the window")
    rows, columns, c = x.shape[1:]
    x = F.pad(x, (0, 0, 0, -columns % width, 0, -rows % height))
    down, across = (s if n > m else 0 for s, n, m in zip(by, x.shape[1:3], (height, width), strict=True))
    table = w("relative_position_bias_table", (2 * height - 1) * (2 * width - 1), heads)
    packed = F.linear(x.roll((-down, -across), (1, 2)), w("qkv.weight", 3 * c, c), w("qkv.bias", 3 * c) if bias else None)
    part = _parts(x.shape[1], height, down, x)[:, None] * 3 + _parts(x.shape[2], width, across, x)
    query, key, value = (_cut(t, height, width) for t in packed.chunk(3, -1))
    where = _cut(part[None, :, :, None].to(x.dtype), height, width)
    apart = -100.0 * (where != where.mT).to(x.dtype)
    axes = (torch.arange(n, device=x.device) for n in (height, width))
    place = torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1)
    between = place[:, :, None] - place[:, None, :] + torch.tensor([height - 1, width - 1], device=x.device)[:, None, None]
    learned = table[(between[0] * (2 * width - 1) + between[1])].permute(2, 0, 1)
    scores = _heads(query, heads) @ _heads(key, heads).mT / (c // heads) ** 0.5 + learned + apart.unsqueeze(-3)
    joined = (scores.softmax(-1) @ _heads(value, heads)).transpose(-2, -3).flatten(-2)
    back = joined.reshape(*joined.shape[:3], height, width, c).transpose(2, 3).flatten(3, 4).flatten(1, 2)
    result = F.linear(back, w("proj.weight", c, c), w("proj.bias", c) if bias else None)
    return result.roll((down, across), (1, 2))[:, :rows, :columns]


def _cut(x: Tensor, height: int, width: int) -> Tensor:
    """``B x H x W x C`` as ``B x rows x columns x places x C``."""
    batch, rows, columns, channels = x.shape
    parts = x.reshape(batch, rows // height, height, columns // width, width, channels)
    return parts.transpose(2, 3).flatten(3, 4)


def _parts(size: int, window: int, shift: int, x: Tensor) -> Tensor:
    """Which parts of an axis may see each other: all before the last window, the rest of the last window, and what was moved to its end."""
    part = torch.zeros(size, dtype=torch.int64, device=x.device)
    if shift:
        part[-window:] = 1
        part[-shift:] = 2
    return part
