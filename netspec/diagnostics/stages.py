"""N606 to N609: stages of training, and what learns in them; N845, N846, N859: what cannot be augmented; N766 to N768: what a training
with stages finds out as it runs."""

from collections.abc import Iterable
from dataclasses import dataclass

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape, listing, plural


@dataclass(frozen=True)
class NamesNothing(Problem):
    """A path of `freeze` or `unfreeze` that leads to nothing in the net."""

    path: str
    net: str
    why: str
    near: str | None
    known: tuple[str, ...]
    code = "N606"

    def message(self) -> str:
        return f'"{escape(self.path)}" names nothing in `{escape(self.net)}`: {escape(self.why)}'

    def help(self) -> str | None:
        if self.near:
            return f'did you mean "{escape(self.near)}"?'
        return f"it has {listing([escape(k) for k in self.known])}" if self.known else None


@dataclass(frozen=True)
class NothingLearns(Problem):
    """A stage in which everything is frozen."""

    stage: str
    parameters: int
    was_frozen: bool
    code = "N607"

    def message(self) -> str:
        where = f"in stage `{escape(self.stage)}` " if self.stage else ""
        return f"nothing learns {where}: all {self.parameters:,} parameters are frozen".replace(" :", ":")

    def notes(self) -> Iterable[str]:
        if self.was_frozen:
            yield "what is frozen in the net, or in a stage before, stays so until it is named by unfreeze"

    def help(self) -> str:
        return "leave a part with weights out of freeze, or name one in unfreeze"


@dataclass(frozen=True)
class ForTheWholeRun(Problem):
    """A setting in a stage that cannot be another in each stage."""

    key: str
    stage: str
    code = "N608"

    def message(self) -> str:
        return f"`{self.key}` holds for the whole run, and cannot be set in stage `{escape(self.stage)}`"

    def help(self) -> str:
        return f"write {self.key} in train itself, beside the stages"


@dataclass(frozen=True)
class WeightCount(Problem):
    """Weights of classes, and not one for each class."""

    loss: str
    given: int
    classes: int
    code = "N609"

    def message(self) -> str:
        return f"{self.loss} has {plural(self.given, 'weight')} for {plural(self.classes, 'class')}"

    def help(self) -> str:
        return f"give a weight for each of the {self.classes} classes, in their order, or write weight=balanced"


@dataclass(frozen=True)
class FrozenChanged(Problem):
    """A frozen tensor that is not what it was when its stage began."""

    stage: str
    tensors: tuple[str, ...]
    code = "N766"
    exit = Exit.NUMBERS

    def message(self) -> str:
        where = f" in stage {escape(self.stage)}" if self.stage else ""
        return f"{plural(len(self.tensors), 'frozen tensor')} changed{where}: {listing([escape(t) for t in self.tensors], limit=5)}"

    def help(self) -> str:
        return "frozen tensors are never written to, so this is a fault of the program or of the memory: report it, and do not use the run"


@dataclass(frozen=True)
class NothingToWatch(Problem):
    """A figure of validation that decides something, and data without a validation split."""

    setting: str
    monitor: str
    code = "N767"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{escape(self.setting)} goes by {self.monitor}, and the data has no validation split"

    def help(self) -> str:
        return f"add a folder val/ to the data, or x_val and y_val, or write monitor={self.monitor.replace('val', 'train')}"


@dataclass(frozen=True)
class CannotMix(Problem):
    """Mixup or cutmix where the samples are more than one picture and what it shows."""

    input: str
    what: str
    code = "N845"

    def message(self) -> str:
        return f"the augmentation of {escape(self.input)} mixes samples, and {self.what} cannot be mixed yet"

    def help(self) -> str:
        return "leave mixup and cutmix out"


@dataclass(frozen=True)
class MaskOfOtherSize(Problem):
    """A mask that is to follow its picture's augmentation, and has not the picture's size."""

    input: str
    shape: tuple[int, ...]
    output: str
    mask: tuple[int, ...]
    code = "N846"

    def message(self) -> str:
        sizes = ["x".join(map(str, s[1:])) for s in (self.shape, self.mask)]
        return f"a mask for {escape(self.output)} is {sizes[1]}, and the picture {escape(self.input)} that is augmented is {sizes[0]}"

    def help(self) -> str:
        return "let the net give a mask as large as its picture, as with padding=1 and upsample(2), or leave augment out"


@dataclass(frozen=True)
class MasksOfSeveral(Problem):
    """Masks that are to follow the augmentation of more than one picture."""

    inputs: tuple[str, ...]
    code = "N859"

    def message(self) -> str:
        return f"{listing([escape(n) for n in self.inputs])} are augmented each in its own way, and a mask can follow one picture alone"

    def help(self) -> str:
        return "augment the input that the mask lies over, and no other"
