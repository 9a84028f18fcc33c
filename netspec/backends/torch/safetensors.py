"""The safetensors format: eight bytes with the header's length, a header in JSON, and the numbers.

It is parsed here, strictly: no duplicate name, no gap, no overlap and no byte that the header does not account for. Files that netspec
writes carry ``netspec.sha256`` in their metadata: SHA-256 over the header, with zeros in place of the sum itself, and all that follows.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, BinaryIO, Final, NamedTuple

import torch
from torch import Tensor

from netspec.backends.atomic import write_atomically

LONGEST_HEADER: Final = 100_000_000
CHECKSUM: Final = "netspec.sha256"
FORMAT: Final = "netspec.format"

_ZEROS: Final = "0" * 64
_WRITTEN_SUM = re.compile(rb'"netspec\.sha256":"([0-9a-f]{64})"')

DTYPES: Final[Mapping[str, torch.dtype]] = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
_CODES: Final = {dtype: code for code, dtype in DTYPES.items()}


class Damaged(Exception):
    """A file that is not what its header says; the text says how."""


class Entry(NamedTuple):
    """One tensor: its name, type and shape, and where its bytes begin and end behind the header."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Header:
    """A header, its entries in the order of their bytes; ``raw`` is its own bytes."""

    entries: tuple[Entry, ...]
    metadata: dict[str, str]
    raw: bytes

    @property
    def is_ours(self) -> bool:
        """Whether netspec wrote the file. Either of two keys tells, so that one changed bit cannot hide it."""
        return CHECKSUM in self.metadata or FORMAT in self.metadata

    @property
    def checksum(self) -> str:
        """The sum that the file carries; empty where it has none."""
        return self.metadata.get(CHECKSUM, "")


def read_header(file: BinaryIO, size: int, longest: int = LONGEST_HEADER) -> Header:
    """The header of a file of ``size`` bytes, which is left at the first byte behind it.

    Raises :class:`Damaged`, from the first eight bytes alone where they say that the header is longer than ``longest``.
    """
    if size < 8:
        raise Damaged(f"the file is {size} bytes, and a header begins with 8")
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(size - 8, longest):
        raise Damaged(f"the file is {size} bytes, and its header says it is {length} bytes itself")
    raw = file.read(length)
    table = _parse(raw)
    metadata = _metadata(table.pop("__metadata__", {}))
    entries = tuple(sorted((_entry(name, value) for name, value in table.items()), key=lambda e: (e.start, e.end)))
    _verify_layout(entries, size, 8 + length)
    return Header(entries, metadata, raw)


def read_tensors(file: BinaryIO, header: Header) -> tuple[dict[str, Tensor], str]:
    """The tensors behind a header, each in memory of its own, and the checksum of the file as it is."""
    digest = hashlib.sha256(_WRITTEN_SUM.sub(b'"netspec.sha256":"' + _ZEROS.encode() + b'"', header.raw, count=1))
    tensors = {}
    for entry in header.entries:
        tensor = torch.empty(entry.shape, dtype=entry.dtype)
        content = _bytes(tensor)
        if file.readinto(content) != entry.end - entry.start:  # type: ignore[attr-defined]
            raise Damaged("it became shorter while it was read")
        if header.is_ours:
            digest.update(content)
        if entry.dtype is torch.bool and tensor.numel() and int(tensor.view(torch.uint8).max()) > 1:
            raise Damaged(f"{entry.name} holds bytes that are neither true nor false")
        tensors[entry.name] = tensor
    return tensors, digest.hexdigest()


def write(path: str | os.PathLike[str], tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a file with a checksum, in one piece; equal tensors and metadata give equal bytes."""
    ready = {name: t.detach().cpu().contiguous() for name, t in sorted(tensors.items())}
    header = _header(ready, {**metadata, FORMAT: "1", CHECKSUM: _ZEROS})
    digest = hashlib.sha256(header)
    for tensor in ready.values():
        digest.update(_bytes(tensor))
    header = header.replace(f'"{CHECKSUM}":"{_ZEROS}"'.encode(), f'"{CHECKSUM}":"{digest.hexdigest()}"'.encode(), 1)
    size = 8 + len(header) + sum(t.nbytes for t in ready.values())
    write_atomically(path, _chunks(header, ready), size)


def _chunks(header: bytes, tensors: Mapping[str, Tensor]) -> Iterator[bytes | memoryview]:
    yield len(header).to_bytes(8, "little")
    yield header
    for tensor in tensors.values():
        yield _bytes(tensor)


def _header(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    ordered = {CHECKSUM: metadata[CHECKSUM], **{k: metadata[k] for k in sorted(metadata)}}
    table: dict[str, Any] = {"__metadata__": ordered}
    position = 0
    for name, tensor in tensors.items():
        end = position + tensor.nbytes
        table[name] = {"dtype": _CODES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [position, end]}
        position = end
    raw = json.dumps(table, separators=(",", ":"), ensure_ascii=True).encode()
    return raw + b" " * (-len(raw) % 8)


def _bytes(tensor: Tensor) -> memoryview:
    """A contiguous tensor's memory, as bytes."""
    flat: Any = tensor.reshape(-1).view(torch.uint8).numpy()
    return memoryview(flat)


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        table = json.loads(raw.decode("utf-8"), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise Damaged("its header is not JSON") from error
    if not isinstance(table, dict):
        raise Damaged("its header is not a table")
    return table


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise Damaged(f"its header names {twice[:100]} twice")
    return table


def _metadata(found: object) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise Damaged("its metadata is not text by name")
    return found


def _entry(name: str, value: Any) -> Entry:
    match value:
        case {"dtype": str(code), "shape": [*shape], "data_offsets": [int(start), int(end)]} if len(value) == 3:
            pass
        case _:
            raise Damaged(f"its header does not describe {name[:100]} as a tensor")
    if code not in DTYPES:
        raise Damaged(f"{name[:100]} is of the type {code[:20]}, which is not read")
    if (
        len(shape) > 64
        or any(type(n) is not int or not 0 <= n < 2**48 for n in (*shape, start, end))
        or prod(n or 1 for n in shape) >= 2**48
    ):
        raise Damaged(f"the shape of {name[:100]} is impossible")
    dtype = DTYPES[code]
    if end - start != prod(shape) * dtype.itemsize:
        raise Damaged(f"{name[:100]} is given {end - start} bytes, and its shape takes {prod(shape) * dtype.itemsize}")
    return Entry(name, dtype, tuple(shape), start, end)


def _verify_layout(entries: tuple[Entry, ...], size: int, data: int) -> None:
    """Make sure that the tensors follow each other without gap or overlap and end where the file ends."""
    position = 0
    for entry in entries:
        if entry.start != position:
            raise Damaged(f"the bytes of {entry.name[:100]} do not begin where the ones before end")
        position = entry.end
    if data + position != size:
        raise Damaged(f"the file is {size} bytes, and its header says {data + position}")
