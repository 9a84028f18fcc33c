"""Whether a run may go on: with the same net, the same settings, the same data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from netspec.data import Splits
from netspec.diagnostics import failure
from netspec.diagnostics.runs import DataChanged, RunChanged
from netspec.graph import Graph
from netspec.report.models import RunRecord, TrainSettings, Versions
from netspec.training.stages import section_values
from netspec.values import show


def check_same_run(folder: Path, record: RunRecord, graph: Graph, settings: TrainSettings) -> None:
    """Raise N754, with every difference, where the net or a setting is not the one the run was started with."""
    changes = [*_changes("net", {"name": record.net}, {"name": graph.name})]
    if record.spec_sha256 != graph.digest:
        changes.append("the text of the spec, or of a file it uses, has changed; the run keeps its own in spec.net")
    changes += _changes("setting", record.settings, {name: show(value) for name, value in graph.settings.items()})
    changes += _changes("train", _plain(record.train), _plain(settings))
    changes += _changes("data", {"split": list(record.data.split)}, {"split": list(section_values(graph, "data")["split"])})
    if changes:
        raise failure(RunChanged(str(folder), tuple(changes)))


def _plain(settings: TrainSettings) -> dict[str, Any]:
    """As JSON has them, with stages by name, in their order."""
    plain = settings.model_dump(mode="json")
    return plain | {"stages": {s["name"]: s for s in plain["stages"]}, "order of stages": [s["name"] for s in plain["stages"]]}


def _changes(group: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for key in {**before, **now}:
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _changes(f"{group}.{key}", old, new)
        elif old != new:
            yield f"{group}.{key} was {old}, and is {new}"


def check_same_data(path: Path, record: RunRecord, splits: Splits) -> None:
    """Raise N755 where the data is not, byte for byte, what the run was started with."""
    changes: list[str] = []
    for target in {**record.classes, **splits.classes}:
        changes += _changed_classes(target, record.classes.get(target, ()), splits.classes.get(target, ()))
    counts = splits.counts()
    for split in {**record.data.counts, **counts}:
        old, new = record.data.counts.get(split, 0), counts.get(split, 0)
        if old != new:
            changes.append(f"{split} had {old:,} images, and has {new:,}")
    if not changes and record.data.fingerprint != splits.fingerprint:
        changes.append("as many images as before, but not the same ones")
    if changes:
        raise failure(DataChanged(str(path), tuple(changes)))


def _changed_classes(target: str, before: tuple[str, ...], now: tuple[str, ...]) -> Iterator[str]:
    yield from (f"class {c} of {target} is new" for c in now if c not in before)
    yield from (f"class {c} of {target} is gone" for c in before if c not in now)
    if before != now and sorted(before) == sorted(now):
        yield f"the classes of {target} stand in another order"


def machine_differences(before: Versions, now: Versions) -> list[str]:
    """What may make the numbers of a resumed run differ in their last bits."""
    old, new = before.model_dump(), now.model_dump()
    return [
        f"{key} was {old[key]}, and is {new[key]}"
        for key in ("torch", "numpy", "platform", "device", "threads", "precision", "processes")
        if old[key] != new[key]
    ]
