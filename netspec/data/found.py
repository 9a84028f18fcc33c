"""What a reader of some layout finds: the samples of each split, before any image is decoded and before classes have numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from netspec.diagnostics import Problem

SPLITS: Final = ("train", "val", "test")
IGNORED: Final = 255
"""The value of a mask's pixel that counts for nothing."""

Array = NDArray[Any]
Indices = NDArray[np.int64]


@dataclass
class Skipped:
    """What was passed over: how many hidden and system entries, and the paths of what is not read by its name."""

    hidden: int = 0
    left_out: list[str] = field(default_factory=list)


class Paths(Sequence[Path]):
    """Files below a folder, kept as short texts: a million of them take a tenth of what as many :class:`~pathlib.Path` would."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        self.root = root
        self.names = names

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Path: ...

    @overload
    def __getitem__(self, index: slice) -> Paths: ...

    def __getitem__(self, index: int | slice) -> Path | Paths:
        return Paths(self.root, self.names[index]) if isinstance(index, slice) else self.root / self.names[index]

    def pick(self, places: Indices) -> Paths:
        return Paths(self.root, [self.names[i] for i in places])


@dataclass(frozen=True)
class Values:
    """Numbers in their final form, a row a sample; of ``array`` the rows ``places``, or all of them."""

    array: Array
    places: Indices | None = None

    def __len__(self) -> int:
        return len(self.array) if self.places is None else len(self.places)

    def pick(self, places: Indices) -> Values:
        return Values(self.array, places if self.places is None else self.places[places])

    def gathered(self) -> Array:
        """The rows themselves; all of them, in order, are taken without a copy."""
        return self.array if self.places is None else self.array[self.places]


@dataclass(frozen=True)
class Coded:
    """A class for each sample: its number in ``names``, which are in no order that means anything."""

    codes: Indices
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def pick(self, places: Indices) -> Coded:
        return replace(self, codes=self.codes[places])


@dataclass(frozen=True)
class Tagged:
    """Which of ``names`` each sample has: `N x names` of 0 and 1."""

    flags: NDArray[np.uint8]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.flags)

    def pick(self, places: Indices) -> Tagged:
        return replace(self, flags=self.flags[places])


Raw = Paths | Values | Coded | Tagged
"""The values of one input or target: files to decode, numbers, a class each, or several labels each."""


class Names(Protocol):
    """What a user knows a sample by."""

    def __call__(self, index: int) -> str: ...


@dataclass(frozen=True)
class Rows:
    """The samples of one split; ``name`` gives what a user knows one by."""

    inputs: Mapping[str, Raw]
    targets: Mapping[str, Raw]
    name: Names

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def pick(self, places: Indices) -> Rows:
        """Some of them, in this order."""
        name = self.name
        picked = {id(raw): raw.pick(places) for raw in (*self.inputs.values(), *self.targets.values())}
        return Rows(
            {n: picked[id(raw)] for n, raw in self.inputs.items()},
            {n: picked[id(raw)] for n, raw in self.targets.items()},
            lambda index: name(int(places[index])),
        )


@dataclass
class Found:
    """All that a layout gives. ``own`` says whether it has more splits than `train`; else all samples are under ``train``.

    ``classes`` are names that the data itself gives the classes of a target, in the order of their numbers. ``problems`` are collected:
    only where there is an error among them, parts may be missing. ``partial`` says that samples are missing for one of them, so
    that nothing follows from what the splits lack.
    """

    layout: str
    splits: Mapping[str, Rows]
    own: bool
    skipped: Skipped = field(default_factory=Skipped)
    problems: list[Problem] = field(default_factory=list)
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    partial: bool = False

    def of(self, target: str) -> Iterator[tuple[str, Raw]]:
        """A target's values in each split."""
        return ((split, rows.targets[target]) for split, rows in self.splits.items())
