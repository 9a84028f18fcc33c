"""A column of parts of photographs: another part of each in every epoch, cut where the photograph is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netspec.data.images.decode import ImageFormat, Pixels, stretched
from netspec.data.images.loading import workers
from netspec.data.images.photographs import Photographs
from netspec.data.rooms import Rooms
from netspec.data.samples import Column, Samples


class Window(Protocol):
    """A part of a photograph: the rows and the columns that it has of it."""

    @property
    def rows(self) -> slice: ...

    @property
    def columns(self) -> slice: ...

    def stretch(self, window: NDArray[Any], target: NDArray[Any]) -> None:
        """Write it to a target of the net's size; ``window`` are its rows and columns, `C x rows x columns`."""


class Cut(Protocol):
    """Says which part of each photograph is seen."""

    def parts(self, indices: Tensor, epoch: int, sizes: NDArray[np.int64]) -> Iterable[Window]:
        """The parts in an epoch of photographs with these numbers in their split and these heights and widths, `N x 2`."""

    def figures(self, indices: Tensor, epoch: int, sizes: NDArray[np.int64]) -> list[list[dict[str, Any]]]:
        """What was drawn for each photograph, step by step."""


class CutColumn(Column):
    """The part of each photograph that is seen in an epoch, at the size of the net's input; outside of any epoch all of it, stretched.

    ``first`` and ``count`` say where the split lies among the photographs. What comes of one does not depend on what it is read with.
    """

    def __init__(self, photographs: Photographs, first: int, count: int, wanted: ImageFormat, cut: Cut) -> None:
        self.photographs = photographs
        self.wanted = wanted
        self.cut = cut
        self.epoch: int | None = None
        self._first = first
        self._count = count
        self._rooms = Rooms()

    def __len__(self) -> int:
        return self._count

    @property
    def eager(self) -> bool:
        return True

    def in_epoch(self, epoch: int) -> CutColumn:
        found = copy(self)
        found.epoch = epoch
        return found

    def figures(self, indices: Tensor, epoch: int) -> list[list[dict[str, Any]]]:
        """What was drawn for these samples in an epoch."""
        return self.cut.figures(indices, epoch, self.photographs.sizes[self._first + indices.numpy()])

    def rows(self, indices: Tensor) -> Tensor:
        made, fill = self._begun(indices)
        fill(range(len(made)))
        return torch.from_numpy(made)

    def read(self, indices: Tensor, pool: ThreadPoolExecutor) -> Callable[[], Tensor]:
        made, fill = self._begun(indices)
        many = max(-(-len(made) // workers()), 1) if self.photographs.kept else 1
        waiting = [pool.submit(fill, range(start, min(start + many, len(made)))) for start in range(0, len(made), many)]

        def gathered() -> Tensor:
            for part in waiting:
                part.result()
            return torch.from_numpy(made)

        return gathered

    def _begun(self, indices: Tensor) -> tuple[Pixels, Callable[[range], None]]:
        """Room for these samples, and what fills some places of it."""
        numbers = indices.tolist()
        made = self._rooms.take((len(numbers), *self.wanted.shape))
        places = [self._first + number for number in numbers]
        if self.epoch is None:
            return made, lambda some: self._fill_whole(made, places, some)
        parts = list(self.cut.parts(indices, self.epoch, self.photographs.sizes[places]))
        return made, lambda some: self._fill(made, places, parts, some)

    def _fill(self, made: Pixels, places: Sequence[int], parts: Sequence[Window], some: range) -> None:
        for place in some:
            part = parts[place]
            part.stretch(self.photographs.window(places[place], part.rows, part.columns), made[place])

    def _fill_whole(self, made: Pixels, places: Sequence[int], some: range) -> None:
        for place in some:
            rows, columns = (slice(0, side) for side in self.photographs.sizes[places[place]].tolist())
            whole = self.photographs.window(places[place], rows, columns)
            made[place] = stretched(torch.from_numpy(whole), (made.shape[2], made.shape[3]))


def cut_inputs(samples: Samples) -> frozenset[str]:
    """The inputs whose pictures are parts of photographs."""
    return frozenset(name for name, column in samples.inputs.items() if isinstance(column, CutColumn))
