"""Data opened, or looked at, as the sections of a net ask for it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from netspec.augment.cutting import Cutting
from netspec.data import Allowed, Division, Samples, Splits, Wanted, count_samples, open_data, preflight
from netspec.data.found import SPLITS
from netspec.data.images.cache import DecodedCache
from netspec.data.images.loading import Progress
from netspec.data.looking.report import Report
from netspec.graph import Graph
from netspec.training.settings import train_settings
from netspec.training.stages import asked_of_data, lessons, section_values
from netspec.training.sufficing import lacking


def open_as_asked(
    graph: Graph,
    data: Path,
    allowed: Allowed,
    *,
    only: Collection[str] = SPLITS,
    cache: DecodedCache | None = None,
    progress: Progress | None = None,
) -> Splits:
    """The data of a training. Raises what the settings raise, and N70x to N74x and N79x for what is wrong with the data."""
    wanted, division = _asked(graph)
    cuts = Cutting.of(graph, train_settings(graph).seed)
    return open_data(data, wanted, division=division, allowed=allowed, only=only, cache=cache, progress=progress, cuts=cuts)


def open_training_split(graph: Graph, data: Path, allowed: Allowed) -> Samples:
    """The samples to train on, as `netspec train` divides the data."""
    found = open_as_asked(graph, data, allowed, only=("train",)).train
    assert found is not None
    return found


def count_training_split(graph: Graph, data: Path, allowed: Allowed) -> int:
    """How many samples there are to train on. Raises what is wrong with the data, as far as that can be told without reading images."""
    wanted, division = _asked(graph)
    return count_samples(data, wanted, division, allowed)["train"]


def look_at_data(graph: Graph, data: Path, allowed: Allowed, progress: Progress | None = None) -> Report:
    """The report on data for a net and its settings: all that training would refuse. Raises what it raises for the settings alone."""
    wanted, division = _asked(graph)
    report = preflight(data, wanted, division, allowed=allowed, progress=progress)
    if "train" not in report.samples:
        return report
    return report.with_settings(lacking(graph, train_settings(graph), lessons(graph), report.samples, report.counts))


def _asked(graph: Graph) -> tuple[Wanted, Division]:
    """What data has to give, and how it is divided where it has no splits of its own."""
    values: dict[str, Any] = section_values(graph, "data")
    return asked_of_data(graph, lessons(graph)), Division(values["split"], train_settings(graph).seed)
