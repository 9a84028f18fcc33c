"""Going on where values of a frozen part are kept, and where data is read anew in each epoch: as if never broken off, bit for bit.

However many threads decode, and wherever pictures lie meanwhile, in memory, in the cache's file or in their own files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from PIL import Image

from netspec.data.samples import Column, MappedColumn, MemoryColumn, ReadColumn
from netspec.graph import Graph
from netspec.training import Interrupted, train
from netspec.training.features.costs import Where
from tests.data.photos import write_photos
from tests.data.pictures import noise
from tests.training.nets import write_data
from tests.training.several import PAIRS, mask_data, net
from tests.training.swift import Places, places, undrawn
from tests.training.test_kept_values import PICTURES, outcome, written
from tests.training.test_resume_settings import asked, left

__all__ = ["places", "undrawn"]
pytestmark = pytest.mark.usefixtures("undrawn")

STAGES = """
    ema = 0.9
    schedule = cosine
    batch = 12
    keep = best(val.loss)
    warm { epochs = 2, freeze = "base" }
    fine { epochs = 1, unfreeze = "base.high", optimizer = adam(lr=0.001), accumulate = 2 }
    all  { epochs = 1, unfreeze = "base" }
"""
KEPT: Final[dict[str, tuple[Where, str, str]]] = {
    "in memory": ("memory", "", STAGES),
    "on disk, in bf16": ("disk", "", STAGES.replace("cosine", "constant\n    precision = bf16")),
    "mirrored, in memory": ("memory", "alternating_flip", STAGES),
    "mirrored, on disk": ("disk", "flip", STAGES.replace("ema = 0.9", "clip = 0.5")),
}


def after_any_step(folder: Path, monkeypatch: pytest.MonkeyPatch, net: Graph, data: Path, expected: dict[str, str]) -> None:
    """A run broken off after each step of the optimiser, and gone on with, leaves what one leaves that never was."""
    with asked(monkeypatch, None) as steps:
        train(net, data, out=folder / "whole", device="cpu")
    assert outcome(folder / "whole") == expected
    assert steps[0] == 7
    for at in range(1, steps[0] + 1):
        out = folder / f"run{at}"
        with asked(monkeypatch, at), pytest.raises(Interrupted):
            train(net, data, out=out, device="cpu")
        train(net, data, out=out, resume=True, device="cpu")
        assert left(out) == left(folder / "whole"), f"interrupted after step {at} of {steps[0]}"


@pytest.mark.parametrize("name", KEPT)
def test_stages_whose_values_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: Places, name: str) -> None:
    where, augment, text = KEPT[name]
    model, data = written(tmp_path, text, augment), write_data(tmp_path, train=24, val=12, test=0)
    places("no")
    train(model, data, out=tmp_path / "plain", device="cpu")
    places(where)
    after_any_step(tmp_path, monkeypatch, model, data, outcome(tmp_path / "plain"))


def test_what_was_decided_holds_for_the_rest_of_the_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: Places) -> None:
    """The machine is another when the run goes on: less memory, say. Later stages decide anew."""
    model, data = written(tmp_path, STAGES), write_data(tmp_path, train=24, val=12, test=0)
    places("memory")
    with asked(monkeypatch, 3), pytest.raises(Interrupted):
        train(model, data, out=tmp_path / "run", device="cpu")
    places("disk")
    record = train(model, data, out=tmp_path / "run", resume=True, device="cpu").record
    assert [stage.cached for stage in record.stages] == ["memory", "disk", "no"]


def test_a_file_of_kept_values_that_is_damaged_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: Places) -> None:
    model, data = written(tmp_path, STAGES), write_data(tmp_path, train=24, val=12, test=0)
    places("disk")
    train(model, data, out=tmp_path / "whole", device="cpu")
    for cut in (0, -9):
        out = tmp_path / f"run{cut}"
        with asked(monkeypatch, 3), pytest.raises(Interrupted):
            train(model, data, out=out, device="cpu")
        for path in (tmp_path / "cache/features").iterdir():
            path.write_bytes(path.read_bytes()[:cut])
        train(model, data, out=out, resume=True, device="cpu")
        assert left(out) == left(tmp_path / "whole")


CLASSES = """
net Photos {
    image: input(3x8x8)
    preprocess { scale(1/255) }
    augment { flip -> rotate(0.1) -> noise(5) }
    conv(4, 3) -> relu -> flatten -> dropout(0.2) -> linear(2)
}
data { split = [0.7, 0.3, 0], cache = off }
train { batch = 6, epochs = 2, optimizer = adam(lr=0.01), ema = 0.9, schedule = cosine }
"""
SMALL = ((12, 20), (30, 22), (8, 8), (15, 45), (5, 25), (100, 70))
FROZEN = """
net Photos {
    image: input(3x8x8)
    preprocess { scale(1/255) }
    augment { flip }
    base: frozen { conv(4, 3) -> relu }
    flatten -> dropout(0.2) -> linear(2)
}
data { split = [0.7, 0.3, 0] }
train { batch = 6, epochs = 2, optimizer = adam(lr=0.01) }
"""


def picture_folder(folder: Path) -> Path:
    for number in range(24):
        place = folder / "photos" / ("bright" if number % 2 else "dark")
        place.mkdir(parents=True, exist_ok=True)
        picture = noise(number, 8 + number % 3)
        picture.point(lambda value, by=number: value // 2 + 100 * (by % 2)).save(place / f"{number}.png")
    return folder / "photos"


def mask_folder(folder: Path) -> Path:
    """The masks of `mask_data` as files."""
    arrays = np.load(mask_data(folder, train=14, val=4))
    for split in ("train", "val"):
        for kind, name in (("x", "images"), ("y", "masks")):
            place = folder / "cells" / split / name
            place.mkdir(parents=True)
            for number, values in enumerate(arrays[f"{kind}_{split}"]):
                Image.fromarray(values).save(place / f"{number}.png")
    return folder / "cells"


def photo_folder(folder: Path) -> Path:
    """Photographs of many sizes, around that of the net and its double."""
    for number, name in enumerate(("smooth", "noisy")):
        files = write_photos(folder / "shots" / name, 12, SMALL)
        for place, file in enumerate(files if number else ()):
            noise(place, 9 + 2 * place).save(file)
    return folder / "shots"


READ: Final[dict[str, tuple[str, Callable[[Path], Path]]]] = {
    "classes": (CLASSES, picture_folder),
    "pairs": (
        PAIRS.replace("1x8x8", "3x8x8").replace("data {", "data { split = [0.7, 0.3, 0]\n cache = off\n").replace("TRAIN", ""),
        picture_folder,
    ),
    "masks": (
        PICTURES.replace("AUGMENT", "flip -> rotate(0.1)").replace(', freeze = "base"', "\n loss = dice(cross_entropy=1)")
        + "data { cache = off }",
        mask_folder,
    ),
    "kept": (FROZEN, picture_folder),
    "parts": (CLASSES.replace("flip -> rotate(0.1)", "flip -> random_resized_crop(scale=[0.2, 1]) -> rotate(0.1)"), photo_folder),
}
"""Data whose pictures do not stay in memory."""


def reading(monkeypatch: pytest.MonkeyPatch, threads: int) -> list[type[Column]]:
    """Pictures are decoded as they are needed, on so many threads; for 0, once, into memory. The list says what columns are made."""
    found: list[type[Column]] = []
    for kind in (ReadColumn, MemoryColumn, MappedColumn):
        noted(monkeypatch, kind, found)
    monkeypatch.setattr("netspec.data.opening.memory_budget", lambda: 10**9 if threads == 0 else 0)
    for module in ("images.loading", "samples", "cutting"):
        monkeypatch.setattr(f"netspec.data.{module}.workers", lambda: max(threads, 1))
    return found


def noted(monkeypatch: pytest.MonkeyPatch, kind: type[Column], found: list[type[Column]]) -> None:
    real = kind.__init__

    def made(self: Column, *arguments: object) -> None:
        found.append(kind)
        real(self, *arguments)

    monkeypatch.setattr(kind, "__init__", made)


@pytest.mark.parametrize("name", READ)
def test_any_number_of_threads_and_any_place_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: Places, name: str) -> None:
    text, write = READ[name]
    model, data = net(tmp_path, text), write(tmp_path)
    places("memory")
    ends = {}
    for threads in (0, 1, 2, 8):
        with monkeypatch.context() as patched:
            used = reading(patched, threads)
            train(model, data, out=tmp_path / f"run{threads}", device="cpu")
        if threads and name != "kept":
            assert ReadColumn in used
        elif threads == 0:
            assert ReadColumn not in used
        ends[threads] = left(tmp_path / f"run{threads}")
    assert ends[0] == ends[1] == ends[2] == ends[8]


@pytest.mark.parametrize("name", READ)
def test_read_anew_and_gone_on_with_after_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: Places, name: str) -> None:
    """Broken off while one thread or two read ahead, and gone on with by another number of them."""
    text, write = READ[name]
    model, data = net(tmp_path, text), write(tmp_path)
    places("disk")
    with asked(monkeypatch, None) as steps:
        train(model, data, out=tmp_path / "whole", device="cpu")
    for at in range(1, steps[0] + 1):
        out, threads = tmp_path / f"run{at}", at % 3
        with monkeypatch.context() as patched, asked(patched, at), pytest.raises(Interrupted):
            reading(patched, threads)
            train(model, data, out=out, device="cpu")
        with monkeypatch.context() as patched:
            reading(patched, (threads + 1) % 3)
            train(model, data, out=out, resume=True, device="cpu")
        assert left(out) == left(tmp_path / "whole"), f"interrupted after step {at} of {steps[0]}"
