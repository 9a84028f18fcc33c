"""Open data: from a path to splits with their samples, ready to train and measure on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from netspec.data.classes import Known, number_classes
from netspec.data.cutting import Cut
from netspec.data.found import SPLITS, Coded, Found, Indices, Paths, Rows, Values
from netspec.data.images.cache import DecodedCache
from netspec.data.images.loading import Progress, memory_budget
from netspec.data.inventory import Inventory
from netspec.data.layouts.choosing import read_layout
from netspec.data.looking.report import NOTHING, Report, checked
from netspec.data.looking.reporting import report_on
from netspec.data.masks import in_line
from netspec.data.pairs import CLASSES, SHARE, pair_samples
from netspec.data.reading import Means, Read, read_columns
from netspec.data.samples import Samples
from netspec.data.shares import draw
from netspec.data.task import Wanted
from netspec.diagnostics import Diagnostic, NetspecError, Problem, failure
from netspec.diagnostics.data import EmptyClasses, TooFewClasses
from netspec.diagnostics.layouts import NoSamples
from netspec.diagnostics.masks import MaskOutOfLine
from netspec.diagnostics.preflight import ClassesMissing, EmptyClassesKept

__all__ = ["SHARES", "SPLITS", "STRICT", "Allowed", "Division", "Splits", "open_data", "preflight"]

SHARES: Final = (0.8, 0.1, 0.1)


@dataclass(frozen=True)
class Division:
    """How data without splits of its own is divided: by shares from a seed, or, with ``whole``, not at all."""

    shares: tuple[float, ...] = SHARES
    seed: int = 0
    whole: bool = False


_USUAL: Final = Division()


@dataclass(frozen=True)
class Allowed:
    """What is a warning where it would be an error: images that cannot be read, whose samples are then left out, and folders of classes
    without images, which are then classes without samples that keep their numbers."""

    bad_images: bool = False
    empty_classes: bool = False


STRICT: Final = Allowed()
"""Nothing is allowed."""


@dataclass(frozen=True)
class Splits:
    """Opened data. A split that the data has not is ``None``; so is one that was not asked for.

    ``classes`` are the names of the classes (or labels) by target, for those that have some. ``available`` names all splits that there
    are; ``own`` says whether they are the data's own, or drawn by shares. ``fingerprint`` stands for the content of all samples that were
    opened, with their targets and splits, ``content`` for the same whatever their order and their splits, and ``inventory`` has a line for
    each. ``hidden`` counts entries that were ignored, as `.git` and `Thumbs.db`. ``report`` is what :func:`preflight` says of all this.
    """

    path: Path
    classes: Mapping[str, tuple[str, ...]]
    train: Samples | None
    val: Samples | None
    test: Samples | None
    available: tuple[str, ...]
    own: bool
    fingerprint: str
    warnings: tuple[Problem, ...] = ()
    hidden: int = 0
    report: Report = NOTHING
    content: str = ""
    inventory: Inventory = Inventory(Path(), {}, {})  # noqa: RUF009

    def sets(self) -> dict[str, Samples]:
        """The splits there are, by name."""
        return {name: samples for name in SPLITS if (samples := getattr(self, name)) is not None}

    def counts(self) -> dict[str, int]:
        """How many samples each split has."""
        return {name: len(samples) for name, samples in self.sets().items()}


def open_data(
    path: Path,
    wanted: Wanted,
    *,
    division: Division = _USUAL,
    only: Collection[str] = SPLITS,
    budget: int | None = None,
    cache: DecodedCache | None = None,
    progress: Progress | None = None,
    allowed: Allowed = STRICT,
    classes: Known | None = None,
    cuts: Mapping[str, Cut] | None = None,
) -> Splits:
    """Open data for a net, in any of the layouts that docs/data.md describes.

    Data without splits of its own is split by the shares of ``division`` (training, validation, test), drawn from its seed; undivided,
    it is all ``test``. Every image file of the splits in ``only`` is decoded once here, so that a broken one is found before
    anything is computed; the pixels stay in memory where they fit into ``budget`` bytes (half of the free memory if left out),
    else in the ``cache``, and without one are decoded again in each epoch. What is ``allowed`` is a warning where it would be an error.
    Where a model is to be measured, ``classes`` are those it knows: data that lacks some keeps the numbers of the others.
    Of the inputs in ``cuts`` the training split is made of parts of photographs, as each says, where these are files and no masks lie over
    them.

    Raises a :class:`~netspec.diagnostics.NetspecError` with everything that is wrong.
    """
    opened = _opened(path, wanted, division, only, Asked(budget, cache, progress, allowed, cuts or {}), classes or {})
    if opened.report.failed:
        raise NetspecError(opened.report.diagnostics())
    return _as_splits(path, opened, wanted, division)


def preflight(
    path: Path,
    wanted: Wanted,
    division: Division = _USUAL,
    *,
    budget: int | None = None,
    cache: DecodedCache | None = None,
    progress: Progress | None = None,
    allowed: Allowed = STRICT,
) -> Report:
    """The report that :func:`open_data` makes of all splits, whatever is wrong with them. Raises what lies in the net, as N799."""
    try:
        return _opened(path, wanted, division, SPLITS, Asked(budget, cache, progress, allowed), {}).report
    except NetspecError as error:
        if any(d.place is not None for d in error.diagnostics):
            raise
        problems = [d.problem for d in error.diagnostics]
        return Report(str(path), "", False, {}, (), checked("", {}, (), problems))


def count_samples(path: Path, wanted: Wanted, division: Division = _USUAL, allowed: Allowed = STRICT) -> dict[str, int]:
    """How many samples each split has. Raises what :func:`open_data` does, as far as that can be told without reading an image."""
    named = _named(path, wanted, division, SPLITS, Asked(None, None, None, allowed), {})
    if errors := [Diagnostic(problem) for problem in named.found.problems if problem.severity == "error"]:
        raise NetspecError(errors)
    return {split: len(rows) for split, rows in named.splits.items()}


@dataclass(frozen=True)
class Asked:
    """How data is to be read: with how many bytes of memory, and with what is kept beyond that and what is allowed."""

    budget: int | None
    cache: DecodedCache | None
    progress: Progress | None
    allowed: Allowed
    cuts: Mapping[str, Cut] = field(default_factory=dict)


@dataclass(frozen=True)
class _Named:
    """What there is, before anything of it is read: the classes by name, and the samples by split."""

    found: Found
    classes: Mapping[str, tuple[str, ...]]
    splits: Mapping[str, Rows]
    room: int


@dataclass(frozen=True)
class _Opened(_Named):
    """All that is known of data before it is used."""

    read: Read
    report: Report


def _named(path: Path, wanted: Wanted, division: Division, only: Collection[str], asked: Asked, known: Known) -> _Named:
    room = memory_budget() if asked.budget is None else asked.budget
    found = read_layout(path, wanted, room)
    found.problems = list(_eased(found, asked.allowed.empty_classes, bool(known)))
    _check_rows(path, found)
    _check_maps(found, wanted)
    classes = number_classes(path, found, wanted, known, only)
    return _Named(found, classes, _divided(found, wanted, division), room)


def _opened(path: Path, wanted: Wanted, division: Division, only: Collection[str], asked: Asked, known: Known) -> _Opened:
    named = _named(path, wanted, division, only, asked, known)
    found, classes, splits = named.found, named.classes, named.splits
    others = {split: rows for split, rows in splits.items() if split not in only}
    cuts = {} if wanted.pairs or any(target.kind == "mask" for target in wanted.targets) else asked.cuts
    means = Means(named.room, asked.cache, asked.progress, asked.allowed.bad_images, cuts, others)
    read = read_columns({split: rows for split, rows in splits.items() if split in only}, wanted, means)
    if asked.allowed.bad_images:
        found.problems += _emptied(path, wanted, classes, splits, read, asked.allowed.empty_classes or bool(known))
    counted = splits if read.failed else {**splits, **read.rows}
    return _Opened(found, classes, splits, named.room, read, report_on(path, wanted, found, classes, counted, read))


def _emptied(
    path: Path, wanted: Wanted, classes: Mapping[str, tuple[str, ...]], splits: Mapping[str, Rows], read: Read, allow: bool
) -> Iterator[Problem]:
    """The classes whose samples were all left out: of training as classes without images, of other splits as classes they lack."""
    for target in (t for t in wanted.targets if t.kind == "class"):
        names = classes[target.name]
        for split, rows in read.rows.items():
            values, left = splits[split].targets[target.name], rows.targets[target.name]
            if not (isinstance(values, Values) and isinstance(left, Values)):
                continue
            there = set(left.gathered().tolist())
            lost = tuple(names[n] for n in sorted(set(values.gathered().tolist()) - there))
            if lost and split != "train":
                yield ClassesMissing(split, lost, len(names))
            elif lost:
                yield EmptyClassesKept(str(path), lost) if allow else EmptyClasses(str(path), lost)
                if allow and len(there) < 2:
                    yield TooFewClasses(str(path), tuple(names[n] for n in sorted(there)))


def _eased(found: Found, allow: bool, known: bool) -> Iterator[Problem]:
    """The problems of a layout, where classes without images may be; where the classes are ``known``, what the data lacks of them is told
    elsewhere."""
    for problem in found.problems:
        if not isinstance(problem, EmptyClasses):
            yield problem
        elif not known:
            yield EmptyClassesKept(problem.path, problem.classes) if allow else problem
            there = tuple(name for name in _names_of(found) if name not in problem.classes)
            if allow and len(there) < 2:
                yield TooFewClasses(problem.path, there)


def _names_of(found: Found) -> tuple[str, ...]:
    """The classes that there are folders of for training."""
    return next((raw.names for raw in found.splits["train"].targets.values() if isinstance(raw, Coded)), ())


def _check_rows(path: Path, found: Found) -> None:
    """Raise N798 where a split has no sample, unless it is told already why."""
    empty = tuple(split for split, rows in found.splits.items() if not len(rows))
    if empty and not any(p.severity == "error" for p in found.problems):
        raise failure(NoSamples(str(path), empty))


def _check_maps(found: Found, wanted: Wanted) -> None:
    """Raise N799, at the end of the net, where files of masks would be brought to a map that does not lie over its picture."""
    picture = next(((one.name, one.picture.shape[1:]) for one in wanted.inputs if one.picture is not None), None)
    for target in wanted.targets:
        files = any(isinstance(raw, Paths) for _, raw in found.of(target.name))
        if files and target.kind == "mask" and picture is not None and not in_line(picture[1], target):
            problem = MaskOutOfLine(*picture, target.name, (target.height, target.width))
            raise NetspecError([Diagnostic(problem, target.place)])


def _as_splits(path: Path, opened: _Opened, wanted: Wanted, division: Division) -> Splits:
    read, found = opened.read, opened.found
    samples = {split: _samples(split, read, wanted, division.seed) for split in read.rows}
    return Splits(
        path=path,
        classes=dict.fromkeys(opened.classes, CLASSES) if wanted.pairs else opened.classes,
        train=samples.get("train"),
        val=samples.get("val"),
        test=samples.get("test"),
        available=tuple(opened.splits),
        own=found.own,
        fingerprint=read.fingerprint(opened.classes),
        content=read.content(opened.classes),
        inventory=Inventory(path if path.is_dir() else path.parent, {s: rows.name for s, rows in read.rows.items()}, read.samples),
        warnings=opened.report.warnings,
        hidden=found.skipped.hidden,
        report=opened.report,
    )


def _divided(found: Found, wanted: Wanted, division: Division) -> dict[str, Rows]:
    """The samples by split: as the data has them, or drawn by shares; empty splits are left out."""
    if found.own:
        return dict(found.splits)
    rows = found.splits["train"]
    if division.whole:
        return {"test": rows}
    drawn = draw(_strata(rows, wanted), division.shares, division.seed)
    return {split: rows.pick(part) for split, part in zip(SPLITS, drawn, strict=True) if len(part)}


def _strata(rows: Rows, wanted: Wanted) -> Indices:
    """What shares are drawn by: the first target that is a class; all alike without one."""
    for target in wanted.targets:
        values = rows.targets[target.name]
        if target.kind == "class" and isinstance(values, Values):
            return np.maximum(values.gathered().astype(np.int64), 0)  # what has no number is an error that is told
    return np.zeros(len(rows), np.int64)


def _samples(split: str, read: Read, wanted: Wanted, seed: int) -> Samples:
    found = Samples(read.inputs[split], read.targets[split], read.rows[split].name)
    if not wanted.pairs:
        return found
    (target,) = wanted.targets
    return pair_samples(found, target.name, share=target.source.settings.get("share", SHARE), seed=seed, anew=split == "train")
