"""Layers as a user of PyTorch would write them, from the documented arguments: a witness that knows nothing of netspec's lowering.

Each function has the name of a layer, takes its tensors and then its arguments by name, and asks ``w`` for its weights:
``w("weight", 8, 3, 5)`` says which shape the function expects of the tensor of that name, which is checked where there is one. A file
beside this one is found by itself. Layers without such a function are computed by netspec's own lowering.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from math import prod
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from netspec.layer import layers

Reference = Callable[..., Tensor]
_REFERENCES: dict[str, Reference] = {}


class Disagreement(Exception):
    """netspec's weights are not those that a user of PyTorch expects."""


class Weights(Protocol):
    """Where a layer's weights come from."""

    def __call__(self, name: str, *shape: int) -> Tensor: ...


def reference(function: Reference) -> Reference:
    """Declare what a layer computes."""
    _REFERENCES[function.__name__.rstrip("_")] = function
    return function


@cache
def references() -> Mapping[str, Reference]:
    """Every reference by the layer's name."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return {name: function for name, function in _REFERENCES.items() if name in layers() and not _outdated(name)}


def outdated() -> dict[str, str]:
    """References of layers that are gone or whose arguments are other ones by now."""
    references()
    return {name: _outdated(name) for name in _REFERENCES if _outdated(name)}


def _outdated(name: str) -> str:
    if name not in layers():
        return "there is no such layer"
    taken = list(inspect.signature(_REFERENCES[name]).parameters)
    declared = [p.name for p in layers()[name].signature.parameters]
    if {p for p in taken if p in declared} != set(declared) or len(taken) != 1 + layers()[name].signature.tensors + len(declared):
        return f"it takes {', '.join(taken)}, and the layer {', '.join(declared)}"
    return ""


class Held:
    """Weights of a state dict, as doubles or floats. ``used`` collects the keys that were asked for."""

    def __init__(self, state: Mapping[str, Tensor], path: str, used: set[str]) -> None:
        self.state, self.path, self.used = state, path, used

    def __call__(self, name: str, *shape: int) -> Tensor:
        key = f"{self.path}.{name}" if name else self.path
        if key not in self.state:
            raise Disagreement(f"there is no {key}")
        if tuple(self.state[key].shape) != shape:
            raise Disagreement(f"{key} has shape {tuple(self.state[key].shape)}, and PyTorch's {shape}")
        self.used.add(key)
        return self.state[key]


class Made:
    """Weights made where they are asked for, on a device. ``numbers`` counts theirs."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.numbers = 0

    def __call__(self, name: str, *shape: int) -> Tensor:
        self.numbers += prod(shape)
        return torch.zeros(shape, device=self.device)


T = TypeVar("T")


def by_rank(x: Tensor, *choices: T) -> T:
    """What is meant for so many axes in space, of one, two and three."""
    if not 3 <= x.dim() <= len(choices) + 2:
        raise ValueError(f"there is no such function for {x.dim() - 2} axes in space")
    return choices[x.dim() - 3]


def spread(value: Any, x: Tensor) -> tuple[int, ...]:
    """One number for each axis in space."""
    found: tuple[Any, ...] = (value,) * (x.dim() - 2) if isinstance(value, int | float) else tuple(value)
    if len(found) != x.dim() - 2:
        raise ValueError(f"{len(found)} numbers for {x.dim() - 2} axes")
    return found


def dim_of(x: Tensor, axis: int) -> int:
    """An axis that does not count the batch, as PyTorch counts."""
    rank = x.dim() - 1
    if not isinstance(axis, int) or not -rank <= axis < rank:
        raise IndexError(f"there is no axis {axis}")
    return axis % rank + 1
