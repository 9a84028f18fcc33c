"""Photographs of many sizes, and what a net with a random resized crop asks of them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from netspec.augment.cutting import Cutting
from netspec.compiler import compile_source
from netspec.source import Source

SIZES: Final = ((24, 40), (61, 43), (16, 16), (30, 90), (9, 50), (100, 70), (200, 150), (23, 17))
"""Heights and widths: around twice the 16 x 24 of the net, below it, above it, and long ones."""
REGIONS: Final = (
    "random_resized_crop",
    "flip(direction=both) -> random_resized_crop -> alternating_flip",
    "random_resized_crop(scale=[0.02, 0.1]) -> flip",
    "random_resized_crop(scale=[0.9, 1])",
)


def smooth(seed: int, size: tuple[int, int], channels: int = 3) -> Image.Image:
    """Slow waves, so that JPEG and resampling lose little of it."""
    draws = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : size[0] * 1j, 0 : 1 : size[1] * 1j]
    waves = [np.sin(6 * draws.random() * x + 5 * draws.random() * y + 6 * draws.random()) for _ in range(channels)]
    values = (127.5 + 120 * np.stack(waves, -1)).astype(np.uint8)
    return Image.fromarray(values[:, :, 0] if channels == 1 else values)


def write_photos(folder: Path, count: int = len(SIZES), sizes: tuple[tuple[int, int], ...] = SIZES) -> list[Path]:
    """JPEG and PNG in turns, every third JPEG lying on its side by its EXIF data."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number in range(count):
        picture = smooth(number, sizes[number % len(sizes)])
        files.append(folder / f"{number:03}.{'jpg' if number % 2 else 'png'}")
        exif = Image.Exif()
        if number % 6 == 1:
            exif[0x0112] = 6
        picture.save(files[-1], exif=exif, **({"quality": 95} if number % 2 else {}))
    return files


def cutting(region: str, size: str = "3x16x24", seed: int = 0) -> Cutting:
    text = f"net A {{\n    image: input({size})\n    augment {{ {region} }}\n    flatten -> linear(2)\n}}\n"
    return Cutting.of(compile_source(Source("a.net", text))[0], seed)["image"]
