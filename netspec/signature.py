"""What may stand between the parentheses: parameters with their kinds and defaults, read from a function's own signature.

Layers, optimisers, losses and sections are all declared as functions; :func:`signature_of` reads one.
"""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final

from netspec.kinds import Kind
from netspec.shape import Shape
from netspec.values import Choice, Word, show

REQUIRED: Final = object()
_ELSEWHERE: Final = {
    "categoricalcrossentropy": "cross_entropy", "sparsecategoricalcrossentropy": "cross_entropy", "crossentropy": "cross_entropy",
    "nll": "cross_entropy", "bce": "binary_cross_entropy", "binarycrossentropy": "binary_cross_entropy",
    "bcewithlogits": "binary_cross_entropy", "binaryfocalcrossentropy": "focal", "categoricalfocalcrossentropy": "focal",
    "l1": "mae", "meanabsoluteerror": "mae", "meansquarederror": "mse", "l2": "mse", "rootmeansquarederror": "rmse", "smoothl1": "huber",
    "acc": "accuracy", "top5": "top_k", "topk": "top_k", "topkaccuracy": "top_k", "topkcategoricalaccuracy": "top_k",
    "categoricalaccuracy": "accuracy", "sparsecategoricalaccuracy": "accuracy", "binaryaccuracy": "accuracy", "f1score": "f1",
    "exactmatch": "accuracy", "auroc": "auc", "rocauc": "auc", "iou": "miou", "meaniou": "miou", "jaccard": "miou", "jaccardindex": "miou",
    "dicescore": "dice",
    "cosineannealing": "cosine", "cosineannealinglr": "cosine", "cosinedecay": "cosine", "cosinelr": "cosine",
    "reducelronplateau": "plateau", "reduceonplateau": "plateau", "steplr": "step", "multisteplr": "multistep",
    "piecewiseconstantdecay": "multistep", "onecyclelr": "one_cycle", "polynomiallr": "polynomial", "polynomialdecay": "polynomial",
    "poly": "polynomial", "polylr": "polynomial", "constantlr": "constant",
}  # fmt: skip
"""Choices by their names in other frameworks, in small letters, without underscores and a `loss` at the end."""
EPOCHS: Final = "at=[30, 60, 80]"
"""What `multistep` needs to be told, as an example."""


@dataclass(frozen=True, eq=False)
class OneOfChoices(Kind):
    """A named choice with settings of its own, as ``sgd(lr=0.1)``; ``table`` holds their declarations."""

    table: Mapping[str, Callable[..., None]]

    @property
    def words(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(self.table)

    def describe(self) -> str:
        return "one of " + ", ".join(self.table)

    def ours(self, name: str) -> str | None:
        """The choice that has this name in another framework, or in other letter case."""
        plain = name.rpartition(".")[2].casefold().replace("_", "").removesuffix("loss")
        found = _ELSEWHERE.get(plain) or next((known for known in self.table if known.replace("_", "") == plain), None)
        return found if found in self.table else None

    def instead(self, value: Any) -> str | None:
        ours = self.ours(value) if isinstance(value, str) and value not in self.table else None
        if ours is None and isinstance(value, Word) and value in self.table:
            ours = str(value)
        if ours is not None:
            return f"write {ours}({EPOCHS})" if signature_of(self.table[ours]).required else f"write {ours}"
        if isinstance(value, str) and "best" in self.table and value.partition(".")[0] in ("val", "train"):
            return f"write best(val.{value.partition('.')[2] or 'loss'})"
        return super().instead(value)

    def accept(self, value: Any) -> Choice:
        if isinstance(value, Choice) and value.name in self.table:
            return value
        if isinstance(value, Word) and value in self.table and not signature_of(self.table[value]).required:
            return Choice(str(value), dict(signature_of(self.table[value]).defaults))
        raise ValueError


@dataclass(frozen=True, eq=False)
class ListOfChoices(OneOfChoices):
    """Some named choices of a table in brackets, as ``[accuracy, top_k(k=3)]``; one alone needs none. None comes twice."""

    def describe(self) -> str:
        return f"{super().describe()}, or a list of such"

    def accept(self, value: Any) -> tuple[Choice, ...]:  # type: ignore[override]
        chosen = tuple(super(ListOfChoices, self).accept(v) for v in (value if isinstance(value, tuple) else (value,)))
        if not chosen or len({c.name for c in chosen}) < len(chosen):
            raise ValueError
        return chosen


@dataclass(frozen=True)
class Parameter:
    """One thing that may stand between the parentheses."""

    name: str
    kind: Kind
    default: Any
    positional: bool
    optional: bool = False
    """Whether ``none``, the default that means 'work it out', is accepted."""
    aside: bool = False
    """Whether it goes without saying: every use of a block takes it, and no list of what this one takes names it."""

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    @property
    def shown_default(self) -> str:
        """The default as one would write it."""
        return show(Word(self.default) if self.default in self.kind.words else self.default)

    def __str__(self) -> str:
        if self.required or self.default is None:
            return self.name if self.positional or not self.required else f"{self.name}=…"
        return f"{self.name}={self.shown_default}"


@dataclass(frozen=True)
class Signature:
    """Tensors first (``variadic`` for merges, which take any number), then parameters."""

    tensors: int
    variadic: bool
    parameters: tuple[Parameter, ...]
    others: tuple[str, ...] = ()
    """What the tensors are called that are named beside the one that flows in."""

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
        return ", ".join(str(p) for p in self.parameters if not p.aside)


@cache
def signature_of(declaration: Callable[..., object]) -> Signature:
    """Read a declaration's signature: parameters annotated ``Shape`` are tensors, the others arguments."""
    names, variadic, parameters = [], False, []
    for p in inspect.signature(declaration).parameters.values():
        if p.annotation == Shape:
            names.append(p.name)
            variadic |= p.kind is p.VAR_POSITIONAL
            continue
        kind, optional = _kind_of(p.annotation)
        default = REQUIRED if p.default is p.empty else p.default
        parameters.append(Parameter(p.name, kind, default, p.kind is not p.KEYWORD_ONLY, optional))
    return Signature(len(names), variadic, tuple(parameters), tuple(names[1:]))


def _kind_of(annotation: Any) -> tuple[Kind, bool]:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        members = typing.get_args(annotation)
        return next(_kind_of(m)[0] for m in members if m is not type(None)), type(None) in members
    kind = next(m for m in annotation.__metadata__ if isinstance(m, Kind))
    return kind, False
