"""Arranging: the same numbers in another order, another shape, or a part of them."""

from math import prod
from typing import Annotated

from netspec.diagnostics import problems
from netspec.graph import Facts
from netspec.kinds import AnyAxis, Axes, Count, Natural, Parts, Position, TargetShape
from netspec.layer import Reject, layer
from netspec.layers import _measured as measured
from netspec.layers._axes import axis_of
from netspec.layers._spatial import larger, rank_of, smaller
from netspec.lowering import OnnxExpression, X, nn, op
from netspec.shape import Shape, elements, is_open, show, symbols_of
from netspec.values import show as written

Order = Annotated[tuple[int, ...], Axes()]
Sizes = Annotated[tuple[int, ...], Parts()]
Target = Annotated[tuple[int, ...], TargetShape()]


@layer("Flatten", "flattenLayer", "GlobalFlatten")
def flatten(x: Shape, start: AnyAxis = 0, end: AnyAxis = -1) -> Facts:
    """Axes into one: `C x H x W` becomes a vector of C H W numbers, the channels slowest, and with `flatten(1)` a `C x H W`.

    - `start`: the first axis that goes into it
    - `end`: the last one
    """
    first, last = axis_of(start, x, "start"), axis_of(end, x, "end")
    if first > last:
        raise Reject(problems.BadValue("flatten", "end", f"an axis behind start, which is {start}", str(end)), at="end")
    whole = (first, last) == (0, len(x) - 1)
    return Facts(
        output=(*x[:first], elements(x[first : last + 1]), *x[last + 1 :]),
        torch=nn.Flatten() if whole else nn.Flatten(first + 1, last + 1),
        onnx=op.Flatten(X, axis=1) if whole else measured.reshaped(first + 1, last + 1, (-1,), len(x) + 1),
    )


@layer("Unflatten")
def unflatten(x: Shape, axis: AnyAxis, shape: Target) -> Facts:
    """One axis becomes several: with `unflatten(0, [8, -1])` a `512 x H x W` becomes `8 x 64 x H x W`.

    - `axis`: the axis that is divided
    - `shape`: what it becomes; one of the sizes may be -1, for what is left
    """
    place = axis_of(axis, x)
    return Facts(
        output=(*x[:place], *_fitting("unflatten", x[place], shape), *x[place + 1 :]),
        torch=nn.Unflatten(place + 1, shape),
        onnx=measured.reshaped(place + 1, place + 1, shape, len(x) + 1),
    )


@layer("Reshape", "view")
def reshape(x: Shape, shape: Target) -> Facts:
    """The same numbers, in the same order, in another shape: `reshape([64, -1])` makes `64 x H W` of `64 x H x W`.

    - `shape`: the sizes without the batch, `64x7x7` or `[64, -1]`; one of them may be -1, for what is left
    """
    return Facts(
        output=_fitting("reshape", elements(x), shape),
        torch=nn.Reshape(shape),
        onnx=op.Reshape(X, measured.whole((0, *shape))),
    )


def _fitting(layer: str, count: int, shape: Shape) -> Shape:
    """The shape with a size for -1; rejects one that does not hold exactly ``count`` numbers."""
    held = prod(n for n in shape if n != -1)
    left = -1 in shape
    if count % held > 0 or (not left and (count > held or count < held)):
        must = f"of {'a divisor of ' if left else ''}{count:,} numbers, as many as flow in"
        raise Reject(problems.BadValue(layer, "shape", must, written(shape)), at="shape")
    return tuple(count // held if n == -1 else n for n in shape)


@layer("Permute")
def permute(x: Shape, axes: Order) -> Facts:
    """Axes in another order: with `permute([1, 2, 0])` a `C x H x W` becomes `H x W x C`.

    - `axes`: where each axis of the result comes from
    """
    order = tuple(axis_of(a, x, "axes") for a in axes)
    if sorted(order) != list(range(len(x))):
        must = f"each of {', '.join(map(str, range(len(x))))} once, the axes of {show(x)}"
        raise Reject(problems.BadValue("permute", "axes", must, written(axes)), at="axes")
    return _permuted(x, order)


@layer("Transpose", "swapaxes", "swap_axes")
def transpose(x: Shape, first: AnyAxis = -2, second: AnyAxis = -1) -> Facts:
    """Two axes swapped, the last two if left out: `T x N` becomes `N x T`.

    - `first`, `second`: the axes
    """
    a, b = axis_of(first, x, "first"), axis_of(second, x, "second")
    return _permuted(x, tuple(b if i == a else a if i == b else i for i in range(len(x))))


def _permuted(x: Shape, order: Shape) -> Facts:
    places = (0, *(a + 1 for a in order))
    return Facts(output=tuple(x[a] for a in order), torch=nn.Permute(places), onnx=op.Transpose(X, perm=places))


@layer("Squeeze")
def squeeze(x: Shape, axis: AnyAxis | None = None) -> Facts:
    """Axes of 1 taken away: `C x 1 x 1` becomes a vector of C. The first axis stays, so that at least a vector is left.

    - `axis`: the one to take away; if left out, all axes of 1 behind the first
    """
    if axis is None:
        if is_open(x[1:]):
            raise Reject(problems.NeedsSizes("squeeze", (x,), symbols_of(x[1:])))
        gone = [i for i, n in enumerate(x) if i > 0 and n == 1]
    else:
        gone = [axis_of(axis, x)]
        if len(x) == 1 or x[gone[0]] > 1:
            must = f"an axis of 1 beside others, and {show(x)} has none there"
            raise Reject(problems.BadValue("squeeze", "axis", must, str(axis)), at="axis")
    places = tuple(i + 1 for i in gone)
    return Facts(
        output=tuple(n for i, n in enumerate(x) if i not in gone),
        torch=nn.Squeeze(places) if places else nn.Identity(),
        onnx=op.Squeeze(X, measured.whole(places)) if places else X,
    )


@layer("Unsqueeze", "expand_dims", "ExpandDims")
def unsqueeze(x: Shape, axis: AnyAxis) -> Facts:
    """An axis of 1 more: with `unsqueeze(0)` a `T x N` becomes `1 x T x N`.

    - `axis`: where it stands in the result
    """
    place = axis_of(axis, (*x, 1))
    return Facts(output=(*x[:place], 1, *x[place:]), torch=nn.Unsqueeze(place + 1), onnx=op.Unsqueeze(X, measured.whole((place + 1,))))


@layer("Slice", "narrow")
def slice_(x: Shape, start: Position = 0, stop: Position | None = None, axis: AnyAxis = 0, step: Count = 1) -> Facts:
    """A part of an axis, from `start` to before `stop`, as `[start:stop]` in Python: `slice(0, 64)` are the first 64 channels.

    - `start`: where it begins; negative numbers count from the end
    - `stop`: where it ends; the axis's end if left out
    - `axis`: 0, the channels, if left out
    - `step`: how far on the next one is
    """
    place = axis_of(axis, x)
    size = x[place]
    first = start if start >= 0 else larger(size + start, 0)
    last = size if stop is None else smaller(stop, size) if stop >= 0 else size + stop
    if first >= last:
        must = f"such that something is left of the {size} there are"
        argument, value = ("start", start) if stop is None else ("stop", stop)
        raise Reject(problems.BadValue("slice", argument, must, str(value)), at=argument)
    ends = measured.END if stop is None else stop
    indices = (measured.whole((v,)) for v in (start, ends, place + 1, step))
    return Facts(
        output=(*x[:place], (last - first + step - 1) // step, *x[place + 1 :]),
        torch=nn.Slice(place + 1, start, stop, step),
        onnx=op.Slice(X, *indices),
    )


@layer("Chunk")
def chunk(x: Shape, parts: Count, index: Natural, axis: AnyAxis = 0) -> Facts:
    """One of the equal parts of an axis: `a: chunk(2, 0)` is the first half of the channels. Where the number of parts does not divide
    the size, each is as large as if it were rounded up, and the last one is what is left, as in PyTorch.

    - `parts`: how many there are
    - `index`: which one is taken, counted from 0
    - `axis`: 0, the channels, if left out
    """
    place = axis_of(axis, x)
    size = (x[place] + parts - 1) // parts
    start = size * index
    if index >= parts or start >= x[place]:
        raise Reject(problems.BadValue("chunk", "index", f"that of one of the {parts} parts of {x[place]}", str(index)), at="index")
    end = x[place] if index == parts - 1 else smaller(start + size, x[place])
    return Facts(
        output=(*x[:place], end - start, *x[place + 1 :]),
        torch=nn.Chunk(place + 1, parts, index),
        onnx=_chunk(place + 1, parts, index) if is_open(x[place : place + 1]) else _part(place + 1, start, end),
    )


def _part(axis: int, start: int, end: int) -> OnnxExpression:
    return measured.cut(measured.whole((start,)), measured.whole((end,)), (axis,))


def _chunk(axis: int, parts: int, index: int) -> OnnxExpression:
    size = measured.divided_up(measured.sizes(X, axis, axis + 1), parts)
    start, end = (op.Mul(size, measured.whole(index + i)) for i in (0, 1))
    return measured.cut(start, end, (axis,))


@layer("Split")
def split(x: Shape, sizes: Sizes, index: Natural, axis: AnyAxis = 0) -> Facts:
    """One of several parts of an axis: `a: split([16, 48], 0)` are the first 16 of 64 channels, and `split([16, 48], 1)` the other 48.

    - `sizes`: how large each part is; together they are the axis
    - `index`: which one is taken, counted from 0
    - `axis`: 0, the channels, if left out
    """
    place = axis_of(axis, x)
    if sum(sizes) > x[place] or sum(sizes) < x[place]:
        must = f"sizes that add up to {x[place]}, and these make {sum(sizes)}"
        raise Reject(problems.BadValue("split", "sizes", must, written(sizes)), at="sizes")
    if index >= len(sizes):
        raise Reject(problems.BadValue("split", "index", f"0 to {len(sizes) - 1}", str(index)), at="index")
    start = sum(sizes[:index])
    return Facts(
        output=(*x[:place], sizes[index], *x[place + 1 :]),
        torch=nn.Split(place + 1, sizes, index),
        onnx=_part(place + 1, start, start + sizes[index]),
    )


@layer("ChannelShuffle", "shuffle")
def channel_shuffle(x: Shape, groups: Count) -> Facts:
    """Channels of all groups in turn: channel `i` of group `g` goes to place `i groups + g` (Zhang et al., ShuffleNet, 2017).

    - `groups`: how many groups there are
    """
    rank_of(x, "channel_shuffle")
    if x[0] % groups > 0:
        raise Reject(problems.BadValue("channel_shuffle", "groups", f"a divisor of the {x[0]} channels", str(groups)), at="groups")
    each = x[0] // groups
    order = [group * each + i for i in range(each) for group in range(groups)]
    return Facts(output=x, torch=nn.ChannelShuffle(groups), onnx=measured.reordered(order, 1))
