"""The forms in which arrays hold samples.

| what | form |
|---|---|
| picture | bytes as the net takes them: `N x C x H x W`, `N x H x W x C`, or, for one channel, `N x H x W`; where two fit, channels first |
| vector of K | `N x K` numbers; for one, `N` as well |
| class | `N` whole numbers from 0, or `N` strings, the names of the classes |
| labels, K of them | `N x K` of 0 and 1 |
| numbers, K of them | `N x K` numbers; for one, `N` as well |
| mask | `N x H x W` whole numbers, 0 to the classes less 1; 255 counts for nothing |

Where there are two classes and no mask of the data has the value 1, 255 means 1. Nothing is resized and no channel is made up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from netspec.data.found import IGNORED, Array, Coded, Raw, Tagged, Values
from netspec.data.images.decode import ImageFormat, Pixels
from netspec.data.task import WantedInput, WantedTarget
from netspec.diagnostics import failure
from netspec.diagnostics.arrays import WrongArray, WrongLabels
from netspec.diagnostics.data import TooFewClasses
from netspec.shape import show

_MANY: Final = 1_000_000


def input_array(path: Path, name: str, found: Array, wanted: WantedInput) -> Array:
    """An input's array in its final form. Raises N714."""
    if wanted.picture is None:
        return _numbers(path, name, found, int(wanted.shape[0]))
    return _pixels(path, name, found, wanted.picture)


def target_array(
    path: Path, name: str, found: Array, wanted: WantedTarget, classes: tuple[str, ...] | None, *, training: bool, pairs: bool
) -> Raw:
    """A target's array in its final form; ``classes`` are its names where the data gives some. Raises N714 and N715."""
    if wanted.kind == "class":
        return _classes(path, name, found, classes, every=training and not pairs)
    if wanted.kind == "labels":
        names = classes or tuple(map(str, range(wanted.size)))
        return Tagged(_flags(path, name, found, len(names)), names)
    if wanted.kind == "number":
        return Values(_numbers(path, name, found, wanted.size))
    return Values(_masks(path, name, found, wanted))


def class_names(path: Path, name: str, found: Array) -> tuple[str, ...]:
    """The names of classes that an array gives. Raises N714."""
    if found.dtype.kind != "U" or found.ndim != 1 or not _is_text(found) or len(set(found.tolist())) != len(found):
        raise _wrong(path, name, found, "a list of different strings")
    return tuple(map(str, found))


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
        raise _wrong(path, name, found, f"{layouts}, the input of the net")
    fitting = forms[found.shape[1:]]
    return fitting if isinstance(found, np.memmap) else np.ascontiguousarray(fitting)


def _numbers(path: Path, name: str, found: Array, size: int) -> Array:
    """Finite numbers as `N x K` of float32."""
    rows = found[:, np.newaxis] if found.ndim == 1 and size == 1 else found
    if found.dtype.kind not in "iufb" or rows.shape[1:] != (size,):
        raise _wrong(path, name, found, f"numbers of shape Nx{size}" + ", or N" * (size == 1))
    numbers = np.ascontiguousarray(rows, dtype=np.float32)
    if len(bad := np.flatnonzero(~np.isfinite(numbers).all(1))):
        raise failure(WrongLabels(name, f"has {numbers[bad[0]].tolist()} in row {bad[0]}, which is no number"))
    return numbers


def _classes(path: Path, name: str, found: Array, classes: tuple[str, ...] | None, *, every: bool) -> Coded:
    flat = found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found
    if flat.dtype.kind == "U" and flat.ndim == 1 and len(flat) and _is_text(flat):
        present, codes = np.unique(flat, return_inverse=True)
        return Coded(codes.astype(np.int64), tuple(map(str, present)))
    if flat.dtype.kind not in "iu" or flat.ndim != 1 or not len(flat):
        raise _wrong(path, name, found, "whole numbers from 0, or strings, one for each sample")
    codes = flat.astype(np.int64)
    low, high = int(codes.min()), int(codes.max())
    names = classes if classes is not None else tuple(map(str, range(min(high + 1, _MANY))))
    if every and len(names) < 2:
        raise failure(TooFewClasses(str(path), names))
    if low < 0 or high >= len(names):
        wrong = low if low < 0 else high
        raise failure(WrongLabels(name, f"has the label {wrong}, and the classes are numbered 0 to {len(names) - 1}"))
    absent = np.flatnonzero(np.bincount(codes, minlength=len(names)) == 0)
    if every and len(absent):
        raise failure(WrongLabels(name, f"has no image of class {absent[0]}"))
    return Coded(codes, names)


def _flags(path: Path, name: str, found: Array, size: int) -> Pixels:
    if found.dtype.kind not in "iufb" or found.ndim != 2 or found.shape[1] != size or not ((found == 0) | (found == 1)).all():
        raise _wrong(path, name, found, f"0 and 1 of shape Nx{size}, one for each label")
    return found.astype(np.uint8)


def _masks(path: Path, name: str, found: Array, wanted: WantedTarget) -> Pixels:
    """The array as `N x H x W` bytes."""
    flat = found
    if found.ndim == 4 and 1 in (found.shape[1], found.shape[3]):
        flat = found[:, 0] if found.shape[1] == 1 else found[..., 0]
    if flat.dtype.kind not in "iub" or flat.shape[1:] != (wanted.height, wanted.width) or not len(flat):
        raise _wrong(path, name, found, f"whole numbers of shape Nx{wanted.height}x{wanted.width}")
    if wrong := [v for v in np.unique(flat).tolist() if not 0 <= v < wanted.classes and v != IGNORED]:
        raise failure(WrongLabels(name, f"has the value {wrong[0]}, and there are {wanted.classes} classes, and 255 for none"))
    return np.ascontiguousarray(flat, dtype=np.uint8)


def _is_text(names: Array) -> bool:
    """Whether every character is one that UTF-8 can write: numpy keeps any 32 bits for one."""
    points = np.frombuffer(names.astype(names.dtype.newbyteorder("=")).tobytes(), np.uint32)
    return not ((points > 0x10FFFF) | ((points >= 0xD800) & (points < 0xE000))).any()


def _wrong(path: Path, name: str, found: Array, wanted: str) -> Exception:
    return failure(WrongArray(str(path), name, f"{found.dtype} of shape {show(found.shape)}", wanted))
