"""Poolings."""

from netspec.diagnostics import problems
from netspec.graph import Facts
from netspec.kinds import Boolean, Margin, Spatial
from netspec.layer import Reject, layer
from netspec.layers._spatial import extent, rank_of, slid
from netspec.lowering import OnnxExpression, X, const, nn, op
from netspec.shape import Shape


def _pooled(layer: str, x: Shape, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, ceil: bool) -> Shape:
    """The output's axes in space, or the reason why there are none."""
    if any(p > k // 2 for p, k in zip(padding, kernel, strict=True)):
        raise Reject(problems.PoolPadding(padding, kernel), at="padding")
    space = slid(layer, x, kernel, stride, padding, padding, dilation, ceil)
    starts = (range(-p, 0, s)[:count] for p, s, count in zip(padding, stride, space, strict=True))
    if any(start % d >= n for axis, d, n in zip(starts, dilation, x[1:], strict=True) for start in axis):
        raise Reject(problems.WindowInPadding(layer, x, dilation), at="dilation")
    return space


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
    return Facts(
        output=(x[0], *_pooled("maxpool", x, kernel, stride, padding, dilation, ceil_mode)),
        torch=(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[rank - 1](kernel, stride, padding, dilation, ceil_mode=ceil_mode),
        onnx=op.MaxPool(X, kernel_shape=kernel, strides=stride, pads=padding * 2, dilations=dilation, ceil_mode=int(ceil_mode)),
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
    if rank == 3 and any(k > n for k, n in zip(kernel, x[1:], strict=True)):  # PyTorch does not count the padding here
        raise Reject(problems.DoesNotFit("avgpool", x, x[1:], kernel), at="kernel")
    return Facts(
        output=(x[0], *_pooled("avgpool", x, kernel, stride, padding, (1,) * rank, ceil_mode)),
        torch=(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[rank - 1](kernel, stride, padding, ceil_mode, count_include_pad),
        onnx=op.AveragePool(
            X, kernel_shape=kernel, strides=stride, pads=padding * 2, ceil_mode=int(ceil_mode), count_include_pad=int(count_include_pad)
        ),
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
        onnx=_adaptive(x[1:], size),
    )


def _adaptive(sizes: Shape, wanted: Shape) -> OnnxExpression:
    """ONNX has no adaptive pooling: nothing to do, an ordinary pooling where the sizes divide, or a product with means otherwise."""
    if sizes == wanted:
        return X
    if all(n % w == 0 for n, w in zip(sizes, wanted, strict=True)):
        window = tuple(n // w for n, w in zip(sizes, wanted, strict=True))
        return op.AveragePool(X, kernel_shape=window, strides=window)
    inner, outer = "dhw"[-len(sizes) :], "abe"[-len(sizes) :]
    matrices = ",".join(o + i for o, i in zip(outer, inner, strict=True))
    means = [const(_means(n, w)) for n, w in zip(sizes, wanted, strict=True)]
    return op.Einsum(X, *means, equation=f"nc{inner},{matrices}->nc{outer}")


def _means(size: int, wanted: int) -> tuple[tuple[float, ...], ...]:
    """The matrix that takes the mean over each window of an axis."""
    rows = []
    for i in range(wanted):
        start, end = i * size // wanted, -(-(i + 1) * size // wanted)
        rows.append(tuple(1 / (end - start) if start <= j < end else 0.0 for j in range(size)))
    return tuple(rows)
