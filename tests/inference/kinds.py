"""A small run of every kind of output, and its ONNX file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from PIL import Image

from netspec.cli.main import run
from netspec.diagnostics import NetspecError
from netspec.graph import Graph
from netspec.training import train
from tests.data.pictures import encoded
from tests.training.several import (
    HEADS_TRAIN,
    bright,
    heads,
    heads_data,
    mask_data,
    masks,
    net,
    pair_data,
    pairs,
    vector,
    vector_data,
)

TAGS = """
net Tags {
    image: input(1x8x8)
    preprocess { scale(1/255) }
    flatten -> linear(12) -> tanh -> tags: linear(3)ENDING
}

data { target signs = column(marks) }

train {
    loss = binary_cross_entropy
    metrics = [f1, accuracy, auc]
    optimizer = adam(lr=0.02)
    epochs = 12
    batch = 8
    seed = 5
}
"""
"""Labels out of a column that is called neither as the output nor as the target."""

BOX = """
net Box {
    image: input(1x8x8)
    preprocess { scale(1/255) }
    flatten -> linear(12) -> tanh -> corner: linear(2)
}

data { target corner = column(row, left) }

train { loss = huber(delta=0.5)
        metrics = [mae, rmse]
        epochs = 2
        batch = 8 }
"""
BESIDE = """
net Beside {
    image: input(1x8x8)
    preprocess { scale(1/255) }
    flatten -> linear(6) -> seen: tanh

    facts: input(2)
    linear(4) -> tanh -> concat(seen) -> left: linear(1)
}

data { input facts = column(row, noise) }

train { loss = mse
        epochs = 2
        batch = 8 }
"""
"""A picture and two numbers."""


def pictures(folder: Path, count: int = 16, size: int = 8) -> Path:
    """A folder of pictures with a bright square each, and `rows.csv`, which says of each where that lies."""
    generator = np.random.default_rng(8)
    pixels, corners = bright(count, size, generator)
    (folder / "images" / "deep").mkdir(parents=True)
    lines = ["image,marks,row,left,noise,split"]
    for number, (picture, (row, left)) in enumerate(zip(pixels, corners, strict=True)):
        name = f"images/{'deep/' if number % 2 else ''}{number:02}.png"
        (folder / name).write_bytes(encoded(Image.fromarray(picture)))
        marks = "|".join(word for word, there in (("high", row < 3), ("left", left < 3), ("low", row >= 3)) if there)
        lines.append(f"{name},{marks},{row},{left},{generator.random():.3f},{'train' if number < 10 else 'val' if number < 13 else 'test'}")
    (folder / "rows.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder / "rows.csv"


def _of_table(text: str) -> Callable[[Path], tuple[Graph, Path]]:
    return lambda folder: (net(folder, text), pictures(folder))


CASES: Final[Mapping[str, Callable[[Path], tuple[Graph, Path]]]] = {
    "class": lambda f: (heads(f, HEADS_TRAIN), heads_data(f, test=6)),
    "labels": lambda f: (vector(f, 3, "loss = binary_cross_entropy\nmetrics = [f1, accuracy, auc]"), vector_data(f, "labels", test=6)),
    "labels of a table": _of_table(TAGS.replace("ENDING", "")),
    "labels that end in sigmoid": _of_table(TAGS.replace("ENDING", " -> sigmoid").replace("tags: linear(3)", "linear(3)")),
    "numbers": _of_table(BOX),
    "number of a sigmoid": lambda f: (
        net(f, vector(f, 2, "loss = mae").source.text.replace("linear(2)", "linear(2) -> sigmoid")), vector_data(f, "numbers", test=6)
    ),
    "picture and numbers": _of_table(BESIDE),
    "masks": lambda f: (masks(f, "loss = dice(cross_entropy=0.5)\nmetrics = [miou, accuracy]"), mask_data(f, test=6)),
    "masks of one channel": lambda f: (masks(f, "loss = focal", channels=1), mask_data(f, test=6, classes=2)),
    "pairs": lambda f: (pairs(f, "seed = 3"), pair_data(f, test=9)),
    "pairs with a margin": lambda f: (
        net(f, pairs(f).source.text.replace("contrastive", "contrastive(margin=3)").replace("= pairs", "= pairs(share=0.3)")),
        pair_data(f, test=9),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A run, its ONNX file, the data of both, and the net."""

    run: Path
    onnx: Path
    data: Path
    graph: Graph


def make(name: str, folder: Path) -> Made:
    """Train a case and export it by the command."""
    graph, data = CASES[name](folder)
    train(graph, data, out=folder / "run", device="cpu")
    assert run(["export", str(folder / "run"), "--onnx", "--out", str(folder / "net.onnx")]) == 0
    return Made(folder / "run", folder / "net.onnx", data, graph)


def images(folder: Path, size: tuple[int, int]) -> Path:
    """Pictures of noise in a folder and in one below it."""
    generator = np.random.default_rng(1)
    for name in ("a.png", "below/b.png", "below/c.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encoded(Image.fromarray(generator.integers(0, 256, size, dtype=np.uint8))))
    return folder


def refused(work: object, code: str) -> NetspecError:
    assert callable(work)
    with pytest.raises(NetspecError) as caught:
        work()
    assert [d.code for d in caught.value.diagnostics] == [code]
    return caught.value
