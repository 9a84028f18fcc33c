"""The loop: steps, epochs and checkpoints."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.optim import Optimizer

from netspec.backends.torch import CompiledNet
from netspec.data import ImageSet, Task
from netspec.data.images import Batch
from netspec.diagnostics import failure
from netspec.diagnostics.running import LossNotFinite
from netspec.report.models import BestEpoch, EpochRow, TrainSettings
from netspec.report.progress import Reporter
from netspec.training.batches import batch_bounds, epoch_order
from netspec.training.checkpoint import Position, save_state
from netspec.training.keeping import Keeper
from netspec.training.measure import Measures, measure
from netspec.training.optimise import correct, learning_rate, make_loss, set_learning_rate
from netspec.training.stopping import Interrupted, StopRequest

_STEPS_BETWEEN_CHECKS: Final = 50
"""How many steps an accelerator may run ahead before the host looks at the loss."""


@dataclass
class Training:
    """A training under way; :meth:`run` takes it from its position to the end."""

    net: CompiledNet
    optimizer: Optimizer
    task: Task
    settings: TrainSettings
    train: ImageSet
    val: ImageSet | None
    device: torch.device
    keeper: Keeper
    position: Position
    request: StopRequest
    reporter: Reporter

    def __post_init__(self) -> None:
        self._loss = make_loss(self.settings.loss)
        self._bounds = batch_bounds(len(self.train), self.settings.batch)
        self._check_every = 1 if self.device.type == "cpu" else _STEPS_BETWEEN_CHECKS

    def run(self) -> None:
        """Train every epoch that is left, with a checkpoint after each.

        Raises N950 where the loss or a weight is not finite, and :class:`~netspec.training.stopping.Interrupted` after a request to stop;
        N810 where a checkpoint cannot be written.
        """
        self.reporter.begin(self.settings.epochs, len(self.train))
        with self.reporter:
            while self.position.epoch < self.settings.epochs:
                self._steps()
                self._check_weights()
                started = time.perf_counter()
                validation = self._validate()
                self._end_epoch(validation, time.perf_counter() - started)

    def _steps(self) -> None:
        """The steps of the epoch that are left."""
        sums = _Sums(self.position, self.device)
        self.net.train()
        started, before = time.perf_counter(), self.position.seconds
        for pixels, labels in self._batches():
            set_learning_rate(self.optimizer, self._learning_rate(self.position.step))
            sums.add(*self._step(pixels.to(self.device, non_blocking=True), labels.to(self.device, non_blocking=True)), len(labels))
            self.position.step += 1
            self.position.seconds = before + time.perf_counter() - started
            last = self.position.step == len(self._bounds)
            if last or self.position.step % self._check_every == 0:
                self._check_loss(sums)
                sums.store(self.position)
                self.reporter.step(self.position, self._seen())
            if self.request.signal is not None:
                self._check_loss(sums)
                sums.store(self.position)
                self._break_off()

    def _batches(self) -> Iterator[Batch]:
        order = epoch_order(len(self.train), self.settings.seed, self.position.epoch)
        return self.train.batches(order, self._bounds[self.position.step :])

    def _step(self, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """One step; gives the mean loss and how many were right, both still on the device.

        The losses of auxiliary outputs count for their weights (Szegedy et al., 2014: 0.3); the loss that is reported is the net's own.
        """
        results = self.net.logits(pixels)
        logits = results if isinstance(results, Tensor) else results[self.net.graph.outputs[0].name]
        loss = self._loss(logits, labels)
        whole = loss
        for extra in self.net.graph.auxiliary:
            assert not isinstance(results, Tensor)
            whole = whole + extra.weight * self._loss(results[extra.name], labels)
        self.optimizer.zero_grad()
        whole.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.detach(), correct(logits.detach(), labels)

    def _learning_rate(self, step: int) -> float:
        """The learning rate of a step of the epoch under way."""
        steps = len(self._bounds)
        done = self.position.epoch * steps + step
        return learning_rate(self.settings.schedule, self.settings.optimizer.settings["lr"], done, steps * self.settings.epochs)

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
        self.net.eval()
        return measure(self.score, self.val, self.task.classes, self.settings.batch, self._break_off_if_asked)

    def score(self, pixels: Tensor) -> Tensor:
        """The logits of a batch of bytes."""
        logits = self.net.logits(pixels.to(self.device))
        assert isinstance(logits, Tensor)
        return logits

    def _break_off_if_asked(self) -> None:
        if self.request.signal is not None:
            self._break_off()

    def _break_off(self) -> None:
        assert self.request.signal is not None
        self._check_weights()
        save_state(self.keeper.folder, self.net, self.optimizer, self.device, self.position)
        raise Interrupted(self.request.signal, self.keeper.folder.path)

    def _end_epoch(self, validation: Measures | None, validation_seconds: float) -> None:
        """Write the epoch down, and start the next."""
        here = self.position
        row = EpochRow(
            epoch=here.epoch + 1,
            train_loss=here.loss_sum / len(self.train),
            train_accuracy=here.correct / len(self.train),
            val_loss=validation.loss if validation else None,
            val_accuracy=validation.accuracy if validation else None,
            lr=self._learning_rate(len(self._bounds) - 1),
            seconds=round(here.seconds + validation_seconds, 3),
            images_per_second=round(len(self.train) / max(here.seconds, 1e-9), 1),
        )
        best = _better(here.best, row)
        self.position = Position(epoch=row.epoch, rows=[*here.rows, row], best=best)
        self.keeper.keep(self.net, self.optimizer, self.device, self.position)
        self.reporter.epoch(row, best is not None and best.epoch == row.epoch)


def _better(best: BestEpoch | None, row: EpochRow) -> BestEpoch | None:
    """The best epoch so far: the highest accuracy on the validation split, of equals the lowest loss, of these the first."""
    if row.val_accuracy is None or row.val_loss is None:
        return None
    if best is not None and (row.val_accuracy, -row.val_loss) <= (best.val_accuracy, -best.val_loss):
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
