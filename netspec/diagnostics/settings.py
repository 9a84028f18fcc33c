"""N759 to N762: settings of a training that do not go with its net."""

from dataclasses import dataclass

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape


@dataclass(frozen=True)
class NothingToTrain(Problem):
    """Every parameter of the net is frozen, or it has none."""

    net: str
    parameters: int
    code = "N759"
    exit = Exit.SPEC

    def message(self) -> str:
        why = f"all {self.parameters:,} are frozen" if self.parameters else "it has none at all"
        return f"`{escape(self.net)}` has no trainable parameters: {why}"

    def help(self) -> str:
        return "take `frozen` away from a part, or add a layer with weights"


@dataclass(frozen=True)
class LossDoesNotFit(Problem):
    """An output for which no loss is written, and with which none goes by itself."""

    loss: str
    output: str
    shape: tuple[int, ...]
    ending: str | None
    code = "N760"
    exit = Exit.SPEC

    def message(self) -> str:
        ends = f" and ends in {self.ending}" if self.ending else ""
        return f"{self.loss} does not fit the output `{escape(self.output)}`, which is {'x'.join(map(str, self.shape))}{ends}"

    def help(self) -> str:
        if len(self.shape) in (1, 3):
            return "write a loss that does, as loss = mse, or give the net another ending"
        return "training is for outputs that are vectors, as flatten -> linear(10), or maps, as conv(10, 1): CxHxW"


@dataclass(frozen=True)
class NesterovNeedsMomentum(Problem):
    """Nesterov's step looks ahead along a momentum that is 0."""

    code = "N761"
    exit = Exit.SPEC

    def message(self) -> str:
        return "nesterov=true needs a momentum above 0"

    def help(self) -> str:
        return "write sgd(momentum=0.9, nesterov=true)"


@dataclass(frozen=True)
class OneValuePerChannel(Problem):
    """A batch of one image leaves a batch norm after the last pooling with one value, whose variance is 0."""

    layer: str
    batch: int
    code = "N762"
    exit = Exit.SPEC

    def message(self) -> str:
        why = "a batch of 1 image" if self.batch == 1 else "one training image"
        return f"`{escape(self.layer)}` has one value in each channel with {why}, and no variance to normalise by"

    def help(self) -> str:
        return "train on batches of 2 images or more" if self.batch == 1 else "add training images"
