"""Settings of a training in words: for the console and for the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netspec.diagnostics.text import escape, listing, plural
from netspec.report.figures import of_trainable
from netspec.report.models import DataRecord, NamedSettings, RunRecord, StageSettings, TrainSettings
from netspec.values import Choice, Word, show


def named(chosen: NamedSettings) -> str:
    """A choice as it would be written: ``sgd(lr=0.1, momentum=0.9)``."""
    settings = {n: tuple(v) if isinstance(v, list) else Word(v) if isinstance(v, str) else v for n, v in chosen.settings.items()}
    return escape(show(Choice(chosen.name, settings)))


def of_epochs(count: int) -> str:
    """``1 epoch``, ``3 epochs``."""
    return f"{count:,} epoch{'s' * (count != 1)}"


def of_net(record: RunRecord) -> str:
    """``LeNet5, 61,706 parameters, 240 of them trainable``, or where stages differ, at most so many."""
    trainable = of_trainable(record.parameters, record.trainable, bool(record.train.stages))
    return f"{escape(record.net)}, {plural(record.parameters, 'parameter')}{trainable}"


def of_data(data: DataRecord) -> str:
    """``digits.npz: 54,000 train, 6,000 val (splits of its own)``."""
    counts = ", ".join(f"{count:,} {split}" for split, count in data.counts.items())
    origin = "splits of its own" if data.own_splits else "split " + " / ".join(f"{share:.0%}" for share in data.split)
    return f"{escape(data.path)}: {counts} ({origin})"


def of_classes(classes: Mapping[str, Sequence[str]]) -> str:
    """``3: cat, dog and hamster``; of several targets, each by its name."""
    lists = {target: f"{len(names)}: {listing([escape(n) for n in names], limit=10)}" for target, names in classes.items()}
    if len(lists) == 1:
        return next(iter(lists.values()))
    return "; ".join(f"{escape(target)} {names}" for target, names in lists.items())


def of_stage(stage: StageSettings) -> Iterator[str]:
    """How long a stage is, and what it goes by; of what is seldom set, only what is."""
    batches = f"{stage.accumulate} x {stage.batch}" if stage.accumulate > 1 else str(stage.batch)
    yield f"{of_epochs(stage.epochs)} in batches of {batches}"
    yield from _losses(stage)
    yield named(stage.optimizer)
    if stage.rates:
        yield f"learning rate {of_rates(stage.rates)}"
    yield named(stage.schedule)
    if stage.decay != "all":
        yield f"decay of {stage.decay} alone"
    if stage.clip is not None:
        yield f"gradients up to {stage.clip:g}"
    if stage.stop is not None:
        yield named(stage.stop)


def of_rates(rates: Sequence[tuple[str, float]]) -> str:
    """``x 0.1 for base and x 0.5 for base.layer2``: how fast parts learn, in the order of their lines."""
    return listing([f"x {factor:g} for {escape(path)}" for path, factor in rates], limit=8)


def of_norms(paths: Sequence[str]) -> str:
    """That batch norms which were frozen learn again, and what that means."""
    again = "that was frozen learns again" if len(paths) == 1 else "that were frozen learn again"
    more = "" if len(paths) == 1 else " and on"
    which = f"{plural(len(paths), 'batch norm')} {again}, by the statistics of each batch"
    return f"{which}: {escape(paths[0])}{more}; batch_norm = fixed keeps theirs"


def _losses(stage: StageSettings) -> Iterator[str]:
    """The loss, or that of each output, with what it counts for where that is not 1."""
    for output, loss in stage.losses.items():
        weight = stage.loss_weights.get(output, 1.0)
        factor = "" if weight == 1 else f"{weight:g} x "
        yield f"{factor}{named(loss)}" if len(stage.losses) == 1 else f"{escape(output)} {factor}{named(loss)}"


def of_changes(stage: StageSettings) -> Iterator[str]:
    """What a stage freezes and unfreezes."""
    for verb, paths in (("freezes", stage.freeze), ("unfreezes", stage.unfreeze)):
        if paths:
            yield f"{verb} {listing([escape(p) for p in paths], limit=5)}"


def of_whole_run(train: TrainSettings) -> Iterator[str]:
    """What holds for all stages."""
    if train.stages:
        yield f"{plural(len(train.stages), 'stage')}, one after the other"
    yield from of_changes(train)
    if train.ema is not None:
        yield f"running mean of the weights {train.ema:g}"
    if train.keep.name != "best" or train.keep.settings.get("monitor") != usual_monitor(train):
        yield f"keep {named(train.keep)}"
    yield f"seed {train.seed}"


def kept_epochs(record: RunRecord) -> frozenset[int]:
    """The epochs of stages that read kept values of their frozen part, as far as these stages are over."""
    return frozenset(epoch for stage in record.stages if stage.cached != "no" for epoch in range(stage.first_epoch, stage.last_epoch + 1))


def usual_monitor(train: TrainSettings) -> str:
    """What says which epoch is the best where nothing is written: the first metric of the only output, else the loss."""
    metrics = next(iter(train.metrics.values()), ())
    return f"val.{metrics[0].name}" if len(train.losses) == 1 and metrics else "val.loss"
