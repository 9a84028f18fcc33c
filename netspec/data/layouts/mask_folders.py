"""Folders of images and masks: `images/` and `masks/` with files of the same names, but for their endings.

- The folder of masks may be called `labels` or `annotations` as well, or as the target; that of images as the input. Of several inputs or
  targets each has a folder of its name.
- Names may have a word before or behind them that all of their folder have, as `_mask` (``stems.py``).
- They lie side by side, or so in each of `train/`, `val/` and `test/`, or hold folders of these names themselves, as `images/train/` and
  `masks/train/`.
- A file `classes.txt` beside them may name the classes, one a line in the order of their numbers; else they go by their numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from netspec.data.found import Found, Paths, Raw, Rows, Skipped
from netspec.data.layouts.folders import SPLIT_NAMES, entries, names_below, split_folders
from netspec.data.layouts.stems import IMAGES, MASKS, OF_IMAGES, OF_MASKS, Stems, alike, stem_of
from netspec.data.task import Wanted
from netspec.diagnostics import Diagnostic, NetspecError, Problem, failure
from netspec.diagnostics.data import NoImages, NoSuchData, NoTrainingSplit
from netspec.diagnostics.masks import MasksAlone, NoMaskFolders, NothingTogether, SameStem, WithoutMask
from netspec.diagnostics.text import listing

_Folders = Mapping[str, str]
"""Where the files of each input and each target lie, from the data's folder on."""


def read_mask_folders(root: Path, wanted: Wanted) -> Found:
    """The images and masks of a folder. Raises N747, N703, N724 or N797 where there are none; all else that is wrong is collected."""
    skipped, problems = Skipped(), list[Problem]()
    by_split = _splits(root, wanted, skipped, problems)
    if by_split is None:
        raise failure(NoMaskFolders(str(root), tuple(entries(root, Skipped())[0]), _examples(wanted)))
    if "train" not in by_split:
        raise failure(NoTrainingSplit(str(root), tuple(by_split), "folder train with images and masks"))
    splits, left_out = {}, dict[str, str]()
    for split, folders in by_split.items():
        matching = _Matching(root, folders, wanted, skipped, problems)
        if (rows := matching.rows()) is not None:
            splits[split] = rows
            left_out |= {affix: "" for affix in matching.left_out if affix}
    if "train" not in splits:
        raise NetspecError([Diagnostic(problem) for problem in problems])
    layout = f"images and masks in {', '.join(by_split['train'].values())}"
    layout += f", by their names without {listing(list(left_out))}" if left_out else ""
    return Found(layout, splits, len(splits) > 1, skipped, problems, _names(root, wanted))


def _splits(root: Path, wanted: Wanted, skipped: Skipped, problems: list[Problem]) -> dict[str, _Folders] | None:
    """Where the files of each split lie, or ``None`` where nothing looks like images beside masks."""
    folders, files = entries(root, skipped)
    skipped.left_out += [str(root / f) for f in files if f != "classes.txt"]
    here = _folders("", folders, wanted)
    if here is None:
        named = split_folders(root, folders, problems)
        found = {s: _folders(f, entries(root / f, skipped)[0], wanted) for s, f in named.items()}
        skipped.left_out += [str(root / named[split]) for split, where in found.items() if where is None and any(found.values())]
        return {split: where for split, where in found.items() if where is not None} or None
    skipped.left_out += [str(root / f) for f in folders if f not in here.values()]
    inside = entries(root / here[wanted.inputs[0].name], Skipped())[0]
    if "train" not in {SPLIT_NAMES.get(f.casefold()) for f in inside}:
        return {"train": here}
    named = split_folders(root, inside, problems)
    return {split: {name: f"{where}/{folder}" for name, where in here.items()} for split, folder in named.items()}


def _folders(parent: str, folders: Sequence[str], wanted: Wanted) -> _Folders | None:
    """Which of some folders hold what, if each input and each target has one."""
    asked = {i.name: (i.name, *(IMAGES if len(wanted.inputs) == 1 else ())) for i in wanted.inputs}
    asked |= {t.name: (t.name, *(MASKS if len(wanted.targets) == 1 else ())) for t in wanted.targets}
    by_name = {folder.casefold(): folder for folder in folders}
    found = {name: next((by_name[n.casefold()] for n in names if n.casefold() in by_name), None) for name, names in asked.items()}
    if None in found.values() or len(set(found.values())) < len(found):
        return None
    return {name: f"{parent}/{folder}" if parent else str(folder) for name, folder in found.items()}


def _examples(wanted: Wanted) -> tuple[str, ...]:
    """What the folders may be called."""
    images = ["images"] if len(wanted.inputs) == 1 else [i.name for i in wanted.inputs]
    return (*images, *(["masks"] if len(wanted.targets) == 1 else [t.name for t in wanted.targets]))


@dataclass
class _Matching:
    """The files of a split, put together by their names; ``left_out`` is what names have in common beyond that."""

    root: Path
    folders: _Folders
    wanted: Wanted
    skipped: Skipped
    problems: list[Problem]
    left_out: tuple[str, ...] = ()

    def rows(self) -> Rows | None:
        """The samples, or ``None`` where there are none, which is a problem then."""
        listed = {name: self._by_stem(folder) for name, folder in self.folders.items()}
        if not any(listed[i.name] for i in self.wanted.inputs):
            self.problems.append(NoImages(str(self.root / self.folders[self.wanted.inputs[0].name])))
            return None
        of_images = {i.name for i in self.wanted.inputs}
        found, left_out = alike(listed, {name: OF_IMAGES if name in of_images else OF_MASKS for name in listed})
        self.left_out = tuple(left_out.values())
        if not set.intersection(*map(set, found.values())):
            self.problems.append(NothingTogether(tuple((str(self.root / self.folders[name]), tuple(listed[name])) for name in listed)))
            return None
        return self._matched(found)

    def _matched(self, found: Mapping[str, Stems]) -> Rows:
        stems = list(dict.fromkeys(stem for i in self.wanted.inputs for stem in found[i.name]))
        whole = [stem for stem in stems if all(stem in files for files in found.values())]
        for name, folder in self.folders.items():
            if missing := tuple(stem for stem in stems if stem not in found[name]):
                self.problems.append(WithoutMask(str(self.root / folder), missing))
            if alone := tuple(files for stem, files in found[name].items() if stem not in set(stems)):
                self.problems.append(MasksAlone(str(self.root), alone))
        paths: dict[str, Raw] = {name: Paths(self.root, [files[stem] for stem in whole]) for name, files in found.items()}
        first = Paths(self.root, [found[self.wanted.inputs[0].name][stem] for stem in whole])
        inputs = {i.name: paths[i.name] for i in self.wanted.inputs}
        return Rows(inputs, {t.name: paths[t.name] for t in self.wanted.targets}, lambda index: str(first[index]))

    def _by_stem(self, folder: str) -> dict[str, str]:
        """The images of a folder by what their names say without the folder and the ending."""
        found: dict[str, str] = {}
        try:
            names = names_below(self.root, folder, self.skipped, self.problems)
        except NetspecError as error:
            self.problems.extend(d.problem for d in error.diagnostics)
            return found
        for name in names:
            first = found.setdefault(stem_of(name, folder), name)
            if first != name:
                self.problems.append(SameStem(str(self.root), first, name))
        return found


def _names(root: Path, wanted: Wanted) -> dict[str, tuple[str, ...]]:
    """The names of the classes of the only target, where the data gives them. Raises N701."""
    file = root / "classes.txt"
    if len(wanted.targets) != 1 or not file.is_file():
        return {}
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise failure(NoSuchData(str(file), getattr(error, "strerror", None) or "it is not UTF-8")) from error
    return {wanted.targets[0].name: tuple(line.strip() for line in text.splitlines() if line.strip())}
