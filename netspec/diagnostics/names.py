"""N3xx: names that mean nothing, or two things."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from netspec.diagnostics.problem import Problem
from netspec.diagnostics.text import escape, listing


@dataclass(frozen=True)
class UnknownStep(Problem):
    """A step that is neither a layer nor a block, a net or a tensor."""

    name: str
    near: str | None
    hint: str | None = None
    code = "N301"

    def message(self) -> str:
        return f"there is no layer, block or tensor named `{self.name}`"

    def help(self) -> str:
        return self.hint or (f"did you mean {self.near}?" if self.near else "`netspec layers` lists every layer")


@dataclass(frozen=True)
class ForeignLayer(Problem):
    """A layer's name in another framework."""

    name: str
    line: str
    """What to write for it, with arguments."""
    ours: str
    signature: str
    code = "N302"

    def message(self) -> str:
        return f"`{self.name}` is another framework's name"

    def notes(self) -> Iterable[str]:
        if self.signature:
            yield f"its declaration is {self.ours}({self.signature})"

    def help(self) -> str:
        last = self.name.rpartition(".")[2]
        if last == "ToTensor":
            return f"write {self.line}: pixels come in from 0 to 255"
        if last in _WITH_INPUTS:
            return f"write {self.line}; what flows in is known, so its channels or features are not written"
        label = next((name for name in ("other", "memory") if re.search(rf"\b{name}\b", self.line)), None)
        return f"write {self.line}" + (f", where {label} is the label of another tensor" if label else "")


_WITH_INPUTS = {"Linear", "Conv1d", "Conv2d", "Conv3d", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d"}
"""Layers that PyTorch is told the size of the input of, before anything else."""


@dataclass(frozen=True)
class UnknownName(Problem):
    """A name in an expression that stands for nothing."""

    name: str
    near: str | None
    what: str = "value or tensor"
    hint: str | None = None
    code = "N303"

    def message(self) -> str:
        return f"there is no {self.what} named `{self.name}` here"

    def help(self) -> str | None:
        return self.hint or (f"did you mean {self.near}?" if self.near else None)


@dataclass(frozen=True)
class DefinedTwice(Problem):
    """One name for two things."""

    name: str
    what: str
    in_loop: bool = False
    code = "N304"

    def message(self) -> str:
        return f"the {self.what} `{self.name}` is defined twice"

    def label(self) -> str:
        return "again here"

    def help(self) -> str:
        if self.in_loop:
            return f'each round of a loop needs a label of its own: write "{self.name}{{i}}": with the loop\'s variable'
        if self.what.startswith("section"):
            return "write what is in both into one"
        if self.what in {"setting", "expectation"}:
            return "take one of them out"
        if self.what == "path":
            return "what has no label goes by its own name: give it a label, or this one another"
        return "give one of them another name"


@dataclass(frozen=True)
class TakenName(Problem):
    """A label, a block or a net with the name of something else that is a step."""

    name: str
    what: str
    taken: str = "layer"
    code = "N305"

    def message(self) -> str:
        return f"`{self.name}` is a {self.taken}, and cannot be the name of a {self.what}"

    def help(self) -> str:
        if self.what == "label":
            return f'write {self.name}1, say; or, where weights are to be found under this very name, "{self.name}": with quotes'
        return f"write {self.name}_{self.what}, say"


@dataclass(frozen=True)
class RecursiveBlock(Problem):
    """A block that uses itself."""

    name: str
    chain: tuple[str, ...]
    what: str = "block"
    is_alias: bool = False
    code = "N306"

    def message(self) -> str:
        verb = "is made from" if self.is_alias else "uses"
        return f"{self.what} `{self.name}` {verb} itself: {' -> '.join(self.chain)}"

    def help(self) -> str:
        return "write one of them out, as net Name { … }" if self.is_alias else "write what repeats with repeat or for"


@dataclass(frozen=True)
class NoSuchPart(Problem):
    """A dotted name whose parts do not exist, as ``x.widht``."""

    whole: str
    part: str
    near: str | None
    known: tuple[str, ...]
    code = "N307"

    def message(self) -> str:
        return f"{self.whole} has no `{self.part}`"

    def help(self) -> str | None:
        if self.near:
            return f"did you mean {self.near}?"
        return f"it has {listing(self.known)}" if self.known else None


@dataclass(frozen=True)
class UnknownNet(Problem):
    """A net that the file does not define."""

    name: str
    known: tuple[str, ...]
    near: str | None
    code = "N308"

    def message(self) -> str:
        return f"there is no net named `{escape(self.name)}`"

    def help(self) -> str | None:
        if self.near:
            return f"did you mean {self.near}?"
        return f"the file defines {listing(self.known)}" if self.known else None


@dataclass(frozen=True)
class NothingFlows(Problem):
    """A step with no tensor to take."""

    name: str
    code = "N309"

    def message(self) -> str:
        return f"nothing flows into `{self.name}` yet"

    def help(self) -> str:
        return "begin the net with an input, as image: input(3x224x224)"


@dataclass(frozen=True)
class Unused(Problem):
    """A tensor that leads nowhere."""

    name: str
    is_input: bool
    outputs: tuple[str, ...]
    labelled: bool = True
    meant: tuple[str, str] | None = None
    """A label earlier in its chain that is used elsewhere, and the step that it names."""
    several: bool = False
    """Whether it is one of several inputs, and some have a `preprocess`."""
    code = "N310"

    def message(self) -> str:
        return f"nothing uses {'the input' if self.is_input else 'the result of'} `{self.name}`"

    def help(self) -> str:
        if self.meant is not None:
            label, step = self.meant
            return f"`{label}` names only `{step}`, the step behind it; to name the whole chain, put braces around it: {label}: {{ … }}"
        if self.is_input:
            own = "; each input has a preprocess of its own, right behind it" if self.several else ""
            return f"begin a chain with it, as {self.name} -> …, merge it with another, as concat({self.name}), or take it out{own}"
        if not self.labelled:
            return "give it a label and use it, or take it out"
        names = [n for n in (self.name, *self.outputs) if n.isidentifier()]
        return f"name it as a result, as output({', '.join(names)}), use it, or take it out"


@dataclass(frozen=True)
class NoInput(Problem):
    """A net without an input."""

    name: str
    code = "N311"

    def message(self) -> str:
        return f"net `{self.name}` has no input"

    def help(self) -> str:
        return "write image: input(3x224x224) at its beginning"


@dataclass(frozen=True)
class NotAStep(Problem):
    """Something that cannot stand where it stands in a chain."""

    name: str
    why: str
    hint: str
    code = "N312"

    def message(self) -> str:
        return f"`{self.name}` {self.why}"

    def help(self) -> str:
        return self.hint


@dataclass(frozen=True)
class DifferByCase(Problem):
    """Two names that only letter case tells apart."""

    first: str
    second: str
    what: str
    code = "N313"
    severity = "warning"

    def message(self) -> str:
        return f"the {self.what} `{self.first}` and `{self.second}` differ in letter case alone"

    def help(self) -> str:
        return "rename one: readers mix them up, and so do file systems that do not tell the cases apart"


@dataclass(frozen=True)
class OutOfPlace(Problem):
    """A section inside of a net, or a region of a net outside of it."""

    name: str
    outside: bool
    code = "N314"

    def message(self) -> str:
        return f"`{self.name}` {'is part of a net' if self.outside else 'is a section, and no part of a net'}"

    def help(self) -> str:
        return "move it into the net, right behind the input" if self.outside else "move it behind the net's closing brace"
