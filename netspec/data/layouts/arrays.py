"""Arrays: an ``.npz`` file, or ``.npy`` files in one folder.

Arrays go by their names: `x_train` and `y_train` for the only input and the only target, and `x_val`, `y_val`, `x_test`, `y_test` where
there are such splits; `NAME_train` for an input or a target of that name, which is how several are given. `x` and `y` alone mean
`x_train` and `y_train`. In a folder, `x_train.npy` is the array `x_train`. `classes`, a list of strings, may name the classes of the only
target, `classes_NAME` those of one of several; without it they are named by their numbers. ``array_forms.py`` says which
forms the arrays have.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from netspec.data.found import SPLITS, Array, Coded, Found, Raw, Rows, Values
from netspec.data.images.loading import available_memory
from netspec.data.layouts.array_forms import class_names, input_array, target_array
from netspec.data.task import Wanted, WantedInput, WantedTarget
from netspec.diagnostics import failure
from netspec.diagnostics.arrays import ArrayLengths, BrokenArrays, DataTooLarge, MissingArrays
from netspec.diagnostics.data import NoSuchData

T = TypeVar("T")


class Opened(Protocol):
    """Arrays by name, each read when it is asked for; ``path`` is what a user knows them by."""

    path: Path
    names: tuple[str, ...]

    def read(self, name: str) -> Array: ...

    def size(self, name: str) -> int: ...


class Archive:
    """The arrays of an ``.npz``, never unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sizes = _tried(path, self._listed)
        self.names = tuple(self._sizes)

    def _listed(self) -> dict[str, int]:
        with zipfile.ZipFile(self.path) as archive:
            return {entry.filename.removesuffix(".npy"): entry.file_size for entry in archive.infolist()}

    def read(self, name: str) -> Array:
        return _tried(self.path, lambda: self._load(name))

    def _load(self, name: str) -> Array:
        with np.load(self.path, allow_pickle=False) as arrays:
            found: Array = arrays[name]
            return found

    def size(self, name: str) -> int:
        return self._sizes[name]


class Folder:
    """The ``.npy`` files in a folder; those larger than ``budget`` bytes stay on the disk, mapped into memory."""

    def __init__(self, path: Path, budget: int) -> None:
        self.path = path
        self._budget = budget
        self.names = tuple(sorted(p.name.removesuffix(".npy") for p in path.glob("*.npy") if not p.name.startswith(".")))

    def read(self, name: str) -> Array:
        file = self.path / f"{name}.npy"
        if not file.is_file():
            raise failure(NoSuchData(str(file), "it is not a regular file"))
        found: Array = _tried(file, lambda: np.load(file, mmap_mode="r" if self._maps(name) else None, allow_pickle=False))
        return found

    def size(self, name: str) -> int:
        return 0 if self._maps(name) else (self.path / f"{name}.npy").stat().st_size

    def _maps(self, name: str) -> bool:
        return (self.path / f"{name}.npy").stat().st_size > self._budget


@dataclass(frozen=True)
class _Asked:
    """Which arrays hold what: the beginnings of their names, by the names of inputs and targets."""

    inputs: Mapping[str, str]
    targets: Mapping[str, str]

    @property
    def stems(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.inputs.values(), *self.targets.values()]))


def read_arrays(opened: Opened, wanted: Wanted) -> Found:
    """The arrays of every input and target. Raises N712 to N715, N719 and N741 where they are not as the module's text says."""
    asked = _asked(opened, wanted)
    present = [s for s in SPLITS if s == "train" or any(_array(opened, stem, s) in opened.names for stem in asked.stems)]
    needed = {(stem, split): _array(opened, stem, split) for split in present for stem in asked.stems}
    if missing := tuple(name for name in needed.values() if name not in opened.names):
        raise failure(MissingArrays(str(opened.path), missing, opened.names))
    _check_memory(opened, needed.values())
    names = {t.name: named for t in wanted.targets if (named := _class_names(opened, t, len(wanted.targets) == 1)) is not None}
    splits = {"train": _rows(opened, wanted, asked, "train", names)}
    classes = {t: raw.names for t, raw in splits["train"].targets.items() if isinstance(raw, Coded)} | names
    splits |= {split: _rows(opened, wanted, asked, split, classes) for split in present if split != "train"}
    return Found("arrays " + ", ".join(needed.values()), splits, len(splits) > 1, classes=classes)


def _asked(opened: Opened, wanted: Wanted) -> _Asked:
    """By what an input's or a target's array is called, else by its own name, else, where it is the only one, by `x` or `y`."""
    bases = {i.source.settings["names"] if i.source else i.name for i in wanted.inputs}
    inputs = {i.name: _stem(opened, i, "x", len(bases) == 1 or wanted.pairs) for i in wanted.inputs}
    targets = {t.name: _stem(opened, t, "y", len(wanted.targets) == 1) for t in wanted.targets}
    return _Asked(inputs, targets)


def _stem(opened: Opened, asked: WantedInput | WantedTarget, usual: str, only: bool) -> str:
    if asked.source is not None and asked.source.name == "column":
        return str(asked.source.settings["names"][0])
    if asked.source is not None and asked.source.name in ("class", "mask", "pairs"):
        return usual
    return usual if only and _array(opened, asked.name, "train") not in opened.names else asked.name


def _array(opened: Opened, stem: str, split: str) -> str:
    name = f"{stem}_{split}"
    return stem if split == "train" and name not in opened.names and stem in opened.names else name


def _class_names(opened: Opened, target: WantedTarget, only: bool) -> tuple[str, ...] | None:
    for name in (f"classes_{target.name}", *(("classes",) if only else ())):
        if name in opened.names:
            return class_names(opened.path, name, opened.read(name))
    return None


def _rows(opened: Opened, wanted: Wanted, asked: _Asked, split: str, names: Mapping[str, tuple[str, ...]]) -> Rows:
    path = opened.path
    arrays = {stem: (_array(opened, stem, split), opened.read(_array(opened, stem, split))) for stem in asked.stems}
    lengths = {name: len(array) if array.ndim else 0 for name, array in arrays.values()}
    inputs: dict[str, Raw] = {i.name: Values(input_array(path, *arrays[asked.inputs[i.name]], i)) for i in wanted.inputs}
    if len(set(lengths.values())) > 1:
        raise failure(ArrayLengths(str(path), tuple(lengths.items())))
    targets = {
        t.name: target_array(path, *arrays[asked.targets[t.name]], t, names.get(t.name), training=split == "train", pairs=wanted.pairs)
        for t in wanted.targets
    }
    first = arrays[asked.inputs[wanted.inputs[0].name]][0]
    return Rows(inputs, targets, lambda index: f"{first}[{index}]")


def _tried(path: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    except Exception as error:  # zipfile, zlib and numpy raise whatever they like on a stranger's bytes
        raise failure(BrokenArrays(str(path), (str(error) or type(error).__name__).splitlines()[0])) from error


def _check_memory(opened: Opened, names: Iterable[str]) -> None:
    needed, available = sum(opened.size(name) for name in set(names)), available_memory()
    if available is not None and needed > available * 0.8:
        raise failure(DataTooLarge(str(opened.path), needed, available))
