"""A stage's data with the values of its frozen part in the place of what they are computed from, where keeping them pays.

The rest of the training knows nothing of it: the samples are those of before, with kept values as their inputs, under the numbers of the
nodes that give them; the net is run from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from netspec.augment import Augmenter
from netspec.backends.torch import CompiledNet
from netspec.data.images.cached import decoding
from netspec.data.samples import Batch, Bounds, Samples
from netspec.frontier import Frontier, frontier_of, name_of
from netspec.graph import Graph
from netspec.report.models import StageSettings
from netspec.training.batches import batch_bounds
from netspec.training.features.costs import Decision, Where, decide, may_pay
from netspec.training.features.frozen_part import FrozenPart
from netspec.training.features.speed import measured_seconds
from netspec.training.features.values import Features
from netspec.training.features.views import hindrance, mirrored_in, seen_of
from netspec.training.job import Job
from netspec.training.planning.plan import Room, costs_of
from netspec.training.stages import Lesson

Mirrored = Callable[[Tensor, int], Mapping[str, Tensor]]
"""Which samples an input is mirrored in, by its name, from the samples' numbers and the epoch."""


@dataclass(frozen=True)
class StillSamples(Samples):
    """Samples whose first inputs are kept values, each under the number of its node; behind them come inputs that are needed as well."""

    features: Features = field(kw_only=True)
    frontier: Frontier = field(kw_only=True)
    mirrored: Mirrored | None = field(default=None, kw_only=True)
    epoch: int = field(default=0, kw_only=True)

    def in_epoch(self, epoch: int) -> Samples:
        return replace(self, inputs=super().in_epoch(epoch).inputs, epoch=epoch)

    def batches(self, order: Tensor, bounds: Bounds) -> Iterator[Batch]:
        for (start, end), batch in zip(bounds, super().batches(order, bounds), strict=True):
            part = order[start:end]
            rows = self.features.rows(part, None if self.mirrored is None else self.mirrored(part, self.epoch))
            values = {str(value.node): rows[value.node] for value in self.frontier.values}
            yield Batch({**values, **batch.inputs}, batch.targets)


@dataclass(frozen=True)
class Still:
    """What a stage is trained and validated on in the place of its data, and the nodes that its inputs are the values of."""

    given: tuple[int, ...]
    train: Samples
    val: Samples | None


@dataclass
class Keeping:
    """The keeping of values for one stage, in which ``net`` is as the stage says."""

    job: Job
    net: CompiledNet
    lesson: Lesson
    stage: StageSettings
    fingerprint: str
    look: Callable[[], None] = lambda: None
    """Asked before each batch of what is computed once: raises where the training is to stop."""

    def __post_init__(self) -> None:
        self.frontier = frontier_of(self.net.graph, self.lesson.frozen, seen_of(self.net.graph))
        self._plain = replace(self.frontier, values=tuple(replace(v, mirrored=None) for v in self.frontier.values))

    def decide(self, train: Samples) -> Decision:
        """Whether and where to keep the values of the frozen part: by the seconds that a batch of it takes here."""
        if not self.frontier.values:
            return Decision("no", "; ".join(self.frontier.reasons))
        if why := self._hindrance():
            return Decision("no", why)
        part, room = self._part(train, "train", self.frontier), Room.here(self.job.device)
        costs = costs_of(self.frontier, len(train), self.stage, self.job.precision, room, 0.0, part.is_kept)
        if not may_pay(costs):
            return decide(costs)
        return decide(replace(costs, seconds=measured_seconds(self.net, self.frontier, self._first(train), self.job.precision)))

    def _hindrance(self) -> str:
        if self.job.processes.several:
            return "several processes train, and each sees other samples in each epoch"
        return hindrance(self.net.graph, self.lesson.learned, self.frontier.views)

    def keep(self, where: Where, train: Samples, val: Samples | None) -> Still | None:
        """Compute the values, or take them from a run before, and give the data that has them; those of validation are not mirrored.
        ``None`` where the disk does not take them, which is said."""
        kept = self._kept(where, train, "train", self.frontier)
        kept_val = None if val is None or kept is None else self._kept(where, val, "val", self._plain)
        if kept is None or (val is not None and kept_val is None):
            return None
        return Still(self.frontier.given, kept, kept_val)

    def _kept(self, where: Where, samples: Samples, split: str, frontier: Frontier) -> Samples | None:
        features = self._part(samples, split, frontier).features(where, self.job.reporter.problem)
        if features is None:
            return None
        wanted = {name_of(self.net.graph.nodes[n]) for n in frontier.inputs}
        return StillSamples(
            inputs={name: column for name, column in samples.inputs.items() if name in wanted},
            targets=samples.targets,
            names=samples.names,
            features=features,
            frontier=frontier,
            mirrored=_mirroring(self.net.graph, self.job.settings.seed) if frontier.views == 2 else None,
        )

    def _part(self, samples: Samples, split: str, frontier: Frontier) -> FrozenPart:
        def batches() -> Iterable[Sequence[Tensor]]:
            bounds = batch_bounds(len(samples), self.stage.batch)
            for batch in samples.batches(torch.arange(len(samples)), bounds):
                self.look()
                yield tuple(batch.to(self.job.device).inputs.values())

        data = f"{self.fingerprint} {decoding().hex()} {split} {self.job.settings.layout}"
        precision = "fp32" if split == "val" else self.job.precision  # as all figures of validation are
        return FrozenPart(self.net, frontier, batches, len(samples), data, precision, self.job.device, self.stage.batch)

    def _first(self, train: Samples) -> Sequence[Tensor]:
        count = min(self.stage.batch, len(train))
        return tuple(next(iter(train.batches(torch.arange(count), [(0, count)]))).to(self.job.device).inputs.values())


def _mirroring(graph: Graph, seed: int) -> Mirrored:
    augmenters = Augmenter.of(graph, seed)
    return lambda indices, epoch: {name: mirrored_in(augmenter, indices, epoch) for name, augmenter in augmenters.items()}


def cache_line(where: Where, reason: str) -> str:
    """What is said of it before the stage: ``cached: the frozen part in memory: …``."""
    place = {"no": "not cached", "memory": "cached in memory", "disk": "cached on disk"}[where]
    return f"frozen part {place}: {reason}"
