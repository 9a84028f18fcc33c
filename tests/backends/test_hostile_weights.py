"""Weights files made to do harm: tensors of any size in a few bytes, kinds of tensors that are none, archives of all sorts."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from netspec.backends.atomic import write_atomically
from netspec.backends.torch import build
from netspec.backends.torch.weights import check_weights, read_weights
from netspec.diagnostics import Exit, NetspecError
from netspec.graph import Graph
from tests.training.nets import graph


@pytest.fixture
def net(tmp_path: Path) -> Graph:
    return graph(tmp_path)


def refused(net: Graph, path: Path) -> str:
    with pytest.raises(NetspecError) as caught:
        check_weights(net, read_weights(path, net), str(path))
    assert caught.value.exit == Exit.MODEL_FILE
    return caught.value.diagnostics[0].code


@pytest.mark.parametrize("key", ["0.weight", "1.running_var", "stranger"])
def test_a_tensor_of_terabytes_in_a_few_bytes(net: Graph, tmp_path: Path, key: str) -> None:
    """All of its numbers are one and the same in memory: whoever adds them up waits for ever."""
    torch.save(build(net).state_dict() | {key: torch.zeros(1).expand(10**13)}, tmp_path / "w.pth")
    assert refused(net, tmp_path / "w.pth") == "N806"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.tensor(1j),
        lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
        lambda: torch._neg_view(torch.zeros(())),
    ],
    ids=["complex", "nested", "negative"],
)
def test_kinds_of_tensors_that_no_weight_is_of(net: Graph, tmp_path: Path, make: Callable[[], Tensor]) -> None:
    torch.save(build(net).state_dict() | {"1.num_batches_tracked": make()}, tmp_path / "w.pth")
    assert refused(net, tmp_path / "w.pth") == "N804"


@pytest.mark.parametrize(("offset", "value"), [(8, 1), (10, 99)], ids=["encrypted", "unknown-compression"])
def test_archives_that_cannot_be_unpacked(net: Graph, tmp_path: Path, offset: int, value: int) -> None:
    path = tmp_path / "w.npz"
    np.savez(path, **{key: tensor.numpy() for key, tensor in build(net).state_dict().items()})
    content = bytearray(path.read_bytes())
    for entry in re.finditer(rb"PK\x01\x02", bytes(content)):
        content[entry.start() + offset] = value
    path.write_bytes(content)
    assert refused(net, path) == "N803"


def test_a_long_name_in_other_letters(tmp_path: Path) -> None:
    """The temporary file's name is longer, and the limit is on bytes."""
    path = tmp_path / ("日" * 83 + ".dot")
    write_atomically(path, [b"x"], 1)
    assert path.read_bytes() == b"x"
