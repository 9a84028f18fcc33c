"""Classes by name: they are those of the training split, and every split is numbered by them."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from netspec.data.found import SPLITS, Coded, Found, Indices, Tagged, Values
from netspec.data.task import Wanted, WantedTarget
from netspec.diagnostics import Problem
from netspec.diagnostics.data import ClassCount, ClassesDiffer, ClassNameNotText, ClassTwins, EmptyClasses, TooFewClasses
from netspec.diagnostics.preflight import ClassesMissing


@dataclass(frozen=True)
class Settled:
    """The classes of a target and its values in each split: `N` numbers of classes, or `N x classes` of 0 and 1. A sample whose class
    the training split has not is -1; then there is an error among the problems."""

    classes: tuple[str, ...]
    values: Mapping[str, Indices]


Known = Mapping[str, tuple[str, ...]]
"""The classes of targets where a model is measured, which knows them already."""


def number_classes(path: Path, found: Found, wanted: Wanted, known: Known, only: Collection[str] = SPLITS) -> dict[str, tuple[str, ...]]:
    """Give the classes and labels of what was found their numbers; the names in their order, by target. Where they are ``known``, only the
    splits that are asked for are held against them."""
    named = {}
    for target in wanted.targets:
        if not isinstance(found.splits["train"].targets[target.name], Coded | Tagged):
            if target.classes:
                named[target.name] = found.classes.get(target.name) or tuple(map(str, range(target.classes)))
        else:
            settled = settle(target, found, str(path), known.get(target.name), only)
            named[target.name] = settled.classes
            found.splits = {
                split: replace(rows, targets={**rows.targets, target.name: Values(settled.values[split])})
                for split, rows in found.splits.items()
            }
        count, most = len(named.get(target.name, ())), target.classes
        fit = {0, 1, most, most + sum(len(p.classes) for p in found.problems if isinstance(p, EmptyClasses))}  # which may be taken out
        if count not in fit and not wanted.pairs and not (found.partial and count < most):
            found.problems.append(ClassCount(target.size, named[target.name]))
    return named


def settle(target: WantedTarget, found: Found, place: str, known: tuple[str, ...] | None = None, only: Collection[str] = SPLITS) -> Settled:
    """Number the classes of a target by those a model has, else by the training split; what is wrong with them is added to ``found``."""
    given = {split: raw for split, raw in found.of(target.name) if isinstance(raw, Coded | Tagged)}
    everywhere = tuple(sorted({name for raw in given.values() for name in raw.names}))
    if target.source.name == "pairs":  # whether two are of one class can be asked of classes that were never seen
        return Settled(everywhere, {split: _renumbered(raw, everywhere) for split, raw in given.items()})
    classes = known or found.classes.get(target.name) or tuple(sorted(given["train"].names))
    found.problems += [ClassNameNotText(place, name) for name in classes if not _is_text(name)]
    for split, raw in given.items():
        if not found.partial and (known is None or split in only or not found.own):
            found.problems += _differences(split if found.own or known is None else "", place, classes, raw, known is not None)
    if twins := _twins(everywhere):
        found.problems.append(ClassTwins(twins))
    if len(classes) < 2 and not found.partial:
        found.problems.append(TooFewClasses(place, classes))
    return Settled(classes, {split: _renumbered(raw, classes) for split, raw in given.items()})


def _differences(split: str, place: str, classes: tuple[str, ...], raw: Coded | Tagged, known: bool) -> Iterable[Problem]:
    """What a split, or all of the data, has and lacks; the training split can only differ from names that the data gives, or that a model
    has."""
    if split == "train" and not known:
        if extra := tuple(c for c in raw.names if c not in classes):
            yield ClassesDiffer("train", (), extra, "the array of classes", place)
        return
    present = _present(raw)
    missing = tuple(c for c in classes if c not in present)
    extra = tuple(sorted(c for c in raw.names if c not in classes))
    if extra:
        yield ClassesDiffer(split, missing, extra, "the model" if known else "train", place)
    elif missing:
        yield ClassesMissing(split or "the data", missing, len(classes))


def _present(raw: Coded | Tagged) -> set[str]:
    counts = np.bincount(raw.codes[raw.codes >= 0], minlength=len(raw.names)) if isinstance(raw, Coded) else raw.flags.sum(0)
    return {name for name, count in zip(raw.names, counts, strict=True) if count}


def _renumbered(raw: Coded | Tagged, classes: tuple[str, ...]) -> Indices:
    numbers = {name: i for i, name in enumerate(classes)}
    if isinstance(raw, Coded):
        table = np.array([*(numbers.get(name, -1) for name in raw.names), -1], np.int64)
        return table[raw.codes]
    flags = np.zeros((len(raw.flags), len(classes)), np.int64)
    for column, name in enumerate(raw.names):
        if name in numbers:
            flags[:, numbers[name]] = raw.flags[:, column]
    return flags


def _twins(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Pairs of names that are equal once composed (NFC) and case-folded."""
    seen: dict[str, str] = {}
    pairs = []
    for name in names:
        first = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if first != name:
            pairs.append((first, name))
    return tuple(pairs)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
