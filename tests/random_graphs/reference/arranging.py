"""Tensors in another shape or order, and parts of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.random_graphs.reference import Weights, by_rank, dim_of, reference, spread


def _listed(value: Any) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


@reference
def flatten(w: Weights, x: Tensor, start: int, end: int) -> Tensor:
    return x.flatten(dim_of(x, start), dim_of(x, end))


@reference
def unflatten(w: Weights, x: Tensor, axis: int, shape: Any) -> Tensor:
    found: Tensor = torch.unflatten(x, dim_of(x, axis), _listed(shape))
    return found


@reference
def reshape(w: Weights, x: Tensor, shape: Any) -> Tensor:
    return x.reshape(x.shape[0], *_listed(shape))


@reference
def squeeze(w: Weights, x: Tensor, axis: int | None) -> Tensor:
    if axis is not None:
        return x.squeeze(dim_of(x, axis))
    return x.squeeze(tuple(range(2, x.dim())))


@reference
def unsqueeze(w: Weights, x: Tensor, axis: int) -> Tensor:
    return x.unsqueeze(dim_of(x.unsqueeze(-1), axis))


@reference
def permute(w: Weights, x: Tensor, axes: Any) -> Tensor:
    return x.permute(0, *(dim_of(x, a) for a in _listed(axes)))


@reference
def transpose(w: Weights, x: Tensor, first: int, second: int) -> Tensor:
    return x.transpose(dim_of(x, first), dim_of(x, second))


@reference
def chunk(w: Weights, x: Tensor, parts: int, index: int, axis: int) -> Tensor:
    return x.chunk(parts, dim_of(x, axis))[index]


@reference
def split(w: Weights, x: Tensor, sizes: Any, index: int, axis: int) -> Tensor:
    return torch.split_with_sizes(x, list(_listed(sizes)), dim_of(x, axis))[index]


@reference
def slice_(w: Weights, x: Tensor, start: int, stop: int | None, step: int, axis: int) -> Tensor:
    return x[(slice(None),) * dim_of(x, axis) + (slice(start, stop, step),)]


@reference
def channel_shuffle(w: Weights, x: Tensor, groups: int) -> Tensor:
    if x.dim() < 3:
        raise ValueError("channel_shuffle expects input with > 2 dims")
    return torch.unflatten(x, 1, (groups, -1)).transpose(1, 2).flatten(1, 2)


@reference
def pixel_shuffle(w: Weights, x: Tensor, factor: int) -> Tensor:
    return F.pixel_shuffle(_map(x), factor)


@reference
def pixel_unshuffle(w: Weights, x: Tensor, factor: int) -> Tensor:
    return F.pixel_unshuffle(_map(x), factor)


def _map(x: Tensor) -> Tensor:
    if x.dim() != 4:
        raise ValueError("what is no map has no pixels")
    return x


def _sides(value: Any, x: Tensor) -> list[int]:
    """Margins in PyTorch's order."""
    by_rank(x, 1, 2, 3)
    if isinstance(value, int) or len(value) == x.dim() - 2:
        return [n for axis in reversed(spread(value, x)) for n in (axis, axis)]
    if len(value) != 2 * (x.dim() - 2):
        raise ValueError("two margins for each axis")
    return list(value)


@reference
def pad(w: Weights, x: Tensor, sides: Any, mode: str, value: float) -> Tensor:
    if mode != "constant" and value:
        raise ValueError("this mode doesn't take in value argument")
    if mode in ("zeros", "constant"):
        return F.pad(x, _sides(sides, x), "constant", value if mode == "constant" else 0.0)
    return F.pad(x, _sides(sides, x), mode)


@reference
def crop(w: Weights, x: Tensor, size: Any, margins: Any) -> Tensor:
    if (size is None) == (margins is None):
        raise ValueError("either a size or margins")
    if size is not None:
        return _middle(x, spread(size, x))
    sides = _sides(margins, x)
    for axis in range(2, x.dim()):
        before, behind = sides[2 * (x.dim() - 1 - axis) :][:2]
        x = x.narrow(axis, before, x.shape[axis] - before - behind)
    return x


@reference
def crop_to(w: Weights, x: Tensor, other: Tensor) -> Tensor:
    if x.dim() != other.dim():
        raise ValueError("as many axes")
    return _middle(x, tuple(other.shape[2:]))


def _middle(x: Tensor, size: tuple[int, ...]) -> Tensor:
    by_rank(x, 1, 2, 3)
    for axis, n in enumerate(size, 2):
        x = x.narrow(axis, round((x.shape[axis] - n) / 2), n)
    return x


@reference
def upsample(w: Weights, x: Tensor, factor: Any, size: Any, mode: str, corners: bool) -> Tensor:
    if mode == "nearest":
        return F.interpolate(x, _maybe(size, x), _maybe(factor, x), align_corners=corners or None)
    linear = by_rank(x, "linear", "bilinear", "trilinear")
    return F.interpolate(x, _maybe(size, x), _maybe(factor, x), linear if mode == "bilinear" else mode, align_corners=corners)


def _maybe(value: Any, x: Tensor) -> Any:
    return None if value is None else spread(value, x)


@reference
def resize_to(w: Weights, x: Tensor, other: Tensor, mode: str, corners: bool) -> Tensor:
    if x.dim() != other.dim():
        raise ValueError("as many axes")
    return upsample(w, x, None, tuple(other.shape[2:]), mode, corners)


@reference
def resize(w: Weights, x: Tensor, size: Any, mode: str, antialias: bool, fit: str) -> Tensor:
    wanted = spread(size, _map(x))
    if not all(isinstance(n, int) and n > 0 for n in wanted):
        raise ValueError("sizes are whole numbers above 0")
    if fit != "stretch":
        sides = [[n * wanted[i] // x.shape[i + 2] for i in range(2)] for n in x.shape[2:]]
        wanted = tuple({"shorter": max, "longer": min}[fit](s) for s in sides)
        wanted = tuple(max(n, 1) for n in wanted)
    if mode == "nearest":
        return F.interpolate(x, wanted)
    if wanted[1] == 1 and antialias:  # PyTorch's antialiasing is wrong for a width of 1, and right for a height of 1
        return F.interpolate(x.mT, wanted[::-1], mode=mode, align_corners=False, antialias=True).mT
    return F.interpolate(x, wanted, mode=mode, align_corners=False, antialias=antialias)


@reference
def reduce_mean(w: Weights, x: Tensor, axis: Any, keep: bool) -> Tensor:
    return x.mean(tuple(dim_of(x, a) for a in _listed(axis)), keepdim=keep)


@reference
def reduce_sum(w: Weights, x: Tensor, axis: Any, keep: bool) -> Tensor:
    return x.sum(tuple(dim_of(x, a) for a in _listed(axis)), keepdim=keep)


@reference
def reduce_max(w: Weights, x: Tensor, axis: Any, keep: bool) -> Tensor:
    return x.amax(tuple(dim_of(x, a) for a in _listed(axis)), keepdim=keep)
