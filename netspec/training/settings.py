"""The settings of a training, complete with defaults and checked against the net."""

from __future__ import annotations

from typing import Any

from netspec.data import Task
from netspec.diagnostics import Diagnostic, NetspecError, Problem
from netspec.diagnostics.running import LossDoesNotFit, NesterovNeedsMomentum, OneValuePerChannel
from netspec.graph import Graph
from netspec.report.models import NamedSettings, TrainSettings
from netspec.sections import LOSSES, SECTIONS, choice, loss_fits
from netspec.shape import elements
from netspec.signature import signature_of
from netspec.values import Choice


def train_settings(graph: Graph, task: Task) -> TrainSettings:
    """The section `train` of a graph with defaults filled in, and the loss that goes with the net's ending where none is written.

    Raises a :class:`~netspec.diagnostics.NetspecError` N760, N761 or N762 at the setting that does not go with the net.
    """
    values = section_values(graph, "train")
    loss: Choice = values["loss"] or choice(LOSSES["binary_cross_entropy" if task.binary or task.ending == "sigmoid" else "cross_entropy"])
    if not loss_fits(loss.name, task.outputs, task.ending):
        raise _at(graph, "loss", LossDoesNotFit(loss.name, task.outputs, task.ending))
    optimizer: Choice = values["optimizer"]
    if optimizer.settings.get("nesterov") and not optimizer.settings["momentum"]:
        raise _at(graph, "optimizer", NesterovNeedsMomentum())
    _check_batch_norms(graph, values["batch"])
    return TrainSettings(
        loss=_named(loss),
        optimizer=_named(optimizer),
        schedule=_named(values["schedule"]),
        batch=values["batch"],
        epochs=values["epochs"],
        seed=values["seed"],
    )


def section_values(graph: Graph, section: str) -> dict[str, Any]:
    """The values of a section, with the defaults of what is not written."""
    defaults = {p.name: p.default for p in signature_of(SECTIONS[section]).parameters}
    return defaults | dict(getattr(graph, section).values)


def _named(value: Choice) -> NamedSettings:
    plain = {name: list(part) if isinstance(part, tuple) else part for name, part in value.settings.items()}
    return NamedSettings(name=value.name, settings=plain)


def _check_batch_norms(graph: Graph, batch: int) -> None:
    if batch == 1 and (layer := lonely_batch_norm(graph)):
        raise _at(graph, "batch", OneValuePerChannel(layer, batch))


def lonely_batch_norm(graph: Graph) -> str | None:
    """A learning batch norm that has one value for each channel of an image, and so none to spare in a batch of one."""
    return next((n.path for n in graph.layers if n.layer == "bn" and not n.frozen and elements(n.output[1:]) == 1), None)


def _at(graph: Graph, key: str, problem: Problem) -> NetspecError:
    return NetspecError([Diagnostic(problem, graph.train.places.get(key))])
