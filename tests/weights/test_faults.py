"""What is wrong with a file of weights, and what a user gets then: the cases W1 to W17 of the design, each by the program itself.

`export` reads weights as every other command does; it is asked for, so that a file that is wrong also shows that nothing is written.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

from netspec.backends.torch import build, read_weights, write_weights
from netspec.compiler import load
from netspec.diagnostics import NetspecError
from tests.weights.conftest import EXPORT, Refused
from tests.weights.files import FORMS, KERAS, Command, container, keras2, save

# --- names and shapes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_w01_missing_keys(refused: Refused, state: dict[str, Tensor], tmp_path: Path, form: str) -> None:
    del state["fc.bias"], state["1.running_mean"]
    save(state, tmp_path / "w", form)
    text = refused("w")
    assert "the weights in w do not fit the net: 2 missing tensors" in text
    assert "missing: 1.running_mean (small.net:3:42) and fc.bias (small.net:4:20)" in text
    text = refused(save({"none": torch.ones(1)}, tmp_path / "w", form).name)
    assert "7 missing tensors and 1 unexpected tensor" in text, "a counter of batches may be missing"


def test_w01_of_very_many_missing_keys_ten_are_shown(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "small.net").write_text("net N {\n image: input(2x6x6)\n repeat(30) { conv(2, 1) }\n}")
    write_weights("w", {})
    text = refused("w")
    assert "60 missing tensors" in text
    assert "and 50 more" in text


@pytest.mark.parametrize("form", FORMS)
def test_w02_unexpected_keys(refused: Refused, do: Command, state: dict[str, Tensor], tmp_path: Path, form: str) -> None:
    save(state | {"head.weight": torch.ones(2), "head.bias": torch.ones(2)}, tmp_path / "w", form)
    assert "unexpected: head.bias and head.weight" in refused("w").replace("head.weight and head.bias", "head.bias and head.weight")
    assert do(*EXPORT, "w", "--allow-extra")[0] == 0
    code, out, _ = do("weights", "small.net", "w", "--allow-extra")
    assert (code, "left over in the file: 2 tensors: head." in out) == (0, True)
    del state["fc.bias"]
    save(state | {"head.weight": torch.ones(2)}, tmp_path / "w", form)
    Path("small.onnx").unlink()
    assert "1 missing tensor" in refused("w", "--allow-extra")


@pytest.mark.parametrize("form", FORMS)
def test_w03_another_shape(refused: Refused, state: dict[str, Tensor], tmp_path: Path, form: str) -> None:
    save(state | {"0.weight": torch.ones(4, 2, 5, 5)}, tmp_path / "w", form)
    assert "0.weight is 4x2x5x5, and 4x2x3x3 in the net (small.net:3:5)" in refused("w")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("other", [lambda t: t.T.contiguous(), lambda t: t.reshape(-1), lambda t: t.reshape(1, 3, 36)])
def test_w05_as_many_numbers_in_another_shape(
    refused: Refused, state: dict[str, Tensor], tmp_path: Path, form: str, other: Callable[[Tensor], Tensor]
) -> None:
    save(state | {"fc.weight": other(state["fc.weight"])}, tmp_path / "w", form)
    assert ", and 3x36 in the net (small.net:4:20)" in refused("w")


def test_w05_order_transposes_what_is_channels_last_and_never_reshapes(do: Command, tmp_path: Path) -> None:
    ones = np.ones
    norm = {key: ones(4) for key in ("gamma", "beta", "moving_mean", "moving_variance")}
    for kernel, dense, fits in (((3, 3, 2, 4), (36, 3), True), ((3, 3, 4, 2), (36, 3), False), ((3, 3, 2, 4), (12, 9), False)):
        keras2(tmp_path / "w", [("c", {"kernel": ones(kernel)}), ("n", norm), ("d", {"kernel": ones(dense), "bias": ones(3)})])
        assert do("weights", "small.net", "w", "--map", "order")[0] == (0 if fits else 4)


def test_w06_a_head_for_other_classes_is_replaced_only_where_the_spec_says_so(
    refused: Refused, do: Command, state: dict[str, Tensor], tmp_path: Path
) -> None:
    save(state, tmp_path / "w", "torch")
    text = refused("w", "--set", "classes=5")
    assert "fc.weight is 3x36, and 5x36 in the net (small.net:4:20)" in text
    assert "fc.bias is 3, and 5 in the net" in text
    assert "to keep all but this layer, use the part of the net before it with weights=" in text
    (tmp_path / "new.net").write_text(
        "block trunk { conv(4, 3, padding=1, bias=false) -> bn -> relu -> maxpool(2) }\n"
        "net Trained(classes = 3) {\n image: input(2x6x6)\n base: trunk\n flatten -> fc: linear(classes)\n}\n"
        'net Mine {\n image: input(2x6x6)\n base: Trained.base(weights="whole")\n flatten -> fc: linear(5)\n}\n'
    )
    save({k if k.startswith("fc") else f"base.{k}": t for k, t in state.items()}, tmp_path / "whole", "torch")
    code, out, _ = do("weights", "new.net", "--net", "Mine")
    assert code == 0
    assert "start fresh: 2 tensors: fc.weight, fc.bias" in out
    assert "left over in the file: 2 tensors: fc.weight, fc.bias" in out
    torch.manual_seed(0)
    module = build(load(tmp_path / "new.net", net="Mine")).state_dict()
    assert torch.equal(module["base.0.weight"], state["0.weight"])
    assert module["fc.weight"].shape == (5, 36)


# --- formats ----------------------------------------------------------------------------------------------------------------------


def _pickled() -> bytes:
    return pickle.dumps({"weight": [1.0, 2.0]})


def _keras_archive() -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", (KERAS / "line.weights.h5").read_bytes())
    return whole.getvalue()


def _other_archive() -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    return whole.getvalue()


def _one_array() -> bytes:
    whole = io.BytesIO()
    np.save(whole, np.ones(3))
    return whole.getvalue()


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("w.keras", _keras_archive, "an archive of Keras; unzip it: the model.weights.h5 in it is read"),
        ("w.zip", _other_archive, "an archive of something else"),
        ("w.npy", _one_array, "one numpy array"),
        ("w.h5", lambda: b"<!DOCTYPE html>" + bytes(200), "a web page"),
        ("w.pth", lambda: b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        ("w.safetensors", lambda: b"", "an empty file"),
        ("w.npz", lambda: b"\x1f\x8b\x08" + bytes(200), "a compressed file"),
        ("w.onnx", lambda: b"\x08\x09\x12\x07netspec" + bytes(200), "an ONNX model"),
    ],
)
def test_w07_what_is_none_of_the_formats(refused: Refused, tmp_path: Path, name: str, make: Callable[[], bytes], words: str) -> None:
    (tmp_path / name).write_bytes(make())
    text = refused(name)
    assert words in text
    assert "read are safetensors, PyTorch's .pth and .pt, numpy's .npz and Keras' .h5, told apart by content" in text


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ending", ["safetensors", "pth", "npz", "h5", "pkl", "txt"])
def test_w07_formats_are_known_by_content(do: Command, state: dict[str, Tensor], tmp_path: Path, form: str, ending: str) -> None:
    save(state, tmp_path / f"w.{ending}", form)
    assert do("weights", "small.net", f"w.{ending}")[0] == 0


class _Runs:
    """Would make a file when unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("touch ran",)


@pytest.mark.parametrize("zipped", [True, False])
def test_w07b_more_than_tensors(refused: Refused, tmp_path: Path, zipped: bool) -> None:
    torch.save({"0.weight": torch.ones(1), "net": _Runs()}, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    text = refused("w.pth")
    assert not zipped or "posix.system" in text
    assert not Path("ran").exists()
    torch.save({"0.weight": torch.ones(1), "epoch": 3}, tmp_path / "w.pth")
    assert "epoch (int)" in refused("w.pth")
    np.savez(tmp_path / "w.npz", **{"0.weight": np.array([_Runs()], object)})  # type: ignore[arg-type]
    refused("w.npz")
    assert not Path("ran").exists()


def test_w09_one_format_that_calls_itself_another(refused: Refused, state: dict[str, Tensor], tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(_pickled())
    assert "w.safetensors" in refused("w.safetensors")
    (tmp_path / "w.safetensors").write_bytes(pickle.dumps(_Runs()))
    refused("w.safetensors")
    assert not Path("ran").exists()
    tail = {"zip": _other_archive(), "pdf": b"%PDF-1.7\n", "nothing": bytes(8)}
    for form in ("netspec", "safetensors", "h5"):
        whole = save(state, tmp_path / "w", form).read_bytes()
        for appended in tail.values():
            (tmp_path / "w").write_bytes(whole + appended)
            assert "is damaged: the file is" in refused("w")
    whole = save(state, tmp_path / "w", "safetensors").read_bytes()
    (tmp_path / "w").write_bytes(b"%PDF-1.7\n" + whole)
    refused("w")


@pytest.mark.parametrize("form", FORMS)
def test_w10_every_length(state: dict[str, Tensor], tmp_path: Path, form: str) -> None:
    whole = save({"fc.bias": state["fc.bias"]}, tmp_path / "w", form).read_bytes()
    step = 1 if len(whole) < 1000 else 7
    for length in range(0, len(whole), step):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(NetspecError) as caught:
            read_weights(tmp_path / "cut")
        assert caught.value.exit == 4
        assert "cut" in str(caught.value)
    if form in ("netspec", "safetensors", "h5"):
        (tmp_path / "cut").write_bytes(whole[:-1])
        with pytest.raises(NetspecError, match=f"the file is {len(whole) - 1} bytes, and its (header|superblock) says {len(whole)}"):
            read_weights(tmp_path / "cut")


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 0, 1, 10**6, 99_000_000])
def test_w11_headers_of_any_length(refused: Refused, do: Command, tmp_path: Path, length: int) -> None:
    with (tmp_path / "w").open("wb") as file:
        file.write(length.to_bytes(8, "little") + b'{"a":{}}')
        file.truncate(9_000_000 if length == 99_000_000 else 200)
    do(*EXPORT, "w")  # what a command needs is loaded
    start = time.process_time()
    text = refused("w")
    assert time.process_time() - start < 0.1
    assert f"its header says it is {length} bytes itself" in text


def test_w11_hundreds_of_thousands_of_tensors(refused: Refused, do: Command, tmp_path: Path) -> None:
    many = {f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(400_000)}
    (tmp_path / "w").write_bytes(container(many))
    do(*EXPORT, "w")
    start = time.process_time()
    refused("w")
    assert time.process_time() - start < 0.1


def test_w13_duplicate_keys(refused: Refused, tmp_path: Path) -> None:
    entry = json.dumps({"dtype": "F32", "shape": [1], "data_offsets": [0, 4]})
    (tmp_path / "w").write_bytes(container(f'{{"a":{entry},"a":{entry}}}'.encode(), bytes(4)))
    assert "its header names a twice" in refused("w")
    with h5py.File(tmp_path / "w", "w") as file:
        file["a"] = np.ones(1)
        file["b"] = file["a"]
    assert "reached in two ways" in refused("w")


@pytest.mark.parametrize("form", FORMS)
def test_w14_names_that_are_paths_or_control_characters(refused: Refused, tmp_path: Path, form: str) -> None:
    before = set(tmp_path.parent.parent.iterdir())
    name = "../../evil\x1b]0;title\x07\u202etxt"
    if form == "h5":
        with h5py.File(tmp_path / "w", "w") as file:
            file[name] = np.ones(1)
    else:
        save({name: torch.ones(1)}, tmp_path / "w", form)
    text = refused("w")
    assert "\\x1b]0;title\\x07\\u{202e}txt" in text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert set(tmp_path.parent.parent.iterdir()) == before


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_w15_numbers_that_are_none(
    refused: Refused, do: Command, state: dict[str, Tensor], tmp_path: Path, form: str, number: float
) -> None:
    state["fc.weight"][1, :7] = number
    save(state, tmp_path / "w", form)
    assert "fc.weight has 7 values that are not finite" in refused("w")
    code, out, _ = do("weights", "small.net", "w", "--allow-nonfinite")
    assert (code, "fc.weight" in out) == (0, True)
    assert do(*EXPORT, "w", "--allow-nonfinite")[0] == 6, "read, and then its own answers are not finite"


def test_w17_statistics_that_cannot_be(refused: Refused, state: dict[str, Tensor], tmp_path: Path) -> None:
    save(state | {"1.running_var": torch.tensor([1.0, -0.5, 1, 1])}, tmp_path / "w", "torch")
    assert "1.running_var is a variance and has values below 0" in refused("w")
    for count in (-1, 2**60):
        save(state | {"1.num_batches_tracked": torch.tensor(count)}, tmp_path / "w", "torch")
        assert f"1.num_batches_tracked counts batches and is {count}" in refused("w")
