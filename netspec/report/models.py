"""What crosses a process or a file: the record of a run, the figures of an evaluation, the answers of a prediction.

All figures are shares from 0 to 1 where they are accuracies, nats where they are cross entropies, seconds where they are times. Figures of
a split go by their names: ``loss``, ``accuracy``; of a net with several outputs also ``age.loss``, ``age.mae``, and ``loss`` is then the
weighted sum.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EpochRow(_Model):
    """One line of ``history.csv``. Figures of validation are missing where the data has no such split."""

    epoch: int
    stage: str = ""
    """The stage that the epoch belongs to, nothing where there are none."""
    train: dict[str, float]
    val: dict[str, float] = {}
    lr: float
    seconds: float
    images_per_second: float

    def figure(self, monitor: str) -> float:
        """A figure by its name with the split: ``val.loss``. Raises :class:`KeyError`."""
        split, _, name = monitor.partition(".")
        return {"train": self.train, "val": self.val}[split][name]


class Figures(_Model):
    """How good a net is on a split: its figures by name."""

    images: int
    values: dict[str, float]


class BestEpoch(_Model):
    """The epoch that is best by the figure ``monitor`` on the validation split, of equals the one with the lowest loss, and of these the
    first; all its figures on that split are in ``values``."""

    epoch: int
    monitor: str
    values: dict[str, float]

    @property
    def value(self) -> float:
        """The figure that it is the best by."""
        return self.values[self.monitor.partition(".")[2]]


class NamedSettings(_Model):
    """A choice with every setting it was used with: an optimiser, a loss, a schedule."""

    name: str
    settings: dict[str, Any]


class StageSettings(_Model):
    """What holds for a stage of training, complete with defaults. ``freeze`` and ``unfreeze`` are as written, to be applied in turn."""

    name: str = ""
    losses: dict[str, NamedSettings]
    """By the name of the output; so are ``loss_weights`` and ``metrics``."""
    loss_weights: dict[str, float]
    metrics: dict[str, tuple[NamedSettings, ...]]
    optimizer: NamedSettings
    schedule: NamedSettings
    batch: int
    accumulate: int = 1
    epochs: int
    clip: float | None = None
    decay: Literal["all", "weights"] = "all"
    rates: tuple[tuple[str, float], ...] = ()
    """Which share of the learning rate parts of the net have, by their paths; later ones count."""
    freeze: tuple[str, ...] = ()
    unfreeze: tuple[str, ...] = ()
    batch_norm: Literal["learn", "fixed"] = "learn"
    stop: NamedSettings | None = None


class TrainSettings(StageSettings):
    """The section `train`, complete with defaults, and its stages, each with what it has from there."""

    keep: NamedSettings
    """Its monitor is filled in: what is written, else the first metric of the only output, else the loss."""
    ema: float | None = None
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
    layout: Literal["auto", "channels_last", "contiguous"] = "auto"
    compile: bool = False
    seed: int
    stages: tuple[StageSettings, ...] = ()

    @property
    def in_turn(self) -> tuple[StageSettings, ...]:
        """The stages that are run: where none is written, what `train` says is the only one, without a name."""
        return self.stages or (self,)


class FrozenRegion(_Model):
    """Tensors of a part of the net that did not change in a stage: how many, of how many, and one SHA-256 over their names and contents."""

    region: str
    tensors: int
    of: int
    sha256: str


class StageRecord(_Model):
    """A stage that is over: whether it ended before its last epoch, how many parameters learned, and what was frozen, before and after."""

    name: str
    first_epoch: int
    last_epoch: int
    stopped: bool
    learning: int
    frozen: tuple[FrozenRegion, ...]
    cached: Literal["no", "memory", "disk"] = "no"
    """Where the values of the frozen part were kept."""
    memory: int | None = None
    """The most bytes that the device's allocator held at a time, where it says so."""


class DataChange(_Model):
    """Data that changed while a run was broken off, as was accepted: from ``epoch`` on the run reads what its record says now, before that
    what is told here. ``told`` says in sentences what changed."""

    epoch: int
    counts: dict[str, int]
    fingerprint: str
    told: tuple[str, ...]


class DataRecord(_Model):
    """What a run was trained on. ``own_splits`` says whether the splits were the data's own; else ``split`` gives their shares.
    ``fingerprint`` stands for all samples in their splits, ``content`` for the same however they are divided. ``changes`` are those that
    were accepted, the first one first."""

    path: str
    counts: dict[str, int]
    own_splits: bool
    split: tuple[float, ...]
    fingerprint: str
    content: str = ""
    skip_bad: bool = False
    """Whether samples whose images cannot be read are left out."""
    allow_empty_class: bool = False
    """Whether a class may be without samples."""
    changes: tuple[DataChange, ...] = ()


class Versions(_Model):
    """What computed the run."""

    netspec: str
    python: str
    torch: str
    numpy: str
    platform: str
    device: str
    threads: int
    precision: Literal["fp32", "bf16"] = "fp32"
    processes: int = 1
    sharded: bool = False
    opencv: str | None = None
    """Stretches what is cut out of pictures; not told in runs of before."""


class RunRecord(_Model):
    """``run.json``: all that a run was made with, and what came of it."""

    format: Literal[2] = 2
    name: str
    net: str
    settings: dict[str, str]
    """The net's parameters as they would be written after ``--set``."""
    spec_sha256: str
    classes: dict[str, tuple[str, ...]]
    """The names of the classes of each target that has some, in the order of the outputs' numbers."""
    parameters: int
    trainable: int
    train: TrainSettings
    data: DataRecord
    versions: Versions
    started: str
    status: Literal["running", "interrupted", "failed", "finished"] = "running"
    epochs_done: int = 0
    last: EpochRow | None = None
    best: BestEpoch | None = None
    stages: tuple[StageRecord, ...] = ()
    """The stages that are over; a training without stages is one, without a name."""
    test: Figures | None = None
    test_weights: Literal["best", "last"] | None = None
    """Which weights the figures of ``test`` belong to."""


class ClassFigures(_Model):
    """How many samples (pixels, for masks) of a class there were, and how many of them were recognised."""

    label: str
    images: int
    correct: int
    accuracy: float | None


class OutputFigures(_Model):
    """How one output did. ``confusion[i][j]`` counts what is of class i and was taken for class j; both are empty for numbers."""

    kind: Literal["class", "labels", "number", "mask"]
    classes: tuple[ClassFigures, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()


class Evaluation(_Model):
    """The figures of a model on a split, and of each of its outputs by name."""

    model: str
    data: str
    split: str
    images: int
    figures: dict[str, float]
    outputs: dict[str, OutputFigures]
    warnings: tuple[str, ...] = ()
    """What is odd about the data, as a class that it lacks."""
    titles: dict[str, str] = {}
    """What figures are called in words where their name does not say all: ``top_k`` with its k, ``top_5``."""


class LabelProbability(_Model):
    """How probable a model holds a class, or a label, to be."""

    label: str
    probability: float


class ClassAnswer(_Model):
    """One of several classes: the most probable, and the ``top`` few, most probable first."""

    kind: Literal["class"]
    label: str
    probability: float
    top: tuple[LabelProbability, ...]


class LabelsAnswer(_Model):
    """Labels that are there or not: ``labels`` are those more probable than not, ``top`` the few most probable of all."""

    kind: Literal["labels"]
    labels: tuple[LabelProbability, ...]
    top: tuple[LabelProbability, ...]


class NumberAnswer(_Model):
    """Numbers as the net gives them; ``names`` are those of the columns that they were learned from, where several are known."""

    kind: Literal["number"]
    values: tuple[float, ...]
    names: tuple[str, ...] = ()


class ClassShare(_Model):
    """Which share of an image's pixels a model holds to be of a class."""

    label: str
    share: float


class MaskAnswer(_Model):
    """A class for each pixel: the share of every class, in their order, and the file of the mask, if one was asked for."""

    kind: Literal["mask"]
    shares: tuple[ClassShare, ...]
    mask: str | None = None


Answer = Annotated[ClassAnswer | LabelsAnswer | NumberAnswer | MaskAnswer, Field(discriminator="kind")]


class Prediction(_Model):
    """What a model says of one image: the answer of each output by its name. ``label``, ``probability`` and ``top`` are those of the only
    output, where that is a class."""

    file: str
    label: str | None = None
    probability: float | None = None
    top: tuple[LabelProbability, ...] = ()
    outputs: dict[str, Answer]
