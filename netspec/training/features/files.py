"""The files that hold kept values: one column after the other, then a table of them, its length, and a SHA-256 over all before it."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, Final

import numpy as np
import torch
from torch import Tensor

from netspec.backends.torch import CompiledNet
from netspec.cache import Cache, remove, using
from netspec.diagnostics import failure
from netspec.diagnostics.caching import FeaturesLost
from netspec.frontier import Frontier, StillValue
from netspec.training.features.values import Batches, KeptColumn, computed, view_of

_TAIL: Final = struct.Struct("<8sQ")
_MAGIC: Final = b"netspecF"
_DIGEST: Final = 32
_CHUNK: Final = 2**22


class InFile:
    """Kept values in a file. It may be removed meanwhile, as it stays open.

    Reading raises a :class:`~netspec.diagnostics.NetspecError` N735 where the disk does not give what it held.
    """

    def __init__(self, path: Path, file: BinaryIO, samples: int, values: Sequence[StillValue], columns: Mapping[KeptColumn, int]) -> None:
        self.samples = samples
        self.path, self._file, self._values = path, file, tuple(values)
        self._columns = {(c.node, c.view): (c, start) for c, start in columns.items()}
        self._lock = Lock()
        weakref.finalize(self, file.close)
        using(self)

    def rows(self, indices: Tensor, mirrored: Mapping[str, Tensor] | None = None) -> dict[int, Tensor]:
        """As :meth:`~netspec.training.features.values.Features.rows`, in memory of the processor."""
        numbers = indices.cpu().tolist()
        return {v.node: self._rows(v, numbers, view_of(v, mirrored, len(numbers)).tolist()) for v in self._values}

    def _rows(self, value: StillValue, numbers: Sequence[int], views: Sequence[int]) -> Tensor:
        column, _ = self._columns[value.node, 0]
        found = np.empty((len(numbers), column.row), np.uint8)
        target = memoryview(found.reshape(-1))  # type: ignore[arg-type]
        for at, (number, view) in enumerate(zip(numbers, views, strict=True)):
            start = self._columns[value.node, view][1] + number * column.row
            self._read(target[at * column.row : (at + 1) * column.row], start)
        return column.unpack(torch.from_numpy(found).view(-1).view(column.dtype).view(len(numbers), *column.laid))

    def _read(self, target: memoryview, start: int) -> None:
        try:
            with self._lock:  # whoever reads ahead does so in threads
                self._file.seek(start)
                got = self._file.readinto(target)  # type: ignore[attr-defined]
        except OSError as error:
            raise failure(FeaturesLost(str(self.path), error.strerror or str(error))) from error
        if got != len(target):
            raise failure(FeaturesLost(str(self.path), "it ends too early"))


def open_features(cache: Cache, key: str, frontier: Frontier, samples: int) -> InFile | None:
    """The values kept in the file of a key, every byte checked; ``None`` where there is none, and where it is damaged, which removes it."""
    path = cache.place("features", key)
    try:
        file = path.open("rb", buffering=0)
    except OSError:
        return None
    columns = _checked(file, key, frontier, samples)
    if columns is None:
        file.close()
        remove(path)
        return None
    return InFile(path, file, samples, frontier.values, columns)


def keep_in_file(net: CompiledNet, frontier: Frontier, batches: Batches, samples: int, cache: Cache, key: str) -> InFile:
    """Compute all values of a frontier into the file of a key, and open it.

    Raises :class:`ValueError` where ``batches`` do not come to ``samples``, :class:`OSError` where the disk does not take them.
    """
    descriptor, temporary = cache.new_file("features")
    try:
        with os.fdopen(descriptor, "r+b") as file:
            columns = _write_columns(file, net, frontier, batches, samples)
            _finish(file, key, _table(frontier, columns), samples)
        path = temporary.replace(cache.place("features", key))
    except BaseException:
        remove(temporary)
        raise
    return InFile(path, path.open("rb", buffering=0), samples, frontier.values, columns)


def _write_columns(file: BinaryIO, net: CompiledNet, frontier: Frontier, batches: Batches, samples: int) -> dict[KeptColumn, int]:
    """Every column at its place: rows come batch by batch, so the columns are written side by side."""
    starts: dict[KeptColumn, int] = {}
    done = end = 0
    for count, parts in computed(net, frontier, batches):
        if done + count > samples:
            raise ValueError(f"{samples} samples were to come, and there are more")
        for column, values in parts.items():
            if column not in starts:
                starts[column], end = end, end + samples * column.row
            file.seek(starts[column] + done * column.row)
            file.write(values.cpu().view(-1).view(torch.uint8).numpy().data)
        done += count
    if done != samples:
        raise ValueError(f"{samples} samples were to come, and {done} did")
    return starts


def _finish(file: BinaryIO, key: str, rows: Sequence[object], samples: int) -> None:
    table = json.dumps([key, samples, rows]).encode()
    file.seek(0, os.SEEK_END)
    file.write(table + _TAIL.pack(_MAGIC, len(table)))
    file.flush()
    file.write(_digest(file, file.tell()))
    file.flush()
    os.fsync(file.fileno())


def _checked(file: BinaryIO, key: str, frontier: Frontier, samples: int) -> dict[KeptColumn, int] | None:
    """The columns of a file, if all of it is as it was written, and for this key."""
    try:
        size = file.seek(0, os.SEEK_END)
        behind = size - _DIGEST
        if behind < _TAIL.size or _read(file, behind, _DIGEST) != _digest(file, behind):
            return None
        magic, length = _TAIL.unpack(_read(file, behind - _TAIL.size, _TAIL.size))
        if magic != _MAGIC:
            return None
        known, count, rows = json.loads(_read(file, behind - _TAIL.size - length, length))
    except (OSError, ValueError):
        return None
    return _columns(frontier, rows) if (known, count) == (key, samples) else None


def _table(frontier: Frontier, columns: Mapping[KeptColumn, int]) -> list[list[object]]:
    """The columns as data. Values go by their places: another net that has the same frozen part has other numbers for its nodes."""
    place = {v.node: i for i, v in enumerate(frontier.values)}
    return [
        [place[c.node], c.view, list(c.shape), str(c.dtype).removeprefix("torch."), c.channels_last, start] for c, start in columns.items()
    ]


def _columns(frontier: Frontier, rows: Sequence[Sequence[Any]]) -> dict[KeptColumn, int]:
    """What :func:`_table` was made of."""
    return {
        KeptColumn(frontier.values[place].node, view, tuple(shape), getattr(torch, dtype), last): start
        for place, view, shape, dtype, last, start in rows
    }


def _digest(file: BinaryIO, size: int) -> bytes:
    """The SHA-256 of the first bytes of a file."""
    file.seek(0)
    found = hashlib.sha256()
    while size > 0:
        chunk = file.read(min(_CHUNK, size))
        if not chunk:
            break
        found.update(chunk)
        size -= len(chunk)
    file.seek(0, os.SEEK_END)
    return found.digest()


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)
