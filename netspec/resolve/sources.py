"""What the section `data` says of targets and inputs, held against the net's outputs and inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from netspec.diagnostics import Problem, problems
from netspec.diagnostics.collector import Collector
from netspec.diagnostics.text import closest, listing
from netspec.graph import Graph
from netspec.objectives import DoesNotFit, Kind, Objective, objective_of, target_of
from netspec.shape import Shape, is_open, same, show
from netspec.source import Place
from netspec.values import Choice

_LEARNED_FROM: Final[Mapping[str, tuple[Kind, ...]]] = {
    "class": ("class",),
    "column": ("class", "labels", "number", "mask"),
    "mask": ("mask",),
    "pairs": ("class",),
}
"""What outputs learn from each source of targets."""


def check_data(graph: Graph, collector: Collector) -> None:
    """Report targets and inputs that do not go with the net."""
    targets, inputs = (graph.data.values.get(key) or {} for key in ("target", "input"))
    check = _Check(graph, collector, targets, inputs)
    check.inputs()
    if check.targets():
        for name, source in targets.items():
            check.target(name, source)
    if graph.train.present or graph.data.present:
        check.maps()
    if any(source.name == "pairs" for source in targets.values()):
        check.pairs()


@dataclass
class _Check:
    graph: Graph
    collector: Collector
    written: Mapping[str, Choice]
    sources: Mapping[str, Choice]

    def inputs(self) -> None:
        """Sources of inputs: that there are such inputs, and a column for each number."""
        known = {node.label or node.path: node.output for node in self.graph.inputs}
        for name, source in self.sources.items():
            place = self.graph.data.places.get(f"input.{name}")
            if name not in known:
                self._say(problems.UnknownInput(name, self.graph.name, tuple(known), closest(name, known)), place)
            else:
                self._columns("input", name, source, known[name][0] if len(known[name]) == 1 else 1, place)

    def targets(self) -> bool:
        """Whether each target is learned by an output, and each output learns one; what does not is reported."""
        outputs = [o.name for o in self.graph.outputs]
        if not self.written or (len(outputs) == 1 and len(self.written) == 1):
            return True
        unknown = [name for name in self.written if name not in outputs]
        for name in unknown:
            near = closest(name, outputs) if len(outputs) > 1 else None
            problem = problems.UnknownTarget(name, self.graph.name, tuple(outputs), near)
            self._say(problem, self.graph.data.places.get(f"target.{name}"))
        missing = tuple(name for name in outputs if name not in self.written)
        if missing and not unknown:
            self._say(problems.MissingTargets(missing), self.graph.data.places.get(f"target.{next(iter(self.written))}"))
        return not unknown and not missing

    def target(self, name: str, source: Choice) -> None:
        """That the values of a target are such as its output learns, in every stage."""
        place = self.graph.data.places.get(f"target.{name}")
        for objective in self._objectives(name):
            if objective.kind not in _LEARNED_FROM[source.name]:
                problem = problems.TargetAndOutput(source.name, name, objective.output, objective.learns, _instead(name, objective))
                self._say(problem, place)
                return
        for objective in self._objectives(name):
            self._columns("target", name, source, _values_of(objective), place)

    def _columns(self, what: str, name: str, source: Choice, values: int, place: Place | None) -> None:
        if source.name != "column" or is_open((values,)):
            return
        columns = len(source.settings["names"])
        if columns not in (1, values):
            self._say(problems.ColumnCount(what, name, columns, values), place)

    def maps(self) -> None:
        """That maps lie over the whole of their picture: that a picture is larger by the same whole factor along both sides."""
        pictures = {node.label or node.path: node.output for node in self.graph.inputs if len(node.output) == 3}
        for name in {target_of(self.graph, output): None for output in self.graph.outputs}:
            for objective in self._objectives(name):
                if objective.kind != "mask" or not pictures or any(_covers(objective.shape, shape) for shape in pictures.values()):
                    continue
                picture, shape = next(iter(pictures.items()))
                size, whole = (int(objective.shape[1]), int(objective.shape[2])), (int(shape[1]), int(shape[2]))
                node = next(o.node for o in self.graph.outputs if o.name == objective.output)
                self._say(problems.MapOfPart(objective.output, size, picture, whole), self.graph.nodes[node].place)
                break

    def pairs(self) -> None:
        """What pairs need: two inputs of one shape that take what is drawn, and one output that says whether they are the same."""
        place = self.graph.data.places.get(next(f"target.{n}" for n, s in self.written.items() if s.name == "pairs"))
        shapes = [node.output for node in self.graph.inputs]
        if len(shapes) != 2 or not same(*shapes):
            self._say(problems.NoPairs(_inputs(self.graph.name, shapes), "give the net two inputs of one size"), place)
        elif len(self.graph.outputs) != 1:
            why = f"{self.graph.name} has {len(self.graph.outputs)} outputs"
            self._say(problems.NoPairs(why, "give the net one output, or write column(…) for targets that the data has"), place)
        elif self.sources:
            why = f"input {next(iter(self.sources))} has data of its own"
            self._say(problems.NoPairs(why, "leave out input: both are drawn from one labelled set"), place)
        else:
            self._binary(place)

    def _binary(self, place: Place | None) -> None:
        for objective in self._objectives(next(iter(self.written))):
            if objective.kind == "class" and not objective.binary:
                why = f"the output {objective.output} has {objective.classes} numbers"
                self._say(problems.NoPairs(why, "end with one number, as linear(1), and a loss of two classes"), place)
                return

    def _objectives(self, target: str) -> Iterator[Objective]:
        """What is learned from a target: in `train` itself, or in each of its stages."""
        whole = self.graph.train.values
        stages: tuple[Mapping[str, Any], ...] = tuple({**whole, **stage.values} for stage in self.graph.train.stages)
        for values in stages or (whole,):
            for output in self.graph.outputs:
                try:
                    objective = objective_of(self.graph, output, values)
                except DoesNotFit:
                    continue
                if target_of(self.graph, output) == target:
                    yield objective

    def _say(self, problem: Problem, place: Place | None) -> None:
        self.collector.add(problem, place)


def _covers(small: Shape, large: Shape) -> bool:
    if is_open(small) or is_open(large):
        return True
    (height, width), (high, wide) = small[1:], large[1:]
    return high % height == 0 and wide % width == 0 and high // height == wide // width


def _values_of(objective: Objective) -> int:
    """How many values a sample of a target has: one class, one mask, or a number for each that the output gives."""
    return int(objective.shape[0]) if objective.kind in ("labels", "number") else 1


def _instead(target: str, objective: Objective) -> str:
    return {"class": "class", "mask": "mask"}.get(objective.kind, f"column({target})")


def _inputs(net: str, shapes: list[Shape]) -> str:
    if len(shapes) != 2:
        return f"{net} has {len(shapes)} input{'s' * (len(shapes) != 1)}"
    return f"the inputs of {net} are {listing([show(s) for s in shapes])}"
