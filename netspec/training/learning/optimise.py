"""Optimisers: from settings to what PyTorch runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch.optim import Optimizer

from netspec.freezing import factors
from netspec.graph import Graph
from netspec.report.models import NamedSettings, StageSettings

_OPTIMIZERS: Final[dict[str, Callable[..., Optimizer]]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "nadam": torch.optim.NAdam,
    "adagrad": torch.optim.Adagrad,
}


@dataclass(frozen=True)
class Group:
    """Parameters that learn alike: ``factor`` times the learning rate, with or without weight decay."""

    factor: float = 1.0
    decays: bool = True


def grouped(graph: Graph, keys: Iterable[str], stage: StageSettings) -> dict[Group, list[str]]:
    """The keys of the parameters that learn, by how they do: those that decay first."""
    meant = None if stage.decay == "all" else decaying(graph)
    factor_of = factors(graph, stage.rates)
    owner = {key: node.path for key, _, node in graph.weights()}
    found: dict[Group, list[str]] = {}
    for key in keys:
        found.setdefault(Group(factor_of.get(owner[key], 1.0), meant is None or key in meant), []).append(key)
    return dict(sorted(found.items(), key=lambda item: (not item[0].decays, -item[0].factor)))


def make_optimizer(chosen: NamedSettings, groups: Mapping[Group, Sequence[Tensor]]) -> Optimizer:
    """The optimiser over the parameters that learn, a group of its own for each that do so in another way."""
    lr = chosen.settings["lr"]
    made: list[dict[str, Any]] = []
    for group, parameters in groups.items():
        made.append({"params": list(parameters), "factor": group.factor, "lr": lr * group.factor})
        if not group.decays:
            made[-1]["weight_decay"] = 0.0
    return _OPTIMIZERS[chosen.name](made, **chosen.settings)


def decaying(graph: Graph) -> frozenset[str]:
    """The keys that weight decay is meant for: no biases, no norms (tensors with one axis), and no learned tokens and tables."""
    return frozenset(
        key
        for key, weight, node in graph.weights()
        if weight.parameter and len(weight.shape) > 1 and key != node.path and not key.endswith("bias")
    )


def carry_over(optimizer: Optimizer, state: Mapping[Tensor, Mapping[str, Any]]) -> None:
    """Give parameters the state that they had in an optimiser of the same kind; what that did not keep starts at 0."""
    settings = optimizer.defaults
    wanted = [n for n, asked in (("momentum_buffer", settings.get("momentum")), ("grad_avg", settings.get("centered"))) if asked]
    for parameter, entries in state.items():
        fresh = {name: torch.zeros_like(parameter) for name in wanted} if isinstance(optimizer, torch.optim.RMSprop) else {}
        optimizer.state[parameter] = {**fresh, **entries}


def set_learning_rate(optimizer: Optimizer, lr: float) -> None:
    """Use this learning rate from now on, each group its own share of it."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["factor"]
