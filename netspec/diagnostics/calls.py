"""N4xx: what stands between the parentheses."""

from collections.abc import Iterable
from dataclasses import dataclass

from netspec.diagnostics.problem import Problem
from netspec.diagnostics.text import escape, listing, plural


@dataclass(frozen=True)
class BadValue(Problem):
    """An argument outside of what is accepted."""

    owner: str
    argument: str
    must: str
    value: str
    near: str | None = None
    hint: str | None = None
    code = "N401"

    def message(self) -> str:
        return f"{self.argument} of `{self.owner}` must be {self.must}"

    def label(self) -> str:
        return f"this is {self.value if len(self.value) <= 60 else self.value[:40] + '…'}"

    def help(self) -> str | None:
        return self.hint or (f"did you mean {self.near}?" if self.near else None)


@dataclass(frozen=True)
class UnknownArgument(Problem):
    """A named argument that does not exist."""

    owner: str
    argument: str
    known: tuple[str, ...]
    near: str | None
    code = "N402"

    def message(self) -> str:
        return f"`{self.owner}` has no argument `{self.argument}`"

    def help(self) -> str:
        if self.argument == "dim" and self.near == "axis":
            return "did you mean axis? Axes are counted without the batch: dim=1 is axis=0"
        if self.argument == "pretrained":
            return 'write weights="netspec:resnet18", say; `netspec fetch` lists the names'
        if self.argument in _NOT_HERE:
            return f"leave it out: {_NOT_HERE[self.argument]}"
        if self.near:
            return f"did you mean {self.near}?"
        return f"it takes {listing(self.known)}" if self.known else "it takes no arguments"


_NOT_HERE = {
    "in_channels": "it is worked out from what flows in", "in_features": "it is worked out from what flows in",
    "num_features": "it is worked out from what flows in", "input_shape": "it is worked out from what flows in",
    "activation": "an activation is a step of its own, as -> relu", "name": "a label names a step, as stem: conv(64, 7)",
    "trainable": "frozen before a step or region takes it out of training, as frozen { … }",
    "requires_grad": "frozen before a step or region takes it out of training, as frozen { … }",
}  # fmt: skip
"""Arguments of other frameworks that have no counterpart."""


@dataclass(frozen=True)
class TooManyArguments(Problem):
    """More arguments than there are places for."""

    owner: str
    most: int
    signature: str
    instead: str | None = None
    code = "N403"

    def message(self) -> str:
        if not self.signature:
            return f"`{self.owner}` takes no arguments"
        return f"`{self.owner}` takes at most {plural(self.most, 'argument')} by position"

    def help(self) -> str:
        if not self.signature:
            return f"write {self.owner}"
        if self.instead:
            return f"write {self.instead}"
        return f"its declaration is {self.owner}({self.signature})"


@dataclass(frozen=True)
class MissingArguments(Problem):
    """A required argument is not there."""

    owner: str
    missing: tuple[str, ...]
    signature: str
    is_net: bool = False
    hint: str | None = None
    code = "N404"

    def message(self) -> str:
        return f"`{self.owner}` needs {listing(self.missing)}"

    def help(self) -> str:
        if self.is_net:
            return f"give it a default, as {self.missing[0]} = 10, or set it on the command line: --set {self.missing[0]}=10"
        return self.hint or f"write {self.owner}({self.signature})"


@dataclass(frozen=True)
class GivenTwice(Problem):
    """The same argument by position and by name, or twice by name."""

    owner: str
    argument: str
    code = "N405"

    def message(self) -> str:
        return f"`{self.owner}` gets {self.argument} twice"

    def label(self) -> str:
        return "again here"

    def help(self) -> str:
        return "take one of them out"


@dataclass(frozen=True)
class NoBody(Problem):
    """Braces behind something that takes none."""

    owner: str
    code = "N406"

    def message(self) -> str:
        return f"`{self.owner}` takes no braces"

    def notes(self) -> Iterable[str]:
        yield "merges do, as add { | a | b }, and regions, as preprocess { scale(1/255) }"

    def help(self) -> str:
        return "take the braces out, or put what is in them behind ->"


@dataclass(frozen=True)
class UnknownParameter(Problem):
    """``--set`` of something the net does not have."""

    name: str
    net: str
    known: tuple[str, ...]
    near: str | None
    instead: str | None = None
    """What to set instead, where it is a section's setting that was meant."""
    code = "N407"

    def message(self) -> str:
        return f"net `{self.net}` has no parameter `{escape(self.name)}`"

    def help(self) -> str:
        if self.instead:
            return f"write {self.instead}"
        if self.near:
            return f"did you mean {self.near}?"
        return f"it has {listing(self.known)}" if self.known else "it has no parameters"


@dataclass(frozen=True)
class NotScaled(Problem):
    """Figures for pixels from 0 to 1, on pixels from 0 to 255."""

    figures: str
    code = "N408"
    severity = "warning"

    def message(self) -> str:
        return f"normalize({self.figures}) is meant for pixels from 0 to 1, and gets them as they are read, from 0 to 255"

    def help(self) -> str:
        return f"write scale(1/255) -> normalize({self.figures})"


@dataclass(frozen=True)
class OldMomentum(Problem):
    """A momentum of batch normalisation as other frameworks count it: what stays of the old statistics."""

    momentum: float
    code = "N409"
    severity = "warning"

    def message(self) -> str:
        return f"with momentum {self.momentum:g}, `bn` all but forgets its statistics with every batch"

    def help(self) -> str:
        return f"it is what is taken of the new ones: {self.momentum:g} in Keras is {1 - self.momentum:.3g} here"
