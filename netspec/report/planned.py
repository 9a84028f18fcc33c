"""A plan in words, as the terminal shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from netspec.diagnostics.text import escape, listing, plural, storage
from netspec.report.plans import CachePlan, KeptValue, MemoryPlan, StagePlan, TrainingPlan
from netspec.report.wording import of_norms, of_rates
from netspec.shape import show

_PARTS = ("weights", "averaged", "gradients", "optimizer", "activations")
_NAMED = {"averaged": "mean of weights", "optimizer": "optimiser"}


def plan_lines(plan: TrainingPlan) -> Iterator[str]:
    """The lines of a plan, stage by stage."""
    yield f"{plan.net}: {plural(plan.samples, 'sample')} to train on, on {plan.device} in {plan.precision}"
    for stage in plan.stages:
        yield ""
        yield from _stage_lines(stage)


def _stage_lines(stage: StagePlan) -> Iterator[str]:
    name = f"stage {escape(stage.name)}: " if stage.name else ""
    yield f"{name}{stage.epochs:,} epoch{'s' * (stage.epochs != 1)}"
    yield f"  learns         {stage.learning:,} of {plural(stage.parameters, 'parameter')}: {_paths(stage.learns)}"
    if stage.rates:
        yield f"  learning rate  {of_rates(stage.rates)}"
    if stage.norms:
        yield f"  batch norms    {of_norms(stage.norms)}"
    yield f"  backward pass  ends at {_paths(stage.ends)}{_through(stage.through)}"
    yield from _cache_lines(stage.cache)
    yield from (f"                 {escape(note)}" for note in stage.notes)
    yield f"  memory         {_memory(stage.memory)}"
    if stage.largest_batch is not None and stage.free is not None:
        yield f"  largest batch  {_largest(stage.largest_batch, stage.free)}"


def _paths(paths: Sequence[str]) -> str:
    return listing([_path(path) for path in paths], limit=6)


def _path(path: str) -> str:
    """A path; a number alone says that it is the step at that position."""
    return f"step {path}" if path.isdecimal() else escape(path) or "everything"


_MADE: Final = re.compile(r"(?:(.*)\.)?[^.]*-\d+")
"""The path of a step that has no place of its own, as a merge: the region around it, the name of the step and a number."""


def _value(value: KeptValue) -> str:
    """``1,280 numbers for each sample, from flatten (step 2)``, ``160x2x2 for each sample, from an add in base``."""
    size = plural(value.shape[0], "number") if len(value.shape) == 1 else show(value.shape)
    made = _MADE.fullmatch(value.path)
    if made is not None and value.layer:
        where = f"{_article(value.layer)} in {escape(made[1] or '')}" if made[1] else _article(value.layer)
    elif value.layer and value.path.rpartition(".")[2].isdecimal():
        where = f"{value.layer} ({_path(value.path)})"
    else:
        where = _path(value.path)
    return f"{size} for each sample, from {where}"


def _article(layer: str) -> str:
    return f"{'an' if layer[0] in 'aeiou' else 'a'} {layer}"


def _through(paths: Sequence[str]) -> str:
    return f", through {plural(len(paths), 'frozen layer')} from {escape(paths[0])} on" if paths else ""


def _cache_lines(cache: CachePlan) -> Iterator[str]:
    where = {"no": "nothing", "memory": "in memory", "disk": "on disk"}[cache.where]
    yield f"  kept           {where}: {escape(cache.reason)}"
    if cache.values:
        yield f"                 {listing([_value(v) for v in cache.values], limit=4)}"
        yield f"                 before it lie {cache.share:.1%} of the products of a forward pass"


def _memory(memory: MemoryPlan) -> str:
    parts = [f"{_NAMED.get(part, part)} {storage(getattr(memory, part))}" for part in _PARTS if getattr(memory, part)]
    return f"{storage(memory.peak)} at most for a batch of {memory.batch}: {listing(parts)}"


def _largest(batch: int, free: int) -> str:
    if not batch:
        return f"not one sample fits into the {storage(free)} that are free"
    return f"{batch:,}, by the {storage(free)} that are free"
