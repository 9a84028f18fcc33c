"""N854 to N856: what happens while a net learns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape, plural


@dataclass(frozen=True)
class LossExploded(Problem):
    """A loss that has become many times what it was, and is a number still."""

    stage: str
    epoch: int
    loss: float
    lowest: float
    code = "N854"
    severity = "warning"
    exit = Exit.NUMBERS

    def message(self) -> str:
        where = f" of stage {escape(self.stage)}" if self.stage else ""
        return f"the loss{where} is {self.loss:.4g} after epoch {self.epoch}, and was {self.lowest:.4g}"

    def help(self) -> str:
        return "lower the learning rate, or limit the gradients, as clip = 1"


@dataclass(frozen=True)
class LossStandsStill(Problem):
    """A loss that has been the same in all epochs of a stage so far."""

    stage: str
    epochs: int
    loss: float
    code = "N855"
    severity = "warning"
    exit = Exit.NUMBERS

    def message(self) -> str:
        where = f" of stage {escape(self.stage)}" if self.stage else ""
        return f"the loss{where} has been {self.loss:.4g} in all of its first {self.epochs} epochs: nothing is learned"

    def help(self) -> str:
        return "raise the learning rate, and check that preprocess scales the pixels, as scale(1/255), and that the data differs by class"


@dataclass(frozen=True)
class DeviceFailed(Problem):
    """A device that has stopped working while a net was trained on it."""

    device: str
    epochs: int
    reason: str
    kept: str | None
    code = "N856"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"{escape(self.device)} has failed after {plural(self.epochs, 'epoch')}: {escape(self.reason)}"

    def notes(self) -> Iterable[str]:
        yield f"the last checkpoint is kept in {escape(self.kept)}" if self.kept else "no epoch was complete, so no checkpoint was written"

    def help(self) -> str:
        return "see what the system's log says of the device, then go on with --resume"
