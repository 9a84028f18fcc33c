"""The loop: steps, epochs and checkpoints."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from netspec.data import Splits
from netspec.data.samples import Batch, Samples
from netspec.diagnostics import NetspecError, failure
from netspec.diagnostics.devices import ProcessDied
from netspec.diagnostics.measuring import LossNotFinite
from netspec.freezing import learning
from netspec.report.events import EventLog
from netspec.report.models import EpochRow, StageRecord, StageSettings
from netspec.training.batches import batch_bounds, epoch_order, group_of
from netspec.training.devices.precision import mixed
from netspec.training.devices.processes import ALONE, told_of_the_dead
from netspec.training.devices.synchronised import Standing, Together, shares, synchronise
from netspec.training.failing import check_weights, first_not_finite
from netspec.training.folders.checkpoint import Position
from netspec.training.folders.keeper import Keeper
from netspec.training.folders.receipts import digests, frozen_keys, receipt, receipt_lines
from netspec.training.job import Job
from netspec.training.learning.learner import Learner
from netspec.training.learning.optimise import set_learning_rate
from netspec.training.learning.schedules import learning_rate
from netspec.training.learning.watching import Watch, after_epoch, after_plateau, better, watched
from netspec.training.measuring.losses import OWN
from netspec.training.measuring.measure import Measures, measure
from netspec.training.measuring.scoring import Results, Scoring
from netspec.training.measuring.sums import Sums
from netspec.training.notes import going_on
from netspec.training.oddities import odd_loss
from netspec.training.runner import Runner
from netspec.training.seeing import Seeing
from netspec.training.stages import Lesson
from netspec.training.still import Keeping, cache_line
from netspec.training.stopping import Interrupted, StopRequest

_STEPS_BETWEEN_CHECKS: Final = 50
"""How many steps an accelerator may run ahead before the host looks at the loss."""


class _Asked(Exception):
    """A request to stop, on its way out of a measurement."""


@dataclass
class Training:
    """A training under way; :meth:`run` takes it from its position to the end, stage by stage."""

    learner: Learner
    job: Job
    splits: Splits
    keeper: Keeper
    position: Position
    request: StopRequest

    def __post_init__(self) -> None:
        assert self.splits.train is not None
        self.net, self.device = self.learner.net, self.learner.device
        self.settings, self.processes, self.reporter = self.job.settings, self.job.processes, self.job.reporter
        self.train = self.splits.train.to(self.device)
        self.val = None if self.splits.val is None else self.splits.val.to(self.device)
        self.events: EventLog | None = None
        self._said = ""
        self._together = Together(self.processes)
        if self.processes.several:
            synchronise(self.net, self._together)
        self._check_every = 1 if self.device.type == "cpu" else _STEPS_BETWEEN_CHECKS

    @property
    def stage(self) -> StageSettings:
        """The stage under way."""
        return self.settings.in_turn[self.position.stage]

    @property
    def lesson(self) -> Lesson:
        """What is learned in it, and what is frozen."""
        return self.job.lessons[self.position.stage]

    def run(self) -> None:
        """Train every epoch that is left, with a checkpoint after each.

        Raises N950 where the loss or a weight is not finite, and :class:`~netspec.training.stopping.Interrupted` after a request to stop;
        N766 where what is frozen has changed; N810 where a checkpoint cannot be written.
        """
        self._begin()
        self.reporter.begin(self._epochs(), len(self.train))
        with self.reporter, self._logged(), self._rescued():
            self._announce()
            while self.position.stage < len(self.settings.in_turn):
                self._steps()
                check_weights(self.net, self.position, self.keeper.kept)
                started = time.perf_counter()
                validation = self._validate()
                self._end_epoch(validation, time.perf_counter() - started)

    def _begin(self) -> None:
        """Make ready for the first step, or for the one behind the last that is saved, where any is left."""
        if self.position.stage == len(self.settings.in_turn):
            return
        if self.position == Position():
            self.position.frozen = self._digests()
        else:
            self.reporter.line(going_on(self.position, self.stage, self._epochs()), "bold")
        self._prepare()

    @contextmanager
    def _logged(self) -> Iterator[None]:
        """Meanwhile every epoch goes to TensorBoard's files too, where that is asked for."""
        if not (self.job.tensorboard and self.processes.first):
            yield
            return
        with EventLog(self.keeper.folder.path, self.position.rows) as self.events:
            yield
        self.events = None

    @contextmanager
    def _rescued(self) -> Iterator[None]:
        """Where another process dies meanwhile, the state of the last step is saved."""
        try:
            yield
        except NetspecError as error:
            if any(isinstance(d.problem, ProcessDied) for d in error.diagnostics) and self.position.stage < len(self.settings.in_turn):
                self._rescue()
            raise

    def _rescue(self) -> None:
        """Save the state of the last step that is over."""
        here = self.position
        self._standing.restore()
        if here.step < len(self._bounds):
            here.step -= here.step % self.stage.accumulate
        here.sums = self._sums.values() if here.step else {}
        self.keeper.rescue(self.learner, here, self.processes)

    def _prepare(self) -> None:
        """What the steps of the stage need."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        self._scoring = Scoring(self.net.graph, self.lesson.learned, self.train.target, self._together if self.processes.several else OWN)
        self._standing = Standing(self.net)
        self._seeing = Seeing(self.net.graph, self.lesson.learned, self.settings.seed)
        self._rows, self._val_rows, given = self._kept()
        self._runner = Runner(self.net, self.processes, compiled=self.settings.compile, given=given)
        self._bounds = batch_bounds(len(self.train), self.stage.batch)
        self._shares = shares(self._bounds, self.processes)

    def _kept(self) -> tuple[Samples, Samples | None, tuple[int, ...] | None]:
        """What the stage is trained and validated on: values of its frozen part, where keeping them pays, and the nodes that give them.

        A training that goes on does as it did before, since the last bits may depend on it.
        """
        keeping = Keeping(self.job, self.net, self.lesson, self.stage, self.splits.fingerprint, self._obey)
        where = self.position.kept
        if where is None:
            decision = keeping.decide(self.train)
            where = self.position.kept = decision.where
            self._said = cache_line(decision.where, decision.reason) if keeping.frontier.values else ""
        if where != "no":
            if still := keeping.keep(where, self.train, self.val):
                return still.train, still.val, still.given
            self.position.kept, self._said = "no", ""
        return self.train, self.val, None

    def _epochs(self) -> int:
        """How many epochs the run has, as far as is known: a stage may end before its last."""
        here = self.position
        return here.epoch - here.stage_epoch + sum(stage.epochs for stage in self.settings.in_turn[here.stage :])

    def _announce(self) -> None:
        here = self.position
        if here.stage < len(self.settings.stages) and not here.stage_epoch and not here.step:
            learns = learning(self.net.graph, self.lesson.frozen)
            self.reporter.line(f"stage {self.stage.name}: {learns:,} of {self.net.graph.parameters:,} parameters learn", "bold")
        if self._said:
            self.reporter.line(self._said)
            self._said = ""

    def _steps(self) -> None:
        """The steps of the epoch that are left."""
        self._sums = sums = Sums(self._scoring.names, self.position.sums, self.position.step, self.device, self.processes)
        self.net.train()
        started, before = time.perf_counter(), self.position.seconds
        for batch in self._batches():
            first, behind, samples = group_of(self._bounds, self.position.step, self.stage.accumulate)
            if self.position.step == first:
                set_learning_rate(self.learner.optimizer, self._learning_rate(first))
                self.learner.optimizer.zero_grad()
            with self._runner.apart(self.position.step + 1 < behind):
                sums.add(self._step(batch.to(self.device), samples))
            self.position.step += 1
            self.position.seconds = before + time.perf_counter() - started
            if self.position.step == behind:
                if self._check_every == 1:  # while the weights are those that gave the loss
                    self._check_loss(sums)
                self._update()
                sums.note()
                self._look(sums)

    def _look(self, sums: Sums) -> None:
        """After a step of the optimiser: now and then see whether all is well, and whether to go on."""
        step, asked = self.position.step, self.processes.any(self.request.signal is not None)
        if step != len(self._bounds) and self._step_of_stage(step) % self._check_every and not asked:
            return
        self._check_loss(sums)
        self.position.sums = sums.values()
        self.reporter.step(self.position, self._bounds[step - 1][1])
        if asked:
            self._break_off()

    def _batches(self) -> Iterator[Batch]:
        """What this process computes of each batch that is left of the epoch. Where that is nothing, a sample that counts for nothing: each
        process takes part in every step."""
        self._order = epoch_order(len(self.train), self.settings.seed, self.position.epoch)
        own = [(share.start, share.end) for share in self._shares[self.position.step :]]
        return self._rows.in_epoch(self.position.epoch).batches(self._order, own)

    def _step(self, batch: Batch, samples: int) -> dict[str, Tensor]:
        """Forwards and backwards for a batch, whose gradients count for its share of the ``samples`` of the step; gives its figures as sums
        over its samples, still on the device."""
        epoch, step = self.position.epoch, self.position.step
        own = self._shares[step]
        inputs, targets = self._seeing(batch, self._order[own.start : own.end], epoch, step, own.mixes)
        if self.processes.several:
            self._together.counts = own.counts
            torch.manual_seed(self.processes.seed(self.settings.seed, epoch, step))
        with mixed(self.job.precision, self.device):
            results = self._runner(inputs)
        loss, figures = self._scoring.loss(results, targets)
        share = len(batch) * self.processes.count / samples if own.counts else 0.0
        with told_of_the_dead():
            (loss if share == 1 else loss * share).backward()  # type: ignore[no-untyped-call]
        return figures if own.counts else {name: torch.zeros_like(figure) for name, figure in figures.items()}

    def _update(self) -> None:
        """A step of the optimiser, and of the running mean behind it."""
        if self.stage.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.learner.parameters(), self.stage.clip)
        self.learner.optimizer.step()
        self.position.updates += 1
        if self.learner.averaged is not None:
            self.learner.averaged.update(self.net, self.position.updates)
        if self.processes.several:
            self._standing.note()

    def _step_of_stage(self, batch: int) -> int:
        """The number of the optimiser's step in the stage that a batch of the epoch under way belongs to."""
        return self.position.stage_epoch * self._per_epoch() + batch // self.stage.accumulate

    def _per_epoch(self) -> int:
        return -(-len(self._bounds) // self.stage.accumulate)

    def _learning_rate(self, batch: int) -> float:
        """The learning rate of a batch of the epoch under way."""
        stage, steps = self.stage, self._per_epoch()
        at, factor = self._step_of_stage(batch), self.position.plateau.factor
        return learning_rate(stage.schedule, stage.optimizer.settings["lr"], at, steps * stage.epochs, steps, factor)

    def _check_loss(self, sums: Sums) -> None:
        step = sums.first_bad_step()
        if step is not None:
            raise failure(LossNotFinite("the loss", self.position.epoch + 1, step, self.keeper.kept, self._first_bad(step - 1)))

    def _first_bad(self, step: int) -> str | None:
        """What first is not finite where the batch of this number goes through the net once more."""
        own, epoch = self._shares[step], self.position.epoch
        batch = next(iter(self.train.in_epoch(epoch).batches(self._order, [(own.start, own.end)])))
        inputs, _ = self._seeing(batch.to(self.device), self._order[own.start : own.end], epoch, step, own.mixes)
        return first_not_finite(self.net, inputs, self.job.precision, self.device)

    def _validate(self) -> Measures | None:
        if self._val_rows is None:
            return None
        self.reporter.validating()
        try:
            with self.learner.evaluated():
                found = measure(self._score, self._val_rows, self.lesson.learned, self.stage.batch, self._stop_if_asked, self.processes)
                for monitor in watched(self.settings, self.stage):
                    found.figure(monitor)
                return found
        except _Asked:
            self._break_off()
            raise

    def _score(self, batch: Batch) -> Results:
        return self._runner.score(batch.to(self.device).inputs)

    def score(self, batch: Batch) -> Results:
        """The logits of a batch of the data as it is, by the names of the outputs."""
        return Runner(self.net, ALONE, compiled=False).score(batch.to(self.device).inputs)

    def _stop_if_asked(self) -> None:
        if self.processes.any(self.request.signal is not None):
            raise _Asked

    def _obey(self) -> None:
        """Break off between two steps, where that is asked for."""
        if self.request.signal is not None:
            self._break_off()

    def _break_off(self) -> None:
        check_weights(self.net, self.position, self.keeper.kept)
        self.keeper.save(self.learner, self.position)
        raise Interrupted(self.request.signal or signal.SIGTERM, self.keeper.folder.path)

    def _end_epoch(self, validation: Measures | None, validation_seconds: float) -> None:
        """Write the epoch down, and start the next."""
        here = self.position
        row = EpochRow(
            epoch=here.epoch + 1,
            stage=self.stage.name,
            train={name: total / len(self.train) for name, total in here.sums.items()},
            val=validation.values if validation else {},
            lr=self._learning_rate(len(self._bounds) - 1),
            seconds=round(here.seconds + validation_seconds, 3),
            images_per_second=round(len(self.train) / max(here.seconds, 1e-9), 1),
        )
        here.best = best = better(here.best, row, self.settings.keep)
        kept = here.kept not in (None, "no")
        over = self._go_on(row)
        self.keeper.keep(self.learner, self.position)
        if self.events is not None:
            self.events.epoch(row)
        self.reporter.epoch(row, best is not None and best.epoch == row.epoch, kept)
        for odd in odd_loss(self.position.rows):
            self.reporter.problem(odd)
        if over is not None:
            self._tell(over)

    def _go_on(self, row: EpochRow) -> StageRecord | None:
        """Take the position behind an epoch, into the next stage where one is over; gives what is to be said of that one."""
        here, stage = self.position, self.stage
        patience, enough = after_epoch(here.patience, stage.stop, row)
        self.position = replace(
            here.at_epoch(row.epoch),
            stage_epoch=here.stage_epoch + 1,
            plateau=after_plateau(here.plateau, stage.schedule, row),
            patience=patience,
            rows=[*here.rows, row],
        )
        if not enough and self.position.stage_epoch < stage.epochs:
            return None
        over = self._record(enough)
        self.position = replace(
            self.position,
            stage=here.stage + 1,
            stage_epoch=0,
            plateau=Watch(),
            patience=Watch(),
            frozen={},
            kept=None,
            stages=[*here.stages, over],
        )
        if self.position.stage < len(self.settings.in_turn):
            self.learner.enter(self.stage, self.lesson.frozen)
            self.position.frozen = self._digests()
        return over

    def _record(self, stopped: bool) -> StageRecord:
        """What came of the stage that is over; raises N766 where what is frozen has changed."""
        here, graph = self.position, self.net.graph
        own, used = self._digests(), digests(self.learner.weights(), tuple(here.frozen))
        return StageRecord(
            name=self.stage.name,
            first_epoch=here.epoch - here.stage_epoch + 1,
            last_epoch=here.epoch,
            stopped=stopped and here.stage_epoch < self.stage.epochs,
            learning=learning(graph, self.lesson.frozen),
            frozen=receipt(graph, self.stage.name, here.frozen, own, used),
            cached=here.kept or "no",
            memory=torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else None,
        )

    def _digests(self) -> dict[str, str]:
        """Of what is frozen in the stage."""
        return digests(self.net.state_dict(), frozen_keys(self.net.graph, self.lesson.frozen))

    def _tell(self, over: StageRecord) -> None:
        """Say what came of a stage, and what comes next."""
        if over.stopped:
            self.reporter.line(f"stopped after epoch {over.last_epoch}: no better for as long as stop allows")
        for line in receipt_lines(over):
            self.reporter.line(line)
        if self.position.stage < len(self.settings.in_turn):
            self._prepare()
        self.reporter.begin(self._epochs(), len(self.train))
        self._announce()
