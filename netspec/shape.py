"""Shapes of tensors: tuples of whole numbers, channels first, the batch left out.

An axis whose size is left open is a formula instead of a number (:class:`netspec.sizes.Dim`); it computes as a number does.
``None`` stands for a shape that is not known because something before it is wrong; it rejects nothing, so one
mistake gives one error.
"""

from __future__ import annotations

from math import prod

Shape = tuple[int, ...]


class Open:
    """What every open size is, so that it is known as one where the formulas themselves are not loaded."""

    __slots__ = ()

    @property
    def symbols(self) -> frozenset[str]:
        """The letters in it."""
        raise NotImplementedError

    def agrees(self, other: object) -> bool:
        """Whether this is the same size as another. Both may be formulas."""
        raise NotImplementedError

    def as_factor(self) -> str:
        """As text, in parentheses where it is a sum."""
        raise NotImplementedError


def is_open(shape: Shape) -> bool:
    """Whether any axis of a shape is left open."""
    return any(isinstance(n, Open) for n in shape)


def symbols_of(value: object) -> tuple[str, ...]:
    """The letters of the open sizes in a size, a shape or a list."""
    parts = value if isinstance(value, tuple) else (value,)
    return tuple(sorted({s for n in parts if isinstance(n, Open) for s in n.symbols}))


def show(shape: Shape | None) -> str:
    """``3x224x224``, ``3xHxW``, ``64 x H/2 x W/2``; a scalar is ``scalar``, an unknown shape ``?``."""
    if shape is None:
        return "?"
    return times(shape, "x")


def times(shape: Shape, sign: str) -> str:
    """The axes with a sign between them, and space around it where formulas are longer than a letter."""
    texts = [n.as_factor() if isinstance(n, Open) else str(n) for n in shape]
    formulas = any(len(text) > 1 and isinstance(n, Open) for n, text in zip(shape, texts))
    return (f" {sign} " if formulas else sign).join(texts) or "scalar"


def same(a: Shape | int, b: Shape | int) -> bool:
    """Whether two sizes or shapes agree. Layers compare sizes with this, never with ``==``, ``!=``, ``in`` or sets."""
    if a == b:
        return True
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, Open):
        return a.agrees(b)
    return isinstance(b, Open) and b.agrees(a)


def elements(shape: Shape) -> int:
    """How many numbers a tensor of this shape holds."""
    return prod(shape)


def spread(value: int | tuple[int, ...], rank: int) -> tuple[int, ...] | None:
    """One number for every spatial axis, or the numbers as given; ``None`` where their count is not ``rank``."""
    if isinstance(value, int):
        return (value,) * rank
    return tuple(value) if len(value) == rank else None


def windows(size: int, kernel: int, stride: int, before: int, after: int, dilation: int, ceil: bool = False) -> int:
    """How many windows a convolution or a pooling makes along one axis.

    ``floor((size + before + after - dilation * (kernel - 1) - 1) / stride) + 1``. With ``ceil`` the division rounds up,
    and a last window that would start in the padding behind the data is left out, as PyTorch and ONNX define it.
    The answer is 0 or negative where not one window fits.
    """
    if not ceil:
        return (size + before + after - dilation * (kernel - 1) - 1) // stride + 1
    beyond = after - dilation * (kernel - 1) - 1 + stride  # how far the last window may start behind the data's end
    return -(-(size + before + min(beyond, max(beyond - stride, 0))) // stride)


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Padding before and after an axis so that ``ceil(size / stride)`` windows fit; an odd one goes behind.

    The rule of TensorFlow's ``SAME``, of ONNX's ``SAME_UPPER`` and, for stride 1, of PyTorch's ``same``.
    """
    total = max(dilation * (kernel - 1) - (size - 1) % stride, 0)
    return total // 2, total - total // 2
