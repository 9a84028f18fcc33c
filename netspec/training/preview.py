"""What a net will see while it trains: a few images by a few epochs, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from netspec.augment import Augmenter, Mixed
from netspec.data import STRICT, Allowed
from netspec.data.cutting import CutColumn, cut_inputs
from netspec.data.found import IGNORED
from netspec.data.samples import Batch, Samples
from netspec.graph import Graph
from netspec.report.mistakes import colored
from netspec.report.models import TrainSettings
from netspec.training.batches import batch_bounds, epoch_order
from netspec.training.opening import open_training_split
from netspec.training.settings import train_settings
from netspec.training.stages import asked_of_data, lessons


@dataclass(frozen=True)
class Preview:
    """Images as they are and as they will be seen.

    ``tiles`` holds for each image its bytes, `C x H x W`, first as it is and then for each of the ``epochs`` (counted from 1); where it
    has masks of its size, they stand on its right in colours, `3 x H x (1 + masks) W`. ``figures`` is what was drawn for it in each of
    the epochs. ``joined`` says which steps of the region are done as one.
    """

    names: tuple[str, ...]
    numbers: tuple[int, ...]
    epochs: tuple[int, ...]
    tiles: tuple[tuple[Tensor, ...], ...]
    figures: tuple[tuple[dict[str, Any], ...], ...]
    joined: tuple[str, ...]

    def data(self) -> dict[str, Any]:
        """The figures, for programs."""
        images = [
            {"image": name, "number": number, "epochs": list(figures)}
            for name, number, figures in zip(self.names, self.numbers, self.figures, strict=True)
        ]
        return {"joined": list(self.joined), "images": images}


def preview(graph: Graph, data: Path, *, images: int = 6, epoch: int = 1, epochs: int = 5, allowed: Allowed = STRICT) -> Preview:
    """The first images of the first epoch, as the net will see each of them in some epochs from ``epoch`` on.

    Exactly those pixels go into the net: by the seed, the division of the data and the batches that training takes. Raises a
    :class:`~netspec.diagnostics.NetspecError` as training does, for the net, its settings or its data.
    """
    settings, taught = train_settings(graph), lessons(graph)
    asked = asked_of_data(graph, taught)
    found = open_training_split(graph, data, allowed)
    chosen = epoch_order(len(found), settings.seed, 0)[:images]
    name = next((n for n in graph.augment), asked.inputs[0].name)
    batch = _some(found, chosen)
    plain = batch.inputs[name]
    masks = tuple(m for t in asked.targets if t.kind == "mask" and (m := batch.targets[t.name]).shape[1:] == plain.shape[2:])
    augmenter = Augmenter.of(graph, settings.seed, cut_inputs(found)).get(name)
    seeing = _Seeing(found, name, settings, augmenter, masks)
    wanted = tuple(range(epoch, epoch + epochs))
    seen = [seeing.epoch(chosen, plain, number - 1) for number in wanted]
    plain = _beside(plain, masks)
    return Preview(
        names=tuple(found.name(i) for i in chosen.tolist()),
        numbers=tuple(chosen.tolist()),
        epochs=wanted,
        tiles=tuple((plain[i], *(pixels[i] for pixels, _ in seen)) for i in range(len(chosen))),
        figures=tuple(tuple(figures[i] for _, figures in seen) for i in range(len(chosen))),
        joined=() if seeing.augmenter is None else seeing.augmenter.joined(),
    )


@dataclass(frozen=True)
class _Seeing:
    images: Samples
    input: str
    settings: TrainSettings
    augmenter: Augmenter | None
    masks: tuple[Tensor, ...] = ()
    """Those of the chosen images, `N x H x W` each."""

    def epoch(self, chosen: Tensor, plain: Tensor, epoch: int) -> tuple[Tensor, list[dict[str, Any]]]:
        """The chosen images in an epoch, counted from 0, and their figures."""
        rows: list[dict[str, Any]] = [{"epoch": epoch + 1, "steps": []} for _ in chosen]
        if self.augmenter is None:
            return _beside(plain, self.masks), rows
        drawn = self.augmenter.draw(chosen, epoch, (plain.shape[1], plain.shape[2], plain.shape[3]))
        for i, (row, begun) in enumerate(zip(rows, self._begun(chosen, epoch), strict=True)):
            row["steps"] = begun + drawn.figures(i)
        if self.masks:  # which are never mixed
            masks = [self.augmenter.masks(mask, drawn, IGNORED) for mask in self.masks]
            return _beside(self.augmenter.pixels(plain, drawn), masks), rows
        if not self.augmenter.mixes:
            return self.augmenter(self._pixels(chosen, epoch), chosen, epoch), rows
        tiles = [self._mixed(int(number), epoch, row) for number, row in zip(chosen, rows, strict=True)]
        return torch.stack(tiles), rows

    def _begun(self, chosen: Tensor, epoch: int) -> list[list[dict[str, Any]]]:
        """What was drawn for the images where they were read."""
        column = self.images.inputs[self.input]
        return column.figures(chosen, epoch) if isinstance(column, CutColumn) else [[] for _ in chosen]

    def _pixels(self, indices: Tensor, epoch: int) -> Tensor:
        """Images as they come in an epoch."""
        return _some(self.images.in_epoch(epoch), indices).inputs[self.input]

    def _mixed(self, number: int, epoch: int, row: dict[str, Any]) -> Tensor:
        """One image as its batch makes it."""
        assert self.augmenter is not None
        order = epoch_order(len(self.images), self.settings.seed, epoch)
        place = int((order == number).nonzero()[0])
        bounds = batch_bounds(len(self.images), self._batch(epoch))
        step = next(i for i, (start, end) in enumerate(bounds) if start <= place < end)
        start, end = bounds[step]
        pixels = self._pixels(order[start:end], epoch)
        mixed, targets = self.augmenter.mix(self.augmenter(pixels, order[start:end], epoch), torch.arange(len(pixels)), epoch, step)
        if isinstance(targets, Mixed):
            partner = self.images.name(int(order[start + int(targets.partners[place - start])]))
            row["mixed"] = {"step": targets.kind, "weight": round(targets.weight, 6), "with": partner}
        return mixed[place - start]

    def _batch(self, epoch: int) -> int:
        """How many images a batch has in an epoch, where no stage ends before its last."""
        behind = 0
        for stage in self.settings.in_turn:
            behind += stage.epochs
            if epoch < behind:
                break
        return stage.batch


def _beside(pictures: Tensor, masks: Sequence[Tensor]) -> Tensor:
    """Pictures with their masks on the right, in colours."""
    if not masks:
        return pictures
    shown = [torch.stack([torch.from_numpy(colored(m)).permute(2, 0, 1) for m in mask]) for mask in masks]
    return torch.cat([pictures.expand(-1, 3, -1, -1), *shown], dim=3)


def _some(images: Samples, indices: Tensor) -> Batch:
    return next(iter(images.batches(indices, [(0, len(indices))])))
