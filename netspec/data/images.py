"""Images of one split, in batches: held in memory, or decoded as they are needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from netspec.data.decode import ImageFormat, Pixels, Unreadable, decode, read_bytes
from netspec.data.loading import workers
from netspec.diagnostics import failure
from netspec.diagnostics.data import BadImages

Batch = tuple[Tensor, Tensor]
"""Pixels, `N x C x H x W` bytes, and labels, `N` whole numbers."""

_AHEAD = 2
"""How many batches are decoded while one is computed on."""


class ImageSet(ABC):
    """Images and their labels; ``labels`` are numbers of classes, `N` of int64."""

    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def batches(self, order: Tensor, bounds: Sequence[tuple[int, int]]) -> Iterator[Batch]:
        """The images ``order[start:end]`` for each of the ``bounds``."""

    @abstractmethod
    def name(self, index: int) -> str:
        """What a user knows an image by."""

    def to(self, device: torch.device) -> ImageSet:
        """The same images, held on the device where that is possible and fits."""
        return self


class MemoryImages(ImageSet):
    """Images held in memory, or on the device, as bytes; a batch is one gather, no loop over images."""

    def __init__(self, pixels: Tensor, labels: Tensor, names: Callable[[int], str]) -> None:
        self.pixels = pixels
        self.labels = labels
        self._names = names

    def batches(self, order: Tensor, bounds: Sequence[tuple[int, int]]) -> Iterator[Batch]:
        order = order.to(self.pixels.device)
        for start, end in bounds:
            part = order[start:end]
            yield self.pixels.index_select(0, part), self.labels.index_select(0, part)

    def name(self, index: int) -> str:
        return self._names(index)

    def to(self, device: torch.device) -> ImageSet:
        if device.type != "cuda" or self.pixels.nbytes > torch.cuda.mem_get_info(device)[0] // 2:
            return self
        return MemoryImages(self.pixels.to(device), self.labels.to(device), self._names)


class FileImages(ImageSet):
    """Images decoded from their files by a pool of threads, a few batches ahead."""

    def __init__(self, files: Sequence[Path], labels: Tensor, wanted: ImageFormat) -> None:
        self.files = files
        self.labels = labels
        self._wanted = wanted

    def batches(self, order: Tensor, bounds: Sequence[tuple[int, int]]) -> Iterator[Batch]:
        pool = ThreadPoolExecutor(workers())
        waiting: deque[tuple[Tensor, list[Future[Pixels]]]] = deque()
        try:
            for start, end in bounds:
                part = order[start:end]
                waiting.append((part, [pool.submit(self._decode, i) for i in part.tolist()]))
                if len(waiting) > _AHEAD:
                    yield self._gather(*waiting.popleft())
            while waiting:
                yield self._gather(*waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _gather(self, part: Tensor, decoded: Sequence[Future[Pixels]]) -> Batch:
        return torch.from_numpy(np.stack([d.result() for d in decoded])), self.labels.index_select(0, part)

    def _decode(self, index: int) -> Pixels:
        path = self.files[index]
        try:
            return decode(read_bytes(path), self._wanted)
        except Unreadable as error:
            raise failure(BadImages(((str(path), str(error)),))) from error

    def name(self, index: int) -> str:
        return str(self.files[index])
