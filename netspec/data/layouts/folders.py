"""Walking through folders of images: what counts as an image, what is passed over, which folders are splits.

Entries whose name starts with a dot, `__MACOSX`, `Thumbs.db` and the like are ignored; links to folders are not followed, links to
files are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from netspec.data.found import Skipped
from netspec.data.images.decode import SUFFIXES
from netspec.diagnostics import NetspecError, Problem, failure
from netspec.diagnostics.data import NoSuchData, SplitTwice
from netspec.diagnostics.predicting import NothingToPredict

__all__ = ["SPLIT_NAMES", "Skipped", "entries", "images_below", "is_image", "names_below", "split_folders"]

SPLIT_NAMES: Final = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "testing": "test",
}  # fmt: skip
"""What a split may be called, and which it is."""

_SYSTEM: Final = frozenset({"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "system volume information"})


def entries(folder: Path, skipped: Skipped) -> tuple[list[str], list[str]]:
    """The names of the folders and of the files in a folder, sorted, without what is hidden and without links to folders. Raises N701."""
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(folder) as found:
            for entry in found:
                if entry.name.startswith(".") or entry.name.casefold() in _SYSTEM:
                    skipped.hidden += 1
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif entry.is_symlink() and Path(entry.path).is_dir():
                    skipped.left_out.append(entry.path)
                else:
                    files.append(entry.name)
    except OSError as error:
        raise failure(NoSuchData(str(folder), error.strerror or str(error))) from error
    return sorted(folders), sorted(files)


def names_below(root: Path, folder: str, skipped: Skipped, problems: list[Problem]) -> list[str]:
    """Every image file in a folder below ``root`` and in the folders in it, as texts from ``root`` on, sorted by their parts. A folder
    that cannot be read is a problem and counts as empty."""
    found: list[str] = []
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            folders, files = entries(root / here, skipped)
        except NetspecError as error:
            problems += [d.problem for d in error.diagnostics]
            continue
        prefix = f"{here}/" if here else ""
        waiting += [prefix + name for name in folders]
        found += [prefix + name for name in files if is_image(name)]
        skipped.left_out += [str(root / here / name) for name in files if not is_image(name)]
    return sorted(found, key=lambda name: name.split("/"))


def images_below(folder: Path, skipped: Skipped) -> tuple[Path, ...]:
    """Every image file in a folder and the folders in it, sorted by path: images to be asked about. Raises N860."""
    problems: list[Problem] = []
    found = names_below(folder, "", skipped, problems)
    if problems:
        first = problems[0]
        raise failure(NothingToPredict(first.path, first.reason) if isinstance(first, NoSuchData) else first)
    return tuple(folder / name for name in found)


def is_image(name: str) -> bool:
    """Whether a file is one by its name."""
    return os.path.splitext(name)[1].casefold() in SUFFIXES  # noqa: PTH122


def split_folders(root: Path, folders: Sequence[str], problems: list[Problem]) -> dict[str, str]:
    """The folders that are splits by their names, by split. More than one for a split is a problem, and the first of them is taken."""
    named: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for folder in folders:
        if folder.casefold() in SPLIT_NAMES:
            named[SPLIT_NAMES[folder.casefold()]].append(folder)
    problems += [SplitTwice(str(root), split, tuple(found)) for split, found in named.items() if len(found) > 1]
    return {split: found[0] for split, found in named.items() if found}


def images_among(files: Iterable[str]) -> tuple[str, ...]:
    """Those of some names that are images."""
    return tuple(name for name in files if is_image(name))
