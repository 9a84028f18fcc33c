"""Folders of images: which files there are, of which class, in which split.

A folder has either splits of its own, `train/CLASS/…` (or `training/`) with `val/` (or `valid/`, `validation/`) and `test/` (or
`testing/`) where there are such, or is a folder of classes, `CLASS/…`. It counts as the first if it holds a folder `train` that holds
folders itself; other splits without that one are refused, and never taken for classes. Below the folder of a class, images are found
at any depth. Entries whose name starts with a dot, `__MACOSX`, `Thumbs.db` and the like are ignored; links to folders are not
followed, links to files are.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from netspec.data.decode import SUFFIXES
from netspec.diagnostics import failure
from netspec.diagnostics.data import (
    ClassesDiffer,
    ClassNameNotText,
    ClassTwins,
    EmptyClasses,
    ImagesBesideClasses,
    NoClassFolders,
    NoImages,
    NoSuchData,
    NoTrainingSplit,
    SplitTwice,
    TooFewClasses,
)

_SPLITS: Final = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "testing": "test",
}  # fmt: skip
_SYSTEM: Final = frozenset({"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "system volume information"})

Classes = Mapping[str, tuple[Path, ...]]
"""The images of each class, both in the order of their names."""


@dataclass
class Skipped:
    """What was passed over: how many hidden and system entries, and the paths of what is no image by name."""

    hidden: int = 0
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Listing:
    """The images of a data folder. ``own`` says whether it has more splits than `train`; else all images are under ``train``."""

    splits: Mapping[str, Classes]
    classes: tuple[str, ...]
    own: bool
    skipped: Skipped


def list_images(root: Path) -> Listing:
    """List a data folder; raises N70x, N716, N723 or N724 where it is not laid out as the module's text says."""
    skipped = Skipped()
    folders, files = _entries(root, skipped)
    by_split = _own_splits(root, folders)
    if by_split is None:
        found = {"train": _classes(root, folders, files, skipped)}
    else:
        _refuse_stray(root, files, skipped)
        found = {split: _classes(folder, *_entries(folder, skipped), skipped) for split, folder in by_split.items()}
        skipped.left_out += [str(f) for f in folders if f not in by_split.values()]
    classes = _checked_classes(root, found)
    return Listing(found, classes, len(found) > 1, skipped)


def images_below(folder: Path, skipped: Skipped) -> tuple[Path, ...]:
    """Every image file in a folder and the folders in it, sorted by path."""
    found: list[Path] = []
    waiting = [folder]
    while waiting:
        folders, files = _entries(waiting.pop(), skipped)
        waiting += folders
        found += _images(files)
        skipped.left_out += [str(f) for f in files if not _is_image(f)]
    return tuple(sorted(found, key=lambda f: f.parts))


def _entries(folder: Path, skipped: Skipped) -> tuple[list[Path], list[Path]]:
    """The folders and the files in a folder, sorted by name, without what is hidden and without links to folders."""
    folders: list[Path] = []
    files: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                if entry.name.startswith(".") or entry.name.casefold() in _SYSTEM:
                    skipped.hidden += 1
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(folder / entry.name)
                elif entry.is_symlink() and Path(entry.path).is_dir():
                    skipped.left_out.append(entry.path)
                else:
                    files.append(folder / entry.name)
    except OSError as error:
        raise failure(NoSuchData(str(folder), error.strerror or str(error))) from error
    return folders, files


def _own_splits(root: Path, folders: Sequence[Path]) -> dict[str, Path] | None:
    """The folders that are splits, by split, or ``None`` if the folder is one of classes."""
    named: dict[str, list[Path]] = {"train": [], "val": [], "test": []}
    for folder in folders:
        if folder.name.casefold() in _SPLITS:
            named[_SPLITS[folder.name.casefold()]].append(folder)
    others = [*named["val"], *named["test"]]
    if not any(map(_holds_folders, named["train"])):
        if others and len(others) + len(named["train"]) == len(folders) and any(map(_holds_folders, others)):
            raise failure(NoTrainingSplit(str(root), _shown(others)))
        return None
    for split, found in named.items():
        if len(found) > 1:
            raise failure(SplitTwice(str(root), split, _shown(found)))
    return {split: found[0] for split, found in named.items() if found}


def _holds_folders(folder: Path) -> bool:
    return bool(_entries(folder, Skipped())[0])


def _classes(folder: Path, folders: list[Path], files: list[Path], skipped: Skipped) -> Classes:
    """The images of each folder of a class."""
    stray = _images(files)
    if not folders:
        raise failure(NoClassFolders(str(folder), _shown(stray)) if stray else NoImages(str(folder)))
    _refuse_stray(folder, files, skipped)
    found = {f.name: images_below(f, skipped) for f in folders}
    empty = tuple(name for name, images in found.items() if not images)
    if len(empty) == len(found):
        raise failure(NoImages(str(folder)))
    if empty:
        raise failure(EmptyClasses(str(folder), empty))
    return found


def _refuse_stray(folder: Path, files: list[Path], skipped: Skipped) -> None:
    stray = _images(files)
    if stray:
        raise failure(ImagesBesideClasses(str(folder), _shown(stray)))
    skipped.left_out += [str(f) for f in files]


def _checked_classes(root: Path, splits: Mapping[str, Classes]) -> tuple[str, ...]:
    """The names of the classes, sorted: those of the training split, which every other split must have too."""
    classes = tuple(sorted(splits["train"]))
    for split, found in splits.items():
        missing = tuple(c for c in classes if c not in found)
        extra = tuple(sorted(c for c in found if c not in splits["train"]))
        if missing or extra:
            raise failure(ClassesDiffer(split, missing, extra))
    for name in classes:
        if not _is_text(name):
            raise failure(ClassNameNotText(str(root), name))
    if twins := _twins(classes):
        raise failure(ClassTwins(twins))
    if len(classes) < 2:
        raise failure(TooFewClasses(str(root), classes))
    return classes


def _twins(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Pairs of names that are equal once composed (NFC) and case-folded."""
    seen: dict[str, str] = {}
    pairs = []
    for name in names:
        first = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if first != name:
            pairs.append((first, name))
    return tuple(pairs)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_image(file: Path) -> bool:
    return file.suffix.casefold() in SUFFIXES


def _images(files: Iterable[Path]) -> list[Path]:
    return [f for f in files if _is_image(f)]


def _shown(files: Iterable[Path]) -> tuple[str, ...]:
    return tuple(f.name for f in files)
