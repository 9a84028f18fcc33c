"""Open data: from a path to splits with their images, ready to train and measure on."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
import torch

from netspec.data.arrays import read_arrays
from netspec.data.decode import Pixels
from netspec.data.folders import Listing, list_images
from netspec.data.images import FileImages, ImageSet, MemoryImages
from netspec.data.loading import Progress, memory_budget, scan
from netspec.data.shares import Indices, draw
from netspec.data.task import Task
from netspec.diagnostics import Problem, failure
from netspec.diagnostics.data import Leak, LeftOut, NoSuchData, TwoLabels, UnknownDataFile

SPLITS: Final = ("train", "val", "test")
SHARES: Final = (0.8, 0.1, 0.1)


@dataclass(frozen=True)
class Division:
    """How data without splits of its own is divided: by shares from a seed, or, with ``whole``, not at all."""

    shares: tuple[float, ...] = SHARES
    seed: int = 0
    whole: bool = False


_USUAL: Final = Division()


@dataclass(frozen=True)
class Splits:
    """Opened data. A split that the data has not is ``None``; so is one that was not asked for.

    ``available`` names all splits that there are; ``own`` says whether they are the data's own, or drawn by shares. ``fingerprint``
    stands for the content of all images that were opened, with their classes and splits. ``hidden`` counts entries that were ignored,
    as `.git` and `Thumbs.db`.
    """

    path: Path
    classes: tuple[str, ...]
    train: ImageSet | None
    val: ImageSet | None
    test: ImageSet | None
    available: tuple[str, ...]
    own: bool
    fingerprint: str
    warnings: tuple[Problem, ...] = ()
    hidden: int = 0

    def sets(self) -> dict[str, ImageSet]:
        """The splits there are, by name."""
        return {name: images for name in SPLITS if (images := getattr(self, name)) is not None}

    def counts(self) -> dict[str, int]:
        """How many images each split has."""
        return {name: len(images) for name, images in self.sets().items()}


def open_data(
    path: Path,
    task: Task,
    *,
    division: Division = _USUAL,
    only: Collection[str] = SPLITS,
    budget: int | None = None,
    progress: Progress | None = None,
) -> Splits:
    """Open a folder of images or an ``.npz`` for a net.

    Data without splits of its own is split by the shares of ``division`` (training, validation, test), drawn from its seed; undivided,
    it is all ``test``. Every image file of the splits in ``only`` is decoded once here, so that a broken one is found before
    anything is computed; the pixels stay in memory where they fit into ``budget`` bytes (half of the free memory if left out), and are
    decoded again in each epoch otherwise.

    Raises a :class:`~netspec.diagnostics.NetspecError` N70x to N72x.
    """
    if not path.exists():
        raise failure(NoSuchData(str(path)))
    if path.is_dir():
        return _open_folder(path, task, division, only, memory_budget() if budget is None else budget, progress)
    if not path.is_file() or path.suffix.casefold() != ".npz":
        raise failure(UnknownDataFile(str(path)))
    return _open_arrays(path, task, division, only)


def _open_arrays(path: Path, task: Task, division: Division, only: Collection[str]) -> Splits:
    arrays = read_arrays(path, task.format)
    task.check_classes(arrays.classes)
    own = len(arrays.splits) > 1
    if own:
        sets = {split: _in_memory(found, f"x_{split}", np.arange(len(found[1]))) for split, found in arrays.splits.items()}
    else:
        parts = _parts(arrays.splits["train"][1], division)
        sets = {split: _in_memory(arrays.splits["train"], "x_train", part) for split, part in parts.items()}
    chosen = {split: images for split, images in sets.items() if split in only}
    return Splits(path, arrays.classes, chosen.get("train"), chosen.get("val"), chosen.get("test"), tuple(sets), own, arrays.digest)


def _in_memory(found: tuple[Pixels, Indices], array: str, part: Indices) -> MemoryImages:
    """Some of an array's images. All of them, in order, are taken without a copy."""
    pixels, labels = found if len(part) == len(found[1]) else (found[0][part], found[1][part])
    return MemoryImages(torch.from_numpy(pixels), torch.from_numpy(labels), lambda i: f"{array}[{part[i]}]")


def _parts(labels: Indices, division: Division) -> dict[str, Indices]:
    """Which images go into which split, for data without splits of its own; empty splits are left out."""
    if division.whole:
        return {"test": np.arange(len(labels))}
    drawn = draw(labels, division.shares, division.seed)
    return {split: part for split, part in zip(SPLITS, drawn, strict=True) if len(part)}


@dataclass(frozen=True)
class _Files:
    """The files of one split and their labels."""

    paths: tuple[Path, ...]
    labels: Indices


def _open_folder(path: Path, task: Task, division: Division, only: Collection[str], budget: int, progress: Progress | None) -> Splits:
    listing = list_images(path)
    task.check_classes(listing.classes)
    found = _files(listing, division)
    wanted = {split: files for split, files in found.items() if split in only}
    paths = list(chain.from_iterable(files.paths for files in wanted.values()))
    keep = len(paths) * int(np.prod(task.format.shape)) <= budget
    pixels, digests = scan(paths, task.format, keep=keep, progress=progress)
    sets: dict[str, ImageSet] = {}
    start = 0
    for split, files in wanted.items():
        end = start + len(files.paths)
        sets[split] = _image_set(files, None if pixels is None else pixels[start:end], task)
        start = end
    warnings = (*_left_out(path, listing), *_doubles(path, wanted, digests))
    content = _fingerprint(path, wanted, digests, listing.classes)
    return Splits(
        path=path,
        classes=listing.classes,
        train=sets.get("train"),
        val=sets.get("val"),
        test=sets.get("test"),
        available=tuple(found),
        own=listing.own,
        fingerprint=content,
        warnings=warnings,
        hidden=listing.skipped.hidden,
    )


def _files(listing: Listing, division: Division) -> dict[str, _Files]:
    found = {}
    for split, by_class in listing.splits.items():
        paths = tuple(chain.from_iterable(by_class[c] for c in listing.classes))
        labels = np.repeat(np.arange(len(listing.classes)), [len(by_class[c]) for c in listing.classes])
        found[split] = _Files(paths, labels.astype(np.int64))
    if listing.own:
        return found
    all_of_it = found["train"]
    parts = _parts(all_of_it.labels, division)
    return {split: _Files(tuple(all_of_it.paths[i] for i in part), all_of_it.labels[part]) for split, part in parts.items()}


def _image_set(files: _Files, pixels: Pixels | None, task: Task) -> ImageSet:
    labels = torch.from_numpy(files.labels)
    if pixels is None:
        return FileImages(files.paths, labels, task.format)
    return MemoryImages(torch.from_numpy(pixels), labels, lambda i: str(files.paths[i]))


def _left_out(path: Path, listing: Listing) -> tuple[Problem, ...]:
    entries = tuple(str(Path(e).relative_to(path)) for e in listing.skipped.left_out)
    return (LeftOut(str(path), entries),) if entries else ()


def _doubles(root: Path, wanted: Mapping[str, _Files], digests: Sequence[bytes]) -> tuple[Problem, ...]:
    """Warnings about images that are byte for byte the same, in two splits or in two classes."""
    seen: dict[bytes, tuple[str, int, Path]] = {}
    leaks: dict[tuple[str, str], list[str]] = {}
    labels: list[tuple[str, str]] = []
    entries = ((split, int(n), p) for split, files in wanted.items() for n, p in zip(files.labels, files.paths, strict=True))
    for (split, label, path), digest in zip(entries, digests, strict=True):
        first_split, first_label, first_path = seen.setdefault(digest, (split, label, path))
        if first_split != split:
            leaks.setdefault((first_split, split), []).append(str(path.relative_to(root)))
        if first_label != label:
            labels.append((str(first_path.relative_to(root)), str(path.relative_to(root))))
    found: list[Problem] = [Leak(*splits, tuple(files)) for splits, files in leaks.items()]
    return (*found, TwoLabels(tuple(labels))) if labels else tuple(found)


def _fingerprint(root: Path, wanted: Mapping[str, _Files], digests: Sequence[bytes], classes: tuple[str, ...]) -> str:
    """SHA-256 over every image's split, class, place and content."""
    hashed = hashlib.sha256(repr(classes).encode("utf-8", "surrogatepass"))
    remaining = iter(digests)
    for split, files in wanted.items():
        for label, path in zip(files.labels, files.paths, strict=True):
            place = path.relative_to(root).as_posix()
            hashed.update(f"{split}\0{label}\0{place}\0".encode("utf-8", "surrogatepass"))
            hashed.update(next(remaining))
    return hashed.hexdigest()
