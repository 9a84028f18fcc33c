"""Nets that learn something else than one class of one picture, and data for them: heads, masks, labels, numbers, pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netspec.compiler import load
from netspec.graph import Graph

HEADS = """
net Heads(classes = 3) {{
    image: input(1x8x8)
    preprocess {{ scale(1/255) }}
    body: {{ conv(4, 3, padding=1) -> tanh -> maxpool(2) -> flatten -> linear(12) -> tanh }}
    body -> kind: linear(classes)
    body -> place: linear(2)
    output(kind, place)
}}

train {{
    batch = 8
    {train}
}}
"""
"""A class and two numbers."""

HEADS_TRAIN = """
    epochs = 2
    loss { kind = cross_entropy(label_smoothing=0.1), place = huber(delta=0.2) }
    loss_weights { kind = 0.5, place = 2 }
    metrics { kind = [accuracy, f1], place = [mae, rmse] }
    optimizer = sgd(lr=0.1, momentum=0.9)
    schedule = constant
    keep = best(val.place.mae)
    seed = 4
"""

MASKS = """
net Masks {{
    image: input(1x12x12)
    {augment}
    preprocess {{ scale(1/255) }}
    conv(4, 3, padding=1) -> tanh -> mask: conv({channels}, 1)
}}

train {{
    batch = 8
    {train}
}}
"""

PAIRS = """
shared block encoder { conv(3, 3) -> tanh -> flatten -> linear(6) }

net Pairs {
    left: input(1x8x8)
    preprocess { scale(1/255) }
    one: encoder

    right: input(1x8x8)
    preprocess { scale(1/255) }
    encoder -> same: distance(one, l2)
}

data { target same = pairs }

train {
    loss = contrastive
    metrics = [accuracy, auc]
    optimizer = adam(lr=0.01)
    batch = 8
    epochs = 2
    TRAIN
}
"""

VECTOR = """
net Vector {{
    image: input(1x8x8)
    preprocess {{ scale(1/255) }}
    flatten -> linear(8) -> tanh -> linear({outputs})
}}

train {{
    batch = 8
    epochs = 2
    {train}
}}
"""
"""One output that is a vector."""

Arrays = dict[str, NDArray[np.generic]]


def net(folder: Path, text: str) -> Graph:
    """The net of a text."""
    path = folder / "several.net"
    path.write_text(text, "utf-8")
    return load(path)


def heads(folder: Path, train: str = HEADS_TRAIN) -> Graph:
    return net(folder, HEADS.format(train=train))


def masks(folder: Path, train: str, channels: int = 3, augment: str = "") -> Graph:
    return net(folder, MASKS.format(train=train, channels=channels, augment=augment))


def pairs(folder: Path, train: str = "") -> Graph:
    return net(folder, PAIRS.replace("TRAIN", train))


def vector(folder: Path, outputs: int, train: str) -> Graph:
    return net(folder, VECTOR.format(outputs=outputs, train=train))


def _written(path: Path, parts: Arrays) -> Path:
    np.savez(path, **parts)  # type: ignore[arg-type]
    return path


def bright(count: int, size: int, generator: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Dark pictures with a bright square of 3 by 3, and its upper left corner."""
    pixels = generator.integers(0, 90, (count, size, size)).astype(np.uint8)
    corners = generator.integers(0, size - 2, (count, 2))
    for picture, (row, column) in zip(pixels, corners, strict=True):
        picture[row : row + 3, column : column + 3] += 150
    return pixels, corners


def heads_data(folder: Path, train: int = 25, val: int = 6, test: int = 0) -> Path:
    """The class is the third of the picture that the square begins in; the numbers are where it begins."""
    generator, parts = np.random.default_rng(0), Arrays()
    for split, count in (("train", train), ("val", val), ("test", test)):
        if count:
            pixels, corners = bright(count, 8, generator)
            parts |= {f"x_{split}": pixels, f"place_{split}": (corners / 5).astype(np.float32), f"kind_{split}": corners[:, 0] // 2}
    return _written(folder / "heads.npz", parts | {"classes_kind": np.array(["top", "middle", "bottom"])})


def mask_data(folder: Path, train: int = 25, val: int = 6, test: int = 0, classes: int = 3) -> Path:
    """The square is of class 1, or of the last class where it begins in the right half; a few pixels of each mask do not count."""
    generator, parts = np.random.default_rng(1), Arrays()
    for split, count in (("train", train), ("val", val), ("test", test)):
        if count:
            pixels, corners = bright(count, 12, generator)
            found = np.where(pixels >= 150, np.where(corners[:, 1] < 5, 1, classes - 1)[:, None, None], 0).astype(np.uint8)
            found[:, :2, 0] = 255
            found[:, 11, 11] = 1
            parts |= {f"x_{split}": pixels, f"y_{split}": found}
    return _written(folder / "masks.npz", parts)


def pair_data(folder: Path, train: int = 25, val: int = 6, test: int = 0) -> Path:
    """Pictures of three classes, one labelled set: pairs are drawn from it."""
    generator, parts = np.random.default_rng(2), Arrays()
    for split, count in (("train", train), ("val", val), ("test", test)):
        if count:
            labels = np.arange(count) % 3
            pixels = generator.integers(0, 90, (count, 8, 8)).astype(np.uint8)
            pixels[np.arange(count)[:, None], :, 2 * labels[:, None]] += 120
            parts |= {f"x_{split}": pixels, f"y_{split}": labels}
    return _written(folder / "pairs.npz", parts)


def vector_data(folder: Path, target: str, train: int = 25, val: int = 6, test: int = 0) -> Path:
    """Pictures like those of the heads. The target ``labels`` says whether the square is high, left, and neither; ``numbers`` where it
    begins."""
    generator, parts = np.random.default_rng(3), Arrays()
    for split, count in (("train", train), ("val", val), ("test", test)):
        if count:
            pixels, corners = bright(count, 8, generator)
            high, left = (corners < 3).T
            flags = np.stack([high, left, ~(high | left)], 1).astype(np.uint8)
            parts |= {f"x_{split}": pixels, f"y_{split}": flags if target == "labels" else (corners / 5).astype(np.float32)}
    return _written(folder / "vector.npz", parts)
