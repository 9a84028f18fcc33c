"""What a layer becomes in PyTorch and in ONNX, kept as data until a backend asks for it.

A layer's declaration writes ``nn.Conv2d(3, 64, 7)`` or ``op.Conv(X, W("weight"))`` as one would in PyTorch or ONNX,
but these recorders only remember the call. So a declaration names the two libraries and never loads them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class TorchCall:
    """A module to construct: a class of ``torch.nn`` (or of the backend's own) and its arguments."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OnnxInput:
    """The layer's input number ``index``."""

    index: int


@dataclass(frozen=True, slots=True)
class OnnxWeight:
    """The layer's weight of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class OnnxConstant:
    """A constant tensor: nested tuples of numbers (or one number) and the name of a numpy dtype."""

    value: Any
    dtype: str = "float32"


@dataclass(frozen=True, slots=True)
class OnnxCall:
    """An ONNX operator, what flows into it, and its attributes. ``None`` stands for an optional input that is left out."""

    name: str
    inputs: tuple[OnnxExpression | None, ...]
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OnnxEach:
    """All inputs of the layer, in order: of ``Concat``, and of ``Add`` and ``Mul``, which a backend writes as often as it takes."""


OnnxExpression = OnnxInput | OnnxWeight | OnnxConstant | OnnxCall | OnnxEach


class _TorchRecorder:
    def __getattr__(self, name: str) -> Callable[..., TorchCall]:
        return lambda *args, **kwargs: TorchCall(name, args, kwargs)


class _OnnxRecorder:
    def __getattr__(self, name: str) -> Callable[..., OnnxCall]:
        return lambda *inputs, **attributes: OnnxCall(name, inputs, attributes)


nn: Final = _TorchRecorder()
"""Write ``nn.Conv2d(...)``; get the call back as a :class:`TorchCall`."""

op: Final = _OnnxRecorder()
"""Write ``op.Conv(X, W("weight"), strides=[1, 1])``; get the call back as an :class:`OnnxCall`."""

X: Final = OnnxInput(0)
EACH: Final = OnnxEach()
W = OnnxWeight
const = OnnxConstant
