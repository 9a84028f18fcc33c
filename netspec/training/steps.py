"""The steps of a stage: from which samples each is made, what it computes, and what it changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from netspec.data.cutting import cut_inputs
from netspec.data.samples import Batch, Samples
from netspec.report.models import StageSettings
from netspec.training.batches import batch_bounds, epoch_order, group_of
from netspec.training.devices.precision import mixed
from netspec.training.devices.processes import told_of_the_dead
from netspec.training.devices.synchronised import Standing, Together, shares
from netspec.training.failing import first_not_finite
from netspec.training.folders.checkpoint import Position
from netspec.training.job import Job
from netspec.training.learning.learner import Learner
from netspec.training.learning.optimise import set_learning_rate
from netspec.training.learning.schedules import learning_rate
from netspec.training.measuring.losses import OWN
from netspec.training.measuring.scoring import Results, Scoring
from netspec.training.runner import Runner
from netspec.training.seeing import Seeing
from netspec.training.stages import Lesson


@dataclass
class Steps:
    """The steps of one stage of a training.

    ``train`` are the samples; ``rows`` is what the net is given of them: the same, or the values of the nodes ``given``.
    """

    learner: Learner
    job: Job
    lesson: Lesson
    stage: StageSettings
    train: Samples
    rows: Samples
    given: tuple[int, ...] | None
    together: Together

    def __post_init__(self) -> None:
        graph, self._processes = self.learner.net.graph, self.job.processes
        apart = self.together if self._processes.several else OWN
        self._scoring = Scoring(graph, self.lesson.learned, self.train.target, apart)
        self._seeing = Seeing(graph, self.lesson.learned, self.job.settings.seed, cut_inputs(self.train))
        self._runner = Runner(self.learner, self._processes, compiled=self.job.settings.compile, given=self.given)
        self._standing = Standing(self.learner.net)
        self.bounds = batch_bounds(len(self.train), self.stage.batch)
        self._shares = shares(self.bounds, self._processes)
        self._order = torch.empty(0)

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of the figures that each batch gives."""
        return self._scoring.names

    @property
    def per_epoch(self) -> int:
        """How many steps of the optimiser an epoch has."""
        return -(-len(self.bounds) // self.stage.accumulate)

    def number(self, position: Position) -> int:
        """How many steps of the optimiser the stage has made."""
        return position.stage_epoch * self.per_epoch + position.step // self.stage.accumulate

    def is_over(self, position: Position) -> bool:
        """Whether the batch before was the last of its step."""
        return position.step % self.stage.accumulate == 0 or position.step == len(self.bounds)

    def batches(self, position: Position) -> Iterator[Batch]:
        """What this process computes of each batch that is left of the epoch. Where that is nothing, a sample that counts for nothing: each
        process takes part in every step."""
        self._order = epoch_order(len(self.train), self.job.settings.seed, position.epoch)
        own = [(share.start, share.end) for share in self._shares[position.step :]]
        return self.rows.in_epoch(position.epoch).batches(self._order, own)

    def gradients(self, batch: Batch, position: Position) -> dict[str, Tensor]:
        """Forwards and backwards for the next batch; gives its figures as sums over its samples, still on the device."""
        first, behind, samples = group_of(self.bounds, position.step, self.stage.accumulate)
        if position.step == first:
            set_learning_rate(self.learner.optimizer, self.learning_rate(position))
            self.learner.optimizer.zero_grad()
        with self._runner.apart(position.step + 1 < behind):
            return self._backward(batch, position, samples)

    def _backward(self, batch: Batch, position: Position, samples: int) -> dict[str, Tensor]:
        """Gradients of a batch count for its share of the ``samples`` of the step."""
        epoch, step = position.epoch, position.step
        own = self._shares[step]
        inputs, targets = self._seeing(batch, self._order[own.start : own.end], epoch, step, own.mixes)
        if self._processes.several:
            self.together.counts = own.counts
            torch.manual_seed(self._processes.seed(self.job.settings.seed, epoch, step))
        with mixed(self.job.precision, self.job.device):
            results = self._runner(inputs)
        loss, figures = self._scoring.loss(results, targets)
        share = len(batch) * self._processes.count / samples if own.counts else 0.0
        with told_of_the_dead():
            (loss if share == 1 else loss * share).backward()  # type: ignore[no-untyped-call]
        return figures if own.counts else {name: torch.zeros_like(figure) for name, figure in figures.items()}

    def update(self, position: Position) -> None:
        """A step of the optimiser, and of the running mean behind it."""
        learner = self.learner
        if self.stage.clip is not None:
            with told_of_the_dead():
                torch.nn.utils.clip_grad_norm_(learner.parameters(), self.stage.clip)
        learner.optimizer.step()
        position.updates += 1
        if learner.averaged is not None:
            learner.averaged.update(learner.net, position.updates)
        if self._processes.several:
            self._standing.note()

    def learning_rate(self, position: Position) -> float:
        """The learning rate of the step that the next batch belongs to; behind the last batch of an epoch, that of its last step."""
        stage, steps = self.stage, self.per_epoch
        number = self.number(position) if position.step < len(self.bounds) else (position.stage_epoch + 1) * steps - 1
        return learning_rate(stage.schedule, stage.optimizer.settings["lr"], number, steps * stage.epochs, steps, position.plateau.factor)

    def take_back(self, position: Position) -> None:
        """Go back to where the last step was over, from the middle of another."""
        self._standing.restore()
        if position.step < len(self.bounds):
            position.step -= position.step % self.stage.accumulate

    def first_bad(self, position: Position, step: int) -> str | None:
        """What first is not finite where the batch of this number goes through the net once more. ``None`` where the net is divided, since
        that takes all processes, and the others may have nothing to look for."""
        if self.learner.root is not None:
            return None
        own, epoch = self._shares[step], position.epoch
        batch = next(iter(self.train.in_epoch(epoch).batches(self._order, [(own.start, own.end)])))
        inputs, _ = self._seeing(batch.to(self.job.device), self._order[own.start : own.end], epoch, step, own.mixes)
        return first_not_finite(self.learner.net, inputs, self.job.precision, self.job.device)

    def score(self, batch: Batch) -> Results:
        """The logits of a batch of what the net is given, in inference mode."""
        return self._runner.score(batch.to(self.job.device).inputs)
