"""N75x: run folders and the machine; N725 and N726: measuring a run on data that was divided; N95x: numbers that are not finite."""

from collections.abc import Iterable
from dataclasses import dataclass

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape, listing, plural


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
    """The data is no longer what the run was started with."""

    path: str
    changes: tuple[str, ...]
    code = "N755"
    exit = Exit.DATA

    def message(self) -> str:
        return f"the data in {escape(self.path)} has changed since the run was started"

    def notes(self) -> Iterable[str]:
        yield from (escape(c) for c in self.changes[:20])

    def help(self) -> str:
        return "resume with the data of the run, or start another run"


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
    """A loss that does not go with the number of outputs or with the net's ending."""

    loss: str
    outputs: int
    ending: str | None
    code = "N760"
    exit = Exit.SPEC

    def message(self) -> str:
        ends = f" and ends in {self.ending}" if self.ending else ""
        return f"{self.loss} does not fit a net that gives {plural(self.outputs, 'number')}{ends}"

    def help(self) -> str:
        if self.outputs == 1:
            return "write loss = binary_cross_entropy, and end with sigmoid or without an activation; or give the net two outputs"
        return "write loss = cross_entropy, and end with softmax or without an activation; or give the net one output"


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


@dataclass(frozen=True)
class DivisionChanged(Problem):
    """Data without splits of its own that has grown or shrunk since a run divided it."""

    path: str
    split: str
    before: int
    now: int
    code = "N725"
    exit = Exit.DATA

    def message(self) -> str:
        counts = f"{self.split} had {plural(self.before, 'image')}, and has {self.now:,}"
        return f"{escape(self.path)} is not divided as it was for the training: {counts}"

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
    """A file or folder for prediction that is neither a run nor a model that netspec exported."""

    path: str
    reason: str
    code = "N764"
    exit = Exit.MODEL_FILE

    def message(self) -> str:
        return f"{escape(self.path)} cannot be used for prediction: {escape(self.reason)}"

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
