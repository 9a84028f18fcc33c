"""Files of weights in every format, for tests: right ones, and ones made to do harm."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from netspec.backends.torch import write_weights
from netspec.cli.main import run
from netspec.compiler import compile_source
from netspec.graph import Graph
from netspec.source import Source

KERAS: Final = Path(__file__).with_name("keras")

SPEC: Final = """\
net Small(classes = 3) {
    image: input(2x6x6)
    conv(4, 3, padding=1, bias=false) -> bn -> relu -> maxpool(2)
    flatten -> fc: linear(classes)
}
"""


def net(text: str = SPEC, name: str | None = None, folder: str = ".", **parameters: Any) -> Graph:
    """The graph of a text; files that it names are looked for in ``folder``."""
    return compile_source(Source("small.net", text, folder), net=name, **parameters)[0]


def save(tensors: Mapping[str, Tensor], path: Path, form: str) -> Path:
    """A file of the format ``form``, whatever its name ends in."""
    arrays = {key: tensor.numpy() for key, tensor in tensors.items()}
    if form == "netspec":
        write_weights(path, tensors)
    elif form == "safetensors":
        safetensors.torch.save_file(dict(tensors), path)
    elif form == "torch":
        torch.save(dict(tensors), path)
    elif form == "npz":
        with path.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
    else:
        with h5py.File(path, "w") as file:
            for key, array in arrays.items():
                file[key.replace(".", "/")] = array
    return path


FORMS: Final = ("netspec", "safetensors", "torch", "npz", "h5")


def keras2(path: Path, layers: Sequence[tuple[str, Mapping[str, np.ndarray]]], whole: bool = False) -> Path:
    """A file as Keras 2 writes weights: a group for each layer, the arrays in it called `layer/kernel:0`, lists of both as attributes."""
    with h5py.File(path, "w") as file:
        top = file.create_group("model_weights") if whole else file
        top.attrs["layer_names"] = np.array([name.encode() for name, _ in layers])
        for name, arrays in layers:
            group = top.create_group(name)
            group.attrs["weight_names"] = np.array([f"{name}/{key}:0".encode() for key in arrays])
            for key, array in arrays.items():
                group[f"{name}/{key}:0"] = array
    return path


def container(header: object, data: bytes = b"") -> bytes:
    """A safetensors file with this header."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + data


Command = Callable[..., tuple[int, str, str]]


def command(capsys: Any) -> Command:
    """Runs the program with these arguments; gives its exit code and what it printed."""

    def do(*arguments: object) -> tuple[int, str, str]:
        code = run([str(a) for a in arguments])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return do
