"""How long a frozen part takes to compute: measured on a batch, or estimated before there is a net."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from netspec.backends.torch import CompiledNet
from netspec.frontier import Frontier
from netspec.training.devices.precision import Precision, mixed

_TIMES = 2
_SAMPLES = 8


def measured_seconds(net: CompiledNet, frontier: Frontier, inputs: Sequence[Tensor], precision: Precision) -> float:
    """Seconds for one view of one sample: the quickest of two passes over the first samples of a batch, after one that is not counted."""
    device = inputs[0].device
    nodes = [v.node for v in frontier.values]
    some = [x[:_SAMPLES] for x in inputs]
    with mixed(precision, device):
        return _quickest(lambda: net.features(nodes, *some), device) / len(some[0])


def estimated_seconds(frontier: Frontier, device: torch.device, precision: Precision) -> float:
    """The same from the products alone, at the rate of a plain convolution on this machine.

    Few layers are as quick as that, so it is too little rather than too much: what is said to pay will pay.
    """
    image = torch.zeros(8, 64, 28, 28, device=device).contiguous(memory_format=torch.channels_last)
    weight = torch.zeros(64, 64, 3, 3, device=device).contiguous(memory_format=torch.channels_last)
    products = 8 * 64 * 64 * 9 * 28 * 28
    with torch.no_grad(), mixed(precision, device):
        seconds = _quickest(lambda: functional.conv2d(image, weight, padding=1), device)
    return frontier.macs * seconds / products


def _quickest(work: object, device: torch.device) -> float:
    assert callable(work)
    found = []
    for _ in range(_TIMES + 1):
        _wait(device)
        started = time.perf_counter()
        work()
        _wait(device)
        found.append(time.perf_counter() - started)
    return min(found[1:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
