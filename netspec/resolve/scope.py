"""What names mean at a place: variables of loops, lets and parameters, and labelled tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from netspec.source import Place
from netspec.values import Tensor

MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Outside:
    """The value of a tensor's name that lies outside of ``part``, the part of a net that is used as a block."""

    part: str


@dataclass(slots=True)
class Labelled:
    """A label: the tensor it names, and what is labelled inside it."""

    tensor: Tensor
    place: Place
    inside: Namespace | None = None


@dataclass(slots=True)
class Namespace:
    """Where labels of a region stand. ``path`` begins the paths of its weights; ``outer`` is ``None`` at the edge of a block or net."""

    path: str
    outer: Namespace | None = None
    labels: dict[str, Labelled] = field(default_factory=dict)
    count: int = 0
    unlabelled: dict[str, int] = field(default_factory=dict)
    """How many merges, inputs and preprocess regions without a label go by each name."""
    folded: dict[str, str] = field(default_factory=dict)
    """The first label of each spelling, letter case aside."""
    steps: dict[int, Tensor] = field(default_factory=dict)
    """What flows out of each step that has a position, of those written out."""
    window: range | None = None
    """The positions that are written out, where a slice of a region is; all of them else."""
    unsure: bool = False
    """Whether a label could not be worked out, so that a name that seems unknown may be the one it would have been."""

    def join(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def number(self) -> int:
        """The position of the next step: every layer, block use and labelled region has one, labelled or not."""
        self.count += 1
        return self.count - 1

    def spare_path(self, name: str) -> str:
        """A path for what has no label and no position: its own name, and a number from the second on. No label has a hyphen in it."""
        times = self.unlabelled[name] = self.unlabelled.get(name, int(name in self.labels)) + 1
        return self.join(name if times == 1 else f"{name}-{times}")


class Scope:
    """Variables, inside out, and then the labels of the regions around."""

    __slots__ = ("namespace", "outer", "variables")

    def __init__(self, namespace: Namespace, outer: Scope | None = None) -> None:
        self.variables: dict[str, Any] = {}
        self.namespace = namespace
        self.outer = outer

    def lookup(self, name: str) -> Any:
        """The value of a variable, a :class:`Labelled`, or ``MISSING``."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.variables:
                return scope.variables[name]
            scope = scope.outer
        namespace: Namespace | None = self.namespace
        while namespace is not None:
            if name in namespace.labels:
                return namespace.labels[name]
            namespace = namespace.outer
        return MISSING

    @property
    def unsure(self) -> bool:
        """Whether names that seem unknown may be labels that could not be worked out."""
        namespace: Namespace | None = self.namespace
        while namespace is not None:
            if namespace.unsure:
                return True
            namespace = namespace.outer
        return False

    def names(self) -> list[str]:
        """Every name that means something here."""
        found: list[str] = []
        scope: Scope | None = self
        while scope is not None:
            found += scope.variables
            scope = scope.outer
        namespace: Namespace | None = self.namespace
        while namespace is not None:
            found += namespace.labels
            namespace = namespace.outer
        return found
