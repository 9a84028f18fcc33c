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
from netspec.freezing import learning, norms_again
from netspec.report.events import EventLog
from netspec.report.models import EpochRow, StageRecord, StageSettings
from netspec.report.wording import of_norms
from netspec.training.devices.processes import ALONE
from netspec.training.devices.synchronised import Together, synchronise
from netspec.training.failing import check_weights
from netspec.training.folders.checkpoint import Position
from netspec.training.folders.keeper import Keeper
from netspec.training.folders.receipts import digests, frozen_keys, receipt, receipt_lines
from netspec.training.job import Job
from netspec.training.learning.learner import Learner
from netspec.training.learning.watching import after_epoch, after_plateau, better, watched
from netspec.training.measuring.measure import Measures, measure
from netspec.training.measuring.scoring import Results
from netspec.training.measuring.sums import Sums
from netspec.training.notes import going_on
from netspec.training.oddities import odd_loss
from netspec.training.runner import Runner
from netspec.training.stages import Lesson
from netspec.training.steps import Steps
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
                self._train_epoch()
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
        if not (self.job.options.tensorboard and self.processes.first):
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
        self._steps.take_back(here)
        here.sums = self._sums.values() if here.step else {}
        self.keeper.rescue(self.learner, here, self.processes)

    def _prepare(self) -> None:
        """What the steps of the stage need."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        rows, self._val_rows, given = self._kept()
        self._steps = Steps(self.learner, self.job, self.lesson, self.stage, self.train, rows, given, self._together)

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
            began = time.perf_counter()
            if still := keeping.keep(where, self.train, self.val):
                self.position.seconds += time.perf_counter() - began  # the next epoch's, which takes them as given
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
            if norms := norms_again(self.net.graph)[here.stage]:
                self.reporter.line(of_norms(norms))
        if self._said:
            self.reporter.line(self._said)
            self._said = ""

    def _train_epoch(self) -> None:
        """The steps of the epoch that are left."""
        here, steps = self.position, self._steps
        self._sums = sums = Sums(steps.figures, here.sums, here.step, self.device, self.processes)
        self.net.train()
        started, before = time.perf_counter(), here.seconds
        for batch in steps.batches(here):
            sums.add(self._step(batch))
            here.step += 1
            here.seconds = before + time.perf_counter() - started
            if steps.is_over(here):
                if self._check_every == 1:  # while the weights are those that gave the loss
                    self._check_loss(sums)
                self._update()
                sums.note()
                self._look(sums)

    def _step(self, batch: Batch) -> dict[str, Tensor]:
        """The gradients of the next batch; gives its figures, still on the device."""
        return self._steps.gradients(batch.to(self.device), self.position)

    def _update(self) -> None:
        """The step of the optimiser behind its batches."""
        self._steps.update(self.position)

    def _look(self, sums: Sums) -> None:
        """After a step of the optimiser: now and then see whether all is well, and whether to go on."""
        here, steps, asked = self.position, self._steps, self.processes.any(self.request.signal is not None)
        if here.step != len(steps.bounds) and steps.number(here) % self._check_every and not asked:
            return
        self._check_loss(sums)
        here.sums = sums.values()
        self.reporter.step(here, steps.bounds[here.step - 1][1])
        if asked:
            self._break_off()

    def _check_loss(self, sums: Sums) -> None:
        step = sums.first_bad_step()
        if step is not None:
            where = self._steps.first_bad(self.position, step - 1)
            raise failure(LossNotFinite("the loss", self.position.epoch + 1, step, self.keeper.kept, where))

    def _validate(self) -> Measures | None:
        if self._val_rows is None:
            return None
        self.reporter.validating()
        try:
            with self.learner.evaluated():
                found = measure(
                    self._steps.score, self._val_rows, self.lesson.learned, self.stage.batch, self._stop_if_asked, self.processes
                )
                for monitor in watched(self.settings, self.stage):
                    found.figure(monitor)
                return found
        except _Asked:
            self._break_off()
            raise

    def score(self, batch: Batch) -> Results:
        """The logits of a batch of the data as it is, by the names of the outputs."""
        return Runner(self.learner, ALONE, compiled=False).score(batch.to(self.device).inputs)

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
            lr=self._steps.learning_rate(here),
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
        self.position = self.position.in_next_stage(over)
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
