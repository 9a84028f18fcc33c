"""Files of weights that change, lie, are none, or are too large: the cases W18 to W23 of the design, each by the program itself."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

from netspec.backends.torch import build, read_weights, safetensors, write_weights
from netspec.compiler import load
from netspec.diagnostics import NetspecError
from tests.weights.conftest import EXPORT, Refused
from tests.weights.files import FORMS, SPEC, Command, save


def test_w18_a_file_that_changes_while_it_is_read(refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut between its header and its numbers: no map of the file is kept, which would end the program."""
    save(build(load("small.net", classes=2000)).state_dict(), tmp_path / "w", "safetensors")
    read = safetensors.read_header

    def then_cut(*arguments: Any) -> Any:
        header = read(*arguments)
        os.truncate("w", 200)
        return header

    monkeypatch.setattr(safetensors, "read_header", then_cut)
    assert "it became shorter while it was read" in refused("w", "--set", "classes=2000")


@pytest.mark.parametrize("form", FORMS)
def test_w18_what_was_read_stays_when_the_file_goes(state: dict[str, Tensor], tmp_path: Path, form: str) -> None:
    path = save(state, tmp_path / "w", form)
    read = read_weights(path)
    path.write_bytes(b"")
    assert all(torch.equal(read[key], tensor) for key, tensor in state.items())


def test_w19_one_flipped_bit_in_a_file_of_ours(refused: Refused, state: dict[str, Tensor], tmp_path: Path) -> None:
    """Every bit of the header, and some of the numbers; every bit of a whole file is tried in tests/backends."""
    whole = bytearray(save(state, tmp_path / "w", "netspec").read_bytes())
    for bit in [*range(8 * 8, 8 * 400, 5), *range(8 * len(whole) - 200, 8 * len(whole))]:
        whole[bit // 8] ^= 1 << bit % 8
        (tmp_path / "w").write_bytes(whole)
        whole[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NetspecError) as caught:
            read_weights(tmp_path / "w")
        assert caught.value.exit == 4
    whole[-1] ^= 4
    (tmp_path / "w").write_bytes(whole)
    assert "checksum mismatch" in refused("w")


# --- what is no file --------------------------------------------------------------------------------------------------------------


def test_w21_what_is_no_regular_file(refused: Refused, tmp_path: Path) -> None:
    """Of a link on the command line, what it leads to counts: caches of downloads are full of links. Not so where a spec names it."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, target in (
        ("to-pipe", "pipe"),
        ("to-zero", "/dev/zero"),
        ("to-folder", "folder"),
        ("to-nothing", "none"),
        ("to-itself", "to-itself"),
    ):
        (tmp_path / name).symlink_to(target)
    start = time.perf_counter()
    for name, words in (
        ("pipe", "not a regular file"), ("/dev/zero", "not a regular file"), ("folder", "a directory"), ("none", "No such file"),
        ("to-pipe", "not a regular file"), ("to-zero", "not a regular file"), ("to-folder", "a directory"),
        ("to-nothing", "No such file"), ("to-itself", "Too many levels of symbolic links"), ("a\0b", "null"), ("x" * 300, "too long"),
    ):  # fmt: skip
        text = refused(name)
        assert words in text
        assert name.replace("\0", "\\x00")[:200] in text
    assert time.perf_counter() - start < 20


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_w21_no_permission(refused: Refused, state: dict[str, Tensor], tmp_path: Path) -> None:
    save(state, tmp_path / "w", "torch").chmod(0)
    assert "Permission denied" in refused("w")


@pytest.mark.parametrize("start", [b'\x08\x00\x00\x00\x00\x00\x00\x00{"a":1}', b"PK\x03\x04", b"\x80\x02", b"\x89HDF\r\n\x1a\n\x00"])
def test_w22_fifty_gigabytes(refused: Refused, do: Command, tmp_path: Path, start: bytes) -> None:
    with (tmp_path / "w").open("wb") as file:
        file.write(start)
        file.truncate(50 * 2**30)
    do(*EXPORT, "w")
    begin = time.process_time()
    text = refused("w")
    assert time.process_time() - begin < 0.1
    assert "w is 53,687,091,200 bytes, and a file for this net has at most" in text
    refused("w", "--allow-extra")


def test_w22_small_files_that_unpack_to_much(refused: Refused, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "w.npz", a=np.zeros(10**8, np.float32))
    assert "400,000,1" in refused("w.npz")
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset("a", data=np.zeros(10**8, np.float32), compression=9)
    assert "400,000,000 bytes" in refused("w.h5")


def test_w23_what_a_file_says_of_itself(refused: Refused, do: Command, state: dict[str, Tensor], tmp_path: Path) -> None:
    write_weights("w", state, {"note": "x" * 10_000_000})
    text = refused("w")
    assert len(text) < 500, "more than the header of such a net can be, and not read"
    write_weights("w", state, {"netspec.classes": json.dumps(["a\x1b[2J", "b\u202e", "c"]), "\x1b[31m": "\x07"})
    from PIL import Image

    Image.new("RGB", (6, 6)).save("p.png")
    (tmp_path / "small.net").write_text(SPEC.replace("2x6x6", "3x6x6"))
    torch.manual_seed(0)
    write_weights("w", build(load("small.net")).state_dict(), {"netspec.classes": json.dumps(["a\x1b[2J", "b\u202e", "c"]), "\x1b": "\x07"})
    code, out, _ = do("predict", "small.net", "p.png", "--weights", "w", "--device", "cpu")
    assert code == 0
    assert not {"\x1b", "\u202e", "\x07"} & set(out)
    assert "a\\x1b[2J" in out
