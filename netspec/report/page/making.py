"""What a run was made with: data, net, settings, what was frozen, the plan, the environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netspec.report.models import NamedSettings, StageSettings
from netspec.report.page.inputs import Report
from netspec.report.page.markup import Markup, joined, svg, table, tag
from netspec.report.page.matrix import MOST
from netspec.report.wording import named, of_data, of_rates


def data(report: Report) -> Markup:
    """Where the data is from, how many samples of each class there are in each split, and what was said of it."""
    record = report.record
    parts = [tag("p", of_data(record.data)), *(_counts(report, target, splits) for target, splits in report.counts.items())]
    if report.warnings or report.notes:
        warnings = [tag("li", tag("b", "Warning: "), line, class_="warning") for line in report.warnings]
        lines = [*warnings, *(tag("li", line) for line in report.notes)]
        parts.append(tag("ul", *lines, class_="notes"))
    for change in record.data.changes:
        what = f"From epoch {change.epoch:,} on the data was another one, as was accepted: {'; '.join(change.told)}."
        parts.append(tag("p", what, class_="warning"))
    parts.append(tag("p", "Fingerprint ", tag("code", record.data.fingerprint), class_="muted"))
    return joined(parts)


def _counts(report: Report, target: str, splits: Mapping[str, Sequence[int]]) -> Markup:
    names = report.record.classes.get(target, ())
    body = [[name, *(f"{counts[i]:,}" for counts in splits.values())] for i, name in enumerate(names)]
    total = ["together", *(f"{sum(counts):,}" for counts in splits.values())]
    caption = "Samples of each class" if len(report.counts) == 1 else f"Samples of each class of {target}"
    whole = table(caption, ["class", *splits], body, right=len(splits), total=total)
    return whole if len(names) <= MOST else tag("details", tag("summary", f"{caption}: {len(names):,} classes"), whole)


def net(report: Report) -> Markup | None:
    """The diagram and the text of the net."""
    record, diagram = report.record, report.diagram
    parts: list[Markup] = []
    if diagram.svg:
        drawing = svg(diagram.svg, f"Diagram of the net {record.net}; its text is below.", "net")
        parts.append(tag("figure", drawing, class_="diagram", tabindex="0"))
    elif diagram.missing:
        parts.append(tag("p", f"There is no diagram: {diagram.missing}.", class_="muted"))
    if record.settings:
        parts.append(table("Parameters of the net", ["parameter", "value"], list(record.settings.items())))
    if report.spec:
        given = [tag("p", "Set from outside, in the place of what the text says:"), _given(report.given)] if report.given else []
        summary = "The spec" + (" and what was set from outside" if report.given else " as it was trained")
        parts.append(tag("details", tag("summary", summary), *given, tag("pre", tag("code", report.spec))))
    return joined(parts) if parts else None


def _given(given: Mapping[str, str]) -> Markup:
    return tag("ul", *(tag("li", tag("code", f"{key} = {value}")) for key, value in given.items()), class_="notes")


def settings(report: Report) -> Markup:
    """Every setting, a column for each stage, and what holds for the whole run."""
    train = report.record.train
    columns = [_of_stage(stage) for stage in train.in_turn]
    keys = [key for key in dict.fromkeys(key for column in columns for key in column) if any(c.get(key) for c in columns)]
    names = [stage.name or "value" for stage in train.in_turn]
    caption = "Settings of each stage" if train.stages else "Settings of the training"
    of_stages = table(caption, ["setting", *names], [[key, *(c.get(key, "") for c in columns)] for key in keys])
    whole = {
        "keep": named(train.keep),
        "ema": "" if train.ema is None else f"{train.ema:g}",
        "precision": f"{train.precision} ({report.record.versions.precision} here)",
        "seed": str(train.seed),
    }
    of_run = table("Settings of the whole run", ["setting", "value"], [[key, value] for key, value in whole.items() if value])
    return joined([of_stages, of_run])


def _of_stage(stage: StageSettings) -> dict[str, str]:
    several = len(stage.losses) > 1
    return {
        "epochs": str(stage.epochs),
        "batch": str(stage.batch),
        "accumulate": str(stage.accumulate) if stage.accumulate > 1 else "",
        **{f"loss of {output}" if several else "loss": named(loss) for output, loss in stage.losses.items()},
        **{f"loss weight of {output}": f"{weight:g}" for output, weight in stage.loss_weights.items() if several},
        **{f"metrics of {output}" if several else "metrics": _list(metrics) for output, metrics in stage.metrics.items()},
        "optimizer": named(stage.optimizer),
        "rates": of_rates(stage.rates),
        "schedule": named(stage.schedule),
        "clip": "" if stage.clip is None else f"{stage.clip:g}",
        "decay": stage.decay,
        "freeze": ", ".join(stage.freeze),
        "unfreeze": ", ".join(stage.unfreeze),
        "stop": "" if stage.stop is None else named(stage.stop),
    }


def _list(metrics: Sequence[NamedSettings]) -> str:
    return ", ".join(map(named, metrics))


def frozen(report: Report) -> Markup | None:
    """The receipt: what did not change, by its digest before and after."""
    body = [
        [
            stage.name or "the run",
            str(stage.last_epoch) if stage.first_epoch == stage.last_epoch else f"{stage.first_epoch} to {stage.last_epoch}",
            part.region,
            f"{part.tensors:,} of {part.of:,}",
            _digest(part.sha256),
        ]
        for stage in report.record.stages
        for part in stage.frozen
    ]
    if not body:
        return None
    words = tag(
        "p", "These tensors, running statistics too, were the same after their stage as before it, by SHA-256 over names and contents."
    )
    return joined([words, table("What did not change", ["stage", "epochs", "part", "tensors", "SHA-256"], body)])


def _digest(sha256: str) -> Markup:
    return tag("code", sha256)


def plan(report: Report) -> Markup | None:
    """The plan line by line; what does not fit goes on below where its words begin."""
    lines = [tag("span", line, class_="item" if line.startswith(" ") else None) for line in report.plan]
    return tag("div", *lines, class_="plan") if lines else None


def environment(report: Report) -> Markup:
    """What computed the run, and the digests that it is known by."""
    record, versions = report.record, report.record.versions
    rows = [[name, str(value)] for name, value in versions.model_dump().items()]
    rows += [["started", record.started], ["status", record.status], ["spec, SHA-256", _digest(record.spec_sha256)]]
    return table("What computed the run", ["part", "value"], rows)
