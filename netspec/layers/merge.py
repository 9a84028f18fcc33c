"""Merges: several tensors become one. Each branch is an alternative way from the tensor that flows in."""

from functools import reduce

from netspec.diagnostics import problems
from netspec.graph import Facts
from netspec.kinds import Axis
from netspec.layer import Reject, layer
from netspec.layers._spatial import larger
from netspec.lowering import EACH, OnnxCall, TorchCall, nn, op
from netspec.shape import Shape, same, show


def _merged(layer: str, branches: tuple[Shape, ...], torch: TorchCall, onnx: OnnxCall) -> Facts:
    """The facts of a merge of tensors of equal shape."""
    _at_least_two(layer, branches)
    if not all(same(b, branches[0]) for b in branches):
        raise Reject(problems.MergeShapes(layer, branches), inputs=_gives(branches))
    return Facts(output=branches[0], torch=torch, onnx=onnx)


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
    return _merged("add", branches, nn.Add(), op.Add(EACH))


@layer("Subtract", "sub", "minus")
def subtract(*branches: Shape) -> Facts:
    """The first of several tensors of equal shape less all the others, number by number.

    What flows in is the first: `conv(8, 3) -> subtract(blurred)` is the convolution less `blurred`. With branches,
    `subtract { | conv(8, 3, padding=1) | conv(8, 1) }`, they alone count; each begins with what flows in, an empty one passes it on.
    """
    return _merged("subtract", branches, nn.Subtract(), op.Sub(EACH))


@layer("Multiply", "Mul", "multiplicationLayer")
def multiply(*branches: Shape) -> Facts:
    """The product of tensors, number by number. An axis of 1 counts for the whole axis, so that `C x 1 x 1` scales the channels of
    `C x H x W`, as squeeze-and-excitation does (Hu et al., 2017).

    What flows in is one of them: `sigmoid -> multiply(features)` is the product of the sigmoid and `features`. With branches,
    `multiply { | | global_avgpool -> sigmoid }`, they alone are multiplied; each begins with what flows in, and an empty one passes it on.
    """
    _at_least_two("multiply", branches)
    stretched = [_stretched(axis) for axis in zip(*branches, strict=False)]
    if any(len(b) != len(branches[0]) for b in branches) or None in stretched:
        raise Reject(problems.MergeShapes("multiply", branches), inputs=_gives(branches))
    return Facts(output=tuple(n for n in stretched if n is not None), torch=nn.Multiply(), onnx=op.Mul(EACH))


def _stretched(sizes: tuple[int, ...]) -> int | None:
    """The size that they have where those of 1 are stretched, or ``None`` where the others differ."""
    others = [n for n in dict.fromkeys(sizes) if n != 1]  # alike as they stand: nothing is asked of a lone open size
    if len(others) < 2:
        return others[0] if others else 1
    large = [n for n in others if not same(n, 1)]
    if not all(same(n, large[0]) for n in large):
        return None
    return reduce(larger, others)


@layer("Maximum", "maxout", "eltwise_max")
def max_(*branches: Shape) -> Facts:
    """The largest of several tensors of equal shape, number by number, as in maxout (Goodfellow et al., 2013, section 3).

    What flows in is one of them: `conv(8, 3) -> max(skip)`. With branches, `max { | conv(8, 1) | conv(8, 1) }`, they alone count; each
    begins with what flows in, an empty one passes it on. Between parentheses `max` is that of numbers: `conv(max(x.channels, 8), 1)`.
    """
    return _merged("max", branches, nn.Maximum(), op.Max(EACH))


@layer("Minimum", "eltwise_min")
def min_(*branches: Shape) -> Facts:
    """The smallest of several tensors of equal shape, number by number.

    What flows in is one of them: `conv(8, 3) -> min(skip)`. With branches, `min { | conv(8, 1) | conv(8, 1) }`, they alone count; each
    begins with what flows in, an empty one passes it on. Between parentheses `min` is that of numbers: `conv(min(x.channels, 8), 1)`.
    """
    return _merged("min", branches, nn.Minimum(), op.Min(EACH))


@layer("Average", "average")
def mean(*branches: Shape) -> Facts:
    """The mean of several tensors of equal shape, number by number, as of the members of an ensemble.

    What flows in is one of them: `linear(10) -> mean(other)`. With branches, `mean { | linear(10) | linear(10) }`, they alone count; each
    begins with what flows in, an empty one passes it on. The mean over the places of one map is `global_avgpool`.
    """
    return _merged("mean", branches, nn.Mean(), op.Mean(EACH))


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
    others = [(*b[:axis], *b[axis + 1 :]) for b in branches]
    if any(len(b) != len(branches[0]) for b in branches) or not all(same(o, others[0]) for o in others):
        raise Reject(problems.ConcatShapes(branches, axis), inputs=_gives(branches))
    joined = (*branches[0][:axis], sum(b[axis] for b in branches), *branches[0][axis + 1 :])
    return Facts(output=joined, torch=nn.Concat(axis + 1), onnx=op.Concat(EACH, axis=axis + 1))
