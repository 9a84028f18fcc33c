"""What is kept of a training after each epoch, and in which order."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from netspec.backends.torch.weights import write_weights
from netspec.diagnostics import NetspecError, failure
from netspec.diagnostics.runs import BrokenRun
from netspec.report.history import history_csv
from netspec.report.models import RunRecord
from netspec.training.devices.processes import Processes
from netspec.training.devices.sharding import attend, gathered
from netspec.training.folders.checkpoint import Position, save_state, state_tensors
from netspec.training.folders.class_names import weights_metadata
from netspec.training.folders.folder import RunFolder, locked
from netspec.training.learning.learner import Learner

_FIRST_SECONDS: Final = 5.0
"""How long the others wait for the first process to say that it is alive, and writes."""


@dataclass
class Keeper:
    """Keeps a run's files true to its position.

    The state is written first: what follows can be made again from it, and :meth:`restore` does that after a kill in between. So
    ``best.safetensors`` of an earlier epoch is complete whenever a later state is there.
    """

    folder: RunFolder
    record: RunRecord
    writes: bool = True
    """Whether this process is the one that writes."""

    @property
    def kept(self) -> str | None:
        """The checkpoint that a failure leaves behind, if there is one."""
        return str(self.folder.state) if self.folder.state.is_file() else None

    def keep(self, learner: Learner, position: Position) -> None:
        """Write the state at the end of an epoch, and everything that follows from it."""
        self.save(learner, position)
        self._follow(learner, position)

    def save(self, learner: Learner, position: Position) -> None:
        """Write the state, wherever a step is over."""
        if self.writes:
            save_state(self.folder, learner, position)
        elif learner.root is not None:
            attend(state_tensors(learner))

    def rescue(self, learner: Learner, position: Position, processes: Processes) -> None:
        """Write the state where another process has died: the first one does so, or, where that one is gone, another of those left.
        Of a net that was divided, a part is gone with it: what was saved before stands."""
        if learner.root is not None:
            return
        if processes.first:
            processes.tell("rescue")
            self.save(learner, position)
        elif not processes.hear("rescue", _FIRST_SECONDS) and processes.foremost("stand in"):
            with contextlib.suppress(NetspecError), locked(self.folder):
                save_state(self.folder, learner, position)

    def begun(self) -> bool:
        """Whether there is a state to go on from. Raises N753 where it is gone, and with it the way to the weights that are there."""
        if not self.folder.state.is_file() and (self.folder.last.exists() or self.folder.best.exists()):
            raise failure(BrokenRun(str(self.folder.state), "it is missing, and the run cannot go on without it"))
        return self.folder.state.is_file()

    def restore(self, learner: Learner, position: Position) -> None:
        """Make the other files agree with a state that was just loaded. Raises N753 where the weights of the best epoch are gone."""
        if position.epoch and not position.step:
            self._follow(learner, position)
        if self.writes and position.best is not None and not self.folder.best.is_file():
            raise failure(BrokenRun(str(self.folder.best), f"it is missing, and epoch {position.best.epoch} was the best"))
        self.write_history(position)

    def _follow(self, learner: Learner, position: Position) -> None:
        self._write_weights(learner, position)
        self.write_history(position)
        self.update(epochs_done=position.epoch, last=position.rows[-1], best=position.best, stages=tuple(position.stages))

    def _write_weights(self, learner: Learner, position: Position) -> None:
        if not self.writes:
            if learner.root is not None:
                attend(learner.weights())
            return
        tensors = gathered(learner.weights())
        metadata = weights_metadata(self.record, position.epoch)
        if position.best is not None and position.best.epoch == position.epoch:
            write_weights(self.folder.best, tensors, metadata)
        write_weights(self.folder.last, tensors, metadata)

    def write_history(self, position: Position) -> None:
        """Write ``history.csv`` with the epochs of the position and no others."""
        self.write(self.folder.history, history_csv(position.rows).encode())

    def write(self, path: Path, content: bytes) -> None:
        """Replace a file of the run."""
        if self.writes:
            self.folder.write(path, content)

    def update(self, **changes: object) -> None:
        """Change the run's record and write it."""
        self.record = self.record.model_copy(update=changes)
        if self.writes:
            self.folder.write_record(self.record)
