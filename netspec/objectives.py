"""What each output of a net is to learn: a function of the graph and of a stage's settings alone.

Where one output has one target, they go together whatever they are called; of several, each output learns the target of its name. What
values a target has follows from the loss and from the output's shape:

| output | loss | kind of target |
|---|---|---|
| vector of K | `cross_entropy`, `focal` | `class`: one of K |
| vector of 1 | `binary_cross_entropy`, `focal`, `contrastive` | `class`: one of 2, the second is what the output speaks of |
| vector of K > 1 | `binary_cross_entropy` | `labels`: each of K is there or not |
| vector of K | `mae`, `mse`, `huber` | `number`: K of them |
| `C x H x W`, C > 1 | `cross_entropy`, `focal`, `dice` | `mask`: one of C for each pixel |
| `1 x H x W` | `binary_cross_entropy`, `focal`, `dice` | `mask`: one of 2 for each pixel |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from netspec.diagnostics.text import plural
from netspec.graph import Ending, Graph, Output
from netspec.sections import LOSSES, METRICS, choice
from netspec.shape import Shape, is_open
from netspec.values import ByOutput, Choice

Kind = Literal["class", "labels", "number", "mask"]

CLASSIFYING: Final = frozenset({"cross_entropy", "focal", "dice"})
BINARY: Final = frozenset({"binary_cross_entropy", "focal", "dice"})
MEASURING: Final = frozenset({"mae", "mse", "huber"})
"""Losses of numbers."""

MEASURED: Final[Mapping[Kind, tuple[str, ...]]] = {
    "class": ("accuracy",), "labels": ("f1",), "number": ("mae",), "mask": ("miou",),
}  # fmt: skip
"""The metrics of an output for which none are written, the first of which says which epoch is the best."""

FITTING: Final[Mapping[Kind, tuple[str, ...]]] = {
    "class": ("accuracy", "top_k", "precision", "recall", "f1", "auc"),
    "labels": ("accuracy", "precision", "recall", "f1", "auc"),
    "number": ("mae", "mse", "rmse"),
    "mask": ("accuracy", "miou", "dice"),
}
"""The metrics that go with what an output learns."""

WHILE_TRAINING: Final = frozenset({"loss", "accuracy", "top_k", "mae", "mse"})
"""Figures that are means over samples, and so known of the training itself."""


@dataclass(frozen=True)
class Objective:
    """An output and what it learns. ``shape`` is the output's; ``ending`` the activation that the net applies last, which
    no loss of classes needs."""

    output: str
    target: str
    kind: Kind
    shape: Shape
    loss: Choice
    weight: float = 1.0
    metrics: tuple[Choice, ...] = ()
    ending: Ending | None = None

    @property
    def binary(self) -> bool:
        """Whether one number says how much something is of the second of two classes."""
        return self.kind in ("class", "mask") and self.shape[0] == 1

    @property
    def learns(self) -> str:
        """What the output learns, and with which loss, in words."""
        count = int(self.shape[0])
        what = {"class": f"one of {self.classes} classes", "labels": f"{count} labels", "number": plural(count, "number")}
        return f"{what.get(self.kind, 'the class of each pixel')}, with {self.loss.name}"

    @property
    def classes(self) -> int:
        """How many classes are told apart; for labels how many there are, and 0 for numbers."""
        return 0 if self.kind == "number" else 2 if self.binary else int(self.shape[0])


class DoesNotFit(ValueError):
    """A loss that does not go with its output."""

    def __init__(self, output: Output, loss: str, shape: Shape, ending: Ending | None) -> None:
        super().__init__(loss)
        self.output, self.loss, self.shape, self.ending = output, loss, shape, ending


def kind_of(loss: str, shape: Shape) -> Kind | None:
    """What a loss on an output of this shape learns from, ``None`` where they do not go together."""
    if is_open(shape[:1]):
        return None
    if len(shape) == 1:
        return _of_vector(loss, shape[0] == 1)
    if len(shape) == 3 and (loss in BINARY if shape[0] == 1 else loss in CLASSIFYING):
        return "mask"
    return None


def _of_vector(loss: str, single: bool) -> Kind | None:
    if loss in MEASURING:
        return "number"
    if loss in ("focal", "cross_entropy" if not single else "contrastive"):
        return "class"
    if loss == "binary_cross_entropy":
        return "class" if single else "labels"
    return None


def loss_fits(loss: str, shape: Shape, ending: Ending | None) -> bool:
    """Whether a loss goes with an output of this shape that ends in ``ending``: one rule for `check` and for training."""
    if kind_of(loss, shape) is None:
        return False
    if loss in MEASURING or loss == "contrastive":
        return True
    return ending != ("softmax" if shape[0] == 1 or loss == "binary_cross_entropy" else "sigmoid")


def losses_for(shape: Shape, ending: Ending | None) -> tuple[str, ...]:
    """The losses that go with an output, in the order of the reference."""
    return tuple(loss for loss in LOSSES if loss_fits(loss, shape, ending))


def losses_by_kind(shape: Shape, ending: Ending | None) -> dict[Kind, tuple[str, ...]]:
    """The losses that go with an output, by what it would then learn; `contrastive` aside, which is for distances alone."""
    found: dict[Kind, tuple[str, ...]] = {}
    for loss in losses_for(shape, ending):
        kind = kind_of(loss, shape)
        if kind is not None and loss != "contrastive":
            found[kind] = (*found.get(kind, ()), loss)
    return found


def metric_fits(metric: Choice, kind: Kind, classes: int) -> bool:
    """Whether a metric goes with what an output learns. Of two classes nothing is learned from the k most probable, nor of K from K."""
    return metric.name in FITTING[kind] and (metric.name != "top_k" or metric.settings["k"] < classes)


def usual_loss(graph: Graph, output: Output) -> Choice:
    """The loss of an output for which none is written: by its ending, else by whether it gives one number (one channel, for a map).

    A distance is small for what is the same, so that it is no logit: it has `contrastive`.
    """
    shape = graph.nodes[output.node].output
    if graph.nodes[output.node].layer == "distance" and shape == (1,):
        return choice(LOSSES["contrastive"])
    single = shape[:1] == (1,) or (graph.ending(output) == "sigmoid" and len(shape) == 1)
    return choice(LOSSES["binary_cross_entropy" if single else "cross_entropy"])


def objectives(graph: Graph, values: Mapping[str, Any]) -> tuple[Objective, ...]:
    """The objectives of a stage from its settings, defaults included, in the order of the outputs. Raises :class:`DoesNotFit`."""
    return tuple(objective_of(graph, output, values) for output in graph.outputs)


def objective_of(graph: Graph, output: Output, values: Mapping[str, Any]) -> Objective:
    """What one output learns. Raises :class:`DoesNotFit`."""
    loss: Choice = _of(values.get("loss"), output) or usual_loss(graph, output)
    shape, ending = graph.nodes[output.node].output, graph.ending(output)
    kind = kind_of(loss.name, shape)
    if kind is None or not loss_fits(loss.name, shape, ending):
        raise DoesNotFit(output, loss.name, shape, ending)
    asked = _of(values.get("metrics"), output) or tuple(choice(METRICS[name]) for name in MEASURED[kind])
    weight = _of(values.get("loss_weights"), output) or 1.0
    return Objective(output.name, target_of(graph, output), kind, shape, loss, weight, asked, ending)


def _of(value: Any, output: Output) -> Any:
    """What a setting says of an output: what stands by its name, or what is said of all."""
    return value.of(output.name) if isinstance(value, ByOutput) else value


def target_of(graph: Graph, output: Output) -> str:
    """The name of the target that an output learns: of one output the only target, else the one of its name."""
    known = targets_of(graph)
    return next(iter(known)) if len(graph.outputs) == 1 and len(known) == 1 else output.name


def targets_of(graph: Graph) -> Mapping[str, Choice]:
    """Where the values of each target come from, by its name: what the section `data` says, else one for each output, named as it is."""
    written: Mapping[str, Choice] = graph.data.values.get("target") or {}
    return written or {output.name: Choice("") for output in graph.outputs}


def figure_name(learned: Sequence[Objective], objective: Objective, metric: str) -> str:
    """What a figure of an output is called: ``accuracy`` where the net has one output, ``gender.accuracy`` where it has several."""
    return metric if len(learned) == 1 else f"{objective.output}.{metric}"


def figure_titles(learned: Sequence[Objective]) -> dict[str, str]:
    """What figures are called in words where their name does not say all: ``top_k`` with its k, ``top_5``."""
    return {
        figure_name(learned, objective, metric.name): figure_name(learned, objective, f"top_{metric.settings['k']}")
        for objective in learned
        for metric in objective.metrics
        if metric.name == "top_k"
    }


def monitors(learned: Sequence[Objective]) -> tuple[str, ...]:
    """The names of all figures of an epoch, with their splits: those of validation, then those of the training itself."""
    figures = {"loss": None} | {
        figure_name(learned, o, metric): None for o in learned for metric in ("loss", *(chosen.name for chosen in o.metrics))
    }
    return (*(f"val.{f}" for f in figures), *(f"train.{f}" for f in figures if f.rpartition(".")[2] in WHILE_TRAINING))
