"""A training from beginning to end: data, net, folder, loop, and the report on the test split."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePath

import numpy as np
import torch
from rich.console import Console

import netspec
from netspec.backends.torch import build
from netspec.backends.torch.weights import read_weights
from netspec.data import Division, Splits, Task, image_task, open_data
from netspec.diagnostics import NetspecError, failure
from netspec.diagnostics.running import OneValuePerChannel
from netspec.diagnostics.stages import NothingToWatch
from netspec.diagnostics.text import escape
from netspec.freezing import frozen_in_stages, learning
from netspec.graph import Graph
from netspec.report.curves import draw_curves
from netspec.report.models import DataRecord, RunRecord, StageSettings, TrainSettings, Versions
from netspec.report.progress import Reporter
from netspec.report.tables import show_header, show_outcome
from netspec.shape import elements
from netspec.training.averaging import Averaged
from netspec.training.checkpoint import Position, read_state, restore_state
from netspec.training.device import choose_device
from netspec.training.folder import RunFolder, discard_if_unused, last_folder, locked, new_folder, probe, sweep
from netspec.training.keeping import Keeper
from netspec.training.learner import Learner
from netspec.training.loop import Training
from netspec.training.measure import measure
from netspec.training.notes import notes
from netspec.training.precision import Precision, choose_precision
from netspec.training.resuming import check_same_data, check_same_run, machine_differences
from netspec.training.settings import lonely_batch_norm, section_values, train_settings
from netspec.training.stopping import Interrupted, StopRequest, stop_requests
from netspec.values import show


@dataclass(frozen=True)
class RunResult:
    """What a training leaves: its folder and its record. ``was_finished`` says that there was nothing left to do."""

    folder: Path
    record: RunRecord
    was_finished: bool = False


def train(
    graph: Graph,
    data: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    device: str = "auto",
    console: Console | None = None,
) -> RunResult:
    """Train a net on a folder of images or an ``.npz``, as the sections `train` and `data` of its file say.

    The run is written to ``out``, a new or empty folder, or to ``runs/NAME-1`` or the next free number. With ``resume`` the run there
    (without ``out``, the last of this net) goes on where it was broken off, to the same weights, bit for bit, on the same machine.
    The section `train` sets the seed that everything random comes from; the caller's own random numbers are left as they were.

    Raises :class:`~netspec.diagnostics.NetspecError`: a wrong setting exits 1, a folder in use 2, data 3, a damaged checkpoint 4, disk
    and device 5, numbers that are not finite 6. Raises :class:`~netspec.training.stopping.Interrupted` when asked to stop.
    """
    task = image_task(graph)
    settings = train_settings(graph, task)
    chosen = choose_device(device)
    job = _Job(graph, task, settings, Path(data), chosen, choose_precision(settings.precision, chosen), Reporter(console))
    folder = None if out is None else Path(out)
    return _resumed(job, folder) if resume else _begun(job, folder)


@dataclass(frozen=True)
class _Job:
    """What is to be done, and where."""

    graph: Graph
    task: Task
    settings: TrainSettings
    data: Path
    device: torch.device
    precision: Precision
    reporter: Reporter


def _begun(job: _Job, out: Path | None) -> RunResult:
    """A new run. Its folder is tried out before the data is read, and taken away again if that fails."""
    folder = new_folder(run_name(job.graph), out)
    with locked(folder):
        try:
            probe(folder, _needed(job.graph))
            splits = _open(job)
            return _run(job, splits, folder, _new_record(job, splits, folder))
        finally:
            discard_if_unused(folder)


def _resumed(job: _Job, out: Path | None) -> RunResult:
    folder = RunFolder(out) if out is not None else last_folder(run_name(job.graph))
    record = folder.read_record()
    check_same_run(folder.path, record, job.graph, job.settings)
    if record.status == "finished":
        job.reporter.line(f"the run in {escape(str(folder.path))} is finished")
        return RunResult(folder.path, record, was_finished=True)
    with locked(folder):
        probe(folder, _needed(job.graph))
        splits = _open(job)
        check_same_data(job.data, record, splits)
        for difference in machine_differences(record.versions, _versions(job)):
            job.reporter.line(f"not bit-identical: {difference}", "yellow")
        return _run(job, splits, folder, record)


def run_name(graph: Graph) -> str:
    """What runs of a net are called: as the file it is written in, or, where that has no plain name, as the net."""
    stem = PurePath(graph.source.name).stem
    return stem if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", stem) else graph.name.lower()


def _open(job: _Job) -> Splits:
    division = Division(section_values(job.graph, "data")["split"], job.settings.seed)
    splits = open_data(job.data, job.task, division=division, progress=job.reporter.reading)
    assert splits.train is not None
    for warning in splits.warnings:
        job.reporter.line(f"warning[{warning.code}]: {warning.message()}", "yellow")
    for stage, frozen in zip(job.settings.in_turn, frozen_in_stages(job.graph), strict=True):
        if len(splits.train) == 1 and (layer := lonely_batch_norm(job.graph, frozen)):
            raise failure(OneValuePerChannel(layer, stage.batch))
        if splits.val is None:
            _check_watched(stage)
    return splits


def _check_watched(stage: StageSettings) -> None:
    """Raise N767 where a figure of validation decides something, and there is none."""
    watched = {f"schedule = {stage.schedule.name}": stage.schedule.settings.get("monitor")}
    if stage.stop is not None:
        watched["stop"] = stage.stop.settings["monitor"]
    for setting, monitor in watched.items():
        if monitor is not None and monitor.startswith("val"):
            raise failure(NothingToWatch(setting, monitor))


def _run(job: _Job, splits: Splits, folder: RunFolder, record: RunRecord) -> RunResult:
    """Train in a locked folder, from its state if it has one."""
    sweep(folder)
    keeper = Keeper(folder, record)
    keeper.update(status="running")
    folder.write(folder.spec, job.graph.source.text.encode())
    if job.graph.files:
        folder.write(folder.used, json.dumps(dict(job.graph.files), indent=1, sort_keys=True).encode())
    show_header(job.reporter, folder.path, keeper.record)
    for note in notes(job.graph, splits):
        job.reporter.line(f"note: {note}", "dim")
    with seeded(job.settings.seed, job.device), stop_requests() as request:
        training = _training(job, splits, keeper, request)
        try:
            training.run()
            return _finish(job, splits, training)
        except BaseException as error:
            _give_up(training, "interrupted" if isinstance(error, Interrupted | KeyboardInterrupt) else "failed")
            raise


def _training(job: _Job, splits: Splits, keeper: Keeper, request: StopRequest) -> Training:
    # What is gone on with has all its weights in its state: the files that the spec asks for may be elsewhere by now.
    state = read_state(keeper.folder) if keeper.begun() else None
    net = build(replace(job.graph, pretrained=()) if state else job.graph).to(job.device)
    if job.device.type == "cpu":
        # On the CPU a step of a small convolutional net then takes 0.77 of the time.
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    position = Position() if state is None else state.position
    learner = Learner(net, job.device, None if job.settings.ema is None else Averaged(net, job.settings.ema))
    at = min(position.stage, len(job.settings.in_turn) - 1)
    learner.enter(job.settings.in_turn[at], frozen_in_stages(job.graph)[at])
    if state is not None:
        restore_state(state, learner)
    keeper.restore(learner, position)
    assert splits.train is not None
    images, val = splits.train.to(job.device), None if splits.val is None else splits.val.to(job.device)
    return Training(learner, job.task, job.settings, images, val, job.precision, keeper, position, request, job.reporter)


def _finish(job: _Job, splits: Splits, training: Training) -> RunResult:
    """Measure the weights to use on the test split, and close the run."""
    keeper, position = training.keeper, training.position
    figures = None
    if splits.test is not None:
        training.net.load_state_dict(read_weights(keeper.folder.weights(keeper.record)))
        training.net.eval()
        test = splits.test.to(job.device)
        figures = measure(training.score, test, job.task.classes, job.settings.batch, lambda: _stop_if_asked(training)).figures()
    used = None if figures is None else "last" if position.best is None else "best"
    keeper.folder.write(keeper.folder.curves, draw_curves(keeper.record.name, position.rows, position.best, figures))
    keeper.update(status="finished", test=figures, test_weights=used)
    show_outcome(job.reporter, keeper.folder.path, keeper.record)
    return RunResult(keeper.folder.path, keeper.record)


def _stop_if_asked(training: Training) -> None:
    """Stop without saving: the state is that of the last epoch already, and the net holds the weights of the best."""
    if training.request.signal is not None:
        raise Interrupted(training.request.signal, training.keeper.folder.path)


def _give_up(training: Training, status: str) -> None:
    """Leave the record and the curves as true as they can be. What ends the run is on its way to the user, and is not to be hidden by
    a full disk here."""
    keeper, rows = training.keeper, training.position.rows
    with contextlib.suppress(NetspecError):
        keeper.update(status=status)
        if rows:
            keeper.folder.write(keeper.folder.curves, draw_curves(keeper.record.name, rows, training.position.best, None))


def _new_record(job: _Job, splits: Splits, folder: RunFolder) -> RunRecord:
    data = DataRecord(
        path=escape(str(job.data)),
        counts=splits.counts(),
        own_splits=splits.own,
        split=tuple(section_values(job.graph, "data")["split"]),
        fingerprint=splits.fingerprint,
    )
    return RunRecord(
        name=escape(folder.path.name),
        net=job.graph.name,
        settings={name: show(value) for name, value in job.graph.settings.items()},
        spec_sha256=job.graph.digest,
        classes=splits.classes,
        parameters=job.graph.parameters,
        trainable=max(learning(job.graph, frozen) for frozen in frozen_in_stages(job.graph)),
        train=job.settings,
        data=data,
        versions=_versions(job),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _versions(job: _Job) -> Versions:
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
    )


def _needed(graph: Graph) -> int:
    """Bytes on the disk: the state holds the weights up to five times, and a new one is written before the old one goes; best and last."""
    return 4 * 12 * sum(elements(weight.shape) for _, weight, _ in graph.weights()) + 2**20


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Random numbers from the seed and repeatable kernels; what was before is put back afterwards."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        torch.manual_seed(seed)
        yield
