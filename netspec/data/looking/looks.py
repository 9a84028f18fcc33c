"""Looking at samples: how many there are of each class, how large images are, whether they have content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from typing import Final

import numpy as np
import torch
from torch import Tensor

from netspec.data.columns import PickedColumn
from netspec.data.cutting import CutColumn
from netspec.data.found import Indices, Names, Paths, Rows, Values
from netspec.data.images.facts import ImageFacts, image_facts
from netspec.data.images.loading import workers
from netspec.data.looking.report import ClassCounts
from netspec.data.reading import Read
from netspec.data.samples import Column, MappedColumn, MemoryColumn
from netspec.data.task import Wanted, WantedInput
from netspec.diagnostics import Problem
from netspec.diagnostics.preflight import BlankImages, ClassesMissing, MasksOfOneClass, Stretched, Unbalanced
from netspec.diagnostics.text import listing

MANY: Final = 20_000
"""Of more images than this, so many are looked at, evenly spread."""
_UNBALANCED: Final = 10
_TWICE: Final = 2.0
_PROBE: Final = 61
_GREY: Final = frozenset({"1", "L", "LA", "I", "I;16", "I;16B", "F"})
_PLAIN: Final = frozenset({"L", "RGB"})


def count_classes(rows: Mapping[str, Rows], wanted: Wanted, classes: Mapping[str, tuple[str, ...]], read: Read) -> tuple[ClassCounts, ...]:
    """How many samples of each class there are, for targets that are classes or labels; of pairs images, and of masks that were read
    pixels."""
    found = []
    for target in wanted.targets:
        names = classes.get(target.name, ())
        if target.name in read.pixels:
            found.append(ClassCounts(target.name, names, {s: n.pixels for s, n in read.pixels[target.name].items()}, "pixels"))
        elif target.kind in ("class", "labels"):
            by_split = {split: _counted(part.targets[target.name], len(names)) for split, part in rows.items()}
            found.append(ClassCounts(target.name, names, by_split, "images" if wanted.pairs else "samples"))
    return tuple(found)


def _counted(raw: object, count: int) -> tuple[int, ...]:
    assert isinstance(raw, Values)
    values = raw.gathered()
    if values.ndim == 2:
        return tuple(int(n) for n in values.sum(0))
    return tuple(np.bincount(values[values >= 0], minlength=count).tolist())


def unbalanced(counts: Sequence[ClassCounts]) -> Iterator[Problem]:
    """A warning for each target some class of which is ten times as frequent as another in the training split."""
    for one in (c for c in counts if c.of == "samples"):
        there = sorted((n, name) for n, name in zip(one.splits.get("train", ()), one.classes, strict=False) if n)
        if len(there) > 1 and there[-1][0] >= _UNBALANCED * there[0][0]:
            yield Unbalanced(one.target, there[-1][::-1], there[0][::-1])


def undrawn(counts: Sequence[ClassCounts]) -> Iterator[Problem]:
    """A warning for each split drawn by shares that has no sample of some class; of one without any, that is told elsewhere."""
    for one in (c for c in counts if c.of == "samples"):
        there = [any(numbers) for numbers in zip_longest(*one.splits.values(), fillvalue=0)]
        for split, numbers in one.splits.items():
            missing = tuple(name for name, n, some in zip(one.classes, numbers, there, strict=False) if some and not n)
            if missing and split != "train":
                yield ClassesMissing(split, missing, len(one.classes), drawn=True)


def undrawn_pixels(counts: Sequence[ClassCounts], read: Read) -> Iterator[Problem]:
    """A warning for each split all of whose masks are of one class, or have no pixel of some; that is not told twice of a class that
    training does not have, nor said where masks were looked at in a sample."""
    for one in (c for c in counts if c.of == "pixels"):
        lacking: set[str] = set()
        for split, numbers in one.splits.items():
            there = [name for name, n in zip(one.classes, numbers, strict=False) if n]
            missing = tuple(name for name in one.classes if name not in there and name not in lacking)
            looked = read.pixels[one.target][split].masks
            if len(there) < 2:
                yield MasksOfOneClass(one.target, split, looked, there[0] if there else None)
            elif missing and looked == len(read.rows[split]):
                yield ClassesMissing(split, missing, len(one.classes), "pixel")
            lacking |= set(missing) if split == "train" else set()


class Headers:
    """What the headers of an input's image files say."""

    def __init__(self, wanted: WantedInput, paths: Sequence[Paths]) -> None:
        self.wanted = wanted
        ends = np.cumsum([len(part) for part in paths])
        count = int(ends[-1])
        chosen = np.arange(count) if count <= MANY else _spread(count)
        of = np.searchsorted(ends, chosen, side="right").tolist()
        files = [(paths[p], i - int(ends[p])) for p, i in zip(of, chosen.tolist(), strict=True)]  # counted from the end of their split
        with ThreadPoolExecutor(workers()) as pool:
            facts = pool.map(lambda one: image_facts(one[0][one[1]]), files)
            self.found: list[tuple[str, ImageFacts]] = [
                (part.names[i], fact) for (part, i), fact in zip(files, facts, strict=True) if fact is not None
            ]
        self.sampled = count > len(files)

    def sizes(self) -> str:
        """From which size to which images go, and what becomes of them."""
        small, large = (pick((f.height * f.width, f.width, f.height) for _, f in self.found) for pick in (min, max))
        assert self.wanted.picture is not None
        _, height, width = self.wanted.picture.shape
        spread = f"{small[1]} x {small[2]}" + (f" to {large[1]} x {large[2]}" if small != large else "")
        fits = small == large == (height * width, width, height)
        return self._of(f"{spread} pixels (width x height)" + ("" if fits else f", each made {width} x {height}"))

    def channels(self) -> tuple[str, bool]:
        """How many images have which channels, and whether that is anything but plain grey or plain RGB."""
        modes = Counter(f.mode for _, f in self.found)
        parts = [f"{count:,} {_mode(mode)}" for mode, count in modes.most_common()]
        turned, moving, broken = (sum(getattr(f, name) for _, f in self.found) for name in ("turned", "frames", "broken_exif"))
        grey = sum(f.mode in _GREY for _, f in self.found)
        assert self.wanted.picture is not None
        wrong = len(self.found) - grey if self.wanted.picture.channels == 1 else grey
        parts += [f"{turned:,} turned by their EXIF data"] if turned else []
        parts += [f"{moving:,} of several frames, of which the first counts"] if moving else []
        parts += [f"{broken:,} with broken EXIF data, which is ignored"] if broken else []
        made = "grey, so their colour is lost" if self.wanted.picture.channels == 1 else "RGB of three equal channels"
        text = listing(parts) + (f"; {wrong:,} made {made}" if wrong else "")
        return self._of(text), len(modes) > 1 or not modes.keys() <= _PLAIN or moving > 0 or broken > 0 or wrong > 0

    def problems(self) -> Iterator[Problem]:
        assert self.wanted.picture is not None
        _, height, width = self.wanted.picture.shape
        scales = [(name, height / f.height, width / f.width) for name, f in self.found]
        enlarged = tuple(name for name, y, x in scales if min(y, x) > _TWICE)
        bent = tuple(name for name, y, x in scales if max(y / x, x / y) > _TWICE)
        if enlarged or bent:
            yield Stretched(enlarged, bent, len(self.found), (height, width))

    def _of(self, text: str) -> str:
        return f"{text} (of {len(self.found):,} images that were looked at)" if self.sampled else text


def _mode(mode: str) -> str:
    words = {"L": "grey", "P": "with a palette", "1": "black and white", "LA": "grey with transparency", "RGBA": "RGB with transparency"}
    return words.get(mode, "grey of 16 bits" if mode.startswith("I") else mode)


def blank_images(read: Read, wanted: WantedInput) -> tuple[str, tuple[Problem, ...]]:
    """Images whose pixels are all equal: what is to be said of them, and a warning where there are some."""
    blank: list[str] = []
    looked = 0
    for split, columns in read.inputs.items():
        column = columns[wanted.name]
        chosen = _some(column)
        if chosen is None:
            return "not looked at, since images are decoded as they are needed", ()
        looked += len(chosen)
        blank += _names(column, chosen, read.rows[split].name)
    return f"none of {looked:,} images is of a single colour", (BlankImages(tuple(blank), looked),) if blank else ()


def _some(column: Column) -> Indices | None:
    """Which rows to look at: all that lie in memory; of those on a disk some; none that would have to be decoded."""
    whole = column.whole if isinstance(column, PickedColumn) else column
    slow = isinstance(whole, MappedColumn) or (isinstance(whole, CutColumn) and whole.photographs.kept)
    if isinstance(whole, MemoryColumn) or (slow and len(column) <= MANY):
        return np.arange(len(column))
    return _spread(len(column)) if slow else None


def _names(column: Column, chosen: Indices, name: Names) -> Iterator[str]:
    for start in range(0, len(chosen), 256):
        part = torch.from_numpy(chosen[start : start + 256])
        rows = column.rows(part).flatten(1)
        for place in _suspects(rows).tolist():
            if bool((rows[place] == rows[place, 0]).all()):
                yield name(int(part[place]))


def _suspects(rows: Tensor) -> Tensor:
    """Rows that are constant in a few places; few others have to be looked at whole."""
    probe = rows[:, :: max(1, rows.shape[1] // _PROBE)]
    return (probe == probe[:, :1]).all(1).nonzero().flatten()


def _spread(count: int) -> Indices:
    return np.linspace(0, count - 1, MANY).astype(np.int64)
