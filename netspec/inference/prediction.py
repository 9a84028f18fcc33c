"""Prediction: from image files to class labels and probabilities."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from netspec.data.decode import ImageFormat
from netspec.data.folders import Skipped, images_below
from netspec.data.loading import scan
from netspec.diagnostics import failure
from netspec.diagnostics.data import NoImages, NoSuchData
from netspec.diagnostics.running import OutputNotFinite
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
    as :class:`~netspec.inference.SpecModel` makes one of a spec and a file of weights. Images are decoded as in training. Where the net
    ends in logits, softmax (or, of one number, sigmoid) makes them probabilities.

    Raises :class:`~netspec.diagnostics.NetspecError`: a path or image that cannot be read exits 3 (all such images in one error), a
    model that cannot be used 4, a device that is not there 5, an answer that is not finite 6 and names the image.
    """
    opened = model if isinstance(model, Model) else open_model(Path(model), device)
    paths = image_files([Path(files)] if isinstance(files, str | os.PathLike) else map(Path, files))
    return [answer for part in _parts(paths, opened.task.format, batch) for answer in _answers(opened, part, top)]


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


def _parts(paths: Sequence[Path], wanted: ImageFormat, batch: int) -> Iterator[Sequence[Path]]:
    """The files in batches that a reasonable amount of memory holds."""
    size = max(1, min(batch, _LARGEST_BATCH_BYTES // (wanted.channels * wanted.height * wanted.width)))
    for start in range(0, len(paths), size):
        yield paths[start : start + size]


def _answers(model: Model, paths: Sequence[Path], top: int) -> Iterator[Prediction]:
    pixels, _ = scan(paths, model.task.format, keep=True)
    assert pixels is not None
    probabilities = model.probabilities(torch.from_numpy(pixels))
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
