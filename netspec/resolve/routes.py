"""The way to a part of a net: which net, which labels and numbers, and how the step that they lead to is found."""

from __future__ import annotations

from dataclasses import dataclass, replace

from netspec.diagnostics import problems
from netspec.diagnostics.text import closest
from netspec.resolve.declarations import Definition
from netspec.resolve.emit import Frame
from netspec.resolve.scope import Namespace, Scope
from netspec.resolve.walk import Part
from netspec.syntax import ast

Way = tuple[str | int, ...]
"""Labels and numbers, one inside the other: ``layer4[0].conv1`` is ``("layer4", 0, "conv1")``."""


@dataclass(frozen=True)
class Route:
    """Where a part lies in its net: ``vgg16.features[:17]`` is the net vgg16, the way to features, and a slice."""

    definition: Definition
    way: Way
    slice: ast.Slice | None
    text: str

    @property
    def part(self) -> str:
        """The part as it is written, without its net."""
        return self.text[len(self.text.split(".", 1)[0].split("[", 1)[0]) :].removeprefix(".")


class Search:
    """Looks for one step of a net while the net is written out: for the first of its way in the net, for the next in what that holds.

    ``inside`` is what the last of them that was found holds, ``None`` where that is a layer.
    """

    def __init__(self, way: Way, root: Namespace) -> None:
        self.way = list(way)
        self.at: Namespace | None = root
        self.inside: Namespace | None = root
        self.found: Part | None = None
        self._entering = False

    def passing(self, step: ast.Step, label: str | None, frame: Frame, has_position: bool) -> None:
        """A step is about to be written out."""
        if self._entering:  # nothing was entered since: what was found is a layer
            self._entering, self.at = False, None
        if not self.way or frame.namespace is not self.at:
            return
        wanted, number = self.way[0], frame.namespace.count
        if not has_position or (wanted != label if isinstance(wanted, str) else wanted != number):
            return
        self.way.pop(0)
        self._entering, self.inside = True, None
        if not self.way:
            path = frame.namespace.join(str(number) if label is None else label)
            self.found = Part(step.operation, replace(frame, scope=_flat(frame)), path)

    def entered(self, namespace: Namespace) -> None:
        """A step turned out to hold others."""
        if self._entering:
            self._entering, self.at, self.inside = False, namespace, namespace
            if self.found is not None:
                self.found.path = namespace.path  # that of a shared block is its own


def no_such_part(route: Route, search: Search) -> problems.NoSuchPartOfNet:
    """What to say of a way that leads nowhere: how far it leads, and what there is."""
    missing = len(search.way)
    before, wanted = route.way[: len(route.way) - missing], search.way[0]
    within = "".join(f"[{e}]" if isinstance(e, int) else f".{e}" for e in before).removeprefix(".")
    labels = () if search.inside is None else tuple(name for name in search.inside.labels if name != wanted)
    steps = 0 if search.inside is None else search.inside.count
    near = closest(wanted, labels) if isinstance(wanted, str) else None
    if near is not None:
        near = route.text[: len(route.text) - len(route.part)] + (f"{within}.{near}" if within else near)
    return problems.NoSuchPartOfNet(route.text, within, labels, near, steps, isinstance(wanted, int))


def _flat(frame: Frame) -> Scope:
    """All that can be seen at a place, as variables; tensors and labels as they are."""
    scope = Scope(Namespace(""))
    for name in frame.scope.names():
        scope.variables.setdefault(name, frame.scope.lookup(name))
    return scope
