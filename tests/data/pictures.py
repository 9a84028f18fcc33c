"""Small pictures and folders of them, made for tests."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from netspec.data import Wanted
from netspec.data.images.decode import ImageFormat
from netspec.data.task import WantedInput, WantedTarget

GREY = ImageFormat(1, 8, 8)
RGB = ImageFormat(3, 8, 8)


def task(outputs: int = 2, wanted: ImageFormat = RGB) -> Wanted:
    """A net of one image and one class."""
    return asked(WantedTarget("output", "class", outputs), wanted=wanted)


def asked(*targets: WantedTarget, wanted: ImageFormat = RGB) -> Wanted:
    """A net of one image and some targets."""
    return Wanted("Net", (WantedInput("image", wanted.shape, wanted),), targets)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    content = BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def noise(seed: int, size: int = 12, mode: str = "RGB") -> Image.Image:
    channels = len(mode)
    values = np.random.default_rng(seed).integers(0, 256, (size, size, channels), np.uint8)
    return Image.fromarray(values[:, :, 0] if channels == 1 else values)


def write_folder(root: Path, counts: Mapping[str, int], first_seed: int = 0) -> Path:
    """``{"train/cat": 3}``: three different PNG files in `root/train/cat`."""
    seed = first_seed
    for place, count in counts.items():
        folder = root / place
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (folder / f"{number}.png").write_bytes(encoded(noise(seed)))
            seed += 1
    return root
