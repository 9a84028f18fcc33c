"""Evaluation: how good a trained model is on data."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from netspec.data import Allowed, Division, Splits, open_data
from netspec.data.samples import Samples
from netspec.data.task import Wanted
from netspec.diagnostics import NetspecError, Problem, failure
from netspec.diagnostics.data import ClassesDiffer, NoSuchSplit
from netspec.diagnostics.measuring import DivisionChanged, DivisionUnknown
from netspec.diagnostics.tables import MissingColumn
from netspec.diagnostics.text import escape
from netspec.inference.exported import OnnxModel
from netspec.inference.model import Model
from netspec.inference.opening import open_model
from netspec.objectives import figure_titles
from netspec.report.models import Evaluation
from netspec.training.measuring.measure import measure

_BATCH: Final = 256


def evaluate(
    model: str | os.PathLike[str] | Model,
    data: str | os.PathLike[str],
    *,
    split: str | None = None,
    device: str = "auto",
    batch: int = _BATCH,
    skip_bad: bool = False,
) -> Evaluation:
    """The figures of a model on one split of data: the loss, the metrics that it was trained with, and each class of each output.

    Without ``split`` it is the test split, or where the data has none, the validation split. Data without splits of its own is divided as
    it was in the training of a run; with ``split="all"``, or for an ONNX file, which knows of no division, all of it is measured. With
    ``skip_bad`` images that cannot be read are left out, and a warning of the evaluation names them.

    Raises :class:`~netspec.diagnostics.NetspecError`: data that does not fit exits 3, a model that cannot be used 4, a device that is
    not there 5, an answer that is not finite 6 and names the image.
    """
    opened = model if isinstance(model, Model) else open_model(model, device)
    name, samples, warnings = _samples(opened, Path(data), split, Allowed(bad_images=skip_bad))
    measures = measure(opened.results, samples, opened.learned, batch)
    return Evaluation(
        model=escape(str(opened.path)),
        data=escape(str(data)),
        split=name,
        images=measures.images,
        figures=measures.values,
        outputs=measures.by_output(opened.named),
        warnings=tuple("; ".join([warning.message(), *warning.notes()]) for warning in warnings),
        titles=figure_titles(opened.learned),
    )


def _samples(model: Model, data: Path, split: str | None, allowed: Allowed) -> tuple[str, Samples, tuple[Problem, ...]]:
    """The name of the split to measure, the split, and what is odd about it."""
    for name in ("test", "val") if split is None else (split,):
        undivided = split == "all" or (split is None and model.division is None)
        opened = _opened(model, data, name, allowed, undivided=undivided)
        if not opened.own and model.division is None and split not in (None, "all"):
            raise failure(DivisionUnknown(str(model.path), str(data), split))
        if not opened.own and opened.available == ("test",):
            name, samples = "all", opened.test
        else:
            samples = opened.sets().get(name)
        if samples is not None:
            _check_division(model, data, name, opened, len(samples))
            return name, samples, opened.warnings
    raise failure(NoSuchSplit(str(data), split or "test", opened.available))


def _check_division(model: Model, data: Path, split: str, opened: Splits, count: int) -> None:
    """Refuse a split that was drawn, where it is not the one that the training drew."""
    if opened.own or model.counts is None or split not in model.counts:
        return
    before, elsewhere = model.counts[split], None if model.samples is None else _elsewhere(model.samples, split, opened)
    if elsewhere or (elsewhere is None and before != count):
        raise failure(DivisionChanged(str(data), split, before, count, elsewhere or 0))


def _elsewhere(samples: Path, split: str, opened: Splits) -> int | None:
    """How many samples were in another split; ``None`` where a run does not tell."""
    try:
        return opened.inventory.elsewhere(split, samples.read_bytes())
    except (OSError, ValueError):
        return None


def _opened(model: Model, data: Path, split: str, allowed: Allowed, *, undivided: bool) -> Splits:
    wanted = model.wanted
    division = Division(whole=True, seed=model.seed) if undivided or model.division is None else model.division
    opened = _read(data, wanted, division, "test" if split == "all" else split, model, allowed)
    for target, classes in opened.classes.items():
        if classes != model.named.get(target, classes):
            known = model.named[target]
            missing = tuple(c for c in known if c not in classes)
            extra = tuple(c for c in classes if c not in known)
            raise failure(ClassesDiffer(escape(str(data)), missing, extra, of="the model"))
    return opened


def _read(data: Path, wanted: Wanted, division: Division, split: str, model: Model, allowed: Allowed) -> Splits:
    """The data opened. Where it lacks a column, whoever has an exported model alone cannot be told to change the spec."""
    try:
        return open_data(data, wanted, division=division, only=(split,), allowed=allowed, classes=model.named)
    except NetspecError as error:
        if not isinstance(model, OnnxModel):
            raise
        lacking = (
            replace(d, problem=replace(d.problem, exported=True)) if isinstance(d.problem, MissingColumn) else d for d in error.diagnostics
        )
        raise NetspecError(tuple(lacking)) from None
