"""What the classes of a model are called: as a file of labels says, else as the weights or the model say, else by their numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from netspec.backends.atomic import open_regular
from netspec.data.pairs import CLASSES as OF_PAIRS
from netspec.diagnostics import failure
from netspec.diagnostics.measuring import LabelCount
from netspec.diagnostics.models import CannotRead
from netspec.objectives import Objective
from netspec.training.folders.class_names import CLASSES
from netspec.values import Choice

_LONGEST_LABELS: Final = 4 * 2**20
"""Bytes of a file of labels."""

Names = Mapping[str, tuple[str, ...]]
"""The names of the classes of each target, or of each output, that tells some apart."""


def read_labels(path: Path) -> tuple[str, ...]:
    """The names of classes in a file, one a line, in the order of the net's outputs. Raises N801."""
    with open_regular(str(path)) as file:
        content = file.read(_LONGEST_LABELS + 1)
    if len(content) > _LONGEST_LABELS:
        raise failure(CannotRead(str(path), f"a file of labels has at most {_LONGEST_LABELS:,} bytes"))
    try:
        return tuple(content.decode("utf-8-sig").rstrip("\r\n").splitlines())
    except UnicodeDecodeError as error:
        raise failure(CannotRead(str(path), "it is not text in UTF-8")) from error


def said_names(metadata: Mapping[str, str]) -> tuple[str, ...] | Names | None:
    """The classes that a file names: a list, or one for each target (in a model: output) by its name; ``None`` where it names none.

    Raises :class:`ValueError` where what it says of them is no such thing.
    """
    if CLASSES not in metadata:
        return None
    try:
        said = json.loads(metadata[CLASSES])
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return {str(name): _listed(names) for name, names in said.items()} if isinstance(said, dict) else _listed(said)


def _listed(names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise ValueError("it is no list of names")
    "".join(names).encode()  # half a surrogate pair raises here
    return tuple(names)


def by_target(said: Sequence[str] | Names | None, learned: Sequence[Objective], place: str) -> Names:
    """The names by target. A list is of the one output that tells classes apart; raises N765 where several do."""
    telling = [o for o in learned if o.classes]
    if said is None or not telling:
        return {}
    if isinstance(said, Mapping):
        return {o.target: said[o.target] for o in telling if o.target in said}
    if len(telling) > 1:
        raise failure(LabelCount(place, len(said), sum(int(o.shape[0]) for o in telling)))
    return {telling[0].target: tuple(said)}


def complete(named: Names, learned: Sequence[Objective], sources: Mapping[str, Choice], place: str) -> tuple[Names, bool]:
    """The names of all targets that tell classes apart, those that nothing names by their numbers, and whether there are such.

    Raises N765 where there are more or fewer names than classes.
    """
    found, numbered = {}, False
    for o in learned:
        if not o.classes:
            continue
        pairs = o.target in sources and sources[o.target].name == "pairs"
        names = named.get(o.target) or (OF_PAIRS if pairs else tuple(map(str, range(o.classes))))
        if len(names) != o.classes:
            raise failure(LabelCount(place, len(names), int(o.shape[0])))
        found[o.target] = names
        numbered = numbered or (not named.get(o.target) and not pairs)
    return found, numbered
