"""The settings of a training, complete with defaults and checked against the net."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from netspec.data import Task
from netspec.diagnostics import Diagnostic, NetspecError, Problem, failure
from netspec.diagnostics.running import LossDoesNotFit, NesterovNeedsMomentum, NothingToTrain, OneValuePerChannel
from netspec.diagnostics.stages import NothingLearns
from netspec.freezing import frozen_in_stages, learning
from netspec.graph import Graph, Section, Stage
from netspec.report.models import NamedSettings, StageSettings, TrainSettings
from netspec.sections import LOSSES, SECTIONS, choice, loss_fits
from netspec.shape import elements
from netspec.signature import signature_of
from netspec.values import Choice

_OWN: Final = {"freeze": None, "unfreeze": None}
"""What a stage does not take over from `train`, where it has been applied already."""


def train_settings(graph: Graph, task: Task) -> TrainSettings:
    """The section `train` of a graph with defaults filled in, its stages too, and the loss that goes with the net's ending where none is
    written.

    Raises a :class:`~netspec.diagnostics.NetspecError` N760, N761, N762 or N759 at the setting that does not go with the net.
    """
    values = section_values(graph, "train")
    whole = _stage_settings(graph, task, "", values, graph.train)
    stages = tuple(_stage_settings(graph, task, s.name, values | _OWN | dict(s.values), s) for s in graph.train.stages)
    found = TrainSettings(
        **dict(whole),
        keep=_named(values["keep"]),
        ema=values["ema"],
        precision=values["precision"],
        seed=values["seed"],
        stages=stages,
    )
    for stage, frozen in zip(found.in_turn, frozen_in_stages(graph), strict=True):
        if not learning(graph, frozen):
            raise failure(NothingLearns(stage.name, graph.parameters, True) if stage.name else NothingToTrain(graph.name, graph.parameters))
        if stage.batch == 1 and (layer := lonely_batch_norm(graph, frozen)):
            raise _at(graph.train, "batch", OneValuePerChannel(layer, stage.batch))
    return found


def _stage_settings(graph: Graph, task: Task, name: str, values: Mapping[str, Any], written: Section | Stage) -> StageSettings:
    """The settings of a stage, or of `train` itself, from complete values; ``written`` knows where they stand."""
    loss: Choice = values["loss"] or choice(LOSSES["binary_cross_entropy" if task.binary or task.ending == "sigmoid" else "cross_entropy"])
    if not loss_fits(loss.name, task.outputs, task.ending):
        raise _at(written, "loss", LossDoesNotFit(loss.name, task.outputs, task.ending))
    optimizer: Choice = values["optimizer"]
    if optimizer.settings.get("nesterov") and not optimizer.settings["momentum"]:
        raise _at(written, "optimizer", NesterovNeedsMomentum())
    return StageSettings(
        name=name,
        loss=_named(loss),
        optimizer=_named(optimizer),
        schedule=_named(values["schedule"]),
        stop=None if values["stop"] is None else _named(values["stop"]),
        freeze=values["freeze"] or (),
        unfreeze=values["unfreeze"] or (),
        **{key: values[key] for key in ("batch", "accumulate", "epochs", "clip", "decay")},
    )


def section_values(graph: Graph, section: str) -> dict[str, Any]:
    """The values of a section, with the defaults of what is not written."""
    defaults = {p.name: p.default for p in signature_of(SECTIONS[section]).parameters}
    return defaults | dict(getattr(graph, section).values)


def _named(value: Choice) -> NamedSettings:
    plain = {name: list(part) if isinstance(part, tuple) else part for name, part in value.settings.items()}
    return NamedSettings(name=value.name, settings=plain)


def lonely_batch_norm(graph: Graph, frozen: frozenset[str]) -> str | None:
    """A learning batch norm that has one value for each channel of an image, and so none to spare in a batch of one."""
    return next((n.path for n in graph.layers if n.layer == "bn" and n.path not in frozen and elements(n.output[1:]) == 1), None)


def _at(written: Section | Stage, key: str, problem: Problem) -> NetspecError:
    return NetspecError([Diagnostic(problem, written.places.get(key))])
