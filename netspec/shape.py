"""Shapes of tensors: tuples of whole numbers, channels first, the batch left out.

``None`` stands for a shape that is not known because something before it is wrong; it rejects nothing, so one
mistake gives one error.
"""

from __future__ import annotations

from math import prod

Shape = tuple[int, ...]


def show(shape: Shape | None) -> str:
    """``3x224x224``; a scalar is ``scalar``, an unknown shape ``?``."""
    if shape is None:
        return "?"
    return "x".join(map(str, shape)) or "scalar"


def same(a: Shape | int, b: Shape | int) -> bool:
    """Whether two sizes or shapes agree. Layers compare sizes with this, never with ``==``, ``!=``, ``in`` or sets."""
    return a == b


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
    span = size + before + after - dilation * (kernel - 1) - 1
    if not ceil:
        return max(span // stride + 1, 0)
    count = -(-span // stride) + 1
    return count - 1 if (count - 1) * stride >= size + before else count


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Padding before and after an axis so that ``ceil(size / stride)`` windows fit; an odd one goes behind.

    The rule of TensorFlow's ``SAME``, of ONNX's ``SAME_UPPER`` and, for stride 1, of PyTorch's ``same``.
    """
    total = max(dilation * (kernel - 1) - (size - 1) % stride, 0)
    return total // 2, total - total // 2
