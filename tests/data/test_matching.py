"""Which image goes with which mask, and that nothing is left of folders that hold no pair is said and never a crash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netspec.cli.main import run
from netspec.data import Division, open_data, preflight
from netspec.data.task import Wanted, WantedInput, WantedTarget
from netspec.diagnostics import Exit, NetspecError
from tests.data.pictures import asked, encoded, noise, task, write_folder
from tests.data.test_masks import PICTURE, WHOLE, blocks, grey, masks_of, refused, wanted, write

SPEC = """net Cells { image: input(3x12x12)
  conv(4, 3, padding=1) -> relu -> mask: conv(1, 1) }
train { epochs = 1, batch = 4 }"""


def named(root: Path, images: str, masks: str, count: int = 3) -> Path:
    """Images and masks by patterns for their names, `{}` for the number; the mask of number n holds the class n in its upper half."""
    for folder, pattern in (("images", images), ("masks", masks)):
        for number in range(count):
            path = root / folder / pattern.format(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(noise(number)) if folder == "images" else grey(blocks(number, 0)))
    return root


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("{}.png", "{}_mask.png"), ("{}.jpg", "{}-mask.png"), ("{}.png", "mask_{}.png"), ("{}.png", "{}_seg.png"),
        ("{}.png", "{}_label.png"),
        ("{}.png", "{}_MASK.png"), ("{}.png", "Label-{}.png"), ("{}.png", "{}.mask.png"), ("ISIC_{}.png", "ISIC_{}_segmentation.png"),
        ("img_{}.png", "mask_{}.png"), ("{}_image.png", "{}_mask.png"), ("a/{}.png", "a/{}_mask.png"), ("{}.png", "{}.png"),
        ("x_mask{}.png", "x_mask{}_mask.png"),
    ],
)  # fmt: skip
def test_what_all_names_have_in_common_is_left_out(tmp_path: Path, images: str, masks: str) -> None:
    opened = open_data(named(tmp_path, images, masks), wanted(3), division=WHOLE)
    assert opened.test is not None
    files = [Path(opened.test.name(i)).relative_to(tmp_path / "images") for i in range(3)]
    assert [str(file) for file in files] == [images.format(n) for n in range(3)]
    for number, mask in enumerate(masks_of(opened.test)):
        assert np.array_equal(mask, blocks(number, 0))


def test_the_report_says_what_was_left_out(tmp_path: Path) -> None:
    report = preflight(named(tmp_path, "{}.png", "{}_mask.png"), wanted(3), WHOLE)
    assert report.layout == "images and masks in images, masks, by their names without _mask"


def test_names_that_go_together_as_they_are_come_first(tmp_path: Path) -> None:
    """`1_mask` is an image here, and its mask is called so too; an image 1 has no mask."""
    root = named(tmp_path, "{}_mask.png", "{}_mask.png")
    (root / "images/1.png").write_bytes(encoded(noise(9)))
    assert set(refused(root)) == {"N744"}


@pytest.mark.parametrize("masks", ["{}_mask_x.png", "m{}.png", "_mask{}.png"])
def test_no_pair_at_all_is_told_with_both_folders(tmp_path: Path, masks: str) -> None:
    said = refused(named(tmp_path, "{}.png", masks))
    assert set(said) == {"N797"}
    assert f"{tmp_path / 'images'} and {tmp_path / 'masks'} have no image with its mask" in said["N797"]
    assert f"{tmp_path / 'images'} holds 0, 1 and 2" in said["N797"]
    assert f"{tmp_path / 'masks'} holds {masks.format(0).removesuffix('.png')}" in said["N797"]


def test_a_word_that_only_some_names_have_is_none(tmp_path: Path) -> None:
    root = named(tmp_path, "{}.png", "{}_mask.png")
    (root / "masks/2_mask.png").rename(root / "masks/2_other.png")
    assert set(refused(root)) == {"N797"}


def test_no_pair_in_one_split_alone(tmp_path: Path) -> None:
    named(tmp_path / "train", "{}.png", "{}.png")
    named(tmp_path / "val", "{}.png", "m{}.png")
    said = refused(tmp_path)
    assert set(said) == {"N797"}
    assert str(tmp_path / "val/masks") in said["N797"]


def test_masks_without_images_and_images_without_masks(tmp_path: Path) -> None:
    for empty in ("images", "masks"):
        root = named(tmp_path / empty, "{}.png", "{}.png")
        for file in (root / empty).iterdir():
            file.unlink()
        assert set(refused(root)) == ({"N703"} if empty == "images" else {"N797"})


def test_a_split_without_masks_is_told_to_be_left_out(tmp_path: Path) -> None:
    named(tmp_path / "train", "{}.png", "{}_mask.png")
    (tmp_path / "test/images").mkdir(parents=True)
    opened = open_data(tmp_path, wanted(3))
    assert {w.code: w.message() for w in opened.warnings if w.code == "N720"} == {"N720": f"1 entry of {tmp_path} left out: test"}


def test_check_and_train_say_it_and_do_not_crash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cells.net").write_text(SPEC)
    named(tmp_path / "data", "{}.png", "m{}.png")
    for command in (["check"], ["train", "--out", str(tmp_path / "run")]):
        assert run([command[0], str(tmp_path / "cells.net"), "--data", str(tmp_path / "data"), *command[1:]]) == Exit.DATA
        assert "error[N797]" in capsys.readouterr().err


@pytest.mark.parametrize("split", ["train", "val"])
def test_arrays_without_a_row(tmp_path: Path, split: str) -> None:
    ask = Wanted("Net", (WantedInput("code", (4,), None),), (WantedTarget("age", "number", 1),))
    rows = {"train": 5, "val": 5} | {split: 0}
    arrays = {f"{name}_{s}": np.zeros((n, size), np.float32) for s, n in rows.items() for name, size in (("x", 4), ("y", 1))}
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(NetspecError) as caught:
        open_data(tmp_path / "a.npz", ask)
    assert [(d.code, d.message) for d in caught.value.diagnostics] == [("N798", f"{tmp_path / 'a.npz'} has no sample for {split}")]


@pytest.mark.parametrize("masks", ["{}.png", "{}_mask.png"])
@pytest.mark.parametrize("folder", ["", "train"])
@pytest.mark.parametrize("name", ["masks", "labels", "annotations"])
def test_a_net_of_classes_is_not_trained_on_masks(tmp_path: Path, masks: str, folder: str, name: str) -> None:
    root = named(tmp_path / folder, "{}.png", masks)
    (root / "masks").rename(root / name)
    with pytest.raises(NetspecError) as caught:
        open_data(tmp_path, task())
    (found,) = caught.value.diagnostics
    assert (found.code, found.problem.exit) == ("N866", Exit.DATA)
    assert found.message == f"images and {name} in {root} are images with their masks, not two classes: 3 names in both"


def test_classes_that_are_called_so_and_have_other_files(tmp_path: Path) -> None:
    """What decides is that the files go together; three folders are classes whatever they are called."""
    for number in range(4):
        for name in ("images", "masks"):
            path = tmp_path / "two" / name / f"{name}-of-a-museum-{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(noise(number)))
    write_folder(tmp_path / "three", {"images": 3, "masks": 3, "others": 3})
    assert open_data(tmp_path / "two", task(), division=WHOLE).classes == {"output": ("images", "masks")}
    assert len(open_data(tmp_path / "three", task(3), division=WHOLE).classes["output"]) == 3


@pytest.mark.parametrize(
    ("picture", "size", "fits"),
    [
        ((572, 572), (388, 388), False), ((64, 64), (62, 62), False), ((64, 64), (64, 64), True), ((64, 64), (16, 16), True),
        ((513, 513), (65, 65), True), ((225, 225), (28, 28), True), ((64, 48), (32, 24), True), ((64, 48), (32, 16), False),
        ((64, 64), (128, 128), True), ((64, 64), (96, 96), False), ((64, 64), (30, 30), False),
    ],
)  # fmt: skip
def test_a_map_that_is_a_part_of_its_picture_takes_no_files(
    tmp_path: Path, picture: tuple[int, int], size: tuple[int, int], fits: bool
) -> None:
    root = write(tmp_path, {"a": grey(blocks(0, 1)), "b": grey(blocks(1, 0))})
    form = type(PICTURE)(3, *picture)
    ask = asked(WantedTarget("mask", "mask", 1, *size), wanted=form)
    if fits:
        assert open_data(root, ask, division=WHOLE).counts() == {"test": 2}
    else:
        assert set(refused(root, ask)) == {"N799"}


def test_the_end_of_the_net_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cells.net").write_text(SPEC.replace(", padding=1", ""))
    named(tmp_path / "data", "{}.png", "{}.png", count=2)
    for command in (["check"], ["train", "--out", str(tmp_path / "run")]):
        assert run([command[0], str(tmp_path / "cells.net"), "--data", str(tmp_path / "data"), *command[1:]]) == Exit.DATA
        shown = capsys.readouterr().err
        assert "the map of mask is 10 x 10, which is not the 12 x 12 of image in another scale" in shown
        assert "cells.net:2:31" in shown


def test_arrays_may_hold_masks_that_are_cut(tmp_path: Path) -> None:
    masks = np.random.default_rng(0).integers(0, 2, (6, 10, 10), np.uint8)
    np.savez(tmp_path / "a.npz", x_train=np.zeros((6, 12, 12, 3), np.uint8), y_train=masks)
    ask = asked(WantedTarget("mask", "mask", 1, 10, 10), wanted=PICTURE)
    opened = open_data(tmp_path / "a.npz", ask, division=Division(whole=True))
    assert np.array_equal(np.stack(masks_of(opened.test)), masks)
