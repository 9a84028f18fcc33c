"""Poolings."""

from collections.abc import Callable
from math import prod
from typing import Any

from netspec.diagnostics import problems
from netspec.graph import Facts
from netspec.kinds import Boolean, Count, Margin, Spatial
from netspec.layer import Reject, layer
from netspec.layers import _measured as measured
from netspec.layers._spatial import extent, rank_of, slid
from netspec.lowering import OnnxCall, OnnxExpression, X, const, nn, op
from netspec.shape import Shape, is_open, windows


def _pooled(layer: str, x: Shape, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, ceil: bool) -> Shape:
    """The output's axes in space, or the reason why there are none."""
    if any(p > k // 2 for p, k in zip(padding, kernel, strict=True)):
        raise Reject(problems.PoolPadding(padding, kernel), at="padding")
    space = slid(layer, x, kernel, stride, padding, padding, dilation, ceil)
    if any(_steps_over(*axis) for axis in zip(x[1:], space, stride, padding, dilation, strict=True)):
        raise Reject(problems.WindowInPadding(layer, x, dilation), at="dilation")
    return space


def _onnx(pooling: Callable[..., OnnxCall], x: OnnxExpression, shape: Shape, ceil: bool, **window: Any) -> OnnxCall:
    """A pooling of ONNX. With ``ceil_mode`` its shape inference counts windows that begin behind the data, and onnxruntime relies on it.

    So where sizes are known, it is written only if some window is partly filled, and then an axis on which none is ends where its
    last window does.
    """
    if not ceil or is_open(shape):
        return pooling(x, ceil_mode=int(ceil), **window)
    kernel, stride, pads = (window[name] for name in ("kernel_shape", "strides", "pads"))
    dilation = window.get("dilations", (1,) * len(kernel))
    axes = list(zip(shape[1:], kernel, stride, pads, pads, dilation))
    filled = tuple(windows(*axis) for axis in axes)
    partly = tuple(f != windows(n, k, s, b, a, d, True) for f, (n, k, s, b, a, d) in zip(filled, axes, strict=True))
    if not any(partly):
        return pooling(x, ceil_mode=0, **window)
    reach = tuple((f - 1) * s + d * (k - 1) + 1 - b for f, (_, k, s, b, _, d) in zip(filled, axes, strict=True))
    ends = tuple(n if p else min(r, n) for n, p, r in zip(shape[1:], partly, reach, strict=True))
    after = tuple(b if p else max(r - n, 0) for n, p, r, b in zip(shape[1:], partly, reach, pads))
    if ends != shape[1:]:
        x = measured.cut(measured.whole((0,) * len(ends)), measured.whole(ends), range(2, len(ends) + 2), x)
    return pooling(x, ceil_mode=1, **window | {"pads": pads[: len(kernel)] + after})


def _steps_over(size: int, count: int, stride: int, padding: int, dilation: int) -> bool:
    """Whether a window that begins before the data has no point in it. Without dilation none has."""
    return dilation > 1 and any(start % dilation >= size and count > i for i, start in enumerate(range(-padding, 0, stride)))


def _same_window(layer: str, x: Shape, kernel: Shape) -> None:
    """In three dimensions PyTorch does not count the padding when it asks whether an average's window fits."""
    if len(x) == 4 and any(k > n for k, n in zip(kernel, x[1:], strict=True)):
        raise Reject(problems.DoesNotFit(layer, x, x[1:], kernel), at="kernel")


@layer(
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "max_pool",
    "max_pool2d",
    "MaxPool",
    "maxPooling2dLayer",
)
def maxpool(
    x: Shape,
    kernel: Spatial,
    stride: Spatial | None = None,
    padding: Margin = 0,
    dilation: Spatial = 1,
    ceil_mode: Boolean = False,
) -> Facts:
    """The largest number in each window, in one, two or three dimensions.

    - `kernel`: the window
    - `stride`: the step between windows; the window itself if left out
    - `padding`: a margin on both sides that is never the largest; at most half the kernel
    - `dilation`: the distance between the window's points
    - `ceil_mode`: keep a last window that is only partly filled
    """
    rank = rank_of(x, "maxpool")
    kernel, dilation, padding = (extent(v, x, n) for v, n in ((kernel, "kernel"), (dilation, "dilation"), (padding, "padding")))
    stride = kernel if stride is None else extent(stride, x, "stride")
    window = {"kernel_shape": kernel, "strides": stride, "pads": padding * 2, "dilations": dilation}
    return Facts(
        output=(x[0], *_pooled("maxpool", x, kernel, stride, padding, dilation, ceil_mode)),
        torch=(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[rank - 1](kernel, stride, padding, dilation, ceil_mode=ceil_mode),
        onnx=_onnx(op.MaxPool, X, x, ceil_mode, **window),
    )


@layer(
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "avg_pool",
    "AveragePool",
    "averagePooling2dLayer",
)
def avgpool(
    x: Shape,
    kernel: Spatial,
    stride: Spatial | None = None,
    padding: Margin = 0,
    ceil_mode: Boolean = False,
    count_include_pad: Boolean = True,
) -> Facts:
    """The mean of each window, in one, two or three dimensions.

    - `kernel`: the window
    - `stride`: the step between windows; the window itself if left out
    - `padding`: zeros on both sides; at most half the kernel
    - `ceil_mode`: keep a last window that is only partly filled
    - `count_include_pad`: whether the zeros of the padding count in the mean (as in PyTorch; Keras leaves them out)
    """
    rank = rank_of(x, "avgpool")
    kernel, padding = extent(kernel, x, "kernel"), extent(padding, x, "padding")
    stride = kernel if stride is None else extent(stride, x, "stride")
    _same_window("avgpool", x, kernel)
    window = {"kernel_shape": kernel, "strides": stride, "pads": padding * 2, "count_include_pad": int(count_include_pad)}
    return Facts(
        output=(x[0], *_pooled("avgpool", x, kernel, stride, padding, (1,) * rank, ceil_mode)),
        torch=(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[rank - 1](kernel, stride, padding, ceil_mode, count_include_pad),
        onnx=_onnx(op.AveragePool, X, x, ceil_mode, **window),
    )


@layer("LPPool1d", "LPPool2d", "LPPool3d", "LpPool", "lppool", "power_avg_pool")
def lp_pool(x: Shape, norm: Count, kernel: Spatial, stride: Spatial | None = None, ceil_mode: Boolean = False) -> Facts:
    """The power mean of each window times its size: `(sum over the window of x^norm)^(1 / norm)` (Gulcehre et al., 2013), in one, two or
    three dimensions. `norm` 1 is the sum of the window, 2 the root of the sum of squares; towards infinity it becomes the largest number.

    - `norm`: the power, 1 or an even number (of an odd one PyTorch has no value where the sum is negative)
    - `kernel`: the window
    - `stride`: the step between windows; the window itself if left out
    - `ceil_mode`: keep a last window that is only partly filled; it counts as much as a full one
    """
    rank = rank_of(x, "lp_pool")
    if norm > 1 and norm % 2:
        raise Reject(problems.BadValue("lp_pool", "norm", "1 or an even number", str(norm)), at="norm")
    kernel = extent(kernel, x, "kernel")
    stride = kernel if stride is None else extent(stride, x, "stride")
    _same_window("lp_pool", x, kernel)
    none, alone = (0,) * rank, (1,) * rank
    powers = X if norm == 1 else op.Pow(X, const(float(norm)))
    window = {"kernel_shape": kernel, "strides": stride, "pads": none * 2, "count_include_pad": 1}
    mean = _onnx(op.AveragePool, powers, x, ceil_mode, **window)
    total = op.Mul(mean, const(float(prod(kernel))))
    module = (nn.LPPool1d, nn.LPPool2d, nn.LPPool3d)[rank - 1]
    return Facts(
        output=(x[0], *_pooled("lp_pool", x, kernel, stride, none, alone, ceil_mode)),
        torch=module(norm, kernel[0], stride[0], ceil_mode) if rank == 1 else module(norm, kernel, stride, ceil_mode),
        onnx=total if norm == 1 else op.Pow(total, const(1 / norm)),
    )


@layer(
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalAvgPool2d",
    "GlobalAveragePool",
    "global_avg_pool",
    "global_pool",
    "gap",
)
def global_avgpool(x: Shape) -> Facts:
    """The mean of each channel: `C x H x W` becomes `C x 1 x 1` (Lin et al., Network in Network, 2013). `flatten` makes it a vector."""
    rank = rank_of(x, "global_avgpool")
    return Facts(
        output=(x[0], *(1,) * rank),
        torch=(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)[rank - 1](1),
        onnx=op.GlobalAveragePool(X),
    )


@layer("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D", "GlobalMaxPool2d", "GlobalMaxPool", "global_max_pool", "gmp")
def global_maxpool(x: Shape) -> Facts:
    """The largest number of each channel: `C x H x W` becomes `C x 1 x 1` (Oquab et al., 2015). `flatten` makes it a vector."""
    rank = rank_of(x, "global_maxpool")
    return Facts(
        output=(x[0], *(1,) * rank),
        torch=(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)[rank - 1](1),
        onnx=op.GlobalMaxPool(X),
    )


@layer("AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "adaptive_avg_pool", "AdaptiveAveragePooling2D")
def adaptive_avgpool(x: Shape, size: Spatial) -> Facts:
    """The mean of as many windows as the output has places: window i goes from `floor(i H / size)` to `ceil((i + 1) H / size)`.

    - `size`: the output's height and width, `7` or `6x6`
    """
    rank = rank_of(x, "adaptive_avgpool")
    size = extent(size, x, "size")
    return Facts(
        output=(x[0], *size),
        torch=(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)[rank - 1](size),
        onnx=_adaptive(x[1:], size, op.GlobalAveragePool(X), op.AveragePool) or _mean_of_windows(size),
    )


@layer("AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d", "adaptive_max_pool", "AdaptiveMaxPooling2D")
def adaptive_maxpool(x: Shape, size: Spatial) -> Facts:
    """The largest number of as many windows as the output has places: window i goes from `floor(i H / size)` to `ceil((i + 1) H / size)`.

    - `size`: the output's height and width, `7` or `6x6`
    """
    rank = rank_of(x, "adaptive_maxpool")
    size = extent(size, x, "size")
    return Facts(
        output=(x[0], *size),
        torch=(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)[rank - 1](size),
        onnx=_adaptive(x[1:], size, op.GlobalMaxPool(X), op.MaxPool) or _largest_of_windows(size),
    )


def _adaptive(sizes: Shape, wanted: Shape, overall: OnnxCall, pooling: Callable[..., OnnxCall]) -> OnnxExpression | None:
    """ONNX has no adaptive pooling: one window, nothing to do, or an ordinary pooling where the sizes are known and divide."""
    if all(w == 1 for w in wanted):
        return overall
    if is_open(sizes):
        return None
    if sizes == wanted:  # numbers: an open size is none of these
        return X
    if any(n % w for n, w in zip(sizes, wanted, strict=True)):
        return None
    window = tuple(n // w for n, w in zip(sizes, wanted, strict=True))
    return pooling(X, kernel_shape=window, strides=window)


def _bounds(axis: int, wanted: int) -> tuple[OnnxExpression, OnnxExpression]:
    """Where each window of an axis starts and ends, as columns."""
    size = measured.size(X, axis)
    first, after = (measured.whole(tuple((i + k,) for i in range(wanted))) for k in (0, 1))
    return op.Div(op.Mul(first, size), measured.whole(wanted)), measured.divided_up(op.Mul(after, size), wanted)


def _mean_of_windows(wanted: Shape) -> OnnxExpression:
    """A product with a matrix for each axis that takes the mean over each window."""
    inner, outer = "dhw"[-len(wanted) :], "abe"[-len(wanted) :]
    matrices = ",".join(o + i for o, i in zip(outer, inner, strict=True))
    return op.Einsum(X, *(_means(axis, w) for axis, w in enumerate(wanted, 2)), equation=f"nc{inner},{matrices}->nc{outer}")


def _means(axis: int, wanted: int) -> OnnxExpression:
    """The matrix that takes the mean over each window of an axis."""
    start, end = _bounds(axis, wanted)
    place = measured.counted(measured.size(X, axis))
    inside = op.And(op.GreaterOrEqual(place, start), op.Less(place, end))
    return op.Div(measured.decimal(inside), measured.decimal(op.Sub(end, start)))


def _largest_of_windows(wanted: Shape) -> OnnxExpression:
    """Axis after axis: each window's places side by side, the last one repeated where a window is short, and the largest of them."""
    value: OnnxExpression = X
    for axis, w in enumerate(wanted, 2):
        start, end = _bounds(axis, w)
        longest = op.Add(measured.divided_up(measured.size(X, axis), w), measured.whole(1))
        places = op.Min(op.Add(start, measured.counted(longest)), op.Sub(end, measured.whole(1)))
        value = op.ReduceMax(op.Gather(value, places, axis=axis), measured.whole((axis + 1,)), keepdims=0)
    return value
