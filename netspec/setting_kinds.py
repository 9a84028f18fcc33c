"""Kinds of values that settings of sections have, beside those of :mod:`netspec.kinds`."""

from dataclasses import dataclass
from typing import Annotated, Any

from netspec.kinds import Kind, OneOf, Real, Whole
from netspec.values import ByOutput, Word


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


class PositiveWeight(Kind):
    """What an image of the second class counts for beside one of the first: a number, or ``balanced``."""

    words = ("balanced",)

    def describe(self) -> str:
        return "balanced, or a number above 0"

    def accept(self, value: Any) -> float | Word:
        return value if isinstance(value, Word) and value in self.words else Real(0, open_low=True).accept(value)


class Epochs(Kind):
    """Numbers of epochs that rise."""

    def describe(self) -> str:
        return "a list of whole numbers that rise, as [30, 60, 80]"

    def accept(self, value: Any) -> tuple[int, ...]:
        values = tuple(Whole(1).accept(v) for v in (value if isinstance(value, tuple) else (value,)))
        if not values or list(values) != sorted(set(values)):
            raise ValueError
        return values


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


class Decay(Kind):
    """The rate of a running mean, which a mean that never changes has not: from 0 up to but not 1."""

    def describe(self) -> str:
        return "a number from 0 to below 1, as 0.9999"

    def accept(self, value: Any) -> float:
        number = Real(0, 1).accept(value)
        if number == 1:
            raise ValueError
        return number


class PartOfAll(Kind):
    """A share of something that is neither none nor all of it."""

    def describe(self) -> str:
        return "a share above 0% and below 100%"

    def accept(self, value: Any) -> float:
        number = Real(0, 1, open_low=True).accept(value)
        if number == 1:
            raise ValueError
        return number


@dataclass(frozen=True)
class FigureName(Kind):
    """A figure of an epoch by its split and its name, ``val.loss`` or ``val.age.mae``; whether it is measured is checked with the net."""

    splits: tuple[str, ...] = ("val", "train")

    def describe(self) -> str:
        training = ", or train.loss" if "train" in self.splits else ""
        return f"a figure of validation, as val.loss or val.accuracy{training}"

    def accept(self, value: Any) -> str:
        parts = value.split(".") if isinstance(value, str) else []
        if not isinstance(value, Word) or len(parts) not in (2, 3) or parts[0] not in self.splits:
            raise ValueError
        return str(value)

    def instead(self, value: Any) -> str | None:
        if not isinstance(value, str):
            return super().instead(value)
        split, _, name = value.partition(".")
        if not isinstance(value, Word) and name:
            return f"write {value}, without quotes"
        if split in ("val", "train", "test"):
            return f"write val.{name}" if split != "val" and name else None
        return f"write val.{value.removeprefix('val_')}"


class ForEachOutput(Kind):
    """A number above 0 for each output, in braces."""

    def describe(self) -> str:
        return "in braces, with a number above 0 for each output, as { age = 0.1 }"

    def accept(self, value: Any) -> ByOutput:
        if not isinstance(value, ByOutput):
            raise ValueError
        return ByOutput({name: self.one.accept(part) for name, part in value.values.items()})

    @property
    def one(self) -> Kind:
        """What stands behind each name."""
        return Real(0, open_low=True)


class FactorsOfParts(Kind):
    """Factors above 0 for parts of the net, in braces."""

    def describe(self) -> str:
        return 'in braces, with a number above 0 for each part, as { base = 0.1, "base.layer4.*" = 0.5 }'

    def accept(self, value: Any) -> tuple[tuple[str, float], ...]:
        if not isinstance(value, tuple) or not all(isinstance(line, tuple) and len(line) == 2 for line in value):
            raise ValueError
        return tuple((path, self.one.accept(factor)) for path, factor in value)

    @property
    def one(self) -> Kind:
        """What stands behind each path."""
        return RateFactor(0, open_low=True)


class RateFactor(Real):
    """What a learning rate is multiplied with."""

    def instead(self, value: Any) -> str | None:
        return "what is not to learn is named by freeze" if value == 0 else super().instead(value)


@dataclass(frozen=True)
class Precision(OneOf):
    """The numbers that products are computed in."""

    words: tuple[str, ...] = ("auto", "fp32", "bf16")

    def instead(self, value: Any) -> str | None:
        plain = value.casefold().replace("_", "") if isinstance(value, str) else str(value)
        if plain in ("fp16", "float16", "half", "16", "mixed", "amp", "mixedfloat16"):
            return "write bf16: it has as many bits and the range of fp32, so that small gradients do not become 0 and no loss is scaled"
        known = {"bfloat16": "bf16", "mixedbfloat16": "bf16", "float32": "fp32", "32": "fp32", "float": "fp32", "tf32": "fp32"}
        return f"write {known[plain]}" if plain in known else super().instead(value)


@dataclass(frozen=True)
class SourceByName(Kind):
    """Where values come from, written with a name of their own: ``target age = column(age)``."""

    keyword: str
    sources: tuple[str, ...]

    def describe(self) -> str:
        return f"written with a name, as {self.keyword} NAME = …, and one of {', '.join(self.sources)}"

    def accept(self, value: Any) -> Any:
        raise ValueError

    def instead(self, value: Any) -> str | None:
        return f"write {self.keyword} NAME = {value}, with the name of {'an output' if self.keyword == 'target' else 'the input'}"


class Columns(Kind):
    """Names of columns."""

    def describe(self) -> str:
        return "the names of columns, in quotes where they are no words"

    def accept(self, value: Any) -> tuple[str, ...]:
        values = value if isinstance(value, tuple) else (value,)
        if not values or not all(isinstance(v, str) and v for v in values):
            raise ValueError
        return tuple(str(v) for v in values)


Rates = Annotated[tuple[float, float], Betas()]
RisingEpochs = Annotated[tuple[int, ...], Epochs()]
Names = Annotated[tuple[str, ...], PartNames()]
MeanRate = Annotated[float, Decay()]
PerClass = Annotated[Any, ClassWeights()]
Second = Annotated[Any, PositiveWeight()]

PerOutput = Annotated[ByOutput, ForEachOutput()]
PartFactors = Annotated[tuple[tuple[str, float], ...], FactorsOfParts()]
ColumnNames = Annotated[tuple[str, ...], Columns()]
SomeShare = Annotated[float, PartOfAll()]
Monitor = Annotated[str, FigureName()]
ValMonitor = Annotated[str, FigureName(("val",))]
