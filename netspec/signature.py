"""What may stand between the parentheses: parameters with their kinds, bounds and defaults, read from a function's own signature.

Layers, optimisers, losses and sections are all declared as functions; :func:`signature_of` reads one. A kind says in
words what it accepts and turns a value of the language into the value the function gets.
"""

import inspect
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Annotated, Any, Final

from netspec.shape import Shape
from netspec.values import Choice, Percent, Size, Tensor, Word, show

MAX_WHOLE: Final = 2**31 - 1
REQUIRED: Final = object()


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
        return f"a number {'above' if self.open_low else 'from'} {self.low:g} {'and up' if self.open_low else ''} to {self.high:g}".replace(
            "  ", " "
        )

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
    """The shape of an input: two to five numbers, of which the first is the channels, or one for a vector."""

    def describe(self) -> str:
        return "a size such as 3x224x224, channels first"

    def accept(self, value: Any) -> tuple[int, ...]:
        if isinstance(value, tuple):
            if not 1 <= len(value) <= 5:
                raise ValueError
            return tuple(Whole(1).accept(v) for v in value)
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


@dataclass(frozen=True, eq=False)
class OneOfChoices(Kind):
    """A named choice with settings of its own, as ``sgd(lr=0.1)``; ``table`` holds their declarations."""

    table: Mapping[str, Callable[..., None]]

    @property
    def words(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(self.table)

    def describe(self) -> str:
        return "one of " + ", ".join(self.table)

    def accept(self, value: Any) -> Choice:
        if isinstance(value, Choice) and value.name in self.table:
            return value
        if isinstance(value, Word) and value in self.table:
            return Choice(str(value), {p.name: p.default for p in signature_of(self.table[value]).parameters})
        raise ValueError


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
ConvPadding = Annotated[int | tuple[int, ...] | Word, Extent(0, ("same", "valid"))]


@dataclass(frozen=True)
class Parameter:
    """One thing that may stand between the parentheses."""

    name: str
    kind: Kind
    default: Any
    positional: bool
    optional: bool = False
    """Whether ``none``, the default that means 'work it out', is accepted."""

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    def __str__(self) -> str:
        return self.name if self.required or self.default is None else f"{self.name}={show(self.default)}"


@dataclass(frozen=True)
class Signature:
    """Tensors first (``variadic`` for merges, which take any number), then parameters."""

    tensors: int
    variadic: bool
    parameters: tuple[Parameter, ...]

    @cached_property
    def by_name(self) -> dict[str, Parameter]:
        return {p.name: p for p in self.parameters}

    @cached_property
    def positional(self) -> tuple[Parameter, ...]:
        return tuple(p for p in self.parameters if p.positional)

    @cached_property
    def required(self) -> frozenset[str]:
        """The names of the parameters without a default."""
        return frozenset(p.name for p in self.parameters if p.required)

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """What each parameter is where nothing is written; those without a default are ``REQUIRED``."""
        return {p.name: p.default for p in self.parameters}

    def __str__(self) -> str:
        return ", ".join(map(str, self.parameters))


def signature_of(declaration: Callable[..., object]) -> Signature:
    """Read a declaration's signature: parameters annotated ``Shape`` are tensors, the others arguments."""
    known = _signatures.get(declaration)
    if known is None:
        known = _signatures[declaration] = _read(declaration)
    return known


_signatures: dict[Callable[..., object], Signature] = {}


def _read(declaration: Callable[..., object]) -> Signature:
    tensors, variadic, parameters = 0, False, []
    for p in inspect.signature(declaration).parameters.values():
        if p.annotation == Shape:
            tensors += 1
            variadic |= p.kind is p.VAR_POSITIONAL
            continue
        kind, optional = _kind_of(p.annotation)
        default = REQUIRED if p.default is p.empty else p.default
        parameters.append(Parameter(p.name, kind, default, p.kind is not p.KEYWORD_ONLY, optional))
    return Signature(tensors, variadic, tuple(parameters))


def _kind_of(annotation: Any) -> tuple[Kind, bool]:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        members = typing.get_args(annotation)
        return next(_kind_of(m)[0] for m in members if m is not type(None)), type(None) in members
    kind = next(m for m in annotation.__metadata__ if isinstance(m, Kind))
    return kind, False
