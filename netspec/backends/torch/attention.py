"""Attention with torch.nn's weights, as modules of one or two inputs and one output."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn, unflatten
from torch.nn import functional as F

Device = torch.device | str | None


class SelfAttention(nn.MultiheadAttention):
    """Each place of a sequence gathers from all places. Axes before the last two are gone through one by one, as the batch is.

    The weights are those of :class:`torch.nn.MultiheadAttention`, and so is the arithmetic; its other way for evaluation is not taken, so
    that training and evaluation compute the same numbers.
    """

    def __init__(self, features: int, heads: int, dropout: float, bias: bool, device: Device = None) -> None:
        super().__init__(features, heads, dropout, bias, batch_first=True, device=device)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        rows = x.flatten(0, -3)
        query, key, value = F.linear(rows, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        found: Tensor = self.out_proj(attend(query, key, value, self.num_heads, self.dropout * self.training))
        return found.view(x.shape)


class CrossAttention(nn.MultiheadAttention):
    """Each place of a sequence gathers from all places of another."""

    def __init__(self, features: int, memory: int, heads: int, dropout: float, bias: bool, device: Device = None) -> None:
        super().__init__(features, heads, dropout, bias, kdim=memory, vdim=memory, batch_first=True, device=device)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:  # type: ignore[override]
        if self._qkv_same_embed_dim:
            weights = self.in_proj_weight.chunk(3)
        else:
            weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        biases = (None, None, None) if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        query, key, value = (F.linear(s, w, b) for s, w, b in zip((x, memory, memory), weights, biases))
        found: Tensor = self.out_proj(attend(query, key, value, self.num_heads, self.dropout * self.training))
        return found


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int, dropout: float) -> Tensor:
    """``softmax(Q K^T / sqrt(d)) V`` for each head of width d, the heads side by side in the features (Vaswani et al., 2017)."""
    query, key, value = (unflatten(t, -1, (heads, -1)).transpose(1, 2) for t in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value, dropout_p=dropout).transpose(1, 2).flatten(2)


MODULES: Final = (SelfAttention, CrossAttention)
