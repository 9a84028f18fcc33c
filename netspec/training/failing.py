"""What ends a training, told with where it was: a device that fails, an image that is gone, numbers that are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from netspec.backends.torch import CompiledNet
from netspec.diagnostics import Diagnostic, NetspecError, failure
from netspec.diagnostics.data import BadImages
from netspec.diagnostics.learning import DeviceFailed
from netspec.diagnostics.measuring import LossNotFinite
from netspec.training.devices.precision import Precision, mixed
from netspec.training.devices.sharding import held
from netspec.training.folders.checkpoint import Position
from netspec.training.folders.keeper import Keeper

_FAILS: Final = ("CUDA error", "HIP error", "MPS backend", "NCCL error")


@contextmanager
def told_of_device(device: torch.device, keeper: Keeper) -> Iterator[None]:
    """Say of a device that fails that it has, and what is kept: N856."""
    try:
        yield
    except RuntimeError as error:
        if not _of_device(error):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise failure(DeviceFailed(str(device), keeper.record.epochs_done, reason, keeper.kept)) from error


@contextmanager
def told_of_images(position: Callable[[], Position]) -> Iterator[None]:
    """Say of images that could be read before, and cannot be any more, in which epoch that was."""
    try:
        yield
    except NetspecError as error:
        if not any(isinstance(d.problem, BadImages) for d in error.diagnostics):
            raise
        raise NetspecError([_dated(d, position().epoch + 1) for d in error.diagnostics]) from error


def _dated(found: Diagnostic, epoch: int) -> Diagnostic:
    return replace(found, problem=replace(found.problem, epoch=epoch)) if isinstance(found.problem, BadImages) else found


def _of_device(error: RuntimeError) -> bool:
    """Whether a device has failed. It may be out of memory as well, which is another thing."""
    if isinstance(error, torch.OutOfMemoryError):
        return False
    return type(error).__name__ == "AcceleratorError" or str(error).startswith(_FAILS)


def check_weights(net: CompiledNet, position: Position, kept: str | None) -> None:
    """Raise N950 where a weight is not finite: the last step of an epoch may have spoilt it without having shown in a loss."""
    for name, tensor in net.state_dict().items():
        if not _finite(tensor):
            raise failure(LossNotFinite(f"the weight {name}", position.epoch + 1, position.step, kept))


def first_not_finite(net: CompiledNet, inputs: Mapping[str, Tensor], precision: Precision, device: torch.device) -> str | None:
    """What first holds a number that is not finite: a parameter, or else a layer in what it makes of a batch. ``None`` where nothing does.

    Running statistics are passed over, since it is batches that spoil them.
    """
    for key, tensor in net.named_parameters():
        if not _finite(tensor):
            return f"the weight {key}"
    with mixed(precision, device):
        layers = [node for node in net.graph.nodes if node.role != "input"]
        values = net.features([node.index for node in layers], *inputs.values())
    found = (node.path for node, value in zip(layers, values, strict=True) if not _finite(value))
    path = next(found, None)
    return None if path is None else f"the layer {path}"


def _finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(held(tensor)).all())
