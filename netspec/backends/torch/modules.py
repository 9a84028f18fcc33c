"""The closed table from which every module of a net is made: what ``torch.nn`` lacks, a file for each family, and then ``torch.nn``.

Nothing in a file's text ever names a class: a layer's declaration does.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Final

from torch import nn

from netspec.backends.torch import (
    arranging,
    attention,
    convolutions,
    cropping,
    learned,
    merging,
    noise,
    norms,
    preprocess,
    resampling,
    windows,
)
from netspec.lowering import TorchCall

_FAMILIES: Final = (
    *(arranging, attention, convolutions, cropping, learned, merging),
    *(noise, norms, preprocess, resampling, windows),
)
OWN: Final[Mapping[str, type[nn.Module]]] = {kind.__name__: kind for family in _FAMILIES for kind in family.MODULES}


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
