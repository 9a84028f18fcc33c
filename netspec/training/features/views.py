"""What augmentation lets a net see of its inputs, and which view of a picture an epoch shows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from netspec.augment import Augmenter
from netspec.augmentations import flips_alone
from netspec.frontier import Seen
from netspec.graph import Graph
from netspec.objectives import Objective


def seen_of(graph: Graph) -> dict[str, Seen]:
    """How training sees each input that is augmented, by its name."""
    return {name: "plain" if not steps else "mirrored" if flips_alone(steps) else "varied" for name, steps in graph.augment.items()}


def hindrance(graph: Graph, learned: Sequence[Objective], views: int) -> str:
    """Why values cannot be kept whatever they cost, in a sentence; nothing where they can."""
    if any(source.name == "pairs" for source in (graph.data.values.get("target") or {}).values()):
        return "pairs are drawn anew in each epoch"
    if views == 2 and any(objective.kind == "mask" for objective in learned):
        return "masks are mirrored with their pictures"
    return "cache = off" if graph.data.values.get("cache") == "off" else ""


def mirrored_in(augmenter: Augmenter, indices: Tensor, epoch: int) -> Tensor:
    """Which of these samples, by number, a region of flips alone shows mirrored in an epoch, `N` booleans."""
    drawn = augmenter.draw(indices, epoch, (1, 2, 2))
    turned = torch.zeros(len(indices), dtype=torch.bool)
    for stage in drawn.stages:
        if stage.warp is not None:
            turned ^= torch.from_numpy(stage.warp.matrices[:, 0, 0] < 0)
    return turned
