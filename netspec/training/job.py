"""One training to be done: the net, what it learns, from which data, on which device."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

import netspec
from netspec.data import STRICT, Allowed, Splits
from netspec.data.images.cache import DecodedCache
from netspec.diagnostics import Diagnostic, NetspecError
from netspec.diagnostics.text import escape
from netspec.freezing import learning
from netspec.graph import Graph
from netspec.report.models import DataRecord, RunRecord, TrainSettings, Versions
from netspec.report.progress import Reporter
from netspec.training.devices.precision import Precision
from netspec.training.devices.processes import Processes
from netspec.training.folders.folder import RunFolder
from netspec.training.opening import open_as_asked
from netspec.training.stages import Lesson, section_values
from netspec.training.sufficing import lacking
from netspec.values import show


@dataclass(frozen=True)
class Options:
    """What is asked for beside the spec, as on the command line. ``rescue`` is where the state is saved where the run's own folder takes
    nothing any more."""

    tensorboard: bool = False
    allowed: Allowed = STRICT
    accept_data_change: bool = False
    shard: bool = False
    rescue: Path | None = None


@dataclass(frozen=True)
class Job:
    """What is to be done, and where."""

    graph: Graph
    lessons: tuple[Lesson, ...]
    settings: TrainSettings
    data: Path
    device: torch.device
    precision: Precision
    reporter: Reporter
    processes: Processes
    options: Options


def open_job(job: Job) -> Splits:
    """The data of a training, with what is odd about it said. Raises N70x to N74x for what is wrong with it, N762, N767 and N956 where it
    has too little for what the settings ask."""
    cache = None if section_values(job.graph, "data")["cache"] == "off" else DecodedCache.usual(job.reporter.problem)
    with job.processes.in_turn("data"):
        splits = open_as_asked(job.graph, job.data, job.options.allowed, cache=cache, progress=job.reporter.reading)
    assert splits.train is not None
    for warning in splits.warnings:
        job.reporter.problem(warning)
    if problems := lacking(job.graph, job.settings, job.lessons, splits.counts(), splits.report.counts):
        raise NetspecError([Diagnostic(problem) for problem in problems])
    return splits


def new_record(job: Job, splits: Splits, folder: RunFolder) -> RunRecord:
    """The record of a run that begins."""
    return RunRecord(
        name=escape(folder.path.name),
        net=job.graph.name,
        settings={name: show(value) for name, value in job.graph.settings.items()},
        spec_sha256=job.graph.digest,
        classes=dict(splits.classes),
        parameters=job.graph.parameters,
        trainable=max(learning(job.graph, lesson.frozen) for lesson in job.lessons),
        train=job.settings,
        data=data_record(job, splits),
        versions=versions(job),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def data_record(job: Job, splits: Splits) -> DataRecord:
    """What is to be trained on."""
    return DataRecord(
        path=escape(str(job.data)),
        counts=splits.counts(),
        own_splits=splits.own,
        split=tuple(section_values(job.graph, "data")["split"]),
        fingerprint=splits.fingerprint,
        content=splits.content,
        skip_bad=job.options.allowed.bad_images,
        allow_empty_class=job.options.allowed.empty_classes,
    )


def versions(job: Job) -> Versions:
    """What computes it."""
    import cv2

    device = job.device
    return Versions(
        netspec=netspec.__version__,
        python=platform.python_version(),
        torch=torch.__version__,
        numpy=np.__version__,
        platform=platform.platform(),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        threads=torch.get_num_threads(),
        precision=job.precision,
        processes=job.processes.count,
        sharded=job.options.shard,
        opencv=cv2.__version__,
    )
