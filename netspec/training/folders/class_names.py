"""What the weights of a run say of themselves, so that no label is ever guessed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from netspec.report.models import RunRecord

CLASSES = "netspec.classes"
NAME = "netspec.name"
EPOCH = "netspec.epoch"


def weights_metadata(record: RunRecord, epoch: int) -> dict[str, str]:
    """The metadata of a run's safetensors: the net's name, its classes in the order of its outputs' numbers, and the epoch."""
    named = {CLASSES: classes_text(record.classes)} if record.classes else {}
    return {NAME: record.net, **named, EPOCH: str(epoch)}


def classes_text(classes: Mapping[str, Sequence[str]]) -> str:
    """The classes of all targets as JSON: a list where there is one target, else a list for each by its name."""
    lists = {target: list(names) for target, names in classes.items()}
    return json.dumps(next(iter(lists.values())) if len(lists) == 1 else lists, ensure_ascii=False)


def read_classes(metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    """The classes a model file names, in the order of its outputs, or ``None`` where it names none as it should."""
    try:
        names = json.loads(metadata[CLASSES])
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            return None
        "".join(names).encode()
    except (KeyError, ValueError, RecursionError):
        return None
    return tuple(names)
