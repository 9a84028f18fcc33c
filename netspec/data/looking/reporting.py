"""The report on data that was read: every look at it, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from netspec.data.found import Found, Paths, Rows, Values
from netspec.data.looking.doubles import doubles
from netspec.data.looking.looks import Headers, blank_images, count_classes, unbalanced, undrawn, undrawn_pixels
from netspec.data.looking.report import ClassCounts, Report, checked
from netspec.data.pairs import SHARE
from netspec.data.reading import Read
from netspec.data.task import Wanted, WantedInput
from netspec.diagnostics import Problem
from netspec.diagnostics.data import LeftOut
from netspec.diagnostics.text import listing


@dataclass
class _Told:
    """What each look has found, by the name of its check; those whose finding may not be meant; and what is wrong."""

    facts: dict[str, str] = field(default_factory=dict)
    remarkable: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def report_on(
    path: Path, wanted: Wanted, found: Found, classes: Mapping[str, tuple[str, ...]], splits: Mapping[str, Rows], read: Read
) -> Report:
    """Everything that is worth telling of opened data. What was looked at are the samples of ``read``; ``splits`` are all there are."""
    told = _Told(problems=[*found.problems, *read.problems])
    _entries(told, path, found)
    counts = count_classes(splits, wanted, classes, read)
    _splits(told, splits)
    _classes(told, wanted, found, counts, read)
    _targets(told, wanted, read)
    _images(told, wanted, read)
    if len(read.rows) > 1:
        told.facts["leaks"] = "no sample is in two splits"
    if any(c.of != "pixels" for c in counts):
        told.facts["labels"] = "no sample has two labels"
    told.problems += doubles(path, read.rows, wanted, read.digests)
    samples = {split: len(rows) for split, rows in splits.items()}
    return Report(str(path), found.layout, found.own, samples, counts, checked(found.layout, told.facts, told.remarkable, told.problems))


def _splits(told: _Told, splits: Mapping[str, Rows]) -> None:
    """Which splits there are, and what follows from one that is missing."""
    if "train" not in splits:
        return
    told.facts["splits"] = listing(list(splits))
    if "val" not in splits:
        told.facts["splits"] += ", and no validation split: no epoch counts as best, and the last one's weights are used"
        told.remarkable.append("splits")
    elif "test" not in splits:
        told.facts["splits"] += ", and no test split"


def _classes(told: _Told, wanted: Wanted, found: Found, counts: Sequence[ClassCounts], read: Read) -> None:
    """How many classes there are, and which of them are rare or missing."""
    if counts:
        told.facts["classes"] = "; ".join(map(_of_classes, counts))
    if any(c.of == "samples" for c in counts):
        told.facts["balance"] = "no class has ten times as many samples as another"
    if wanted.pairs:
        share = wanted.targets[0].source.settings.get("share", SHARE)
        told.facts["pairs"] = (
            f"{listing([f'{len(r):,} in {s}' for s, r in read.rows.items()])}, one for each image, {share:.0%} of one class"
        )
    told.problems += unbalanced(counts)
    told.problems += undrawn_pixels(counts, read)
    if not found.own and len(read.rows) > 1:
        told.problems += undrawn(counts)


def _of_classes(counts: ClassCounts) -> str:
    count = f"{len(counts.classes):,} of {counts.target}"
    return f"{len(counts.classes):,} of the images" if counts.of == "images" else f"{count}, as many as the net tells apart"


def _entries(told: _Told, path: Path, found: Found) -> None:
    if hidden := found.skipped.hidden:
        told.facts["hidden"] = f"{hidden:,} hidden or system {'entry' if hidden == 1 else 'entries'} ignored"
    if path.is_dir():
        told.facts["entries"] = "every file is used"
    if found.skipped.left_out:
        told.problems.append(LeftOut(str(path), tuple(name.removeprefix(f"{path}/") for name in found.skipped.left_out)))


def _targets(told: _Told, wanted: Wanted, read: Read) -> None:
    """The range of numbers."""
    parts = []
    for target in wanted.targets:
        values = [rows.targets[target.name] for rows in read.rows.values()]
        arrays = [raw.gathered() for raw in values if isinstance(raw, Values) and len(raw)]
        if target.kind == "number" and arrays:
            parts.append(f"{target.name} from {min(map(np.min, arrays)):g} to {max(map(np.max, arrays)):g}")
    if parts:
        told.facts["targets"] = listing(parts)


def _images(told: _Told, wanted: Wanted, read: Read) -> None:
    """Files, sizes, channels and content of the inputs that are images."""
    sizes, channels = [], []
    for one, paths in _files(wanted, read):
        headers = Headers(one, paths)
        told.facts["files"] = "every image can be decoded"
        if headers.found:
            kinds, mixed = headers.channels()
            sizes.append(headers.sizes())
            channels.append(kinds)
            told.remarkable += ["channels"] * mixed
            told.problems += headers.problems()
    if sizes:
        told.facts |= {"sizes": "; ".join(dict.fromkeys(sizes)), "channels": "; ".join(dict.fromkeys(channels))}
    for one in wanted.inputs:
        if one.picture is not None and not wanted.pairs and read.inputs:
            told.facts["content"], blank = blank_images(read, one)
            told.problems += blank


def _files(wanted: Wanted, read: Read) -> Iterator[tuple[WantedInput, list[Paths]]]:
    """The inputs that take image files; of a pair the first."""
    for one in wanted.inputs[: 1 if wanted.pairs else None]:
        raws = [rows.inputs[one.name] for rows in read.rows.values()]
        paths = [raw for raw in raws if isinstance(raw, Paths)]
        if paths:
            yield one, paths
