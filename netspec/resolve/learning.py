"""What is written of training, held against the net: losses, metrics, figures to watch, paths of what is frozen or learns slowly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netspec.diagnostics import Problem, problems
from netspec.diagnostics.collector import Collector
from netspec.diagnostics.text import closest
from netspec.freezing import NamesNothing, frozen_in_stages, learning, selected
from netspec.graph import Graph, Output, Stage
from netspec.objectives import (
    FITTING,
    DoesNotFit,
    Objective,
    kind_of,
    losses_by_kind,
    metric_fits,
    monitors,
    objective_of,
)
from netspec.resolve.reading import LISTS
from netspec.sections import BY_OUTPUT, METRICS, choice
from netspec.shape import is_open
from netspec.source import Place
from netspec.values import ByOutput, Choice, show


def check_training(graph: Graph, collector: Collector) -> None:
    """Report what is written about training and does not go with the net."""
    check = _Check(graph, collector)
    for stage in check.written:
        check.outputs(stage)
        check.paths(stage)
    for stage in check.run:
        check.figures(stage)
    if check.paths_fine:
        _check_learning(graph, collector)


@dataclass
class _Check:
    """What is said of one net; of one place in the text one thing is said."""

    graph: Graph
    collector: Collector
    paths_fine: bool = True
    said: set[Place] = field(default_factory=set)

    @property
    def whole(self) -> Stage:
        return Stage("", self.graph.train.values, self.graph.train.places)

    @property
    def written(self) -> tuple[Stage, ...]:
        return (self.whole, *self.graph.train.stages)

    @property
    def run(self) -> tuple[Stage, ...]:
        """The stages that are run: where none is written, what `train` says is the only one."""
        return self.graph.train.stages or (self.whole,)

    def outputs(self, stage: Stage) -> None:
        """What is said of outputs: that there are such, and that losses and metrics go with them."""
        known, auxiliary = [o.name for o in self.graph.outputs], [o.name for o in self.graph.auxiliary]
        for key in BY_OUTPUT:
            value = stage.values.get(key)
            for name in value.values if isinstance(value, ByOutput) else ():
                if name not in known:
                    near = None if name in auxiliary else closest(name, known)
                    problem = problems.UnknownOutput(key, name, self.graph.name, tuple(known), near, name in auxiliary)
                    self._say(problem, stage.places.get(f"{key}.{name}"))
        for output in self.graph.outputs:
            self._output(output, stage)

    def _output(self, output: Output, stage: Stage) -> None:
        place = _place(stage, "loss", output)
        try:
            found = objective_of(self.graph, output, self._complete(stage))
        except DoesNotFit as error:
            if not is_open(error.shape[:1]):
                self._say(_loss_and_output(self.graph, error), place)
            return
        weight = found.loss.settings.get("weight")
        if isinstance(weight, tuple) and len(weight) != found.classes:
            self._say(problems.WeightCount(found.loss.name, len(weight), found.classes), place)
        for metric in found.metrics:
            if not metric_fits(metric, found.kind, found.classes):
                problem = _metric_and_output(metric, found, len(self.graph.outputs) > 1)
                self._say(problem, _place(stage, "metrics", output) or place)

    def figures(self, stage: Stage) -> None:
        """Figures that decide something: that they are measured."""
        values = self._complete(stage)
        try:
            learned = tuple(objective_of(self.graph, output, values) for output in self.graph.outputs)
        except DoesNotFit:
            return
        for key in ("schedule", "stop", "keep"):
            chosen = values.get(key)
            monitor = chosen.settings.get("monitor") if isinstance(chosen, Choice) else None
            if monitor is None or monitor in monitors(learned):
                continue
            places = stage.places if key in stage.places else self.whole.places
            self._say(_unknown_figure(monitor, stage.name, learned), places.get(f"{key}.monitor") or places.get(key))

    def paths(self, stage: Stage) -> None:
        """Paths of `freeze`, `unfreeze` and `rates`: that each names something."""
        for path, place in _paths(stage):
            try:
                selected(self.graph, (path,))
            except NamesNothing as error:
                self.paths_fine = False
                self._say(problems.NamesNothing(path, self.graph.name, error.why, error.near, error.known), place)

    def _complete(self, stage: Stage) -> Mapping[str, Any]:
        return {**self.graph.train.values, **stage.values}

    def _say(self, problem: Problem, place: Place | None) -> None:
        """Report what has a place; what has none is not written here."""
        if place is not None and place not in self.said:
            self.said.add(place)
            self.collector.add(problem, place)


def _place(stage: Stage, key: str, output: Output) -> Place | None:
    """Where it is written what holds for an output; ``None`` where that is not in this stage."""
    value, own = stage.values.get(key), stage.places.get(f"{key}.{output.name}")
    if own is not None or (isinstance(value, ByOutput) and (stage.name or value.otherwise is None)):
        return own
    return stage.places.get(key)


def _paths(stage: Stage) -> Iterator[tuple[str, Place | None]]:
    for key in LISTS:
        if key in stage.places:
            yield from ((path, stage.places.get(f"{key}.{i}")) for i, path in enumerate(stage.values.get(key) or ()))
    yield from ((path, stage.places[f"rates.{path}"]) for path, _ in stage.values.get("rates") or () if f"rates.{path}" in stage.places)


def _loss_and_output(graph: Graph, error: DoesNotFit) -> Problem:
    needed = None
    if kind_of(error.loss, error.shape) is not None:
        needed = "softmax" if error.ending == "sigmoid" else "sigmoid"
    fitting = {str(kind): losses for kind, losses in losses_by_kind(error.shape, error.ending).items()}
    return problems.LossAndOutput(error.loss, graph.name, error.output.name, error.shape, error.ending, fitting, needed)


def _metric_and_output(metric: Choice, objective: Objective, several: bool) -> Problem:
    others = (choice(METRICS[name]) for name in FITTING[objective.kind])
    fitting = tuple(m.name for m in others if metric_fits(m, objective.kind, objective.classes))
    if metric.name == "top_k" and objective.kind == "class" and objective.classes > 2:
        fitting = (f"top_k(k={min(objective.classes - 1, 3)})", *(name for name in fitting if name != "top_k"))
    return problems.MetricAndOutput(show(metric), objective.output, objective.learns, fitting, several)


def _unknown_figure(monitor: str, stage: str, learned: Sequence[Objective]) -> Problem:
    known = monitors(learned)
    split, _, figure = monitor.partition(".")
    output, _, metric = figure.rpartition(".")
    if split == "train" and f"val.{figure}" in known:
        return problems.UnknownFigure(monitor, stage, known, None, f"{figure} is a figure of a whole split: write val.{figure}")
    meant = [name for name in known if name.startswith(f"{split}.") and name.rpartition(".")[2] == metric and not (output and learned[1:])]
    of = [o for o in learned if o.output == output or len(learned) == 1]
    if not meant and len(of) == 1 and metric in METRICS and metric_fits(choice(METRICS[metric]), of[0].kind, of[0].classes):
        return problems.UnknownFigure(monitor, stage, known, None, _measured_too(metric, of[0], len(learned) > 1))
    return problems.UnknownFigure(monitor, stage, known, meant[0] if meant else closest(monitor, known))


def _measured_too(metric: str, objective: Objective, several: bool) -> str:
    metrics = ", ".join([*(show(m) for m in objective.metrics), metric])
    return f"have it measured: metrics {{ {objective.output} = [{metrics}] }}" if several else f"have it measured: metrics = [{metrics}]"


def _check_learning(graph: Graph, collector: Collector) -> None:
    """Report stages in which nothing learns."""
    train = graph.train
    whole = Stage("", train.values, train.places)
    if not any(stage.values.get(key) for stage in (whole, *train.stages) for key in LISTS):
        return
    for stage, frozen in zip(train.stages or (whole,), frozen_in_stages(graph), strict=True):
        if not learning(graph, frozen):
            place = stage.places.get("freeze") or train.places.get("freeze") or stage.places.get("unfreeze")
            collector.add(problems.NothingLearns(stage.name, graph.parameters, "freeze" not in stage.places), place)
