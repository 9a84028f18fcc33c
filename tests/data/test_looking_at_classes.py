"""What a look at data tells of classes: of pixels, of pairs, and of those that a split drawn by shares has not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from netspec.cli.main import run
from netspec.data import Division, open_data, preflight
from netspec.data.task import Wanted, WantedInput, WantedTarget
from netspec.diagnostics import Exit, NetspecError
from netspec.values import Choice
from tests.data.pictures import RGB, task, write_folder
from tests.data.test_masks import WHOLE, Bytes, blocks, grey, wanted, write
from tests.data.test_preflight import told


def split_masks(root: Path, **masks: Mapping[str, Bytes]) -> Path:
    for split, some in masks.items():
        write(root / split, {f"{split}{stem}": grey(mask) for stem, mask in some.items()})
    return root


def test_pixels_are_counted_by_class_and_split(tmp_path: Path) -> None:
    root = split_masks(tmp_path, train={"a": blocks(0, 0, 1), "b": blocks(2, 255, 1)}, val={"a": blocks(0, 1, 2)})
    report = preflight(root, wanted(3))
    (counts,) = report.counts
    assert (counts.target, counts.of, counts.classes) == ("mask", "pixels", ("0", "1", "2"))
    assert counts.splits == {"train": (96, 96, 48), "val": (48, 48, 48)}
    assert told(report)["classes"] == ("fine", "3 of mask, as many as the net tells apart")
    assert not {"N740", "N865"} & {p.code for p in report.problems}


@pytest.mark.parametrize("values", [{0, 255}, {0, 1, 255}])
def test_of_black_and_white_the_white_counts(tmp_path: Path, values: set[int]) -> None:
    masks = [blocks(0, 255), blocks(0, 1 if 1 in values else 0)]
    files = write(tmp_path / "files", {str(n): grey(mask) for n, mask in enumerate(masks)})
    np.savez(tmp_path / "a.npz", x_train=np.zeros((2, 12, 12, 3), np.uint8), y_train=np.stack(masks))
    for data in (files, tmp_path / "a.npz"):
        (counts,) = open_data(data, wanted(1), division=WHOLE).report.counts
        assert counts.splits == {"test": (144, 72) if 1 in values else (216, 72)}


def test_masks_that_are_all_of_one_class(tmp_path: Path) -> None:
    root = split_masks(tmp_path, train={"a": blocks(0, 0), "b": blocks(0, 0)}, val={"a": blocks(255, 255)}, test={"a": blocks(0, 1)})
    said = [p.message() for p in preflight(root, wanted(2)).problems if p.code == "N865"]
    assert said == [
        "every pixel of mask in train (2 masks) is of one class, 0",
        "every pixel of mask in val (1 mask) counts for nothing",
    ]


def test_a_class_that_never_occurs_is_told_once(tmp_path: Path) -> None:
    root = split_masks(tmp_path, train={"a": blocks(0, 1, 3)}, val={"a": blocks(0, 1, 1)})
    (root / "classes.txt").write_text("sky\nroad\ncar\nperson\n")
    said = [p.message() for p in preflight(root, wanted(4)).problems if p.code == "N740"]
    assert said == ["train has no pixel of 1 of the 4 classes: car", "val has no pixel of 1 of the 4 classes: person"]


def test_check_shows_shares_of_pixels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cells.net").write_text("net Cells { image: input(3x12x12)\n conv(4, 3, padding=1) -> relu -> mask: conv(1, 1) }")
    root = split_masks(tmp_path / "data", train={"a": blocks(0, 0, 0, 1)}, val={"a": blocks(0, 1)})
    assert run(["check", str(tmp_path / "cells.net"), "--data", str(root)]) == Exit.FINE
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert {"mask (pixels) train val", "0 75.00% 50.00%", "1 25.00% 50.00%"} <= set(lines)


def test_pairs_are_counted_with_the_classes_of_their_images(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train/a": 4, "train/b": 2, "val/c": 2, "val/d": 1})
    inputs = tuple(WantedInput(name, RGB.shape, RGB) for name in ("left", "right"))
    ask = Wanted("Twins", inputs, (WantedTarget("same", "class", 1, source=Choice("pairs", {"share": 0.25})),))
    report = preflight(tmp_path, ask)
    (counts,) = report.counts
    assert (counts.of, counts.classes) == ("images", ("a", "b", "c", "d"))
    assert counts.splits == {"train": (4, 2, 0, 0), "val": (0, 0, 2, 1)}
    assert told(report)["pairs"] == ("fine", "6 in train and 3 in val, one for each image, 25% of one class")
    assert told(report)["classes"] == ("fine", "4 of the images")
    assert not report.warnings


def test_classes_that_shares_leave_out_of_a_split(tmp_path: Path) -> None:
    write_folder(tmp_path, {"rare": 2, "usual": 20})
    report = preflight(tmp_path, task(), Division((0.8, 0.1, 0.1), 0))
    (counts,) = report.counts
    lacking = {split for split, (rare, _) in counts.splits.items() if not rare}
    assert lacking
    assert "train" not in lacking
    said = [p for p in report.problems if p.code == "N740"]
    assert [p.message() for p in said] == [
        f"{split} has no sample of 1 of the 2 classes: rare" for split in counts.splits if split in lacking
    ]
    assert all("too few samples for a share" in (p.help() or "") for p in said)
    assert told(report)["classes"][0] == "warning"


def test_nothing_is_said_where_each_class_is_in_each_split(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 20, "b": 20})
    assert not preflight(tmp_path, task()).problems


@pytest.mark.parametrize(
    ("splits", "verdict", "words"),
    [
        (("train", "val", "test"), "fine", "train, val and test"),
        (("train", "val"), "fine", "train and val, and no test split"),
        (
            ("train", "test"),
            "note",
            "train and test, and no validation split: no epoch counts as best, and the last one's weights are used",
        ),
    ],
)
def test_which_splits_there_are(tmp_path: Path, splits: tuple[str, ...], verdict: str, words: str) -> None:
    for number, split in enumerate(splits):
        write_folder(tmp_path, {f"{split}/a": 1, f"{split}/b": 1}, first_seed=10 * number)
    assert told(preflight(tmp_path, task()))["splits"] == (verdict, words)


@pytest.mark.parametrize(("own", "place"), [(True, "test in {}"), (False, "{}")])
def test_wrong_classes_of_a_model_are_told_once_with_the_path(tmp_path: Path, own: bool, place: str) -> None:
    folders = ("train/", "val/", "test/") if own else ("",)
    for number, folder in enumerate(folders):
        write_folder(tmp_path, {f"{folder}a": 2, f"{folder}z": 2}, first_seed=10 * number)
    with pytest.raises(NetspecError) as caught:
        open_data(tmp_path, task(), division=WHOLE, only=("test",), classes={"output": ("a", "b")})
    (said,) = [d.message for d in caught.value.diagnostics if d.code == "N708"]
    assert said == f"the classes of {place.format(tmp_path)} are not those of the model: it lacks b and has z, which the model has not"
