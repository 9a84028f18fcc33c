"""N731, N750 to N757, N763: the folder of a run, and what it was made with."""

from collections.abc import Iterable
from dataclasses import dataclass

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape


@dataclass(frozen=True)
class RunExists(Problem):
    """The folder for a new run is in use."""

    path: str
    holds: str
    code = "N750"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"{escape(self.path)} {self.holds}"

    def help(self) -> str:
        return "go on with the run there with --resume, or give another folder"


@dataclass(frozen=True)
class NothingToResume(Problem):
    """There is no run where one was to be resumed or read."""

    path: str
    code = "N751"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"there is no run in {escape(self.path)}"

    def help(self) -> str:
        return "give the folder of a run, which holds run.json, or train without --resume"


@dataclass(frozen=True)
class RunLocked(Problem):
    """Another process trains in this folder."""

    path: str
    holder: str
    code = "N752"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"{escape(self.path)} is locked by {escape(self.holder)}"

    def help(self) -> str:
        return "wait for that training to end, or give another folder"


@dataclass(frozen=True)
class BrokenRun(Problem):
    """A file of a run that cannot be read or does not go with the others."""

    path: str
    reason: str
    code = "N753"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return f"{escape(self.path)} cannot be used: {escape(self.reason)}"

    def help(self) -> str:
        return "train again into another folder"


@dataclass(frozen=True)
class RunChanged(Problem):
    """A run cannot be resumed because what it was made with has changed."""

    path: str
    changes: tuple[str, ...]
    code = "N754"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"the run in {escape(self.path)} was started with other settings"

    def notes(self) -> Iterable[str]:
        yield from (escape(c) for c in self.changes[:20])

    def help(self) -> str:
        return "resume with the settings of the run, or start another one"


@dataclass(frozen=True)
class DataChanged(Problem):
    """The data is no longer what the run was started with. ``acceptable`` says whether the run could go on all the same."""

    path: str
    changes: tuple[str, ...]
    acceptable: bool = True
    code = "N755"
    exit = Exit.DATA

    def message(self) -> str:
        return f"the data in {escape(self.path)} has changed since the run was started"

    def notes(self) -> Iterable[str]:
        yield from (escape(c) for c in self.changes[:20])

    def help(self) -> str:
        back = "resume with the data of the run, or start another run"
        if not self.acceptable:
            return f"{back}; its classes and its splits cannot change, whatever is accepted"
        return f"{back}; --accept-data-change goes on with the data as it is, not bit-identical any more"


@dataclass(frozen=True)
class NothingToAccept(Problem):
    """A change of the data was accepted where no run goes on."""

    code = "N731"
    exit = Exit.USAGE

    def message(self) -> str:
        return "--accept-data-change goes with --resume: a new run has no data that could have changed"

    def help(self) -> str:
        return "add --resume to go on with a run, or leave --accept-data-change out"


@dataclass(frozen=True)
class CannotUseFolder(Problem):
    """A run folder that cannot be made or written to."""

    path: str
    reason: str
    code = "N756"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"the run folder {escape(self.path)} cannot be used: {escape(self.reason)}"

    def help(self) -> str:
        return "give another folder, or check its permissions and the space on the disk"


@dataclass(frozen=True)
class DiskTooSmall(Problem):
    """Not enough space for the checkpoints of a run."""

    path: str
    needed: int
    free: int
    code = "N757"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"the run needs about {self.needed / 1e6:,.0f} MB in {escape(self.path)}, and {self.free / 1e6:,.0f} MB are free"

    def help(self) -> str:
        return "make room, or give a folder on another disk"


@dataclass(frozen=True)
class CannotRebuild(Problem):
    """The spec kept in a run folder does not make the same net again."""

    path: str
    reason: str
    code = "N763"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return f"{escape(self.path)} does not make the net of the run: {escape(self.reason)}"

    def help(self) -> str:
        return "use the version of netspec that the run was made with; run.json says which"
