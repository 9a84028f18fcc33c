"""N22x: sequences, windows and matrices that do not fit."""

from dataclasses import dataclass

from netspec.diagnostics.problem import Problem
from netspec.diagnostics.text import plural
from netspec.shape import Shape, show

_MOST = 4096
"""More heads than this are not looked for."""


@dataclass(frozen=True)
class HeadsDoNotDivide(Problem):
    """The heads of an attention do not divide its features."""

    heads: int
    features: int
    code = "N220"

    def message(self) -> str:
        return f"{plural(self.heads, 'head')} cannot share {plural(self.features, 'feature')} evenly"

    def help(self) -> str:
        fitting = [d for d in range(1, min(self.features, _MOST) + 1) if self.features % d == 0]
        below, above = [d for d in fitting if d < self.heads][-1:], [d for d in fitting if d > self.heads][:1]
        return f"{' or '.join(map(str, below + above))} would do"


@dataclass(frozen=True)
class WindowsDoNotDivide(Problem):
    """The windows of a partition do not divide the map."""

    window: tuple[int, int]
    map: tuple[int, int]
    code = "N221"

    def message(self) -> str:
        return f"windows of {show(self.window)} do not divide a map of {show(self.map)} evenly"

    def help(self) -> str:
        below, right = (-n % w for w, n in zip(self.window, self.map, strict=True))
        return f"write pad([0, {right}, 0, {below}]) before it, for {self.map[0] + below}x{self.map[1] + right}"


@dataclass(frozen=True)
class WindowPlaces(Problem):
    """Windows to be put together have another number of places than is said."""

    window: tuple[int, int]
    input: Shape
    code = "N222"

    def message(self) -> str:
        places = self.window[0] * self.window[1]
        return f"a window of {show(self.window)} has {plural(places, 'place')}, and those of {show(self.input)} have {self.input[2]}"

    def help(self) -> str:
        return "write the window that window_partition was given"


@dataclass(frozen=True)
class MatricesDoNotFit(Problem):
    """The two sides of a matrix product do not fit each other."""

    first: Shape
    second: Shape
    transpose: bool
    code = "N223"

    def message(self) -> str:
        turned = ", turned over" if self.transpose else ""
        return f"`matmul` cannot multiply {show(self.first)} by {show(self.second)}{turned}"

    def help(self) -> str:
        a, b = self.first, self.second
        if len(a) != len(b) or a[:-2] != b[:-2]:
            return "make the axes before the last two alike"
        if (b[-2] if self.transpose else b[-1]) == a[-1]:
            return "leave transpose out" if self.transpose else "write transpose=true, for the product with the other turned over"
        return f"the other needs {a[-1]} {'columns' if self.transpose else 'rows'}, as many as what flows in has columns"
