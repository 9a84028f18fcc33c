"""Maps cut into windows, and attention within each."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn, unflatten
from torch.nn import functional as F

Pair = tuple[int, int]

_FAR = -100.0
"""Added to the score of two places that the shift alone brought into one window, as in the authors' own code."""


def cut(x: Tensor, window: Pair) -> Tensor:
    """``B x H x W x C`` into windows: ``B x H/h x W/w x h w x C``."""
    rows = unflatten(unflatten(x, 2, (-1, window[1])), 1, (-1, window[0]))
    return rows.transpose(2, 3).flatten(3, 4)


def join(windows: Tensor, window: Pair) -> Tensor:
    """What :func:`cut` was given."""
    return unflatten(windows, 3, window).transpose(2, 3).flatten(3, 4).flatten(1, 2)


class WindowPartition(nn.Module):
    """``B x C x H x W`` into ``B x H/h x W/w x h w x C``."""

    def __init__(self, window: Pair) -> None:
        super().__init__()
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        return cut(x.permute(0, 2, 3, 1), self.window)

    def extra_repr(self) -> str:
        return f"window={self.window}"


class WindowMerge(WindowPartition):
    """``B x H/h x W/w x h w x C`` into ``B x C x H x W``."""

    def forward(self, x: Tensor) -> Tensor:
        return join(x, self.window).permute(0, 3, 1, 2)


class Roll(nn.Module):
    """The axes behind the channels moved in a circle, each by its own number of places."""

    def __init__(self, shifts: tuple[int, ...]) -> None:
        super().__init__()
        self.shifts = shifts

    def forward(self, x: Tensor) -> Tensor:
        return x.roll(self.shifts, tuple(range(2, x.dim())))

    def extra_repr(self) -> str:
        return f"shifts={self.shifts}"


class WindowAttention(nn.Module):
    """Multi-head attention within the windows of a map ``B x H x W x C``, with a learned bias for each distance between two places.

    ``relative_position_index`` says which row of the table each pair of places of a window takes.
    """

    relative_position_index: Tensor

    def __init__(
        self, features: int, heads: int, window: Pair, shift: Pair, dropout: float, bias: bool, device: torch.device | str | None = None
    ) -> None:
        super().__init__()
        self.heads, self.window, self.shift, self.dropout = heads, window, shift, dropout
        distances = (2 * window[0] - 1) * (2 * window[1] - 1)
        self.relative_position_bias_table = nn.Parameter(torch.empty(distances, heads, device=device))
        self.register_buffer("relative_position_index", _index(window).to(device))
        self.qkv = nn.Linear(features, 3 * features, bias, device=device)
        self.proj = nn.Linear(features, features, bias, device=device)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[1:3]
        x = F.pad(x, (0, 0, 0, -width % self.window[1], 0, -height % self.window[0]))
        padded = (x.shape[1], x.shape[2])
        down, across = (s if w < n else 0 for s, w, n in zip(self.shift, self.window, padded))
        windows = cut(x.roll((-down, -across), (1, 2)), self.window)
        found = join(self.proj(self._attended(windows, self._bias(padded, down, across))), self.window)
        return found.roll((down, across), (1, 2))[:, :height, :width]

    def _attended(self, windows: Tensor, bias: Tensor) -> Tensor:
        """``softmax(Q K^T / sqrt(d) + bias) V`` for each head of width d, the heads side by side in the features."""
        query, key, value = (t.transpose(-3, -2) for t in unflatten(self.qkv(windows), -1, (3, self.heads, -1)).unbind(-3))
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1) + bias
        shares = F.dropout(scores.softmax(-1), self.dropout, self.training)
        return (shares @ value).transpose(-3, -2).flatten(-2)

    def _bias(self, padded: Pair, down: int, across: int) -> Tensor:
        """What is added to the scores: ``heads x places x places``, and where the map was shifted that for each window."""
        places = self.window[0] * self.window[1]
        bias = self.relative_position_bias_table[self.relative_position_index].view(places, places, -1).permute(2, 0, 1)
        if not (down or across):
            return bias
        rows = torch.arange(padded[0], device=bias.device) >= padded[0] - down
        columns = torch.arange(padded[1], device=bias.device) >= padded[1] - across
        parts = cut((2 * rows[:, None] + columns).view(1, *padded, 1), self.window)[0]
        return bias + _FAR * (parts != parts.transpose(-2, -1)).unsqueeze(2)

    def extra_repr(self) -> str:
        return f"heads={self.heads}, window={self.window}, shift={self.shift}"


def _index(window: Pair) -> Tensor:
    """The row of the table for each pair of places: by how far the second is above the first, then by how far it is to the left."""
    place = torch.arange(window[0] * window[1])
    rows, columns = place // window[1], place % window[1]
    above = rows[:, None] - rows + window[0] - 1
    left = columns[:, None] - columns + window[1] - 1
    return (above * (2 * window[1] - 1) + left).flatten()


MODULES: Final = (WindowPartition, WindowMerge, Roll, WindowAttention)
