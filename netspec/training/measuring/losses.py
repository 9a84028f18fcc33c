"""Losses: from an objective to functions of logits and targets.

Logits and targets are as :class:`~netspec.data.samples.Batch` and ``deciding.decided`` have them; a mask's pixels
with 255 count in no loss. All is computed where the logits are, and nothing waits for it: numbers that a loss needs are copied there once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from netspec.data.found import IGNORED
from netspec.objectives import MEASURING, Objective
from netspec.training.measuring.deciding import activated

_AT_A_TIME: Final = 256
"""How many masks are counted at a time."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""From the logits of a batch (`N x outputs`, of masks `N x C x H x W`) and its targets to a loss."""


Together = Callable[..., tuple[Tensor, ...]]
"""From sums over this process's samples of a batch to those over the samples of all processes: see
:class:`~netspec.training.devices.synchronised.Together`."""


def _own(*own: Tensor) -> tuple[Tensor, ...]:
    return own


OWN: Final[Together] = _own


def make_loss(objective: Objective, target_values: Tensor | None = None, together: Together = OWN) -> Loss:
    """The mean loss of a batch, as it is trained on. ``target_values`` are all targets of the training, on the CPU, where
    :func:`needs_targets` says so.

    Of several processes, each gives either the mean over its own samples, or, where a loss is divided by what is in the batch (weights
    of classes, pixels that count, the size of what is to be found), that over the samples of ``together``: the mean over the
    processes, each by its samples, is in both cases the loss of the whole batch.
    """
    return _TRAINED[objective.loss.name](objective, target_values, together)


def plain_loss(objective: Objective) -> Loss:
    """The loss of each sample, `N`, as validation and test report it: without smoothing, weights and focus.

    Of classes that is the cross entropy, of labels its mean over the labels, of masks the mean over the pixels that count, 0 where none
    does; all in nats. Losses of numbers, the contrastive loss and dice are themselves; dice is then of each sample by itself.
    """
    name = objective.loss.name
    if name in MEASURING:
        return lambda logits, target: _of_numbers(objective, activated(objective, logits), target, "none").flatten(1).mean(1)
    if name == "contrastive":
        return lambda logits, target: _contrastive_each(objective, logits, target)
    if name == "dice":
        return lambda logits, target: _dice_each(objective, logits, target)
    return _pixel_means if objective.kind == "mask" else _cross_entropies


def needs_targets(objective: Objective) -> bool:
    """Whether the loss goes by how often each class occurs in the training."""
    return bool(objective.loss.settings.get("weight") == "balanced")


def balanced(values: Tensor, classes: int) -> list[float]:
    """N / (K n) for each class (King and Zeng, 2001): every class counts as much as any other. One that does not occur counts 1.

    ``values`` are classes, or masks, of which pixels are counted.
    """
    counts = _counts(values, classes)
    return [sum(counts) / (classes * n) if n else 1.0 for n in counts]


def _counts(values: Tensor, classes: int) -> list[int]:
    counts = torch.zeros(classes, dtype=torch.int64)
    for start in range(0, len(values), _AT_A_TIME):
        part = values[start : start + _AT_A_TIME].flatten()
        counts += torch.bincount(part, minlength=max(classes, IGNORED + 1))[:classes]
    counted: list[int] = counts.tolist()
    return counted


class _Numbers:
    """Numbers that a step needs beside its logits: copied there once, as each copy makes the host wait."""

    def __init__(self, values: Sequence[float] | float) -> None:
        self._values = values
        self._there: Tensor | None = None

    def beside(self, logits: Tensor) -> Tensor:
        if self._there is None or self._there.device != logits.device or self._there.dtype != logits.dtype:
            self._there = torch.tensor(self._values, dtype=logits.dtype, device=logits.device)
        return self._there


def _class_weights(objective: Objective, values: Tensor | None) -> _Numbers | None:
    weight = objective.loss.settings.get("weight")
    if weight == "balanced":
        assert values is not None
        weight = balanced(values, objective.classes)
    return None if weight is None else _Numbers(list(weight))


def _cross_entropy(objective: Objective, values: Tensor | None, together: Together) -> Loss:
    weights, smoothing = _class_weights(objective, values), objective.loss.settings.get("label_smoothing", 0.0)

    def of_classes(logits: Tensor, target: Tensor) -> Tensor:
        weight = weights.beside(logits) if weights else None
        if weight is None or together is OWN:
            return functional.cross_entropy(logits, target, weight=weight, label_smoothing=smoothing)
        each = functional.cross_entropy(logits, target, weight=weight, label_smoothing=smoothing, reduction="none")
        return _weighted_mean(each, target, torch.ones_like(target), weight, together)

    def of_pixels(logits: Tensor, target: Tensor) -> Tensor:
        weight, target = weights.beside(logits) if weights else None, target.long()
        # Sums made inside would be added up on CUDA in no certain order.
        each = functional.cross_entropy(logits, target, weight, ignore_index=IGNORED, reduction="none", label_smoothing=smoothing)
        return _weighted_mean(each, *_known(target), weight, together)

    return of_pixels if objective.kind == "mask" else of_classes


def _known(target: Tensor) -> tuple[Tensor, Tensor]:
    """The classes of pixels, 0 where they count for nothing, and which count."""
    counted = target != IGNORED
    return target.where(counted, 0), counted


def _weighted_mean(each: Tensor, target: Tensor, counted: Tensor, weight: Tensor | None, together: Together) -> Tensor:
    """The sum of what counts, divided by the weights in it as `torch.nn.CrossEntropyLoss` is; 0 where nothing counts."""
    whole = counted.sum().to(each.dtype) if weight is None else (weight[target] * counted).sum()
    total, whole = together(each.sum(), whole)
    return total / whole.clamp(min=torch.finfo(each.dtype).tiny)


def _binary_cross_entropy(objective: Objective, values: Tensor | None, together: Together) -> Loss:
    weights = _positive_weight(objective, values)

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        weight = weights.beside(logits) if weights else None
        if objective.kind == "mask":
            return _pixel_mean(_binary_pixels(logits, target, weight), target, together)
        logits = logits if objective.kind == "labels" else logits[:, 0]
        return functional.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), pos_weight=weight)

    return loss


def _binary_pixels(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """The cross entropy of each pixel, 0 where it does not count."""
    second = (target == 1).to(logits.dtype)
    each = functional.binary_cross_entropy_with_logits(logits[:, 0], second, pos_weight=weight, reduction="none")
    return each * (target != IGNORED)


def _positive_weight(objective: Objective, values: Tensor | None) -> _Numbers | None:
    """What the second of two classes counts for, or each label that is there; `balanced` is how many are not for each that is."""
    weight = objective.loss.settings.get("weight", 1.0)
    if weight != "balanced":
        return None if weight == 1 else _Numbers(weight)
    assert values is not None
    if objective.kind == "labels":
        there = (values > 0.5).sum(0).tolist()
        return _Numbers([_share(len(values) - n, n) for n in there])
    return _Numbers(_share(*_counts(values, 2)))


def _share(absent: int, there: int) -> float:
    return absent / there if absent and there else 1.0


def _focal(objective: Objective, values: Tensor | None, together: Together) -> Loss:
    """Lin et al., 2017, equation 5: the mean of `-w (1 - p)^gamma log p`, divided by the weights in the batch as `cross_entropy` is."""
    weights, gamma = _class_weights(objective, values), objective.loss.settings["gamma"]

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        weight = weights.beside(logits) if weights else None
        target, counted = _known(target.long()) if objective.kind == "mask" else (target, torch.ones_like(target, dtype=torch.bool))
        log = _two(logits).log_softmax(1).gather(1, target[:, None])[:, 0]
        wrong = torch.expm1(log).neg().clamp(min=torch.finfo(log.dtype).tiny)  # the slope of a root at 0 is infinite
        each = -(wrong**gamma) * log * counted
        return _weighted_mean(each if weight is None else each * weight[target], target, counted, weight, together)

    return loss


def _two(logits: Tensor) -> Tensor:
    """Logits of both classes where there is one: `sigmoid(z)` is the second of `softmax(0, z)`."""
    return torch.cat([torch.zeros_like(logits), logits], 1) if logits.shape[1] == 1 else logits


def _numbers(objective: Objective, values: Tensor | None, together: Together) -> Loss:
    return lambda logits, target: _of_numbers(objective, activated(objective, logits), target, "mean")


def _of_numbers(objective: Objective, numbers: Tensor, target: Tensor, reduction: str) -> Tensor:
    target = target.to(numbers.dtype)
    if objective.loss.name == "mae":
        return functional.l1_loss(numbers, target, reduction=reduction)
    if objective.loss.name == "mse":
        return functional.mse_loss(numbers, target, reduction=reduction)
    return functional.huber_loss(numbers, target, reduction=reduction, delta=objective.loss.settings["delta"])


def _contrastive(objective: Objective, values: Tensor | None, together: Together) -> Loss:
    return lambda logits, target: _contrastive_each(objective, logits, target).mean()


def _contrastive_each(objective: Objective, logits: Tensor, target: Tensor) -> Tensor:
    """Hadsell, Chopra and LeCun, 2006, equation 4, of a distance d: half of `d^2` for two of one class (1), of `max(0, margin - d)^2` for
    others (0)."""
    distance, same = activated(objective, logits)[:, 0], target.to(logits.dtype)
    margin: float = objective.loss.settings["margin"]
    return (same * distance.square() + (1 - same) * (margin - distance).clamp(min=0).square()) / 2


def _dice(objective: Objective, values: Tensor | None, together: Together) -> Loss:
    added = objective.loss.settings["cross_entropy"]

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        dice = 1 - _overlap(objective, logits, target, (0, 2, 3), together).mean()
        return dice + added * _pixel_mean(_pixel_losses(logits, target), target, together) if added else dice

    return loss


def _dice_each(objective: Objective, logits: Tensor, target: Tensor) -> Tensor:
    added = objective.loss.settings["cross_entropy"]
    dice = 1 - _overlap(objective, logits, target, (2, 3)).mean(1)
    each: Tensor = dice + added * _pixel_means(logits, target) if added else dice
    return each


def _overlap(objective: Objective, logits: Tensor, target: Tensor, over: tuple[int, ...], together: Together = OWN) -> Tensor:
    """How well each class is covered: `(2 sum p g + s) / (sum p^2 + sum g^2 + s)` for the probabilities p and the mask g of the class,
    which is 0 or 1 (Milletari, Navab and Ahmadi, 2016, section 3; s is `smooth`, which they have not). Of two classes told apart by
    one output, the second alone."""
    counted, smooth = (target != IGNORED)[:, None], objective.loss.settings["smooth"]
    if logits.shape[1] == 1:
        probability, there = logits.sigmoid(), (target == 1)[:, None]
    else:
        numbers = torch.arange(logits.shape[1], device=logits.device, dtype=target.dtype)[:, None, None]
        probability, there = logits.softmax(1), target[:, None] == numbers
    probability = probability * counted
    both, size = together((probability * there).sum(over), (probability**2).sum(over) + there.sum(over))
    covered: Tensor = (2 * both + smooth) / (size + smooth).clamp(min=torch.finfo(logits.dtype).tiny)
    return covered


def _cross_entropies(logits: Tensor, target: Tensor) -> Tensor:
    """The cross entropy of each sample, of its labels the mean."""
    if target.ndim == 2:
        return functional.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none").mean(1)
    if logits.shape[1] == 1:
        return functional.binary_cross_entropy_with_logits(logits[:, 0], target.to(logits.dtype), reduction="none")
    return functional.cross_entropy(logits, target, reduction="none")


def _pixel_losses(logits: Tensor, target: Tensor) -> Tensor:
    if logits.shape[1] == 1:
        return _binary_pixels(logits, target)
    return functional.cross_entropy(logits, target.long(), ignore_index=IGNORED, reduction="none")


def _pixel_mean(losses: Tensor, target: Tensor, together: Together) -> Tensor:
    """The mean over the pixels of a batch that count."""
    total, counted = together(losses.sum(), (target != IGNORED).sum().to(losses.dtype))
    return total / counted.clamp(min=1)


def _pixel_means(logits: Tensor, target: Tensor) -> Tensor:
    """The mean cross entropy of each sample's pixels that count."""
    counted: Tensor = (target != IGNORED).sum((1, 2))
    return _pixel_losses(logits, target).sum((1, 2)) / counted.clamp(min=1)


_TRAINED: Final[Mapping[str, Callable[[Objective, Tensor | None, Together], Loss]]] = {
    "cross_entropy": _cross_entropy,
    "binary_cross_entropy": _binary_cross_entropy,
    "focal": _focal,
    "dice": _dice,
    "mae": _numbers,
    "mse": _numbers,
    "huber": _numbers,
    "contrastive": _contrastive,
}
