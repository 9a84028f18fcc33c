"""N02x: commands that ask for what is not there, and a system that refuses."""

from dataclasses import dataclass

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape, listing


@dataclass(frozen=True)
class UnknownLayer(Problem):
    """`netspec layers` of a layer that does not exist."""

    name: str
    near: str | None
    code = "N020"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"there is no layer named `{escape(self.name)}`"

    def help(self) -> str:
        return f"did you mean {self.near}?" if self.near else "`netspec layers` lists every layer"


@dataclass(frozen=True)
class NoSuchCode(Problem):
    """`netspec explain` of a code that does not exist."""

    given: str
    code = "N021"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"there is no page about `{escape(self.given)}`"

    def help(self) -> str:
        return "codes look like N203; `netspec explain` lists them"


@dataclass(frozen=True)
class NoSuchTemplate(Problem):
    """`netspec new --from` of a spec that the library does not have."""

    name: str
    known: tuple[str, ...]
    near: str | None
    code = "N022"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"the library has no spec named `{escape(self.name)}`"

    def help(self) -> str:
        return f"did you mean {self.near}?" if self.near else f"it has {listing(self.known, limit=30)}"


@dataclass(frozen=True)
class NotASpecName(Problem):
    """`netspec new` of a file that would not be a spec."""

    path: str
    code = "N023"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"{escape(self.path)} is not the name of a spec"

    def help(self) -> str:
        return "end it with .net"


@dataclass(frozen=True)
class AlreadyThere(Problem):
    """`netspec new` of a file that exists."""

    path: str
    code = "N024"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"{escape(self.path)} is there already"

    def help(self) -> str:
        return "choose another name, or remove it first"


@dataclass(frozen=True)
class SystemRefused(Problem):
    """An error of the system that no command foresaw."""

    path: str | None
    reason: str
    code = "N025"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        where = f" {escape(self.path)}" if self.path else ""
        return f"the system refused{where}: {escape(self.reason)}"

    def help(self) -> str:
        return "check the path, its permissions, and the space on the disk"


@dataclass(frozen=True)
class OutOfMemory(Problem):
    """A net, or a batch of it, for which the machine or its accelerator has not enough memory."""

    code = "N026"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return "there is not enough memory for this"

    def help(self) -> str:
        return "make the batch or the net smaller, as with --set train.batch=8, or use a machine with more memory"


@dataclass(frozen=True)
class MissingLibrary(Problem):
    """A library that a command needs is not installed."""

    name: str
    code = "N954"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"this command needs {self.name}, which is not installed"

    def help(self) -> str:
        packages = {"PIL": "pillow", "onnxruntime": "onnxruntime (or onnxruntime-gpu)", "lark": "'lark[interegular]'"}
        package = packages.get(self.name, self.name)
        return f"pip install {package}, or pip install netspec-dsl for everything; check and summary need none of it"
