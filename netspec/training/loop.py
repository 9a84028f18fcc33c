"""The loop: steps, epochs and checkpoints."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from netspec.augment import Augmenter, Mixed, mixed_loss
from netspec.data import ImageSet, Task
from netspec.data.images import Batch
from netspec.diagnostics import failure
from netspec.diagnostics.running import LossNotFinite
from netspec.freezing import frozen_in_stages, learning
from netspec.report.models import BestEpoch, EpochRow, NamedSettings, StageRecord, StageSettings, TrainSettings
from netspec.report.progress import Reporter
from netspec.training.batches import batch_bounds, epoch_order, group_of
from netspec.training.checkpoint import Position, save_state
from netspec.training.keeping import Keeper
from netspec.training.learner import Learner
from netspec.training.losses import make_loss
from netspec.training.measure import Measures, measure
from netspec.training.optimise import correct, set_learning_rate
from netspec.training.precision import Precision, mixed
from netspec.training.receipts import digests, frozen_keys, receipt, receipt_lines
from netspec.training.schedules import learning_rate
from netspec.training.stopping import Interrupted, StopRequest
from netspec.training.watching import Watch, after_epoch, after_plateau

_STEPS_BETWEEN_CHECKS: Final = 50
"""How many steps an accelerator may run ahead before the host looks at the loss."""


class _Asked(Exception):
    """A request to stop, on its way out of a measurement."""


@dataclass
class Training:
    """A training under way; :meth:`run` takes it from its position to the end, stage by stage."""

    learner: Learner
    task: Task
    settings: TrainSettings
    train: ImageSet
    val: ImageSet | None
    precision: Precision
    keeper: Keeper
    position: Position
    request: StopRequest
    reporter: Reporter

    def __post_init__(self) -> None:
        self.net, self.device = self.learner.net, self.learner.device
        self.frozen = frozen_in_stages(self.net.graph)
        self._augmenter = next(iter(Augmenter.of(self.net.graph, self.settings.seed).values()), None)
        self._check_every = 1 if self.device.type == "cpu" else _STEPS_BETWEEN_CHECKS
        if self.position.stage < len(self.settings.in_turn):
            self._prepare()
            if self.position == Position():
                self.position.frozen = self._digests()

    @property
    def stage(self) -> StageSettings:
        """The stage under way."""
        return self.settings.in_turn[self.position.stage]

    def run(self) -> None:
        """Train every epoch that is left, with a checkpoint after each.

        Raises N950 where the loss or a weight is not finite, and :class:`~netspec.training.stopping.Interrupted` after a request to stop;
        N766 where what is frozen has changed; N810 where a checkpoint cannot be written.
        """
        self.reporter.begin(self._epochs(), len(self.train))
        with self.reporter:
            self._announce()
            while self.position.stage < len(self.settings.in_turn):
                self._steps()
                self._check_weights()
                started = time.perf_counter()
                validation = self._validate()
                self._end_epoch(validation, time.perf_counter() - started)

    def _prepare(self) -> None:
        """What the steps of the stage need."""
        self._loss = make_loss(self.stage.loss, self.train.labels, self.task.classes)
        self._bounds = batch_bounds(len(self.train), self.stage.batch)

    def _epochs(self) -> int:
        """How many epochs the run has, as far as is known: a stage may end before its last."""
        here = self.position
        return here.epoch - here.stage_epoch + sum(stage.epochs for stage in self.settings.in_turn[here.stage :])

    def _announce(self) -> None:
        here = self.position
        if here.stage < len(self.settings.stages) and not here.stage_epoch and not here.step:
            learns = learning(self.net.graph, self.frozen[here.stage])
            self.reporter.line(f"stage {self.stage.name}: {learns:,} of {self.net.graph.parameters:,} parameters learn", "bold")

    def _steps(self) -> None:
        """The steps of the epoch that are left."""
        sums = _Sums(self.position, self.device)
        self.net.train()
        started, before = time.perf_counter(), self.position.seconds
        for pixels, labels in self._batches():
            first, behind, images = group_of(self._bounds, self.position.step, self.stage.accumulate)
            if self.position.step == first:
                set_learning_rate(self.learner.optimizer, self._learning_rate(first))
                self.learner.optimizer.zero_grad()
            pixels, labels = pixels.to(self.device, non_blocking=True), labels.to(self.device, non_blocking=True)
            sums.add(*self._step(*self._augmented(pixels, labels), len(labels) / images), len(labels))
            self.position.step += 1
            self.position.seconds = before + time.perf_counter() - started
            if self.position.step == behind:
                self._update()
                self._look(sums)

    def _look(self, sums: _Sums) -> None:
        """After a step of the optimiser: now and then see whether all is well, and whether to go on."""
        step, asked = self.position.step, self.request.signal is not None
        if asked or step == len(self._bounds) or self._step_of_stage(step) % self._check_every == 0:
            self._check_loss(sums)
            sums.store(self.position)
            self.reporter.step(self.position, self._seen())
        if asked:
            self._break_off()

    def _batches(self) -> Iterator[Batch]:
        self._order = epoch_order(len(self.train), self.settings.seed, self.position.epoch)
        return self.train.batches(self._order, self._bounds[self.position.step :])

    def _augmented(self, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | Mixed]:
        """A batch as the net is to see it: what becomes of an image follows from the seed, the epoch and its number alone."""
        if self._augmenter is None:
            return pixels, labels
        epoch, step = self.position.epoch, self.position.step
        start, end = self._bounds[step]
        return self._augmenter.mix(self._augmenter(pixels, self._order[start:end], epoch), labels, epoch, step)

    def _step(self, pixels: Tensor, labels: Tensor | Mixed, share: float = 1.0) -> tuple[Tensor, Tensor]:
        """Forwards and backwards for a batch, whose gradients count for its share of the step; gives the mean loss and how many were right,
        both still on the device.

        The losses of auxiliary outputs count for their weights (Szegedy et al., 2014: 0.3); the loss that is reported is the net's own.
        """
        with mixed(self.precision, self.device):
            results = self.net.logits(pixels)
        logits = (results if isinstance(results, Tensor) else results[self.net.graph.outputs[0].name]).float()
        loss = mixed_loss(self._loss, logits, labels)
        whole = loss
        for extra in self.net.graph.auxiliary:
            assert not isinstance(results, Tensor)
            whole = whole + extra.weight * mixed_loss(self._loss, results[extra.name].float(), labels)
        (whole if share == 1 else whole * share).backward()  # type: ignore[no-untyped-call]
        return loss.detach(), correct(logits.detach(), labels.main if isinstance(labels, Mixed) else labels)

    def _update(self) -> None:
        """A step of the optimiser, and of the running mean behind it."""
        if self.stage.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.learner.parameters(), self.stage.clip)
        self.learner.optimizer.step()
        self.position.updates += 1
        if self.learner.averaged is not None:
            self.learner.averaged.update(self.net, self.position.updates)

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

    def _seen(self) -> int:
        return self._bounds[self.position.step - 1][1]

    def _check_loss(self, sums: _Sums) -> None:
        step = sums.first_bad_step()
        if step is not None:
            raise failure(LossNotFinite("the loss", self.position.epoch + 1, step, self.keeper.kept))

    def _check_weights(self) -> None:
        """The last step of an epoch may have spoilt the weights without having shown in a loss."""
        for name, tensor in self.net.state_dict().items():
            if not bool(torch.isfinite(tensor).all()):
                raise failure(LossNotFinite(f"the weight {name}", self.position.epoch + 1, self.position.step, self.keeper.kept))

    def _validate(self) -> Measures | None:
        if self.val is None:
            return None
        self.reporter.validating()
        try:
            with self.learner.evaluated():
                return measure(self.score, self.val, self.task.classes, self.stage.batch, self._stop_if_asked)
        except _Asked:
            self._break_off()
            raise

    def score(self, pixels: Tensor) -> Tensor:
        """The logits of a batch of bytes."""
        logits = self.net.logits(pixels.to(self.device))
        assert isinstance(logits, Tensor)
        return logits

    def _stop_if_asked(self) -> None:
        if self.request.signal is not None:
            raise _Asked

    def _break_off(self) -> None:
        assert self.request.signal is not None
        self._check_weights()
        save_state(self.keeper.folder, self.learner, self.position)
        raise Interrupted(self.request.signal, self.keeper.folder.path)

    def _end_epoch(self, validation: Measures | None, validation_seconds: float) -> None:
        """Write the epoch down, and start the next."""
        here = self.position
        row = EpochRow(
            epoch=here.epoch + 1,
            stage=self.stage.name,
            train_loss=here.loss_sum / len(self.train),
            train_accuracy=here.correct / len(self.train),
            val_loss=validation.loss if validation else None,
            val_accuracy=validation.accuracy if validation else None,
            lr=self._learning_rate(len(self._bounds) - 1),
            seconds=round(here.seconds + validation_seconds, 3),
            images_per_second=round(len(self.train) / max(here.seconds, 1e-9), 1),
        )
        best, over = better(here.best, row, self.settings.keep), self._go_on(row)
        self.position.best = best
        self.keeper.keep(self.learner, self.position)
        self.reporter.epoch(row, best is not None and best.epoch == row.epoch)
        if over is not None:
            self._tell(over)

    def _go_on(self, row: EpochRow) -> StageRecord | None:
        """Take the position behind an epoch, into the next stage where one is over; gives what is to be said of that one."""
        here, stage = self.position, self.stage
        patience, enough = after_epoch(here.patience, stage.stop, row)
        self.position = Position(
            epoch=row.epoch,
            stage=here.stage,
            stage_epoch=here.stage_epoch + 1,
            updates=here.updates,
            plateau=after_plateau(here.plateau, stage.schedule, row),
            patience=patience,
            frozen=here.frozen,
            rows=[*here.rows, row],
            stages=here.stages,
        )
        if not enough and self.position.stage_epoch < stage.epochs:
            return None
        over = self._record(enough)
        self.position = replace(
            self.position, stage=here.stage + 1, stage_epoch=0, plateau=Watch(), patience=Watch(), frozen={}, stages=[*here.stages, over]
        )
        if self.position.stage < len(self.settings.in_turn):
            self.learner.enter(self.stage, self.frozen[self.position.stage])
            self.position.frozen = self._digests()
            self._prepare()
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
            learning=learning(graph, self.frozen[here.stage]),
            frozen=receipt(graph, self.stage.name, here.frozen, own, used),
        )

    def _digests(self) -> dict[str, str]:
        """Of what is frozen in the stage."""
        return digests(self.net.state_dict(), frozen_keys(self.net.graph, self.frozen[self.position.stage]))

    def _tell(self, over: StageRecord) -> None:
        """Say what came of a stage, and what comes next."""
        if over.stopped:
            self.reporter.line(f"stopped after epoch {over.last_epoch}: no better for as long as stop allows")
        for line in receipt_lines(over):
            self.reporter.line(line)
        self.reporter.begin(self._epochs(), len(self.train))
        self._announce()


def better(best: BestEpoch | None, row: EpochRow, keep: NamedSettings) -> BestEpoch | None:
    """The best epoch so far by a figure of the validation split, of equals by the other figure, of these the first; none where the last is
    kept."""
    if row.val_accuracy is None or row.val_loss is None or keep.name != "best":
        return None
    by_loss = keep.settings["monitor"] == "val.loss"

    def rank(accuracy: float, loss: float) -> tuple[float, float]:
        return (-loss, accuracy) if by_loss else (accuracy, -loss)

    if best is not None and rank(row.val_accuracy, row.val_loss) <= rank(best.val_accuracy, best.val_loss):
        return best
    return BestEpoch(epoch=row.epoch, val_accuracy=row.val_accuracy, val_loss=row.val_loss)


class _Sums:
    """What an epoch sums up, kept on the device so that no step waits for the host."""

    def __init__(self, position: Position, device: torch.device) -> None:
        self._loss = torch.tensor(position.loss_sum, dtype=torch.float32, device=device)
        self._correct = torch.tensor(position.correct, dtype=torch.int64, device=device)
        self._bad = torch.tensor(-1, dtype=torch.int64, device=device)
        self._step = position.step

    def add(self, loss: Tensor, correct: Tensor, count: int) -> None:
        self._step += 1
        self._loss += loss * count
        self._correct += correct
        self._bad = torch.where((self._bad < 0) & ~torch.isfinite(self._loss), self._step, self._bad)

    def first_bad_step(self) -> int | None:
        step = int(self._bad)
        return step if step > 0 else None

    def store(self, position: Position) -> None:
        position.loss_sum = float(self._loss)
        position.correct = int(self._correct)
