"""N758, N768, N848 to N851: devices, and trainings on several of them."""

from dataclasses import dataclass

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape, listing


@dataclass(frozen=True)
class NoSuchDevice(Problem):
    """A device that this machine, or this build of PyTorch, has not."""

    device: str
    found: tuple[str, ...]
    code = "N758"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"device {escape(self.device)} is not available"

    def help(self) -> str:
        return f"run with --device {listing(list(self.found), 'or')}"


@dataclass(frozen=True)
class NoBfloat16(Problem):
    """A device that does not compute in bfloat16."""

    device: str
    code = "N768"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"precision = bf16, and {escape(self.device)} does not compute in it"

    def help(self) -> str:
        return "write precision = auto, which takes bf16 where the device has it"


@dataclass(frozen=True)
class ProcessDied(Problem):
    """Another process of a training on several devices is gone."""

    reason: str
    code = "N848"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"another process of the training is gone: {escape(self.reason)}"

    def help(self) -> str:
        return "go on with --resume, with as many processes as before or with others, from the state of the last step that could be saved"


@dataclass(frozen=True)
class ProcessesApart(Problem):
    """The processes of a training that do not find one another."""

    reason: str
    code = "N849"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"the processes of the training do not find one another: {escape(self.reason)}"

    def help(self) -> str:
        return "start them with torchrun, as torchrun --nproc-per-node 2 -m netspec train …; docs/devices.md says how for several machines"


@dataclass(frozen=True)
class DeviceNotForSeveral(Problem):
    """A device on which several processes cannot train one net."""

    device: str
    count: int
    code = "N850"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"{self.count} processes cannot train on {escape(self.device)} together"

    def help(self) -> str:
        if self.device.startswith("cuda"):
            return "leave the number out, as --device cuda: each process takes a device of its own"
        return "give --device cpu, or train in one process"


@dataclass(frozen=True)
class NotSharded(Problem):
    """Something that a net whose weights are divided among processes cannot have."""

    what: str
    code = "N851"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"--shard does not go with {escape(self.what)}"

    def help(self) -> str:
        if self.what.startswith("one"):
            return "start several processes with torchrun, as torchrun --nproc-per-node 2 -m netspec train … --shard"
        return "leave one of the two out"
