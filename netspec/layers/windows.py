"""Maps cut into windows: attention that looks no further than its window costs no more for a larger picture (Liu et al., Swin, 2021)."""

from collections.abc import Sequence
from math import prod
from typing import cast

from netspec.diagnostics import problems
from netspec.graph import Facts, Weight
from netspec.kinds import Boolean, Count, Margin, Share, Spatial
from netspec.layer import Reject, layer
from netspec.layers._measured import END, counted, cut, decimal, size, sizes, whole
from netspec.layers._sequences import mapped
from netspec.layers._spatial import extent, rank_of
from netspec.lowering import OnnxCall, OnnxExpression, W, X, const, nn, op
from netspec.shape import Shape, is_open, same, show

Shifts = Sequence[OnnxExpression | None]
"""By how many places each axis is moved: a list of one number, or ``None`` where it is not moved."""

_FAR = -100.0
"""Added to the score of two places that the shift alone brought into one window, as in the authors' own code."""


@layer("WindowPartition", "window_partitioning")
def window_partition(x: Shape, window: Spatial) -> Facts:
    """Cuts a map into windows, each a sequence of its places, row by row: `C x H x W` becomes `H/h x W/w x h w x C`
    (Liu et al., "Swin Transformer", 2021, section 3.2; Tu et al., "MaxViT", 2022). `attention` goes through the windows one by one, and
    `window_merge` puts them together again.

    - `window`: its height and width, which divide those of the map
    """
    _map_of(x, "window_partition", "CxHxW")
    h, w = _pair(window, x)
    _, height, width = x
    if not (same(height % h, 0) and same(width % w, 0)):
        raise Reject(problems.WindowsDoNotDivide((h, w), (height, width)), at="window")
    return Facts(
        output=(height // h, width // w, h * w, x[0]),
        torch=nn.WindowPartition((h, w)),
        onnx=_cut(X, (h, w)),
    )


@layer("WindowReverse", "window_reverse", "WindowDepartition")
def window_merge(x: Shape, window: Spatial) -> Facts:
    """Puts windows together again: `R x Q x h w x C`, as `window_partition` makes it, becomes `C x R h x Q w`.

    - `window`: its height and width
    """
    if len(x) != 4:
        raise Reject(problems.WrongRank("window_merge", x, "windows, as window_partition makes them", "put window_partition before it"))
    h, w = _pair(window, x[1:])
    rows, columns, places, channels = x
    if not same(places, h * w):
        raise Reject(problems.WindowPlaces((h, w), x), at="window")
    return Facts(
        output=(channels, rows * h, columns * w),
        torch=nn.WindowMerge((h, w)),
        onnx=op.Transpose(_join(X, (h, w)), perm=(0, 1, 3, 2)),
    )


@layer("CyclicShift", "Roll", "roll", "cyclic_shift")
def window_shift(x: Shape, shift: Margin, back: Boolean = False) -> Facts:
    """Moves a map in a circle, up and to the left: what leaves at one end comes in at the other (Liu et al., Swin, 2021, figure 4).
    The next windows then lie across the borders of the last. One to three axes in space; the channels stay where they are.

    - `shift`: by how many places, one number or one for each axis
    - `back`: move down and to the right instead, which undoes it
    """
    rank_of(x, "window_shift")
    shift = extent(shift, x, "shift")
    by = [_around(s, n, axis) for axis, (s, n) in enumerate(zip(shift, x[1:], strict=True), 2)]
    return Facts(output=x, torch=nn.Roll(shift if back else tuple(-s for s in shift)), onnx=_rolled(X, by, 2, back))


@layer("WindowAttention", "ShiftedWindowAttention", "WindowMultiHeadAttention")
def window_attention(x: Shape, heads: Count, window: Spatial = 7, shift: Margin = 0, dropout: Share = 0.0, bias: Boolean = True) -> Facts:
    """Multi-head attention within the windows of a map `H x W x C`, its channels last (Liu et al., "Swin Transformer", 2021, section 3.2).

    The map is padded with zeros to whole windows, moved by `shift`, and cut; within each window and head of width d,
    `softmax(Q K^T / sqrt(d) + B) V`, B a learned number for how far two places are apart, and two places that the shift alone brought
    together do not see each other. Then it is put back, and cut to its size. An axis that fits into one window is not moved.

    - `heads`: how many; they divide the channels
    - `window`: its height and width
    - `shift`: by how many places it is moved, fewer than the window has; half of it in every other block
    - `dropout`: the share of the attention that is set to zero while training
    - `bias`: whether the linear layers have biases

    Weights, as in torchvision: `relative_position_bias_table` ((2 h - 1) (2 w - 1), heads), the buffer `relative_position_index`
    ((h w)^2), `qkv.weight` (3 C, C), `qkv.bias` (3 C), `proj.weight` (C, C), `proj.bias` (C). MACs: `4 C^2 + 2 h w C` for each place of the
    padded map.
    """
    _map_of(x, "window_attention", "HxWxC")
    *space, channels = x
    h, w = _pair(window, x)
    if not same(channels % heads, 0):
        raise Reject(problems.HeadsDoNotDivide(heads, channels), at="heads")
    padded = ((space[0] + h - 1) // h * h, (space[1] + w - 1) // w * w)
    down, across = _pair(shift, x, "shift")
    if down >= h or across >= w:
        raise Reject(problems.BadValue("window_attention", "shift", f"smaller than the window, {h}x{w}", show((down, across))), at="shift")
    by = [_unless_it_fits(s, n, m, axis) for axis, (s, n, m) in enumerate(zip((down, across), space, (h, w), strict=True), 1)]
    return Facts(
        output=x,
        weights=_weights(channels, heads, (h, w), bias),
        macs=prod(padded) * (4 * channels**2 + 2 * h * w * channels),
        torch=nn.WindowAttention(channels, heads, (h, w), (down, across), dropout, bias),
        onnx=_attended(tuple(space) == padded, by, (h, w), (channels, heads), bias),
    )


def _map_of(x: Shape, layer: str, layout: str) -> None:
    if len(x) != 3:
        raise Reject(
            problems.WrongRank(layer, x, f"a map {layout}", "put it where there is a map, before it becomes a sequence or a vector")
        )


def _pair(value: int | tuple[int, ...], x: Shape, argument: str = "window") -> tuple[int, int]:
    return cast("tuple[int, int]", extent(value, x, argument))


def _weights(channels: int, heads: int, window: tuple[int, int], bias: bool) -> dict[str, Weight]:
    h, w = window
    weights = {
        "relative_position_bias_table": Weight(((2 * h - 1) * (2 * w - 1), heads)),
        "relative_position_index": Weight(((h * w) ** 2,), False, "int64"),
    }
    for part, n in (("qkv", 3 * channels), ("proj", channels)):
        weights[f"{part}.weight"] = Weight((n, channels))
        if bias:
            weights[f"{part}.bias"] = Weight((n,))
    return weights


def _attended(fits: bool, by: Shifts, window: tuple[int, int], widths: tuple[int, int], bias: bool) -> OnnxExpression:
    """Pad, move, cut, attend, join, move back, cut to size. Sizes are asked for while it runs, so that open ones stay open; ``fits``
    says that they need no padding whatever they are."""
    channels, heads = widths
    moved = _rolled(op.Transpose(X if fits else _padded(window), perm=(0, 3, 1, 2)), by, 2)
    parts = op.Reshape(mapped(_cut(moved, window), bias, "qkv"), whole((0, 0, 0, 0, 3, heads, -1)))
    query, key, value = (op.Gather(parts, whole(i), axis=4) for i in range(3))
    query, value = (op.Transpose(p, perm=(0, 1, 2, 4, 3, 5)) for p in (query, value))
    scores = op.MatMul(op.Mul(query, const((channels // heads) ** -0.5)), op.Transpose(key, perm=(0, 1, 2, 4, 5, 3)))
    shares = op.Softmax(op.Add(scores, _bias(moved, by, window)), axis=-1)
    gathered = op.Transpose(op.MatMul(shares, value), perm=(0, 1, 2, 4, 3, 5))
    joined = op.Transpose(_join(mapped(op.Reshape(gathered, whole((0, 0, 0, 0, -1))), bias, "proj"), window), perm=(0, 3, 2, 1))
    back = _rolled(joined, by, 1, back=True)
    return back if fits else cut(whole((0, 0)), sizes(X, 1, 3), (1, 2), back)


def _padded(window: tuple[int, int]) -> OnnxCall:
    """Zeros below and to the right, up to whole windows."""
    more = op.Mod(op.Neg(sizes(X, 1, 3)), whole(window))
    return op.Pad(X, op.Concat(whole((0,) * 5), more, whole((0,)), axis=0))


def _bias(moved: OnnxExpression, by: Shifts, window: tuple[int, int]) -> OnnxCall:
    """What is added to the scores: for each distance, and between the parts that the shift brought together."""
    places = window[0] * window[1]
    rows = op.Gather(W("relative_position_bias_table"), W("relative_position_index"), axis=0)
    near = op.Transpose(op.Reshape(rows, whole((places, places, -1))), perm=(2, 0, 1))
    if not any(by):
        return near
    down, across = (decimal(_came_around(moved, axis, n)) for axis, n in enumerate(by, 2))
    part = op.Add(op.Mul(op.Unsqueeze(down, whole((0, 1, 3))), const(2.0)), op.Unsqueeze(across, whole((0, 1, 2))))
    parts = _cut(part, window)
    alike = op.Equal(parts, op.Transpose(parts, perm=(0, 1, 2, 4, 3)))
    return op.Add(near, op.Unsqueeze(op.Where(alike, const(0.0), const(_FAR)), whole((3,))))


def _came_around(moved: OnnxExpression, axis: int, by: OnnxExpression | None) -> OnnxCall:
    """Which places of an axis the shift brought from its other end."""
    n = size(moved, axis)
    return op.GreaterOrEqual(counted(n), op.Sub(n, by or whole((0,))))


def _around(shift: int, n: int, axis: int) -> OnnxExpression | None:
    """A shift once around and more is one by what is left. ``axis`` counts the batch."""
    if is_open((n,)):
        return op.Mod(whole((shift,)), sizes(X, axis, axis + 1)) if shift else None
    return whole((shift % n,)) if shift % n else None


def _unless_it_fits(shift: int, n: int, window: int, axis: int) -> OnnxExpression | None:
    """An axis that fits into one window is not moved."""
    if shift and is_open((n,)):
        return op.Where(op.Greater(sizes(X, axis, axis + 1), whole((window,))), whole((shift,)), whole((0,)))
    return whole((shift,)) if shift and n > window else None


def _rolled(x: OnnxExpression, by: Shifts, first: int, back: bool = False) -> OnnxExpression:
    """The axes from ``first`` on, the batch counted, moved in a circle to the front, or ``back``."""
    for axis, n in enumerate(by, first):
        if n is not None:
            start = op.Neg(n) if back else n
            x = op.Concat(cut(start, whole((END,)), (axis,), x), cut(whole((0,)), start, (axis,), x), axis=axis)
    return x


def _cut(x: OnnxExpression, window: tuple[int, int]) -> OnnxCall:
    """``B x C x H x W`` into ``B x H/h x W/w x h w x C``: one axis at a time, as -1 can stand for only one size that is not known."""
    h, w = window
    across = op.Transpose(op.Reshape(x, whole((0, 0, 0, -1, w))), perm=(0, 1, 3, 4, 2))
    both = op.Transpose(op.Reshape(across, whole((0, 0, 0, 0, -1, h))), perm=(0, 4, 2, 5, 3, 1))
    return op.Reshape(both, whole((0, 0, 0, h * w, -1)))


def _join(x: OnnxExpression, window: tuple[int, int]) -> OnnxCall:
    """What :func:`_cut` was given, with height and width changed over: ``B x C x W x H``."""
    h, w = window
    apart = op.Transpose(op.Reshape(x, whole((0, 0, 0, h, w, -1))), perm=(0, 5, 1, 3, 2, 4))
    across = op.Transpose(op.Reshape(apart, whole((0, 0, 0, 0, -1))), perm=(0, 1, 4, 2, 3))
    return op.Reshape(across, whole((0, 0, 0, -1)))
