"""N712 to N719, N741: arrays in an ``.npz`` file or in ``.npy`` files."""

from dataclasses import dataclass

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape, listing, storage


@dataclass(frozen=True)
class BrokenArrays(Problem):
    """An ``.npz`` that cannot be opened."""

    path: str
    reason: str
    code = "N712"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{escape(self.path)} is not an .npz file that can be read: {escape(self.reason)}"

    def help(self) -> str:
        return "save it again with numpy.savez_compressed, arrays of numbers only"


@dataclass(frozen=True)
class MissingArrays(Problem):
    """An ``.npz`` that lacks arrays it must hold."""

    path: str
    missing: tuple[str, ...]
    found: tuple[str, ...]
    code = "N713"
    exit = Exit.DATA

    def message(self) -> str:
        holds = listing([escape(n) for n in self.found]) or "nothing"
        return f"{escape(self.path)} lacks {listing([escape(n) for n in self.missing])}; it holds {holds}"

    def help(self) -> str:
        return "name the arrays x_train and y_train, and x_val, y_val, x_test, y_test where there are such splits"


@dataclass(frozen=True)
class WrongArray(Problem):
    """An array of another type or shape than it must have."""

    path: str
    array: str
    found: str
    wanted: str
    code = "N714"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{escape(self.array)} in {escape(self.path)} is {self.found}, and must be {self.wanted}"

    def help(self) -> str:
        return "bring the array into this form and save it again: arrays are taken as they are, only files are resized"


@dataclass(frozen=True)
class WrongLabels(Problem):
    """Labels beyond the classes, or classes without a label."""

    array: str
    sentence: str
    code = "N715"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{escape(self.array)} {self.sentence}"

    def help(self) -> str:
        return "number the classes 0, 1, 2, …, each with images in x_train; an array `classes` may give their names"


@dataclass(frozen=True)
class DataTooLarge(Problem):
    """Arrays that do not fit into the memory of this machine."""

    path: str
    needed: int
    available: int
    code = "N719"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"the arrays in {escape(self.path)} take {storage(self.needed)}, and {storage(self.available)} of memory are free"

    def help(self) -> str:
        return "save the images as files in folders of classes: these are read as they are needed"


@dataclass(frozen=True)
class ArrayLengths(Problem):
    """Arrays of one split that do not have a row for each sample."""

    path: str
    rows: tuple[tuple[str, int], ...]
    code = "N741"
    exit = Exit.DATA

    def message(self) -> str:
        found = listing([f"{escape(name)} has {count:,}" for name, count in self.rows])
        return f"the arrays of a split in {escape(self.path)} are not equally long: {found} rows"

    def help(self) -> str:
        return "give each sample one row in every array, in the same order"
