"""N770 to N779: what the outputs of a net learn, from what, and which figures are measured of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from netspec.diagnostics.problem import Problem
from netspec.diagnostics.text import escape, listing, plural


def _quoted(names: Iterable[str]) -> list[str]:
    return [f"`{escape(name)}`" for name in names]


@dataclass(frozen=True)
class UnknownFigure(Problem):
    """A figure to watch that is not measured."""

    monitor: str
    stage: str
    known: tuple[str, ...]
    near: str | None
    instead: str | None = None
    code = "N770"

    def message(self) -> str:
        where = f" in stage `{escape(self.stage)}`" if self.stage else ""
        return f"there is no figure `{escape(self.monitor)}`{where}"

    def notes(self) -> Iterable[str]:
        yield f"there {'is' if len(self.known) == 1 else 'are'} {listing([escape(k) for k in self.known])}"

    def help(self) -> str | None:
        if self.instead:
            return escape(self.instead)
        return f"did you mean {escape(self.near)}?" if self.near else "name a metric in metrics to have it measured"


@dataclass(frozen=True)
class UnknownOutput(Problem):
    """A line for an output that the net does not have."""

    setting: str
    name: str
    net: str
    known: tuple[str, ...]
    near: str | None
    auxiliary: bool = False
    code = "N771"

    def message(self) -> str:
        return f"{self.setting} is written for `{escape(self.name)}`, and `{escape(self.net)}` has no output of that name"

    def help(self) -> str:
        if self.auxiliary:
            return "leave it out: an auxiliary output learns what the net's own output learns, with the weight that auxiliary(…) gives it"
        if self.near:
            return f"did you mean {escape(self.near)}?"
        only = len(self.known) == 1
        return f"write {self.setting} = …, for its only output" if only else f"it has {listing(_quoted(self.known))}"


@dataclass(frozen=True)
class MetricAndOutput(Problem):
    """A metric that says nothing of what an output learns."""

    metric: str
    output: str
    learns: str
    fitting: tuple[str, ...]
    several: bool
    code = "N772"

    def message(self) -> str:
        return f"{self.metric} does not fit {_output(self.output)}, which learns {self.learns}"

    def help(self) -> str:
        said = f"for it there {'is' if len(self.fitting) == 1 else 'are'} {listing(self.fitting)}"
        return f"{said}: write metrics {{ {escape(self.output)} = {self.fitting[0]} }}" if self.several else said


@dataclass(frozen=True)
class UnknownTarget(Problem):
    """A target that no output learns."""

    name: str
    net: str
    outputs: tuple[str, ...]
    near: str | None
    code = "N773"

    def message(self) -> str:
        return f"no output of `{escape(self.net)}` learns the target `{escape(self.name)}`"

    def notes(self) -> Iterable[str]:
        if len(self.outputs) > 1:
            yield "of several outputs, each learns the target of its name"

    def help(self) -> str:
        if self.near:
            return f"did you mean {escape(self.near)}?"
        if len(self.outputs) == 1:
            return "write one target: the net has one output"
        return f"the outputs are {listing(_quoted(self.outputs))}"


@dataclass(frozen=True)
class MissingTargets(Problem):
    """Targets for some of the outputs, and none for others."""

    outputs: tuple[str, ...]
    code = "N774"

    def message(self) -> str:
        return f"there is no target for {listing([_output(name) for name in self.outputs])}"

    def notes(self) -> Iterable[str]:
        yield "of several outputs, each learns the target of its name"

    def help(self) -> str:
        name = escape(self.outputs[0])
        return f"write target {name} = column({name}), or leave out all targets: each is then the column of its output's name"


@dataclass(frozen=True)
class TargetAndOutput(Problem):
    """A target whose values are not what its output learns from."""

    source: str
    target: str
    output: str
    learns: str
    instead: str | None
    code = "N775"

    def message(self) -> str:
        return f"{self.source} does not fit {_output(self.output)}, which learns {self.learns}"

    def help(self) -> str:
        if self.source == "mask":
            return "let the net end with a channel for each class, as conv(classes, 1), without flatten"
        return f"write target {escape(self.target)} = {self.instead}, or another loss"


@dataclass(frozen=True)
class ColumnCount(Problem):
    """Columns, and another number of values than they have."""

    what: str
    name: str
    columns: int
    numbers: int
    code = "N776"

    def message(self) -> str:
        return f"the {self.what} `{escape(self.name)}` has {plural(self.columns, 'column')} for {plural(self.numbers, 'value')}"

    def help(self) -> str:
        if self.numbers == 1:
            return "name one column"
        return f"name {self.numbers} columns, or one that holds all {self.numbers}"


@dataclass(frozen=True)
class UnknownInput(Problem):
    """Data for an input that the net does not have."""

    name: str
    net: str
    known: tuple[str, ...]
    near: str | None
    code = "N777"

    def message(self) -> str:
        return f"`{escape(self.net)}` has no input `{escape(self.name)}`"

    def help(self) -> str:
        return f"did you mean {escape(self.near)}?" if self.near else f"it has {listing(_quoted(self.known))}"


@dataclass(frozen=True)
class NoPairs(Problem):
    """Pairs, and a net that is not asked about two things of one kind."""

    why: str
    instead: str
    code = "N778"

    def message(self) -> str:
        return f"pairs are for nets that say of two inputs whether they are the same, and {escape(self.why)}"

    def help(self) -> str:
        return self.instead


@dataclass(frozen=True)
class MapOfPart(Problem):
    """An output with a class for each pixel that does not lie over its whole picture."""

    output: str
    map: tuple[int, int]
    input: str
    picture: tuple[int, int]
    code = "N779"
    severity = "warning"

    def message(self) -> str:
        sizes = [f"{height}x{width}" for height, width in (self.map, self.picture)]
        return f"{_output(self.output)} is {sizes[0]}, and does not lie over the whole picture `{escape(self.input)}`, which is {sizes[1]}"

    def notes(self) -> Iterable[str]:
        yield "convolutions without padding cut off the margin, so that points of the map are not where those of the mask are"

    def help(self) -> str:
        return "pad convolutions, as conv(64, 3, padding=1), or train on masks that are cut to the map already"


def _output(name: str) -> str:
    return "the output" if name == "output" else f"the output `{escape(name)}`"
