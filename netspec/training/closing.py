"""The end of a training: the weights to use measured on the test split, and all that is told of the run."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from netspec.backends.torch.weights import read_weights
from netspec.data import Samples, Splits
from netspec.diagnostics.text import escape
from netspec.objectives import Objective
from netspec.report.confusion import draw_confusions
from netspec.report.curves import draw_curves
from netspec.report.diagrams import net_diagram
from netspec.report.events import EventLog
from netspec.report.mistakes import Mistake, draw_mistakes
from netspec.report.models import Evaluation, Figures, RunRecord
from netspec.report.page import Report, write_report
from netspec.report.planned import plan_lines
from netspec.report.plans import TrainingPlan
from netspec.report.tables import show_outcome
from netspec.training.devices.processes import ALONE, Processes
from netspec.training.devices.sharding import load_whole
from netspec.training.folders.folder import RunFolder
from netspec.training.job import Job
from netspec.training.loop import Training
from netspec.training.measuring.deciding import decided
from netspec.training.measuring.measure import Measures, measure
from netspec.training.measuring.worst import WorstSample
from netspec.training.notes import notes
from netspec.training.oddities import odd_losses
from netspec.training.stopping import Interrupted


def close_run(job: Job, splits: Splits, training: Training) -> RunRecord:
    """Measure the weights to use, and write and say what came of the run. Of several processes the first one does so; where the net is
    divided, all of them measure."""
    keeper, position = training.keeper, training.position
    if not (job.processes.first or job.options.shard):
        return keeper.record
    split = next((name for name in ("test", "val") if name in splits.sets()), None)
    measures: Measures | None = None
    figures: Figures | None = None
    mistakes: tuple[Mistake, ...] = ()
    if split is not None:
        samples = splits.sets()[split].to(job.device)
        measures = _measured(job, samples, training)
        figures = measures.figures() if split == "test" else None
        mistakes = tuple(_mistakes(job, samples, measures, training))
    if not job.processes.first:
        return keeper.record
    used = None if figures is None else "last" if position.best is None else "best"
    finished: dict[str, Any] = {"status": "finished", "test": figures, "test_weights": used}
    record = keeper.record.model_copy(update=finished)
    keeper.write(keeper.folder.curves, draw_curves(record.name, position.rows, position.best, figures))
    evaluation = None if measures is None or split is None else _evaluation(record, split, measures)
    _draw(training, record, evaluation, mistakes)
    keeper.write(keeper.folder.report, write_report(_report(job, splits, training, record, evaluation, mistakes)).encode())
    keeper.update(**finished)
    show_outcome(job.reporter, keeper.folder.path, keeper.record)
    return keeper.record


def _measured(job: Job, samples: Samples, training: Training) -> Measures:
    these = job.processes if job.options.shard else ALONE
    these.any(True)  # the first one has written the weights
    load_whole(training.net, read_weights(training.keeper.folder.weights(training.keeper.record)))
    training.net.eval()
    batch, learned = job.settings.in_turn[-1].batch, job.lessons[-1].learned
    return measure(training.score, samples, learned, batch, lambda: _stop_if_asked(training, these), these)


def _stop_if_asked(training: Training, processes: Processes) -> None:
    """Stop without saving: the state is that of the last epoch already, and the net holds the weights of the best."""
    if processes.any(training.request.signal is not None):
        raise Interrupted(training.request.signal or signal.SIGTERM, training.keeper.folder.path)


def _evaluation(record: RunRecord, split: str, measures: Measures) -> Evaluation:
    return Evaluation(
        model=record.name,
        data=record.data.path,
        split=split,
        images=measures.images,
        figures=measures.values,
        outputs=measures.by_output(record.classes),
    )


def _draw(training: Training, record: RunRecord, evaluation: Evaluation | None, mistakes: tuple[Mistake, ...]) -> None:
    folder, keeper = training.keeper.folder, training.keeper
    confusion = None if evaluation is None else draw_confusions(record.name, evaluation)
    if confusion is not None:
        keeper.write(folder.confusion, confusion)
        if training.job.options.tensorboard:
            with EventLog(folder.path) as events:
                events.picture("confusion", confusion, training.position.epoch)
    if mistakes:
        keeper.write(folder.mistakes, draw_mistakes(mistakes))


def _report(
    job: Job, splits: Splits, training: Training, record: RunRecord, evaluation: Evaluation | None, mistakes: tuple[Mistake, ...]
) -> Report:
    return Report(
        record=record,
        rows=training.position.rows,
        spec=job.graph.source.text,
        given=job.graph.given,
        diagram=net_diagram(job.graph),
        evaluation=evaluation,
        counts=_counts(job.lessons[-1].learned, splits, record),
        mistakes=mistakes,
        warnings=tuple(w.message() for w in (*splits.warnings, *odd_losses(training.position.rows))),
        notes=tuple(notes(job.graph, splits)),
        plan=_plan(training.keeper.folder),
    )


def _plan(folder: RunFolder) -> tuple[str, ...]:
    """What was planned, in words; nothing where the file of it is gone."""
    try:
        return tuple(plan_lines(TrainingPlan.model_validate_json(folder.plan.read_bytes())))
    except (OSError, ValidationError):
        return ()


def _counts(learned: tuple[Objective, ...], splits: Splits, record: RunRecord) -> Mapping[str, Mapping[str, tuple[int, ...]]]:
    """How many samples of each class each split has; of masks none are counted."""
    found: dict[str, dict[str, tuple[int, ...]]] = {}
    for objective in learned:
        classes = len(record.classes.get(objective.target, ()))
        for split, samples in splits.sets().items() if objective.kind in ("class", "labels") else ():
            values = samples.target(objective.target)
            counts = torch.bincount(values, minlength=classes) if objective.kind == "class" else values.sum(0)
            found.setdefault(objective.target, {})[split] = tuple(int(n) for n in counts)
    return found


def _mistakes(job: Job, samples: Samples, measures: Measures, training: Training) -> Iterator[Mistake]:
    """What the net does worst on, with its pictures."""
    classes = training.keeper.record.classes
    for objective in job.lessons[-1].learned:
        found = measures.outputs[objective.output].worst
        if objective.kind == "class":
            found = tuple(w for w in found if w.true != w.taken)
        if not found:
            continue
        numbers = torch.tensor([w.sample for w in found])
        batch = next(iter(samples.batches(numbers, [(0, len(found))])))
        pictures = [t.cpu() for t in batch.inputs.values() if t.dtype == torch.uint8 and t.dim() == 4]
        masks = None
        if objective.kind == "mask":
            with torch.inference_mode():
                answer = training.score(batch)[objective.output]
            masks = batch.targets[objective.target].cpu(), decided(objective, answer).cpu()
        for i, worst in enumerate(found):
            shown = None if masks is None else (masks[0][i], masks[1][i])
            yield _mistake(objective, worst, tuple(p[i] for p in pictures), samples, classes.get(objective.target, ()), shown, job)


def _mistake(
    objective: Objective,
    worst: WorstSample,
    pictures: tuple[Tensor, ...],
    samples: Samples,
    classes: tuple[str, ...],
    masks: tuple[Tensor, Tensor] | None,
    job: Job,
) -> Mistake:
    def called(number: int | None) -> str:
        return "" if number is None else classes[number]

    return Mistake(
        name=escape(samples.name(worst.sample)),
        pictures=pictures,
        truth=called(worst.true),
        taken=called(worst.taken),
        loss=worst.loss,
        probability=worst.probability,
        output=objective.output if len(job.graph.outputs) > 1 else "",
        masks=masks,
    )
