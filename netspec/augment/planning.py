"""Which steps of a region become one: planned once, before anything is drawn.

A stage is one resampling, then one matrix of colours, then at most one step that stands alone. A geometric step joins the resampling of the
stage where that means the same: not behind a step that stands alone; not with another fill; and not behind colours where one of them asks
for the mean of the picture that it gets, or where the fill is constant and would be coloured. Otherwise a new stage begins.

In one resampling, what a step moves out of the picture and a later one moves back is still there, and the fill is made of the picture
itself, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from netspec.augment.colour import needs_mean
from netspec.augment.geometry import Kind, kind_of
from netspec.augment.resampling import Filling
from netspec.augmentations import augmentations
from netspec.graph import Augmentation
from netspec.values import Choice

_STILL: Final = {"rotate": 0.0, "zoom": 1.0, "shift": 0.0, "shear": 0.0, "brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}
"""The figure with which a step changes nothing."""
TRIVIAL: Final = "trivial_augment"


@dataclass
class Stage:
    """Steps by their places in the region."""

    geometry: list[int] = field(default_factory=list)
    colours: list[int] = field(default_factory=list)
    alone: int | None = None
    fill: Choice | None = None
    kind: Kind = "flip"
    mean: bool = False
    """Whether a colour step asks for the picture's mean."""

    @property
    def filling(self) -> Filling:
        """What shows outside of the picture."""
        if self.fill is None:
            return Filling()
        return Filling(self.fill.name, self.fill.settings.get("value", 0.0))

    def takes_geometry(self, fill: Choice | None) -> bool:
        """Whether a geometric step may join."""
        if self.alone is not None or (fill is not None and self.fill is not None and fill != self.fill):
            return False
        both = fill or self.fill
        return not self.colours or not (self.mean or (both is not None and both.name == "constant"))

    def add_geometry(self, position: int, step: Augmentation) -> None:
        """Join a geometric step."""
        self.geometry.append(position)
        self.fill = self.fill or step.arguments.get("fill")
        self.kind = _together(self.kind, kind_of(step))


def _together(one: Kind, other: Kind) -> Kind:
    """What steps are together: flips change nothing of it, whole pixels stay whole, and a part of something else is no plain part."""
    if "flip" in (one, other):
        return other if one == "flip" else one
    return "whole" if one == other == "whole" else "any"


def stages_of(steps: Sequence[Augmentation], first: int = 0) -> tuple[Stage, ...]:
    """The stages of a region from its ``first`` step on; steps on batches are left out."""
    stages = [Stage()]
    for position, step in list(enumerate(steps))[first:]:
        for family in _families(step):
            _put(stages, family, position, step)
    return tuple(stage for stage in stages if stage.geometry or stage.colours or stage.alone is not None)


def _families(step: Augmentation) -> tuple[str, ...]:
    """What a step is made of: trivial augment is one of each, everything else what it is declared as, or nothing."""
    if step.name == TRIVIAL:
        return "geometry", "colour", "picture"
    family = augmentations()[step.name].family
    return () if family == "batch" or _changes_nothing(step) else (family,)


def _put(stages: list[Stage], family: str, position: int, step: Augmentation) -> None:
    last = stages[-1]
    fits = last.takes_geometry(step.arguments.get("fill")) if family == "geometry" else last.alone is None
    if not fits:
        last = Stage()
        stages.append(last)
    if family == "geometry":
        last.add_geometry(position, step)
    elif family == "colour":
        last.colours.append(position)
        last.mean |= needs_mean(step) or step.name == TRIVIAL
    else:
        last.alone = position


def _changes_nothing(step: Augmentation) -> bool:
    """Whether a step has no strength at all, and may be left out."""
    arguments = step.arguments
    if arguments.get("p") == 0:
        return True
    if step.name in ("blur", "noise"):
        return bool(arguments["sigma"] == (0, 0) if step.name == "blur" else arguments["std"] == 0)
    still = _STILL.get(step.name)
    if still is None:
        return False
    named = [arguments[n] for n in ("by", "turn", "degrees", "down", "vertical") if arguments.get(n) is not None]
    return all(interval == (still, still) for interval in named)
