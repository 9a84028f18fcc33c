"""N23x and N83x: sizes that are left open."""

from collections.abc import Iterable
from dataclasses import dataclass

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape, listing
from netspec.shape import Shape, show


def _set(symbols: tuple[str, ...]) -> str:
    """How to give open sizes a number on the command line."""
    return " ".join(f"--set {s}=224" for s in symbols)


@dataclass(frozen=True)
class OpenWeights(Problem):
    """Weights whose shape would depend on a size that is left open."""

    layer: str
    weight: str
    shape: Shape
    symbols: tuple[str, ...]
    code = "N230"

    def message(self) -> str:
        named = f"the weights `{self.weight}`" if self.weight else "the weights"
        return f"{named} of `{self.layer}` would be {show(self.shape)}, and depend on {listing(self.symbols)}"

    def help(self) -> str:
        return f"put global_avgpool or adaptive_avgpool before it, so that one size flows in, or fix the input's: {_set(self.symbols)}"


@dataclass(frozen=True)
class OpenArgument(Problem):
    """An argument that is computed from a size that is left open."""

    owner: str
    argument: str
    value: str
    symbols: tuple[str, ...]
    code = "N231"

    def message(self) -> str:
        return f"{self.argument} of `{self.owner}` is a number, and {self.value} depends on {listing(self.symbols)}"

    def help(self) -> str:
        return f"use a layer that goes by what flows in, as global_avgpool, or fix the input's size: {_set(self.symbols)}"


@dataclass(frozen=True)
class NeedsSizes(Problem):
    """A layer that cannot work while a size is left open."""

    layer: str
    inputs: tuple[Shape, ...]
    symbols: tuple[str, ...]
    code = "N232"

    def message(self) -> str:
        return f"`{self.layer}` needs sizes that are numbers, and gets {listing([show(s) for s in self.inputs])}"

    def help(self) -> str:
        return f"fix the input's size: {_set(self.symbols)}"


@dataclass(frozen=True)
class OpenSizeElsewhere(Problem):
    """A size with open axes where only numbers will do."""

    text: str
    symbols: tuple[str, ...]
    code = "N233"

    def message(self) -> str:
        return f"`{escape(self.text)}` leaves {listing(self.symbols)} open, and only an input can do so"

    def help(self) -> str:
        return "write numbers; a layer such as resize_to, crop_to or unflatten goes by what flows in"


@dataclass(frozen=True)
class NotAnOpenSize(Problem):
    """An expectation about a symbol that the net has not."""

    symbol: str
    known: tuple[str, ...]
    code = "N234"

    def message(self) -> str:
        return f"no input of the net leaves {self.symbol} open"

    def help(self) -> str:
        return f"it leaves {listing(self.known)} open" if self.known else "write numbers, as 2x112x112"


@dataclass(frozen=True)
class FewSizes(Problem):
    """A size that is left open, of which only some few are accepted."""

    symbols: tuple[str, ...]
    must: str
    refused: int
    why: str
    code = "N235"
    severity = "warning"

    def message(self) -> str:
        several = len(self.symbols) > 1
        return f"{listing(self.symbols)} {'are' if several else 'is'} left open, and must {'each ' * several}be {self.must}"

    def notes(self) -> Iterable[str]:
        yield f"with {self.symbols[0]} = {self.refused}: {self.why}"

    def help(self) -> str:
        return "make what meets here agree for every size, or write the size as a number"


@dataclass(frozen=True)
class RefusedSizes(Problem):
    """Sizes that a net with open sizes does not take."""

    sizes: tuple[tuple[str, int], ...]
    why: str
    rules: tuple[tuple[str, str, tuple[int, ...]], ...] = ()
    """Symbols with what they must be, and the accepted sizes next to those that came in."""
    relations: tuple[str, ...] = ()
    image: str | None = None
    code = "N830"
    exit = Exit.DATA

    def message(self) -> str:
        of = f"{escape(self.image)}: " if self.image else ""
        return f"{of}the net does not take {listing([f'{s} = {n:,}' for s, n in self.sizes])}" + (f": {self.why}" if self.why else "")

    def notes(self) -> Iterable[str]:
        for symbol, must, _ in self.rules:
            yield f"{symbol} must be {must}"
        for relation in self.relations:
            yield f"it must be that {relation}"

    def help(self) -> str | None:
        near = [f"{symbol} = {listing([str(n) for n in sizes], 'or')}" for symbol, _, sizes in self.rules if sizes]
        return f"resize or pad to {listing(near)}" if near else None


@dataclass(frozen=True)
class OpenSizeFixed(Problem):
    """A layer that works for one size alone in PyTorch or ONNX, where the net leaves it open."""

    layer: str
    target: str
    value: str
    symbols: tuple[str, ...]
    code = "N831"

    def message(self) -> str:
        return f"in {self.target} `{self.layer}` needs a number for {self.value}, and {listing(self.symbols)} {self._is} left open"

    @property
    def _is(self) -> str:
        return "is" if len(self.symbols) == 1 else "are"

    def help(self) -> str:
        return f"fix the input's size: {' '.join(f'--set {s}=224' for s in self.symbols)}"


@dataclass(frozen=True)
class OpenInput(Problem):
    """Work for which pictures are brought to one size, with a net that leaves the size of its input open."""

    net: str
    work: str
    symbols: tuple[str, ...] = ("H", "W")
    code = "N832"

    def message(self) -> str:
        return f"`{escape(self.net)}` leaves the size of its input open, and {self.work} brings all pictures to one"

    def help(self) -> str:
        return f"set it: {_set(self.symbols)}"
