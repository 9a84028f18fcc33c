"""What netspec refuses although PyTorch does it, and why: nothing else may be refused."""

from __future__ import annotations

from netspec.diagnostics import Problem, calls, names, sequences, shapes, using
from tests.layers.test_layers_property import DELIBERATE

_DIVIDES = "it keeps a divisor from 0: PyTorch takes 0 and numbers below it, and gives infinities"
_SHARE = "a share lies between 0 and 1, which PyTorch asks of some layers, and of others not before they are trained"
_FORMULA = "the layer's formula is meant for numbers above 0"
_COUNTED = "indices are counted from 0: one from the end would hide a part that does not exist"
_NOTHING = "PyTorch does nothing then, and takes it for no mistake"

BY_ARGUMENT: dict[tuple[str | None, str], str] = {
    (None, "eps"): _DIVIDES,
    ("normalize", "std"): _DIVIDES,
    (None, "momentum"): _SHARE,
    (None, "dropout"): _SHARE,
    ("celu", "alpha"): _FORMULA,
    ("softplus", "beta"): _FORMULA,
    ("lrn", "alpha"): _FORMULA,
    ("lrn", "beta"): _FORMULA,
    ("lrn", "k"): _FORMULA,
    ("l2_norm", "scale"): _FORMULA,
    ("hardshrink", "lambd"): "below 0 everything passes",
    ("leaky_relu", "slope"): "a negative slope makes two numbers one, and is a sign forgotten",
    ("lp_pool", "norm"): "the root of an odd power has no value below 0",
    ("upsample", "factor"): "of other factors the size depends on how a product is rounded",
    ("chunk", "index"): _COUNTED,
    ("split", "index"): _COUNTED,
    ("concat", "axis"): "the axis of a concat is counted from the channels",
    ("pad", "sides"): "PyTorch cuts where a margin is negative: that is crop",
    ("split", "sizes"): "a part of nothing is a mistake in the sizes",
    ("squeeze", "axis"): _NOTHING,
    ("class_token", "tokens"): _NOTHING,
    **{(None, name): "a window has at least one point, and a step moves it" for name in ("kernel", "stride", "dilation")},
}
"""Values that are refused although PyTorch takes them, by layer (``None``: by any) and argument."""

BY_RANK: dict[str, str] = {
    "linear": "on pictures a flatten was forgotten: PyTorch maps the last axis, the width",
    "normalize": "on a vector, scale is meant",
    "position_embedding": "a vector has no places",
    "group_norm": "of one number the mean is that number: what comes out is the bias alone, and PyTorch refuses it for a batch of one",
}
"""Layers that refuse tensors of another number of axes than they are meant for."""


BEYOND = "a map has one to three axes in space: that PyTorch does it for more is chance"


def reason(problem: Problem) -> str | None:
    """The documented reason for a refusal, if there is one."""
    if type(problem) in DELIBERATE:
        return DELIBERATE[type(problem)]
    if isinstance(problem, using.SharedDiffers):
        return "uses of a shared block are uses of one module, which has one stride and one rate"
    if isinstance(problem, sequences.MatricesDoNotFit):
        return "PyTorch stretches axes of 1 before the matrices, and adds axes that are missing"
    if isinstance(problem, calls.BadValue):
        return BY_ARGUMENT.get((problem.owner, problem.argument)) or BY_ARGUMENT.get((None, problem.argument))
    if isinstance(problem, shapes.WrongRank):
        return BY_RANK.get(problem.layer) or (BEYOND if len(problem.input) > 4 else None)
    if isinstance(problem, names.NotAStep) and "weights" in problem.message():
        return "what comes before the net learns nothing: PyTorch knows no preprocess"
    return None
