"""What layers over space share: a tensor with channels and one to three axes in space, windows, margins."""

from typing import Final

from netspec.diagnostics import problems
from netspec.layer import Reject
from netspec.shape import Shape, is_open, spread, windows

ONNX_MODES: Final = {"zeros": "constant", "constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""What a margin holds, in the words of ONNX."""


def rank_of(x: Shape, layer: str) -> int:
    """The number of axes in space, 1 to 3; rejects vectors and what has more axes."""
    if not 2 <= len(x) <= 4:
        hint = "a vector has no height and width left: put this before flatten" if len(x) == 1 else "at most three axes in space"
        raise Reject(problems.WrongRank(layer, x, "channels and one to three axes in space, as 64x28x28", hint))
    return len(x) - 1


def extent(value: int | tuple[int, ...], x: Shape, argument: str) -> tuple[int, ...]:
    """The argument with one number for each axis in space."""
    found = spread(value, len(x) - 1)
    if found is None:
        assert isinstance(value, tuple)
        raise Reject(problems.ExtentCount(argument, value, x), at=argument)
    return found


def widest(mode: str, x: Shape) -> Shape | None:
    """The widest margins that data can fill: a mirror shows every point but the one it stands at, and a circle goes round once."""
    if mode == "reflect":
        return tuple(n - 1 for n in x[1:])
    return x[1:] if mode == "circular" else None


def slid(layer: str, x: Shape, kernel: Shape, stride: Shape, before: Shape, after: Shape, dilation: Shape, ceil: bool = False) -> Shape:
    """How many places a window has on each axis in space; rejects one that has none."""
    axes = zip(x[1:], kernel, stride, before, after, dilation, strict=True)
    space = tuple(windows(n, k, s, b, a, d, ceil) for n, k, s, b, a, d in axes)
    if any(n < 1 for n in space):
        padded = tuple(n + b + a for n, b, a in zip(x[1:], before, after, strict=True))
        window = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
        raise Reject(problems.DoesNotFit(layer, x, padded, window), at="kernel")
    return space


def larger(one: int, other: int) -> int:
    """The larger one of two sizes; a formula where either is left open."""
    if is_open((one, other)):
        from netspec import sizes

        return sizes.larger(one, other)  # type: ignore[no-any-return]
    return max(one, other)


def smaller(one: int, other: int) -> int:
    """The smaller one of two sizes; a formula where either is left open."""
    return -larger(-one, -other)
