"""Metrics: how good answers are, by the names that the setting `metrics` has.

Three kinds. Means over samples (`accuracy`, `top_k`, `mae`, `mse`) are summed up on the device, in training too. What follows from who was
taken for whom is computed from that table, which is counted on the device. `auc` alone needs the scores of all samples.

Precision, recall, F1 and the area under the curve are scikit-learn's, which is loaded when one of them is asked for. Not torchmetrics':
importing it imports torchvision where that is installed, and a torchvision beside another build of PyTorch (its usual wheel beside
PyTorch's for the CPU) fails with "operator torchvision::nms does not exist", which would take training down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netspec.data.found import IGNORED
from netspec.objectives import WHILE_TRAINING, Objective
from netspec.training.measuring.deciding import activated, decided
from netspec.values import Choice

Each = Callable[[Tensor, Tensor], Tensor]
"""From logits and targets to a figure of each sample, `N`."""

_SCORED: Final = ("precision", "recall", "f1")


def instant(objective: Objective) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """For each of the objective's metrics that is a mean over samples: its sum over a batch, from logits and targets, on the device.

    The accuracy of a mask is here the share of each picture's pixels, which differs a little from that over all pixels where some do not
    count.
    """
    return {name: _summed(of_each) for name, of_each in each(objective).items()}


def _summed(of_each: Each) -> Each:
    return lambda logits, target: of_each(logits, target).sum()


def each(objective: Objective) -> dict[str, Each]:
    """For each of the objective's metrics that is a mean over samples: its figure of each sample."""
    return {metric.name: _each(objective, metric) for metric in objective.metrics if metric.name in WHILE_TRAINING}


def _each(objective: Objective, metric: Choice) -> Each:
    if metric.name == "top_k":
        return lambda logits, target: _among(logits, target, metric.settings["k"])
    if metric.name == "accuracy":
        return lambda logits, target: _right(objective, logits, target)
    power = 1 if metric.name == "mae" else 2
    return lambda logits, target: errors(objective, logits, target, power)


def _among(logits: Tensor, target: Tensor, k: int) -> Tensor:
    """Whether the right class is among the k most probable ones."""
    return (logits.topk(min(k, logits.shape[1]), 1).indices == target[:, None]).any(1)


def _right(objective: Objective, logits: Tensor, target: Tensor) -> Tensor:
    """Whether the class is right; of labels and pixels, which share of them."""
    right = decided(objective, logits) == target
    if objective.kind == "class":
        return right
    if objective.kind == "labels":
        return right.to(logits.dtype).mean(1)
    counted = target != IGNORED
    return (right & counted).sum((1, 2)) / counted.sum((1, 2)).clamp(min=1)


def errors(objective: Objective, logits: Tensor, target: Tensor, power: int) -> Tensor:
    """The mean of each sample's errors, without their signs, to this power."""
    return (activated(objective, logits) - target.to(logits.dtype)).abs().pow(power).flatten(1).mean(1)


def confused(objective: Objective, logits: Tensor, target: Tensor) -> Tensor:
    """Who was taken for whom, counted on the device: `[i, j]` are samples, or pixels that count, of class i taken for class j.

    Of labels `K x 2 x 2`: for each label the samples without it and with it, taken to be without it and with it.
    """
    said, classes = decided(objective, logits), objective.classes
    if objective.kind == "labels":
        there = target.long()
        return torch.stack([((there == i) & (said == j)).sum(0) for i in (0, 1) for j in (0, 1)], 1).view(classes, 2, 2)
    cells = target.long() * classes + said
    if objective.kind == "mask":
        cells = cells.where(target != IGNORED, classes * classes)
    return torch.bincount(cells.flatten(), minlength=classes * classes + 1)[: classes * classes].view(classes, classes)


def from_confusion(metric: str, confusion: Tensor) -> float | None:
    """A metric of classes, labels or masks from what :func:`confused` has counted; ``None`` where it is not defined.

    Precision, recall, F1, IoU and dice are means over the classes that occur, in the data or among the answers; the first three of two
    classes are those of the second alone, as scikit-learn's. What is never answered has a precision of 0, and what is not in the data a
    recall of 0. IoU is that of Everingham et al., 2010: what is right, divided by all that is of the class or was taken for it.
    """
    counts = confusion.double()
    if not float(counts.sum()):
        return None
    if metric == "accuracy":
        return float(counts.diagonal(dim1=-2, dim2=-1).sum() / counts.sum())
    if metric in _SCORED:
        return _scored(metric, confusion.numpy())
    right, of_class, taken = counts.diagonal(), counts.sum(1), counts.sum(0)
    occurs = of_class + taken > 0
    figure = right / (of_class + taken - right) if metric == "miou" else 2 * right / (of_class + taken)
    return float(figure[occurs].mean())


def _scored(metric: str, confusion: NDArray[np.int64]) -> float | None:
    """Precision, recall or F1 as scikit-learn has them, of one sample for each cell of the table that weighs as much as the cell counts."""
    from sklearn.metrics import precision_recall_fscore_support

    truth, said, weight, occurring = _as_labels(confusion) if confusion.ndim == 3 else _as_classes(confusion)
    if not len(occurring):
        return None
    figures = precision_recall_fscore_support(truth, said, labels=occurring, sample_weight=weight, average="macro", zero_division=0)
    return float(figures[_SCORED.index(metric)])


Table = NDArray[np.int64]


def _as_classes(confusion: Table) -> tuple[Table, Table, Table, Table]:
    truth, said = confusion.nonzero()
    occurring = np.union1d(truth, said)
    return truth, said, confusion[truth, said], occurring if len(confusion) > 2 else occurring[occurring == 1]


def _as_labels(confusion: Table) -> tuple[Table, Table, Table, Table]:
    """A row speaks of one label and says of all others that they are absent, which none of these metrics counts."""
    label, truth, said = confusion.nonzero()
    rows = np.arange(len(label))
    truths, answers = np.zeros((2, len(label), len(confusion)), dtype=np.int64)
    truths[rows, label], answers[rows, label] = truth, said
    return truths, answers, confusion[label, truth, said], np.unique(label[(truth | said) == 1])


def scores(objective: Objective, logits: Tensor) -> Tensor:
    """What orders samples by how much they are of each class, `N x K`; of two classes told apart by one output, of the second, `N x 1`."""
    if objective.loss.name == "contrastive":
        return -activated(objective, logits)
    return logits if objective.kind == "labels" or objective.binary else logits.log_softmax(1)


def auc(truth: Tensor, scores: Tensor) -> float | None:
    """The area under the ROC curve (`sklearn.metrics.roc_auc_score`): of two classes, or the mean over the classes or labels, each against
    all others. Those that all samples have, or none, have no curve and are left out; ``None`` where no other is.

    ``truth`` are classes, `N`, or labels, `N x K`; ``scores`` are `N x 1` for two classes, `N x K` else.
    """
    from sklearn.metrics import roc_auc_score

    numbers = torch.tensor([1]) if scores.shape[1] == 1 else torch.arange(scores.shape[1])
    there = truth.long() == 1 if truth.ndim == 2 else truth[:, None] == numbers
    curved = there.any(0) & ~there.all(0)
    if not bool(curved.any()):
        return None
    areas = [roc_auc_score(there[:, k].numpy(), scores[:, k].numpy()) for k in curved.nonzero()[:, 0].tolist()]
    return float(np.mean(areas))


UNDEFINED: Final[Mapping[str, str]] = {
    "auc": "there is no curve where all samples are of one class",
    **dict.fromkeys(_SCORED, "nothing is of the classes that it is about, and nothing was taken for them"),
    **dict.fromkeys(("accuracy", "miou", "dice"), "no pixel counts"),
}
"""Why a metric may have no figure, by its name."""
