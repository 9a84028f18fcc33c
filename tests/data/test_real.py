"""Real data. ``NETSPEC_DATA`` names a folder with it; without it these tests are left out.

- ``fruit``: photographs of 14 kinds of fruit in train, val and test, of which val lacks three kinds
- ``traffic_lights``: red, yellow and green in train and test
- ``nuclei``: microscope pictures in images/, and which pixels are nuclei in masks/
- ``mnist.npz``, ``cifar10.npz``: arrays as they are usually given
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from netspec.data import Division, open_data
from netspec.data.images.decode import ImageFormat
from netspec.data.task import WantedTarget
from tests.data.pictures import asked

DATA = Path(os.environ.get("NETSPEC_DATA", "/nowhere"))
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="set NETSPEC_DATA to a folder with real data")
SMALL = ImageFormat(3, 32, 32)


def needed(name: str) -> Path:
    if not (DATA / name).exists():
        pytest.skip(f"there is no {name} in NETSPEC_DATA")
    return DATA / name


def test_fruit_of_which_val_lacks_three_kinds() -> None:
    root = needed("fruit")
    opened = open_data(root, asked(WantedTarget("kind", "class", 14), wanted=SMALL))
    kinds = tuple(sorted(p.name for p in (root / "train").iterdir()))
    assert opened.classes == {"kind": kinds}
    assert [w.code for w in opened.warnings] == ["N740"]
    assert "Anjou, Kaiser and Red_Delicious" in opened.warnings[0].message()
    for samples in opened.sets().values():
        named = [kinds[label] for label in samples.target("kind").tolist()]
        assert named == [Path(samples.name(i)).parent.name for i in range(len(samples))]
    assert opened.counts() == {"train": 675, "val": 57, "test": 661}


def test_traffic_lights_are_unbalanced() -> None:
    opened = open_data(needed("traffic_lights"), asked(WantedTarget("light", "class", 3), wanted=SMALL))
    assert opened.classes == {"light": ("green", "red", "yellow")}
    assert {w.code for w in opened.warnings} == {"N793", "N794"}


def test_nuclei() -> None:
    root = needed("nuclei")
    opened = open_data(root, asked(WantedTarget("nuclei", "mask", 1, 64, 64), wanted=SMALL), division=Division((0.75, 0.25, 0.0)))
    assert sum(opened.counts().values()) == len(list((root / "images").iterdir()))
    assert opened.train is not None
    masks = opened.train.target("nuclei")
    assert set(masks.unique().tolist()) == {0, 1}
    for i in (0, 7):
        mask = np.asarray(Image.open(root / "masks" / (Path(opened.train.name(i)).stem + ".png")))
        assert np.array_equal(masks[i].numpy(), mask)


@pytest.mark.parametrize(("name", "form"), [("mnist.npz", ImageFormat(1, 28, 28)), ("cifar10.npz", SMALL)])
def test_arrays(name: str, form: ImageFormat) -> None:
    path = needed(name)
    opened = open_data(path, asked(WantedTarget("label", "class", 10), wanted=form))
    assert opened.test is not None
    with np.load(path) as raw:
        assert opened.test.target("label").tolist() == raw["y_test"].tolist()
        (batch,) = opened.test.batches(torch.tensor([17]), [(0, 1)])
        image = batch.inputs["image"][0].permute(1, 2, 0).numpy()
        assert np.array_equal(image.squeeze(), raw["x_test"][17])
