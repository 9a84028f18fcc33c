"""What crosses a process or a file: the record of a run, the figures of an evaluation, the answers of a prediction.

All figures are shares from 0 to 1 where they are accuracies, nats where they are losses, seconds where they are times.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EpochRow(_Model):
    """One line of ``history.csv``. Figures of validation are missing where the data has no such split."""

    epoch: int
    stage: str = ""
    """The stage that the epoch belongs to, nothing where there are none."""
    train_loss: float
    train_accuracy: float
    val_loss: float | None = None
    val_accuracy: float | None = None
    lr: float
    seconds: float
    images_per_second: float


class Figures(_Model):
    """How good a net is on a split."""

    images: int
    accuracy: float
    loss: float


class BestEpoch(_Model):
    """The epoch with the highest accuracy on the validation split, of equals the one with the lowest loss, and of these the first; where
    `keep` says so, it goes by the loss, and of equals by the accuracy."""

    epoch: int
    val_accuracy: float
    val_loss: float


class NamedSettings(_Model):
    """A choice with every setting it was used with: an optimiser, a loss, a schedule."""

    name: str
    settings: dict[str, Any]


class StageSettings(_Model):
    """What holds for a stage of training, complete with defaults. ``freeze`` and ``unfreeze`` are as written, to be applied in turn."""

    name: str = ""
    loss: NamedSettings
    optimizer: NamedSettings
    schedule: NamedSettings
    batch: int
    accumulate: int = 1
    epochs: int
    clip: float | None = None
    decay: Literal["all", "weights"] = "all"
    freeze: tuple[str, ...] = ()
    unfreeze: tuple[str, ...] = ()
    stop: NamedSettings | None = None


class TrainSettings(StageSettings):
    """The section `train`, complete with defaults, and its stages, each with what it has from there."""

    keep: NamedSettings = NamedSettings(name="best", settings={"monitor": "val.accuracy"})
    ema: float | None = None
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
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


class DataRecord(_Model):
    """What a run was trained on. ``own_splits`` says whether the splits were the data's own; else ``split`` gives their shares."""

    path: str
    counts: dict[str, int]
    own_splits: bool
    split: tuple[float, ...]
    fingerprint: str


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


class RunRecord(_Model):
    """``run.json``: all that a run was made with, and what came of it."""

    format: Literal[1] = 1
    name: str
    net: str
    settings: dict[str, str]
    """The net's parameters as they would be written after ``--set``."""
    spec_sha256: str
    classes: tuple[str, ...]
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
    """How many images of a class there were, and how many of them were recognised."""

    label: str
    images: int
    correct: int
    accuracy: float | None


class Evaluation(_Model):
    """The figures of a model on a split. ``confusion[i][j]`` counts images of class i that were taken for class j."""

    model: str
    data: str
    split: str
    images: int
    accuracy: float
    loss: float
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]


class LabelProbability(_Model):
    """How probable a model holds a class to be."""

    label: str
    probability: float


class Prediction(_Model):
    """The answer to one image: the most probable class, and the ``top`` few, most probable first."""

    file: str
    label: str
    probability: float
    top: tuple[LabelProbability, ...]
