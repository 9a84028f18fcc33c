"""Tables for the console: what a training is about to do, what came of it, how good a model is, what it sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from netspec.diagnostics.text import escape, listing, plural
from netspec.report.models import Evaluation, NamedSettings, Prediction, RunRecord, StageSettings, TrainSettings
from netspec.report.progress import Reporter
from netspec.values import Choice, Word, show

_MANY = 20
"""Up to so many classes, the confusion is shown whole."""


def show_header(reporter: Reporter, folder: Path, record: RunRecord) -> None:
    """What is trained, on what, with what, and where it goes."""
    train, data = record.train, record.data
    counts = ", ".join(f"{count:,} {split}" for split, count in data.counts.items())
    origin = "splits of its own" if data.own_splits else "split " + " / ".join(f"{share:.0%}" for share in data.split)
    frozen = record.parameters - record.trainable
    shown = {
        "net": f"{record.net}, {plural(record.parameters, 'parameter')}" + (f", {frozen:,} of them frozen" if frozen else ""),
        "data": f"{data.path}: {counts} ({origin})",
        "classes": f"{len(record.classes)}: {listing([escape(c) for c in record.classes], limit=10)}",
        "training": ", ".join([*(() if train.stages else _stage(train)), *_whole_run(train)]),
        **{f"{i}. {stage.name}": ", ".join([*_stage(stage), *_changes(stage)]) for i, stage in enumerate(train.stages, 1)},
        "device": f"{record.versions.device}, {record.versions.precision}",
        "run": escape(str(folder)),
    }
    width = max(map(len, shown))
    for name, text in shown.items():
        reporter.line(f"{name:<{max(width, 9)}} {text}")
    if "val" not in data.counts:
        reporter.line("no validation split: every training image is trained on, and the last epoch counts", "dim")


def _stage(stage: StageSettings) -> Iterator[str]:
    """How long a stage is, and what it goes by; of what is seldom set, only what is."""
    batches = f"{stage.accumulate} x {stage.batch}" if stage.accumulate > 1 else str(stage.batch)
    yield f"{stage.epochs} epoch{'s' * (stage.epochs != 1)} in batches of {batches}"
    yield from (_named(n) for n in (stage.loss, stage.optimizer, stage.schedule))
    if stage.decay != "all":
        yield f"decay of {stage.decay} alone"
    if stage.clip is not None:
        yield f"gradients up to {stage.clip:g}"
    if stage.stop is not None:
        yield _named(stage.stop)


def _changes(stage: StageSettings) -> Iterator[str]:
    """What a stage freezes and unfreezes."""
    for verb, paths in (("freezes", stage.freeze), ("unfreezes", stage.unfreeze)):
        if paths:
            yield f"{verb} {listing([escape(p) for p in paths], limit=5)}"


def _whole_run(train: TrainSettings) -> Iterator[str]:
    """What holds for all stages."""
    if train.stages:
        yield f"{plural(len(train.stages), 'stage')}, one after the other"
    yield from _changes(train)
    if train.ema is not None:
        yield f"running mean of the weights {train.ema:g}"
    if train.keep.name != "best" or train.keep.settings["monitor"] != "val.accuracy":
        yield f"keep {_named(train.keep)}"
    yield f"seed {train.seed}"


def _named(chosen: NamedSettings) -> str:
    settings = {n: tuple(v) if isinstance(v, list) else Word(v) if isinstance(v, str) else v for n, v in chosen.settings.items()}
    return show(Choice(chosen.name, settings))


def show_outcome(reporter: Reporter, folder: Path, record: RunRecord) -> None:
    """The best epoch and the figures on the test split."""
    if record.best is not None:
        reporter.line(f"best epoch {record.best.epoch}: val accuracy {record.best.val_accuracy:.2%}, val loss {record.best.val_loss:.4f}")
    if record.test is not None:
        weights = "best" if record.test_weights == "best" else "last"
        reporter.line(
            f"test accuracy {record.test.accuracy:.2%}, test loss {record.test.loss:.4f} "
            f"on {plural(record.test.images, 'image')} (weights of the {weights} epoch)",
            "bold",
        )
    reporter.line(f"written to {escape(str(folder))}")


def show_evaluation(console: Console, found: Evaluation) -> None:
    """Accuracy and loss, each class, and, for few classes, who is taken for whom."""
    console.print(Text(f"accuracy {found.accuracy:.2%}  loss {found.loss:.4f}  on {plural(found.images, 'image')} ({found.split})", "bold"))
    classes = Table(box=SIMPLE_HEAD)
    for title in ("class", "images", "correct", "accuracy"):
        classes.add_column(title, justify="left" if title == "class" else "right")
    for row in found.classes:
        accuracy = "" if row.accuracy is None else f"{row.accuracy:.2%}"
        classes.add_row(Text(escape(row.label)), f"{row.images:,}", f"{row.correct:,}", accuracy)
    console.print(classes)
    if len(found.classes) <= _MANY:
        console.print(_confusion(found))


def _confusion(found: Evaluation) -> Table:
    table = Table(box=SIMPLE_HEAD, title="rows: the class; columns: taken for", title_justify="left", title_style="")
    table.add_column("")
    for row in found.classes:
        table.add_column(Text(escape(row.label)), justify="right")
    for index, (row, counts) in enumerate(zip(found.classes, found.confusion, strict=True)):
        cells = [Text(f"{count:,}" if count else "·", "bold" if column == index else "") for column, count in enumerate(counts)]
        table.add_row(Text(escape(row.label)), *cells)
    return table


def show_predictions(console: Console, found: Sequence[Prediction]) -> None:
    """Each file with its most probable class, and the next ones."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("file", overflow="fold")
    table.add_column("class")
    table.add_column("probability", justify="right")
    table.add_column("then")
    for answer in found:
        others = ", ".join(f"{escape(o.label)} {o.probability:.1%}" for o in answer.top[1:])
        table.add_row(Text(escape(answer.file)), Text(escape(answer.label), "bold"), f"{answer.probability:.2%}", Text(others))
    console.print(table)
