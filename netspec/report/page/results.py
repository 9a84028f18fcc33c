"""What came of a run: curves, figures, classes, mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from netspec.report.curves import GRID, INK, TEST, TRAIN, VAL, curve_svgs
from netspec.report.measured import figure_names, shown, titles
from netspec.report.mistakes import MASK_COLORS, Mistake, color_of, picture
from netspec.report.models import ClassFigures, EpochRow, OutputFigures
from netspec.report.page.inputs import Report
from netspec.report.page.markup import Markup, joined, png, svg, table, tag
from netspec.report.page.matrix import MOST, matrix
from netspec.report.progress import duration
from netspec.report.wording import kept_epochs, of_epochs

_COLORS: Final = (
    (INK, "currentColor"), (GRID, "var(--line)"), (TRAIN, "var(--train)"), (VAL, "var(--val)"), (TEST, "var(--test)"),
)  # fmt: skip
_SMALL: Final = 96
"""Pictures of fewer pixels a side are shown with their pixels, and not smoothed."""
_LEAST: Final = 15
"""So many classes are shown where there are too many for all."""


def curves(report: Report) -> Markup | None:
    """The history as curves, and every epoch in figures."""
    if not report.rows:
        return None
    drawn = curve_svgs(report.rows, report.record.best, report.record.test)
    over = f"over {of_epochs(len(report.rows))}; the table below has the same figures"
    panels = [
        tag("figure", _curve_caption(report, name), svg(drawing, f"{name} {over}", f"curve{number}", _COLORS))
        for number, (name, drawing) in enumerate(drawn.items())
    ]
    left_out = len(figure_names(report.rows)) - len(drawn)
    more = [tag("p", f"{left_out} more figures are in the table.", class_="muted")] if left_out > 0 else []
    return joined([tag("div", *panels, class_="curves" if len(panels) not in (2, 4) else "curves pairs"), *more, _epochs(report)])


def _curve_caption(report: Report, name: str) -> Markup:
    """The figure's name, and which of its lines is which."""
    best, test = report.record.best, report.record.test
    lines = {
        "train": "training" if any(name in row.train for row in report.rows) else "",
        "val": "validation" if any(name in row.val for row in report.rows) else "",
        "test": f"test {shown(name, test.values[name])}" if test is not None and name in test.values else "",
        "ring": f"best: epoch {best.epoch}" if best is not None and name in best.values else "",
    }
    shown_lines = [tag("span", tag("i", class_=kind), words) for kind, words in lines.items() if words]
    return tag("figcaption", tag("b", titles([report.record.train]).get(name, name)), *shown_lines)


def _epochs(report: Report) -> Markup:
    rows, best = report.rows, report.record.best
    names = [(split, name) for name in figure_names(rows) for split in ("train", "val") if any(name in getattr(row, split) for row in rows)]
    staged, called, kept = any(row.stage for row in rows), titles([report.record.train]), kept_epochs(report.record)
    head = [
        "epoch",
        *(["stage"] if staged else []),
        *(f"{split} {called.get(name, name)}" for split, name in names),
        "lr",
        "images/s",
        "time",
    ]
    body = [
        [
            f"{row.epoch} (best)" if best is not None and best.epoch == row.epoch else str(row.epoch),
            *([row.stage] if staged else []),
            *(_cell(row, split, name) for split, name in names),
            f"{row.lr:.3g}",
            f"{row.images_per_second:,.0f}" + (" *" if row.epoch in kept else ""),
            duration(row.seconds),
        ]
        for row in rows
    ]
    whole = table("The epochs of the run", head, body, right=len(names) + 3)
    note = [tag("p", "* behind kept values: the frozen part was computed once, before the stage.", class_="muted")] if kept else []
    return tag("details", tag("summary", "Every epoch in figures"), whole, *note)


def _cell(row: EpochRow, split: str, name: str) -> str:
    values: dict[str, float] = getattr(row, split)
    return shown(name, values[name]) if name in values else ""


def figures(report: Report) -> Markup | None:
    """Every figure on every split, for the weights to use."""
    record = report.record
    if record.last is None:
        return None
    at = record.last if record.best is None else next((row for row in report.rows if row.epoch == record.best.epoch), record.last)
    evaluation = report.evaluation
    measured = {} if evaluation is None else {evaluation.split: evaluation.figures}
    tested = measured if record.test is None else {"test": record.test.values}
    splits = {f"training, epoch {at.epoch}": at.train, f"validation, epoch {at.epoch}": at.val, **tested}
    given = {split: values for split, values in splits.items() if values}
    names = _by_output([name for values in given.values() for name in values])
    called = titles([record.train])
    body = [[called.get(name, name), *(shown(name, values[name]) if name in values else "" for values in given.values())] for name in names]
    words = "Training figures are means over the epoch while the weights changed; all others are of the weights to use."
    return joined([tag("p", words, class_="muted"), table("Figures of each split", ["figure", *given], body, right=len(given))])


def _by_output(names: Sequence[str]) -> list[str]:
    """Each name once, those of an output together, outputs in the order in which they come first."""
    outputs = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    return sorted(dict.fromkeys(names), key=lambda name: outputs.index(name.rpartition(".")[0]))


def classes(report: Report) -> Markup | None:
    """Each class of each output, and who is taken for whom."""
    found = report.evaluation
    if found is None or not any(output.classes for output in found.outputs.values()):
        return None
    several = len(found.outputs) > 1
    parts: list[Markup] = [tag("p", f"On the {found.split} split, {found.images:,} samples.", class_="muted")]
    for name, output in found.outputs.items():
        if output.classes:
            parts += [tag("h3", name)] if several else []
            parts += [*_classes(output), *matrix(output, "h4" if several else "h3")]
    return joined(parts)


def _classes(output: OutputFigures) -> list[Markup]:
    """A table of all classes; of many, one of those that are least recognised, and all below it, folded."""
    known = output.classes
    whole = _class_table(output, range(len(known)), "How many of each class were recognised")
    if len(known) <= MOST:
        return [whole]
    least = sorted((i for i, row in enumerate(known) if row.accuracy is not None), key=lambda i: known[i].accuracy or 0.0)[:_LEAST]
    worst = _class_table(output, least, f"The {len(least)} least recognised of {len(known):,} classes")
    return [worst, tag("details", tag("summary", f"All {len(known):,} classes"), whole)]


def _class_table(output: OutputFigures, chosen: Sequence[int], caption: str) -> Markup:
    taken = [sum(column) for column in zip(*output.confusion, strict=True)] if output.confusion else []
    noun = "pixels" if output.kind == "mask" else "samples"
    head = ["class", "recognised", "", noun, "correct", *(["taken for it", "of these correct"] if taken else [])]
    body = [_class_row(output.classes[i], taken[i] if taken else None) for i in chosen]
    return table(caption, head, body, right=len(head) - 2)


def _class_row(row: ClassFigures, taken: int | None) -> list[str]:
    share = "–" if row.accuracy is None else f"{row.accuracy:.2%}"
    more = [] if taken is None else [f"{taken:,}", f"{row.correct / taken:.2%}" if taken else "–"]
    return [row.label, _bar(row.accuracy or 0.0), share, f"{row.images:,}", f"{row.correct:,}", *more]


def _bar(share: float) -> Markup:
    return tag("span", tag("i", style=f"--share:{share:.1%}"), class_="bar", aria_hidden="true")


def mistakes(report: Report) -> Markup | None:
    """The samples that the net was most wrong about."""
    if not report.mistakes:
        return None
    masks = any(mistake.masks is not None for mistake in report.mistakes)
    single = all(len(mistake.pictures) == 1 for mistake in report.mistakes)
    shape = " masks" if masks else "" if single else " several"
    folder = report.record.data.path.rstrip("/") + "/"
    return joined([*_mask_colors(report), tag("div", *(_mistake(m, folder) for m in report.mistakes), class_=f"mistakes{shape}")])


def _mask_colors(report: Report) -> list[Markup]:
    """Which colour is which class, where there are no more classes than colours."""
    outputs = {} if report.evaluation is None else report.evaluation.outputs
    return [
        tag(
            "p",
            tag("span", f"{name}: ") if len(outputs) > 1 else Markup(),
            *(tag("span", tag("i", style=f"background:{color_of(i)}"), row.label) for i, row in enumerate(output.classes)),
            class_="key",
        )
        for name, output in outputs.items()
        if output.kind == "mask" and len(output.classes) <= MASK_COLORS
    ]


def _mistake(mistake: Mistake, folder: str) -> Markup:
    truth, taken, name = mistake.lines()
    of = f"{mistake.output}: " if mistake.output else ""
    if mistake.masks is None:
        words = [tag("strong", truth), tag("br"), taken]
        alt = f"{of}{mistake.truth}, taken for {mistake.taken}"
    else:
        words = [f"{truth}, {taken}"]
        alt = f"{of}a picture, its mask, and the mask that was predicted"
    caption = tag("figcaption", *words, tag("br"), tag("small", *_breakable(name.removeprefix(folder)), title=name))
    small = all(max(pixels.shape[1:]) < _SMALL for pixels in mistake.pictures)
    shown_pixels = [png(picture(mistake), alt, pixelated=small)] if mistake.pictures else []
    return tag("figure", *shown_pixels, caption)


def _breakable(path: str) -> list[str]:
    """A path that goes on in the next line behind a slash, where it is too long for one."""
    parts = path.split("/")
    return [piece for part in parts[:-1] for piece in (f"{part}/", tag("wbr"))] + [parts[-1]]
