"""Images in an ``.npz`` file: `x_train` and `y_train`, and `x_val`, `y_val`, `x_test`, `y_test` where there are such splits.

`x_…` holds bytes in the very form the net takes: `N x C x H x W`, `N x H x W x C`, or, for one channel, `N x H x W`; where a form fits
both ways it is channels first. Nothing is resized and no channel is made up. `y_…` holds a whole number for each image, from 0.
`classes`, a list of strings, may name the classes; without it they are named by their numbers.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from netspec.data.decode import ImageFormat, Pixels
from netspec.data.loading import available_memory
from netspec.data.shares import Indices
from netspec.diagnostics import failure
from netspec.diagnostics.arrays import BrokenArrays, DataTooLarge, MissingArrays, WrongArray, WrongLabels
from netspec.diagnostics.data import TooFewClasses
from netspec.shape import show

Array = NDArray[Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Arrays:
    """The splits of an ``.npz`` file and the names of its classes."""

    splits: Mapping[str, tuple[Pixels, Indices]]
    classes: tuple[str, ...]
    digest: str


def read_arrays(path: Path, wanted: ImageFormat) -> Arrays:
    """Read an ``.npz``; raises N712 to N719 and N705 where it is not as the module's text says."""
    raw = _load(path)
    present = [split for split in ("train", "val", "test") if split == "train" or f"x_{split}" in raw or f"y_{split}" in raw]
    missing = tuple(name for split in present for name in (f"x_{split}", f"y_{split}") if name not in raw)
    if missing:
        raise failure(MissingArrays(str(path), missing, _opened(path, _names)))
    splits = {split: _split(path, split, raw, wanted) for split in present}
    classes = _classes(path, raw, splits["train"][1])
    for split, (_, labels) in splits.items():
        _check_labels(f"y_{split}", labels, len(classes), every=split == "train")
    return Arrays(splits, classes, _digest(splits, classes))


def _load(path: Path) -> dict[str, Array]:
    """The arrays that are of use, by name, without ever unpickling."""
    _check_memory(path, _opened(path, _unpacked_size))
    return _opened(path, _arrays)


def _opened(path: Path, read: Callable[[Path], T]) -> T:
    try:
        return read(path)
    except Exception as error:  # zipfile, zlib and numpy raise whatever they like on a stranger's bytes
        raise failure(BrokenArrays(str(path), (str(error) or type(error).__name__).splitlines()[0])) from error


def _unpacked_size(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _arrays(path: Path) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files if name == "classes" or name[:2] in ("x_", "y_")}


def _names(path: Path) -> tuple[str, ...]:
    with np.load(path, allow_pickle=False) as arrays:
        return tuple(arrays.files)


def _check_memory(path: Path, needed: int) -> None:
    available = available_memory()
    if available is not None and needed > available * 0.8:
        raise failure(DataTooLarge(str(path), needed, available))


def _split(path: Path, split: str, raw: Mapping[str, Array], wanted: ImageFormat) -> tuple[Pixels, Indices]:
    pixels = _pixels(path, f"x_{split}", raw[f"x_{split}"], wanted)
    labels = raw[f"y_{split}"]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind not in "iu" or labels.shape != (len(pixels),):
        found = f"{labels.dtype} of shape {show(labels.shape)}"
        raise failure(WrongArray(str(path), f"y_{split}", found, f"{len(pixels):,} whole numbers, one for each image of x_{split}"))
    return pixels, labels.astype(np.int64)


def _pixels(path: Path, name: str, found: Array, wanted: ImageFormat) -> Pixels:
    """The array as `N x C x H x W`."""
    c, h, w = wanted.shape
    forms: dict[tuple[int, ...], Array] = {}
    if found.ndim == 4 and found.dtype == np.uint8:
        forms = {(h, w, c): found.transpose(0, 3, 1, 2), (c, h, w): found}
    if found.ndim == 3 and found.dtype == np.uint8 and c == 1:
        forms = {(h, w): found[:, np.newaxis]}
    if found.shape[1:] not in forms or not len(found):
        layouts = f"uint8 of shape Nx{c}x{h}x{w} or Nx{h}x{w}x{c}" + f", or Nx{h}x{w}" * (c == 1)
        raise failure(WrongArray(str(path), name, f"{found.dtype} of shape {show(found.shape)}", f"{layouts}, the input of the net"))
    return np.ascontiguousarray(forms[found.shape[1:]])


def _classes(path: Path, raw: Mapping[str, Array], labels: Indices) -> tuple[str, ...]:
    names = raw.get("classes")
    if names is None:
        classes = tuple(map(str, range(min(int(labels.max()) + 1, 1_000_000))))
    elif names.dtype.kind != "U" or names.ndim != 1 or not _is_text(names) or len(set(names.tolist())) != len(names):
        raise failure(WrongArray(str(path), "classes", f"{names.dtype} of shape {show(names.shape)}", "a list of different strings"))
    else:
        classes = tuple(map(str, names))
    if len(classes) < 2:
        raise failure(TooFewClasses(str(path), classes))
    return classes


def _is_text(names: Array) -> bool:
    """Whether every character is one that UTF-8 can write: numpy keeps any 32 bits for one."""
    points = np.frombuffer(names.astype(names.dtype.newbyteorder("=")).tobytes(), np.uint32)
    return not ((points > 0x10FFFF) | ((points >= 0xD800) & (points < 0xE000))).any()


def _check_labels(array: str, labels: Indices, count: int, *, every: bool) -> None:
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= count:
        wrong = low if low < 0 else high
        raise failure(WrongLabels(array, f"has the label {wrong}, and the classes are numbered 0 to {count - 1}"))
    absent = np.flatnonzero(np.bincount(labels, minlength=count) == 0)
    if every and len(absent):
        raise failure(WrongLabels(array, f"has no image of class {absent[0]}"))


def _digest(splits: Mapping[str, tuple[Pixels, Indices]], classes: tuple[str, ...]) -> str:
    """SHA-256 of all that is trained and measured on."""
    hashed = hashlib.sha256(repr(classes).encode("utf-8", "surrogatepass"))
    for split, (pixels, labels) in splits.items():
        hashed.update(f"{split} {pixels.shape}".encode())
        hashed.update(pixels.data)
        hashed.update(labels.data)
    return hashed.hexdigest()
