"""N727 to N729: what is told of runs."""

from collections.abc import Iterable
from dataclasses import dataclass

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape, listing


@dataclass(frozen=True)
class TensorboardMissing(Problem):
    """Event files are asked for, and the package that writes them is not there."""

    reason: str
    code = "N727"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"--tensorboard needs the package tensorboard, which does not load: {escape(self.reason)}"

    def help(self) -> str:
        return "pip install 'netspec-dsl[tensorboard]', or train without --tensorboard: history.csv has the same figures"


@dataclass(frozen=True)
class NothingToCompare(Problem):
    """None of the folders holds a run that can be compared."""

    left_out: tuple[tuple[str, str], ...]
    code = "N728"
    exit = Exit.USAGE

    def message(self) -> str:
        return "there is no run to compare"

    def notes(self) -> Iterable[str]:
        for path, reason in self.left_out[:10]:
            yield f"{escape(path)}: {escape(reason)}"
        if len(self.left_out) > 10:
            yield f"and {len(self.left_out) - 10:,} more"

    def help(self) -> str:
        return "give the folders of runs that are finished, as runs/*, or write --all for those that are not"


@dataclass(frozen=True)
class UnknownFigure(Problem):
    """A figure to sort runs by that none of them has."""

    figure: str
    known: tuple[str, ...]
    near: str | None
    code = "N729"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"no run has the figure `{escape(self.figure)}`"

    def notes(self) -> Iterable[str]:
        yield f"there are {listing([escape(name) for name in self.known])}"

    def help(self) -> str:
        return f"did you mean {escape(self.near)}?" if self.near else "write one of these after --sort"
