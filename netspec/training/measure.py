"""How good a net is on a split: accuracy, loss and who is taken for whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from netspec.data import ImageSet
from netspec.diagnostics import failure
from netspec.diagnostics.running import OutputNotFinite
from netspec.report.models import ClassFigures, Figures
from netspec.training.batches import batch_bounds
from netspec.training.optimise import decided

Score = Callable[[Tensor], Tensor]
"""From a batch of bytes (`N x C x H x W`) to logits (`N x outputs`)."""


@dataclass(frozen=True)
class Measures:
    """The mean cross entropy (without smoothing, in nats) and the confusion: ``[i, j]`` counts images of class i taken for class j."""

    loss: float
    confusion: Tensor

    @property
    def images(self) -> int:
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        return int(self.confusion.diagonal().sum()) / self.images

    def figures(self) -> Figures:
        return Figures(images=self.images, accuracy=self.accuracy, loss=self.loss)

    def by_class(self, classes: tuple[str, ...]) -> tuple[ClassFigures, ...]:
        counts, right = self.confusion.sum(1).tolist(), self.confusion.diagonal().tolist()
        return tuple(
            ClassFigures(label=c, images=n, correct=r, accuracy=r / n if n else None)
            for c, n, r in zip(classes, counts, right, strict=True)
        )


def measure(score: Score, images: ImageSet, classes: int, batch: int, proceed: Callable[[], None] | None = None) -> Measures:
    """Run every image of a split through the net once. ``proceed`` is called after each batch, and may raise to break off.

    Raises N951 where an answer is not finite.
    """
    confusion = torch.zeros(classes * classes, dtype=torch.int64)
    total = 0.0
    order = torch.arange(len(images))
    bounds = batch_bounds(len(images), batch)
    with torch.inference_mode():
        for (start, _), (pixels, labels) in zip(bounds, images.batches(order, bounds), strict=True):
            logits = score(pixels)
            labels = labels.to(logits.device)
            losses = cross_entropies(logits, labels)
            _check_finite(losses, images, start)
            total += float(losses.double().sum()) if losses.device.type != "mps" else float(losses.sum())
            confusion += torch.bincount(labels * classes + decided(logits), minlength=classes * classes).cpu()
            if proceed is not None:
                proceed()
    return Measures(total / len(images), confusion.view(classes, classes))


def cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    """The cross entropy of each image, in nats."""
    if logits.shape[1] == 1:
        return functional.binary_cross_entropy_with_logits(logits[:, 0], labels.to(logits.dtype), reduction="none")
    return functional.cross_entropy(logits, labels, reduction="none")


def _check_finite(losses: Tensor, images: ImageSet, start: int) -> None:
    finite = torch.isfinite(losses)
    if not bool(finite.all()):
        raise failure(OutputNotFinite(images.name(start + int((~finite).nonzero()[0]))))
