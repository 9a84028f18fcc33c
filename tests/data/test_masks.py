"""Folders of images and masks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from netspec.data import Division, Samples, Wanted, open_data
from netspec.data.images.decode import ImageFormat
from netspec.data.masks import decode_mask, resized
from netspec.data.task import WantedInput, WantedTarget
from netspec.diagnostics import Exit, NetspecError
from tests.data.pictures import asked, encoded, noise

Bytes = NDArray[np.uint8]
WHOLE = Division(whole=True)
PICTURE = ImageFormat(3, 12, 12)


def wanted(outputs: int = 3, size: int = 12) -> Wanted:
    return asked(WantedTarget("mask", "mask", outputs, size, size), wanted=PICTURE)


def blocks(*values: int, size: int = 12) -> Bytes:
    """A mask of stripes, one a value."""
    return np.repeat(np.array(values, np.uint8), size // len(values))[:, np.newaxis].repeat(size, 1)


def write(root: Path, masks: Mapping[str, bytes], images: str = "images", folder: str = "masks", size: int = 12) -> Path:
    """An image for each mask, in `images/` beside `masks/`."""
    for part in (images, folder):
        (root / part).mkdir(parents=True, exist_ok=True)
    for number, (stem, mask) in enumerate(masks.items()):
        (root / images / f"{stem}.jpg").write_bytes(encoded(noise(number, size), "JPEG"))
        (root / folder / f"{stem}.png").write_bytes(mask)
    return root


def grey(values: Bytes) -> bytes:
    return encoded(Image.fromarray(values))


def masks_of(samples: Samples | None) -> list[Bytes]:
    assert samples is not None
    return [row.numpy() for row in samples.target("mask")]


def refused(path: Path, ask: Wanted | None = None) -> dict[str, str]:
    """What is said, by code."""
    with pytest.raises(NetspecError) as caught:
        open_data(path, ask or wanted())
    assert caught.value.exit == Exit.DATA
    return {d.code: " ".join([d.message, *d.problem.notes()]) for d in caught.value.diagnostics}


@pytest.mark.parametrize("budget", [None, 0])
def test_images_and_masks_go_together_by_name(tmp_path: Path, budget: int | None) -> None:
    first, second = blocks(0, 1, 2), blocks(2, 255, 1)
    opened = open_data(write(tmp_path, {"a": grey(first), "b": grey(second)}), wanted(), division=WHOLE, budget=budget)
    assert opened.test is not None
    assert [opened.test.name(i) for i in range(2)] == [str(tmp_path / f"images/{stem}.jpg") for stem in "ab"]
    for found, made in zip(masks_of(opened.test), (first, second), strict=True):
        assert np.array_equal(found, made)
    assert opened.classes == {"mask": ("0", "1", "2")}
    (batch,) = opened.test.batches(torch.tensor([1, 0]), [(0, 2)])
    assert batch.inputs["image"].shape == (2, 3, 12, 12)
    assert batch.targets["mask"].dtype == torch.uint8
    assert np.array_equal(batch.targets["mask"][0].numpy(), second)


@pytest.mark.parametrize("name", ["mask", "labels", "annotations", "Masks"])
def test_folders_by_their_other_names(tmp_path: Path, name: str) -> None:
    opened = open_data(write(tmp_path, {"a": grey(blocks(0, 1))}, images="Image", folder=name), wanted(2), division=WHOLE)
    assert opened.counts() == {"test": 1}


def test_splits_inside_and_outside(tmp_path: Path) -> None:
    masks = {"a": grey(blocks(0, 1)), "b": grey(blocks(1, 0))}
    for split in ("train", "valid", "test"):
        write(tmp_path / "outside" / split, masks)
        write(tmp_path / "inside", masks, f"images/{split}", f"annotations/{split}")
    for layout in ("outside", "inside"):
        opened = open_data(tmp_path / layout, wanted(2))
        assert (opened.counts(), opened.own) == ({"train": 2, "val": 2, "test": 2}, True)


def test_classes_may_have_names(tmp_path: Path) -> None:
    root = write(tmp_path, {"a": grey(blocks(0, 1, 2))})
    (root / "classes.txt").write_text("sky\nroad\n car \n\n")
    assert open_data(root, wanted(), division=WHOLE).classes == {"mask": ("sky", "road", "car")}
    (root / "classes.txt").write_text("sky\nroad\n")
    assert set(refused(root)) == {"N710"}


def test_black_and_white_is_zero_and_one(tmp_path: Path) -> None:
    values = blocks(0, 255)
    one_bit = encoded(Image.fromarray(values).convert("1"))
    for kind, masks in {"grey": {"a": grey(values)}, "one bit": {"a": one_bit}, "both": {"a": grey(values), "b": one_bit}}.items():
        for budget in (None, 0):
            found = masks_of(open_data(write(tmp_path / kind, masks), wanted(1), division=WHOLE, budget=budget).test)
            assert all(np.array_equal(mask, blocks(0, 1)) for mask in found)


def test_where_a_mask_has_ones_255_counts_for_nothing(tmp_path: Path) -> None:
    masks = {"a": grey(blocks(0, 255)), "b": grey(blocks(0, 1))}
    first, _ = masks_of(open_data(write(tmp_path, masks), wanted(1), division=WHOLE).test)
    assert np.array_equal(first, blocks(0, 255))


@pytest.mark.parametrize("kind", ["files", "arrays"])
@pytest.mark.parametrize("ones", [True, False])
def test_what_255_means_is_for_all_splits_to_say(tmp_path: Path, kind: str, ones: bool) -> None:
    """Of a split without a single 1 too, which is read alone when a model is measured."""
    masks = {"train": blocks(0, 1 if ones else 255, 0), "test": blocks(0, 255, 0)}
    if kind == "files":
        for split, mask in masks.items():
            write(tmp_path / split, {"a": grey(mask), "b": grey(mask)})
        (tmp_path / "train/masks/b.png").write_bytes(b"no image")
    else:
        np.savez(tmp_path / "all.npz", **{f"y_{split}": np.stack([m, m]) for split, m in masks.items()},
                 **{f"x_{split}": np.zeros((2, 12, 12, 3), np.uint8) for split in masks})  # fmt: skip
    opened = open_data(tmp_path if kind == "files" else tmp_path / "all.npz", wanted(1), only=("test",))
    for found in masks_of(opened.test):
        assert np.array_equal(found, blocks(0, 255 if ones else 1, 0))


def test_indices_of_a_palette_are_the_classes(tmp_path: Path) -> None:
    image = Image.fromarray(blocks(0, 1, 2))
    indexed = Image.new("P", image.size)
    indexed.putdata(list(image.tobytes()))
    indexed.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    assert np.array_equal(decode_mask(encoded(indexed)), blocks(0, 1, 2))


def test_three_equal_channels_are_grey() -> None:
    values = blocks(0, 1, 2)
    assert np.array_equal(decode_mask(encoded(Image.fromarray(np.stack([values] * 3, 2)))), values)


@pytest.mark.parametrize(("height", "width"), [(6, 6), (24, 24), (5, 7), (12, 30)])
def test_masks_are_resized_to_the_nearest_pixel(height: int, width: int) -> None:
    """Held against the rule written out: the pixel under the centre of each new one."""
    mask = np.random.default_rng(0).integers(0, 3, (12, 12), np.uint8)
    rows = ((np.arange(height) + 0.5) * 12 / height).astype(int)
    columns = ((np.arange(width) + 0.5) * 12 / width).astype(int)
    assert np.array_equal(resized(mask, height, width), mask[rows][:, columns])


def test_all_that_is_wrong_is_said_by_name(tmp_path: Path) -> None:
    root = write(tmp_path, {"good": grey(blocks(0, 1, 2)), "high": grey(blocks(0, 1, 7)), "small": grey(blocks(0, 1, 2, size=6))})
    write(root, {"cut": grey(blocks(0, 1))[:50], "coloured": encoded(noise(8)), "lossy": encoded(noise(9, mode="L"), "JPEG")})
    (root / "images" / "lonely.jpg").write_bytes(encoded(noise(10)))
    (root / "masks" / "alone.png").write_bytes(grey(blocks(0, 1)))
    (root / "images" / "good.png").write_bytes(encoded(noise(11)))
    (root / "images" / "broken.jpg").write_bytes(b"")
    (root / "masks" / "broken.png").write_bytes(grey(blocks(0, 1)))
    said = refused(root)
    assert set(said) == {"N742", "N744", "N745", "N746", "N711"}
    for name, words in {
        "masks/high.png": "it has the value 7, and there are 3 classes",
        "masks/small.png": "it is 6 x 6, and its image small.jpg is 12 x 12",
        "masks/cut.png": "it is damaged",
        "masks/coloured.png": "it has colours",
        "masks/lossy.png": "it is a JPEG",
    }.items():
        assert f"{root / name}: {words}" in said["N742"]
    assert "lonely" in said["N744"]
    assert "masks/alone.png" in said["N745"]
    assert "images/good.jpg and images/good.png" in said["N746"]
    assert "images/broken.jpg" in said["N711"]


def test_an_image_that_is_turned_has_a_mask_as_it_stands(tmp_path: Path) -> None:
    root = write(tmp_path, {"a": grey(np.zeros((8, 12), np.uint8))})
    exif = Image.Exif()
    exif[0x0112] = 6
    (root / "images" / "a.jpg").write_bytes(encoded(noise(1).resize((8, 12)), "JPEG", exif=exif))
    assert open_data(root, wanted(2), division=WHOLE).counts() == {"test": 1}


def test_a_folder_of_classes_is_none_of_masks(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    assert "has no folders images and masks: it holds cat" in refused(tmp_path)["N747"]


def test_several_masks_have_folders_of_their_names(tmp_path: Path) -> None:
    root = write(tmp_path, {"a": grey(blocks(0, 1))}, folder="cells")
    write(root, {"a": grey(blocks(2, 1, 0))}, folder="tissue")
    ask = asked(WantedTarget("cells", "mask", 1, 12, 12), WantedTarget("tissue", "mask", 3, 12, 12), wanted=PICTURE)
    opened = open_data(root, ask, division=WHOLE)
    assert opened.test is not None
    assert np.array_equal(opened.test.target("tissue")[0].numpy(), blocks(2, 1, 0))


@pytest.mark.parametrize("values", [{0, 1}, {0, 255}, {0, 1, 255}])
def test_masks_in_arrays_mean_the_same(tmp_path: Path, values: set[int]) -> None:
    masks = np.random.default_rng(0).choice(sorted(values), (6, 12, 12)).astype(np.uint8)
    np.savez(tmp_path / "a.npz", x_train=np.zeros((6, 12, 12, 3), np.uint8), y_train=masks)
    opened = open_data(tmp_path / "a.npz", wanted(1), division=WHOLE)
    assert opened.test is not None
    expected = masks if 1 in values else masks // 255
    assert np.array_equal(opened.test.target("mask").numpy(), expected)


def test_masks_without_images_do_not_fit_a_folder(tmp_path: Path) -> None:
    ask = Wanted("Net", (WantedInput("code", (4,), None),), (WantedTarget("mask", "mask", 1, 12, 12),))
    assert set(refused(write(tmp_path, {"a": grey(blocks(0, 1))}), ask)) == {"N791"}
