"""Reading what was found: every file once, so that a broken one is known before anything is computed, and columns of it all."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from netspec.data.columns import Decoded, decoded, fingerprint, image_column, row_digests, value_column
from netspec.data.cutting import Cut
from netspec.data.found import Paths, Raw, Rows, Values
from netspec.data.images.cache import DecodedCache
from netspec.data.images.decode import ImageFormat
from netspec.data.images.loading import Progress, expected_bytes
from netspec.data.masks import Masks, PixelCounts, count_pixels, mask_column, masks_of, read_masks
from netspec.data.samples import Column, MemoryColumn
from netspec.data.task import Wanted, WantedTarget
from netspec.diagnostics import Problem
from netspec.diagnostics.data import BadImages
from netspec.diagnostics.masks import BadMasks
from netspec.diagnostics.preflight import ImagesSkipped


@dataclass
class Read:
    """The samples of each split as columns, by the names of inputs and targets.

    ``rows`` are those that were read, without what was left out; ``digests`` stand for the content of each sample's inputs, by input.
    """

    rows: dict[str, Rows]
    inputs: dict[str, dict[str, Column]] = field(default_factory=dict)
    targets: dict[str, dict[str, Column]] = field(default_factory=dict)
    digests: dict[str, dict[str, Sequence[bytes]]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    pixels: dict[str, dict[str, PixelCounts]] = field(default_factory=dict)
    """How many pixels of each class the masks of a target have, by target and split."""

    @property
    def failed(self) -> bool:
        return any(p.severity == "error" for p in self.problems)

    def fingerprint(self, classes: Mapping[str, tuple[str, ...]]) -> str:
        """SHA-256 over every sample's split, place, content and targets."""
        return fingerprint(classes, (column for split, rows in self.rows.items() for column in self._contents(split, rows)))

    def content(self, classes: Mapping[str, tuple[str, ...]]) -> str:
        """SHA-256 over every sample's content and targets, whatever their order, their places and their splits."""
        samples = b"".join(found.tobytes() for found in self.samples.values())
        ordered = np.sort(np.frombuffer(samples, "S32"))
        return fingerprint(classes, [("samples", len(ordered), [ordered.tobytes()])])

    @cached_property
    def samples(self) -> dict[str, NDArray[np.uint8]]:
        """SHA-256 of every sample's content and targets, `N x 32`, by split."""
        found = {}
        for split, rows in self.rows.items():
            columns: list[Iterable[bytes]] = [*self.digests[split].values()]
            columns += [row_digests(raw) for raw in rows.targets.values() if isinstance(raw, Values)]
            joined = bytearray()
            for parts in zip(*columns, strict=True):
                joined += hashlib.sha256(b"".join(parts)).digest()
            found[split] = np.frombuffer(joined, np.uint8).reshape(-1, 32)
        return found

    def _contents(self, split: str, rows: Rows) -> Iterator[tuple[str, int, Iterable[bytes]]]:
        for name, digests in self.digests[split].items():
            yield f"{split}: content of {name}", len(rows), digests
        for name, raw in (*rows.inputs.items(), *rows.targets.items()):
            if isinstance(raw, Paths):
                yield f"{split}: places of {name}", len(rows), (f"{place}\0".encode("utf-8", "surrogatepass") for place in raw.names)
        for name, raw in rows.targets.items():
            if isinstance(raw, Values):
                yield f"{split}: values of {name}", len(rows), row_digests(raw)


@dataclass(frozen=True)
class _Images:
    """Inputs that take the same files in the same format, and these files of some splits, one after the other; of whole images parts are
    ``cut``."""

    inputs: tuple[str, ...]
    format: ImageFormat
    paths: Paths
    places: Mapping[str, slice]
    """Where each split lies among them."""
    cut: Cut | None = None


@dataclass(frozen=True)
class Means:
    """How files are read: into ``room`` bytes of memory, and what does not fit there into the cache. ``cuts``, by input, are of the
    training split alone. ``others`` are the splits of the same data that are not read."""

    room: int
    cache: DecodedCache | None = None
    progress: Progress | None = None
    skip_bad: bool = False
    cuts: Mapping[str, Cut] = field(default_factory=dict)
    others: Mapping[str, Rows] = field(default_factory=dict)


def read_columns(rows: Mapping[str, Rows], wanted: Wanted, means: Means) -> Read:
    """Decode every image and every mask once. Samples with one that cannot be decoded are left out; their files are a problem, or, where
    they may be skipped and every split has samples without them, a warning."""
    reader, left = _Reader(wanted, means), dict(rows)
    bad: dict[type[BadImages | BadMasks], dict[str, str]] = {}
    while (read := reader.read(left)).failed:  # a file may fail later than others, as one on a disk far away
        for problem in read.problems:
            if isinstance(problem, BadImages | BadMasks):
                bad.setdefault(type(problem), {}).update(problem.files)
        paths = frozenset(path for files in bad.values() for path in files)
        before, left = left, {split: rest for split, part in left.items() if len(rest := _without(part, paths))}
        assert sum(map(len, left.values())) < sum(map(len, before.values())), "what cannot be read is no sample's"
    images, masks = (tuple(bad.get(kind, {}).items()) for kind in (BadImages, BadMasks))
    if images:
        without = {split: len(_without(part, frozenset(bad[BadImages]))) for split, part in rows.items()}
        emptied = tuple(split for split, count in without.items() if not count) if means.skip_bad else ()
        lost = sum(map(len, rows.values())) - sum(without.values())
        skip = means.skip_bad and not emptied
        read.problems.append(ImagesSkipped(images, lost) if skip else BadImages(images, data=not means.skip_bad, emptied=emptied))
    if masks:
        read.problems.append(BadMasks(masks))
    return read


def _without(rows: Rows, bad: Collection[str]) -> Rows:
    files = [raw for raw in (*rows.inputs.values(), *rows.targets.values()) if isinstance(raw, Paths)]
    kept = [i for i in range(len(rows)) if not any(str(paths[i]) in bad for paths in files)]
    return rows.pick(np.array(kept, np.int64))


@dataclass(frozen=True)
class _Reader:
    wanted: Wanted
    means: Means

    def read(self, rows: dict[str, Rows]) -> Read:
        read = Read(rows)
        if not rows:
            return read
        groups = self._groups(rows)
        keep = self._needed(rows, groups) <= self.means.room
        images: list[tuple[_Images, Decoded]] = []
        done, of = 0, sum(len(group.paths) for group in groups)
        for group in groups:
            images.append((group, self._decoded(group, keep, read, _counted(self.means.progress, done, of))))
            done += len(group.paths)
        masks = {t.name: self._masks(t, rows, keep, read) for t in self.wanted.targets if t.kind == "mask"}
        if not read.failed:
            for split, part in _slices(rows):
                self._add(read, split, part, images, masks)
        return read

    def _groups(self, rows: Mapping[str, Rows]) -> list[_Images]:
        """The image files to decode: once for several inputs that take the same."""
        found: dict[tuple[Any, ...], list[str]] = {}
        for one in self.wanted.inputs:
            raws = [part.inputs[one.name] for part in rows.values()]
            if all(isinstance(raw, Paths) for raw in raws):
                found.setdefault((one.picture, *map(id, raws)), []).append(one.name)
        return [group for key, names in found.items() for group in self._of(tuple(names), key[0], rows)]

    def _of(self, names: tuple[str, ...], form: ImageFormat, rows: Mapping[str, Rows]) -> Iterator[_Images]:
        """The files of some inputs, apart from those of which parts are cut."""
        cut = self.means.cuts.get(names[0])
        whole = {split: part for split, part in rows.items() if split == "train" and cut is not None}
        if whole:
            yield _images(names, replace(form, whole=True), whole, cut)
        if plain := {split: part for split, part in rows.items() if split not in whole}:
            yield _images(names, form, plain, None)

    def _needed(self, rows: Mapping[str, Rows], groups: Sequence[_Images]) -> int:
        """Bytes of all that is decoded from files."""
        masks = [t for t in self.wanted.targets if t.kind == "mask" and all(isinstance(p.targets[t.name], Paths) for p in rows.values())]
        of_masks = sum(t.height * t.width for t in masks) * sum(map(len, rows.values()))
        return of_masks + sum(expected_bytes(group.paths, group.format) for group in groups)

    def _decoded(self, group: _Images, keep: bool, read: Read, progress: Progress | None) -> Decoded:
        found = decoded(group.paths, group.format, keep, self.means.cache, progress)
        if found.bad:
            read.problems.append(BadImages(found.bad, data=True))
        return found

    def _masks(self, target: WantedTarget, rows: Mapping[str, Rows], keep: bool, read: Read) -> Masks:
        raws, others = ([part.targets[target.name] for part in some.values()] for some in (rows, self.means.others))
        if not all(isinstance(raw, Paths) for raw in raws):
            return masks_of([raw for raw in (*raws, *others) if isinstance(raw, Values)])
        image = next((i.name for i in self.wanted.inputs if all(isinstance(p.inputs[i.name], Paths) for p in rows.values())), None)
        beside = None if image is None else _joined([part.inputs[image] for part in rows.values()])
        found = read_masks(_joined(raws), beside, target, keep, [raw for raw in others if isinstance(raw, Paths)])
        if found.bad:
            read.problems.append(BadMasks(found.bad))
        return found

    def _add(self, read: Read, split: str, part: slice, images: Sequence[tuple[_Images, Decoded]], masks: Mapping[str, Masks]) -> None:
        rows = read.rows[split]
        inputs: dict[str, Column] = {}
        digests: dict[str, Sequence[bytes]] = {}
        for group, found in images:
            if split in group.places:
                own = group.places[split]
                inputs |= dict.fromkeys(group.inputs, image_column(group.paths[own], group.format, found, own, group.cut))
                digests[group.inputs[0]] = found.digests[own]
        for name, raw in rows.inputs.items():
            if isinstance(raw, Values):
                inputs[name], digests[name] = value_column(raw), row_digests(raw)
        targets: dict[str, Column] = {}
        for target in self.wanted.targets:
            raw = rows.targets[target.name]
            if target.name in masks:
                targets[target.name] = mask_column(raw, target, masks[target.name], part)
                read.pixels.setdefault(target.name, {})[split] = count_pixels(raw, target, masks[target.name], part)
            elif isinstance(raw, Values):
                targets[target.name] = _target_column(raw, target)
            if isinstance(raw, Paths):
                digests[f"target {target.name}"] = masks[target.name].digests[part]
        read.inputs[split] = {i.name: inputs[i.name] for i in self.wanted.inputs}
        read.targets[split], read.digests[split] = targets, digests


def _counted(progress: Progress | None, before: int, of: int) -> Progress | None:
    """Progress through a part of all files, with so many before it."""
    return None if progress is None else lambda done, _: progress(before + done, of)


def _images(names: tuple[str, ...], form: ImageFormat, rows: Mapping[str, Rows], cut: Cut | None) -> _Images:
    return _Images(names, form, _joined([part.inputs[names[0]] for part in rows.values()]), dict(_slices(rows)), cut)


def _target_column(raw: Values, target: WantedTarget) -> Column:
    values = torch.from_numpy(np.ascontiguousarray(raw.gathered()))
    return MemoryColumn(values.to(torch.int64 if target.kind == "class" else torch.float32))


def _joined(raws: Sequence[Raw]) -> Paths:
    """The files of all splits, one after the other."""
    files = [raw for raw in raws if isinstance(raw, Paths)]
    return Paths(files[0].root, list(chain.from_iterable(f.names for f in files)))


def _slices(rows: Mapping[str, Rows]) -> Iterator[tuple[str, slice]]:
    """Where each split lies among all."""
    start = 0
    for split, part in rows.items():
        yield split, slice(start, start + len(part))
        start += len(part)
