"""What Python asks before a training and after some: the work of `netspec plan`, `check --data` and `compare`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from netspec.compiler import graph_of
from netspec.graph import Graph

if TYPE_CHECKING:
    from netspec.data.looking.report import Report
    from netspec.report.plans import TrainingPlan
    from netspec.report.runs import Comparison

Name = str | os.PathLike[str]


def plan(net: Graph | Name, data: Name, *, device: str = "auto", allow_empty_class: bool = False) -> TrainingPlan:
    """What a training of the net on this data will do, stage by stage: what learns, what is kept, the memory of a step.

    The data is counted, and no image is read. With ``allow_empty_class`` the folder of a class may be without images.

    Raises a :class:`~netspec.diagnostics.NetspecError` as training does, for the net, its settings or its data.
    """
    from netspec.data import Allowed
    from netspec.training.devices.device import choose_device
    from netspec.training.opening import count_training_split
    from netspec.training.planning import plan_training

    graph = graph_of(net)
    samples = count_training_split(graph, Path(data), Allowed(empty_classes=allow_empty_class))
    return plan_training(graph, samples, choose_device(device))


def preflight(net: Graph | Name, data: Name, *, skip_bad: bool = False, allow_empty_class: bool = False) -> Report:
    """A look at data as training the net would look at it: counts by class and split, and a verdict on each thing that can be wrong.

    What is wrong with the data is in the report, whose ``failed`` says whether a training would be refused. With ``skip_bad`` images that
    cannot be read are a warning, with ``allow_empty_class`` a class without images is. Raises a
    :class:`~netspec.diagnostics.NetspecError` for what is wrong with the net's settings.
    """
    from netspec.data import Allowed
    from netspec.training.opening import look_at_data

    return look_at_data(graph_of(net), Path(data), Allowed(skip_bad, allow_empty_class))


def compare(runs: Iterable[Name], *, sort: str | None = None, unfinished: bool = False) -> Comparison:
    """The records and figures of runs, by their folders, in this order or the best by the figure ``sort`` first (``"test.accuracy"``).

    Folders that hold no run, or one that is not finished, are in ``left_out`` with the reason; with ``unfinished`` those of which an epoch
    is complete are compared. Raises a :class:`~netspec.diagnostics.NetspecError` N728 where no run is left, N729 for an unknown figure.
    """
    from netspec.report.runs import in_order, read_runs

    found = read_runs([Path(run) for run in runs], unfinished=unfinished)
    return found if sort is None else replace(found, runs=in_order(found.runs, sort))
