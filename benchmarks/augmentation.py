"""Row 11: augmentation of a batch, against torchvision a picture at a time."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import torch

from netspec.augment import Augmenter
from netspec.compiler import compile_source
from netspec.source import Source

BATCH = 64
_REGION = "flip -> rotate(0.1) -> zoom(0.2) -> shift(0.1) -> contrast(0.2)"


PEERS = ("torchvision v2, a step at a time", "torchvision v2, with rotate, zoom and shift as one RandomAffine")


def sides(size: int, against: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """Ours on a batch of bytes, `64 x 3 x size x size`, and the same steps of torchvision's version 2 on each picture of it."""
    text = f"net A {{\n image: input(3x{size}x{size})\n augment {{ {_REGION} }}\n global_avgpool -> flatten -> linear(2) }}"
    augmenter = Augmenter.of(compile_source(Source("a.net", text))[0], 0)["image"]
    pixels = torch.randint(0, 256, (BATCH, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    numbers, peer = torch.arange(BATCH), _torchvision(joined=against == PEERS[1])
    return lambda: augmenter(pixels, numbers, 0), lambda: torch.stack([peer(picture) for picture in pixels])


def _torchvision(joined: bool) -> Callable[[torch.Tensor], torch.Tensor]:
    from tests.zoo.peer import transforms

    v2, bilinear = import_module("torchvision.transforms.v2"), transforms.InterpolationMode.BILINEAR
    apart = (
        v2.RandomRotation(36, bilinear),
        v2.RandomAffine(0, scale=(0.8, 1.2), interpolation=bilinear),
        v2.RandomAffine(0, translate=(0.1, 0.1), interpolation=bilinear),
    )
    one = (v2.RandomAffine(36, translate=(0.1, 0.1), scale=(0.8, 1.2), interpolation=bilinear),)
    made: Callable[[torch.Tensor], torch.Tensor] = v2.Compose(
        [v2.RandomHorizontalFlip(), *(one if joined else apart), v2.ColorJitter(contrast=0.2)]
    )
    return made
