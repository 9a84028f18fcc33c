"""The values an expression of the language can have, and how they are shown to the person who wrote them.

Whole numbers, decimal numbers, strings, ``true``/``false`` and lists are Python's own ``int``, ``float``, ``str``,
``bool`` and ``tuple``; the types below are what Python lacks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final


class Size(tuple[int, ...]):
    """``3x224x224``."""

    __slots__ = ()


class Percent(float):
    """``5%``: 0.05, and remembered as a share."""

    __slots__ = ()


class Rounded(float):
    """``4.089G``: a figure rounded to the last digit written; ``unit`` is that digit's worth."""

    unit: float

    def __new__(cls, value: float, unit: float) -> Rounded:
        self = super().__new__(cls, value)
        self.unit = unit
        return self

    def covers(self, exact: float) -> bool:
        """Whether ``exact``, rounded as this was, is this."""
        return abs(exact - self) <= self.unit / 2 * (1 + 1e-9)


class Word(str):
    """A bare word where a name of a choice is due: ``same``, ``nearest``."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """A named choice with its settings, complete with defaults: ``sgd(lr=0.1)``."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ByOutput:
    """A setting for each output: ``{ age = mae, gender = accuracy }``; what is not named there has ``otherwise``, if anything."""

    values: dict[str, Any] = field(default_factory=dict)
    otherwise: Any = None

    def of(self, output: str) -> Any:
        """What holds for an output."""
        return self.values.get(output, self.otherwise)


@dataclass(frozen=True, slots=True)
class Tensor:
    """What flows: the number of the node that makes it and its shape, ``None`` where that is not known."""

    node: int
    shape: tuple[int, ...] | None


class _Unknown:
    """The value of an expression that is wrong and already reported."""

    def __repr__(self) -> str:
        return "?"


UNKNOWN: Final = _Unknown()


def show(value: object) -> str:
    """The value as its author would write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Size):
        return "x".join(map(str, value))
    if isinstance(value, tuple):
        return "[" + ", ".join(map(show, value)) + "]"
    if isinstance(value, Word):
        return str(value)
    if isinstance(value, str):
        return '"' + value + '"'
    if isinstance(value, Percent):
        return f"{float(value) * 100:g}%"
    if isinstance(value, float):
        return _decimal(float(value))
    if isinstance(value, Choice):
        inside = ", ".join(f"{name}={show(part)}" for name, part in value.settings.items() if part is not None)
        return f"{value.name}({inside})" if inside else value.name
    if isinstance(value, ByOutput):
        return "{ " + ", ".join(f"{name} = {show(part)}" for name, part in value.values.items()) + " }"
    if isinstance(value, Tensor):
        return "a tensor" if value.shape is None else "a tensor of " + "x".join(map(str, value.shape))
    if isinstance(value, int) and value.bit_length() > 10_000:
        return f"a number of {value.bit_length()} bits"
    return "none" if value is None else str(value)


def _decimal(value: float) -> str:
    """A decimal number; what is long in digits and short as a fraction of 1, as a fraction: ``1/255``."""
    digits = f"{value:.12g}"
    if len(digits) > 8 and value and 1 < abs(1 / value) < 10_000 and abs(round(1 / value) - 1 / value) < 1e-9:
        return f"1/{round(1 / value)}" if value > 0 else f"-1/{round(-1 / value)}"
    return digits


def kind(value: object) -> str:
    """What sort of thing a value is, with its article, for a sentence about it."""
    for types, words in _KINDS:
        if isinstance(value, types):
            return words
    return "nothing" if value is None else getattr(value, "KIND", f"a {type(value).__name__}")


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"), (int, "a whole number"), (Percent, "a share"), (float, "a number"), (Word, "a word"),
    (str, "a string"), (Size, "a size"), (tuple, "a list"), (Tensor, "a tensor"), (Choice, "a setting"),
)  # fmt: skip
