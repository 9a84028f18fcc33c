"""Prediction: what a model says of images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from netspec.data.images.decode import ImageFormat, Pixels
from netspec.data.images.loading import own_sizes, scan
from netspec.data.layouts.folders import Skipped, images_below
from netspec.diagnostics import Diagnostic, NetspecError, failure
from netspec.diagnostics.data import BadImages
from netspec.diagnostics.measuring import OutputNotFinite
from netspec.diagnostics.predicting import NothingToPredict
from netspec.diagnostics.sizes import RefusedSizes
from netspec.diagnostics.text import escape
from netspec.inference.answers import answers
from netspec.inference.model import Model
from netspec.inference.opening import open_model
from netspec.report.models import Answer, ClassAnswer, MaskAnswer, Prediction
from netspec.training.measuring.deciding import decided

if TYPE_CHECKING:
    from netspec.inference.masks import MaskWriter

_BATCH: Final = 64
_BATCH_OF_MASKS: Final = 4
"""Nets that give a class for each pixel keep maps of the full size, which take a hundred times the memory of a vector."""
_LARGEST_BATCH_BYTES: Final = 64 * 2**20

Name = str | os.PathLike[str]


@dataclass(frozen=True)
class ImageFile:
    """An image to be asked about, and its path in the folder that was named."""

    path: Path
    place: PurePath


@dataclass(frozen=True)
class Predicted:
    """What was said of the images that could be read, in their order, and what is wrong with the others."""

    predictions: tuple[Prediction, ...]
    failed: tuple[Diagnostic, ...]


@dataclass(frozen=True)
class _Asking:
    """What is asked of a model; what is wrong with images is added to ``unreadable`` and ``failed``."""

    model: Model
    top: int
    masks: MaskWriter | None
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    failed: list[Diagnostic] = field(default_factory=list)


def predict(
    model: Name | Model,
    files: Name | Sequence[Name],
    *,
    top: int = 5,
    device: str = "auto",
    batch: int = _BATCH,
    masks: Name | None = None,
) -> list[Prediction]:
    """What a model says of every image, in the order given; a folder stands for the images in it and below, sorted.

    ``model`` is the folder of a run (its best weights, else its last), an ``.onnx`` file that netspec has exported, or an opened model,
    as :class:`~netspec.inference.SpecModel` makes one of a spec and a file of weights. Images are decoded as in training; where the net
    leaves height and width open, each image keeps its own. Of classes and labels the ``top`` most probable are given; where the net ends in
    logits, softmax (or sigmoid) makes them probabilities. With ``masks``, a new or empty folder, the class of each pixel is written there
    as a PNG for each image.

    Raises :class:`~netspec.diagnostics.NetspecError`: a path or image that cannot be read, or of a size that the net refuses, exits 3, a
    model that cannot be used 4, a device that is not there 5, an answer that is not finite 6 and names the image.
    """
    found = predict_each(model, files, top=top, device=device, batch=batch, masks=masks)
    if found.failed:
        raise NetspecError(found.failed)
    return list(found.predictions)


def predict_each(
    model: Name | Model,
    files: Name | Sequence[Name],
    *,
    top: int = 5,
    device: str = "auto",
    batch: int = _BATCH,
    masks: Name | None = None,
) -> Predicted:
    """As :func:`predict`, but goes on where an image cannot be read, or is of a size that the net refuses, and gives what is wrong with
    it beside the answers to the others."""
    opened = model if isinstance(model, Model) else open_model(model, device)
    wanted = opened.image
    images = image_files([Path(files)] if isinstance(files, str | os.PathLike) else map(Path, files))
    asking = _Asking(opened, top, None if masks is None else _writer(Path(masks), opened))
    if any(o.kind == "mask" for o in opened.learned):
        batch = min(batch, _BATCH_OF_MASKS)
    found = tuple(p for part in _parts(images, wanted, batch) for p in _predicted(asking, part, wanted))
    unreadable = (Diagnostic(BadImages(tuple(asking.unreadable))),) if asking.unreadable else ()
    return Predicted(found, (*unreadable, *asking.failed))


def _writer(folder: Path, model: Model) -> MaskWriter:
    from netspec.inference.masks import MaskWriter  # brings matplotlib along

    return MaskWriter(folder, model)


def image_files(given: Iterable[Path]) -> list[ImageFile]:
    """The files meant: each folder gives way to the images in it and below. Raises N860 where there is nothing."""
    found: list[ImageFile] = []
    for path in given:
        if not path.is_dir():
            if not path.exists():
                raise failure(NothingToPredict(str(path)))
            found.append(ImageFile(path, PurePath(path.name)))
            continue
        images = images_below(path, Skipped())
        if not images:
            raise failure(NothingToPredict(str(path), "no image is in this folder or below"))
        found += [ImageFile(image, image.relative_to(path)) for image in images]
    return found


def _parts(images: Sequence[ImageFile], wanted: ImageFormat, batch: int) -> Iterator[Sequence[ImageFile]]:
    """The images in batches that a reasonable amount of memory holds; those that keep their own size one by one."""
    size = 1 if wanted.is_open else max(1, min(batch, _LARGEST_BATCH_BYTES // prod(wanted.shape)))
    return (images[start : start + size] for start in range(0, len(images), size))


def _predicted(asking: _Asking, images: Sequence[ImageFile], wanted: ImageFormat) -> Iterator[Prediction]:
    read, pixels = _decoded(asking, images, wanted)
    if pixels is None:
        return
    try:
        logits = asking.model.logits(torch.from_numpy(pixels))
    except NetspecError as error:
        problem = error.diagnostics[0].problem
        if not isinstance(problem, RefusedSizes) or len(read) > 1:
            raise
        asking.failed.append(replace(error.diagnostics[0], problem=replace(problem, image=_text(read[0].path))))
        return
    yield from _told(asking, read, logits)


def _decoded(asking: _Asking, images: Sequence[ImageFile], wanted: ImageFormat) -> tuple[Sequence[ImageFile], Pixels | None]:
    """The images that can be read, and their pixels."""
    paths = [image.path for image in images]
    try:
        return images, scan(paths, own_sizes(paths, wanted)[0] if wanted.is_open else wanted, keep=True)[0]
    except NetspecError as error:
        problem = error.diagnostics[0].problem
        if not isinstance(problem, BadImages):
            raise
    asking.unreadable.extend(problem.files)
    unread = {name for name, _ in problem.files}
    rest = [image for image in images if str(image.path) not in unread]
    return (rest, None) if not rest else _decoded(asking, rest, wanted)


def _told(asking: _Asking, images: Sequence[ImageFile], logits: Mapping[str, Tensor]) -> Iterator[Prediction]:
    _check_finite(images, logits)
    learned = asking.model.learned
    columns = [_answered(asking, images, o.output, logits[o.output]) for o in learned]
    for image, row in zip(images, zip(*columns, strict=True), strict=True):
        outputs: dict[str, Answer] = {o.output: answer for o, answer in zip(learned, row, strict=True)}
        yield _prediction(_text(image.path), outputs)


def _prediction(file: str, outputs: dict[str, Answer]) -> Prediction:
    first = next(iter(outputs.values()))
    if len(outputs) > 1 or not isinstance(first, ClassAnswer):
        return Prediction(file=file, outputs=outputs)
    return Prediction(file=file, label=first.label, probability=first.probability, top=first.top, outputs=outputs)


def _answered(asking: _Asking, images: Sequence[ImageFile], output: str, logits: Tensor) -> list[Answer]:
    (objective,) = (o for o in asking.model.learned if o.output == output)
    found = list(answers(asking.model, objective, logits, asking.top))
    if objective.kind != "mask" or asking.masks is None:
        return found
    files = [asking.masks.write(output, i.path, i.place, m) for i, m in zip(images, decided(objective, logits), strict=True)]
    return [a.model_copy(update={"mask": f}) if isinstance(a, MaskAnswer) else a for a, f in zip(found, files, strict=True)]


def _check_finite(images: Sequence[ImageFile], logits: Mapping[str, Tensor]) -> None:
    """Raise N951 for the first image whose answer is not finite."""
    for row, image in enumerate(images):
        if not all(bool(torch.isfinite(values[row]).all()) for values in logits.values()):
            raise failure(OutputNotFinite(str(image.path)))


def _text(path: Path) -> str:
    """The path as text; bytes of a name that are no UTF-8 are shown escaped."""
    name = str(path)
    return name if name.isascii() else "".join(c if not "\ud800" <= c <= "\udfff" else escape(c) for c in name)
