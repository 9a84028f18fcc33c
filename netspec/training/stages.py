"""What the stages of a training are, apart from how they are trained: which outputs learn what, and which layers are frozen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from netspec.data.task import Wanted, wanted_data
from netspec.freezing import frozen_in_stages
from netspec.graph import Graph
from netspec.objectives import Objective, objectives
from netspec.sections import SECTIONS
from netspec.signature import signature_of


@dataclass(frozen=True)
class Lesson:
    """What is learned in a stage: the objective of each output, and the paths of the layers that do not learn."""

    learned: tuple[Objective, ...]
    frozen: frozenset[str]


def lessons(graph: Graph) -> tuple[Lesson, ...]:
    """The lesson of each stage; one where there are no stages. Raises :class:`~netspec.objectives.DoesNotFit`."""
    values = section_values(graph, "train")
    stages = [values | dict(stage.values) for stage in graph.train.stages] or [values]
    return tuple(Lesson(objectives(graph, v), f) for v, f in zip(stages, frozen_in_stages(graph), strict=True))


def asked_of_data(graph: Graph, taught: Iterable[Lesson]) -> Wanted:
    """The inputs and targets that the data of a training has to give for these lessons."""
    return wanted_data(graph, chain.from_iterable(lesson.learned for lesson in taught))


def section_values(graph: Graph, section: str) -> dict[str, Any]:
    """The values of a section, with the defaults of what is not written."""
    defaults = {p.name: p.default for p in signature_of(SECTIONS[section]).parameters}
    return defaults | dict(getattr(graph, section).values)
