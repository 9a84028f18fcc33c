"""What the lessons are: which spec learns from which data, with which settings and seeds, and what has to come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from examples.lessons.slant import with_slants
from netspec.figures import SHARES, metric_of

ROOT: Final = Path(__file__).resolve().parents[2]
"""The folder of the project: specs and commands are told from there."""

Figures = Mapping[str, float]
"""Figures of the test split by name, as ``accuracy``; the mean over the seeds of a lesson."""


@dataclass(frozen=True)
class AtLeast:
    """A figure has to reach a value."""

    figure: str
    value: float

    def __str__(self) -> str:
        return f"{self.figure} at least {shown(self.figure, self.value)}"

    def holds(self, found: Figures, of_lessons: Mapping[str, Figures]) -> bool | None:
        """Whether it does; ``None`` where that cannot be told yet."""
        return found[self.figure] >= self.value


@dataclass(frozen=True)
class AtMost:
    """A figure may not be above a value: an error, or a time in seconds."""

    figure: str
    value: float

    def __str__(self) -> str:
        return f"{self.figure} at most {shown(self.figure, self.value)}"

    def holds(self, found: Figures, of_lessons: Mapping[str, Figures]) -> bool | None:
        """Whether it is not."""
        return found[self.figure] <= self.value


@dataclass(frozen=True)
class BetterThan:
    """A figure has to be higher than that of another lesson."""

    figure: str
    lesson: str

    def __str__(self) -> str:
        return f"{self.figure} above {self.lesson}"

    def holds(self, found: Figures, of_lessons: Mapping[str, Figures]) -> bool | None:
        """Whether it is; ``None`` while the other lesson has no figures."""
        other = of_lessons.get(self.lesson)
        return None if other is None else found[self.figure] > other[self.figure]


Asked = AtLeast | AtMost | BetterThan


@dataclass(frozen=True)
class Lesson:
    """A net that is trained once for each seed.

    ``spec`` is its file and ``net`` its name, where that is not the first; ``data`` is what it learns from and ``needs`` what else has to
    be there, both below the folder of the data; ``settings`` are as after ``--set``; ``main`` are the figures to tell. With ``prepare``, it
    learns from a file that is made of its data once, by a function of both.
    """

    name: str
    about: str
    spec: str
    data: str
    asked: tuple[Asked, ...]
    main: tuple[str, ...] = ("accuracy",)
    settings: Mapping[str, str] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    needs: tuple[str, ...] = ()
    net: str | None = None
    prepare: Callable[[Path, Path], None] | None = None

    @property
    def path(self) -> Path:
        """Where its spec lies."""
        return ROOT / self.spec

    def missing(self, data: Path) -> list[Path]:
        """What has to lie in the folder of the data and does not."""
        return [data / name for name in (self.data, *self.needs) if not (data / name).exists()]


def shown(figure: str, value: float) -> str:
    """A figure as a reader likes it: shares in percent, times in minutes."""
    if figure == "seconds":
        return f"{value / 60:.0f} min"
    return f"{value:.2%}" if metric_of(figure) in SHARES else f"{value:.4g}"


_WEIGHTS: Final = "weights/mobilenet_v2-b0353104.pth"
_THREE: Final = (0, 1, 2)

LESSONS: Final = (
    Lesson("mnist", "a small convolutional net, five epochs", "specs/mnist_convnet.net", "mnist.npz", (AtLeast("accuracy", 0.991),)),
    Lesson(
        "fruit_scratch", "fourteen fruits, five convolutions from scratch", "examples/lessons/fruit_scratch.net", "fruit", (), seeds=_THREE,
    ),
    Lesson(
        "fruit_augmented", "the same with augmentation", "examples/lessons/fruit_scratch.net", "fruit",
        (BetterThan("accuracy", "fruit_scratch"),), settings={"augmented": "true", "train.epochs": "150"}, seeds=_THREE,
    ),
    Lesson(
        "fruit_frozen", "a frozen MobileNetV2 with a new head", "examples/lessons/fruit_transfer.net", "fruit",
        (BetterThan("accuracy", "fruit_augmented"),), seeds=_THREE, needs=(_WEIGHTS,), net="FruitFrozen",
    ),
    Lesson(
        "fruit_finetuned", "then its top unfrozen at a low rate", "examples/lessons/fruit_transfer.net", "fruit",
        (BetterThan("accuracy", "fruit_frozen"), AtLeast("accuracy", 0.80)), seeds=_THREE, needs=(_WEIGHTS,), net="FruitFinetuned",
    ),
    Lesson(
        "traffic_lights", "three unbalanced colours, classes weighed", "examples/lessons/traffic_lights.net", "traffic_lights",
        (AtLeast("accuracy", 0.99),), seeds=_THREE,
    ),
    Lesson(
        "nuclei", "nuclei of cells, a U-Net", "examples/lessons/nuclei_unet.net", "nuclei", (AtLeast("miou", 0.80),), main=("miou",),
        seeds=_THREE,
    ),
    Lesson(
        "two_heads", "which digit it is, and how far it slants, from one trunk", "examples/lessons/two_heads.net", "mnist.npz",
        (AtLeast("digit.accuracy", 0.98), AtMost("slant.mae", 0.05)), main=("digit.accuracy", "slant.mae"), prepare=with_slants,
    ),
    Lesson(
        "siamese", "whether two digits are the same one", "examples/lessons/siamese_mnist.net", "mnist.npz", (AtLeast("accuracy", 0.97),),
    ),
    Lesson(
        "cifar10", "CIFAR-10, a ResNet of nine layers", "examples/lessons/cifar10_resnet.net", "cifar10.npz",
        (AtLeast("accuracy", 0.90), AtMost("seconds", 45 * 60)),
    ),
)  # fmt: skip
