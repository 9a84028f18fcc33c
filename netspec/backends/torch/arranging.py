"""Tensors in another order or shape, in part, or reduced along axes. Axes count the batch, which is axis 0."""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

import torch
from torch import Tensor, nn


class Permute(nn.Module):
    """The axes in another order."""

    def __init__(self, dims: tuple[int, ...]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.dims)

    def extra_repr(self) -> str:
        return f"dims={self.dims}"


class Reshape(nn.Module):
    """All axes behind the batch in another shape, of which one size may be -1."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], *self.shape)

    def extra_repr(self) -> str:
        return f"shape={self.shape}"


class Squeeze(nn.Module):
    """Axes of 1 taken away."""

    def __init__(self, dims: tuple[int, ...]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        return x.squeeze(self.dims)

    def extra_repr(self) -> str:
        return f"dims={self.dims}"


class Unsqueeze(nn.Module):
    """An axis of 1 more."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return x.unsqueeze(self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Part(nn.Module):
    """A part of one axis."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor: ...

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in vars(self).items() if not name.startswith("_") and name != "training")


class Slice(Part):
    """From ``start`` to before ``stop``, as a slice of Python reads them."""

    def __init__(self, dim: int, start: int, stop: int | None, step: int) -> None:
        super().__init__(dim)
        self.start, self.stop, self.step = start, stop, step

    def forward(self, x: Tensor) -> Tensor:
        return x[(slice(None),) * self.dim + (slice(self.start, self.stop, self.step),)]


class Chunk(Part):
    """One of ``parts`` parts."""

    def __init__(self, dim: int, parts: int, index: int) -> None:
        super().__init__(dim)
        self.parts, self.index = parts, index

    def forward(self, x: Tensor) -> Tensor:
        return x.chunk(self.parts, self.dim)[self.index]


class Split(Part):
    """One of several parts of these sizes."""

    def __init__(self, dim: int, sizes: tuple[int, ...], index: int) -> None:
        super().__init__(dim)
        self.sizes, self.index = sizes, index

    def forward(self, x: Tensor) -> Tensor:
        return torch.split_with_sizes(x, self.sizes, self.dim)[self.index]


class Reduce(nn.Module):
    """The ``mean``, ``sum`` or ``max`` over axes."""

    def __init__(self, kind: str, dims: tuple[int, ...], keep: bool) -> None:
        super().__init__()
        self.kind, self.dims, self.keep = kind, dims, keep

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "max":
            return x.amax(self.dims, self.keep)
        return x.mean(self.dims, self.keep) if self.kind == "mean" else x.sum(self.dims, self.keep)

    def extra_repr(self) -> str:
        return f"{self.kind}, dims={self.dims}, keep={self.keep}"


MODULES: Final = (Permute, Reshape, Squeeze, Unsqueeze, Slice, Chunk, Split, Reduce)
