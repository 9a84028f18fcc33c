"""N725, N726, N764, N765: measuring a model; N950, N951, N956: figures that are not finite or not defined."""

from collections.abc import Iterable
from dataclasses import dataclass

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape, plural


@dataclass(frozen=True)
class DivisionChanged(Problem):
    """Data without splits of its own that has changed since a run divided it; ``elsewhere`` of the images ``now`` were in other splits."""

    path: str
    split: str
    before: int
    now: int
    elsewhere: int = 0
    code = "N725"
    exit = Exit.DATA

    def message(self) -> str:
        found = f"{self.split} had {plural(self.before, 'image')}, and has {self.now:,}"
        if self.elsewhere:
            were = "was" if self.elsewhere == 1 else "were"
            found = f"of the {plural(self.now, 'image')} of {self.split}, {self.elsewhere:,} {were} in another split"
        return f"{escape(self.path)} is not divided as it was for the training: {found}"

    def notes(self) -> Iterable[str]:
        yield "images that were trained on may be in it now, so a figure would say too much"

    def help(self) -> str:
        return "measure all of it with --split all, or new images in a folder of their own"


@dataclass(frozen=True)
class DivisionUnknown(Problem):
    """A split of data without splits, asked for of a model that does not know how the data was divided for its training."""

    model: str
    path: str
    split: str
    code = "N726"
    exit = Exit.DATA

    def message(self) -> str:
        return f"{escape(self.model)} does not know how {escape(self.path)} was divided for the training, so there is no {self.split} split"

    def help(self) -> str:
        return "measure the folder of its run, which knows; or all of the data, with --split all"


@dataclass(frozen=True)
class NotNetspecModel(Problem):
    """A file or folder to predict with, or to measure, that is neither a run nor a model that netspec exported."""

    path: str
    reason: str
    code = "N764"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return f"{escape(self.path)} cannot be used as a model: {escape(self.reason)}"

    def help(self) -> str:
        return "give the folder of a run, or an .onnx file that netspec export has made from one"


@dataclass(frozen=True)
class LabelCount(Problem):
    """A model with more or fewer labels than outputs."""

    path: str
    labels: int
    outputs: int
    code = "N765"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return f"{escape(self.path)} has {plural(self.labels, 'class label')} for {plural(self.outputs, 'output')}"

    def help(self) -> str:
        return "a single output has two classes, and several have one each; an export from the folder of a run has them right"


@dataclass(frozen=True)
class LossNotFinite(Problem):
    """The loss, or a weight, has become infinite or no number at all."""

    what: str
    epoch: int
    step: int
    kept: str | None
    first: str | None = None
    code = "N950"
    exit = Exit.NUMBERS

    def message(self) -> str:
        return f"{escape(self.what)} is not finite in epoch {self.epoch}, step {self.step}"

    def notes(self) -> Iterable[str]:
        yield (
            f"the last finite checkpoint is kept in {escape(self.kept)}"
            if self.kept
            else "no epoch was complete, so no checkpoint was written"
        )
        if self.first:
            yield f"{escape(self.first)} is the first that is not"

    def help(self) -> str:
        return "lower the learning rate, and check that preprocess scales the pixels, as scale(1/255)"


@dataclass(frozen=True)
class OutputNotFinite(Problem):
    """A net that answers an image with numbers that are not finite."""

    image: str
    code = "N951"
    exit = Exit.NUMBERS

    def message(self) -> str:
        return f"the net's answer to {escape(self.image)} is not finite"

    def help(self) -> str:
        return "the weights are spoilt: train again with a lower learning rate, or use an earlier checkpoint"


@dataclass(frozen=True)
class FigureUndefined(Problem):
    """A figure that an epoch is chosen by, and that the validation split does not define."""

    figure: str
    reason: str
    code = "N956"
    exit = Exit.DATA

    def message(self) -> str:
        return f"the validation split does not define {escape(self.figure)}: {self.reason}"

    def help(self) -> str:
        return "give it samples of every class, or go by another figure, as keep = best(val.loss)"
