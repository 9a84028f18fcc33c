"""What a training shows while it runs: a live line in a terminal, one line for each epoch elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from netspec.diagnostics import Problem
from netspec.diagnostics.text import escape
from netspec.report.measured import in_short, told
from netspec.report.models import EpochRow

_REFRESH_SECONDS: Final = 0.2
_LIVE_FIGURES: Final = 4
"""How many figures there is room for in the live line."""


class Progressing(Protocol):
    """How far an epoch has come; ``sums`` are those of the figures over its samples."""

    epoch: int
    step: int
    sums: dict[str, float]
    seconds: float


class Reporter:
    """Shows a training on a console, or nothing where there is none. A closed pipe silences it and never ends the training."""

    def __init__(self, console: Console | None) -> None:
        self._console = console
        self._live: Progress | None = None
        self._task: TaskID | None = None
        self._epochs = self._images = 0
        self.titles: Mapping[str, str] = {}
        self.monitor = ""
        """The figure that says which epoch is the best, as ``val.accuracy``."""
        """What some figures are called, where their name does not say all."""
        self._shown = float("-inf")

    def line(self, text: str, style: str = "") -> None:
        """Print a line as it is."""
        self._guard(lambda console: console.print(Text(text, style), soft_wrap=True))

    def problem(self, problem: Problem) -> None:
        """Print a warning, with what is to be known of it."""
        self.line(f"warning[{problem.code}]: {problem.message()}", "yellow")
        for note in problem.notes():
            self.line(f"  {note}")

    def reading(self, done: int, total: int) -> None:
        """Show, in a terminal, how many images have been read; the line gives way to the next."""
        if self._console is not None and self._console.is_terminal:
            end = "\r" if done < total else "\n"
            self._guard(lambda console: console.print(Text(f"images read: {done:,} of {total:,}"), end=end))

    def begin(self, epochs: int, images: int) -> None:
        """Say how long it is."""
        self._epochs, self._images = epochs, images

    def __enter__(self) -> Reporter:
        if self._console is not None and self._console.is_terminal:
            self._live = Progress(
                TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[figures]}"),
                console=self._console, transient=True, auto_refresh=False,
            )  # fmt: skip
            live = self._live
            self._guard(lambda _: live.start())
            self._task = self._live.add_task("", total=self._images, figures="")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            live, self._live = self._live, None
            self._guard(lambda _: live.stop())

    def step(self, at: Progressing, seen: int) -> None:
        """Show a step, at most five times a second."""
        now = time.perf_counter()
        if self._live is None or self._task is None or now - self._shown < _REFRESH_SECONDS:
            return
        self._shown = now
        speed = seen / max(at.seconds, 1e-9)
        left = ((self._epochs - at.epoch) * self._images - seen) / max(speed, 1e-9)
        means = {name: total / seen for name, total in at.sums.items()}
        figures = "  ".join([*told(means, titles=self.titles)[:_LIVE_FIGURES], f"{speed:,.0f} images/s", f"{duration(left)} left"])
        self._update(f"epoch {at.epoch + 1}/{self._epochs}", seen, figures)

    def validating(self) -> None:
        """Show that the validation split is being measured."""
        if self._live is not None:
            self._update("validation", self._images, "")

    def epoch(self, row: EpochRow, best: bool, kept: bool = False) -> None:
        """Show an epoch that is done; ``kept`` says that it read values of the frozen part and did not compute them."""
        self.line(epoch_line(row, self._epochs, self.monitor if best else None, kept, self.titles))

    def _update(self, title: str, done: int, figures: str) -> None:
        live, task = self._live, self._task
        if live is not None and task is not None:
            live.update(task, description=title, completed=done, figures=figures)
            self._guard(lambda _: live.refresh())

    def _guard(self, show: Callable[[Console], None]) -> None:
        """Show something; where the reader of a pipe has gone, show nothing from now on."""
        if self._console is None:
            return
        try:
            show(self._console)
            self._console.file.flush()
        except (OSError, SystemExit):  # rich turns a broken pipe into SystemExit
            self._console = self._live = None


def epoch_line(row: EpochRow, epochs: int, best: str | None, kept: bool = False, titles: Mapping[str, str] = {}) -> str:
    """``epoch 3/5  head  loss 0.0312  accuracy 99.04%  val loss 0.0401  val accuracy 98.80% (best)  4,120 images/s  15 s``. ``best`` is the
    figure by which the epoch is the best one so far, as ``val.accuracy``."""
    width = len(str(epochs))
    stage = [escape(row.stage)] if row.stage else []
    validated = told(row.val, "val", titles)
    if best is not None and validated:
        told_of = in_short(row.val)
        decides = best.removeprefix("val.")
        validated[told_of.index(decides) if decides in told_of else -1] += " (best)"
    parts = [f"epoch {row.epoch:>{width}}/{epochs}", *stage, *told(row.train, titles=titles), *validated]
    speed = f"{row.images_per_second:,.0f} images/s" + (" behind kept values" if kept else "")
    return "  ".join([*parts, speed, duration(row.seconds)])


def duration(seconds: float) -> str:
    """``0.8 s``, ``12 s``, ``3 min 05 s``, ``2 h 07 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
