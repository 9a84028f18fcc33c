"""N32x: files that are used, nets and parts that stand in other nets, weights that are shared."""

from dataclasses import dataclass

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape, listing, plural


@dataclass(frozen=True)
class UseCycle(Problem):
    """Files that use one another, round about."""

    chain: tuple[str, ...]
    code = "N320"

    def message(self) -> str:
        return f"this file uses itself: {' -> '.join(map(escape, self.chain))}"

    def help(self) -> str:
        return "move what both need into a file of its own"


@dataclass(frozen=True)
class CannotUse(Problem):
    """A file that is used and cannot be read."""

    path: str
    reason: str
    near: tuple[str, ...] = ()
    code = "N321"

    def message(self) -> str:
        return f'"{escape(self.path)}" cannot be used: {self.reason}'

    def help(self) -> str | None:
        if self.near:
            return f"there is {listing([escape(n) for n in self.near])}"
        return 'write "./name.net" for a file beside this one, and "netspec:name" for one of the library'


@dataclass(frozen=True)
class MayNotUse(CannotUse):
    """A file that is used and that the system does not let us read."""

    code = "N329"
    exit = Exit.ENVIRONMENT

    def help(self) -> str:
        return "check the permissions of the file and of the folders on the way to it"


@dataclass(frozen=True)
class NotInFile(Problem):
    """A name that the used file does not define."""

    name: str
    path: str
    known: tuple[str, ...]
    near: str | None
    code = "N322"

    def message(self) -> str:
        return f'"{escape(self.path)}" has no net or block named `{self.name}`'

    def help(self) -> str | None:
        if self.near:
            return f"did you mean {self.near}?"
        return f"it has {listing(self.known)}" if self.known else "it defines none"


@dataclass(frozen=True)
class TooManyFiles(Problem):
    """More files than a spec may use, or a longer chain of them."""

    limit: int
    deep: bool
    code = "N323"

    def message(self) -> str:
        if self.deep:
            return f"files use files more than {self.limit} deep"
        return f"this spec uses more than {self.limit} files"

    def help(self) -> str:
        return "put what belongs together into one file"


@dataclass(frozen=True)
class OutsidePart(Problem):
    """A part of a net, used as a block, that needs something outside of it."""

    name: str
    part: str
    code = "N324"

    def message(self) -> str:
        return f"`{self.part}` cannot be taken out of its net: it uses `{self.name}`, which lies outside of it"

    def help(self) -> str:
        return "use a larger part that holds both, or make it a block that takes the tensor as a parameter"


@dataclass(frozen=True)
class NoSuchPartOfNet(Problem):
    """A part that a net does not have."""

    part: str
    within: str
    """The part of the net up to which there is something, empty for the net itself."""
    known: tuple[str, ...]
    near: str | None
    steps: int
    """How many steps that has, 0 for a layer."""
    numbered: bool = False
    """Whether a number was asked for."""
    code = "N325"

    def message(self) -> str:
        return f"there is no part `{escape(self.part)}`"

    def help(self) -> str:
        if self.near:
            return f"did you mean {self.near}?"
        which = f"`{self.within}`" if self.within else "the net"
        if not self.steps:
            return f"{which} is one layer"
        if self.numbered:
            return f"{which} has {plural(self.steps, 'step')}, numbered from 0"
        return f"labelled in {which} are {listing(self.known)}" if self.known else f"nothing in {which} has a label; its steps have numbers"


@dataclass(frozen=True)
class SharedDiffers(Problem):
    """Uses of one shared block that would need different weights."""

    path: str
    first: str
    second: str
    hint: str = "bring the same shape to every use, or write block without shared, for weights of their own"
    code = "N326"

    def message(self) -> str:
        return (
            f"the uses of a shared block have one set of weights, and `{self.path}` would need {self.second} here and {self.first} before"
        )

    def help(self) -> str:
        return self.hint


@dataclass(frozen=True)
class CannotSlice(Problem):
    """A slice of something that is not a row of steps."""

    what: str
    why: str
    hint: str = "a slice takes whole steps of a region, one behind the other, as features[:5] or features[-4:]"
    code = "N327"

    def message(self) -> str:
        return f"`{escape(self.what)}` cannot be sliced: {self.why}"

    def help(self) -> str:
        return self.hint


@dataclass(frozen=True)
class NothingInSlice(Problem):
    """A slice that leaves nothing."""

    what: str
    steps: int
    code = "N328"

    def message(self) -> str:
        return f"`{escape(self.what)}` takes no step: there are {plural(self.steps, 'step')}, numbered from 0"

    def help(self) -> str:
        return f"write numbers from 0 to {self.steps}, the first of them below the second, or count from the end with negative ones"
