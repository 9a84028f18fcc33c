"""From the results of a net to its loss and figures: the objectives of a stage at work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from netspec.augment import mixed_loss
from netspec.graph import Graph
from netspec.objectives import Objective, figure_name
from netspec.training.measuring.losses import OWN, Together, make_loss, needs_targets
from netspec.training.measuring.metrics import instant
from netspec.training.seeing import Targets, main

Results = Mapping[str, Tensor]
"""Logits by the names of the outputs, auxiliary ones too."""


class Scoring:
    """The loss of a batch, and the figures of training.

    The losses of auxiliary outputs count for their weights (Szegedy et al., 2014: 0.3); the loss that is reported is that of the net's own
    outputs. ``targets`` gives all values of a target, which weights of classes may go by; ``together`` sums over the samples of several
    processes.
    """

    def __init__(self, graph: Graph, learned: Sequence[Objective], targets: Callable[[str], Tensor], together: Together = OWN) -> None:
        self.learned = tuple(learned)
        self._losses = {o.output: make_loss(o, targets(o.target) if needs_targets(o) else None, together) for o in learned}
        self._instant = {o.output: instant(o) for o in learned}
        self._auxiliary = tuple((extra, learned[0]) for extra in graph.auxiliary)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the figures that an epoch of training has."""
        own = [figure_name(self.learned, o, metric) for o in self.learned for metric in self._figures(o)]
        return tuple(dict.fromkeys(["loss", *own]))

    def _figures(self, objective: Objective) -> tuple[str, ...]:
        return ("loss", *self._instant[objective.output])

    def loss(self, results: Results, targets: Targets) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss to go backwards from, and the figures of a batch as sums over its samples, still on the device."""
        figures: dict[str, Tensor] = {}
        count = len(main(next(iter(targets.values()))))
        parts = []
        for objective in self.learned:
            logits, target = results[objective.output].float(), targets[objective.target]
            loss = mixed_loss(self._losses[objective.output], logits, target)
            parts.append(loss if objective.weight == 1 else loss * objective.weight)
            figures[figure_name(self.learned, objective, "loss")] = loss.detach() * count
            for name, total in self._instant[objective.output].items():
                figures[figure_name(self.learned, objective, name)] = total(logits.detach(), main(target))
        whole = _sum(parts)
        figures["loss"] = whole.detach() * count
        for extra, objective in self._auxiliary:
            target = targets[objective.target]
            whole = whole + extra.weight * mixed_loss(self._losses[objective.output], results[extra.name].float(), target)
        return whole, figures


def _sum(parts: Sequence[Tensor]) -> Tensor:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    return whole
