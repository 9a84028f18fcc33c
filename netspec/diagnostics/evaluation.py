"""N5xx: arithmetic, conditions and repetition. N6xx: sections. N9xx: what is not built yet."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from netspec.diagnostics.problem import Problem
from netspec.diagnostics.text import escape, listing, plural
from netspec.limits import NESTING
from netspec.shape import show


@dataclass(frozen=True)
class BadOperands(Problem):
    """An operator between values it is not defined for."""

    operator: str
    kinds: tuple[str, ...]
    code = "N501"

    def message(self) -> str:
        if len(self.kinds) == 1:
            return f"`{self.operator}` does not work on {self.kinds[0]}"
        return f"`{self.operator}` does not work between {self.kinds[0]} and {self.kinds[1]}"

    def help(self) -> str | None:
        if "a string" in self.kinds:
            return "a number is written without quotes"
        if "a tensor" in self.kinds:
            return "write the numbers of its shape, as x.channels, or merge it, as add(skip)"
        if "a size" in self.kinds:
            return "a size has several numbers: take one, as size[0]"
        if "a share" in self.kinds or "true or false" in self.kinds or "a list" in self.kinds:
            return "write a number"
        return "an item is chosen by a whole number" if self.operator == "[ ]" else None


@dataclass(frozen=True)
class DividedByZero(Problem):
    """A division by zero."""

    operator: str
    code = "N502"

    def message(self) -> str:
        return f"`{self.operator}` divides by zero"

    def label(self) -> str:
        return "this is 0" if self.operator in {"/", "//", "%"} else ""


@dataclass(frozen=True)
class TooLarge(Problem):
    """A result larger than anything a network needs."""

    code = "N503"

    def message(self) -> str:
        return "the result is too large"

    def help(self) -> str:
        return "whole numbers may have up to 256 binary digits, and powers, lists and strings stay small likewise"


@dataclass(frozen=True)
class NotACondition(Problem):
    """A condition that is not true or false."""

    kind: str
    code = "N504"

    def message(self) -> str:
        return f"a condition is true or false, and this is {self.kind}"

    def help(self) -> str:
        return "compare it, as n > 0"


@dataclass(frozen=True)
class NotACount(Problem):
    """A count of repetitions that is not a whole number of at least 0."""

    value: str
    code = "N505"

    def message(self) -> str:
        return f"repeat needs a whole number of at least 0, and this is {self.value}"

    def help(self) -> str | None:
        return "divide with //, or round, with floor(…) or ceil(…)" if "." in self.value and "=" not in self.value else None


@dataclass(frozen=True)
class NotIterable(Problem):
    """A loop over something that is not a list."""

    kind: str
    code = "N506"

    def message(self) -> str:
        return f"for goes through a list, and this is {self.kind}"

    def help(self) -> str:
        return "write range(n) to count from 0 to n - 1"


@dataclass(frozen=True)
class CannotTakeApart(Problem):
    """A loop with several variables through a list whose items are not as many things."""

    names: int
    item: str
    code = "N512"

    def message(self) -> str:
        return f"the loop has {self.names} variables, and an item of its list is {self.item}"

    def help(self) -> str:
        return f"every item has to be a list of {self.names}, as in for width, stride in [[64, 1], [128, 2]]"


@dataclass(frozen=True)
class BadIndex(Problem):
    """An index that is not in the list, or of a step that is not in the ``region``."""

    index: str
    length: int
    region: str | None = None
    code = "N507"

    def message(self) -> str:
        if self.region is not None:
            return f"`{escape(self.region)}` has no step {self.index}: there are {self.length}"
        return f"there is no item {self.index} in a list of {self.length}"

    def help(self) -> str | None:
        return f"{'items' if self.region is None else 'steps'} count from 0 to {self.length - 1}" if self.length else None


@dataclass(frozen=True)
class BadFunctionCall(Problem):
    """A function of the language called with what it does not take."""

    function: str
    wants: str
    code = "N508"

    def message(self) -> str:
        return f"{self.function} takes {self.wants}"


@dataclass(frozen=True)
class ExpandsTooFar(Problem):
    """More layers than the limit once blocks and loops are written out."""

    nodes: int
    limit: int
    code = "N509"

    def message(self) -> str:
        shown = f"{self.nodes:,}" if self.nodes < 10**15 else f"about 10^{len(str(self.nodes)) - 1}"
        if self.nodes == self.limit + 1:
            return f"expands to more than {self.limit:,} nodes"
        return f"expands to {shown} nodes, limit {self.limit:,}"

    def help(self) -> str:
        return "repeat less, or raise the limit with --max-nodes"


@dataclass(frozen=True)
class TooManySteps(Problem):
    """A loop that runs on without making layers."""

    limit: int
    code = "N510"

    def message(self) -> str:
        return f"this takes more than {self.limit:,} steps to work out"

    def help(self) -> str:
        return "repeat less, or raise the limit, which is three steps for each node, with --max-nodes"


@dataclass(frozen=True)
class ExpressionTooDeep(Problem):
    """An expression within expressions beyond the limit."""

    code = "N511"

    def message(self) -> str:
        return f"an expression nested deeper than {NESTING}"

    def help(self) -> str:
        return "name its parts with let"


@dataclass(frozen=True)
class UnknownSection(Problem):
    """A section that does not exist."""

    name: str
    known: tuple[str, ...]
    near: str | None
    code = "N601"

    def message(self) -> str:
        return f"there is no section `{self.name}`"

    def help(self) -> str:
        return f"did you mean {self.near}?" if self.near else f"a file has net, block, and the sections {listing(self.known)}"


@dataclass(frozen=True)
class UnknownSetting(Problem):
    """A key that a section does not have."""

    section: str
    key: str
    known: tuple[str, ...]
    near: str | None
    instead: str | None = None
    """How to write it, where it is known to belong to another setting."""
    code = "N602"

    def message(self) -> str:
        return f"{self.section} has no setting `{self.key}`"

    def help(self) -> str:
        if self.instead:
            return f"write {self.instead}"
        return f"did you mean {self.near}?" if self.near else f"it has {listing(self.known)}"


@dataclass(frozen=True)
class ExpectationFails(Problem):
    """What a file's ``expect`` asserts does not hold."""

    key: str
    expected: str
    found: str
    hint: str | None
    code = "N603"

    def message(self) -> str:
        return f"expected {self.key} = {self.expected}, and it is {self.found}"

    def help(self) -> str | None:
        return self.hint


@dataclass(frozen=True)
class NotAnExpectation(Problem):
    """A key of ``expect`` that names nothing in the net."""

    key: str
    near: str | None
    code = "N604"

    def message(self) -> str:
        return f"there is nothing named `{self.key}` to expect something of"

    def notes(self) -> Iterable[str]:
        yield "expect knows parameters, trainable, macs, output, the names of outputs, and every label"

    def help(self) -> str | None:
        return f"did you mean {self.near}?" if self.near else None


@dataclass(frozen=True)
class LossAndOutput(Problem):
    """The loss that a file names does not go with an output of the net."""

    loss: str
    net: str
    output: str
    shape: tuple[int, ...]
    ending: str | None
    fitting: Mapping[str, Sequence[str]]
    """The losses that go with it, by what it would then learn: `class`, `labels`, `number`, `mask`."""
    other_ending: str | None = None
    """The ending with which this very loss would go, beside none at all."""
    code = "N605"

    def message(self) -> str:
        ends = f", and ends in {self.ending}" if self.ending else ""
        size = f"has {plural(self.shape[0], 'number')}" if len(self.shape) == 1 else f"is {show(self.shape)}"
        output = "output" if self.output == "output" else f"output `{escape(self.output)}`"
        return f"{self.loss} does not fit `{escape(self.net)}`, whose {output} {size}{ends}"

    def help(self) -> str:
        ending = f"end with {self.other_ending}, or without an activation" if self.other_ending else ""
        written = "; ".join(f"{listing(losses, 'or')} for {self._meaning(kind)}" for kind, losses in self.fitting.items())
        wider = "; or give it two channels" if len(self.shape) == 3 else "; or give it a number for each class"
        widened = wider if self.loss == "cross_entropy" and self.shape[:1] == (1,) else ""
        said = "; or ".join(filter(None, [ending, written and f"write {written}{widened}"]))
        return said or "losses are for outputs that are vectors, as flatten -> linear(10), or maps, as conv(10, 1)"

    def _meaning(self, kind: str) -> str:
        words = {"class": f"one of {max(self.shape[0], 2)} classes", "labels": "labels", "number": "numbers"}
        return words.get(kind, "the class of each pixel")


@dataclass(frozen=True)
class NotBuiltYet(Problem):
    """Part of the language that this version reads and does not do."""

    what: str
    instead: str | None = None
    code = "N900"

    def message(self) -> str:
        return f"{self.what} not built yet"

    def help(self) -> str | None:
        return self.instead
