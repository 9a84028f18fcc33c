"""Tables for the console: what a training is about to do, what came of it, how good a model is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from netspec.diagnostics.text import escape, plural
from netspec.report.measured import titles, told
from netspec.report.models import Evaluation, OutputFigures, RunRecord, Versions
from netspec.report.progress import Reporter
from netspec.report.wording import of_changes, of_classes, of_data, of_net, of_stage, of_whole_run

_MANY = 20
"""Up to so many classes, the confusion is shown whole."""


def show_header(reporter: Reporter, folder: Path, record: RunRecord) -> None:
    """What is trained, on what, with what, and where it goes."""
    train = record.train
    reporter.titles = titles([train])
    reporter.monitor = str(train.keep.settings.get("monitor") or "")
    shown = {
        "net": of_net(record),
        "data": of_data(record.data),
        **({"classes": of_classes(record.classes)} if record.classes else {}),
        "training": ", ".join([*(() if train.stages else of_stage(train)), *of_whole_run(train)]),
        **{f"{i}. {stage.name}": ", ".join([*of_stage(stage), *of_changes(stage)]) for i, stage in enumerate(train.stages, 1)},
        "device": f"{record.versions.device}, {record.versions.precision}" + _processes(record.versions),
        "run": escape(str(folder)),
    }
    width = max(map(len, shown))
    for name, text in shown.items():
        reporter.line(f"{name:<{max(width, 9)}} {text}")
    if "val" not in record.data.counts:
        reporter.line("no validation split: every training image is trained on, and the last epoch counts", "dim")


def show_outcome(reporter: Reporter, folder: Path, record: RunRecord) -> None:
    """The best epoch and the figures on the test split."""
    called = titles([record.train])
    if record.best is not None:
        reporter.line(f"best epoch {record.best.epoch}: {', '.join(_main_first(record.best.values, record.best.monitor, 'val', called))}")
    if record.test is not None:
        weights = "best" if record.test_weights == "best" else "last"
        monitor = record.train.keep.settings.get("monitor", "")
        figures = ", ".join(_main_first(record.test.values, monitor, "test", called))
        reporter.line(f"{figures} on {plural(record.test.images, 'image')} (weights of the {weights} epoch)", "bold")
    reporter.line(f"written to {escape(str(folder))}")


def _main_first(values: dict[str, float], monitor: str, split: str, called: Mapping[str, str] = {}) -> list[str]:
    """Figures in words, the one that matters most first, the loss last."""
    main = monitor.partition(".")[2]
    ordered = sorted(values, key=lambda name: (name != main, name == "loss"))
    return told({name: values[name] for name in ordered}, split, called)


def show_evaluation(console: Console, found: Evaluation) -> None:
    """The figures, each class, and, for few classes, who is taken for whom."""
    for warning in found.warnings:
        console.print(Text(f"warning: {warning}", "yellow"), soft_wrap=True)
    figures = "  ".join(_main_first(found.figures, "", "", found.titles))
    console.print(Text(f"{figures}  on {plural(found.images, 'image')} ({found.split})", "bold"))
    for name, output in found.outputs.items():
        if len(found.outputs) > 1 and output.classes:
            console.print(Text(escape(name), "bold"))
        if output.classes:
            console.print(_classes(output))
        if output.confusion and len(output.confusion) <= _MANY:
            console.print(Text("  rows: the class; columns: taken for"))
            console.print(_confusion(output, console.width))


def _classes(output: OutputFigures) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for title in ("class", "pixels" if output.kind == "mask" else "images", "correct", "accuracy"):
        table.add_column(title, justify="left" if title == "class" else "right")
    for row in output.classes:
        accuracy = "" if row.accuracy is None else f"{row.accuracy:.2%}"
        table.add_row(Text(escape(row.label)), f"{row.images:,}", f"{row.correct:,}", accuracy)
    return table


def _confusion(output: OutputFigures, room: int) -> Table:
    """Who is taken for whom; columns bear the classes' numbers where their names would be broken."""
    labels = [escape(row.label) for row in output.classes]
    heads, rows, space = labels, labels, 1
    if sum(cell_len(label) + 2 for label in labels) + max(map(cell_len, labels)) + 4 > room:
        heads = [str(number) for number in range(len(labels))]
        rows = [f"{number:>{len(heads[-1])}} {label}" for number, label in enumerate(labels)]
        space = 0
    table = Table(box=SIMPLE_HEAD, padding=(0, space, 0, 1))
    table.add_column("")
    for head in heads:
        table.add_column(Text(head), justify="right")
    for index, (row, counts) in enumerate(zip(rows, output.confusion, strict=True)):
        cells = [Text(f"{count:,}" if count else "·", "bold" if column == index else "") for column, count in enumerate(counts)]
        table.add_row(Text(row), *cells)
    return table


def _processes(versions: Versions) -> str:
    if versions.processes == 1:
        return ""
    return f", {versions.processes} processes" + (", weights divided among them" if versions.sharded else "")
