"""From a run's folder back to its net."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from netspec.backends.atomic import open_regular
from netspec.backends.torch.weights import check_weights, read_file
from netspec.compiler import load
from netspec.diagnostics import NetspecError, failure
from netspec.diagnostics.runs import BrokenRun, CannotRebuild
from netspec.graph import Graph
from netspec.report.models import RunRecord
from netspec.training.folders.class_names import CLASSES, classes_text
from netspec.training.folders.folder import RunFolder


@dataclass(frozen=True)
class Run:
    """A run on disk and the graph it was trained with."""

    folder: RunFolder
    record: RunRecord
    graph: Graph

    def weights(self) -> dict[str, Tensor]:
        """The weights to use, as :meth:`~netspec.training.folders.folder.RunFolder.weights` says, made sure to be the graph's.

        Raises N753 where they are not there or name other class labels than the record, and what reading raises.
        """
        path = self.folder.weights(self.record)
        file = read_file(path, self.graph)
        check_weights(self.graph, file.tensors, str(path))
        named = classes_text(self.record.classes) if self.record.classes else None
        if file.metadata.get(CLASSES) != named:
            raise failure(BrokenRun(str(path), "its class labels are missing, or not those of run.json"))
        return file.tensors


def load_run(path: Path) -> Run:
    """Read a run's record and compile its own copy of the spec with the settings it was trained with.

    Raises N751 where there is no run, N753 where a file is missing or damaged, N763 where the copy does not make the net of the run.
    """
    folder = RunFolder(path)
    record = folder.read_record()
    if not folder.spec.is_file():
        raise failure(BrokenRun(str(folder.spec), "the run's copy of the spec is missing"))
    try:
        graph = load(folder.spec, net=record.net, settings=record.settings, files=_used(folder))
    except NetspecError as error:
        raise failure(CannotRebuild(str(folder.spec), error.args[0])) from error
    if graph.digest != record.spec_sha256 or graph.parameters != record.parameters:
        raise failure(CannotRebuild(str(folder.spec), "it has been changed since"))
    return Run(folder, record, graph)


def _used(folder: RunFolder) -> dict[str, str] | None:
    """The texts of the files that the run's spec uses; ``None`` where it uses none."""
    if not folder.used.exists():
        return None
    try:
        with open_regular(str(folder.used)) as file:
            found = TypeAdapter(dict[str, str]).validate_json(file.read())
    except ValidationError as error:
        raise failure(BrokenRun(str(folder.used), "it is not a table of texts")) from error
    return found
