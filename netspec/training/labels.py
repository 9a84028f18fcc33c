"""What the weights of a run say of themselves, so that no label is ever guessed."""

from __future__ import annotations

import json
from collections.abc import Mapping

from netspec.report.models import RunRecord

CLASSES = "netspec.classes"
NAME = "netspec.name"
EPOCH = "netspec.epoch"


def weights_metadata(record: RunRecord, epoch: int) -> dict[str, str]:
    """The metadata of a run's safetensors: the net's name, its classes in the order of its outputs, and the epoch."""
    return {NAME: record.net, CLASSES: json.dumps(list(record.classes), ensure_ascii=False), EPOCH: str(epoch)}


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
