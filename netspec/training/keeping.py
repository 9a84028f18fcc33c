"""What is kept of a training after each epoch, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

from netspec.backends.torch.weights import write_weights
from netspec.diagnostics import failure
from netspec.diagnostics.running import BrokenRun
from netspec.report.history import history_csv
from netspec.report.models import RunRecord
from netspec.training.checkpoint import Position, save_state
from netspec.training.folder import RunFolder
from netspec.training.labels import weights_metadata
from netspec.training.learner import Learner


@dataclass
class Keeper:
    """Keeps a run's files true to its position.

    The state is written first: what follows can be made again from it, and :meth:`restore` does that after a kill in between. So
    ``best.safetensors`` of an earlier epoch is complete whenever a later state is there.
    """

    folder: RunFolder
    record: RunRecord

    @property
    def kept(self) -> str | None:
        """The checkpoint that a failure leaves behind, if there is one."""
        return str(self.folder.state) if self.folder.state.is_file() else None

    def keep(self, learner: Learner, position: Position) -> None:
        """Write the state at the end of an epoch, and everything that follows from it."""
        save_state(self.folder, learner, position)
        self._follow(learner, position)

    def begun(self) -> bool:
        """Whether there is a state to go on from. Raises N753 where it is gone, and with it the way to the weights that are there."""
        if not self.folder.state.is_file() and (self.folder.last.exists() or self.folder.best.exists()):
            raise failure(BrokenRun(str(self.folder.state), "it is missing, and the run cannot go on without it"))
        return self.folder.state.is_file()

    def restore(self, learner: Learner, position: Position) -> None:
        """Make the other files agree with a state that was just loaded. Raises N753 where the weights of the best epoch are gone."""
        if position.epoch and not position.step:
            self._follow(learner, position)
        if position.best is not None and not self.folder.best.is_file():
            raise failure(BrokenRun(str(self.folder.best), f"it is missing, and epoch {position.best.epoch} was the best"))
        self.write_history(position)

    def _follow(self, learner: Learner, position: Position) -> None:
        tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in learner.weights().items()}
        metadata = weights_metadata(self.record, position.epoch)
        if position.best is not None and position.best.epoch == position.epoch:
            write_weights(self.folder.best, tensors, metadata)
        write_weights(self.folder.last, tensors, metadata)
        self.write_history(position)
        self.update(epochs_done=position.epoch, last=position.rows[-1], best=position.best, stages=tuple(position.stages))

    def write_history(self, position: Position) -> None:
        """Write ``history.csv`` with the epochs of the position and no others."""
        self.folder.write(self.folder.history, history_csv(position.rows).encode())

    def update(self, **changes: object) -> None:
        """Change the run's record and write it."""
        self.record = self.record.model_copy(update=changes)
        self.folder.write_record(self.record)
