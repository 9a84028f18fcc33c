"""Convolutions and poolings."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.random_graphs.reference import Reference, Weights, by_rank, reference, spread


@reference
def conv(
    w: Weights, x: Tensor, channels: int, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int, bias: bool, padding_mode: str
) -> Tensor:
    convolve: Reference = by_rank(x, F.conv1d, F.conv2d, F.conv3d)
    kernel, stride, dilation = spread(kernel, x), spread(stride, x), spread(dilation, x)
    if x.shape[1] % groups or channels % groups:
        raise ValueError("groups must divide the channels")
    weight = w("weight", channels, x.shape[1] // groups, *kernel)
    shift = w("bias", channels) if bias else None
    mode = "constant" if padding_mode == "zeros" else padding_mode
    margins: list[int] = []
    if padding == "same":
        for n, k, s, d in reversed(list(zip(x.shape[2:], kernel, stride, dilation, strict=True))):
            total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
            margins += [total // 2, total - total // 2]
    elif padding_mode != "zeros":
        margins = [p for n in reversed(spread(0 if padding == "valid" else padding, x)) for p in (n, n)]
    if margins:
        return convolve(F.pad(x, margins, mode), weight, shift, stride, 0, dilation, groups)
    return convolve(x, weight, shift, stride, padding if isinstance(padding, str) else spread(padding, x), dilation, groups)


@reference
def depthwise_conv(
    w: Weights, x: Tensor, kernel: Any, multiplier: int, stride: Any, padding: Any, dilation: Any, bias: bool, padding_mode: str
) -> Tensor:
    return conv(w, x, x.shape[1] * multiplier, kernel, stride, padding, dilation, x.shape[1], bias, padding_mode)


@reference
def conv_transpose(
    w: Weights,
    x: Tensor,
    channels: int,
    kernel: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: Any,
    groups: int,
    bias: bool,
) -> Tensor:
    convolve: Reference = by_rank(x, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
    kernel, stride, dilation, more = spread(kernel, x), spread(stride, x), spread(dilation, x), spread(output_padding, x)
    if x.shape[1] % groups or channels % groups:
        raise ValueError("groups must divide the channels")
    weight = w("weight", x.shape[1], channels // groups, *kernel)
    shift = w("bias", channels) if bias else None
    if padding != "same":
        if any(m >= max(s, d) for m, s, d in zip(more, stride, dilation, strict=True)):  # of tensors without memory PyTorch does not ask
            raise ValueError("output padding must be smaller than either stride or dilation")
        return convolve(x, weight, shift, stride, 0 if padding == "valid" else spread(padding, x), more, groups, dilation)
    whole = convolve(x, weight, None, stride, 0, 0, groups, dilation)
    for axis, (n, k, s, d, m) in enumerate(zip(x.shape[2:], kernel, stride, dilation, more, strict=True), 2):
        before = max(d * (k - 1) + 1 - s, 0) // 2
        whole = whole.narrow(axis, before, whole.shape[axis] - before)
        missing = n * s + m - whole.shape[axis]
        if missing >= max(s, d):
            raise ValueError("output padding must be smaller than either stride or dilation")
        whole = F.pad(whole, (0, 0) * (whole.dim() - 1 - axis) + (0, missing))
    return whole if shift is None else whole + shift.view(-1, *(1,) * len(kernel))


@reference
def maxpool(w: Weights, x: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Tensor:
    pool: Reference = by_rank(x, F.max_pool1d, F.max_pool2d, F.max_pool3d)
    return pool(x, spread(kernel, x), _stride(stride, kernel, x), spread(padding, x), spread(dilation, x), ceil_mode)


@reference
def avgpool(w: Weights, x: Tensor, kernel: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool) -> Tensor:
    pool: Reference = by_rank(x, F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)
    return pool(x, spread(kernel, x), _stride(stride, kernel, x), spread(padding, x), ceil_mode, count_include_pad)


@reference
def lp_pool(w: Weights, x: Tensor, norm: int, kernel: Any, stride: Any, ceil_mode: bool) -> Tensor:
    pool: Reference = by_rank(x, F.lp_pool1d, F.lp_pool2d, F.lp_pool3d)
    if x.dim() == 3:  # one number, and no list of one
        return pool(x, norm, spread(kernel, x)[0], _stride(stride, kernel, x)[0], ceil_mode)
    return pool(x, norm, spread(kernel, x), _stride(stride, kernel, x), ceil_mode)


@reference
def global_avgpool(w: Weights, x: Tensor) -> Tensor:
    pool: Reference = by_rank(x, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)
    return pool(x, 1)


@reference
def global_maxpool(w: Weights, x: Tensor) -> Tensor:
    pool: Reference = by_rank(x, F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)
    return pool(x, 1)


@reference
def adaptive_avgpool(w: Weights, x: Tensor, size: Any) -> Tensor:
    pool: Reference = by_rank(x, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)
    return pool(x, spread(size, x))


@reference
def adaptive_maxpool(w: Weights, x: Tensor, size: Any) -> Tensor:
    pool: Reference = by_rank(x, F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)
    return pool(x, spread(size, x))


def _stride(stride: Any, kernel: Any, x: Tensor) -> tuple[int, ...]:
    return spread(kernel if stride is None else stride, x)


def _windows(x: Tensor, window: Any) -> tuple[int, int]:
    if x.dim() != 4:
        raise ValueError("windows are cut of maps")
    height, width = spread(window, x)
    return height, width


@reference
def window_partition(w: Weights, x: Tensor, window: Any) -> Tensor:
    height, width = _windows(x, window)
    batch, channels, rows, columns = x.shape
    parts = x.view(batch, channels, rows // height, height, columns // width, width)
    return parts.permute(0, 2, 4, 3, 5, 1).reshape(batch, rows // height, columns // width, height * width, channels)


@reference
def window_merge(w: Weights, x: Tensor, window: Any) -> Tensor:
    batch, rows, columns, _, channels = x.shape
    height, width = (window, window) if isinstance(window, int) else window
    parts = x.view(batch, rows, columns, height, width, channels)
    return parts.permute(0, 5, 1, 3, 2, 4).reshape(batch, channels, rows * height, columns * width)


@reference
def window_shift(w: Weights, x: Tensor, shift: Any, back: bool) -> Tensor:
    by = spread(shift, x)
    if min(by) < 0 or x.dim() < 3:
        raise ValueError("a shift is not negative, and moves axes in space")
    return torch.roll(x, by if back else tuple(-n for n in by), tuple(range(2, x.dim())))
