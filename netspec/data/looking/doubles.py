"""Samples that are byte for byte the same: in two splits, or with two labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from netspec.data.found import Rows, Values
from netspec.data.task import Wanted
from netspec.diagnostics import Problem
from netspec.diagnostics.data import Leak, TwoLabels


def doubles(root: Path, rows: Mapping[str, Rows], wanted: Wanted, digests: Mapping[str, Mapping[str, Sequence[bytes]]]) -> list[Problem]:
    """Warnings about samples all of whose inputs are the same. With pairs, classes are those of the images."""
    seen: dict[bytes, tuple[str, int, int]] = {}
    leaks: dict[tuple[str, str], list[str]] = {}
    labels: list[tuple[str, str]] = []
    for split, part in rows.items():
        for index, (key, label) in enumerate(_keys(part, wanted, digests[split])):
            first_split, first_label, first = seen.setdefault(key, (split, label, index))
            if first_split != split:
                leaks.setdefault((first_split, split), []).append(_short(root, part.name(index)))
            if first_label != label:
                labels.append((_short(root, rows[first_split].name(first)), _short(root, part.name(index))))
    found: list[Problem] = [Leak(*splits, tuple(files)) for splits, files in leaks.items()]
    return [*found, TwoLabels(tuple(labels))] if labels else found


def _keys(rows: Rows, wanted: Wanted, digests: Mapping[str, Sequence[bytes]]) -> Iterator[tuple[bytes, int]]:
    """What stands for each sample's inputs, and its class, 0 where it has none."""
    columns = [digests[i.name] for i in wanted.inputs if i.name in digests]
    classes = next(
        (raw.gathered().tolist() for t in wanted.targets if t.kind == "class" and isinstance(raw := rows.targets[t.name], Values)), None
    )
    for index, parts in enumerate(zip(*columns, strict=True)):
        yield b"".join(parts), 0 if classes is None else classes[index]


def _short(root: Path, name: str) -> str:
    """A sample's name from the data's folder on."""
    return name.removeprefix(f"{root}/")
