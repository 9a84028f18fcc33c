"""The tensors of a file under a net's keys, by the instructions of a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import torch
from torch import Tensor

from netspec.backends.mapping import Contents, Mapped, Row
from netspec.backends.mapping.conversion import Conversion
from netspec.backends.mapping.slots import Pieces
from netspec.backends.torch.weights import WeightsFile


def contents(file: WeightsFile, name: str) -> Contents:
    """What a file is called and holds, by names and shapes. Only a safetensors file, and an HDF5 file without Keras' list of layers, do not
    tell the order of their tensors."""
    shapes = {key: tuple(tensor.shape) for key, tensor in file.tensors.items()}
    ordered = file.format in ("torch", "npz") or file.listed > 0
    return Contents(name, shapes, ordered, file.format == "hdf5", file.names)


def mapped_tensors(mapped: Mapped, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The net's tensors, each in memory of its own."""
    return {row.key: converted(row, tensors) for row in mapped.rows}


def converted(row: Row, tensors: Mapping[str, Tensor]) -> Tensor:
    """One tensor, converted as its row says."""
    change = row.conversion
    if row.source is None:
        return torch.full(change.shape, change.fill or 0.0)
    tensor = tensors[row.source]
    if change.axes is not None:
        tensor = tensor.permute(change.axes)
    return _channels_first(tensor.reshape(change.shape), change).contiguous().clone()


def _channels_first(tensor: Tensor, change: Conversion) -> Tensor:
    """The places of a flattened vector, which ``tensor`` has along an axis, in the order of a net here."""
    if not change.pieces:
        return tensor
    return tensor.index_select(change.axis, _order(change.pieces))


def _order(pieces: Pieces) -> Tensor:
    """For each place of a vector, which place it has where channels stand last."""
    found, start = [], 0
    for shape in pieces:
        count = prod(shape)
        numbers = torch.arange(start, start + count)
        if len(shape) > 1:
            numbers = numbers.view(*shape[1:], shape[0]).movedim(-1, 0).reshape(-1)
        found.append(numbers)
        start += count
    return torch.cat(found)
