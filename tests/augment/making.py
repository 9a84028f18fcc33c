"""Augmenters from the text of a region, and pictures with known patterns."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from netspec.augment import Augmenter
from netspec.compiler import compile_source
from netspec.graph import Graph
from netspec.source import Source


def compiled(region: str, size: str = "3x32x48") -> Graph:
    """A net with this region behind its input."""
    text = f"net A {{\n    image: input({size})\n    augment {{ {region} }}\n    flatten -> linear(2)\n}}\n"
    return compile_source(Source("a.net", text))[0]


def augmenter(region: str, size: str = "3x32x48", seed: int = 0) -> Augmenter:
    return Augmenter.of(compiled(region, size), seed)["image"]


def smooth(count: int, channels: int = 3, height: int = 32, width: int = 48, dtype: torch.dtype = torch.float32) -> Tensor:
    """Pictures of slow waves, each with others: between two pixels there is nothing to be missed."""
    generator = torch.Generator().manual_seed(7)
    y, x = torch.arange(height)[:, None] / 32, torch.arange(width)[None, :] / 32
    phases = torch.rand(count, channels, 3, 1, 1, generator=generator)
    waves = torch.sin(6.28 * (phases[:, :, 0] + 0.6 * x)) + torch.cos(6.28 * (phases[:, :, 1] + 0.5 * y + 0.3 * x * phases[:, :, 2]))
    return (127.5 + 50 * waves).to(dtype)


def noisy(count: int, channels: int = 3, height: int = 32, width: int = 48) -> Tensor:
    """Random bytes."""
    return torch.randint(0, 256, (count, channels, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))


def column(found: list[list[dict[str, Any]]], step: int, name: str) -> Tensor:
    """One figure of one step over many pictures."""
    return torch.tensor([picture[step][name] for picture in found], dtype=torch.float64)


def figures(made: Augmenter, count: int, epoch: int = 0, shape: tuple[int, int, int] = (3, 32, 48)) -> list[list[dict[str, Any]]]:
    """The figures of the first pictures in an epoch."""
    drawn = made.draw(torch.arange(count), epoch, shape)
    return [drawn.figures(i) for i in range(count)]
