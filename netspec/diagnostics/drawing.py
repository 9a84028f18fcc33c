"""N97x: diagrams."""

from collections.abc import Iterable
from dataclasses import dataclass

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape, listing


def _kept(path: str | None) -> Iterable[str]:
    if path is not None:
        yield f"the DOT text is kept in {escape(path)}"


@dataclass(frozen=True)
class TooLargeToDraw(Problem):
    """A diagram with more marks than can be laid out in reasonable time, or read."""

    net: str
    boxes: int
    limit: int
    parts: tuple[str, ...]
    code = "N971"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"the diagram of `{escape(self.net)}` would have {self.boxes:,} boxes, and at most {self.limit:,} are laid out"

    def notes(self) -> Iterable[str]:
        if self.parts:
            yield f"its parts are {listing([escape(p) for p in self.parts])}"

    def help(self) -> str:
        if self.parts:
            return f"draw one part, as --only {escape(self.parts[0])}, or write the DOT text alone, to a file that ends in .dot"
        return "label parts of the net and draw one with --only, or write the DOT text alone, to a file that ends in .dot"


@dataclass(frozen=True)
class UnknownPart(Problem):
    """A part to draw that the net does not have."""

    part: str
    net: str
    near: str | None
    parts: tuple[str, ...]
    code = "N972"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"`{escape(self.net)}` has no part `{escape(self.part)}`"

    def notes(self) -> Iterable[str]:
        if self.parts:
            yield f"its outermost parts are {listing([escape(p) for p in self.parts])}"

    def help(self) -> str:
        return f"did you mean {escape(self.near)}?" if self.near else "give the path of a region, a block's use or a layer, as layer1.0"


@dataclass(frozen=True)
class UnknownPicture(Problem):
    """A file's name that does not end in a format that is drawn."""

    path: str
    known: tuple[str, ...]
    code = "N973"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"the ending of {escape(self.path)} names no format of a diagram"

    def help(self) -> str:
        return f"end the name in {listing([f'.{k}' for k in self.known], 'or')}"


@dataclass(frozen=True)
class GraphvizMissing(Problem):
    """The package that carries Graphviz is not there."""

    reason: str
    kept: str | None
    code = "N974"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"pygraphviz, which carries Graphviz, does not load: {escape(self.reason)}"

    def notes(self) -> Iterable[str]:
        return _kept(self.kept)

    def help(self) -> str:
        return "install it with pip install 'pygraphviz>=2.0', or write DOT text, to a file that ends in .dot"


@dataclass(frozen=True)
class DrawingTimedOut(Problem):
    """A layout that takes longer than it may."""

    net: str
    seconds: float
    boxes: int
    kept: str | None
    code = "N975"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"laying out the {self.boxes:,} boxes of `{escape(self.net)}` took more than {self.seconds:g} seconds, and was stopped"

    def notes(self) -> Iterable[str]:
        return _kept(self.kept)

    def help(self) -> str:
        return "draw one part, with --only, or lay out the DOT text with a tool of your own"


@dataclass(frozen=True)
class DrawingFailed(Problem):
    """Graphviz gave up, for want of memory for one."""

    net: str
    reason: str
    kept: str | None
    code = "N976"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"Graphviz could not draw `{escape(self.net)}`: {escape(self.reason)}"

    def notes(self) -> Iterable[str]:
        return _kept(self.kept)

    def help(self) -> str:
        return "draw one part, with --only, or lay out the DOT text with a tool of your own"


@dataclass(frozen=True)
class TooLongForPixels(Problem):
    """A PNG that would be too coarse to read, as there is a limit to how many pixels a side has."""

    net: str
    code = "N977"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"the diagram of `{escape(self.net)}` is too long for a PNG: its text could not be read"

    def help(self) -> str:
        return "write .svg or .pdf, which have no pixels, or draw one part with --only"
