"""N7xx: data for training, evaluation and prediction."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape, listing, plural

_SHOWN = 5


def _names(names: Iterable[str], limit: int = _SHOWN) -> str:
    return listing([escape(n) for n in names], limit=limit)


@dataclass(frozen=True)
class NoSuchData(Problem):
    """The path given for data leads nowhere, or cannot be read."""

    path: str
    reason: str = "there is no such file or folder"
    code = "N701"
    exit = Exit.DATA

    def message(self) -> str:
        return f"data {escape(self.path)} cannot be read: {escape(self.reason)}"

    def help(self) -> str:
        return "give a folder of images, as data/train/cat/1.jpg, a .csv file, or an .npz file with x_train and y_train"


@dataclass(frozen=True)
class UnknownDataFile(Problem):
    """A file given as data that is none of those that are read."""

    path: str
    code = "N702"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{escape(self.path)} is neither a folder nor a .csv, .npz or .npy file"

    def help(self) -> str:
        return "unpack an archive first; docs/data.md says what folders, tables and arrays may hold"


@dataclass(frozen=True)
class NoImages(Problem):
    """A folder without a single image."""

    path: str
    code = "N703"
    exit = Exit.DATA

    def message(self) -> str:
        return f"no images in {escape(self.path)}"

    def notes(self) -> Iterable[str]:
        yield "an image is a file that ends in .jpg, .jpeg, .png, .webp, .bmp or .gif; hidden entries and links to folders are left out"

    def help(self) -> str:
        return "give a folder with a folder of images for each class"


@dataclass(frozen=True)
class EmptyClasses(Problem):
    """Folders of classes without an image."""

    path: str
    classes: tuple[str, ...]
    code = "N704"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{plural(len(self.classes), 'class')} without images in {escape(self.path)}: {_names(self.classes, 10)}"

    def help(self) -> str:
        return "put images into each of these folders, take the folders out, or let them be with --allow-empty-class"


@dataclass(frozen=True)
class TooFewClasses(Problem):
    """Nothing can be told apart."""

    path: str
    classes: tuple[str, ...]
    code = "N705"
    exit = Exit.DATA

    def message(self) -> str:
        found = f"only {_names(self.classes)}" if self.classes else "none"
        return f"at least 2 classes are needed, and {escape(self.path)} has {found}"

    def help(self) -> str:
        return "give a folder of images for each class"


@dataclass(frozen=True)
class ImagesBesideClasses(Problem):
    """Images that lie where only folders of classes may."""

    path: str
    files: tuple[str, ...]
    code = "N706"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{plural(len(self.files), 'image')} beside the folders of classes in {escape(self.path)}: {_names(self.files)}"

    def help(self) -> str:
        return "move each image into the folder of its class"


@dataclass(frozen=True)
class NoClassFolders(Problem):
    """Images without any folder of a class around them."""

    path: str
    files: tuple[str, ...]
    code = "N707"
    exit = Exit.DATA

    def message(self) -> str:
        return f"the images in {escape(self.path)} are in no folder of a class: {_names(self.files)}"

    def help(self) -> str:
        return "make a folder for each class, and move the images there"


@dataclass(frozen=True)
class ClassesDiffer(Problem):
    """A split has other classes than the training split, or data than the model. ``path`` is where the split lies, where that is told."""

    split: str
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    of: str = "train"
    path: str = ""
    code = "N708"
    exit = Exit.DATA

    def message(self) -> str:
        parts = []
        if self.missing:
            parts.append(f"lacks {_names(self.missing, 10)}")
        if self.extra:
            parts.append(f"has {_names(self.extra, 10)}, which {self.of} has not")
        place = " in ".join(filter(None, (self.split, escape(self.path))))
        return f"the classes of {place} are not those of {self.of}: it {' and '.join(parts) or 'has them in another order'}"

    def help(self) -> str:
        return (
            "give the split no class that train has not: rename it as it is called there, or give train images of it"
            if self.of == "train"
            else "give the data the classes that the model has, in its order"
        )


@dataclass(frozen=True)
class ClassTwins(Problem):
    """Names of classes that some file systems take for one."""

    twins: tuple[tuple[str, str], ...]
    code = "N709"
    exit = Exit.DATA

    def message(self) -> str:
        more = f", and {plural(len(self.twins) - 1, 'other pair')}" if len(self.twins) > 1 else ""
        return f"classes that differ only in letter case or in the way accents are written: {_both(self.twins[0])}{more}"

    def notes(self) -> Iterable[str]:
        yield from (f"so do {_both(pair)}" for pair in self.twins[1:11])

    def help(self) -> str:
        return "give each class a name of its own, or put the images of both into one folder"


def _both(pair: tuple[str, str]) -> str:
    return f"{_raw(pair[0])} and {_raw(pair[1])}"


def _raw(name: str) -> str:
    """The name as its code points, where two names look alike."""
    return escape(name) if name.isascii() else f"{escape(name)} ({name.encode('unicode_escape').decode()})"


@dataclass(frozen=True)
class ClassCount(Problem):
    """The net tells apart more or fewer classes than the data has."""

    outputs: int
    classes: tuple[str, ...]
    code = "N710"
    exit = Exit.DATA

    def message(self) -> str:
        return f"the net tells apart {plural(self._told, 'class')}, and the data has {len(self.classes):,}: {_names(self.classes, 10)}"

    @property
    def _told(self) -> int:
        return 2 if self.outputs == 1 else self.outputs

    def notes(self) -> Iterable[str]:
        if self.outputs == 1:
            yield "a net with one output tells apart two classes: the output says how much it is the second by name"

    def help(self) -> str:
        count = len(self.classes)
        return f"give the last layer {plural(count, 'output')} (where the net has a parameter for it, --set classes={count}), or other data"


@dataclass(frozen=True)
class BadImages(Problem):
    """Images that cannot be decoded, all of them, each with what is wrong; ``epoch`` is where they could be before, ``data`` says that
    they are among others, which can do without them, and ``emptied`` names the splits that cannot."""

    files: tuple[tuple[str, str], ...]
    epoch: int | None = None
    data: bool = False
    emptied: tuple[str, ...] = ()
    shown: ClassVar[int] = 20
    code = "N711"
    exit = Exit.DATA

    def message(self) -> str:
        if len(self.files) == 1:
            path, reason = self.files[0]
            return f"{escape(path)} is not an image that can be read{self._when}: {escape(reason)}"
        return f"{plural(len(self.files), 'file')} cannot be read as images{self._when}"

    @property
    def _when(self) -> str:
        return "" if self.epoch is None else f" any more in epoch {self.epoch}"

    def notes(self) -> Iterable[str]:
        for path, reason in self.files[: self.shown] if len(self.files) > 1 else ():
            yield f"{escape(path)}: {escape(reason)}"
        if len(self.files) > self.shown:
            yield f"and {len(self.files) - self.shown:,} more"
        if self.emptied:
            yield f"they cannot be left out: nothing would be left in {listing(self.emptied)}"

    def help(self) -> str:
        skipping = ", or leave them out: --bad-images=skip" if self.data else ""
        return f"replace or remove these files{skipping}; JPEG, PNG, WebP, BMP and GIF are read"


@dataclass(frozen=True)
class SplitTwice(Problem):
    """More than one folder that could be the same split."""

    path: str
    split: str
    folders: tuple[str, ...]
    code = "N716"
    exit = Exit.DATA

    def message(self) -> str:
        use = {"train": "training", "val": "validation"}.get(self.split, self.split)
        return f"{escape(self.path)} has more than one split for {use}: {_names(self.folders)}"

    def help(self) -> str:
        return "keep one of them"


@dataclass(frozen=True)
class NoTrainingSplit(Problem):
    """Splits of classes, but none that the order of the classes could come from."""

    path: str
    folders: tuple[str, ...]
    lacking: str = "folder train with a folder for each class"
    code = "N724"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{escape(self.path)} has {_names(self.folders)}, and no {self.lacking}"

    def help(self) -> str:
        if self.lacking.startswith("row"):
            return "write train into the column split of those rows that are to be trained on"
        return "add the folder train; to measure a model on one split alone, give the folder of that split"


@dataclass(frozen=True)
class NotAnImageNet(Problem):
    """A net with an input that is neither an image nor a vector of numbers."""

    net: str
    sentence: str
    hint: str
    code = "N717"
    exit = Exit.SPEC

    def message(self) -> str:
        return f"`{escape(self.net)}` takes what no data has: {self.sentence}"

    def help(self) -> str:
        return self.hint


@dataclass(frozen=True)
class NoSuchSplit(Problem):
    """A split was asked for that the data has not."""

    path: str
    split: str
    found: tuple[str, ...]
    code = "N718"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{escape(self.path)} has no {escape(self.split)} split, only {_names(self.found)}"

    def help(self) -> str:
        return f"choose one of {listing(list(self.found), 'or')}"


@dataclass(frozen=True)
class LeftOut(Problem):
    """Entries of a data folder that are not images by name or lie outside the splits."""

    path: str
    entries: tuple[str, ...]
    code = "N720"
    severity = "warning"
    exit = Exit.DATA

    def message(self) -> str:
        count = len(self.entries)
        return f"{count:,} {'entry' if count == 1 else 'entries'} of {escape(self.path)} left out: {_names(self.entries)}"

    def notes(self) -> Iterable[str]:
        yield "read are .jpg, .jpeg, .png, .webp, .bmp and .gif files; links to folders are not followed"


@dataclass(frozen=True)
class Leak(Problem):
    """The same image in two splits."""

    first: str
    second: str
    files: tuple[str, ...]
    code = "N721"
    severity = "warning"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{plural(len(self.files), 'image')} of {self.second} also in {self.first}, byte for byte: {_names(self.files)}"

    def help(self) -> str:
        return f"take them out of one of the two: figures on {self.second} are too good otherwise"


@dataclass(frozen=True)
class TwoLabels(Problem):
    """The same image in two classes."""

    pairs: tuple[tuple[str, str], ...]
    code = "N722"
    severity = "warning"
    exit = Exit.DATA

    def message(self) -> str:
        shown = [f"{first} = {second}" for first, second in self.pairs]
        return f"{plural(len(self.pairs), 'image')} in more than one class, byte for byte: {_names(shown)}"

    def help(self) -> str:
        return "keep each image in the one class it belongs to"


@dataclass(frozen=True)
class ClassNameNotText(Problem):
    """A folder of a class whose name is no text in UTF-8, so that no model file could carry it."""

    path: str
    name: str
    code = "N723"
    exit = Exit.DATA

    def message(self) -> str:
        return f"the name of the class folder {escape(self.name)} in {escape(self.path)} is not UTF-8"

    def help(self) -> str:
        return "rename the folder"
