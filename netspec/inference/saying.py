"""What an ONNX file says of itself, held against what it is. It may be a stranger's, so nothing of it is believed unseen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Final

from netspec.backends.onnx.task import TASK, ModelOutput, Task, read_task
from netspec.data.images.decode import ImageFormat
from netspec.graph import Ending
from netspec.inference.naming import Names, said_names
from netspec.objectives import MEASURED, Kind, Objective
from netspec.open_sizes import Rule
from netspec.sections import LOSSES, METRICS, choice
from netspec.values import Choice

_LARGEST: Final = 2**20
"""Sizes beyond this are none that a rule, or an axis, speaks of."""
_MOST: Final = 2**28
"""Numbers that one sample has at most."""

Axes = tuple[int | str, ...]
"""The sizes of a tensor without the batch; those that are open by the names of their axes."""


class Refused(Exception):
    """Why a file is no model that can be asked, in words that follow 'it cannot be used as a model: '."""


@dataclass(frozen=True)
class OnnxInput:
    """An input: its name in the model and in the spec, its axes, the picture it takes, ``None`` for a vector, and where it comes from."""

    name: str
    known_as: str
    axes: Axes
    picture: ImageFormat | None
    source: Choice | None = None


@dataclass(frozen=True)
class Told:
    """All that a model says, in the order of its inputs and outputs. ``axes`` are those of the outputs; ``rules`` say of open sizes which
    are taken; ``names`` are those of classes, by target where there are several."""

    net: str
    inputs: tuple[OnnxInput, ...]
    axes: tuple[Axes, ...]
    learned: tuple[Objective, ...]
    sources: Mapping[str, Choice]
    seed: int
    rules: Mapping[str, Rule]
    names: tuple[str, ...] | Names | None


def told(metadata: Mapping[str, str], session: Any, stem: str) -> Told:
    """Read what a model says, from its metadata and its session; ``stem`` is its name where it gives none. Raises :class:`Refused`.

    A file of an earlier version says nothing of its task: then it takes one image and gives one class, or labels where it ends in sigmoid.
    """
    outputs, axes = _outputs(metadata, session.get_outputs())
    inputs = tuple(_input(value.name, _axes(value, "input")) for value in session.get_inputs())
    task = _task(metadata, inputs, outputs)
    inputs = tuple(replace(i, known_as=task.inputs[i.name][0], source=task.inputs[i.name][1]) for i in inputs)
    given = {n for i in inputs for n in i.axes if isinstance(n, str)}
    if not given and any(isinstance(n, str) for some in axes for n in some):
        raise Refused("the sizes of its outputs are open, and those of its inputs are not")
    names = _names(metadata, outputs, task.learned)
    return Told(metadata.get("netspec.name", stem), inputs, axes, task.learned, task.sources, task.seed, _rules(metadata), names)


def _task(metadata: Mapping[str, str], inputs: tuple[OnnxInput, ...], outputs: tuple[ModelOutput, ...]) -> Task:
    if TASK in metadata:
        try:
            return read_task(metadata[TASK], [i.name for i in inputs], outputs)
        except ValueError as error:
            raise Refused(f"what it says of its task is no such thing ({error})") from error
    if len(inputs) != 1 or len(outputs) != 1 or len(outputs[0].shape) != 1 or inputs[0].picture is None:
        form = "it does not take one image and give one number for each class"
        raise Refused(f"{form}, nor does it say what its outputs have learned: export it from a run, or from a spec with a section train")
    (only,) = outputs
    labels = only.ending == "sigmoid" and only.shape != (1,)
    loss = choice(LOSSES["binary_cross_entropy" if labels or only.shape == (1,) else "cross_entropy"])
    kind: Kind = "labels" if labels else "class"
    metrics = (choice(METRICS[MEASURED[kind][0]]),)
    learned = Objective(only.known_as, only.known_as, kind, only.shape, loss, metrics=metrics, ending=only.ending)
    return Task({inputs[0].name: (inputs[0].name, None)}, (learned,), {}, 0)


def _outputs(metadata: Mapping[str, str], values: Any) -> tuple[tuple[ModelOutput, ...], tuple[Axes, ...]]:
    endings, known = _endings(metadata, [v.name for v in values]), _known(metadata, [v.name for v in values])
    axes = tuple(_axes(value, "output") for value in values)
    for found in axes:
        if not isinstance(found[0], int):
            raise Refused("it does not say how many numbers an output gives")
    shapes = (tuple(n if isinstance(n, int) else 0 for n in found) for found in axes)
    return tuple(ModelOutput(v.name, known[v.name], shape, endings[v.name]) for v, shape in zip(values, shapes, strict=True)), axes


def _input(name: str, axes: Axes) -> OnnxInput:
    if len(axes) == 1:
        if not isinstance(axes[0], int):
            raise Refused("it does not say how many numbers an input takes")
        return OnnxInput(name, name, axes, None)
    if axes[0] not in (1, 3):
        raise Refused("its input is neither an image, grey or RGB, nor a vector of numbers")
    height, width = (n if isinstance(n, int) else None for n in axes[1:])
    return OnnxInput(name, name, axes, ImageFormat(int(axes[0]), height, width))


def _axes(value: Any, what: str) -> Axes:
    """The axes of an input or an output, which is a vector or has height and width, for any number of samples."""
    fixed = what == "input" and isinstance(value.shape[0] if value.shape else 0, int)
    if value.type != "tensor(float)" or len(value.shape) not in (2, 4) or fixed:
        raise Refused(f"its {what} {value.name} is no batch of images, maps or vectors in float32")
    axes = tuple(n if isinstance(n, int) else str(n) for n in value.shape[1:])
    sizes = [n for n in axes if isinstance(n, int)]
    if any(not 1 <= n <= _LARGEST for n in sizes) or prod(sizes) > _MOST:
        raise Refused(f"its {what} {value.name} has a size that cannot be")
    return axes


def _endings(metadata: Mapping[str, str], outputs: list[str]) -> dict[str, Ending | None]:
    try:
        said = json.loads(metadata["netspec.activations"])
        endings = dict(zip(outputs, said.values(), strict=True)) if len(outputs) == 1 else {name: said[name] for name in outputs}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        which = "its one output ends" if len(outputs) == 1 else "each of its outputs ends"
        raise Refused(f"it does not say which activation {which} in") from error
    if any(ending not in ("softmax", "sigmoid", None) for ending in endings.values()):
        raise Refused("it ends in an activation that is not known")
    return endings


def _known(metadata: Mapping[str, str], outputs: list[str]) -> dict[str, str]:
    """What the outputs are called in the spec."""
    if "netspec.outputs" not in metadata:
        return {name: name for name in outputs}
    try:
        said = json.loads(metadata["netspec.outputs"])
        known = {name: said[name] for name in outputs}
        "".join(known.values()).encode()
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise Refused("what it says of the names of its outputs is no such thing") from error
    if len(set(known.values())) < len(known):
        raise Refused("two of its outputs have one name")
    return known


def _names(metadata: Mapping[str, str], outputs: tuple[ModelOutput, ...], learned: tuple[Objective, ...]) -> tuple[str, ...] | Names | None:
    """The names of classes that a model gives: a list, or lists by output, which are given back by target."""
    try:
        said = said_names(metadata)
    except ValueError as error:
        raise Refused("what it says of its classes is no such thing") from error
    if not isinstance(said, Mapping):
        return said
    return {o.target: said[output.name] for output, o in zip(outputs, learned, strict=True) if output.name in said}


def _rules(metadata: Mapping[str, str]) -> dict[str, Rule]:
    """What the model says of its open sizes, by the names of the axes."""
    try:
        said = json.loads(metadata.get("netspec.sizes", "{}"))
        rules = {str(s): Rule(r["period"], tuple(r["residues"]), r["settled"], tuple(r["early"])) for s, r in said.items()}
        if all(type(n) is int and 0 <= n < _LARGEST for r in rules.values() for n in (r.period - 1, r.settled, *r.residues, *r.early)):
            return rules
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise Refused("what it says of its open sizes is no such thing")
