"""How good a net is on a split: its losses and metrics, who is taken for whom, and what it does worst on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt

import torch
from torch import Tensor

from netspec.data.samples import Batch, Samples
from netspec.diagnostics import failure
from netspec.diagnostics.measuring import FigureUndefined, OutputNotFinite
from netspec.objectives import Kind, Objective, figure_name
from netspec.report.models import ClassFigures, Figures, OutputFigures
from netspec.training.batches import batch_bounds
from netspec.training.devices.processes import ALONE, Processes
from netspec.training.devices.synchronised import shares
from netspec.training.measuring.losses import plain_loss
from netspec.training.measuring.metrics import UNDEFINED, auc, confused, each, errors, from_confusion, scores
from netspec.training.measuring.worst import Worst, WorstSample

Score = Callable[[Batch], Mapping[str, Tensor]]
"""From a batch to the logits of each output by its name."""


@dataclass(frozen=True)
class OutputMeasures:
    """What came of one output. ``confusion`` is what ``metrics.confused`` counts, on the CPU, ``None`` for numbers;
    ``worst`` are the samples with the highest losses, none for labels and numbers."""

    target: str
    kind: Kind
    confusion: Tensor | None = None
    worst: tuple[WorstSample, ...] = ()

    def figures(self, classes: Sequence[str]) -> OutputFigures:
        """The figures of each class or label by its name. Labels have no table of who is taken for whom: one is not in another's place."""
        if self.confusion is None:
            return OutputFigures(kind=self.kind)
        right, counts = self.confusion.diagonal(), self.confusion.sum(1)
        if self.kind == "labels":
            right, counts = self.confusion[:, 1, 1], self.confusion[:, 1].sum(1)
        rows = zip(classes, counts.tolist(), right.tolist(), strict=True)
        table = () if self.kind == "labels" else tuple(tuple(row) for row in self.confusion.tolist())
        return OutputFigures(kind=self.kind, classes=tuple(_class_figures(*row) for row in rows), confusion=table)


def _class_figures(label: str, count: int, right: int) -> ClassFigures:
    return ClassFigures(label=label, images=count, correct=right, accuracy=right / count if count else None)


@dataclass(frozen=True)
class Measures:
    """The figures of a split by their names: of a net with one output `loss` and its metrics, of one with several `age.loss`,
    `gender.accuracy`, and `loss`, the sum of the losses by their weights. Losses are :func:`~netspec.training.measuring.losses.plain_loss`.

    A metric that the split does not define has no figure; ``undefined`` says why, by the figure's name.
    """

    images: int
    values: dict[str, float]
    outputs: dict[str, OutputMeasures]
    undefined: dict[str, str] = field(default_factory=dict)

    def figures(self) -> Figures:
        """What is reported of the split."""
        return Figures(images=self.images, values=self.values)

    def figure(self, name: str) -> float:
        """A figure that something goes by. Raises N956 where the split does not define it, :class:`KeyError` where there is none."""
        if name in self.undefined:
            raise failure(FigureUndefined(name, self.undefined[name]))
        return self.values[name]

    def by_output(self, classes: Mapping[str, Sequence[str]]) -> dict[str, OutputFigures]:
        """The figures of each class, by the names of the outputs; ``classes`` are named by target."""
        return {name: output.figures(classes.get(output.target, ())) for name, output in self.outputs.items()}


def measure(
    score: Score,
    samples: Samples,
    learned: Sequence[Objective],
    batch: int,
    proceed: Callable[[], None] | None = None,
    processes: Processes = ALONE,
) -> Measures:
    """Run every sample of a split through the net once: of several processes each has its part, and all have the figures of the whole.
    ``score`` and then ``proceed``, which may raise to break off, are called for each batch, as often in all of them.

    Raises N951 where an answer is not finite.
    """
    tallies = [_Tally(objective) for objective in learned]
    own = shares(batch_bounds(len(samples), batch), processes)
    batches = samples.batches(torch.arange(len(samples)), [(share.start, share.end) for share in own])
    with torch.inference_mode():
        for share, part in zip(own, batches, strict=True):
            _add(tallies if share.counts else (), part, score, samples, share.start)
            if proceed is not None:
                proceed()
    _join(tallies, processes)
    return _measures(tallies, len(samples))


def _add(tallies: Sequence[_Tally], part: Batch, score: Score, samples: Samples, start: int) -> None:
    answers = score(part)
    for tally in tallies:
        logits = answers[tally.objective.output]
        tally.add(logits, part.targets[tally.objective.target].to(logits.device), samples, start)


def _join(tallies: Sequence[_Tally], processes: Processes) -> None:
    """Let each tally have what all processes have counted, in the order of their ranks."""
    if processes.several:
        counted = processes.gathered([tally.counted() for tally in tallies])
        for number, tally in enumerate(tallies):
            tally.take([parts[number] for parts in counted])


@dataclass(frozen=True)
class _Counted:
    """What one process has counted of an output, on the CPU."""

    sums: dict[str, float]
    confusion: Tensor | None
    scores: list[tuple[Tensor, Tensor]] | None
    worst: tuple[WorstSample, ...]


class _Tally:
    """What is counted of one output, batch by batch. Scores of samples are kept where a metric needs them, and none of pixels."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self._loss, self._each = plain_loss(objective), each(objective)
        asked = {metric.name for metric in objective.metrics}
        if "rmse" in asked:
            self._each["rmse"] = lambda logits, target: errors(objective, logits, target, 2)
        self._each.pop("accuracy", None)  # it follows from the confusion
        self._sums = dict.fromkeys(("loss", *self._each), 0.0)
        self._confusion: Tensor | None = None
        self._scores: list[tuple[Tensor, Tensor]] | None = [] if "auc" in asked else None
        self._worst = Worst(objective) if objective.kind in ("class", "mask") else None

    def add(self, logits: Tensor, target: Tensor, samples: Samples, start: int) -> None:
        losses = self._loss(logits, target)
        finite = (torch.isfinite(losses) & torch.isfinite(logits.flatten(1).abs().amax(1))).cpu()
        if not bool(finite.all()):
            raise failure(OutputNotFinite(samples.name(start + int((~finite).nonzero()[0]))))
        losses = losses.cpu()
        self._sums["loss"] += float(losses.double().sum())
        for name, of_each in self._each.items():
            self._sums[name] += float(of_each(logits, target).cpu().double().sum())
        if self.objective.kind != "number":
            counted = confused(self.objective, logits, target)
            self._confusion = counted if self._confusion is None else self._confusion + counted
        if self._scores is not None:
            self._scores.append((target.cpu(), scores(self.objective, logits).cpu()))
        if self._worst is not None:
            self._worst.add(losses, logits, target, start)

    def counted(self) -> _Counted:
        """What other processes need to know of it."""
        output = self.output()
        return _Counted(self._sums, output.confusion, self._scores, output.worst)

    def take(self, parts: Sequence[_Counted]) -> None:
        """Have what all processes have counted, of which this one's is a part."""
        self._sums = {name: sum(part.sums[name] for part in parts) for name in self._sums}
        tables = [part.confusion for part in parts if part.confusion is not None]
        self._confusion = torch.stack(tables).sum(0) if tables else None
        if self._scores is not None:
            self._scores = [pair for part in parts for pair in part.scores or ()]
        if self._worst is not None:
            self._worst = Worst(self.objective)
            self._worst.join(sample for part in parts for sample in part.worst)

    def output(self) -> OutputMeasures:
        """What came of the output, with what was counted on the CPU."""
        confusion = None if self._confusion is None else self._confusion.cpu()
        worst = () if self._worst is None else self._worst.samples()
        return OutputMeasures(self.objective.target, self.objective.kind, confusion, worst)

    def loss(self, count: int) -> float:
        """The mean over so many samples."""
        return self._sums["loss"] / count

    def metrics(self, count: int, confusion: Tensor | None) -> dict[str, float | None]:
        """The metrics by their names, ``None`` where one is not defined."""
        return {metric.name: self._metric(metric.name, count, confusion) for metric in self.objective.metrics}

    def _metric(self, name: str, count: int, confusion: Tensor | None) -> float | None:
        if name in self._sums:
            mean = self._sums[name] / count
            return sqrt(mean) if name == "rmse" else mean
        if name == "auc":
            assert self._scores is not None
            return auc(*(torch.cat(column) for column in zip(*self._scores, strict=True)))
        assert confusion is not None
        return from_confusion(name, confusion)


def _measures(tallies: Sequence[_Tally], count: int) -> Measures:
    learned = [tally.objective for tally in tallies]
    outputs = {tally.objective.output: tally.output() for tally in tallies}
    values, undefined = {"loss": 0.0}, {}
    for tally in tallies:
        objective = tally.objective
        values["loss"] += objective.weight * tally.loss(count)
        if len(tallies) > 1:
            values[figure_name(learned, objective, "loss")] = tally.loss(count)
        for metric, value in tally.metrics(count, outputs[objective.output].confusion).items():
            name = figure_name(learned, objective, metric)
            if value is None:
                undefined[name] = UNDEFINED[metric]
            else:
                values[name] = value
    return Measures(count, values, outputs, undefined)
