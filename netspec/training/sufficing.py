"""Whether data has what the settings of a training go by: asked before the first step, and by `netspec check`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netspec.data.looking.report import ClassCounts
from netspec.diagnostics import Problem
from netspec.diagnostics.measuring import FigureUndefined
from netspec.diagnostics.settings import OneValuePerChannel
from netspec.diagnostics.stages import NothingToWatch
from netspec.graph import Graph
from netspec.objectives import Objective, figure_name
from netspec.report.models import NamedSettings, StageSettings, TrainSettings
from netspec.training.learning.watching import watched
from netspec.training.measuring.metrics import UNDEFINED
from netspec.training.settings import lonely_batch_norm
from netspec.training.stages import Lesson


def lacking(
    graph: Graph, settings: TrainSettings, lessons: Sequence[Lesson], samples: Mapping[str, int], counts: Sequence[ClassCounts]
) -> tuple[Problem, ...]:
    """What the settings ask of data and it has not, given how many samples each split has, and how many there are of each class: N762 where
    a batch norm sees a single sample, N767 and N956 where a figure of validation decides something and there is none."""
    found: list[Problem] = []
    for stage, lesson in zip(settings.in_turn, lessons, strict=True):
        if samples["train"] == 1 and (layer := lonely_batch_norm(graph, lesson.frozen)):
            found.append(OneValuePerChannel(layer, stage.batch))
        if "val" in samples:
            found += _undefined(watched(settings, stage), lesson.learned, samples["val"], {c.target: c for c in counts})
        else:
            found += _without_validation(stage)
    return tuple(dict.fromkeys(found))


def _without_validation(stage: StageSettings) -> Iterator[Problem]:
    deciding: dict[str, NamedSettings] = {f"schedule = {stage.schedule.name}": stage.schedule}
    if stage.stop is not None:
        deciding["stop"] = stage.stop
    for setting, chosen in deciding.items():
        monitor = chosen.settings.get("monitor")
        if monitor is not None and monitor.startswith("val"):
            yield NothingToWatch(setting, monitor)


def _undefined(figures: Sequence[str], learned: Sequence[Objective], samples: int, counts: Mapping[str, ClassCounts]) -> Iterator[Problem]:
    """Figures that something goes by, and that the samples of validation cannot have, whatever the net says of them."""
    for objective in learned:
        there = counts.get(objective.target)
        for metric in objective.metrics:
            name = figure_name(learned, objective, metric.name)
            if name in figures and there is not None and "val" in there.splits and _has_none(metric.name, there, samples):
                yield FigureUndefined(name, UNDEFINED[metric.name])


def _has_none(metric: str, counts: ClassCounts, samples: int) -> bool:
    """Whether there is no class that some samples are of and others are not, and so no curve; or, of masks, no pixel that counts."""
    numbers = counts.splits["val"]
    if counts.of == "pixels":
        return metric in UNDEFINED and not any(numbers)
    return metric == "auc" and counts.of == "samples" and not any(0 < n < samples for n in numbers)
