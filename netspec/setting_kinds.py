"""Kinds of values that settings of sections have, beside those of :mod:`netspec.kinds`."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from netspec.kinds import Kind, OneOf, Real, Whole
from netspec.values import Word


@dataclass(frozen=True)
class Betas(Kind):
    """The two rates of Adam's running means, each from 0 up to but not 1."""

    def describe(self) -> str:
        return "a list of two numbers from 0 to below 1, as [0.9, 0.999]"

    def accept(self, value: Any) -> tuple[float, float]:
        if not isinstance(value, tuple) or len(value) != 2:
            raise ValueError
        first, second = (Real(0, 1).accept(v) for v in value)
        if 1 in (first, second):
            raise ValueError
        return first, second


@dataclass(frozen=True)
class ClassWeights(Kind):
    """What an image of each class counts for: a number for each, or ``balanced``."""

    words = ("balanced",)

    def describe(self) -> str:
        return "balanced, or a list of numbers above 0, one for each class"

    def accept(self, value: Any) -> tuple[float, ...] | Word:
        if isinstance(value, Word) and value in self.words:
            return value
        if not isinstance(value, tuple) or len(value) < 2:
            raise ValueError
        return tuple(Real(0, open_low=True).accept(v) for v in value)


@dataclass(frozen=True)
class PositiveWeight(Kind):
    """What an image of the second class counts for beside one of the first: a number, or ``balanced``."""

    words = ("balanced",)

    def describe(self) -> str:
        return "balanced, or a number above 0"

    def accept(self, value: Any) -> float | Word:
        return value if isinstance(value, Word) and value in self.words else Real(0, open_low=True).accept(value)


@dataclass(frozen=True)
class Epochs(Kind):
    """Numbers of epochs that rise."""

    def describe(self) -> str:
        return "a list of whole numbers that rise, as [30, 60, 80]"

    def accept(self, value: Any) -> tuple[int, ...]:
        values = tuple(Whole(1).accept(v) for v in (value if isinstance(value, tuple) else (value,)))
        if not values or list(values) != sorted(set(values)):
            raise ValueError
        return values


@dataclass(frozen=True)
class PartNames(Kind):
    """Parts of the net, by the paths of their labels."""

    def describe(self) -> str:
        return 'a part of the net in quotes, as "base", "base.layer4.*" or "base[-4:]", or a list of such'

    def accept(self, value: Any) -> tuple[str, ...]:
        values = value if isinstance(value, tuple) else (value,)
        if not values or not all(isinstance(v, str) and not isinstance(v, Word) for v in values):
            raise ValueError
        return values

    def instead(self, value: Any) -> str | None:
        return f'write "{value}", with quotes' if isinstance(value, str) else super().instead(value)


@dataclass(frozen=True)
class Decay(Kind):
    """The rate of a running mean, which a mean that never changes has not: from 0 up to but not 1."""

    def describe(self) -> str:
        return "a number from 0 to below 1, as 0.9999"

    def accept(self, value: Any) -> float:
        number = Real(0, 1).accept(value)
        if number == 1:
            raise ValueError
        return number


Rates = Annotated[tuple[float, float], Betas()]
RisingEpochs = Annotated[tuple[int, ...], Epochs()]
Names = Annotated[tuple[str, ...], PartNames()]
MeanRate = Annotated[float, Decay()]
PerClass = Annotated[Any, ClassWeights()]
Second = Annotated[Any, PositiveWeight()]

MONITORS: Final = ("val.loss", "val.accuracy", "train.loss", "train.accuracy")
Monitor = Annotated[str, OneOf(MONITORS)]
ValMonitor = Annotated[str, OneOf(MONITORS[:2])]


def minimized(monitor: str) -> bool:
    """Whether less of a figure is better: it is for a loss."""
    return monitor.endswith("loss")
