"""What data held when a run began: a line for each sample, so that a change can be told by name."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netspec.data.found import Names

_BYTES: Final = 6
"""Of the SHA-256 of a sample, so many are enough to see that it changed; that nothing did is for the fingerprint to say."""
_AT_ONCE: Final = 4096


@dataclass(frozen=True)
class Inventory:
    """The samples of each split by their names below ``root``, and what stands for the content and the targets of each."""

    root: Path
    names: Mapping[str, Names]
    digests: Mapping[str, NDArray[np.uint8]]
    """The SHA-256 of each sample's content and targets, `N x 32`, by split; the first 6 bytes of each are kept."""

    def lines(self) -> Iterator[str]:
        """``split``, the first bytes of the SHA-256, and the name, with a tab between them."""
        for split, name in self.names.items():
            for index, found in enumerate(self.digests[split][:, :_BYTES]):
                digest = found.tobytes().hex()
                short = name(index).removeprefix(f"{self.root}/")
                yield f"{split}\t{digest}\t{short.encode('unicode_escape').decode('ascii')}\n"

    def packed(self) -> bytes:
        """All lines, by gzip, the same bytes for the same samples."""
        packer = zlib.compressobj(6, wbits=31)
        found, lines = [], list[str]()
        for line in self.lines():
            lines.append(line)
            if len(lines) == _AT_ONCE:
                found.append(packer.compress("".join(lines).encode()))
                lines.clear()
        return b"".join([*found, packer.compress("".join(lines).encode()), packer.flush()])

    def elsewhere(self, split: str, before: bytes) -> int:
        """How many samples of a split were in others alone, by their content, when an inventory was packed. Raises :class:`ValueError`
        where that is none, or says nothing of most of these samples."""
        known: dict[str, set[str]] = {}
        for line in _unpacked(before):
            other, digest, _ = line.split("\t")
            known.setdefault(digest, set()).add(other)
        digests = [row.tobytes().hex() for row in self.digests[split][:, :_BYTES]]
        found = [known[digest] for digest in digests if digest in known]
        if 2 * len(found) < len(digests):
            raise ValueError("most of these samples are not in it")
        return sum(split not in splits for splits in found)


@dataclass(frozen=True)
class Changes:
    """What is different in data, by the names of samples; ``moved`` are in another split and otherwise the same."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()


def changes(before: bytes, now: Inventory, *, own_splits: bool) -> Changes:
    """What an inventory has beside one that was packed. Where splits are drawn by shares, which sample is in which is no change of the
    data. Raises :class:`ValueError` where ``before`` is none."""
    old = _by_name(_unpacked(before))
    new = _by_name(now.lines())
    both = sorted(new.keys() & old.keys())
    return Changes(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        changed=tuple(name for name in both if _contents(old[name]) != _contents(new[name])),
        moved=tuple(name for name in both if own_splits and _contents(old[name]) == _contents(new[name]) and old[name] != new[name]),
    )


def _unpacked(packed: bytes) -> list[str]:
    if not packed:
        raise ValueError("it is empty")
    try:
        return gzip.decompress(packed).decode("ascii").splitlines()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(str(error)) from error


def _by_name(lines: Iterable[str]) -> dict[str, list[str]]:
    """The splits and digests of each name, which a table may have more than once."""
    found: dict[str, list[str]] = {}
    for line in lines:
        split, digest, name = line.rstrip("\n").split("\t")
        found.setdefault(name, []).append(f"{digest} {split}")
    return {name: sorted(entries) for name, entries in found.items()}


def _contents(entries: Sequence[str]) -> list[str]:
    return [entry.partition(" ")[0] for entry in entries]
