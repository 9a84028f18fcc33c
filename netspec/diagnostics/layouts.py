"""N791, N792, N798, N866: data whose layout does not hold what a net asks for."""

from dataclasses import dataclass

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape, listing, plural


@dataclass(frozen=True)
class LayoutDoesNotFit(Problem):
    """A folder of images that cannot hold all inputs and targets of a net."""

    path: str
    layout: str
    lacking: tuple[str, ...]
    loss: str | None = None
    """The setting with which each image would be of one class, where that is most likely what is meant."""
    code = "N791"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{escape(self.path)} is a folder of {self.layout}, and cannot give {listing([escape(n) for n in self.lacking], 'or')}"

    def help(self) -> str:
        data = "give a .csv file with a column for each input and target, or an .npz file with arrays of their names"
        return f"to learn the class that each folder is, write {self.loss}; else {data}" if self.loss else data


@dataclass(frozen=True)
class PairsDoNotFit(Problem):
    """Pairs are asked for by a net that does not take two images alike and say one thing of them."""

    net: str
    inputs: int
    targets: int
    code = "N792"
    exit = Exit.DATA

    def message(self) -> str:
        has = f"{plural(self.inputs, 'input')} and {plural(self.targets, 'target')}"
        return f"pairs need two inputs of one shape and one output that is one number; {self.net} has {has}"

    def help(self) -> str:
        return "give both inputs the same size, and let the net end in one number, with binary_cross_entropy or contrastive as its loss"


@dataclass(frozen=True)
class NoSamples(Problem):
    """Splits without a single sample."""

    path: str
    splits: tuple[str, ...]
    code = "N798"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{escape(self.path)} has no sample for {listing([escape(s) for s in self.splits])}"

    def help(self) -> str:
        return "give each split at least one sample, or leave a split that has none out"


@dataclass(frozen=True)
class MasksNotClasses(Problem):
    """Images beside their masks, where a net that tells classes apart looks for a folder of each class."""

    path: str
    images: str
    masks: str
    both: int
    code = "N866"
    exit = Exit.DATA

    def message(self) -> str:
        pairs = f"{plural(self.both, 'name')} in both"
        folders = f"{escape(self.images)} and {escape(self.masks)} in {escape(self.path)}"
        return f"{folders} are images with their masks, not two classes: {pairs}"

    def help(self) -> str:
        return "the net tells classes of images apart: give a folder for each class, or a net that ends in a map, as conv(classes, 1)"
