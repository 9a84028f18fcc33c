"""The state of a training in one file: weights, optimiser, random numbers and how far it has come.

``state.safetensors`` alone decides where a resumed run goes on, and it is replaced whole; every other file of a run can be made
again from it. It holds tensors and JSON, nothing that could run code. Parts of the optimiser go by the keys of their parameters.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import torch
from torch import Tensor

from netspec.backends.torch.weights import read_file, write_weights
from netspec.diagnostics import failure
from netspec.diagnostics.runs import BrokenRun
from netspec.report.models import BestEpoch, EpochRow, StageRecord
from netspec.training.devices.sharding import divided_as, gathered, load_whole
from netspec.training.features.costs import Where
from netspec.training.folders.folder import RunFolder
from netspec.training.learning.learner import Learner
from netspec.training.learning.watching import Watch

_KEY: Final = "netspec.state"
_FORMAT: Final = 3
_COUNTS: Final = ("step", "mu_product")
"""What an optimiser keeps for each parameter that is one number, and stays on the CPU."""


@dataclass
class Position:
    """How far a training has come: stages, whole epochs, batches of the epoch under way, and what these have summed up.

    A position always stands where a step of the optimiser is over.
    """

    epoch: int = 0
    stage: int = 0
    stage_epoch: int = 0
    """How many epochs of the stage are over."""
    step: int = 0
    updates: int = 0
    """How many steps the optimisers of the run have made."""
    sums: dict[str, float] = field(default_factory=dict)
    """The figures of the epoch under way by name, summed over its samples so far."""
    seconds: float = 0.0
    plateau: Watch = field(default_factory=Watch)
    patience: Watch = field(default_factory=Watch)
    frozen: dict[str, str] = field(default_factory=dict)
    """The SHA-256 of every tensor that is frozen in the stage, as it began."""
    kept: Where | None = None
    """Where the values of the stage's frozen part are kept; ``None`` as long as that has not been decided."""
    rows: list[EpochRow] = field(default_factory=list)
    best: BestEpoch | None = None
    stages: list[StageRecord] = field(default_factory=list)

    def at_epoch(self, epoch: int) -> Position:
        """The same behind this many epochs, before the first step of the next."""
        return replace(self, epoch=epoch, step=0, sums={}, seconds=0.0)

    def in_next_stage(self, over: StageRecord) -> Position:
        """The same where the stage under way is over, before the first step of the next."""
        fresh = Position()
        begun = {name: getattr(fresh, name) for name in ("stage_epoch", "plateau", "patience", "frozen", "kept")}
        return replace(self, stage=self.stage + 1, stages=[*self.stages, over], **begun)

    def to_json(self) -> str:
        plain = dict(vars(self), format=_FORMAT, plateau=asdict(self.plateau), patience=asdict(self.patience))
        plain["rows"] = [row.model_dump() for row in self.rows]
        plain["stages"] = [stage.model_dump() for stage in self.stages]
        plain["best"] = None if self.best is None else self.best.model_dump()
        return json.dumps(plain)

    @classmethod
    def from_json(cls, text: str) -> Position:
        plain = json.loads(text)
        if plain.pop("format", 1) != _FORMAT:
            raise ValueError("it was written by another version of netspec; run.json says which, and that one can go on with it")
        plain["plateau"], plain["patience"] = Watch(**plain["plateau"]), Watch(**plain["patience"])
        plain["rows"] = [EpochRow.model_validate(row) for row in plain["rows"]]
        plain["stages"] = [StageRecord.model_validate(stage) for stage in plain["stages"]]
        plain["best"] = None if plain["best"] is None else BestEpoch.model_validate(plain["best"])
        return cls(**plain)


@dataclass(frozen=True)
class State:
    """A state that was read, to be put back with :func:`restore_state`."""

    folder: RunFolder
    position: Position
    tensors: Mapping[str, Tensor]


def save_state(folder: RunFolder, learner: Learner, position: Position) -> None:
    """Replace ``state.safetensors``; raises N810 where that fails, and the old state still stands."""
    write_weights(folder.state, gathered(state_tensors(learner)), {_KEY: position.to_json()})


def state_tensors(learner: Learner) -> dict[str, Tensor]:
    """All tensors of a state by their keys in the file."""
    tensors = {f"model.{key}": tensor for key, tensor in learner.net.state_dict().items()}
    for key, parameter in zip(learner.names, learner.parameters(), strict=True):
        entries = learner.optimizer.state.get(parameter, {})
        tensors |= {f"optimizer.{key}.{name}": value for name, value in entries.items() if isinstance(value, Tensor)}
    if learner.averaged is not None:
        tensors |= {f"mean.{key}": mean for key, mean in learner.averaged.means.items()}
    tensors["random.cpu"] = torch.get_rng_state()
    if learner.device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(learner.device)
    return tensors


def read_state(folder: RunFolder) -> State:
    """The state of a run. Raises N80x or N753 where the file is damaged, or of another version."""
    file = read_file(folder.state)
    with _said_of(folder):
        return State(folder, Position.from_json(file.metadata[_KEY]), file.tensors)


def restore_state(state: State, learner: Learner) -> None:
    """Put a learner, which has entered the state's stage, and random numbers back to where the state was saved. Raises N753."""
    tensors = state.tensors
    with _said_of(state.folder):
        load_whole(learner.net, _part(tensors, "model."))
        if learner.averaged is not None:
            learner.averaged.load(_part(tensors, "mean."))
        parameters = dict(zip(learner.names, learner.parameters(), strict=True))
        for name, tensor in _part(tensors, "optimizer.").items():
            key, _, entry = name.rpartition(".")
            parameter = parameters[key]
            learner.optimizer.state[parameter][entry] = tensor.clone() if entry in _COUNTS else _laid_out_as(parameter, tensor)
        torch.set_rng_state(tensors["random.cpu"])
        if learner.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"], learner.device)


@contextmanager
def _said_of(folder: RunFolder) -> Iterator[None]:
    """What does not fit is a fault of the state file."""
    try:
        yield
    except (KeyError, IndexError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise failure(BrokenRun(str(folder.state), reason)) from error


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def _laid_out_as(parameter: Tensor, tensor: Tensor) -> Tensor:
    """A tensor of an optimiser, laid out in memory as its parameter is, so that the same kernels go on with it."""
    if tensor.shape != parameter.shape:
        raise ValueError(f"the optimiser's state is {tuple(tensor.shape)} where the weight is {tuple(parameter.shape)}")
    return torch.empty_like(parameter, requires_grad=False).copy_(divided_as(parameter, tensor))
