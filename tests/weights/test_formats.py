"""The formats of weights: each is known by what it holds, and read to the same tensors."""

from __future__ import annotations

import collections
import random
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from netspec.backends.torch import build, check_weights, read_metadata, read_weights
from netspec.backends.torch.weights import read_file
from netspec.diagnostics import Exit, NetspecError
from tests.weights.files import FORMS, KERAS, keras2, net, save


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ending", [".safetensors", ".pth", ".npz", ".h5", ".bin", ""])
def test_every_format_under_every_name(tmp_path: Path, form: str, ending: str) -> None:
    state = build(net()).state_dict()
    path = save(state, tmp_path / f"weights{ending}", form)
    read = read_weights(path, net())
    assert read.keys() == state.keys()
    assert all(torch.equal(read[key], tensor) for key, tensor in state.items())
    check_weights(net(), read, str(path))
    assert read_metadata(path) == ({} if form != "netspec" else read_metadata(path))


def test_types_of_numbers(tmp_path: Path) -> None:
    given = {
        "half": np.array([1.5, -2], np.float16), "double": np.array([[1e300]]), "big": np.array([1, 2], ">i4"),
        "flags": np.array([True, False]), "bytes": np.array([255], np.uint8), "long": np.array(-7),
        "empty": np.zeros((0, 3), np.float32), "swapped": np.array([0.5, 3], ">f8"),
    }  # fmt: skip
    with h5py.File(tmp_path / "w", "w") as file:
        for name, array in given.items():
            file[name] = array
        brain = file.create_dataset("brain", data=torch.tensor([1.0, -2.5], dtype=torch.bfloat16).view(torch.int16).numpy().view("V2"))
        brain.attrs["dtype"] = "bfloat16"
    read = read_weights(tmp_path / "w")
    assert read.keys() == {*given, "brain"}
    for name, array in given.items():
        assert read[name].dtype == torch.from_numpy(array.astype(array.dtype.newbyteorder("="))).dtype, name
        assert np.array_equal(read[name].numpy(), array)
    assert read["brain"].dtype is torch.bfloat16
    assert read["brain"].tolist() == [1.0, -2.5]


@pytest.mark.parametrize(
    "packing", [{"compression": "gzip"}, {"compression": "lzf"}, {"shuffle": True, "compression": 9}, {"fletcher32": True}]
)
def test_packed_arrays(tmp_path: Path, packing: dict[str, object]) -> None:
    numbers = np.random.default_rng(0).normal(size=(300, 7))
    with h5py.File(tmp_path / "w", "w") as file:
        file.create_dataset("a", data=numbers, **packing)  # type: ignore[arg-type]
    assert np.array_equal(read_weights(tmp_path / "w")["a"].numpy(), numbers)


def test_the_three_ways_in_which_keras_writes(tmp_path: Path) -> None:
    whole, alone, new = (read_file(KERAS / f"kinds{ending}") for ending in (".h5", ".layers.h5", ".weights.h5"))
    assert [(f.listed, len(f.tensors)) for f in (whole, alone, new)] == [(21, 21), (21, 21), (0, 21)]
    assert [key.removeprefix("model_weights/") for key in whole.tensors] == list(alone.tensors)
    assert new.names["layers/conv2d/vars"] == "c1"
    assert torch.equal(new.tensors["layers/conv2d/vars/0"], alone.tensors["c1/sequential/c1/kernel"])
    old = read_file(keras2(tmp_path / "old", [("b", {"kernel": np.ones((2, 2)), "bias": np.ones(2)}), ("a", {"gamma": np.ones(3)})]))
    assert list(old.tensors) == ["b/b/kernel:0", "b/b/bias:0", "a/a/gamma:0"], "in the order of Keras' list"


def test_long_lists_of_layers_are_cut_into_several(tmp_path: Path) -> None:
    names = [f"layer_{i:04}_{'x' * 40}" for i in range(2500)]
    with h5py.File(tmp_path / "w", "w") as file:
        for part, start in enumerate(range(0, 2500, 1000)):
            file.attrs[f"layer_names{part}"] = np.array([n.encode() for n in names[start : start + 1000]])
        for name in reversed(names[:30]):
            file.create_group(name).attrs["weight_names"] = np.array([b"bias:0"])
            file[name]["bias:0"] = np.ones(1)
        for name in names[30:]:
            file.create_group(name)
    read = read_file(tmp_path / "w")
    assert list(read.tensors) == [f"{name}/bias:0" for name in names[:30]]


def test_what_an_optimiser_keeps_is_left_where_it_is(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w", "w") as file:
        file["model_weights/a/kernel:0"] = np.ones((2, 2))
        file["optimizer_weights/iteration:0"] = np.array(5)
        file["optimizer/vars/0"] = np.ones(2)
        file["optimizer_weights/elsewhere"] = h5py.SoftLink("/nowhere")
    assert list(read_weights(tmp_path / "w")) == ["model_weights.a.kernel:0"]


def test_dots_and_slashes_that_would_meet_stay_apart(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w", "w") as file:
        file["a/b"], file["a.b"] = np.zeros(1), np.ones(1)
    assert set(read_weights(tmp_path / "w")) == {"a/b", "a.b"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["safetensors", "npz", "torch", "legacy"])
def test_a_changed_byte_anywhere_is_read_or_refused(tmp_path: Path, form: str) -> None:
    """Changed numbers go unnoticed where a format has no checksum; else there is an error of ours. HDF5 has tests of its own."""
    tensors, path, draw = {"a.weight": torch.ones(2, 3), "b": torch.tensor(3)}, tmp_path / "w", random.Random(5)
    if form == "legacy":
        torch.save(tensors, path, _use_new_zipfile_serialization=False)
    else:
        save(tensors, path, form)
    whole, outcomes = bytearray(path.read_bytes()), collections.Counter[str]()
    for place, byte in enumerate(whole):
        whole[place] = draw.choice([byte ^ (1 << draw.randrange(8)), 255 - byte])
        (tmp_path / "changed").write_bytes(whole)
        whole[place] = byte
        try:
            read_weights(tmp_path / "changed")
            outcomes["read"] += 1
        except NetspecError as error:
            outcomes["refused"] += error.exit is Exit.MODEL_FILE
    assert sum(outcomes.values()) == len(whole)
    assert outcomes["refused"] > len(whole) // 4


def test_without_h5py_the_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save({"a": torch.ones(1)}, tmp_path / "w", "h5")
    (tmp_path / "h5py.py").write_text("raise ImportError('no HDF5 here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(NetspecError, match="needs h5py") as caught:
        read_weights(path)
    assert caught.value.exit is Exit.ENVIRONMENT


def test_nothing_here_loads_h5py() -> None:
    import subprocess
    import sys

    read = f"from netspec.backends.torch import read_weights; read_weights({str(KERAS / 'kinds.h5')!r})"
    code = f"import sys; {read}; print('h5py' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
