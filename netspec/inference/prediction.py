"""Prediction: from image files to class labels and probabilities."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from netspec.data.decode import ImageFormat
from netspec.data.folders import Skipped, images_below
from netspec.data.loading import own_sizes, scan
from netspec.diagnostics import NetspecError, failure
from netspec.diagnostics.data import NoImages, NoSuchData
from netspec.diagnostics.running import OutputNotFinite
from netspec.diagnostics.sizes import RefusedSizes
from netspec.diagnostics.text import escape
from netspec.inference.model import Model, open_model
from netspec.report.models import LabelProbability, Prediction

_BATCH: Final = 64
_LARGEST_BATCH_BYTES: Final = 64 * 2**20

Name = str | os.PathLike[str]


def predict(
    model: Name | Model, files: Name | Sequence[Name], *, top: int = 5, device: str = "auto", batch: int = _BATCH
) -> list[Prediction]:
    """The ``top`` most probable classes of every image, in the order given; a folder stands for the images in it and below, sorted.

    ``model`` is the folder of a run (its best weights, else its last), an ``.onnx`` file that netspec has exported, or an opened model,
    as :class:`~netspec.inference.SpecModel` makes one of a spec and a file of weights. Images are decoded as in training; where the net
    leaves height and width open, each image keeps its own. Where the net ends in logits, softmax (or, of one number, sigmoid) makes them
    probabilities.

    Raises :class:`~netspec.diagnostics.NetspecError`: a path or image that cannot be read, or of a size that the net refuses, exits 3, a
    model that cannot be used 4, a device that is not there 5, an answer that is not finite 6 and names the image.
    """
    opened = model if isinstance(model, Model) else open_model(Path(model), device)
    paths = image_files([Path(files)] if isinstance(files, str | os.PathLike) else map(Path, files))
    return [a for part, wanted in _parts(paths, opened.task.format, batch) for a in _answers(opened, part, wanted, top)]


def image_files(given: Iterable[Path]) -> list[Path]:
    """The files meant: each folder gives way to the images in it and below."""
    found: list[Path] = []
    for path in given:
        if not path.is_dir():
            if not path.exists():
                raise failure(NoSuchData(str(path)))
            found.append(path)
            continue
        images = images_below(path, Skipped())
        if not images:
            raise failure(NoImages(str(path)))
        found += images
    return found


def _parts(paths: Sequence[Path], wanted: ImageFormat, batch: int) -> Iterator[tuple[Sequence[Path], ImageFormat]]:
    """The files in batches that a reasonable amount of memory holds; those that keep their own size one by one."""
    if wanted.is_open:
        yield from (([path], own) for path, own in zip(paths, own_sizes(paths, wanted)))
        return
    size = max(1, min(batch, _LARGEST_BATCH_BYTES // prod(wanted.shape)))
    for start in range(0, len(paths), size):
        yield paths[start : start + size], wanted


def _answers(model: Model, paths: Sequence[Path], wanted: ImageFormat, top: int) -> Iterator[Prediction]:
    pixels, _ = scan(paths, wanted, keep=True)
    assert pixels is not None
    try:
        probabilities = model.probabilities(torch.from_numpy(pixels))
    except NetspecError as error:
        problem = error.diagnostics[0].problem
        if not isinstance(problem, RefusedSizes):
            raise
        raise NetspecError([replace(error.diagnostics[0], problem=replace(problem, image=_text(paths[0])))]) from None
    for path, row in zip(paths, probabilities, strict=True):
        if not bool(torch.isfinite(row).all()):
            raise failure(OutputNotFinite(str(path)))
        yield _answer(path, row, model.classes, top)


def _answer(path: Path, row: Tensor, classes: tuple[str, ...], top: int) -> Prediction:
    values, indices = row.sort(descending=True, stable=True)
    ranked = tuple(LabelProbability(label=classes[i], probability=v) for v, i in zip(values.tolist(), indices.tolist(), strict=True))
    return Prediction(file=_text(path), label=ranked[0].label, probability=ranked[0].probability, top=ranked[: max(top, 1)])


def _text(path: Path) -> str:
    """The path as text; bytes of a name that are no UTF-8 are shown escaped."""
    name = str(path)
    return name if name.isascii() else "".join(c if not "\ud800" <= c <= "\udfff" else escape(c) for c in name)
