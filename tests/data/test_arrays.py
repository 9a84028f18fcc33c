"""Images in an ``.npz``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from netspec.data import Division, Wanted, open_data
from netspec.data.images.decode import ImageFormat
from netspec.data.samples import MemoryColumn, Samples
from netspec.data.task import WantedInput, WantedTarget
from netspec.diagnostics import Exit, NetspecError
from netspec.values import Choice
from tests.conftest import ROOT
from tests.data.pictures import asked, task

MNIST = ROOT / "examples" / "mnist" / "mnist.npz"
SMALL = ImageFormat(3, 4, 5)


def arrays(**changes: Any) -> dict[str, Any]:
    x = np.arange(6 * 3 * 4 * 5, dtype=np.uint8).reshape(6, 3, 4, 5)
    found = {"x_train": x, "y_train": np.array([0, 1, 0, 1, 0, 1]), "x_test": x[:2], "y_test": np.array([1, 0])} | changes
    return {name: value for name, value in found.items() if value is not None}


def saved(path: Path, **changes: Any) -> Path:
    np.savez_compressed(path / "data.npz", **arrays(**changes))
    return path / "data.npz"


def pixels(samples: Samples | None) -> torch.Tensor:
    """All images, which are in memory."""
    assert samples is not None
    column = samples.inputs["image"]
    assert isinstance(column, MemoryColumn)
    return column.values


def refused(path: Path) -> tuple[str, str]:
    with pytest.raises(NetspecError) as caught:
        open_data(path, task(2, SMALL))
    (found,) = [d for d in caught.value.diagnostics if d.is_error]
    assert caught.value.exit == Exit.DATA
    return found.code, found.message


def test_mnist() -> None:
    opened = open_data(MNIST, task(10, ImageFormat(1, 28, 28)))
    assert opened.counts() == {"train": 60_000, "test": 10_000}
    assert opened.val is None
    assert opened.classes == {"output": tuple("0123456789")}
    assert pixels(opened.test).shape == (10_000, 1, 28, 28)
    assert opened.test is not None
    assert opened.test.target("output")[:5].tolist() == [7, 2, 1, 0, 4]
    assert opened.test.name(17) == "x_test[17]"


def test_forms_are_told_apart(tmp_path: Path) -> None:
    first = arrays()["x_train"]
    channels_last = saved(tmp_path, x_train=first.transpose(0, 2, 3, 1), classes=np.array(["no", "yes"]))
    opened = open_data(channels_last, task(2, SMALL))
    assert opened.classes == {"output": ("no", "yes")}
    assert torch.equal(pixels(opened.train), torch.from_numpy(first))


def test_without_splits_it_is_divided(tmp_path: Path) -> None:
    path = saved(tmp_path, x_test=None, y_test=None, x_train=np.zeros((50, 3, 4, 5), np.uint8), y_train=np.arange(50) % 2)
    opened = open_data(path, task(2, SMALL))
    assert opened.counts() == {"train": 40, "val": 5, "test": 5}
    assert not opened.own
    assert opened.test is not None
    index = int(opened.test.name(0).removeprefix("x_train[").removesuffix("]"))
    assert index % 2 == int(opened.test.target("output")[0])


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"y_train": None}, "N713", "lacks y_train; it holds"),
        ({"x_test": None}, "N713", "lacks x_test"),
        ({"y_train": None, "images": np.zeros(3)}, "N713", "and images"),
        ({"x_train": np.zeros((6, 3, 4, 5))}, "N714", "x_train in {path} is float64 of shape 6x3x4x5, and must be uint8 of shape Nx3x4x5"),
        ({"x_train": np.zeros((6, 3, 5, 5), np.uint8)}, "N714", "uint8 of shape 6x3x5x5"),
        ({"x_test": np.zeros((0, 3, 4, 5), np.uint8)}, "N714", "x_test"),
        ({"y_train": np.arange(5) % 2}, "N741", "x_train has 6 and y_train has 5 rows"),
        ({"y_train": np.eye(6)}, "N714", "y_train"),
        ({"y_train": np.array([0, 1, 0, 1, 0, -1])}, "N715", "y_train has the label -1"),
        ({"y_test": np.array([0, 2])}, "N715", "y_test has the label 2, and the classes are numbered 0 to 1"),
        ({"y_train": np.array([0, 2, 0, 2, 0, 2])}, "N715", "y_train has no image of class 1"),
        ({"classes": np.array(["a", "b", "c"])}, "N715", "no image of class 2"),
        ({"classes": np.array(["a", "a"])}, "N714", "classes"),
        ({"y_train": np.zeros(6, int)}, "N705", "at least 2 classes"),
    ],
)
def test_wrong_arrays(tmp_path: Path, changes: dict[str, Any], code: str, words: str) -> None:
    path = saved(tmp_path, **changes)
    found, message = refused(path)
    assert found == code
    assert words.format(path=path) in message


def test_a_pickle_inside_is_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, **arrays(), x_val=np.zeros((1, 3, 4, 5), np.uint8), y_val=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    code, message = refused(path)
    assert code == "N712"
    assert "allow_pickle" in message


def test_every_damage_is_an_error_of_its_own(tmp_path: Path) -> None:
    whole = saved(tmp_path).read_bytes()
    path = tmp_path / "cut.npz"
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        assert refused(path)[0] == "N712"
    for start in range(0, len(whole), 23):
        path.write_bytes(whole[:start] + bytes([whole[start] ^ 0x55]) + whole[start + 1 :])
        try:
            open_data(path, task(2, SMALL))
        except NetspecError as error:
            assert error.exit in (Exit.DATA, Exit.ENVIRONMENT)


def test_arrays_beyond_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netspec.data.layouts.arrays.available_memory", lambda: 100)
    with pytest.raises(NetspecError, match="100 bytes of memory are free") as caught:
        open_data(saved(tmp_path), task(2, SMALL))
    assert caught.value.exit == Exit.ENVIRONMENT


@pytest.mark.parametrize("point", [0xD800, 0x110000, 0x7FFFFFFF])
def test_names_of_classes_are_text(tmp_path: Path, point: int) -> None:
    """numpy keeps any 32 bits for a character; no file could carry such a name."""
    names = np.array(["no", "yes"])
    names.view(np.uint32)[3] = point
    code, message = refused(saved(tmp_path, classes=names))
    assert code == "N714"
    assert "a list of different strings" in message


def both(path: Path, wanted: Wanted, **means: Any) -> Samples:
    found = open_data(path, wanted, division=Division(whole=True), **means).test
    assert found is not None
    return found


@pytest.mark.parametrize("form", ["npz", "folder", "one file", "without splits"])
def test_npy_files_are_arrays_of_their_names(tmp_path: Path, form: str) -> None:
    first = arrays()["x_train"]
    ending = "" if form == "without splits" else "_train"
    if form == "npz":
        np.savez(tmp_path / "a.npz", x=first, y=[0, 1] * 3)
    else:
        np.save(tmp_path / f"x{ending}.npy", first)
        np.save(tmp_path / f"y{ending}.npy", [0, 1] * 3)
    path = {"npz": tmp_path / "a.npz", "one file": tmp_path / "x_train.npy"}.get(form, tmp_path)
    found = both(path, task(2, SMALL))
    assert torch.equal(pixels(found), torch.from_numpy(first))
    assert found.target("output").tolist() == [0, 1] * 3
    assert found.name(2) == f"x{ending if form != 'npz' else ''}[2]"


def test_an_array_larger_than_the_memory_stays_in_its_file(tmp_path: Path) -> None:
    first = arrays()["x_train"].transpose(0, 2, 3, 1)
    np.save(tmp_path / "x_train.npy", first)
    np.save(tmp_path / "y_train.npy", np.arange(6, dtype=np.uint8) % 2)
    opened = open_data(tmp_path, task(2, SMALL), budget=200, division=Division((0.5, 0.5, 0.0)))
    kept = open_data(tmp_path, task(2, SMALL), division=Division((0.5, 0.5, 0.0)))
    assert opened.fingerprint == kept.fingerprint
    for streamed, held in zip(opened.sets().values(), kept.sets().values(), strict=True):
        assert not isinstance(streamed.inputs["image"], MemoryColumn)
        (one,), (other,) = (list(s.batches(torch.tensor([2, 0]), [(0, 2)])) for s in (streamed, held))
        assert torch.equal(one.inputs["image"], other.inputs["image"])
        assert torch.equal(one.targets["output"], other.targets["output"])


def test_several_inputs_and_targets_by_name(tmp_path: Path) -> None:
    x = arrays()["x_train"]
    inputs = (WantedInput("photo", SMALL.shape, SMALL), WantedInput("code", (2,), None), WantedInput("age", (1,), None))
    targets = (
        WantedTarget("kind", "class", 2),
        WantedTarget("tags", "labels", 3),
        WantedTarget("score", "number", 1, source=Choice("column", {"names": ("y",)})),
        WantedTarget("mask", "mask", 3, 2, 2),
    )
    code, tags = np.arange(12).reshape(6, 2), np.eye(6, 3, dtype=bool)
    masks = np.arange(24).reshape(6, 1, 2, 2) % 3
    np.savez(
        tmp_path / "a.npz", photo_train=x, code_train=code, age_train=np.arange(6.0), kind_train=np.array(list("baabab")),
        tags_train=tags, y_train=np.arange(6, dtype=np.float16), mask_train=masks, classes_tags=np.array(["z", "y", "x"]),
    )  # fmt: skip
    opened = open_data(tmp_path / "a.npz", Wanted("Net", inputs, targets), division=Division(whole=True))
    assert opened.classes == {"kind": ("a", "b"), "tags": ("z", "y", "x"), "mask": ("0", "1", "2")}
    assert opened.test is not None
    (batch,) = opened.test.batches(torch.tensor([1, 5]), [(0, 2)])
    assert batch.inputs["code"].tolist() == [[2.0, 3.0], [10.0, 11.0]]
    assert batch.inputs["age"].tolist() == [[1.0], [5.0]]
    assert torch.equal(batch.inputs["photo"], torch.from_numpy(x[[1, 5]]))
    assert batch.targets["kind"].tolist() == [0, 1]
    assert batch.targets["tags"].tolist() == [[0, 1, 0], [0, 0, 0]]
    assert batch.targets["score"].tolist() == [[1.0], [5.0]]
    assert batch.targets["mask"].tolist() == masks[[1, 5], 0].tolist()


@pytest.mark.parametrize(
    ("target", "values", "code", "words"),
    [
        (WantedTarget("t", "number", 1), np.array([1, 2, 3, 4, 5, np.nan]), "N715", "has [nan] in row 5, which is no number"),
        (WantedTarget("t", "number", 2), np.zeros((6, 3)), "N714", "must be numbers of shape Nx2"),
        (WantedTarget("t", "labels", 3), np.full((6, 3), 2), "N714", "must be 0 and 1 of shape Nx3"),
        (WantedTarget("t", "mask", 3, 4, 4), np.zeros((6, 4, 5), np.uint8), "N714", "must be whole numbers of shape Nx4x4"),
        (WantedTarget("t", "mask", 3, 2, 2), np.full((6, 2, 2), 3), "N715", "has the value 3, and there are 3 classes"),
        (WantedTarget("t", "class", 2), np.array(["a", "b", "c"] * 2), "N710", "the data has 3: a, b and c"),
    ],
)
def test_wrong_targets(tmp_path: Path, target: WantedTarget, values: Any, code: str, words: str) -> None:
    np.savez(tmp_path / "a.npz", x_train=arrays()["x_train"], y_train=values)
    with pytest.raises(NetspecError) as caught:
        open_data(tmp_path / "a.npz", asked(target, wanted=SMALL))
    assert caught.value.diagnostics[0].code == code
    assert words in caught.value.diagnostics[0].message


def test_names_that_only_another_split_has(tmp_path: Path) -> None:
    path = saved(tmp_path, y_train=np.array(list("ababab")), y_test=np.array(["a", "c"]))
    assert refused(path) == ("N708", f"the classes of test in {path} are not those of train: it lacks b and has c, which train has not")
    assert refused(saved(tmp_path, y_train=np.array(list("ababab")), classes=np.array(["a", "z"]), x_test=None, y_test=None))[0] == "N708"


def test_rows_that_are_equal_are_found(tmp_path: Path) -> None:
    x = arrays()["x_train"]
    path = saved(tmp_path, x_test=x[[0, 3]], y_test=np.array([0, 0]))
    warnings = {w.code: w.message() for w in open_data(path, task(2, SMALL)).warnings}
    assert "x_test[0] and x_test[1]" in warnings["N721"]
    assert "x_train[3] = x_test[1]" in warnings["N722"]
