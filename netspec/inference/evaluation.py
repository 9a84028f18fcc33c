"""Evaluation: how good a trained model is on data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from netspec.data import Division, ImageSet, Splits, open_data
from netspec.diagnostics import failure
from netspec.diagnostics.data import ClassesDiffer, NoSuchSplit
from netspec.diagnostics.running import DivisionChanged, DivisionUnknown
from netspec.diagnostics.sizes import OpenInput
from netspec.diagnostics.text import escape
from netspec.inference.model import Model, open_model
from netspec.report.models import Evaluation
from netspec.training.measure import measure

_BATCH: Final = 256
_WHOLE: Final = Division(whole=True)


def evaluate(
    model: str | os.PathLike[str] | Model,
    data: str | os.PathLike[str],
    *,
    split: str | None = None,
    device: str = "auto",
    batch: int = _BATCH,
) -> Evaluation:
    """Accuracy, mean cross entropy (nats), the figures of each class and the confusion of a model on one split of data.

    Without ``split`` it is the test split, or where the data has none, the validation split. Data without splits of its own is divided as
    it was in the training of a run; with ``split="all"``, or for an ONNX file, which knows of no division, all of it is measured.

    Raises :class:`~netspec.diagnostics.NetspecError`: data that does not fit exits 3, a model that cannot be used 4, a device that is
    not there 5, an answer that is not finite 6 and names the image.
    """
    opened = model if isinstance(model, Model) else open_model(Path(model), device)
    name, images = _images(opened, Path(data), split)
    measures = measure(opened.logits, images, opened.task.classes, batch)
    return Evaluation(
        model=escape(str(opened.path)),
        data=escape(str(data)),
        split=name,
        images=measures.images,
        accuracy=measures.accuracy,
        loss=measures.loss,
        classes=measures.by_class(opened.classes),
        confusion=tuple(tuple(row) for row in measures.confusion.tolist()),
    )


def _images(model: Model, data: Path, split: str | None) -> tuple[str, ImageSet]:
    """The split to measure and its name."""
    for name in ("test", "val") if split is None else (split,):
        opened = _opened(model, data, name, undivided=split == "all" or (split is None and model.division is None))
        if not opened.own and model.division is None and split not in (None, "all"):
            raise failure(DivisionUnknown(str(model.path), str(data), split))
        if not opened.own and opened.available == ("test",):
            name, images = "all", opened.test
        else:
            images = opened.sets().get(name)
        if images is not None:
            _check_division(model, data, name, opened, len(images))
            return name, images
    raise failure(NoSuchSplit(str(data), split or "test", opened.available))


def _check_division(model: Model, data: Path, split: str, opened: Splits, count: int) -> None:
    """Refuse a split that was drawn, where it is plainly not the one that the training drew."""
    if not opened.own and model.counts is not None and model.counts.get(split, count) != count:
        raise failure(DivisionChanged(str(data), split, model.counts[split], count))


def _opened(model: Model, data: Path, split: str, *, undivided: bool) -> Splits:
    if model.task.format.is_open:
        raise failure(OpenInput(model.task.net, "an evaluation"))
    division = _WHOLE if undivided or model.division is None else model.division
    opened = open_data(data, model.task, division=division, only=("test" if split == "all" else split,))
    if opened.classes != model.classes:
        missing = tuple(c for c in model.classes if c not in opened.classes)
        extra = tuple(c for c in opened.classes if c not in model.classes)
        raise failure(ClassesDiffer(escape(str(data)), missing, extra, of="the model"))
    return opened
