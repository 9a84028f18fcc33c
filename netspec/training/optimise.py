"""Optimisers: from settings to what PyTorch runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import torch
from torch import Tensor
from torch.optim import Optimizer

from netspec.graph import Graph
from netspec.report.models import NamedSettings

_OPTIMIZERS: Final[dict[str, Callable[..., Optimizer]]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "nadam": torch.optim.NAdam,
    "adagrad": torch.optim.Adagrad,
}


def make_optimizer(chosen: NamedSettings, parameters: Iterable[Tensor], without_decay: Iterable[Tensor] = ()) -> Optimizer:
    """The optimiser over the parameters that learn; those given apart have no weight decay."""
    decayed, plain = list(parameters), list(without_decay)
    groups: list[dict[str, Any]] = [{"params": decayed}] if decayed else []
    if plain:
        groups.append({"params": plain, "weight_decay": 0.0})
    return _OPTIMIZERS[chosen.name](groups, **chosen.settings)


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
    """Use this learning rate from now on."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def correct(logits: Tensor, labels: Tensor) -> Tensor:
    """How many logits (`N x outputs`) say the right label, as a tensor on the device."""
    return (decided(logits) == labels).sum()


def decided(logits: Tensor) -> Tensor:
    """The class each row of logits says: the largest, or, of one, whether it is above 0."""
    return (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(1)
