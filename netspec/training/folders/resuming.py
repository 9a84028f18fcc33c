"""Whether a run may go on: with the same net, the same settings, the same data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from netspec.data import Splits
from netspec.data.inventory import changes
from netspec.diagnostics import failure
from netspec.diagnostics.runs import DataChanged, RunChanged
from netspec.diagnostics.text import listing, plural
from netspec.graph import Graph
from netspec.report.models import RunRecord, TrainSettings, Versions
from netspec.training.folders.folder import RunFolder
from netspec.training.stages import section_values
from netspec.values import show

_NAMED: Final = 5
"""How many samples are named of those that are told together."""
_SIGNS: Final = {"added": "+", "removed": "-", "changed": "~", "in another split": ">"}


def check_same_run(folder: Path, record: RunRecord, graph: Graph, settings: TrainSettings) -> None:
    """Raise N754, with every difference, where the net or a setting is not the one the run was started with."""
    found = [*_changes("net", {"name": record.net}, {"name": graph.name})]
    if record.spec_sha256 != graph.digest:
        found.append("the text of the spec, or of a file it uses, has changed; the run keeps its own in spec.net")
    found += _changes("setting", record.settings, {name: show(value) for name, value in graph.settings.items()})
    found += _changes("train", _plain(record.train), _plain(settings))
    found += _changes("data", {"split": list(record.data.split)}, {"split": list(section_values(graph, "data")["split"])})
    if found:
        raise failure(RunChanged(str(folder), tuple(found)))


def _plain(settings: TrainSettings) -> dict[str, Any]:
    """As JSON has them, with stages by name, as `--set` takes them, and their order."""
    plain = settings.model_dump(mode="json")
    stages = plain.pop("stages")
    return plain | {s["name"]: s for s in stages} | {"stages": [s["name"] for s in stages]}


def _changes(group: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for key in {**before, **now}:
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _changes(f"{group}.{key}", old, new)
        elif old != new:
            yield f"{group}.{key} was {old}, and is {new}"


def data_changes(path: Path, record: RunRecord, splits: Splits, folder: RunFolder) -> tuple[str, ...]:
    """What is different in the data from what the run was started with, in sentences; none where it is the same, byte for byte.

    Raises N755 where no run could go on with it: with other classes, whose numbers the outputs stand for, or with other splits, since the
    figures of validation that were compared are not there any more.
    """
    classes: list[str] = []
    for target in {**record.classes, **splits.classes}:
        classes += _changed_classes(target, record.classes.get(target, ()), splits.classes.get(target, ()))
    before, now = record.data.counts, splits.counts()
    counts = [
        f"{split} had {before.get(split, 0):,} samples, and has {now.get(split, 0):,}"
        for split in {**before, **now}
        if before.get(split, 0) != now.get(split, 0)
    ]
    if not classes and not counts and record.data.fingerprint == splits.fingerprint:
        return ()
    divided = [] if record.data.own_splits == splits.own else [f"the data has {'splits' if splits.own else 'no splits'} of its own now"]
    told = (*classes, *divided, *counts, *_named_changes(folder, splits))
    if classes or divided or before.keys() != now.keys():
        raise failure(DataChanged(str(path), told, acceptable=False))
    return told


def _named_changes(folder: RunFolder, splits: Splits) -> Iterator[str]:
    """Samples that were added, removed, changed, or moved to another split, by name, as far as the run keeps them."""
    try:
        before = folder.samples.read_bytes()
        found = changes(before, splits.inventory, own_splits=splits.own)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        yield f"which samples these are cannot be told: {folder.samples.name}, where the run keeps their names, is not there ({reason})"
        return
    sides = {"added": found.added, "removed": found.removed, "changed": found.changed, "in another split": found.moved}
    for what, names in sides.items():
        if names:
            yield f"{_SIGNS[what]}{plural(len(names), 'sample')} {what}: {listing(list(names), limit=_NAMED)}"
    if not splits.own:
        yield from _dealt_anew(before, splits)
    if not any(sides.values()):
        yield "no sample was added, removed or changed: they stand in another order"


def _dealt_anew(before: bytes, splits: Splits) -> Iterator[str]:
    """How many samples of validation and test were in another split, where shares are drawn anew."""
    for split in (s for s in splits.counts() if s != "train"):
        with contextlib.suppress(ValueError):  # most of them are new
            if count := splits.inventory.elsewhere(split, before):
                yield f"of {split}, {plural(count, 'sample')} {'was' if count == 1 else 'were'} in another split: its figures say too much"


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
        for key in ("torch", "numpy", "platform", "device", "threads", "precision", "processes", "sharded", "opencv")
        if old[key] is not None and old[key] != new[key]
    ]
