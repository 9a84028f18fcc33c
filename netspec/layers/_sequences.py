"""What layers over sequences share: a sequence is `T x N`, its N features last, as in PyTorch's batch_first transformers."""

from netspec.diagnostics import problems
from netspec.layer import Reject
from netspec.lowering import OnnxCall, OnnxExpression, W, op
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


def mapped(of: OnnxExpression, bias: bool, name: str = "") -> OnnxCall:
    """``y = W x + b`` along the last axis, with the weights of the linear layer ``name``, as ``out_proj``, or the layer's own."""
    weight, shift = (f"{name}.{part}" if name else part for part in ("weight", "bias"))
    product = op.MatMul(of, op.Transpose(W(weight), perm=(1, 0)))
    return op.Add(product, W(shift)) if bias else product
