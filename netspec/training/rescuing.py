"""A run whose folder takes nothing any more, as its disk is full or gone: its state is saved elsewhere, where that was asked for."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path

from netspec.diagnostics import NetspecError
from netspec.diagnostics.models import CannotWrite
from netspec.diagnostics.text import escape
from netspec.graph import Graph
from netspec.training.folders.checkpoint import Position
from netspec.training.folders.folder import RunFolder, locked, new_folder
from netspec.training.folders.keeper import Keeper
from netspec.training.learning.learner import Learner


def rescued(error: BaseException, into: Path, graph: Graph, keeper: Keeper, learner: Learner, position: Position) -> str | None:
    """Make a run below ``into`` that goes on from the last step that is over, where ``error`` says that a file could not be written.

    Gives the line to say of it, whether that went well or not; ``None`` where there is nothing to rescue.
    """
    refused = isinstance(error, NetspecError) and any(isinstance(d.problem, CannotWrite) for d in error.diagnostics)
    if not (refused and keeper.writes and position.updates):
        return None
    place = into / keeper.folder.path.name
    try:
        _copied(new_folder(place.name, place), graph, keeper, learner, position)
    except NetspecError as other:
        return f"not rescued: {'; '.join(d.message for d in other.diagnostics)}"
    return f"rescued: the state is saved in {escape(str(place))}, go on with --resume --out {escape(str(place))}"


def _copied(folder: RunFolder, graph: Graph, keeper: Keeper, learner: Learner, position: Position) -> None:
    """The files of the run, all but its plan and its pictures, from what is in memory and, where there are such, from its files of the best
    epoch and of the samples."""
    copy = Keeper(folder, keeper.record)
    with locked(folder):
        copy.write(folder.spec, graph.source.text.encode())
        if graph.files:
            copy.write(folder.used, json.dumps(dict(graph.files), indent=1, sort_keys=True).encode())
        with contextlib.suppress(OSError):  # gone with the folder: then a change of the data cannot be told by name
            copy.write(folder.samples, keeper.folder.samples.read_bytes())
        best = position.best
        if best is not None and (best.epoch != position.epoch or position.step) and not _best_copied(copy, keeper):
            position = replace(position, best=None)
        copy.update(status="interrupted", best=position.best)
        copy.save(learner, position)
        copy.restore(learner, position)


def _best_copied(copy: Keeper, keeper: Keeper) -> bool:
    """Whether the weights of the best epoch could be had; where they are gone with the folder, the best is sought anew from here on."""
    try:
        content = keeper.folder.best.read_bytes()
    except OSError:
        return False
    copy.write(copy.folder.best, content)
    return True
