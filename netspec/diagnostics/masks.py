"""N742, N744 to N747, N797, N799: masks that go with images."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape, listing, plural


@dataclass(frozen=True)
class BadMasks(Problem):
    """Masks that cannot be read, or do not go with their images or with the net; all of them, each with what is wrong."""

    files: tuple[tuple[str, str], ...]
    shown: ClassVar[int] = 20
    code = "N742"
    exit = Exit.DATA

    def message(self) -> str:
        if len(self.files) == 1:
            path, reason = self.files[0]
            return f"{escape(path)} is not a mask that can be used: {escape(reason)}"
        return f"{plural(len(self.files), 'file')} cannot be used as masks"

    def notes(self) -> Iterable[str]:
        if len(self.files) == 1:
            return
        for path, reason in self.files[: self.shown]:
            yield f"{escape(path)}: {escape(reason)}"
        if len(self.files) > self.shown:
            yield f"and {len(self.files) - self.shown:,} more"

    def help(self) -> str:
        return "a mask is a grey PNG, or one with a palette, as large as its image, with the number of a class in each pixel"


@dataclass(frozen=True)
class WithoutMask(Problem):
    """Images for which a folder has no file of the same name."""

    folder: str
    stems: tuple[str, ...]
    code = "N744"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{plural(len(self.stems), 'image')} without a file of the same name in {escape(self.folder)}: {_names(self.stems)}"

    def help(self) -> str:
        return "give each image a mask of its name (images/7.jpg and masks/7.png or 7_mask.png), or take the image out"


@dataclass(frozen=True)
class MasksAlone(Problem):
    """Masks without an image, which are not used."""

    path: str
    files: tuple[str, ...]
    code = "N745"
    severity = "warning"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{plural(len(self.files), 'mask')} in {escape(self.path)} without an image: {_names(self.files)}"

    def help(self) -> str:
        return "they are not used; a mask goes with the image of the same name"


@dataclass(frozen=True)
class SameStem(Problem):
    """Two files that differ in their ending alone, so that either could be the one that is meant."""

    path: str
    first: str
    second: str
    code = "N746"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{escape(self.first)} and {escape(self.second)} in {escape(self.path)} have the same name but for their ending"

    def help(self) -> str:
        return "keep one of them, or rename it: images and masks go together by name"


@dataclass(frozen=True)
class NoMaskFolders(Problem):
    """A folder without images beside masks, though the net learns masks."""

    path: str
    folders: tuple[str, ...]
    wanted: tuple[str, ...]
    code = "N747"
    exit = Exit.DATA

    def message(self) -> str:
        found = f"it holds {_names(self.folders)}" if self.folders else "it holds no folders"
        return f"{escape(self.path)} has no folders {listing([escape(n) for n in self.wanted])}: {found}"

    def help(self) -> str:
        return "the net learns a class for each pixel: put each image into images/ and its mask, of the same name, into masks/"


@dataclass(frozen=True)
class NothingTogether(Problem):
    """Folders of images and masks, none of whose files belong together by their names; ``folders`` are paths with the names in each."""

    folders: tuple[tuple[str, tuple[str, ...]], ...]
    code = "N797"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{listing([escape(path) for path, _ in self.folders])} have no image with its mask: no name is in both"

    def notes(self) -> Iterable[str]:
        for path, names in self.folders:
            yield f"{escape(path)} holds {listing([escape(n) for n in names], limit=3) or 'no image'}"

    def help(self) -> str:
        return "call each mask as its image: images/7.jpg and masks/7.png, or 7_mask.png, 7_seg.png, 7_label.png, mask_7.png for all alike"


@dataclass(frozen=True)
class MaskOutOfLine(Problem):
    """Files of masks for a map that is neither the picture nor the picture in a smaller scale, so that resizing would shift them."""

    input: str
    picture: tuple[int, int]
    output: str
    map: tuple[int, int]
    code = "N799"
    exit = Exit.DATA

    def message(self) -> str:
        (height, width), (high, wide) = self.picture, self.map
        scale = f"which is not the {height} x {width} of {escape(self.input)} in another scale"
        return f"the map of {escape(self.output)} is {high} x {wide}, {scale}: a mask brought to that size would not lie over it"

    def label(self) -> str:
        return "the map ends here"

    def help(self) -> str:
        high, wide = self.map
        return f"pad the convolutions, so that the map has the picture's size, or cut the masks to {high} x {wide} and give them as arrays"


def _names(names: Iterable[str]) -> str:
    return listing([escape(n) for n in names], limit=10)
