"""Values of a frozen part that were computed once: in memory, or in a file of the user's cache, to be read by sample.

A file is known by what its content follows from: the weights of the part, the layers it is made of, the data, the views, the numbers it
was computed in, and PyTorch's version. It is written beside its place, flushed and renamed, and every byte is checked when it is
opened: what is damaged or cut short is removed, and made anew. Rows are read by position and not through mapped memory, where a
file that is cut short by something else would end the process.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Final, Protocol

import torch
from torch import Tensor

from netspec.backends.torch import CompiledNet
from netspec.frontier import Frontier, StillValue, name_of, needed_beyond
from netspec.graph import key_of

Batches = Callable[[], Iterable[Sequence[Tensor]]]
"""Gives all samples in their order, batch by batch: a tensor for each input of the net, as the net takes it without augmentation."""


@dataclass(frozen=True)
class KeptColumn:
    """One view of one value for every sample: ``shape`` and ``dtype`` of a sample, and whether its channels lie last."""

    node: int
    view: int
    shape: tuple[int, ...]
    dtype: torch.dtype
    channels_last: bool

    @property
    def row(self) -> int:
        """Bytes for each sample."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def laid(self) -> tuple[int, ...]:
        """The shape of a sample as it lies in memory."""
        return (*self.shape[1:], self.shape[0]) if self.channels_last else self.shape

    def pack(self, values: Tensor) -> Tensor:
        """A batch as it is kept."""
        return (values.permute(0, 2, 3, 1) if self.channels_last else values).contiguous()

    def unpack(self, rows: Tensor) -> Tensor:
        """What was packed, in the order in which it lay."""
        return rows.permute(0, 3, 1, 2) if self.channels_last else rows


class Features(Protocol):
    """Kept values."""

    samples: int

    def rows(self, indices: Tensor, mirrored: Mapping[str, Tensor] | None = None) -> dict[int, Tensor]:
        """The values of samples by their numbers, `N`: for each node its values, `N x …`.

        ``mirrored`` says by the name of an input which of these samples it is mirrored in, `N` booleans.
        """


def view_of(value: StillValue, mirrored: Mapping[str, Tensor] | None, count: int) -> Tensor:
    """For each sample the view of a value that is asked for, 0 or 1."""
    if value.mirrored is None or mirrored is None or value.mirrored not in mirrored:
        return torch.zeros(count, dtype=torch.int64)
    return mirrored[value.mirrored].to("cpu", torch.int64)


class InMemory:
    """Kept values in memory, or on the device that trains."""

    def __init__(self, values: Sequence[StillValue], columns: Mapping[KeptColumn, Tensor]) -> None:
        self._values = tuple(values)
        self._columns = {(c.node, c.view): (c, rows) for c, rows in columns.items()}
        self.samples = len(next(iter(columns.values())))

    def rows(self, indices: Tensor, mirrored: Mapping[str, Tensor] | None = None) -> dict[int, Tensor]:
        """As :meth:`Features.rows`, on the device that the values are on."""
        return {value.node: self._rows(value, indices, view_of(value, mirrored, len(indices))) for value in self._values}

    def _rows(self, value: StillValue, indices: Tensor, views: Tensor) -> Tensor:
        column, plain = self._columns[value.node, 0]
        numbers = indices.to(plain.device)
        found = plain[numbers]
        if value.views == 2 and bool(views.any()):
            at = views.nonzero()[:, 0].to(plain.device)
            found[at] = self._columns[value.node, 1][1][numbers[at]]
        return column.unpack(found)


def keep_in_memory(
    net: CompiledNet, frontier: Frontier, batches: Batches, samples: int, device: torch.device | str | None = None
) -> InMemory:
    """Compute all values of a frontier, and hold them in memory, on ``device`` where one is given.

    The net is run as it is: in the mode and precision around the call. Raises :class:`ValueError` where ``batches`` do not come to
    ``samples``.
    """
    kept: dict[KeptColumn, Tensor] = {}
    done = 0
    for count, parts in computed(net, frontier, batches):
        for column, values in parts.items():
            if column not in kept:
                kept[column] = torch.empty((samples, *column.laid), dtype=column.dtype, device=device or values.device)
            kept[column][done : done + count] = values
        done += count
    if done != samples:
        raise ValueError(f"{samples} samples were to come, and {done} did")
    return InMemory(frontier.values, kept)


def computed(net: CompiledNet, frontier: Frontier, batches: Batches) -> Iterator[tuple[int, dict[KeptColumn, Tensor]]]:
    """For each batch how many samples it has, and its values, packed, every view of them."""
    names = [name_of(n) for n in net.graph.inputs]
    twice = tuple(v for v in frontier.values if v.views == 2)
    swapped = {v.mirrored for v in twice}
    for inputs in batches():
        parts = _packed(frontier.values, 0, net.features([v.node for v in frontier.values], *inputs))
        if twice:
            other = [x.flip(-1) if name in swapped else x for name, x in zip(names, inputs, strict=True)]
            parts |= _packed(twice, 1, net.features([v.node for v in twice], *other))
        yield len(inputs[0]), parts


def _packed(values: Sequence[StillValue], view: int, tensors: Sequence[Tensor]) -> dict[KeptColumn, Tensor]:
    found = {}
    for value, tensor in zip(values, tensors, strict=True):
        last = tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous()
        column = KeptColumn(value.node, view, tuple(tensor.shape[1:]), tensor.dtype, last)
        found[column] = column.pack(tensor)
    return found


_KEY_VERSION: Final = "netspec features 1"


def features_key(net: CompiledNet, frontier: Frontier, data: str, computed_in: str) -> str:
    """SHA-256 of all that kept values follow from.

    ``data`` stands for the samples, in their order and as they are decoded before the net; ``computed_in`` says in
    which numbers, on what and in which batches they are computed.
    """
    nodes = net.graph.nodes
    before = sorted(needed_beyond(nodes, (v.node for v in frontier.values), ()))
    place = {n: i for i, n in enumerate(before)}
    state = net.state_dict()
    layers = []
    for node in (nodes[n] for n in before):
        what = name_of(node) if node.role == "input" else repr(node.facts.torch)
        weights = [_digest(state[key_of(node.path, name)]) for name in node.facts.weights]
        layers.append([node.role, what, list(node.output), [place[i] for i in node.inputs], weights])
    values = [[place[v.node], v.mirrored] for v in frontier.values]
    return hashlib.sha256(json.dumps([_KEY_VERSION, torch.__version__, data, computed_in, layers, values]).encode()).hexdigest()


def _digest(tensor: Tensor) -> str:
    plain = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8)
    return hashlib.sha256(plain.numpy().data).hexdigest()
