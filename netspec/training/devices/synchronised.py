"""What goes by all samples of a batch, where several processes have a part of it each: batch norms, and losses that are divided by what is
in the batch.

Both are made of sums over processes that gradients go through. PyTorch's own `SyncBatchNorm` does so on CUDA devices alone; this one works
on any device. Mean and variance are taken in two passes, as the sum of squares less the square of the sum loses too many digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MethodType
from typing import Any, NamedTuple

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from netspec.training.devices.processes import ALONE, Processes, told_of_the_dead


class Share(NamedTuple):
    """What a process computes of a batch: the samples from ``start`` to ``end`` of an epoch's order. Without ``counts`` that is one sample
    which counts for nothing, as every process takes part in every step; ``mixes`` says whether each has enough to mix with one another.
    """

    start: int
    end: int
    counts: bool
    mixes: bool


def shares(bounds: Sequence[tuple[int, int]], processes: Processes) -> list[Share]:
    """The share of a process of each batch of an epoch."""
    found = []
    for first, behind in bounds:
        start, end = processes.part(first, behind)
        counts, mixes = start < end, (behind - first) // processes.count >= 2
        found.append(Share(start, end, counts, mixes) if counts else Share(first, first + 1, counts, mixes))
    return found


class Together:
    """Sums over the samples of all processes.

    ``counts`` says whether what this process computes counts: where it has no samples of a batch, it computes one that does not.
    """

    def __init__(self, processes: Processes = ALONE) -> None:
        self._several = processes.several
        self.counts = True

    def __call__(self, *own: Tensor) -> tuple[Tensor, ...]:
        """The sums of tensors of one type over all processes, as one message. Gradients that come back are summed as well."""
        if not self._several:
            return own
        flat = torch.cat([part.reshape(-1) for part in own])
        summed: Tensor = _Sum.apply(flat if self.counts else flat * 0)  # type: ignore[no-untyped-call]
        parts = torch.split(summed, [part.numel() for part in own])
        return tuple(part.view(mine.shape) for part, mine in zip(parts, own, strict=True))


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        return _total(own)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _total(gradient)


def _total(tensor: Tensor) -> Tensor:
    summed = tensor.clone(memory_format=torch.contiguous_format)
    with told_of_the_dead():
        distributed.all_reduce(summed)
    return summed


def synchronise(net: nn.Module, together: Together) -> None:
    """Let every batch norm of a net that is in training mode go by the samples of all processes."""

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(norm: _BatchNorm, x: Tensor) -> Tensor:
        return _normed(norm, x, together) if norm.training else type(norm).forward(norm, x)

    for module in net.modules():
        if isinstance(module, _BatchNorm):
            module.forward = MethodType(forward, module)  # type: ignore[method-assign]


def _normed(norm: _BatchNorm, x: Tensor, together: Together) -> Tensor:
    axes = [axis for axis in range(x.dim()) if axis != 1]
    shape = [1, -1, *([1] * (x.dim() - 2))]
    values = x.float()
    total, count = together(values.sum(axes), values.new_full((1,), x.numel() // x.shape[1]))
    mean = total / count
    centred = values - mean.view(shape)
    variance = together(centred.square().sum(axes))[0] / count
    _remember(norm, mean.detach(), (variance * (count / (count - 1))).detach())
    normed = centred * torch.rsqrt(variance + norm.eps).view(shape)
    if norm.weight is not None:
        normed = normed * norm.weight.view(shape) + norm.bias.view(shape)
    return normed.to(x.dtype)


def _remember(norm: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """The running statistics, as `torch.nn.BatchNorm2d` keeps them: the variance is the unbiased one."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    with torch.no_grad():
        norm.num_batches_tracked += 1
        rate = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
        norm.running_mean.lerp_(mean, rate)
        norm.running_var.lerp_(variance, rate)


class Standing:
    """The running statistics of a net as they were when the last step of the optimiser was over: a step that another process breaks off by
    dying has moved some of them already."""

    def __init__(self, net: nn.Module) -> None:
        norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
        self._now = [buffer for norm in norms for buffer in norm.buffers()]
        self._noted = [buffer.clone() for buffer in self._now]

    def note(self) -> None:
        """A step is over."""
        if self._now:
            torch._foreach_copy_(self._noted, self._now)

    def restore(self) -> None:
        """Go back to where the last step was over."""
        for now, noted in zip(self._now, self._noted, strict=True):
            now.copy_(noted)
