"""What learns: a net, the optimiser of its stage, and a running mean of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from netspec.backends.torch import CompiledNet
from netspec.report.models import StageSettings
from netspec.training.learning.averaging import Averaged
from netspec.training.learning.optimise import carry_over, grouped, make_optimizer


@dataclass
class Learner:
    """A net in training. :meth:`enter` begins a stage."""

    net: CompiledNet
    device: torch.device
    averaged: Averaged | None = None
    root: nn.Module | None = None
    """What runs the net where its weights are divided among processes (:mod:`~netspec.training.devices.sharding`)."""
    names: list[str] = field(default_factory=list)
    """The keys of the parameters that learn, in the order in which the optimiser has them."""
    kind: str = ""
    optimizer: Optimizer = field(init=False)

    def enter(self, stage: StageSettings, frozen: frozenset[str]) -> None:
        """Let exactly what is not frozen learn. What goes on to learn keeps its state where the optimiser is of the same kind."""
        before = dict(zip(self.names, _flat(self.optimizer), strict=True)) if self.kind else {}
        state = self.optimizer.state if self.kind == stage.optimizer.name else {}
        self.net.freeze(frozen)
        self.net.zero_grad(set_to_none=True)
        if self.averaged is not None:
            self.averaged.settle(self.net)
        learning = {key: p for key, p in self.net.named_parameters() if p.requires_grad}
        groups = grouped(self.net.graph, learning, stage)
        self.names = [key for keys in groups.values() for key in keys]
        self.optimizer = make_optimizer(stage.optimizer, {group: [learning[key] for key in keys] for group, keys in groups.items()})
        kept: dict[Tensor, dict[str, Any]] = {learning[key]: state[p] for key, p in before.items() if key in learning and p in state}
        carry_over(self.optimizer, kept)
        self.kind = stage.optimizer.name

    def parameters(self) -> list[Tensor]:
        """The parameters that learn, in the order of ``names``."""
        return _flat(self.optimizer)

    def weights(self) -> dict[str, Tensor]:
        """The weights to measure, keep and use: the running means where there are any."""
        return self.net.state_dict() if self.averaged is None else self.averaged.weights(self.net)

    @contextmanager
    def evaluated(self) -> Iterator[None]:
        """Meanwhile the net has the weights to use, and is in inference mode."""
        self.net.eval()
        if self.averaged is None:
            yield
            return
        with self.averaged.in_place(self.net):
            yield


def _flat(optimizer: Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]
