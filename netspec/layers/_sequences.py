"""What layers over sequences share: a sequence is `T x N`, its N features last, as in PyTorch's batch_first transformers."""

from netspec.diagnostics import problems
from netspec.layer import Reject
from netspec.shape import Shape

WANTED = "a sequence TxN"


def sequence_of(x: Shape, layer: str) -> tuple[int, int]:
    """The length and the features; rejects what is no sequence."""
    if len(x) != 2:
        raise Reject(problems.WrongRank(layer, x, WANTED, hint(x)))
    return x[0], x[1]


def hint(x: Shape) -> str:
    """How to make a sequence of something else."""
    if len(x) == 1:
        return f"make it a sequence of one, with reshape([1, {x[0]}]), or put this before flatten"
    return "make the places of a map a sequence: flatten(1) -> transpose"
