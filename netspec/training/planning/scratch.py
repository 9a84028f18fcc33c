"""What PyTorch's kernels take for themselves on a CPU, beside their results and only while they run.

Taken from the allocations that PyTorch's profiler shows of single operators (2.13, oneDNN 3): a convolution brings tensors into the order
that it computes in, and a few kernels bring back the order of their input. A kernel that is not named here takes nothing, or little.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor

aten = torch.ops.aten


def cpu_scratch(func: Any, args: Sequence[Any], result: Any) -> int:
    """The bytes that an operator takes for itself."""
    rule = _RULES.get(func)
    return 0 if rule is None else rule(args, result)


def no_scratch(func: Any, args: Sequence[Any], result: Any) -> int:
    """Nothing: what the libraries of an accelerator take is theirs to choose."""
    return 0


def _forward(args: Sequence[Any], result: Tensor) -> int:
    """A convolution: the input and the weight in oneDNN's order, then the result from there."""
    x, weight = args[0], args[1]
    if _pointwise(weight):
        return 0
    if _channels_last(x, weight):
        return _reordered(weight, args) + (0 if _lies_so(x) else _bytes(x))
    before = (_blocked(x) if x.shape[1] > 3 else 0) + _reordered(weight, args)
    return max(before, _blocked(result))


def _backward(args: Sequence[Any], result: Any) -> int:
    """The gradients of a convolution: beside the input and its gradient, the weight and its gradient twice."""
    gradient, x, weight = args[0], args[1], args[2]
    if _pointwise(weight):
        return 0
    if _channels_last(x, weight):
        copies = sum(_bytes(t) for t in (gradient, x) if not _lies_so(t))
        return 2 * _reordered(weight, args[1:]) + copies
    return _blocked(gradient) + (_blocked(x) if x.shape[1] > 3 else 0) + _reordered(weight, args[1:])


def _of_input(args: Sequence[Any], result: Any) -> int:
    """The gradient of a batch norm's input is made twice."""
    return _bytes(args[1])


def _pooled(args: Sequence[Any], result: Tensor) -> int:
    """A pooling whose gradient comes in another order than its input has: the new gradient once more, and the places of the largest."""
    gradient, x = args[0], args[1]
    if gradient.dim() != 4 or _order(gradient) == _order(x):
        return 0
    places = args[-1] if isinstance(args[-1], Tensor) and args[-1] is not x else None
    return _bytes(x) + (0 if places is None else _bytes(places))


def _channels_last(*tensors: Tensor) -> bool:
    """Whether PyTorch computes with the channels last: one of the tensors says so."""
    return any(t.dim() == 4 and _order(t) == torch.channels_last for t in tensors)


def _order(tensor: Tensor) -> torch.memory_format:
    """As PyTorch's own ``suggest_memory_format``: a tensor that fits both orders counts as having its channels first."""
    _, channels, height, width = tensor.stride() if tensor.dim() == 4 else (0, 0, 0, 0)
    last = tensor.dim() == 4 and channels <= width <= height and tensor.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last and channels < max(height, 2) else torch.contiguous_format


def _lies_so(tensor: Tensor) -> bool:
    return tensor.is_contiguous(memory_format=torch.channels_last)


def _pointwise(weight: Tensor) -> bool:
    return all(n == 1 for n in weight.shape[2:])


def _reordered(weight: Tensor, args: Sequence[Any]) -> int:
    """The weight in oneDNN's order; one of a single input channel to each group is taken as it is."""
    return _bytes(weight) if weight.shape[1] > 1 else 0


def _blocked(tensor: Tensor) -> int:
    """A tensor in blocks of channels, as many as the processor computes with at once."""
    block = 16 if "512" in torch.backends.cpu.get_cpu_capability() else 8
    channels = math.ceil(tensor.shape[1] / block) * block
    return _bytes(tensor) // max(tensor.shape[1], 1) * channels


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


_RULES: Final[Mapping[Any, Callable[[Sequence[Any], Any], int]]] = {
    aten.convolution.default: _forward,
    aten.convolution_backward.default: _backward,
    aten.native_batch_norm_backward.default: _of_input,
    aten.max_pool2d_with_indices_backward.default: _pooled,
    aten.avg_pool2d_backward.default: _pooled,
}
