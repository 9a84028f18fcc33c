"""From the logits of an output to what it says of each image: a class, labels, numbers, or a class for each pixel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from netspec.inference.model import Model
from netspec.objectives import Objective
from netspec.report.models import Answer, ClassAnswer, ClassShare, LabelProbability, LabelsAnswer, MaskAnswer, NumberAnswer
from netspec.training.measuring.deciding import activated, decided


def answers(model: Model, objective: Objective, logits: Tensor, top: int) -> Iterator[Answer]:
    """The answer of one output to each image of a batch. What counts as there is what evaluation counts: labels above 0.5."""
    classes = model.named.get(objective.target, ())
    if objective.kind == "mask":
        return _of_masks(decided(objective, logits), classes)
    if objective.kind == "number" or objective.loss.name == "contrastive":  # a distance is no probability
        return _of_numbers(model, objective, activated(objective, logits))
    if objective.kind == "labels":
        return _of_labels(torch.sigmoid(logits), decided(objective, logits), classes, top)
    return _of_classes(_probabilities(objective, logits), classes, top)


def _probabilities(objective: Objective, logits: Tensor) -> Tensor:
    """A probability for each class, `N x classes`."""
    if not objective.binary:
        return torch.softmax(logits, 1)
    second = torch.sigmoid(logits)
    return torch.cat([1 - second, second], 1)


def _of_classes(probabilities: Tensor, classes: Sequence[str], top: int) -> Iterator[ClassAnswer]:
    for row in probabilities:
        ranked = _ranked(row, classes)
        yield ClassAnswer(kind="class", label=ranked[0].label, probability=ranked[0].probability, top=ranked[: max(top, 1)])


def _of_labels(probabilities: Tensor, there: Tensor, classes: Sequence[str], top: int) -> Iterator[LabelsAnswer]:
    for row, said in zip(probabilities, there.tolist(), strict=True):
        ranked = _ranked(row, classes)
        present = {label for label, one in zip(classes, said, strict=True) if one}
        yield LabelsAnswer(kind="labels", labels=tuple(p for p in ranked if p.label in present), top=ranked[: max(top, 1)])


def _of_numbers(model: Model, objective: Objective, values: Tensor) -> Iterator[NumberAnswer]:
    source = model.sources.get(objective.target)
    columns = tuple(source.settings["names"]) if source is not None and source.name == "column" else ()
    names = columns if len(columns) == values.shape[1] > 1 else ()
    for row in values.tolist():
        yield NumberAnswer(kind="number", values=tuple(row), names=names)


def _of_masks(masks: Tensor, classes: Sequence[str]) -> Iterator[MaskAnswer]:
    for mask in masks:
        counts = torch.bincount(mask.flatten(), minlength=len(classes)).tolist()
        shares = (ClassShare(label=c, share=n / mask.numel()) for c, n in zip(classes, counts, strict=True))
        yield MaskAnswer(kind="mask", shares=tuple(shares))


def _ranked(row: Tensor, classes: Sequence[str]) -> tuple[LabelProbability, ...]:
    """The most probable first, of equals the first in the net's order."""
    values, indices = row.sort(descending=True, stable=True)
    return tuple(LabelProbability(label=classes[i], probability=v) for v, i in zip(values.tolist(), indices.tolist(), strict=True))
