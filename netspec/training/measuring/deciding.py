"""What an output says: from logits to a class, to labels that are there or not, or to numbers."""

from __future__ import annotations

from torch import Tensor

from netspec.objectives import Objective


def activated(objective: Objective, logits: Tensor) -> Tensor:
    """The net's own output, where a loss is of that and not of logits: for numbers and distances the activation that ends the net is
    applied. Anything else is given back as it is."""
    if objective.kind != "number" and objective.loss.name != "contrastive":
        return logits
    if objective.ending == "softmax":
        return logits.softmax(1)
    return logits.sigmoid() if objective.ending == "sigmoid" else logits


def decided(objective: Objective, logits: Tensor) -> Tensor:
    """What logits say, as whole numbers: the largest of several, or, of one, whether it is above 0.

    `N` classes; for a mask the class of each pixel, `N x H x W`; for labels `N x K` of 0 and 1. Two samples are of one class where their
    distance is below half the margin. Raises :class:`ValueError` for numbers, which decide nothing.
    """
    if objective.kind == "number":
        raise ValueError(f"{objective.output} gives numbers")
    if objective.loss.name == "contrastive":
        margin: float = objective.loss.settings["margin"]
        return (activated(objective, logits)[:, 0] < margin / 2).long()
    if objective.kind == "labels":
        return (logits > 0).long()
    if objective.binary:
        return (logits[:, 0] > 0).long()
    return logits.max(1).indices  # of equals the first, as argmax, which takes twice as long over channels
