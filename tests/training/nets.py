"""Small nets and data to train on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from netspec.compiler import load
from netspec.graph import Graph

NET = """
net Tiny(classes = 3) {{
    image: input(1x8x8)
    preprocess {{ scale(1/255) }}
    {body}
}}

train {{
    {train}
}}
"""

BODY = "conv(4, 3, padding=1) -> bn -> relu -> maxpool(2) -> flatten -> dropout(0.2) -> linear(classes)"
TRAIN = {"optimizer": "adam(lr=0.01)", "schedule": "cosine(warmup=10%)", "epochs": "3", "batch": "8"}


def write_spec(folder: Path, body: str = BODY, **train: str) -> Path:
    path = folder / "tiny.net"
    settings = "\n    ".join(f"{key} = {value}" for key, value in (TRAIN | train).items())
    path.write_text(NET.format(body=body, train=settings), "utf-8")
    return path


def graph(folder: Path, body: str = BODY, *, settings: Mapping[str, str] | None = None, **train: str) -> Graph:
    """The net compiled; ``settings`` are as after ``--set``."""
    return load(write_spec(folder, body, **train), settings=settings or {})


def write_data(folder: Path, classes: int = 3, train: int = 41, val: int = 12, test: int = 12, seed: int = 0) -> Path:
    """Pictures with a bright column for each class, and noise: easy, but not at once."""
    generator = np.random.default_rng(seed)

    def some(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count) % classes
        pixels = generator.integers(0, 90, (count, 8, 8))
        pixels[np.arange(count)[:, None], :, 2 * labels[:, None]] += 120
        return pixels.astype(np.uint8), labels

    parts = {}
    for split, count in (("train", train), ("val", val), ("test", test)):
        if count:
            parts[f"x_{split}"], parts[f"y_{split}"] = some(count)
    path = folder / "data.npz"
    np.savez(path, **parts)
    return path
