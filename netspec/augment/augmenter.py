"""The steps of a region, drawn for the pictures of a batch and done to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Final, Protocol

import numpy as np
import torch
from torch import Tensor

from netspec.augment import colour, geometry, mixing
from netspec.augment.colour import Coloured
from netspec.augment.counting import Floats, Numbers, some
from netspec.augment.cutting import beginning
from netspec.augment.geometry import Canvas
from netspec.augment.mixing import Mixed
from netspec.augment.picture import Blur, Erase, Noise
from netspec.augment.planning import TRIVIAL, Stage, stages_of
from netspec.augment.resampling import Warp
from netspec.augment.trivial import CHANGES, Trivial
from netspec.augmentations import augmentations
from netspec.graph import Augmentation, Graph


class Alone(Protocol):
    """A step that is neither geometry nor a matrix of colours."""

    def apply(self, pixels: Tensor) -> Tensor:
        """Float pixels, `N x C x H x W`, as they are afterwards."""

    def of(self, rows: slice) -> Alone:
        """The step for some of the pictures."""


_SAMPLED: Final = {"flip": "mirrored exactly", "whole": "whole pixels copied exactly", "part": "one resampling", "any": "one resampling"}
_NUMBERS_AT_ONCE: Final = 2**18
"""How many numbers of pictures a thread of a CPU works on together: a megabyte, which stays in its cache."""
_ALONE: Final[Mapping[str, Callable[[Mapping[str, Any], Numbers, int, Canvas], Blur | Noise | Erase]]] = {
    "blur": Blur.draw,
    "noise": Noise.draw,
    "erase": Erase.draw,
}


@dataclass(frozen=True)
class DrawnStage:
    """One resampling, one matrix of colours, one step alone: each may be missing."""

    warp: Warp | None
    colours: tuple[Coloured, ...]
    mean: bool
    alone: Alone | None

    def of(self, rows: slice) -> DrawnStage:
        """The stage for some of the pictures."""
        warp = None if self.warp is None else self.warp.of(rows)
        alone = None if self.alone is None else self.alone.of(rows)
        return DrawnStage(warp, tuple(c.of(rows) for c in self.colours), self.mean, alone)

    def apply(self, pixels: Tensor) -> Tensor:
        """The pixels after this stage: in their own type where they were only copied, else floats."""
        if self.warp is not None:
            pixels = self.warp.apply(pixels, rounded=not self.colours and self.alone is None)
        if self.colours:
            values = pixels.to(torch.float32)
            pixels = colour.apply(values, self.colours, _means(values) if self.mean else None)
        return pixels if self.alone is None else self.alone.apply(pixels.to(torch.float32))


def _means(values: Tensor) -> Tensor:
    """The mean of each channel, `N x C`: summed in double precision, so that it is the same in whatever order threads sum."""
    return values.mean((2, 3), dtype=torch.float64).to(torch.float32)


def _at_once(pixels: Tensor) -> int:
    """How many pictures a CPU works on together: as many as its threads keep in their caches."""
    return max(_NUMBERS_AT_ONCE // max(pixels[:1].numel(), 1), 1) * torch.get_num_threads()


def _room(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Memory for a batch on the CPU. NumPy asks the system for it in large pieces: piece by piece, touching the 147 pages of a picture of
    3 x 224 x 224 floats for the first time takes longer than most of what is computed of it."""
    return torch.from_numpy(np.empty(prod(shape) * dtype.itemsize, np.uint8)).view(dtype).view(shape)


@dataclass(frozen=True)
class Drawn:
    """What happens to each picture of a batch. ``shown`` are the figures of each step by its place in the region."""

    count: int
    stages: tuple[DrawnStage, ...]
    shown: Mapping[int, Mapping[str, Floats]]
    names: tuple[str, ...]

    def of(self, rows: slice) -> Drawn:
        """What happens to some of the pictures."""
        shown = {position: some(figures, rows) for position, figures in self.shown.items()}
        return Drawn(len(range(self.count)[rows]), tuple(stage.of(rows) for stage in self.stages), shown, self.names)

    def figures(self, number: int) -> list[dict[str, Any]]:
        """The figures of one picture: for each step its name and what was drawn, in units of its declaration."""
        found: list[dict[str, Any]] = []
        for position, figures in sorted(self.shown.items()):
            row = {name: round(float(values[number]), 6) for name, values in figures.items()}
            found.append({"step": self.names[position], **_named(row)})
        return found


def _named(row: dict[str, float]) -> dict[str, Any]:
    """Trivial augment's change by its name."""
    return {**row, "change": CHANGES[int(row["change"])]} if "change" in row else dict(row)


class Augmenter:
    """The augmentation of one input.

    ``stream`` is the number of the input among those of the net, so that two inputs draw apart. ``cut`` says that the pictures come as
    :class:`~netspec.augment.cutting.Cutting` makes them of photographs, with the beginning of the region done. Calling it with pixels,
    `N x C x H x W` of bytes or of floats from 0 to 255, the numbers of the pictures in their set and the epoch gives pixels of the same
    type.
    """

    def __init__(self, steps: Sequence[Augmentation], seed: int, stream: int = 0, *, cut: bool = False) -> None:
        self.steps = tuple(steps)
        self.seed = seed
        self.stream = stream
        self.begun = beginning(self.steps) if cut else 0
        self.stages = stages_of(self.steps, self.begun)
        self._copies = all(s.kind != "any" and not s.colours and s.alone is None for s in self.stages)
        self._mixing = tuple(s for s in self.steps if augmentations()[s.name].family == "batch")

    @staticmethod
    def of(graph: Graph, seed: int, cut: Collection[str] = ()) -> dict[str, Augmenter]:
        """The augmentation of each input of a net that has one, by the input's name; ``cut`` names those whose pictures come so."""
        names = [n.label or n.path for n in graph.inputs]
        return {name: Augmenter(steps, seed, names.index(name), cut=name in cut) for name, steps in graph.augment.items()}

    @property
    def mixes(self) -> bool:
        """Whether pictures are mixed with others of their batch, and labels with them."""
        return bool(self._mixing)

    def __call__(self, pixels: Tensor, indices: Tensor, epoch: int) -> Tensor:
        """The pictures as the net sees them in an epoch; ``indices``, `N`, are their numbers in their set.

        Drawn for all at once.
        """
        return self.pixels(pixels, self.draw(indices, epoch, (pixels.shape[1], pixels.shape[2], pixels.shape[3])))

    def joined(self) -> tuple[str, ...]:
        """Which steps are done as one, in words: a line for each resampling, each matrix and each step that stands alone."""
        begun = ", ".join(step.name for step in self.steps[: self.begun])
        lines = [f"cut out of the photograph: {begun}"] * bool(begun)
        for stage in self.stages:
            names = ", ".join(self.steps[i].name for i in stage.geometry)
            lines += [f"{_SAMPLED[stage.kind]}: {names}"] * bool(names)
            names = ", ".join(self.steps[i].name for i in stage.colours)
            lines += [f"one matrix of colours: {names}"] * bool(names)
            lines += [] if stage.alone is None else [f"alone: {self.steps[stage.alone].name}"]
        return (*lines, *(f"of whole batches: {step.name}" for step in self._mixing))

    def draw(self, indices: Tensor, epoch: int, shape: tuple[int, int, int]) -> Drawn:
        """What happens to the pictures with these numbers, of the shape `C x H x W`, in an epoch."""
        numbers = Numbers(self.seed, epoch, np.asarray(indices.cpu(), dtype=np.int64), self.stream)
        shown: dict[int, Mapping[str, Floats]] = {}
        canvas, stages = (shape[1], shape[2]), []
        for stage in self.stages:
            drawn, canvas = self._drawn(stage, numbers, canvas, shape[0], shown)
            stages.append(drawn)
        return Drawn(len(numbers.indices), tuple(stages), shown, tuple(s.name for s in self.steps))

    def _drawn(
        self, stage: Stage, numbers: Numbers, canvas: Canvas, channels: int, shown: dict[int, Mapping[str, Floats]]
    ) -> tuple[DrawnStage, Canvas]:
        warp = None
        if stage.geometry:
            matrices = geometry.identity(len(numbers.indices))
            for position in stage.geometry:
                placed = self._placed(position, numbers, canvas, shown)
                matrices, canvas = matrices @ placed.matrices, placed.canvas
            warp = Warp(matrices, canvas, stage.kind, stage.filling)
        colours = tuple(c for position in stage.colours for c in self._coloured(position, numbers, channels, shown))
        alone = None if stage.alone is None else self._alone(stage.alone, numbers, canvas, shown)
        return DrawnStage(warp, colours, stage.mean, alone), canvas

    def _placed(self, position: int, numbers: Numbers, canvas: Canvas, shown: dict[int, Mapping[str, Floats]]) -> geometry.Placed:
        step = self.steps[position]
        if step.name == TRIVIAL:
            return Trivial.draw(step.arguments, numbers, position).geometry(canvas)
        placed = geometry.place(step, numbers, position, canvas)
        shown[position] = placed.shown
        return placed

    def _coloured(self, position: int, numbers: Numbers, channels: int, shown: dict[int, Mapping[str, Floats]]) -> tuple[Coloured, ...]:
        step = self.steps[position]
        if step.name == TRIVIAL:
            return Trivial.draw(step.arguments, numbers, position).colours(channels)
        drawn = colour.draw(step, numbers, position)
        shown[position] = drawn.shown
        return (drawn,)

    def _alone(self, position: int, numbers: Numbers, canvas: Canvas, shown: dict[int, Mapping[str, Floats]]) -> Alone:
        step = self.steps[position]
        if step.name == TRIVIAL:
            trivial = Trivial.draw(step.arguments, numbers, position)
            shown[position] = trivial.shown
            return trivial.tones()
        drawn = _ALONE[step.name](step.arguments, numbers, position, canvas)
        shown[position] = drawn.shown
        return drawn

    def pixels(self, pixels: Tensor, drawn: Drawn) -> Tensor:
        """Pictures as drawn, `N x C x H x W`, in the type they came in; bytes are rounded once, at the end.

        On a CPU a few at a time, which stay in its cache: what becomes of a picture does not depend on the others.
        """
        many = len(pixels) if pixels.device.type != "cpu" else _at_once(pixels)
        if not self.stages or (self._copies and pixels.dtype == torch.uint8) or len(pixels) <= many:
            return self._values(pixels, drawn).to(pixels.dtype)
        made = None
        for start in range(0, len(pixels), many):
            part = slice(start, start + many)
            values = self._values(pixels[part], drawn.of(part))
            made = _room((len(pixels), *values.shape[1:]), pixels.dtype) if made is None else made
            made[part] = values
        assert made is not None
        return made

    def _values(self, pixels: Tensor, drawn: Drawn) -> Tensor:
        """The same in any type that holds them: bytes on a CPU as whole numbers of 32 bits, as turning floats into these and these into
        bytes takes a third of the time of the direct way."""
        values = pixels
        for stage in drawn.stages:
            values = stage.apply(values)
        if values.dtype == pixels.dtype and not any(s.colours or s.alone for s in drawn.stages):
            return values
        if pixels.dtype != torch.uint8:
            return values.clamp(0, 255)
        values = values.add_(0.5).clamp_(0, 255)
        return values.to(torch.int32) if values.device.type == "cpu" else values

    def masks(self, masks: Tensor, drawn: Drawn, outside: int | float = 0) -> Tensor:
        """Masks of the same pictures, `N x H x W` or `N x C x H x W` of any type: geometry alone, every value one of the mask's own.

        ``outside`` is the class of what a constant fill shows.
        """
        values = masks[:, None] if masks.dim() == 3 else masks
        for stage in drawn.stages:
            if stage.warp is not None:
                values = stage.warp.apply(values, nearest=True, value=outside)
        return values[:, 0] if masks.dim() == 3 else values

    def boxes(self, boxes: Tensor, owners: Tensor, drawn: Drawn) -> Tensor:
        """Boxes, `B x 4` as left, top, right, bottom in pixels, around what they become; ``owners``, `B`, says of which picture each is.

        What has left the picture is cut off: a box of width or height 0 is out of it.
        """
        for stage in drawn.stages:
            if stage.warp is not None:
                boxes = stage.warp.boxes(boxes, owners)
        return boxes

    def mix(self, pixels: Tensor, labels: Tensor, epoch: int, step: int) -> tuple[Tensor, Tensor | Mixed]:
        """A batch that is done mixed with itself, where the region says so; ``step`` is its number in the epoch."""
        return mixing.mix(pixels, labels, self._mixing, self.seed, epoch, step)
