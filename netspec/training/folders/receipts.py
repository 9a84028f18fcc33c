"""What a stage did not change: SHA-256 of every frozen tensor, before and after."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from netspec.diagnostics import failure
from netspec.diagnostics.stages import FrozenChanged
from netspec.diagnostics.text import plural
from netspec.graph import Graph
from netspec.report.models import FrozenRegion, StageRecord
from netspec.training.devices.sharding import whole


def frozen_keys(graph: Graph, frozen: frozenset[str]) -> tuple[str, ...]:
    """The keys of all tensors, running statistics too, of the layers at these paths."""
    return tuple(key for key, _, node in graph.weights() if node.path in frozen)


def digests(tensors: Mapping[str, Tensor], keys: tuple[str, ...]) -> dict[str, str]:
    """The SHA-256 of each tensor's bytes. Called in all processes where the tensors are divided."""
    return {key: _digest(tensors[key]) for key in keys}


def _digest(tensor: Tensor) -> str:
    plain = whole(tensor.detach()).cpu().contiguous().view(-1).view(torch.uint8)
    return hashlib.sha256(plain.numpy().data).hexdigest()


def receipt(graph: Graph, stage: str, before: Mapping[str, str], *after: Mapping[str, str]) -> tuple[FrozenRegion, ...]:
    """What was frozen, by the first names of its paths. Raises N766 where a digest is another than before."""
    changed = [key for key, digest in before.items() if any(now[key] != digest for now in after)]
    if changed:
        raise failure(FrozenChanged(stage, tuple(changed)))
    regions: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for key, _, node in graph.weights():
        name = node.path.partition(".")[0]
        name = graph.name if name.isdecimal() else name
        counts[name] = counts.get(name, 0) + 1
        if key in before:
            regions.setdefault(name, []).append(key)
    return tuple(FrozenRegion(region=r, tensors=len(k), of=counts[r], sha256=_together(before, k)) for r, k in regions.items())


def _together(digests_of: Mapping[str, str], keys: list[str]) -> str:
    return hashlib.sha256("".join(f"{key} {digests_of[key]}\n" for key in sorted(keys)).encode()).hexdigest()


def receipt_lines(record: StageRecord) -> Iterator[str]:
    """``frozen: 156 tensors of base, unchanged (sha256 3f2a…)``, one line for each part."""
    for part in record.frozen:
        count = plural(part.tensors, "tensor") if part.tensors == part.of else f"{part.tensors:,} of {plural(part.of, 'tensor')}"
        yield f"frozen: {count} of {part.region}, unchanged (sha256 {part.sha256[:16]}…)"
