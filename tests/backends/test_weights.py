"""Files of weights: what is read, what is refused and how it is said, and that nothing is lost."""

from __future__ import annotations

import errno
import json
import os
import pickle
import stat
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from netspec.backends.torch import build, check_weights, read_metadata, read_weights, write_weights
from netspec.diagnostics import Exit, NetspecError
from tests.graphs import chain, lenet

TENSORS = {
    "a.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "a.bias": torch.tensor([1.5, -2.0], dtype=torch.float16),
    "b.count": torch.tensor(7),
    "b.brain": torch.tensor([1.0, 2.0], dtype=torch.bfloat16),
    "b.flags": torch.tensor([True, False, True]),
    "b.empty": torch.zeros(0, 4),
    "bytes": torch.tensor([1, 255], dtype=torch.uint8),
}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(a[k].dtype == b[k].dtype and torch.equal(a[k], b[k]) for k in a)


def refused(path: Path | str, code: str, **graph: Any) -> str:
    with pytest.raises(NetspecError) as caught:
        read_weights(path, **graph)
    assert caught.value.exit is Exit.MODEL_FILE
    assert [d.code for d in caught.value.diagnostics] == [code]
    problem = caught.value.diagnostics[0].problem
    assert Path(path).name in problem.message()
    return problem.message() + " " + " ".join(problem.notes()) + " " + (problem.help() or "")


def container(header: object, data: bytes = b"") -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + data


# --- what is read ---------------------------------------------------------------------------------------------------------------


def test_own_file_round_trip(tmp_path: Path) -> None:
    write_weights(tmp_path / "w.safetensors", TENSORS, {"classes": '["cät", "dog"]'})
    assert same(read_weights(tmp_path / "w.safetensors"), TENSORS)
    assert read_metadata(tmp_path / "w.safetensors")["classes"] == '["cät", "dog"]'


def test_official_library_reads_ours_and_we_read_its(tmp_path: Path) -> None:
    write_weights(tmp_path / "ours", TENSORS, {})
    assert same(safetensors.torch.load((tmp_path / "ours").read_bytes()), TENSORS)
    safetensors.torch.save_file(TENSORS, tmp_path / "theirs", metadata={"format": "pt"})
    assert same(read_weights(tmp_path / "theirs"), TENSORS)
    assert read_metadata(tmp_path / "theirs") == {"format": "pt"}


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    write_weights(tmp_path / "a", TENSORS, {"x": "1", "y": "2"})
    write_weights(tmp_path / "b", dict(reversed(TENSORS.items())), {"y": "2", "x": "1"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_torch_files_are_read_by_content(tmp_path: Path, legacy: bool, nested: bool) -> None:
    path = tmp_path / "w.safetensors"
    torch.save({"state_dict": TENSORS, "epoch": 3} if nested else TENSORS, path, _use_new_zipfile_serialization=not legacy)
    assert same(read_weights(path), TENSORS)
    assert read_metadata(path) == {}


def test_npz_is_read_by_content(tmp_path: Path) -> None:
    arrays = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "big": np.arange(3, dtype=">i4"), "f": np.asfortranarray(np.eye(3))}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "w.npz", **arrays)
        (tmp_path / "w.npz").rename(tmp_path / "w.pth")
        read = read_weights(tmp_path / "w.pth")
        assert all(np.array_equal(read[k].numpy(), v) for k, v in arrays.items())


@pytest.mark.parametrize("length", range(600, 1500, 8))
def test_no_header_length_looks_like_another_format(tmp_path: Path, length: int) -> None:
    raw = json.dumps({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode().ljust(length)
    (tmp_path / "w").write_bytes(container(raw, b"\x05"))
    assert read_weights(tmp_path / "w")["a"].tolist() == [5]


def test_tensors_own_their_memory(tmp_path: Path) -> None:
    write_weights(tmp_path / "w", TENSORS)
    read = read_weights(tmp_path / "w")
    (tmp_path / "w").write_bytes(b"")
    assert same(read, TENSORS)
    assert all(t.untyped_storage().nbytes() == t.nbytes for t in read.values())


# --- what is refused ------------------------------------------------------------------------------------------------------------


def test_missing_directory_fifo_and_device_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "No such file" in refused(tmp_path / "none", "N801")
    assert "directory" in refused(tmp_path, "N801")
    assert "regular" in refused(tmp_path / "pipe", "N801")
    assert "regular" in refused("/dev/zero", "N801")


@pytest.mark.parametrize("content", [b"", b"hello world, this is text", b"\x93NUMPY" + bytes(50), b"<html>" + bytes(20), bytes(64)])
def test_other_formats_name_those_that_are_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.safetensors").write_bytes(content)
    text = refused(tmp_path / "w.safetensors", "N802")
    assert all(word in text for word in ("safetensors", ".pth", ".pt", ".npz", ".h5"))


class Stranger:
    """Would run a command when unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_pickles_of_other_things_are_named_and_not_run(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "w.safetensors"
    if zipped:
        torch.save({"a": Stranger(tmp_path / "mark")}, path)
    else:
        path.write_bytes(pickle.dumps(Stranger(tmp_path / "mark"), protocol=2))
    with pytest.raises(NetspecError) as caught:
        read_weights(path)
    assert caught.value.exit is Exit.MODEL_FILE
    assert not zipped or "posix.system" in str(caught.value)
    assert not (tmp_path / "mark").exists()


def test_files_with_more_than_tensors_are_named(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1), "epoch": 3}, tmp_path / "w")
    assert "epoch (int)" in refused(tmp_path / "w", "N804")
    torch.save([torch.ones(1)], tmp_path / "l")
    assert "list" in refused(tmp_path / "l", "N804")


def test_npz_with_objects_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", a=np.array([{}], dtype=object))
    refused(tmp_path / "w.npz", "N803")


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    write_weights(tmp_path / "w", {"a": torch.ones(3), "b": torch.ones(2, 2)})
    whole = (tmp_path / "w").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(NetspecError) as caught:
            read_weights(tmp_path / "cut")
        assert caught.value.exit is Exit.MODEL_FILE


@pytest.mark.parametrize("make", ["torch", "legacy", "npz"])
def test_truncations_of_other_formats_are_refused(tmp_path: Path, make: str) -> None:
    path = tmp_path / "w.npz"
    if make == "npz":
        np.savez(path, a=np.ones(30), b=np.ones(3))
    else:
        torch.save({"a": torch.ones(30), "b": torch.ones(3)}, path, _use_new_zipfile_serialization=make == "torch")
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(NetspecError) as caught:
            read_weights(path)
        assert caught.value.exit is Exit.MODEL_FILE


def test_every_flipped_bit_of_our_own_file_is_found(tmp_path: Path) -> None:
    write_weights(tmp_path / "w", {"a": torch.ones(3), "b": torch.ones(1, dtype=torch.int64)}, {"note": "x"})
    whole = bytearray((tmp_path / "w").read_bytes())
    for bit in range(8 * len(whole)):
        whole[bit // 8] ^= 1 << bit % 8
        (tmp_path / "flipped").write_bytes(whole)
        whole[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NetspecError) as caught:
            read_weights(tmp_path / "flipped")
        assert caught.value.exit is Exit.MODEL_FILE


def test_changed_number_is_a_checksum_mismatch(tmp_path: Path) -> None:
    write_weights(tmp_path / "w", {"a": torch.ones(3)})
    content = (tmp_path / "w").read_bytes()
    (tmp_path / "w").write_bytes(content[:-1] + bytes([content[-1] ^ 64]))
    assert "checksum mismatch" in refused(tmp_path / "w", "N805")


F = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
BROKEN = {
    "trailing bytes": container({"a": F}, bytes(5)),
    "trailing archive": container({"a": F}, bytes(4) + b"PK\x03\x04 and more"),
    "gap": container({"a": F, "b": F | {"data_offsets": [8, 12]}}, bytes(12)),
    "overlap": container({"a": F, "b": F}, bytes(4)),
    "duplicate": container(b'{"a":%s,"a":%s}' % (json.dumps(F).encode(), json.dumps(F).encode()), bytes(4)),
    "length 2^63": (2**63).to_bytes(8, "little") + b"{}" + bytes(20),
    "length beyond the file": (10**6).to_bytes(8, "little") + b"{}",
    "not JSON": container(b"{nothing here"),
    "deep JSON": container(b'{"a":' * 50_000),
    "number of 5,000 digits": container(b'{"a":{"dtype":"F32","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,4]}}', bytes(4)),
    "unknown type": container({"a": F | {"dtype": "F4"}}, bytes(4)),
    "negative shape": container({"a": F | {"shape": [-1]}}, bytes(4)),
    "shape as text": container({"a": F | {"shape": "1"}}, bytes(4)),
    "true as a number": container({"a": F | {"shape": [True]}}, bytes(4)),
    "overflowing shape": container({"a": F | {"shape": [2**40, 2**40, 0], "data_offsets": [0, 0]}}),
    "size against shape": container({"a": F | {"shape": [2]}}, bytes(4)),
    "offsets missing": container({"a": {"dtype": "F32", "shape": [1]}}, bytes(4)),
    "more than is known": container({"a": F | {"more": 1}}, bytes(4)),
    "metadata of numbers": container({"__metadata__": {"a": 1}, "a": F}, bytes(4)),
    "booleans of 2": container({"a": {"dtype": "BOOL", "shape": [1], "data_offsets": [0, 1]}}, b"\x02"),
    "unpaired surrogate bytes": container(b'{"\xed\xa0\x80":{}}'),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_safetensors_are_refused(tmp_path: Path, what: str) -> None:
    (tmp_path / "w").write_bytes(BROKEN[what])
    refused(tmp_path / "w", "N803")


def test_absurd_sizes_are_refused_without_reading(tmp_path: Path) -> None:
    graph = lenet()
    with (tmp_path / "huge").open("wb") as file:
        file.write((99_000_000).to_bytes(8, "little") + b"{")
        file.truncate(60 * 2**30)
    many = {f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(100_000)}
    (tmp_path / "many").write_bytes(container(many))
    start = time.process_time()
    assert "bytes" in refused(tmp_path / "huge", "N807", graph=graph)
    refused(tmp_path / "many", "N803", graph=graph)
    assert time.process_time() - start < 0.5


def test_names_are_shown_escaped_and_never_used_as_paths(tmp_path: Path) -> None:
    write_weights(tmp_path / "w", {"../../x\x1b[31m": torch.ones(1)})
    with pytest.raises(NetspecError) as caught:
        check_weights(chain((3,), "relu"), read_weights(tmp_path / "w"), "w")
    text = " ".join(caught.value.diagnostics[0].problem.notes())
    assert "../../x\\x1b[31m" in text
    assert "\x1b" not in text
    assert [p.name for p in tmp_path.iterdir()] == ["w"]


# --- what fits ------------------------------------------------------------------------------------------------------------------


def test_every_misfit_is_in_one_error() -> None:
    graph = lenet()
    weights = dict(build(graph).state_dict())
    del weights["conv1.bias"]
    weights["more"] = torch.ones(1)
    weights["fc2.weight"] = weights["fc2.weight"].T.contiguous()
    weights["fc1.bias"] = torch.full((32,), float("nan"))
    weights["conv2.bias"] = torch.zeros(16, dtype=torch.int64)
    weights["bn1.running_var"] = -torch.ones(32)
    with pytest.raises(NetspecError) as caught:
        check_weights(graph, weights, "w.pth")
    (diagnostic,) = caught.value.diagnostics
    text = diagnostic.message + " " + " ".join(diagnostic.problem.notes())
    assert caught.value.exit is Exit.MODEL_FILE
    for part in (
        "w.pth",
        "conv1.bias (test.net:1:1)",
        "more",
        "fc2.weight is 32x10, and 10x32 in the net (test.net:1:1)",
        "fc1.bias has 32 values that are not finite",
        "conv2.bias is int64, and float32",
        "bn1.running_var is a variance",
    ):
        assert part in text


def test_infinities_that_cancel_and_sums_that_overflow() -> None:
    graph = chain((2,), ("linear", {"features": 2}))
    good = {"1.weight": torch.full((2, 2), 3e38), "1.bias": torch.zeros(2)}
    check_weights(graph, good, "w")
    bad = good | {"1.bias": torch.tensor([float("inf"), -float("inf")])}
    with pytest.raises(NetspecError, match="impossible values"):
        check_weights(graph, bad, "w")


def test_old_checkpoints_without_a_counter_fit() -> None:
    graph = chain((2,), "bn")
    weights = {k: v for k, v in build(graph).state_dict().items() if not k.endswith("num_batches_tracked")}
    check_weights(graph, weights, "w")
    assert build(graph, weights).state_dict()["1.num_batches_tracked"] == 0


# --- what is written ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["fsync", "replace", "write"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
def test_failed_write_leaves_the_old_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: int) -> None:
    path = tmp_path / "w"
    write_weights(path, {"a": torch.ones(3)})
    before = path.read_bytes()
    if call == "write":
        monkeypatch.setattr("netspec.backends.torch.safetensors._chunks", lambda *_: _failing(error))
    else:
        monkeypatch.setattr(f"os.{call}", lambda *_: _raise(error))
    with pytest.raises(NetspecError) as caught:
        write_weights(path, {"a": torch.zeros(3)})
    monkeypatch.undo()
    assert caught.value.exit is Exit.ENVIRONMENT
    assert str(path) in str(caught.value)
    assert os.strerror(error) in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["w"]
    assert path.read_bytes() == before


def _raise(error: int) -> None:
    raise OSError(error, os.strerror(error))


def _failing(error: int) -> Any:
    yield b"some bytes"
    _raise(error)


def test_interrupted_write_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_weights(tmp_path / "w", TENSORS)
    assert not list(tmp_path.iterdir())


def test_mode_of_written_file_follows_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_weights(tmp_path / "w", TENSORS)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "w").stat().st_mode) == 0o640


def test_directory_and_missing_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NetspecError, match="a directory") as caught:
        write_weights(tmp_path, TENSORS)
    assert caught.value.exit is Exit.USAGE
    with pytest.raises(NetspecError, match="No such file") as caught:
        write_weights(tmp_path / "none" / "w", TENSORS)
    assert caught.value.exit is Exit.ENVIRONMENT
