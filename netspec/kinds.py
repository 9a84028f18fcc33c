"""Kinds of values that may stand between the parentheses: each says in words what it accepts, and turns a value of the language into
the value that a declaration gets.

A declaration annotates its parameters with them: ``stride: Spatial = 1``.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import isfinite
from typing import Annotated, Any, Final, cast

from netspec.shape import Open
from netspec.values import Percent, Size, Tensor, Word

MAX_WHOLE: Final = 2**31 - 1


class Kind(ABC):
    """A set of acceptable values."""

    words: tuple[str, ...] = ()
    """Bare words that are values of this kind."""

    @abstractmethod
    def describe(self) -> str:
        """What is accepted, to follow 'must be'."""

    @abstractmethod
    def accept(self, value: Any) -> Any:
        """The value as the function gets it; raises :class:`ValueError` where it is not of this kind."""

    def instead(self, value: Any) -> str | None:
        """What to write in the place of a value that is not accepted, where that can be told."""
        if isinstance(value, str) and not isinstance(value, Word) and value in self.words:
            return f"write {value}, without quotes"
        return "leave it out" if isinstance(value, str) and value in _NONE else None


_NONE: Final = {"None", "none", "null", "nil"}


@dataclass(frozen=True)
class Whole(Kind):
    """Whole numbers from ``low`` to ``high``; a decimal number without a fraction counts."""

    low: int = 0
    high: int = MAX_WHOLE

    def describe(self) -> str:
        return f"a whole number {self.low}..{self.high}"

    def accept(self, value: Any) -> int:
        if type(value) is not int:
            if isinstance(value, bool) or not isinstance(value, int | float) or value != value or not float(value).is_integer():
                raise ValueError
            value = int(value)
        if not self.low <= value <= self.high:
            raise ValueError
        return int(value)


@dataclass(frozen=True)
class Real(Kind):
    """Finite numbers from ``low`` to ``high``; ``open_low`` leaves ``low`` itself out."""

    low: float = -float("inf")
    high: float = float("inf")
    open_low: bool = False

    def describe(self) -> str:
        if self.low == -float("inf") and self.high == float("inf"):
            return "a number"
        if self.high == float("inf"):
            return f"a number {'above' if self.open_low else 'of at least'} {self.low:g}"
        return f"a number above {self.low:g} and up to {self.high:g}" if self.open_low else f"a number from {self.low:g} to {self.high:g}"

    def accept(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or (isinstance(value, int) and value.bit_length() > 1000):
            raise ValueError
        number = float(value)
        if not isfinite(number) or number > self.high or number < self.low or (self.open_low and number == self.low):
            raise ValueError
        return number

    def instead(self, value: Any) -> str | None:
        if (self.low, self.high) == (0, 1) and isinstance(value, int | float) and 2 <= value <= 100:
            return f"write {value:g}%, or {value / 100:g}"
        return super().instead(value)


class Flag(Kind):
    def describe(self) -> str:
        return "true or false"

    def accept(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError
        return value


@dataclass(frozen=True)
class Extent(Kind):
    """A size in space: one number for every axis, or a size such as ``1x7``. Words may be added."""

    low: int = 1
    words: tuple[str, ...] = ()

    def describe(self) -> str:
        also = "".join(f", or {word}" for word in self.words)
        return f"a whole number {self.low}..{MAX_WHOLE}, or a size such as 3x3{also}"

    def accept(self, value: Any) -> int | tuple[int, ...] | Word:
        if isinstance(value, Word):
            if value not in self.words:
                raise ValueError
            return value
        if isinstance(value, tuple):
            if not 1 <= len(value) <= 3:
                raise ValueError
            return Size(Whole(self.low).accept(v) for v in value)
        return Whole(self.low).accept(value)


@dataclass(frozen=True)
class TensorShape(Kind):
    """The shape of an input: two to five numbers, of which the first is the channels, or one for a vector. Letters leave a size open."""

    def describe(self) -> str:
        return "a size such as 3x224x224, channels first"

    def accept(self, value: Any) -> tuple[int, ...]:
        if isinstance(value, tuple):
            if not 1 <= len(value) <= 5:
                raise ValueError
            return tuple(cast("int", v) if isinstance(v, Open) else Whole(1).accept(v) for v in value)
        return (Whole(1).accept(value),)


@dataclass(frozen=True)
class OneOf(Kind):
    """One of a few bare words."""

    words: tuple[str, ...]

    def describe(self) -> str:
        return "one of " + ", ".join(self.words)

    def accept(self, value: Any) -> str:
        if not isinstance(value, Word) or value not in self.words:
            raise ValueError
        return str(value)


@dataclass(frozen=True)
class Numbers(Kind):
    """One number or a list of them; words may stand for known lists."""

    words: tuple[str, ...] = ()
    nonzero: bool = False

    def describe(self) -> str:
        return f"a number or a list of numbers{', none of them 0' * self.nonzero}" + "".join(f", or {word}" for word in self.words)

    def accept(self, value: Any) -> float | tuple[float, ...] | Word:
        if isinstance(value, Word):
            if value not in self.words:
                raise ValueError
            return value
        if isinstance(value, tuple):
            if not value:
                raise ValueError
            return tuple(self._number(v) for v in value)
        return self._number(value)

    def _number(self, value: Any) -> float:
        number = Real().accept(value)
        if self.nonzero and number == 0:
            raise ValueError
        return number


@dataclass(frozen=True)
class Shares(Kind):
    """A list of shares that sum to one."""

    count: int

    def describe(self) -> str:
        return f"a list of {self.count} shares that sum to 100%, as [80%, 10%, 10%]"

    def accept(self, value: Any) -> tuple[float, ...]:
        if not isinstance(value, tuple) or len(value) != self.count:
            raise ValueError
        shares = tuple(Real(0, 1).accept(v) for v in value)
        if abs(sum(shares) - 1) > 1e-9:
            raise ValueError
        return tuple(Percent(s) for s in shares)

    def instead(self, value: Any) -> str | None:
        numbers = [v for v in value if isinstance(v, int | float)] if isinstance(value, tuple) else []
        if not isinstance(value, tuple) or len(numbers) < len(value) or not value:
            return super().instead(value)
        if len(value) != self.count:
            return f"these are {len(value)} of {self.count}: training, validation and test"
        if abs(sum(numbers) - 100) < 1e-6:
            return f"write [{', '.join(f'{v:g}%' for v in numbers)}]"
        return f"these sum to {sum(numbers) * 100:g}%"


class Text(Kind):
    """A string."""

    def describe(self) -> str:
        return "a string"

    def accept(self, value: Any) -> str:
        if not isinstance(value, str) or isinstance(value, Word):
            raise ValueError
        return value


@dataclass(frozen=True)
class Sides(Extent):
    """A margin in space: one number for every side, a size with one for each axis, or a list with two for each axis."""

    def describe(self) -> str:
        return f"a whole number {self.low}..{MAX_WHOLE}, a size such as 1x2, or a list with both sides of each axis, as [1, 1, 2, 2]"

    def accept(self, value: Any) -> int | tuple[int, ...]:
        if isinstance(value, tuple):
            if not 1 <= len(value) <= 6:
                raise ValueError
            return tuple(Whole(self.low).accept(v) for v in value)
        return Whole(self.low).accept(value)


@dataclass(frozen=True)
class Factors(Kind):
    """How much finer a grid becomes: one number for every axis in space, or a size or list with one for each.

    Whole numbers, halves (``1.5``) and ``1/4`` to ``1/32``: in these the new size is the same in every arithmetic.
    """

    def describe(self) -> str:
        return "a whole number, a half such as 1.5, one of 1/4, 1/8, 1/16, 1/32, or a list or size with one for each axis"

    def accept(self, value: Any) -> float | tuple[float, ...]:
        if isinstance(value, tuple):
            if not 1 <= len(value) <= 3:
                raise ValueError
            return tuple(self._factor(v) for v in value)
        return self._factor(value)

    def _factor(self, value: Any) -> float:
        factor = Real(0, 4096, open_low=True).accept(value)
        if not (2 * factor).is_integer() and factor not in (1 / 4, 1 / 8, 1 / 16, 1 / 32):
            raise ValueError
        return factor

    def instead(self, value: Any) -> str | None:
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return "write size=, with the height and width that it should have"
        return super().instead(value)


@dataclass(frozen=True)
class Wholes(Kind):
    """Whole numbers from ``low`` up, in a list or a size; one alone counts as a list of one."""

    low: int = 0
    example: str = "[1, 2]"

    def describe(self) -> str:
        return f"a list of whole numbers of at least {self.low}, as {self.example}"

    def accept(self, value: Any) -> tuple[int, ...]:
        values = value if isinstance(value, tuple) else (value,)
        if not values:
            raise ValueError
        return tuple(Whole(self.low).accept(v) for v in values)


@dataclass(frozen=True)
class Axes(Wholes):
    """Axes of a tensor, negative ones from the end."""

    low: int = -5
    example: str = "[0, 2]"


@dataclass(frozen=True)
class Parts(Wholes):
    """The sizes of the parts of an axis."""

    low: int = 1
    example: str = "[16, 48]"


@dataclass(frozen=True)
class TargetShape(Kind):
    """The shape that a tensor's numbers are put into; one of its sizes may be -1, for what is left."""

    def describe(self) -> str:
        return "a size such as 64x7x7, or a list of sizes of which one may be -1, as [64, -1]"

    def accept(self, value: Any) -> tuple[int, ...]:
        values = tuple(Whole(-1).accept(v) for v in (value if isinstance(value, tuple) else (value,)))
        if not 1 <= len(values) <= 5 or 0 in values or values.count(-1) > 1:
            raise ValueError
        return values


@dataclass(frozen=True)
class Interval(Kind):
    """What a number is drawn from: a list of the lowest and the highest; or, with ``around``, how far from there it goes, as one number."""

    low: float = -float("inf")
    high: float = float("inf")
    around: float | None = None
    open_low: bool = False

    def describe(self) -> str:
        both = f"a list with the lowest and the highest, each {Real(self.low, self.high, self.open_low).describe()}"
        if self.around is None:
            return both
        middle = f"{self.around:g} - a to {self.around:g} + a" if self.around else "-a to a"
        reach = min(self.high - self.around, self.around - self.low)
        most = "" if reach == float("inf") else f" {'below' if self.open_low else 'up to'} {reach:g}"
        return f"a number a{most}, for {middle}, or {both}"

    def accept(self, value: Any) -> tuple[float, float]:
        if not isinstance(value, tuple):
            if self.around is None:
                raise ValueError
            reach = Real(0).accept(value)
            value = (self.around - reach, self.around + reach)
        if isinstance(value, Size) or len(value) != 2:
            raise ValueError
        lowest, highest = (Real(self.low, self.high, self.open_low).accept(v) for v in value)
        if lowest > highest:
            raise ValueError
        return lowest, highest

    def instead(self, value: Any) -> str | None:
        if isinstance(value, tuple) and len(value) == 2 and all(isinstance(v, int | float) for v in value) and value[0] > value[1]:
            return f"the lower one comes first: [{value[1]:g}, {value[0]:g}]"
        return super().instead(value)


class Anything(Kind):
    def describe(self) -> str:
        return "a value"

    def accept(self, value: Any) -> Any:
        return value


class Flow(Kind):
    """A tensor."""

    def describe(self) -> str:
        return "a tensor"

    def accept(self, value: Any) -> Tensor:
        if not isinstance(value, Tensor):
            raise ValueError
        return value


Count = Annotated[int, Whole(1)]
Natural = Annotated[int, Whole(0)]
Axis = Annotated[int, Whole(0, 4)]
Number = Annotated[float, Real()]
Positive = Annotated[float, Real(0, open_low=True)]
NotNegative = Annotated[float, Real(0)]
Share = Annotated[float, Real(0, 1)]
Boolean = Annotated[bool, Flag()]
Spatial = Annotated[int | tuple[int, ...], Extent(1)]
Margin = Annotated[int | tuple[int, ...], Extent(0)]
Position = Annotated[int, Whole(-MAX_WHOLE)]
"""A place on an axis; negative ones count from its end."""
AnyAxis = Annotated[int, Whole(-5, 4)]
"""An axis; negative ones count from the last."""
ConvPadding = Annotated[int | tuple[int, ...] | Word, Extent(0, ("same", "valid"))]
