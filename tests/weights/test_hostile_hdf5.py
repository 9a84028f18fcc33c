"""HDF5 made to do harm: it leads elsewhere, claims what is not there, or is broken at some byte."""

from __future__ import annotations

import collections
import os
import random
import runpy
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from netspec.backends.torch import hdf5, read_weights
from netspec.diagnostics import Exit, NetspecError
from tests.weights.files import KERAS, keras2, net, save

CHILD = Path(hdf5.__file__).with_name("hdf5_child.py")


def refused(path: Path, code: str, **graph: Any) -> str:
    with pytest.raises(NetspecError) as caught:
        read_weights(path, **graph)
    assert caught.value.exit is Exit.MODEL_FILE
    assert [d.code for d in caught.value.diagnostics] == [code]
    return caught.value.diagnostics[0].message


def soft(file: h5py.File, folder: Path) -> None:
    file["a"], file["b"] = np.ones(2), h5py.SoftLink("/a")


def soft_to_itself(file: h5py.File, folder: Path) -> None:
    file["loop"] = h5py.SoftLink("/loop")


def external_link(file: h5py.File, folder: Path) -> None:
    file["b"] = h5py.ExternalLink(str(folder / "other.h5"), "/a")


def external_numbers(file: h5py.File, folder: Path) -> None:
    (folder / "secret").write_bytes(bytes(range(64)))
    file.create_dataset("a", (16,), "f4", external=[(str(folder / "secret"), 0, 64)])


def virtual(file: h5py.File, folder: Path) -> None:
    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "a", (2,))
    file.create_virtual_dataset("v", layout)


def references(file: h5py.File, folder: Path) -> None:
    file["a"] = np.ones(2)
    file.create_dataset("r", data=np.array([file["a"].ref], dtype=h5py.ref_dtype))


def texts(file: h5py.File, folder: Path) -> None:
    file.create_dataset("t", data=["posix.system", "id"])


def compound(file: h5py.File, folder: Path) -> None:
    file.create_dataset("c", data=np.zeros(2, [("x", "f4"), ("y", "i4")]))


def complex_numbers(file: h5py.File, folder: Path) -> None:
    file.create_dataset("c", data=np.zeros(2, complex))


ELSEWHERE = [soft, soft_to_itself, external_link, external_numbers, virtual, references, texts, compound, complex_numbers]


@pytest.mark.parametrize("make", ELSEWHERE, ids=lambda f: f.__name__)
def test_what_is_no_plain_array_is_refused(tmp_path: Path, make: Callable[[h5py.File, Path], None]) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["a"] = np.ones(2, "f4")
    with h5py.File(tmp_path / "w.h5", "w") as file:
        make(file, tmp_path)
    assert "holds more than named tensors" in refused(tmp_path / "w.h5", "N804")


def cycle(file: h5py.File) -> None:
    file.create_group("a/b")
    file["a/b/c"] = file["a"]


def shared(file: h5py.File) -> None:
    file["a"] = np.ones(3)
    file["b"] = file["a"]


def deep(file: h5py.File) -> None:
    file.create_group("/".join("a" * 70))


def without_shape(file: h5py.File) -> None:
    file["a"] = h5py.Empty("f4")


def claimed(file: h5py.File) -> None:
    file.create_dataset("a", (2**40, 2**20), "f4", chunks=(2**10, 2**10))


def contiguous(file: h5py.File) -> None:
    file.create_dataset("a", (2**50,), "f4")


def listed_but_absent(file: h5py.File) -> None:
    file.attrs["layer_names"] = np.array([b"a"])
    file.create_group("a").attrs["weight_names"] = np.array([b"kernel:0"])


def layer_absent(file: h5py.File) -> None:
    file.attrs["layer_names"] = np.array([b"../../etc"])


def list_of_numbers(file: h5py.File) -> None:
    file.attrs["layer_names"] = np.arange(5)


def list_of_texts_in_two_rows(file: h5py.File) -> None:
    file.attrs["layer_names"] = np.array([[b"a"], [b"b"]])


@pytest.mark.parametrize(
    "make",
    [cycle, shared, deep, without_shape, claimed, contiguous, listed_but_absent, layer_absent, list_of_numbers, list_of_texts_in_two_rows],
    ids=lambda f: f.__name__,
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, make: Callable[[h5py.File], None]) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        make(file)
    start = time.perf_counter()
    assert "is damaged" in refused(tmp_path / "w.h5", "N803")
    assert time.perf_counter() - start < 20


def test_a_link_below_the_list_of_layers_is_not_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_group("x").attrs["weight_names"] = np.array([b"kernel:0"])
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["layer_names"] = np.array([b"optimizer/x"])
        file.create_group("optimizer")["x"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/x")
    assert "it lists the layer optimizer/x, which is not there" in refused(tmp_path / "w.h5", "N803")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """400 MB of zeros in 400 kB."""
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset("a", data=np.zeros((10_000, 10_000), "f4"), compression=9, chunks=(1000, 10_000))
    assert (tmp_path / "w.h5").stat().st_size < 2**20
    assert "400,000,000 bytes" in refused(tmp_path / "w.h5", "N807", graph=net())


def test_more_groups_than_any_net_has(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for i in range(51):
            file.create_group(str(i))
    child = runpy.run_path(str(CHILD))
    child["Walk"].__init__.__globals__["MOST_OBJECTS"] = 50
    with h5py.File(tmp_path / "w.h5") as file, pytest.raises(child["Refused"], match="more than 50 groups and arrays"):
        child["Walk"](file)


def test_filters_of_other_libraries_are_not_looked_for(tmp_path: Path) -> None:
    """HDF5 would load a library by the number of a filter; the number of a packed array is changed to one that no library has."""
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset("a", data=np.zeros(1000), shuffle=True, chunks=(1000,))
    content = (tmp_path / "w.h5").read_bytes()
    message = content.index(b"shuffle") - 8
    assert content[message] == 2, "the filter's number stands before its name"
    (tmp_path / "w.h5").write_bytes(content[:message] + (32001).to_bytes(2, "little") + content[message + 2 :])
    assert "32001" in refused(tmp_path / "w.h5", "N803")


def test_a_model_in_an_attribute_is_not_run(tmp_path: Path) -> None:
    """Keras keeps the architecture as JSON, in which a `Lambda` layer has marshalled code: nothing looks at it."""
    path = keras2(tmp_path / "w.h5", [("a", {"kernel": np.ones((2, 2))})], whole=True)
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = '{"class_name": "Lambda", "config": {"function": ["4wEAAAAAAAAA", null, null]}}'
    assert list(read_weights(path)) == ["model_weights.a.a.kernel:0"]


@pytest.mark.parametrize("form", ["h5", "keras"])
def test_every_truncation_and_every_byte_more(tmp_path: Path, form: str) -> None:
    if form == "keras":
        whole = (KERAS / "line.weights.h5").read_bytes()
    else:
        with h5py.File(tmp_path / "w", "w", libver="latest") as file:
            file["a"], file["b/c"] = np.ones(3, "f4"), np.ones((2, 2), "f4")
        whole = (tmp_path / "w").read_bytes()
    for length in (*range(250), *range(250, len(whole), 1 if form == "h5" else 97)):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(NetspecError) as caught:
            read_weights(tmp_path / "cut")
        assert caught.value.exit is Exit.MODEL_FILE
    (tmp_path / "cut").write_bytes(whole + b"PK\x05\x06" + bytes(18))
    assert "its superblock says" in refused(tmp_path / "cut", "N803")


@pytest.mark.parametrize("form", ["earliest", "latest"])
def test_flipped_bytes_never_do_harm(tmp_path: Path, form: str) -> None:
    """Numbers in HDF5 have no checksum, so that many a changed byte is a changed number; but reading ends, and says what is wrong."""
    path = tmp_path / "w"
    with h5py.File(path, "w", libver=form) as file:
        file.create_dataset("a/kernel", data=np.ones((3, 4), "f4"), compression="gzip")
        file["a/bias"] = np.ones(4, "f4")
        file["b"] = np.arange(5)
        file.attrs["layer_names"] = np.array([b"a"])
        file["a"].attrs["weight_names"] = np.array([b"kernel", b"bias"])
    whole, draw = path.read_bytes(), random.Random(3)
    outcomes = collections.Counter(_apart(_changed(whole, draw)) for _ in range(int(os.environ.get("NETSPEC_FLIPS", "60"))))
    assert set(outcomes) <= {0, 3, 4}, "a kind of failure that the reader does not turn into a sentence"
    assert outcomes[0]
    assert outcomes[4]


def _changed(whole: bytes, draw: random.Random) -> bytes:
    content, place = bytearray(whole), draw.randrange(len(whole))
    content[place] = draw.choice([content[place] ^ (1 << draw.randrange(8)), draw.randrange(256), 0, 255])
    return bytes(content)


def _apart(content: bytes) -> int:
    """The exit code of reading in a process of its own: a fork is as good as the program's own child, and quick. 3 stands for a death."""
    pid = os.fork()
    if pid == 0:
        import io
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
        silent = os.open(os.devnull, os.O_RDWR)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        sys.argv = ["child", str(2**26), str(8 * 2**30), "30"]
        sys.stdin = io.TextIOWrapper(io.BytesIO(content))
        code = 70
        try:
            runpy.run_path(str(CHILD), run_name="__main__")
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    return 3 if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def test_a_child_that_dies_or_hangs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save({"a": torch.ones(1)}, tmp_path / "w", "h5")
    for program, words in (
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "breaks down on it"),
        ("import sys; sys.exit(1)", "runs out of memory or time"),
        ("import sys, time; sys.stdout.buffer.write(bytes(8)); sys.stdout.flush(); time.sleep(600)", "is damaged"),
    ):
        (tmp_path / "child.py").write_text(program)
        monkeypatch.setattr(hdf5, "_CHILD", tmp_path / "child.py")
        monkeypatch.setattr(hdf5, "_PATIENCE", 2.0)
        assert words in refused(path, "N803")


def test_the_child_can_be_read_as_a_program_of_its_own() -> None:
    with (KERAS / "kinds.h5").open("rb") as file:
        done = subprocess.run([sys.executable, str(CHILD), str(2**20), str(4 * 2**30), "60"], stdin=file, capture_output=True, check=True)
    assert int.from_bytes(done.stdout[:8], "little") == len(done.stdout) - 8
