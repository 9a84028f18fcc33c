"""N24x and N34x: augmentation."""

from dataclasses import dataclass

from netspec.diagnostics.problem import Problem
from netspec.shape import Shape, show


@dataclass(frozen=True)
class AugmentedSize(Problem):
    """What a region `augment` makes has another size than the input."""

    made: Shape
    wanted: Shape
    code = "N240"

    def message(self) -> str:
        return f"`augment` makes {show(self.made)} of the input's {show(self.wanted)}"

    def help(self) -> str:
        size = show(self.wanted[1:])
        larger = any(isinstance(m, int) and isinstance(w, int) and m > w for m, w in zip(self.made[1:], self.wanted[1:]))
        return f"end it with crop({size})" if larger else f"pad before it is cropped, as pad(4) -> crop({size})"


@dataclass(frozen=True)
class CropTooLarge(Problem):
    """A part that is larger than the picture."""

    size: tuple[int, int]
    input: Shape
    code = "N241"

    def message(self) -> str:
        return f"`crop` cannot take {show(self.size)} out of {show(self.input[1:])}"

    def help(self) -> str:
        return f"pad before it, as pad(4) -> crop({show(self.input[1:])})"


@dataclass(frozen=True)
class NeedsColour(Problem):
    """A change of colours on what has none."""

    name: str
    input: Shape
    code = "N242"

    def message(self) -> str:
        return f"`{self.name}` works on red, green and blue, and the input is {show(self.input)}"

    def help(self) -> str:
        return "take it out; brightness and contrast work on any number of channels"


@dataclass(frozen=True)
class NoAugmentation(Problem):
    """A step of `augment` that is no augmentation."""

    name: str
    near: str | None
    line: str | None = None
    """What to write for the name of another framework, with arguments."""
    is_layer: bool = False
    code = "N340"

    def message(self) -> str:
        if self.line:
            return f"`{self.name}` is another framework's name"
        return f"`{self.name}` is a layer, and `augment` has none" if self.is_layer else f"there is no augmentation named `{self.name}`"

    def help(self) -> str:
        if self.line:
            return f"write {self.line}"
        if self.near:
            return f"did you mean {self.near}?"
        if self.is_layer:
            return "put it behind the region: layers are part of the net, in training and in prediction"
        return "`netspec reference augmentations` lists them"


@dataclass(frozen=True)
class AugmentationInNet(Problem):
    """An augmentation among the layers."""

    name: str
    line: str
    code = "N341"

    def message(self) -> str:
        return f"`{self.name}` is an augmentation, and no layer"

    def help(self) -> str:
        return f"write augment {{ {self.line} }} right behind the input: it exists in training alone"


@dataclass(frozen=True)
class OneOfTwo(Problem):
    """Two arguments of which exactly one is due."""

    owner: str
    first: str
    second: str
    both: bool
    code = "N342"

    def message(self) -> str:
        if self.both:
            return f"`{self.owner}` gets {self.first} and {self.second}, which say the same"
        return f"`{self.owner}` needs {self.first} or {self.second}"

    def help(self) -> str:
        return "take one of them out" if self.both else f"write {self.owner}({self.first}=…) or {self.owner}({self.second}=…)"
