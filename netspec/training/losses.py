"""Losses: from settings to functions of logits and labels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from netspec.report.models import NamedSettings

Loss = Callable[[Tensor, Tensor], Tensor]
"""The mean loss of a batch, from logits (`N x outputs`) and labels (`N`)."""


def make_loss(chosen: NamedSettings, labels: Tensor | None = None, classes: int = 2) -> Loss:
    """The loss on logits. ``labels`` are those of all training images, which `balanced` weights go by."""
    settings = chosen.settings
    weight = settings.get("weight")
    if weight == "balanced":
        assert labels is not None
        weight = balanced(labels, classes)
    if chosen.name == "binary_cross_entropy":
        return _binary(weight[1] / weight[0] if isinstance(weight, list) else float(weight or 1))
    if chosen.name == "focal":
        return _focal(settings["gamma"], weight)
    smoothing = settings["label_smoothing"]
    if weight is None:
        return lambda logits, labels: functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    return lambda logits, labels: functional.cross_entropy(
        logits, labels, weight=torch.tensor(weight, dtype=logits.dtype, device=logits.device), label_smoothing=smoothing
    )


def balanced(labels: Tensor, classes: int) -> list[float]:
    """N / (K n) for each class (King and Zeng, 2001): every class counts as much as any other. One without images counts 1."""
    counts = torch.bincount(labels.cpu(), minlength=classes).tolist()
    return [sum(counts) / (classes * n) if n else 1.0 for n in counts]


def _binary(weight: float) -> Loss:
    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        positive = None if weight == 1 else torch.tensor(weight, dtype=logits.dtype, device=logits.device)
        return functional.binary_cross_entropy_with_logits(logits[:, 0], labels.to(logits.dtype), pos_weight=positive)

    return loss


def _focal(gamma: float, weight: list[float] | None) -> Loss:
    """Lin et al., 2017, equation 5: the mean of `-w (1 - p)^gamma log p`, divided by the weights in the batch as `cross_entropy` is."""

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        if logits.shape[1] == 1:
            logits = torch.cat([torch.zeros_like(logits), logits], 1)  # sigmoid(z) is the second of softmax(0, z)
        log = functional.log_softmax(logits, 1).gather(1, labels[:, None])[:, 0]
        each = -((1 - log.exp()).clamp(min=0) ** gamma) * log
        if weight is None:
            return each.mean()
        counts = torch.tensor(weight, dtype=logits.dtype, device=logits.device)[labels]
        return (each * counts).sum() / counts.sum()

    return loss
