"""A training from beginning to end: data, net, folder, loop, and the report on the test split."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import torch
from rich.console import Console
from torch import nn

from netspec.backends.torch import CompiledNet, build
from netspec.compiler import graph_of
from netspec.data import Allowed, Splits
from netspec.diagnostics import NetspecError, failure
from netspec.diagnostics.runs import DataChanged, NothingToAccept
from netspec.diagnostics.text import escape
from netspec.graph import Graph
from netspec.report.curves import draw_curves
from netspec.report.events import require_tensorboard
from netspec.report.models import DataChange, RunRecord, TrainSettings
from netspec.report.preflight import in_short
from netspec.report.progress import Reporter
from netspec.report.tables import show_header
from netspec.shape import elements
from netspec.training.closing import close_run
from netspec.training.devices.device import own_device
from netspec.training.devices.precision import channels_last, choose_precision
from netspec.training.devices.processes import Processes, processes
from netspec.training.devices.sharding import check_sharding, shard_weights
from netspec.training.failing import told_of_device, told_of_images
from netspec.training.folders.checkpoint import Position, read_state, restore_state
from netspec.training.folders.folder import RunFolder, discard_if_unused, last_folder, locked, new_folder, probe, sweep
from netspec.training.folders.keeper import Keeper
from netspec.training.folders.resuming import check_same_run, data_changes, machine_differences
from netspec.training.job import Job, Options, data_record, new_record, open_job, versions
from netspec.training.learning.averaging import Averaged
from netspec.training.learning.learner import Learner
from netspec.training.loop import Training
from netspec.training.notes import notes
from netspec.training.planning import plan_training
from netspec.training.rescuing import rescued
from netspec.training.runner import Logits
from netspec.training.settings import train_settings
from netspec.training.stages import lessons
from netspec.training.stopping import Interrupted, StopRequest, stop_requests


@dataclass(frozen=True)
class RunResult:
    """What a training leaves: its folder and its record. ``was_finished`` says that there was nothing left to do."""

    folder: Path
    record: RunRecord
    was_finished: bool = False


def train(
    graph: Graph | str | os.PathLike[str],
    data: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    device: str = "auto",
    console: Console | None = None,
    tensorboard: bool = False,
    skip_bad: bool = False,
    allow_empty_class: bool = False,
    accept_data_change: bool = False,
    rescue: str | os.PathLike[str] | None = None,
    shard: bool = False,
) -> RunResult:
    """Train a net on data, as the sections `train` and `data` of its file say: a folder of images or of images and masks, a CSV, arrays.
    The net is compiled already, or the path of its file.

    The run is written to ``out``, a new or empty folder, or to ``runs/NAME-1`` or the next free number. With ``resume`` the run there
    (without ``out``, the last of this net) goes on where it was broken off, to the same weights, bit for bit, on the same machine.
    The section `train` sets the seed that everything random comes from; the caller's own random numbers are left as they were. Where
    `torchrun` has started several processes, each calls this and computes its share; the first one writes. With ``skip_bad`` images that
    cannot be read are left out, with a warning, where they are an error otherwise; with ``allow_empty_class`` the folder of a class may be
    without images; both hold for a run to its end, also where it is resumed. With ``accept_data_change`` a resumed run goes on with data
    that has changed, by an epoch that begins anew, and its record says so. Where the run's folder takes nothing any more, the state is
    saved in a run below ``rescue``. With ``shard`` the weights are divided among the processes.

    Raises :class:`~netspec.diagnostics.NetspecError`: a wrong setting exits 1, a folder in use 2, data 3, a damaged checkpoint 4, disk
    and device 5, numbers that are not finite 6. Raises :class:`~netspec.training.stopping.Interrupted` when asked to stop.
    """
    if accept_data_change and not resume:
        raise failure(NothingToAccept())
    graph = graph_of(graph)
    settings = train_settings(graph)
    aside, folder = (None if path is None else Path(path) for path in (rescue, out))
    with processes(device) as these:
        reporter = Reporter(console if these.first else None)
        options = Options(tensorboard, Allowed(skip_bad, allow_empty_class), accept_data_change, shard, aside)
        job = _job(graph, settings, Path(data), own_device(device, these), reporter, these, options)
        return _resumed(job, folder) if resume else _begun(job, folder)


def _job(
    graph: Graph, settings: TrainSettings, data: Path, device: torch.device, reporter: Reporter, these: Processes, options: Options
) -> Job:
    if options.tensorboard:
        require_tensorboard()
    if options.shard:
        check_sharding(settings, these, rescue=options.rescue is not None)
    precision = choose_precision(settings.precision, device)
    return Job(graph, lessons(graph), settings, data, device, precision, reporter, these, options)


def _begun(job: Job, out: Path | None) -> RunResult:
    """A new run. Its folder is tried out before the data is read, and taken away again if that fails."""
    folder = _agreed(job, lambda: new_folder(run_name(job.graph), out))
    with _held(job, folder):
        try:
            _probed(job, folder)
            splits = open_job(job)
            return _run(job, splits, folder, new_record(job, splits, folder))
        finally:
            if job.processes.first:
                discard_if_unused(folder)


def _resumed(job: Job, out: Path | None) -> RunResult:
    folder = _agreed(job, lambda: RunFolder(out) if out is not None else last_folder(run_name(job.graph)))
    record = folder.read_record()
    check_same_run(folder.path, record, job.graph, job.settings)
    if record.status == "finished":
        job.reporter.line(f"the run in {escape(str(folder.path))} is finished")
        return RunResult(folder.path, record, was_finished=True)
    asked, before = job.options.allowed, record.data
    allowed = Allowed(asked.bad_images or before.skip_bad, asked.empty_classes or before.allow_empty_class)
    job = replace(job, options=replace(job.options, allowed=allowed))
    with _held(job, folder):
        _probed(job, folder)
        splits = open_job(job)
        changed = data_changes(job.data, record, splits, folder)
        if changed and not job.options.accept_data_change:
            raise failure(DataChanged(str(job.data), changed))
        if not folder.state.is_file():
            job.reporter.line("going on from the beginning: no step was saved")
        for difference in machine_differences(record.versions, versions(job)):
            job.reporter.line(f"not bit-identical: {difference}", "yellow")
        return _run(job, splits, folder, record, changed)


def _agreed(job: Job, find: Callable[[], RunFolder]) -> RunFolder:
    """The run's folder, which the first process finds for all."""
    if not job.processes.first:
        return RunFolder(Path(job.processes.from_first("")))
    folder = find()
    job.processes.from_first(str(folder.path))
    return folder


@contextmanager
def _held(job: Job, folder: RunFolder) -> Iterator[None]:
    """Meanwhile the first process holds the run's folder for all."""
    with locked(folder) if job.processes.first else contextlib.nullcontext():
        yield


def run_name(graph: Graph) -> str:
    """What runs of a net are called: as the file it is written in, or, where that has no plain name, as the net."""
    stem = PurePath(graph.source.name).stem
    return stem if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", stem) else graph.name.lower()


def _run(job: Job, splits: Splits, folder: RunFolder, record: RunRecord, changed: tuple[str, ...] = ()) -> RunResult:
    """Train in a locked folder, from its state if it has one; ``changed`` says what of the data is not as it was."""
    keeper = Keeper(folder, record, writes=job.processes.first)
    if keeper.writes:
        sweep(folder)
    keeper.update(status="running")
    keeper.write(folder.spec, job.graph.source.text.encode())
    if job.graph.files:
        keeper.write(folder.used, json.dumps(dict(job.graph.files), indent=1, sort_keys=True).encode())
    if not changed and not folder.samples.is_file():
        keeper.write(folder.samples, splits.inventory.packed())
    with _not_running_after(keeper), stop_requests(hold=job.processes.several) as request:
        now = record.model_copy(update={"data": data_record(job, splits)}) if changed else keeper.record
        show_header(job.reporter, folder.path, now)
        job.reporter.line(in_short(splits.report), "dim")
        for note in notes(job.graph, splits):
            job.reporter.line(f"note: {note}", "dim")
        _write_plan(job, splits, keeper)
        return _trained(job, splits, keeper, request, changed)


def _trained(job: Job, splits: Splits, keeper: Keeper, request: StopRequest, changed: tuple[str, ...]) -> RunResult:
    with told_of_device(job.device, keeper), seeded(job.settings.seed, job.device):
        training = _training(job, splits, keeper, request)
        if changed:
            _take_over(job, splits, keeper, training, changed)
        try:
            with told_of_images(lambda: training.position):
                training.run()
            return RunResult(keeper.folder.path, close_run(job, splits, training))
        except BaseException as error:
            if job.options.rescue and (line := rescued(error, job.options.rescue, job.graph, keeper, training.learner, training.position)):
                job.reporter.line(line, "yellow")
            _give_up(training, _ended(error))
            raise


@contextmanager
def _not_running_after(keeper: Keeper) -> Iterator[None]:
    """Whatever ends the run, and wherever, its record does not go on saying that it runs."""
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(NetspecError):
            if keeper.record.status == "running":
                keeper.update(status=_ended(error))
        raise


def _ended(error: BaseException) -> str:
    return "interrupted" if isinstance(error, Interrupted | KeyboardInterrupt) else "failed"


def _write_plan(job: Job, splits: Splits, keeper: Keeper) -> None:
    """What is planned for each stage, beside the run's record."""
    assert splits.train is not None
    if keeper.writes:
        plan = plan_training(job.graph, len(splits.train), job.device, largest=False)
        keeper.write(keeper.folder.plan, (plan.model_dump_json(indent=1) + "\n").encode())


def _training(job: Job, splits: Splits, keeper: Keeper, request: StopRequest) -> Training:
    # What is gone on with has all its weights in its state: the files that the spec asks for may be elsewhere by now.
    state = read_state(keeper.folder) if keeper.begun() else None
    net, root = _placed(build(replace(job.graph, pretrained=()) if state else job.graph), job)
    position = Position() if state is None else state.position
    learner = Learner(net, job.device, None if job.settings.ema is None else Averaged(net, job.settings.ema), root)
    at = min(position.stage, len(job.settings.in_turn) - 1)
    learner.enter(job.settings.in_turn[at], job.lessons[at].frozen)
    if state is not None:
        restore_state(state, learner)
    keeper.restore(learner, position)
    return Training(learner, job, splits, keeper, position, request)


def _take_over(job: Job, splits: Splits, keeper: Keeper, training: Training, changed: tuple[str, ...]) -> None:
    """Go on with data that has changed: the epoch under way begins anew, and the state says so before the record does, so that a run that
    is killed in between is told of the change again."""
    here, before = training.position, keeper.record.data
    anew = f"; epoch {here.epoch + 1:,} begins anew" if here.step else ""
    job.reporter.line(f"not bit-identical: the data has changed, as was accepted: {escape('; '.join(changed))}{anew}", "yellow")
    if keeper.begun():
        training.position = here = replace(here.at_epoch(here.epoch), kept=None)
        keeper.save(training.learner, here)
    change = DataChange(epoch=here.epoch + 1, counts=before.counts, fingerprint=before.fingerprint, told=changed)
    keeper.write(keeper.folder.samples, splits.inventory.packed())
    keeper.update(data=data_record(job, splits).model_copy(update={"changes": (*before.changes, change)}))


def _placed(net: CompiledNet, job: Job) -> tuple[CompiledNet, nn.Module | None]:
    """A net on its device; where its weights are to be divided, what runs it as well."""
    if job.options.shard:
        root = Logits(net)
        shard_weights(root, net, job.device)
        return net, root
    net.to(job.device)
    if channels_last(job.settings.layout, job.device, job.precision):
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net, None


def _give_up(training: Training, status: str) -> None:
    """Leave the record and the curves as true as they can be. What ends the run is on its way to the user, and is not to be hidden by
    a full disk here."""
    keeper, rows = training.keeper, training.position.rows
    with contextlib.suppress(NetspecError):
        keeper.update(status=status)
        if rows and keeper.writes:
            keeper.write(keeper.folder.curves, draw_curves(keeper.record.name, rows, training.position.best, None))


def _probed(job: Job, folder: RunFolder) -> None:
    if job.processes.first:
        probe(folder, _needed(job.graph))


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
