"""Images in an ``.npz``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from netspec.data import open_data
from netspec.data.decode import ImageFormat
from netspec.data.images import MemoryImages
from netspec.diagnostics import Exit, NetspecError
from tests.conftest import ROOT
from tests.data.pictures import task

MNIST = ROOT / "examples" / "mnist" / "mnist.npz"
SMALL = ImageFormat(3, 4, 5)


def arrays(**changes: Any) -> dict[str, Any]:
    x = np.arange(6 * 3 * 4 * 5, dtype=np.uint8).reshape(6, 3, 4, 5)
    found = {"x_train": x, "y_train": np.array([0, 1, 0, 1, 0, 1]), "x_test": x[:2], "y_test": np.array([1, 0])} | changes
    return {name: value for name, value in found.items() if value is not None}


def saved(path: Path, **changes: Any) -> Path:
    np.savez_compressed(path / "data.npz", **arrays(**changes))
    return path / "data.npz"


def refused(path: Path) -> tuple[str, str]:
    with pytest.raises(NetspecError) as caught:
        open_data(path, task(2, SMALL))
    (found,) = caught.value.diagnostics
    assert caught.value.exit == Exit.DATA
    return found.code, found.message


def test_mnist() -> None:
    opened = open_data(MNIST, task(10, ImageFormat(1, 28, 28)))
    assert opened.counts() == {"train": 60_000, "test": 10_000}
    assert opened.val is None
    assert opened.classes == tuple("0123456789")
    assert isinstance(opened.test, MemoryImages)
    assert opened.test.pixels.shape == (10_000, 1, 28, 28)
    assert opened.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert opened.test.name(17) == "x_test[17]"


def test_forms_are_told_apart(tmp_path: Path) -> None:
    first = arrays()["x_train"]
    channels_last = saved(tmp_path, x_train=first.transpose(0, 2, 3, 1), classes=np.array(["no", "yes"]))
    opened = open_data(channels_last, task(2, SMALL))
    assert opened.classes == ("no", "yes")
    assert isinstance(opened.train, MemoryImages)
    assert torch.equal(opened.train.pixels, torch.from_numpy(first))


def test_without_splits_it_is_divided(tmp_path: Path) -> None:
    path = saved(tmp_path, x_test=None, y_test=None, x_train=np.zeros((50, 3, 4, 5), np.uint8), y_train=np.arange(50) % 2)
    opened = open_data(path, task(2, SMALL))
    assert opened.counts() == {"train": 40, "val": 5, "test": 5}
    assert not opened.own
    assert opened.test is not None
    index = int(opened.test.name(0).removeprefix("x_train[").removesuffix("]"))
    assert index % 2 == int(opened.test.labels[0])


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"y_train": None}, "N713", "lacks y_train; it holds"),
        ({"x_test": None}, "N713", "lacks x_test"),
        ({"y_train": None, "images": np.zeros(3)}, "N713", "and images"),
        ({"x_train": np.zeros((6, 3, 4, 5))}, "N714", "x_train in {path} is float64 of shape 6x3x4x5, and must be uint8 of shape Nx3x4x5"),
        ({"x_train": np.zeros((6, 3, 5, 5), np.uint8)}, "N714", "uint8 of shape 6x3x5x5"),
        ({"x_test": np.zeros((0, 3, 4, 5), np.uint8)}, "N714", "x_test"),
        ({"y_train": np.zeros(5, int)}, "N714", "6 whole numbers, one for each image of x_train"),
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
    np.savez(path, **arrays(), y_val=np.array([{"a": 1}], dtype=object), allow_pickle=True)
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
    monkeypatch.setattr("netspec.data.arrays.available_memory", lambda: 100)
    with pytest.raises(NetspecError, match=r"0\.0 GB of memory are free") as caught:
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
