"""Samples of one split, in batches: columns by name, held in memory or read as they are needed.

A column is what one input takes or one target holds: pictures, masks, numbers, labels. All columns of a split have one row a sample.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netspec.data.found import Array, Names
from netspec.data.images.loading import workers

Bounds = Sequence[tuple[int, int]]

_AHEAD = 2
"""How many batches are read while one is computed on."""


@dataclass(frozen=True)
class Batch:
    """Some samples.

    ``inputs`` by the names of the net's inputs, each `N x` its shape: bytes where they are pictures, else floats. ``targets`` by the names
    of the targets: `class` N of int64, `labels` `N x K` of 0.0 and 1.0, `number` `N x K` floats, `mask` `N x H x W` bytes, 255 for a pixel
    that counts for nothing.
    """

    inputs: Mapping[str, Tensor]
    targets: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(next(iter(self.targets.values())))

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        if device.type == "cpu":
            return self
        ahead = device.type == "cuda"  # has read memory that is not pinned when `to` returns; others may not, and batches share memory
        moved = ({n: t.to(device, non_blocking=ahead) for n, t in part.items()} for part in (self.inputs, self.targets))
        return Batch(*moved)


class Column(ABC):
    """One value a sample."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def rows(self, indices: Tensor) -> Tensor:
        """The values of these samples, one after the other."""

    def read(self, indices: Tensor, pool: ThreadPoolExecutor) -> Callable[[], Tensor]:
        """Begin to read these samples; what is given gives their values. A column in memory reads when it is asked."""
        return lambda: self.rows(indices)

    @property
    def eager(self) -> bool:
        """Whether reading takes so long that it is begun early, on other threads."""
        return False

    def in_epoch(self, epoch: int) -> Column:
        """The values of an epoch, counted from 0: the same in all, but for parts of photographs, which are drawn anew."""
        return self

    def to(self, device: torch.device) -> Column:
        """The same values, held on the device where that is possible and fits."""
        return self


class MemoryColumn(Column):
    """Values held in memory, or on the device; some rows are one gather."""

    def __init__(self, values: Tensor) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, indices: Tensor) -> Tensor:
        return self.values.index_select(0, indices.to(self.values.device))

    def to(self, device: torch.device) -> Column:
        if device.type != "cuda" or self.values.nbytes > torch.cuda.mem_get_info(device)[0] // 2:
            return self
        return MemoryColumn(self.values.to(device))


class Stored(Protocol):
    """Values that stay in a file: ``values[rows]`` reads some of them, as of a `numpy.memmap`."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: NDArray[np.int64]) -> Array: ...


class MappedColumn(Column):
    """Values in a file from which some rows are read at a time."""

    def __init__(self, values: Stored) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, indices: Tensor) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(self.values[indices.cpu().numpy()]))

    def read(self, indices: Tensor, pool: ThreadPoolExecutor) -> Callable[[], Tensor]:
        return pool.submit(self.rows, indices).result

    @property
    def eager(self) -> bool:
        return True


class ReadColumn(Column):
    """Values read one by one, as images are decoded from their files, on a pool of threads.

    ``read_one`` gives the value of a sample by its number, all of one shape and type; what it raises reaches who asked for the batch.
    """

    def __init__(self, count: int, read_one: Callable[[int], Array]) -> None:
        self._count = count
        self._read_one = read_one

    def __len__(self) -> int:
        return self._count

    def rows(self, indices: Tensor) -> Tensor:
        with ThreadPoolExecutor(workers()) as pool:
            return self.read(indices, pool)()

    def read(self, indices: Tensor, pool: ThreadPoolExecutor) -> Callable[[], Tensor]:
        waiting: list[Future[Array]] = [pool.submit(self._read_one, i) for i in indices.tolist()]
        return lambda: torch.from_numpy(np.stack([found.result() for found in waiting]))

    @property
    def eager(self) -> bool:
        return True


@dataclass(frozen=True)
class Samples:
    """The samples of a split. ``names`` gives what a user knows one by, as the path of its image."""

    inputs: Mapping[str, Column]
    targets: Mapping[str, Column]
    names: Names

    def __len__(self) -> int:
        return len(next(iter(self.targets.values())))

    def name(self, index: int) -> str:
        """What a user knows a sample by."""
        return self.names(index)

    def in_epoch(self, epoch: int) -> Samples:
        """The samples of an epoch, counted from 0: the same in all, but for what is drawn anew, as pairs and parts of photographs are."""
        return replace(self, inputs={name: column.in_epoch(epoch) for name, column in self.inputs.items()})

    def to(self, device: torch.device) -> Samples:
        """The same samples, held on the device where that is possible and fits."""
        moved = ({n: column.to(device) for n, column in part.items()} for part in (self.inputs, self.targets))
        return replace(self, inputs=next(moved), targets=next(moved))

    def target(self, name: str) -> Tensor:
        """All values of a target, on the CPU."""
        return self.targets[name].rows(torch.arange(len(self))).cpu()

    def batches(self, order: Tensor, bounds: Bounds) -> Iterator[Batch]:
        """The samples ``order[start:end]`` for each of the ``bounds``; what is slow to read is read a few batches ahead."""
        if not any(column.eager for column in (*self.inputs.values(), *self.targets.values())):
            for start, end in bounds:
                part = order[start:end]
                yield Batch({n: c.rows(part) for n, c in self.inputs.items()}, {n: c.rows(part) for n, c in self.targets.items()})
            return
        yield from self._read_ahead(order, bounds)

    def _read_ahead(self, order: Tensor, bounds: Bounds) -> Iterator[Batch]:
        pool = ThreadPoolExecutor(workers())
        waiting: deque[tuple[dict[str, Callable[[], Tensor]], dict[str, Callable[[], Tensor]]]] = deque()
        try:
            for start, end in bounds:
                part = order[start:end]
                begun = ({n: c.read(part, pool) for n, c in columns.items()} for columns in (self.inputs, self.targets))
                waiting.append((next(begun), next(begun)))
                if len(waiting) > _AHEAD:
                    yield _gathered(*waiting.popleft())
            while waiting:
                yield _gathered(*waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)


def _gathered(inputs: Mapping[str, Callable[[], Tensor]], targets: Mapping[str, Callable[[], Tensor]]) -> Batch:
    return Batch({n: get() for n, get in inputs.items()}, {n: get() for n, get in targets.items()})
