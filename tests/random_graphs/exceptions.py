"""What netspec refuses although PyTorch does it, and why: nothing else may be refused."""

from __future__ import annotations

from netspec.diagnostics import Problem, calls, shapes
from tests.layers.test_layers_property import DELIBERATE

BY_ARGUMENT: dict[tuple[str | None, str], str] = {}
"""Values that are refused although PyTorch takes them, by layer (``None``: by any) and argument."""

BY_RANK: dict[str, str] = {
    "linear": "on pictures a flatten was forgotten: PyTorch maps the last axis, the width",
    "normalize": "on a vector, scale is meant",
}
"""Layers that refuse tensors of another number of axes than they are meant for."""


def reason(problem: Problem) -> str | None:
    """The documented reason for a refusal, if there is one."""
    if type(problem) in DELIBERATE:
        return DELIBERATE[type(problem)]
    if isinstance(problem, calls.BadValue):
        return BY_ARGUMENT.get((problem.owner, problem.argument)) or BY_ARGUMENT.get((None, problem.argument))
    if isinstance(problem, shapes.WrongRank):
        return BY_RANK.get(problem.layer)
    return None
