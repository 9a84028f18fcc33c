"""A trained model, whatever it was opened from: what it takes, what each of its outputs has learned, and what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from netspec.data import Division
from netspec.data.images.decode import ImageFormat
from netspec.data.samples import Batch
from netspec.data.task import Wanted
from netspec.objectives import Objective
from netspec.values import Choice


class Model(ABC):
    """A trained model. ``named`` are the classes of every target that has some; ``sources`` what is said of where targets come from.

    ``division`` is how its training split data that has no splits of its own, if that is known, and ``counts`` how many samples each
    split had. ``seed`` is what pairs are drawn by.
    """

    path: Path
    learned: tuple[Objective, ...]
    """What each output has learned, in the order of the outputs."""
    named: Mapping[str, tuple[str, ...]]
    sources: Mapping[str, Choice]
    numbered: bool = False
    """Whether classes are called by their numbers, since nothing names them."""
    division: Division | None = None
    counts: Mapping[str, int] | None = None
    samples: Path | None = None
    """The file of a run that says which samples it had in which split."""
    seed: int = 0

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the only output, and nothing where there are several."""
        return self.named.get(self.learned[0].target, ()) if len(self.learned) == 1 else ()

    @property
    @abstractmethod
    def image(self) -> ImageFormat:
        """The one image that it takes. Raises N847 for a model that takes anything else."""

    @property
    @abstractmethod
    def wanted(self) -> Wanted:
        """What measuring it asks of the data."""

    @abstractmethod
    def results(self, batch: Batch) -> Mapping[str, Tensor]:
        """The logits for a batch of samples, by the names of the outputs."""

    @abstractmethod
    def logits(self, pixels: Tensor) -> Mapping[str, Tensor]:
        """From a batch of bytes (`N x C x H x W`) to the logits of each output by its name, on the CPU."""
