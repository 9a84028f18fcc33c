"""What convolutions and poolings share: a tensor with channels and one to three axes in space."""

from netspec.diagnostics import problems
from netspec.layer import Reject
from netspec.shape import Shape, spread


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
