"""Merges: several tensors become one. Each branch is an alternative way from the tensor that flows in."""

from netspec.diagnostics import problems
from netspec.graph import Facts
from netspec.kinds import Axis
from netspec.layer import Reject, layer
from netspec.lowering import EACH, nn, op
from netspec.shape import Shape, show


def _at_least_two(layer: str, branches: tuple[Shape, ...]) -> None:
    if len(branches) < 2:
        raise Reject(problems.MergeOfOne(layer))


def _gives(branches: tuple[Shape, ...]) -> dict[int, str]:
    return {i: f"gives {show(s)}" for i, s in enumerate(branches)}


@layer("Add", "sum", "additionLayer")
def add(*branches: Shape) -> Facts:
    """The sum of tensors of equal shape: the merge of residual nets (He et al., 2015). Nothing is stretched to fit.

    What flows in is one of them: `conv(8, 3) -> add(skip)` is the sum of the convolution and `skip`, and `add(a, b)` of three tensors.
    With branches, `add { | conv(8, 3, padding=1) | }`, they alone are summed; each begins with what flows in, an empty one passes it on.
    """
    _at_least_two("add", branches)
    if len(set(branches)) > 1:
        raise Reject(problems.MergeShapes("add", branches), inputs=_gives(branches))
    return Facts(output=branches[0], torch=nn.Add(), onnx=op.Add(EACH))


@layer("Multiply", "Mul", "multiplicationLayer")
def multiply(*branches: Shape) -> Facts:
    """The product of tensors, number by number. An axis of 1 counts for the whole axis, so that `C x 1 x 1` scales the channels of
    `C x H x W`, as squeeze-and-excitation does (Hu et al., 2017).

    What flows in is one of them: `sigmoid -> multiply(features)` is the product of the sigmoid and `features`. With branches,
    `multiply { | | global_avgpool -> sigmoid }`, they alone are multiplied; each begins with what flows in, and an empty one passes it on.
    """
    _at_least_two("multiply", branches)
    if len({len(b) for b in branches}) > 1 or any(len(set(axis) - {1}) > 1 for axis in zip(*branches, strict=True)):
        raise Reject(problems.MergeShapes("multiply", branches), inputs=_gives(branches))
    return Facts(output=tuple(map(max, zip(*branches, strict=True))), torch=nn.Multiply(), onnx=op.Mul(EACH))


@layer("Concatenate", "Concat", "cat", "depthConcatenationLayer", "concatenate")
def concat(*branches: Shape, axis: Axis = 0) -> Facts:
    """Tensors side by side along an axis: the merge of Inception and dense nets.

    What flows in is the first: `conv(8, 3) -> concat(skip)` joins the convolution with `skip`, and `concat(a, b)` joins three tensors.
    With branches, `concat { | conv(8, 1) | conv(8, 3, padding=1) }`, they alone are joined, and after them the tensors in parentheses;
    each branch begins with what flows in, and an empty one passes it on.

    - `axis`: 0, the channels, if left out; 1 and 2 are height and width
    """
    _at_least_two("concat", branches)
    if axis >= len(branches[0]):
        raise Reject(problems.NoSuchAxis(axis, branches[0]), at="axis")
    if len({(*b[:axis], *b[axis + 1 :]) for b in branches}) > 1 or len({len(b) for b in branches}) > 1:
        raise Reject(problems.ConcatShapes(branches, axis), inputs=_gives(branches))
    joined = (*branches[0][:axis], sum(b[axis] for b in branches), *branches[0][axis + 1 :])
    return Facts(output=joined, torch=nn.Concat(axis + 1), onnx=op.Concat(EACH, axis=axis + 1))
