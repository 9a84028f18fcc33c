"""Export: write the model, run it, and keep the file only if it computes what the net computes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from netspec.backends.atomic import refuse_other_than_file, write_atomically
from netspec.backends.onnx.model import IR_VERSION, OPSET, Array, to_model
from netspec.backends.onnx.session import open_session
from netspec.diagnostics import failure
from netspec.diagnostics.measuring import LabelCount
from netspec.diagnostics.models import ExportDisagrees, NotFinite, TargetExists, TargetNotAFile
from netspec.graph import Graph
from netspec.objectives import Objective
from netspec.sizes import at

TOLERANCE: Final = 1e-4
"""The largest difference from PyTorch that is let pass, relative to the largest number of the output."""

BATCHES: Final = (1, 3)
OPEN_SIZES: Final = 4
"""How many sizes are tried where they are open, and from which on."""
SMALL: Final = 8
LEVELS: Final = ("DISABLE_ALL", "ENABLE_ALL")


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written, and how far it is from PyTorch. Differences are over all outputs, batches and optimisation levels."""

    path: str
    opset: int
    ir_version: int
    bytes: int
    max_abs: float
    max_rel: float


def export(
    graph: Graph,
    weights: Mapping[str, Any],
    path: str | os.PathLike[str],
    *,
    classes: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    learned: Sequence[Objective] | None = None,
    force: bool = False,
) -> ExportReport:
    """Write the ONNX model of a graph to ``path``, after checking it against PyTorch.

    ``weights`` are numpy arrays or tensors by key. ``classes`` names what the output tells apart, in its order; of a net with several
    outputs it is a mapping from their names, and those that tell nothing apart are left out. ``learned`` is what each output has learned,
    without which it is what the graph's section `train` says. The model is checked by onnx's own checker,
    then run by onnxruntime on random batches of 1 and 3, as it stands and fully optimised; where sizes are open, on several accepted
    ones. ``force`` replaces a file that is there.

    Raises a :class:`~netspec.diagnostics.NetspecError`, and writes nothing: N806 where the weights do not fit, N811 or N812 where the
    target is taken, N813 where the model is too large, N961 where the numbers differ, N962 where they are not finite.
    """
    target = Path(path)
    refuse_other_than_file(target)
    if target.is_symlink():
        raise failure(TargetNotAFile(str(path), "a symbolic link"))
    if not force and os.path.lexists(target):
        raise failure(TargetExists(str(path)))
    named = _named(graph, classes, str(path))
    arrays = {key: _array(value) for key, value in weights.items()}
    content = to_model(graph, arrays, named, learned).SerializeToString(deterministic=True)
    onnx.checker.check_model(content)
    max_abs, max_rel = _compare(graph, arrays, content)
    write_atomically(target, [content], len(content))
    return ExportReport(str(path), OPSET, IR_VERSION, len(content), max_abs, max_rel)


def _named(graph: Graph, classes: Sequence[str] | Mapping[str, Sequence[str]] | None, path: str) -> dict[str, tuple[str, ...]]:
    """The classes of each output that has some: as many as it tells apart, two for a single number, else one for each. Raises N765."""
    if isinstance(classes, str):
        raise TypeError("classes is a sequence of names, one for each class, and not one string")
    shapes = graph.output_shapes()
    if classes is not None and not isinstance(classes, Mapping):
        if len(shapes) > 1:
            raise failure(LabelCount(path, len(classes), sum(shape[0] for shape in shapes.values() if len(shape) == 1)))
        classes = {next(iter(shapes)): classes}
    found = {name: tuple(names) for name, names in (classes or {}).items()}
    for name, names in found.items():
        channels = shapes[name][0] if len(shapes[name]) in (1, 3) else 0
        if channels != len(names) and (channels, len(names)) != (1, 2):
            raise failure(LabelCount(path, len(names), channels))
    return found


def _array(value: Any) -> Array:
    """A numpy array of a tensor or array, without a copy where that can be."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if value.is_floating_point() else value
    return np.asarray(value)


def _compare(graph: Graph, arrays: Mapping[str, Array], content: bytes) -> tuple[float, float]:
    """The largest absolute and relative difference between PyTorch and onnxruntime; raises where it is too large."""
    cases = list(_cases(graph, arrays))
    max_abs = max_rel = 0.0
    for level in LEVELS:
        session = open_session(content, optimise=level == "ENABLE_ALL")
        names = [i.name for i in session.get_inputs()]
        for inputs, expected in cases:
            found = session.run(None, dict(zip(names, inputs, strict=True)))
            for output, ours, theirs in zip(graph.outputs, expected, found, strict=True):
                absolute, relative = _difference(ours, theirs)
                flips = _flips(ours, theirs)
                if not relative <= TOLERANCE or flips:
                    raise failure(ExportDisagrees(output.name, len(inputs[0]), level, relative, flips))
                max_abs, max_rel = max(max_abs, absolute), max(max_rel, relative)
    return max_abs, max_rel


def _cases(graph: Graph, arrays: Mapping[str, Array]) -> Iterator[tuple[list[Array], list[Array]]]:
    """Random inputs, and what PyTorch makes of them."""
    import torch

    from netspec.backends.torch import build

    net = build(graph, {key: torch.from_numpy(np.require(a, requirements="W")) for key, a in arrays.items()}).eval()
    chance = np.random.default_rng(0)
    for batch, sizes in _batches(graph):
        inputs = [_sample(graph, n.index, (batch, *at(n.output, sizes)), chance) for n in graph.inputs]
        with torch.inference_mode():
            result = net(*map(torch.from_numpy, inputs))
        outputs = list(result.values()) if isinstance(result, dict) else [result]
        expected = [o.numpy() for o in outputs]
        for output, values in zip(graph.outputs, expected, strict=True):
            if not np.isfinite(values).all():
                raise failure(NotFinite(output.name))
        yield inputs, expected


def _batches(graph: Graph) -> Iterator[tuple[int, dict[str, int]]]:
    """How many samples, and of which sizes where those are open."""
    if graph.sizes is None:
        yield from ((batch, {}) for batch in BATCHES)
    else:
        yield from zip(cycle(BATCHES), graph.sizes.examples(OPEN_SIZES, least=SMALL))


def _sample(graph: Graph, index: int, shape: tuple[int, ...], chance: np.random.Generator) -> NDArray[np.float32]:
    """Random numbers for an input: bytes where a preprocess takes them, else a standard normal distribution."""
    if any(n.role == "preprocess" and index in n.inputs for n in graph.nodes):
        return chance.integers(0, 256, shape).astype(np.float32)
    return chance.standard_normal(shape, dtype=np.float32)


def _difference(ours: Array, theirs: Array) -> tuple[float, float]:
    """The largest difference, and its size relative to the largest number."""
    if ours.shape != theirs.shape:
        return float("inf"), float("inf")
    absolute = float(np.abs(ours.astype(np.float64) - theirs).max(initial=0))
    largest = float(np.abs(ours).max(initial=0))
    return absolute, absolute / largest if largest > 0 else absolute


def _flips(ours: Array, theirs: Array) -> int:
    """For how many samples the largest number of a vector is another one, although it led by more than the tolerance."""
    if ours.ndim != 2 or ours.shape[1] < 2 or ours.shape != theirs.shape:
        return 0
    ordered = np.sort(ours, axis=1)
    lead = ordered[:, -1] - ordered[:, -2] > TOLERANCE * np.abs(ours).max(axis=1)
    return int((lead & (ours.argmax(axis=1) != theirs.argmax(axis=1))).sum())
