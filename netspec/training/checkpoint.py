"""The state of a training in one file: weights, optimiser, random numbers and how far it has come.

``state.safetensors`` alone decides where a resumed run goes on, and it is replaced whole; every other file of a run can be made
again from it. It holds tensors and JSON, nothing that could run code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from netspec.backends.torch.weights import read_file, write_weights
from netspec.diagnostics import failure
from netspec.diagnostics.running import BrokenRun
from netspec.report.models import BestEpoch, EpochRow
from netspec.training.folder import RunFolder

_KEY = "netspec.state"


@dataclass
class Position:
    """How far a training has come: whole epochs, steps of the epoch under way, and what these steps have summed up."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    seconds: float = 0.0
    rows: list[EpochRow] = field(default_factory=list)
    best: BestEpoch | None = None

    def to_json(self) -> str:
        plain = dict(vars(self))
        plain["rows"] = [row.model_dump() for row in self.rows]
        plain["best"] = None if self.best is None else self.best.model_dump()
        return json.dumps(plain)

    @classmethod
    def from_json(cls, text: str) -> Position:
        plain = json.loads(text)
        plain["rows"] = [EpochRow.model_validate(row) for row in plain["rows"]]
        plain["best"] = None if plain["best"] is None else BestEpoch.model_validate(plain["best"])
        return cls(**plain)


def save_state(folder: RunFolder, net: nn.Module, optimizer: Optimizer, device: torch.device, position: Position) -> None:
    """Replace ``state.safetensors``; raises N810 where that fails, and the old state still stands."""
    tensors = {f"model.{key}": tensor for key, tensor in net.state_dict().items()}
    for index, entries in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in entries.items() if isinstance(value, Tensor)}
    tensors["random.cpu"] = torch.get_rng_state()
    if device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(device)
    ready = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
    write_weights(folder.state, ready, {_KEY: position.to_json()})


def load_state(folder: RunFolder, net: nn.Module, optimizer: Optimizer, device: torch.device) -> Position:
    """Put net, optimiser and random numbers back to where the state was saved. Raises N80x or N753 where the file is damaged."""
    file = read_file(folder.state)
    tensors = file.tensors
    try:
        position = Position.from_json(file.metadata[_KEY])
        net.load_state_dict(_part(tensors, "model."))
        state = _by_index(_part(tensors, "optimizer."), optimizer.param_groups[0]["params"])
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
        torch.set_rng_state(tensors["random.cpu"])
        if device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"], device)
    except (KeyError, IndexError, ValueError, TypeError, RuntimeError) as error:
        raise failure(BrokenRun(str(folder.state), str(error).splitlines()[0])) from error
    return position


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def _by_index(tensors: Mapping[str, Tensor], parameters: Sequence[Tensor]) -> dict[int, dict[str, Any]]:
    """``0.exp_avg`` to ``{0: {"exp_avg": …}}``, laid out in memory as the parameter is, so that the same kernels go on with it."""
    state: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        parameter = parameters[int(index)]
        same = (
            torch.empty_like(parameter, requires_grad=False).copy_(tensor) if tensor.shape == parameter.shape and tensor.dim() else tensor
        )
        state.setdefault(int(index), {})[name] = same
    return state
