"""What layers that work on an axis share."""

from netspec.diagnostics import problems
from netspec.layer import Reject
from netspec.shape import Shape


def axis_of(axis: int, x: Shape, argument: str = "axis") -> int:
    """The axis counted from the first one, which is 0 and not the batch; rejects one that is not there."""
    if not -len(x) <= axis < len(x):
        raise Reject(problems.NoSuchAxis(axis, x), at=argument)
    return axis % len(x)
