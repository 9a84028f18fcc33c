"""What an exported file says of its task, under ``netspec.task``: what each output has learned, and where its data come from.

Shapes, endings and classes are not in it: the model itself has the first, ``netspec.activations`` and ``netspec.classes`` the others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from netspec.graph import Ending, Graph
from netspec.objectives import Kind, Objective, kind_of, loss_fits, metric_fits, objectives, target_of
from netspec.sections import INPUTS, LOSSES, METRICS, TARGETS
from netspec.shape import Shape
from netspec.signature import signature_of
from netspec.values import Choice

TASK: Final = "netspec.task"
_LONGEST: Final = 2**22
"""Letters of a task that are still read."""


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)


class _Choice(_Said):
    """A loss, a metric or a source with the settings that matter for measuring."""

    name: str
    settings: dict[str, int | float | str | list[str]] = {}


class _Input(_Said):
    name: str
    source: _Choice | None = None


class _Output(_Said):
    target: str
    kind: Kind
    loss: _Choice
    weight: float = Field(default=1.0, ge=0)
    metrics: list[_Choice] = Field(min_length=1)
    source: _Choice | None = None
    same_below: float | None = None
    """For pairs that are told apart by their distance: below which they are of one class."""


class _Task(_Said):
    inputs: dict[str, _Input]
    outputs: dict[str, _Output]
    seed: int = Field(default=0, ge=0, lt=2**63)


@dataclass(frozen=True)
class Task:
    """The task of a model: the name and the source of each input by the names in the model, the objectives in the order of its outputs,
    the sources of targets by their names, and the seed that pairs are drawn by."""

    inputs: Mapping[str, tuple[str, Choice | None]]
    learned: tuple[Objective, ...]
    sources: Mapping[str, Choice]
    seed: int


@dataclass(frozen=True)
class ModelOutput:
    """An output as the model itself has it: its name there and in the spec, its shape without the batch, and what it ends in."""

    name: str
    known_as: str
    shape: Shape
    ending: Ending | None


def learned_by(graph: Graph) -> tuple[Objective, ...] | None:
    """What each output learns in the last stage that the file describes; ``None`` where it has no section `train`."""
    if not graph.train.present:
        return None
    last = graph.train.stages[-1].values if graph.train.stages else {}
    return objectives(graph, {**graph.train.values, **last})


def write_task(graph: Graph, learned: Sequence[Objective], inputs: Sequence[str], outputs: Sequence[str]) -> str:
    """The task as JSON; ``inputs`` and ``outputs`` are the names in the model, in the order of the graph's."""
    of_inputs, of_targets = graph.data.values.get("input") or {}, graph.data.values.get("target") or {}
    task = _Task(
        inputs={
            name: _Input(name=node.label or node.path, source=_written(of_inputs.get(node.label or node.path)))
            for name, node in zip(inputs, graph.inputs, strict=True)
        },
        outputs={
            name: _Output(
                target=o.target,
                kind=o.kind,
                loss=_chosen(o.loss),
                weight=float(o.weight),
                metrics=[_chosen(metric) for metric in o.metrics],
                source=_written(of_targets.get(target_of(graph, output))),
                same_below=float(o.loss.settings["margin"]) / 2 if o.loss.name == "contrastive" else None,
            )
            for name, o, output in zip(outputs, learned, graph.outputs, strict=True)
        },
        seed=int(graph.train.values.get("seed", 0)),
    )
    return json.dumps(task.model_dump(mode="json", exclude_none=True), ensure_ascii=True)


def _written(choice: Choice | None) -> _Choice | None:
    return None if choice is None else _chosen(choice)


def _chosen(choice: Choice) -> _Choice:
    """The choice without what is ``none`` and without the weights of classes, which no figure of an evaluation has."""
    kept = {name: value for name, value in choice.settings.items() if value is not None and name != "weight"}
    return _Choice(name=choice.name, settings={name: _plain(value) for name, value in kept.items()})


def _plain(value: Any) -> int | float | str | list[str]:
    if isinstance(value, tuple):
        return [str(part) for part in value]
    return value if type(value) is int else float(value) if isinstance(value, float | int) else str(value)


def read_task(text: str, inputs: Sequence[str], outputs: Sequence[ModelOutput]) -> Task:
    """What a file says of its task, held against what the model is. Raises :class:`ValueError` where it is nothing of the kind, or of
    another model."""
    if len(text) > _LONGEST:
        raise ValueError("it is too long")
    try:
        said = _Task.model_validate_json(text)
    except ValidationError as error:
        raise ValueError("it is no such thing") from error
    if set(said.inputs) != set(inputs) or set(said.outputs) != {o.name for o in outputs}:
        raise ValueError("it speaks of other inputs or outputs")
    learned = tuple(_objective(output, said.outputs[output.name]) for output in outputs)
    sources = {o.target: _choice(o.source, TARGETS) for o in said.outputs.values() if o.source is not None}
    if len({o.target for o in learned}) < len(learned) or len({i.name for i in said.inputs.values()}) < len(said.inputs):
        raise ValueError("it has two inputs or targets of one name")
    named = {name: said.inputs[name] for name in inputs}
    given = {name: (i.name, None if i.source is None else _choice(i.source, INPUTS)) for name, i in named.items()}
    return Task(given, learned, sources, said.seed)


def _objective(output: ModelOutput, said: _Output) -> Objective:
    loss = _choice(said.loss, LOSSES)
    if kind_of(loss.name, output.shape) != said.kind or not loss_fits(loss.name, output.shape, output.ending):
        raise ValueError(f"{output.name} cannot have learned that")
    metrics = tuple(_choice(metric, METRICS) for metric in said.metrics)
    found = Objective(output.known_as, said.target, said.kind, output.shape, loss, said.weight, metrics, output.ending)
    if len({m.name for m in metrics}) < len(metrics) or not all(metric_fits(m, found.kind, found.classes) for m in metrics):
        raise ValueError(f"{output.name} cannot be measured so")
    return found


def _choice(said: _Choice, table: Mapping[str, Callable[..., None]]) -> Choice:
    """A choice of a table, its settings accepted as those of a spec are."""
    if said.name not in table:
        raise ValueError("it names a choice that is not known")
    signature = signature_of(table[said.name])
    if not set(said.settings) <= set(signature.by_name) or not signature.required <= set(said.settings):
        raise ValueError("it has other settings")
    given = {name: tuple(v) if isinstance(v, list) else v for name, v in said.settings.items()}
    return Choice(said.name, {**signature.defaults, **{name: signature.by_name[name].kind.accept(v) for name, v in given.items()}})
