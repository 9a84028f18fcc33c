"""What a net asks of its data: a column for each input, and one for each target of its outputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from netspec.data.images.decode import ImageFormat
from netspec.diagnostics import failure
from netspec.diagnostics.data import ClassCount, NotAnImageNet
from netspec.diagnostics.sizes import OpenInput
from netspec.graph import Graph
from netspec.objectives import Kind, Objective
from netspec.shape import Shape, show, symbols_of
from netspec.source import Place
from netspec.values import Choice


@dataclass(frozen=True)
class WantedInput:
    """What one input takes: a picture, or, with ``picture`` none, a vector of numbers. ``source`` is what the section `data` says of it."""

    name: str
    shape: Shape
    picture: ImageFormat | None
    source: Choice | None = None


@dataclass(frozen=True)
class WantedTarget:
    """What an output learns, as :class:`~netspec.objectives.Objective` has it. ``size`` is how many numbers the output gives (at each
    pixel, for a mask of ``height`` by ``width``); ``source`` what the section `data` says of it, with the empty name where it says
    nothing."""

    name: str
    kind: Kind
    size: int
    height: int = 0
    width: int = 0
    source: Choice = Choice("")  # noqa: RUF009
    place: Place | None = field(default=None, compare=False)
    """Where the output ends in the file of its net."""

    @property
    def classes(self) -> int:
        """How many classes (labels) there have to be; 0 for numbers."""
        return 0 if self.kind == "number" else 2 if self.size == 1 and self.kind in ("class", "mask") else self.size

    def check_classes(self, classes: tuple[str, ...]) -> None:
        """Raise N710 unless the net tells apart as many classes as there are."""
        if len(classes) != self.classes:
            raise failure(ClassCount(self.size, classes))


@dataclass(frozen=True)
class Wanted:
    """All that a net asks of its data."""

    net: str
    inputs: tuple[WantedInput, ...]
    targets: tuple[WantedTarget, ...]

    @property
    def pairs(self) -> bool:
        """Whether samples are pairs, drawn from one labelled set."""
        return any(target.source.name == "pairs" for target in self.targets)


def wanted_data(graph: Graph, learned: Iterable[Objective], work: str = "training") -> Wanted:
    """What training, or other ``work``, asks of the data, given the objectives of all stages.

    Raises N717 for inputs that are neither pictures nor vectors, N832 where a size is open.
    """
    sources = graph.data.values.get("target") or {}
    of_inputs = graph.data.values.get("input") or {}
    inputs = []
    for node in graph.inputs:
        name, shape = node.label or node.path, node.output
        if open_sizes := symbols_of(shape):
            raise failure(OpenInput(graph.name, work, open_sizes))
        inputs.append(WantedInput(name, shape, _picture(graph, name, shape), of_inputs.get(name)))
    targets: dict[str, WantedTarget] = {}
    places = {output.name: graph.nodes[output.node].place for output in (*graph.outputs, *graph.auxiliary)}
    for o in learned:
        height, width = (int(n) for n in o.shape[1:]) if o.kind == "mask" else (0, 0)
        source = sources.get(o.target, Choice(""))
        targets[o.target] = WantedTarget(o.target, o.kind, int(o.shape[0]), height, width, source, places.get(o.output))
    return Wanted(graph.name, tuple(inputs), tuple(targets.values()))


def _picture(graph: Graph, name: str, shape: Shape) -> ImageFormat | None:
    if len(shape) == 1:
        return None
    if len(shape) != 3 or shape[0] not in (1, 3):
        hint = "write input(1xHxW) for grey and input(3xHxW) for RGB images, as image: input(3x224x224), or input(N) for numbers"
        raise _not(graph, f"its input {name} is {show(shape)}, and images are 1xHxW or 3xHxW", hint)
    return ImageFormat(int(shape[0]), int(shape[1]), int(shape[2]))


def _not(graph: Graph, sentence: str, hint: str) -> Exception:
    return failure(NotAnImageNet(graph.name, sentence, hint))
