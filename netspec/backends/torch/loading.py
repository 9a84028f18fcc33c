"""A file's tensors as the weights of a net: by their names, or by order."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from torch import Tensor

from netspec.backends.atomic import open_regular
from netspec.backends.checkpoints import PREFIX, checkpoint, open_checkpoint
from netspec.backends.mapping import Given, Row, Unmappable, map_by_order
from netspec.backends.mapping.conversion import Conversion
from netspec.backends.torch.mapped import contents, mapped_tensors
from netspec.backends.torch.weights import PART, WeightsFile, bound, check_weights, impossible, read_opened
from netspec.diagnostics import Diagnostic, NetspecError, Related, failure
from netspec.diagnostics.models import WeightsDoNotFit
from netspec.graph import Graph
from netspec.source import Place


@dataclass(frozen=True)
class Reading:
    """How a file is read: by ``order`` instead of by name, what a user says where that leaves a choice, whether it may hold more
    than the net has, and whether its numbers may be infinite or none at all."""

    order: bool = False
    given: Given = field(default_factory=Given)
    allow_extra: bool = False
    allow_nonfinite: bool = False


STRICT: Final = Reading()


@dataclass(frozen=True)
class Loaded:
    """A net's tensors from a file: a row for each, what was assumed, what of the file was not used, and what it says of itself."""

    tensors: dict[str, Tensor]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


def load_weights(graph: Graph, path: str | os.PathLike[str], reading: Reading = STRICT) -> Loaded:
    """The weights of a net from a file, or from a published checkpoint, ``netspec:name``.

    Raises what reading a file raises, N806 where it does not fit by name, N808, N809, N817, N818 where it does not by order.
    """
    name = os.fspath(path)
    if name.startswith(PREFIX):
        file = read_checkpoint(name)
    else:
        with open_regular(name) as opened:
            file = read_opened(opened, name, PART if reading.allow_extra else bound(graph))
    return by_order(graph, file, name, reading) if reading.order else _by_name(graph, file, name, reading)


def read_checkpoint(name: str) -> WeightsFile:
    """A published checkpoint, under the names that its net has today. Raises N822 to N824 and what reading a file raises."""
    known = checkpoint(name)
    with open_checkpoint(known) as opened:
        file = read_opened(opened, str(known.path), PART)
    return replace(file, tensors={known.key(key): tensor for key, tensor in file.tensors.items()})


def _by_name(graph: Graph, file: WeightsFile, name: str, reading: Reading) -> Loaded:
    found = file.by_key()
    check_weights(graph, found, name, allow_extra=reading.allow_extra, allow_nonfinite=reading.allow_nonfinite)
    declared = {key: weight for key, weight, _ in graph.weights()}
    tensors = {key: found[key] for key in declared if key in found}
    rows = tuple(Row(key, declared[key].shape, key, declared[key].shape, Conversion(declared[key].shape), "") for key in tensors)
    return Loaded(tensors, rows, (), tuple(key for key in found if key not in declared), file.metadata)


def by_order(
    graph: Graph, file: WeightsFile, name: str, reading: Reading = STRICT, path: str = "", place: Place | None = None, part: bool = False
) -> Loaded:
    """The weights of what stands at ``path`` in a net and below, mapped by structure; ``place`` is where a spec asks for it.

    With ``part`` the file may hold more layers than that.
    """
    try:
        mapped = map_by_order(graph, contents(file, name), path, part=part or reading.allow_extra, given=reading.given)
    except Unmappable as error:
        raise located(error, place) from error
    tensors = mapped_tensors(mapped, file.tensors)
    bad = tuple(s for key, tensor in tensors.items() if (s := impossible(key, tensor, reading.allow_nonfinite)))
    if bad:
        raise NetspecError([Diagnostic(WeightsDoNotFit(name, bad=bad), place)])
    return Loaded(tensors, mapped.rows, mapped.notes, mapped.left_over, file.metadata)


def located(error: Unmappable, place: Place | None) -> NetspecError:
    """The error at the place that asks for the mapping, or else at the first place it has to do with."""
    spots = list(error.places)
    if place is None and spots:
        place = spots.pop(0)[0]
    if place is None:
        return failure(error.problem)
    return NetspecError([Diagnostic(error.problem, place, tuple(Related(where, text) for where, text in spots if text))])
