"""What is planned for a training: the record behind ``netspec plan``, which is kept with each run.

Sizes are bytes, times are seconds.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MemoryPlan(_Model):
    """What a training step holds at the moment at which it holds most.

    ``activations`` is what autograd keeps for the backward pass, the batch itself, and what is under way; ``averaged`` is the running
    mean of the weights. The rest of the process, data that stays in memory among it, is not counted.
    """

    batch: int
    weights: int
    averaged: int
    optimizer: int
    gradients: int
    activations: int
    peak: int


class KeptValue(_Model):
    """A value that is computed once: the path and the name of the layer that gives it, its shape, and how many views of it there are."""

    path: str
    layer: str = ""
    shape: tuple[int, ...]
    views: int


class CachePlan(_Model):
    """What is kept of the frozen part, and where: ``no`` where nothing is, with the reason in either case.

    ``bytes`` is the size of all that could be kept for the training samples; ``values`` what it is; ``share`` the part of a forward pass,
    in products, that is saved.
    """

    where: Literal["no", "memory", "disk"]
    reason: str
    values: tuple[KeptValue, ...] = ()
    bytes: int = 0
    share: float = 0.0


class StagePlan(_Model):
    """What happens in a stage of training. ``ends`` are the layers at which the backward pass ends, ``through`` frozen layers that it goes
    through; ``norms`` are batch norms that were frozen before and learn again;
    ``largest_batch`` is the most samples whose step fits into ``free`` bytes, where that is known."""

    name: str
    epochs: int
    learning: int
    parameters: int
    learns: tuple[str, ...]
    ends: tuple[str, ...]
    through: tuple[str, ...]
    cache: CachePlan
    notes: tuple[str, ...]
    norms: tuple[str, ...] = ()
    rates: tuple[tuple[str, float], ...] = ()
    """What the learning rate is multiplied with for parts, by their paths; later ones count."""
    memory: MemoryPlan
    free: int | None
    largest_batch: int | None


class TrainingPlan(_Model):
    """``plan.json``: what is planned for each stage of a training on so many samples."""

    format: Literal[1] = 1
    net: str
    samples: int
    device: str
    precision: Literal["fp32", "bf16"]
    stages: tuple[StagePlan, ...]
