"""The plan of a training: what each stage learns, how far back it goes, what it keeps, and how much memory its steps take."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import torch

from netspec.cache import Cache
from netspec.data.images.loading import available_memory
from netspec.diagnostics import failure
from netspec.diagnostics.sizes import OpenInput
from netspec.freezing import learning, norms_again
from netspec.frontier import Frontier, frontier_of
from netspec.graph import Graph, is_below
from netspec.report.models import StageSettings, TrainSettings
from netspec.report.plans import CachePlan, KeptValue, StagePlan, TrainingPlan
from netspec.shape import symbols_of
from netspec.training.devices.precision import Precision, channels_last, choose_precision
from netspec.training.features.costs import Costs, Decision, decide
from netspec.training.features.frozen_part import bytes_of
from netspec.training.features.speed import estimated_seconds
from netspec.training.features.views import hindrance, seen_of
from netspec.training.planning.memory import Loss, Simulation, Step, largest_batch, squares
from netspec.training.settings import train_settings
from netspec.training.stages import Lesson, lessons


@dataclass(frozen=True)
class Room:
    """Free bytes: of the device that trains and of the machine's memory, where they are known, and those that a file of the user's cache
    may have."""

    device: int | None
    memory: int | None
    disk: int

    @staticmethod
    def here(device: torch.device) -> Room:
        """What is free now."""
        memory = available_memory()
        on_device = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else memory if device.type == "cpu" else None
        return Room(on_device, memory, Cache.usual().room)


def plan_training(
    graph: Graph,
    samples: int,
    device: torch.device,
    *,
    loss: Loss = squares,
    room: Room | None = None,
    largest: bool = True,
) -> TrainingPlan:
    """The plan of a training on so many samples, stage by stage.

    ``loss`` stands for what is differentiated, which hardly changes the memory. Without ``largest`` the largest batches are not sought,
    which takes a few seconds. Weights are not read, and no step is run.

    Raises a :class:`~netspec.diagnostics.NetspecError` where `train` does not go with the net, and N832 where the net leaves sizes open.
    """
    for node in graph.inputs:
        if symbols := symbols_of(node.output):
            raise failure(OpenInput(graph.name, "training", symbols))
    settings = train_settings(graph)
    planner = _Planner(graph, samples, device, settings, room or Room.here(device), loss, largest)
    stages = zip(settings.in_turn, lessons(graph), norms_again(graph), strict=True)
    return TrainingPlan(
        net=graph.name,
        samples=samples,
        device=str(device),
        precision=planner.precision,
        stages=tuple(planner.stage(stage, lesson, norms) for stage, lesson, norms in stages),
    )


class _Planner:
    """What all stages have in common."""

    def __init__(
        self, graph: Graph, samples: int, device: torch.device, settings: TrainSettings, room: Room, loss: Loss, largest: bool
    ) -> None:
        self.graph, self.samples, self.device, self.settings = graph, samples, device, settings
        self.room, self.loss, self.largest = room, loss, largest
        self.precision = choose_precision(settings.precision, device)

    def stage(self, stage: StageSettings, lesson: Lesson, norms: tuple[str, ...]) -> StagePlan:
        """The plan of one stage."""
        graph, frozen = self.graph, lesson.frozen
        frontier = frontier_of(graph, frozen, seen_of(graph))
        decision = self._decision(stage, lesson, frontier)
        simulation = Simulation(self._step(stage, frozen, frontier if decision.where != "no" else None))
        held = self.samples * bytes_of(frontier, self.precision) if decision.where == "memory" and self.device.type == "cpu" else 0
        limit = None if self.room.device is None else max(self.room.device - held, 0)
        return StagePlan(
            name=stage.name,
            epochs=stage.epochs,
            learning=learning(graph, frozen),
            parameters=graph.parameters,
            learns=learning_parts(graph, frozen),
            ends=frontier.ends,
            through=frontier.through,
            cache=self._cache(frontier, decision),
            notes=frontier.reasons if frontier.values else (),
            norms=norms,
            rates=stage.rates,
            memory=simulation.memory(min(stage.batch, self.samples)),
            free=limit,
            largest_batch=None if limit is None or not self.largest else largest_batch(simulation, limit, self.samples),
        )

    def _step(self, stage: StageSettings, frozen: frozenset[str], kept: Frontier | None) -> Step:
        last = channels_last(self.settings.layout, self.device, self.precision)
        return Step(self.graph, stage, frozen, self.device, self.precision, last, self.settings.ema, kept, self.loss)

    def _decision(self, stage: StageSettings, lesson: Lesson, frontier: Frontier) -> Decision:
        if not frontier.values:
            return Decision("no", "; ".join(frontier.reasons))
        if why := hindrance(self.graph, lesson.learned, frontier.views):
            return Decision("no", why)
        seconds = estimated_seconds(frontier, self.device, self.precision)
        return decide(costs_of(frontier, self.samples, stage, self.precision, self.room, seconds))

    def _cache(self, frontier: Frontier, decision: Decision) -> CachePlan:
        return CachePlan(
            where=decision.where,
            reason=decision.reason,
            values=tuple(
                KeptValue(path=v.path, layer=self.graph.nodes[v.node].layer, shape=v.shape, views=v.views) for v in frontier.values
            ),
            bytes=self.samples * bytes_of(frontier, self.precision),
            share=frontier.macs / frontier.whole if frontier.whole else 0.0,
        )


def costs_of(
    frontier: Frontier, samples: int, stage: StageSettings, precision: Precision, room: Room, seconds: float, kept: bool = False
) -> Costs:
    """What it costs to keep the values of a frontier for a stage, and not to, where a view of a sample takes so many ``seconds``."""
    size = bytes_of(frontier, precision) // frontier.views
    return Costs(samples, certain_epochs(stage), frontier.views, seconds, size, room.memory, room.disk, kept)


def certain_epochs(stage: StageSettings) -> int:
    """The epochs that a stage surely has: `stop` may end it after as many as it is patient for, and the first."""
    return stage.epochs if stage.stop is None else min(stage.epochs, stage.stop.settings["patience"] + 1)


def learning_parts(graph: Graph, frozen: Collection[str]) -> tuple[str, ...]:
    """What learns, in as few paths as say it: a path stands for all below it that has weights, the empty one for everything."""
    weighted = [n.path for n in graph.owners if n.facts.parameters]
    resting = [path for path in weighted if path in frozen]
    found: list[str] = []
    for path in weighted:
        if path not in frozen and not any(is_below(path, known) for known in found):
            found.append(next(p for p in _from_above(path) if not any(is_below(other, p) for other in resting)))
    return tuple(found)


def _from_above(path: str) -> Iterable[str]:
    names = path.split(".")
    return (".".join(names[:i]) for i in range(len(names) + 1))
