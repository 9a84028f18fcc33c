"""Files of weights: read by what they hold and never by what they are called, checked against a net, and written whole or not at all.

Nothing that a file says is run: safetensors is parsed here, ``.npz`` is read without pickles, what ``torch.save`` wrote is read by
``torch.load(weights_only=True)`` alone, and HDF5 in a process of its own. A file is read into memory; nothing of it stays open.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Literal

import numpy as np
import torch
from torch import Tensor

from netspec.backends.atomic import open_regular
from netspec.backends.fit import fits, misfits
from netspec.backends.torch import hdf5, safetensors
from netspec.backends.torch.safetensors import Damaged
from netspec.diagnostics import NetspecError, failure
from netspec.diagnostics.models import BrokenFile, ChecksumMismatch, FileTooLarge, NotTensorsAlone, UnknownWeightsFormat
from netspec.diagnostics.usage import MissingLibrary
from netspec.graph import Graph
from netspec.shape import elements

Format = Literal["safetensors", "torch", "npz", "hdf5"]

_SPARE: Final = 16 * 2**20
"""Bytes a file may be larger than the net's weights: its names and headers."""

_TIMES: Final = 4
"""How many times larger than the net's weights in 32 bits a file may be: in 64 bits, or with what an optimiser keeps of each number."""


@dataclass(frozen=True)
class Bound:
    """What a file may be: so many bytes, packed or unpacked, and so many bytes of names and shapes."""

    bytes: int
    header: int


UNBOUND: Final = Bound(64 * 2**30, safetensors.LONGEST_HEADER)
"""For a file of which no net says what is reasonable."""

PART: Final = Bound(4 * 2**30, 16 * 2**20)
"""For a file of which a part is wanted: larger than any published net for pictures."""

_NESTED: Final = ("state_dict", "model_state_dict", "model")
"""Where training programs put the state dict among other things."""


@dataclass(frozen=True)
class WeightsFile:
    """What a file of weights holds, in its own order. ``metadata`` is what safetensors files say of themselves.

    Arrays of HDF5 are called by their paths, with slashes; Keras lists the first ``listed`` of them layer by layer, and Keras 3 has
    ``names`` for its layers.
    """

    format: Format
    tensors: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)
    listed: int = 0
    names: dict[str, str] = field(default_factory=dict)

    def by_key(self) -> dict[str, Tensor]:
        """The tensors as keys of a state dict: the paths of HDF5 with dots."""
        if self.format != "hdf5":
            return self.tensors
        dotted = {path.replace("/", "."): tensor for path, tensor in self.tensors.items()}
        return dotted if len(dotted) == len(self.tensors) else self.tensors


def read_weights(path: str | os.PathLike[str], graph: Graph | None = None) -> dict[str, Tensor]:
    """The tensors of a file by name: safetensors, PyTorch's ``.pth`` or ``.pt``, numpy's ``.npz``, or HDF5, as Keras' ``.h5``.

    With ``graph``, a file far larger than its weights is refused before it is read. Raises a
    :class:`~netspec.diagnostics.NetspecError` (exit 4): N801 where the file cannot be read, N802 where it is something else, N803 where
    it is damaged, N804 where it holds more than tensors, N805 where a file of ours has changed, N807 where it is too large.
    """
    return read_file(path, graph).by_key()


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """What a safetensors file says of itself; empty for other formats. Raises as :func:`read_weights` does."""
    name = os.fspath(path)
    with open_regular(name) as file:
        size = os.fstat(file.fileno()).st_size
        if _format(file, name, size) != "safetensors":
            return {}
        try:
            return safetensors.read_header(file, size).metadata
        except Damaged as error:
            raise failure(BrokenFile(name, str(error))) from error


def read_file(path: str | os.PathLike[str], graph: Graph | None = None) -> WeightsFile:
    """A file's tensors, its format and its metadata; see :func:`read_weights`."""
    name = os.fspath(path)
    with open_regular(name) as file:
        return read_opened(file, name, UNBOUND if graph is None else bound(graph))


def bound(graph: Graph) -> Bound:
    """What a file of a net's weights may be."""
    sizes = [elements(weight.shape) * 4 for _, weight, _ in graph.weights()]
    return Bound(_TIMES * sum(sizes) + _SPARE, 2**20 + 1024 * len(sizes))


def read_opened(file: BinaryIO, name: str, most: Bound) -> WeightsFile:
    """As :func:`read_file`, for a regular file that is open."""
    size = os.fstat(file.fileno()).st_size
    _refuse_huge(name, size, most)
    match _format(file, name, size):
        case "safetensors":
            return _safetensors(file, name, size, most.header)
        case "torch":
            return WeightsFile("torch", _torch(file, name))
        case "npz":
            return WeightsFile("npz", _npz(file, name, most))
        case "hdf5":
            return _hdf5(file, name, size, most)


def check_weights(
    graph: Graph, tensors: Mapping[str, Tensor], name: str, *, allow_extra: bool = False, allow_nonfinite: bool = False
) -> None:
    """Make sure that tensors are the weights of a graph; ``name`` says where they came from.

    Raises one N806 that lists what is missing (with the line of the layer that declares it), unexpected (unless ``allow_extra``), of
    another shape or type, not finite (unless ``allow_nonfinite``), or a variance below zero. Values are looked at where the rest is right:
    a small file may claim a tensor of any size.
    """
    found = ((key, tensors[key]) for key, weight, _ in graph.weights() if key in tensors and fits(tensors[key], weight))
    bad = tuple(sentence for key, tensor in found if (sentence := impossible(key, tensor, allow_nonfinite)))
    if problem := misfits(graph, tensors, name, bad, allow_extra=allow_extra):
        raise failure(problem)


def write_weights(path: str | os.PathLike[str], tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file with a checksum over all of it, so that it is there whole or not at all.

    Raises a :class:`~netspec.diagnostics.NetspecError` N810 (exit 5) where the disk is full or does not allow it.
    """
    safetensors.write(path, tensors, metadata or {})


def _refuse_huge(name: str, size: int, most: Bound) -> None:
    if size > most.bytes:
        raise failure(FileTooLarge(name, size, most.bytes))


def _format(file: BinaryIO, name: str, size: int) -> Format:
    """The format by the first bytes; for an archive, by the names in it."""
    start = file.read(16)
    file.seek(0)
    if start.startswith(hdf5.SIGNATURE):
        return "hdf5"
    if start[8:9] == b"{":  # before the others: the length of a header may look like the beginning of a pickle
        return "safetensors"
    if start[:4] == b"PK\x03\x04":
        return _archive(file, name)
    if start[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        return "torch"
    raise failure(UnknownWeightsFormat(name, _guess(start, size)))


def _guess(start: bytes, size: int) -> str:
    known = {
        b"\x93NUMPY": "one numpy array, .npy",
        b"\x89PNG": "a picture",
        b"\xff\xd8\xff": "a picture",
        b"\x1f\x8b": "a compressed file",
        b"%PDF": "a PDF",
        b"version https://": "a pointer of Git LFS to a file that was not fetched",
        b"<": "a web page",
        b"\x08": "an ONNX model",
    }
    if not size:
        return "an empty file"
    return next((words for magic, words in known.items() if start.startswith(magic)), "something else")


def _archive(file: BinaryIO, name: str) -> Format:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, RecursionError) as error:
        raise failure(BrokenFile(name, f"its archive cannot be read ({error})")) from error
    finally:
        file.seek(0)
    names = [m.filename for m in members]
    if names and all(n.endswith(".npy") for n in names):
        return "npz"
    if "model.weights.h5" in names:
        raise failure(UnknownWeightsFormat(name, "an archive of Keras; unzip it: the model.weights.h5 in it is read"))
    if any(n.endswith("/data.pkl") for n in names) and not any(m.compress_type for m in members):
        return "torch"
    raise failure(UnknownWeightsFormat(name, "an archive of something else"))


def _safetensors(file: BinaryIO, name: str, size: int, longest: int) -> WeightsFile:
    try:
        header = safetensors.read_header(file, size, longest)
        tensors, digest = safetensors.read_tensors(file, header)
    except Damaged as error:
        raise failure(BrokenFile(name, str(error))) from error
    if header.is_ours and digest != header.checksum:
        raise failure(ChecksumMismatch(name))
    return WeightsFile("safetensors", tensors, header.metadata)


def _torch(file: BinaryIO, name: str) -> dict[str, Tensor]:
    """What ``torch.save`` wrote, by ``torch.load(weights_only=True)`` and nothing laxer."""
    content = io.BytesIO(file.read())
    try:
        held = torch.load(content, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises pickle's, zipfile's and its own errors here, by the dozen
        foreign = re.search(r"GLOBAL ([\w.]+)", str(error))
        if foreign:
            raise failure(NotTensorsAlone(name, foreign.group(1))) from error
        raise failure(BrokenFile(name, "PyTorch cannot read it as named tensors")) from error
    return _named(held, name)


def _named(held: object, name: str) -> dict[str, Tensor]:
    """The state dict among what a file held."""
    if isinstance(held, Mapping):
        inner = next((held[k] for k in _NESTED if isinstance(held.get(k), Mapping)), held)
        other = [f"{k} ({type(v).__name__})" for k, v in inner.items() if not _plain(k, v)]
        if other:
            raise failure(NotTensorsAlone(name, ", ".join(other[:5])))
        return {k: v.detach() for k, v in inner.items()}
    raise failure(NotTensorsAlone(name, type(held).__name__))


def _plain(key: object, value: object) -> bool:
    return (
        isinstance(key, str)
        and isinstance(value, Tensor)
        and value.layout is torch.strided
        and not value.is_quantized
        and not value.is_meta
        and not value.is_nested
        and not value.is_complex()
        and not value.is_neg()
    )


def _npz(file: BinaryIO, name: str, most: Bound) -> dict[str, Tensor]:
    try:
        with zipfile.ZipFile(file) as archive:
            _refuse_huge(name, sum(m.file_size for m in archive.infolist()), most)
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            return {key: _from_numpy(arrays[key]) for key in arrays.files}
    except NetspecError:
        raise
    except Exception as error:  # zipfile, its decompressors and numpy raise whatever they like on a stranger's bytes
        raise failure(BrokenFile(name, f"numpy cannot read it as plain arrays ({str(error)[:100]})")) from error


def _hdf5(file: BinaryIO, name: str, size: int, most: Bound) -> WeightsFile:
    try:
        found = hdf5.read(file, size, most.bytes)
    except Damaged as error:
        raise failure(BrokenFile(name, str(error))) from error
    except hdf5.Foreign as error:
        raise failure(NotTensorsAlone(name, str(error))) from error
    except hdf5.Large as error:
        raise failure(FileTooLarge(name, error.size, most.bytes)) from error
    except hdf5.NoH5py as error:
        raise failure(MissingLibrary("h5py")) from error
    return WeightsFile("hdf5", found.tensors, listed=found.listed, names=found.names)


def _from_numpy(array: object) -> Tensor:
    if not isinstance(array, np.ndarray):
        raise TypeError("not an array")
    return torch.from_numpy(np.require(array, dtype=array.dtype.newbyteorder("="), requirements=["C", "W"]))


def impossible(key: str, tensor: Tensor, allow_nonfinite: bool = False) -> str | None:
    """What is wrong with a tensor's values, or ``None``. A finite sum proves that every number is finite, and is quickly taken."""
    sought = tensor.is_floating_point() and tensor.numel() and not allow_nonfinite
    if sought and not torch.isfinite(tensor.sum(dtype=torch.float32)):
        count = int((~torch.isfinite(tensor)).sum())
        if count:
            return f"{key} has {count:,} values that are not finite"
    if key.endswith("running_var") and tensor.numel() and bool((tensor < 0).any()):
        return f"{key} is a variance and has values below 0"
    if key.endswith("num_batches_tracked") and tensor.numel() == 1 and not 0 <= int(tensor) < 2**53:
        return f"{key} counts batches and is {int(tensor)}"
    return None
