"""Losses, optimisers and schedules: from settings to what PyTorch runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import cos, pi
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from netspec.report.models import NamedSettings

Loss = Callable[[Tensor, Tensor], Tensor]
"""The mean loss of a batch, from logits (`N x outputs`) and labels (`N`)."""

_OPTIMIZERS: Final[dict[str, Callable[..., Optimizer]]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
}


def make_optimizer(chosen: NamedSettings, parameters: Iterable[nn.Parameter]) -> Optimizer:
    """The optimiser over the parameters that learn."""
    return _OPTIMIZERS[chosen.name](list(parameters), **chosen.settings)


def make_loss(chosen: NamedSettings) -> Loss:
    """The loss on logits."""
    if chosen.name == "binary_cross_entropy":
        return lambda logits, labels: functional.binary_cross_entropy_with_logits(logits[:, 0], labels.to(logits.dtype))
    smoothing = chosen.settings["label_smoothing"]
    return lambda logits, labels: functional.cross_entropy(logits, labels, label_smoothing=smoothing)


def learning_rate(chosen: NamedSettings, lr: float, step: int, steps: int) -> float:
    """The learning rate of step ``step`` (from 0) out of ``steps``.

    `cosine` rises linearly over the first ``warmup steps`` and then follows `lr (1 + cos(pi t)) / 2`, t from 0 to 1
    (Loshchilov and Hutter, 2016, equation 5).
    """
    if chosen.name == "constant":
        return lr
    rising: int = round(chosen.settings["warmup"] * steps)
    if step < rising:
        return lr * (step + 1) / rising
    return lr * (1 + cos(pi * (step - rising) / max(steps - rising, 1))) / 2


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
