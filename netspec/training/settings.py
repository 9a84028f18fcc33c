"""The settings of a training, complete with defaults and checked against the net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from netspec.diagnostics import Diagnostic, NetspecError, Problem, failure
from netspec.diagnostics.settings import LossDoesNotFit, NesterovNeedsMomentum, NothingToTrain, OneValuePerChannel
from netspec.diagnostics.stages import NothingLearns
from netspec.freezing import learning
from netspec.graph import Graph, Section, Stage
from netspec.objectives import DoesNotFit, Objective, figure_name, objectives
from netspec.report.models import NamedSettings, StageSettings, TrainSettings
from netspec.shape import elements
from netspec.training.seeing import Seeing
from netspec.training.stages import Lesson, lessons, section_values
from netspec.values import Choice

_OWN: Final = {"freeze": None, "unfreeze": None}
"""What a stage does not take over from `train`, where it has been applied already."""
_RUN_WIDE: Final = ("ema", "precision", "layout", "compile", "seed")


def train_settings(graph: Graph) -> TrainSettings:
    """The section `train` of a graph with defaults filled in, its stages too, and the loss that goes with each output's ending where none
    is written.

    Raises a :class:`~netspec.diagnostics.NetspecError` at the setting that does not go with the net: N760, N761, N762, N759, N845, N846.
    """
    values = section_values(graph, "train")
    whole = _stage_settings(graph, "", values, graph.train)
    stages = tuple(_stage_settings(graph, s.name, values | _OWN | dict(s.values), s) for s in graph.train.stages)
    lessons_of = lessons(graph)
    found = TrainSettings(**dict(whole), keep=_kept(values["keep"], lessons_of), stages=stages, **{key: values[key] for key in _RUN_WIDE})
    for stage, lesson in zip(found.in_turn, lessons_of, strict=True):
        _check_stage(graph, stage, lesson, found.seed)
    return found


def _check_stage(graph: Graph, stage: StageSettings, lesson: Lesson, seed: int) -> None:
    if not learning(graph, lesson.frozen):
        raise failure(NothingLearns(stage.name, graph.parameters, True) if stage.name else NothingToTrain(graph.name, graph.parameters))
    if stage.batch == 1 and (layer := lonely_batch_norm(graph, lesson.frozen)):
        raise _at(graph.train, "batch", OneValuePerChannel(layer, stage.batch))
    Seeing(graph, lesson.learned, seed)


def _stage_settings(graph: Graph, name: str, values: Mapping[str, Any], written: Section | Stage) -> StageSettings:
    """The settings of a stage, or of `train` itself, from complete values; ``written`` knows where they stand."""
    try:
        learned = objectives(graph, values)
    except DoesNotFit as error:
        raise _at(written, "loss", LossDoesNotFit(error.loss, error.output.name, error.shape, error.ending)) from None
    optimizer: Choice = values["optimizer"]
    if optimizer.settings.get("nesterov") and not optimizer.settings["momentum"]:
        raise _at(written, "optimizer", NesterovNeedsMomentum())
    return StageSettings(
        name=name,
        losses={o.output: _named(o.loss) for o in learned},
        loss_weights={o.output: o.weight for o in learned},
        metrics={o.output: tuple(map(_named, o.metrics)) for o in learned},
        optimizer=_named(optimizer),
        schedule=_named(values["schedule"]),
        stop=None if values["stop"] is None else _named(values["stop"]),
        freeze=values["freeze"] or (),
        unfreeze=values["unfreeze"] or (),
        rates=values["rates"] or (),
        **{key: values[key] for key in ("batch", "accumulate", "epochs", "clip", "decay", "batch_norm")},
    )


def _kept(keep: Choice, stages: Sequence[Lesson]) -> NamedSettings:
    """What to keep, with the figure that says so: what is written, else the first metric of the only output, else the loss."""
    named = _named(keep)
    if named.name != "best" or named.settings["monitor"] is not None:
        return named
    first = {_first_metric(lesson.learned) for lesson in stages}
    return NamedSettings(name="best", settings={"monitor": f"val.{first.pop()}" if len(first) == 1 else "val.loss"})


def _first_metric(learned: Sequence[Objective]) -> str:
    return figure_name(learned, learned[0], learned[0].metrics[0].name) if len(learned) == 1 and learned[0].metrics else "loss"


def _named(value: Choice) -> NamedSettings:
    plain = {name: list(part) if isinstance(part, tuple) else part for name, part in value.settings.items()}
    return NamedSettings(name=value.name, settings=plain)


def lonely_batch_norm(graph: Graph, frozen: frozenset[str]) -> str | None:
    """A learning batch norm that has one value for each channel of an image, and so none to spare in a batch of one."""
    return next((n.path for n in graph.layers if n.layer == "bn" and n.path not in frozen and elements(n.output[1:]) == 1), None)


def _at(written: Section | Stage, key: str, problem: Problem) -> NetspecError:
    return NetspecError([Diagnostic(problem, written.places.get(key))])
