"""N730, N740, N743, N793, N794, N796, N865: what a look at data finds that does not stop a training."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape, listing, plural


@dataclass(frozen=True)
class ClassesMissing(Problem):
    """Classes that a split has no sample of (for masks, no pixel). They keep their numbers. ``drawn`` says that shares drew the split."""

    split: str
    missing: tuple[str, ...]
    classes: int
    what: Literal["sample", "pixel"] = "sample"
    drawn: bool = False
    code = "N740"
    severity = "warning"
    exit = Exit.DATA

    def message(self) -> str:
        names = listing([escape(n) for n in self.missing], limit=10)
        return f"{self.split} has no {self.what} of {len(self.missing):,} of the {plural(self.classes, 'class')}: {names}"

    def help(self) -> str:
        if self.split == "train":
            return "nothing can be learned of them: look whether the masks hold the numbers of these classes"
        if self.drawn:
            return f"they have too few samples for a share of {self.split}: figures on {self.split} say nothing of them"
        return f"figures on {self.split} say nothing of them; classes are known by name, so their numbers stay as they are"


@dataclass(frozen=True)
class EmptyClassesKept(Problem):
    """Folders of classes without an image, as it was allowed."""

    path: str
    classes: tuple[str, ...]
    code = "N730"
    severity = "warning"
    exit = Exit.DATA

    def message(self) -> str:
        names = listing([escape(n) for n in self.classes], limit=10)
        return f"{plural(len(self.classes), 'class')} without a sample in {escape(self.path)}: {names}"

    def help(self) -> str:
        return "nothing can be learned of them; they keep their numbers, so images can be added later"


@dataclass(frozen=True)
class MasksOfOneClass(Problem):
    """Masks of a split that all are of one class, or, without a class, count for nothing."""

    target: str
    split: str
    masks: int
    name: str | None
    code = "N865"
    severity = "warning"
    exit = Exit.DATA

    def message(self) -> str:
        which = "counts for nothing" if self.name is None else f"is of one class, {escape(self.name)}"
        return f"every pixel of {escape(self.target)} in {self.split} ({plural(self.masks, 'mask')}) {which}"

    def help(self) -> str:
        return "look at the masks: each pixel has to hold the number of its class, from 0 on, and there is nothing to tell apart here"


@dataclass(frozen=True)
class ImagesSkipped(Problem):
    """Images that cannot be decoded, and the samples that were left out for them, as it was asked for."""

    files: tuple[tuple[str, str], ...]
    samples: int
    shown: ClassVar[int] = 20
    code = "N743"
    severity = "warning"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{plural(self.samples, 'sample')} left out, whose images cannot be read"

    def notes(self) -> Iterable[str]:
        for path, reason in self.files[: self.shown]:
            yield f"{escape(path)}: {escape(reason)}"
        if len(self.files) > self.shown:
            yield f"and {len(self.files) - self.shown:,} more"

    def help(self) -> str:
        return "replace these files, and nothing has to be skipped; without them, data without splits of its own is divided anew"


@dataclass(frozen=True)
class Unbalanced(Problem):
    """A class of the training split with many times the samples of another."""

    target: str
    most: tuple[str, int]
    least: tuple[str, int]
    code = "N793"
    severity = "warning"
    exit = Exit.DATA

    def message(self) -> str:
        (most, many), (least, few) = self.most, self.least
        ratio = many / few
        return f"{escape(most)} has {many:,} samples for training and {escape(least)} {few:,}, {ratio:,.0f} times fewer"

    def help(self) -> str:
        return "look at each class, not at the accuracy alone; weight=balanced in the loss makes every class count alike"


@dataclass(frozen=True)
class Stretched(Problem):
    """Images that are enlarged, or whose shape is changed, by more than twice."""

    enlarged: tuple[str, ...]
    bent: tuple[str, ...]
    of: int
    size: tuple[int, int]
    code = "N794"
    severity = "warning"
    exit = Exit.DATA

    def message(self) -> str:
        parts = []
        if self.enlarged:
            parts.append(f"{plural(len(self.enlarged), 'image')} of {self.of:,} enlarged more than twice: {_some(self.enlarged)}")
        if self.bent:
            distorted = f"{plural(len(self.bent), 'image')} of {self.of:,} distorted more than twice, width against height"
            parts.append(f"{distorted}: {_some(self.bent)}")
        height, width = self.size
        return f"the net takes {width} x {height} pixels: {'; '.join(parts)}"

    def help(self) -> str:
        return "every image is stretched to the net's input; crop them before, or give the net another input size"


@dataclass(frozen=True)
class BlankImages(Problem):
    """Images all of whose pixels are equal, as those of a camera that was covered."""

    files: tuple[str, ...]
    of: int
    code = "N796"
    severity = "warning"
    exit = Exit.DATA

    def message(self) -> str:
        every = "all " if len(self.files) == self.of else ""
        return f"{every}{plural(len(self.files), 'image')} of {self.of:,} of a single colour: {_some(self.files)}"

    def help(self) -> str:
        return "look at them: nothing can be learned from an image without content"


def _some(names: Iterable[str]) -> str:
    return listing([escape(n) for n in names], limit=3)
