"""The few modules that ``torch.nn`` lacks, and the closed table from which every module of a net is made.

Nothing in a file's text ever names a class: a layer's declaration does, and only what stands in this table is made.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Final

import torch
from torch import Tensor, nn

from netspec.backends.torch import arranging, attention, convolutions, cropping, learned, merging, noise, norms, resampling, windows
from netspec.lowering import TorchCall


class TakesBytes(nn.Module):
    """A module whose arithmetic takes ``uint8`` as well as floats, and gives floats."""


class Scale(TakesBytes):
    """``x * factor + offset``."""

    def __init__(self, factor: float, offset: float) -> None:
        super().__init__()
        self.factor, self.offset = factor, offset

    def forward(self, x: Tensor) -> Tensor:
        scaled = x * self.factor
        return scaled + self.offset if self.offset else scaled

    def extra_repr(self) -> str:
        return f"factor={self.factor:.9g}, offset={self.offset:.9g}"


class Normalize(TakesBytes):
    """``(x - mean) / std``, by channel. The figures move with the module and are no part of its state dict."""

    mean: Tensor
    std: Tensor

    def __init__(self, means: tuple[float, ...], stds: tuple[float, ...], axes: int) -> None:
        super().__init__()
        column = (-1, *(1,) * axes)
        self.register_buffer("mean", torch.tensor(means, dtype=torch.float32).view(column), persistent=False)
        self.register_buffer("std", torch.tensor(stds, dtype=torch.float32).view(column), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std

    def extra_repr(self) -> str:
        return f"figures={self.mean.shape[0]}"


OWN: Final[Mapping[str, type[nn.Module]]] = {
    c.__name__: c
    for c in (
        *convolutions.MODULES,
        *norms.MODULES,
        *merging.MODULES,
        *learned.MODULES,
        *attention.MODULES,
        *windows.MODULES,
        *resampling.MODULES,
        *cropping.MODULES,
        *arranging.MODULES,
        *noise.MODULES,
        Scale,
        Normalize,
    )
}


def construct(call: TorchCall, meta: bool = False) -> nn.Module:
    """The module that a layer's declaration wrote down.

    With ``meta``, weights have shapes and no memory and nothing is initialised for real; constants are real all the same.
    """
    kind = class_of(call.name)
    if meta and _takes_device(call.name):
        return kind(*call.args, **call.kwargs, device="meta")
    return kind(*call.args, **call.kwargs)


@cache
def class_of(name: str) -> type[nn.Module]:
    """The class of this name: the backend's own first, then ``torch.nn``'s."""
    kind = OWN.get(name) or vars(nn).get(name)
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise LookupError(f"a layer is declared with nn.{name}, which torch.nn does not have")
    return kind


@cache
def _takes_device(name: str) -> bool:
    made_by = [vars(k)["__init__"] for k in class_of(name).__mro__ if "__init__" in vars(k)]
    return any("device" in inspect.signature(function).parameters for function in made_by)
