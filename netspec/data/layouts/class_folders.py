"""Folders of images by class: which files there are, of which class, in which split.

A folder has either splits of its own, `train/CLASS/…` (or `training/`) with `val/` (or `valid/`, `validation/`) and `test/` (or
`testing/`) where there are such, or is a folder of classes, `CLASS/…`. It counts as the first if it holds a folder `train` that holds
folders itself; other splits without that one are refused, and never taken for classes. Below the folder of a class, images are found
at any depth.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import numpy as np

from netspec.data.found import Coded, Found, Paths, Raw, Rows, Skipped
from netspec.data.layouts.folders import SPLIT_NAMES, entries, images_among, names_below, split_folders
from netspec.data.layouts.stems import IMAGES, MASKS, OF_IMAGES, OF_MASKS, alike, stem_of
from netspec.data.task import Wanted
from netspec.diagnostics import Problem, failure
from netspec.diagnostics.data import EmptyClasses, ImagesBesideClasses, NoClassFolders, NoImages, NoTrainingSplit
from netspec.diagnostics.layouts import MasksNotClasses

Listing = Mapping[str, list[str]]
"""The images of each class, in the order of their names."""


def read_class_folders(root: Path, wanted: Wanted) -> Found:
    """The images of a folder of classes for every input and every target of ``wanted``. Raises N703, N707 or N724 where there is nothing
    to read, N866 where it is images with their masks; all else that is wrong is collected."""
    skipped, problems = Skipped(), list[Problem]()
    folders, files = entries(root, skipped)
    by_split = _own_splits(root, folders, problems)
    if by_split is None:
        listings = {"train": _classes(root, "", skipped, problems, folders, files)}
    else:
        _stray(root, "", files, skipped, problems)
        listings = {split: _classes(root, folder, skipped, problems) for split, folder in by_split.items()}
        skipped.left_out += [str(root / f) for f in folders if f.casefold() not in SPLIT_NAMES]
    _check_masks(root, "" if by_split is None else by_split["train"], listings["train"])
    if not any(chain.from_iterable(listings["train"].values())):
        raise failure(NoImages(str(root / ("" if by_split is None else by_split["train"]))))
    splits = {split: _rows(root, listing, wanted) for split, listing in listings.items()}
    layout = "a folder for each class" + ("" if by_split is None else f" in each of {', '.join(by_split.values())}")
    return Found(layout, splits, len(listings) > 1, skipped, problems)


def _check_masks(root: Path, folder: str, listing: Listing) -> None:
    """Raise N866 where the folders of two classes are called as those of images and of their masks, and hold files that go together."""
    by_name = {name.casefold(): name for name in listing}
    images, masks = (next((by_name[n] for n in names if n in by_name), None) for names in (IMAGES, MASKS))
    if images is None or masks is None or len(listing) != 2:
        return
    prefix = f"{folder}/" if folder else ""
    found = {name: {stem_of(file, prefix + name): file for file in files} for name, files in listing.items()}
    stems, _ = alike(found, {images: OF_IMAGES, masks: OF_MASKS})
    if both := len(stems[images].keys() & stems[masks].keys()):
        raise failure(MasksNotClasses(str(root / folder), images, masks, both))


def _own_splits(root: Path, folders: list[str], problems: list[Problem]) -> dict[str, str] | None:
    """The folders that are splits, by split, or ``None`` if the folder is one of classes."""
    named = [f for f in folders if f.casefold() in SPLIT_NAMES]
    training = [f for f in named if SPLIT_NAMES[f.casefold()] == "train"]
    if not any(_holds_folders(root / f) for f in training):
        others = [f for f in named if f not in training]
        if others and len(named) == len(folders) and any(_holds_folders(root / f) for f in others):
            raise failure(NoTrainingSplit(str(root), tuple(others)))
        return None
    return split_folders(root, folders, problems)


def _holds_folders(folder: Path) -> bool:
    return bool(entries(folder, Skipped())[0])


def _classes(
    root: Path,
    folder: str,
    skipped: Skipped,
    problems: list[Problem],
    folders: list[str] | None = None,
    files: list[str] | None = None,
) -> Listing:
    """The images of each folder of a class, whose entries may be known."""
    if folders is None or files is None:
        folders, files = entries(root / folder, skipped)
    if not folders:
        stray = images_among(files)
        nothing = NoClassFolders(str(root / folder), stray) if stray else NoImages(str(root / folder))
        if _trains(folder):
            raise failure(nothing)
        problems.append(nothing)
        return {}
    _stray(root, folder, files, skipped, problems)
    found = {name: names_below(root, f"{folder}/{name}" if folder else name, skipped, problems) for name in folders}
    empty = tuple(name for name, images in found.items() if not images)
    if empty and len(empty) < len(found) and _trains(folder):
        problems.append(EmptyClasses(str(root / folder), empty))
    elif len(empty) == len(found) and not _trains(folder):
        problems.append(NoImages(str(root / folder)))
    return found


def _trains(folder: str) -> bool:
    """Whether a folder is that of the training split, or of all there is."""
    return SPLIT_NAMES.get(folder.casefold(), "train") == "train"


def _stray(root: Path, folder: str, files: list[str], skipped: Skipped, problems: list[Problem]) -> None:
    stray = images_among(files)
    if stray:
        problems.append(ImagesBesideClasses(str(root / folder), stray))
    skipped.left_out += [str(root / folder / f) for f in files if f not in set(stray)]


def _rows(root: Path, listing: Listing, wanted: Wanted) -> Rows:
    names = tuple(listing)
    codes = np.repeat(np.arange(len(names)), [len(listing[c]) for c in names]).astype(np.int64)
    paths = Paths(root, list(chain.from_iterable(listing[c] for c in names)))
    targets: dict[str, Raw] = {t.name: Coded(codes, names) for t in wanted.targets}
    return Rows({i.name: paths for i in wanted.inputs}, targets, lambda index: str(paths[index]))
