"""A training from beginning to end: data, net, folder, loop, and the report on the test split."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

import netspec
from netspec.backends.torch import CompiledNet, build
from netspec.backends.torch.weights import read_weights
from netspec.data import Division, Splits, Task, image_task, open_data
from netspec.diagnostics import failure
from netspec.diagnostics.running import CannotUseFolder, NothingToTrain, OneValuePerChannel
from netspec.graph import Graph
from netspec.report.curves import draw_curves
from netspec.report.models import DataRecord, RunRecord, TrainSettings, Versions
from netspec.report.progress import Reporter
from netspec.report.tables import show_header, show_outcome
from netspec.shape import elements
from netspec.train.checkpoint import Position, load_state
from netspec.train.device import choose_device
from netspec.train.folder import RunFolder, last_folder, locked, new_folder, probe, sweep
from netspec.train.keeping import Keeper
from netspec.train.loop import Training
from netspec.train.measure import measure
from netspec.train.optimise import make_optimizer
from netspec.train.resuming import check_same_data, check_same_run
from netspec.train.settings import lonely_batch_norm, section_values, train_settings
from netspec.train.stopping import stop_requests
from netspec.values import show


@dataclass(frozen=True)
class RunResult:
    """What a training leaves: its folder and its record. ``was_finished`` says that there was nothing left to do."""

    folder: Path
    record: RunRecord
    was_finished: bool = False


def train(
    graph: Graph,
    data: Path,
    *,
    out: Path | None = None,
    resume: bool = False,
    device: str = "auto",
    console: Console | None = None,
) -> RunResult:
    """Train a net on a folder of images or an ``.npz``, as the sections `train` and `data` of its file say.

    The run is written to ``out``, a new or empty folder, or to ``runs/NAME-1`` or the next free number. With ``resume`` the run there
    (without ``out``, the last of this net) goes on where it was broken off, to the same weights, bit for bit, on the same machine.
    The section `train` sets the seed that everything random comes from; the caller's own random numbers are left as they were.

    Raises :class:`~netspec.diagnostics.NetspecError`: a wrong setting exits 1, a folder in use 2, data 3, a damaged checkpoint 4, disk
    and device 5, numbers that are not finite 6. Raises :class:`~netspec.train.stopping.Interrupted` when asked to stop.
    """
    task = image_task(graph)
    settings = train_settings(graph, task)
    if not graph.trainable:
        raise failure(NothingToTrain(graph.name, graph.parameters))
    chosen = choose_device(device)
    reporter = Reporter(console)
    if resume:
        folder = RunFolder(out) if out is not None else last_folder(graph.name)
        record = folder.read_record()
        check_same_run(folder.path, record, graph, settings)
        if record.status == "finished":
            reporter.line(f"the run in {folder.path} is finished")
            return RunResult(folder.path, record, was_finished=True)
        with locked(folder):
            splits = _open(graph, task, settings, data, reporter)
            check_same_data(data, record, splits)
            return _run(graph, task, settings, splits, folder, record, chosen, reporter)
    splits = _open(graph, task, settings, data, reporter)
    folder = new_folder(graph.name, out)
    with locked(folder):
        record = _new_record(graph, settings, splits, folder, chosen)
        return _run(graph, task, settings, splits, folder, record, chosen, reporter)


def _open(graph: Graph, task: Task, settings: TrainSettings, data: Path, reporter: Reporter) -> Splits:
    splits = open_data(data, task, division=Division(section_values(graph, "data")["split"], settings.seed))
    assert splits.train is not None
    for warning in splits.warnings:
        reporter.line(f"warning[{warning.code}]: {warning.message()}", "yellow")
    if len(splits.train) == 1 and (layer := lonely_batch_norm(graph)):
        raise failure(OneValuePerChannel(layer, settings.batch))
    return splits


def _run(
    graph: Graph,
    task: Task,
    settings: TrainSettings,
    splits: Splits,
    folder: RunFolder,
    record: RunRecord,
    device: torch.device,
    reporter: Reporter,
) -> RunResult:
    """Train in a locked folder, from its state if it has one."""
    probe(folder, _needed(graph))
    sweep(folder)
    keeper = Keeper(folder, record.model_copy(update={"status": "running"}))
    keeper.update()
    folder.write(folder.spec, graph.source.text.encode())
    show_header(reporter, folder.path, keeper.record)
    with seeded(settings.seed, device), stop_requests() as request:
        net = build(graph).to(device)
        optimizer = make_optimizer(settings.optimizer, (p for p in net.parameters() if p.requires_grad))
        position = load_state(folder, net, optimizer, device) if folder.state.is_file() else Position()
        keeper.restore(net, position)
        images, val = _on(splits, device)
        training = Training(net, optimizer, task, settings, images, val, device, keeper, position, request, reporter)
        try:
            training.run()
        except BaseException:
            _close(keeper, training.position, "interrupted")
            raise
    return _finish(training, splits, reporter)
