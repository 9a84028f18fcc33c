"""A net divided among the processes of a training: each holds a part of every weight, and with it of the gradient and of what the
optimiser keeps for it. The weights of a large layer are put together where it computes, forwards and again backwards, and let go behind
it; those of small ones all at once, and with them learned tokens and tables, which belong to no layer that is called (PyTorch's
`fully_shard`; Rajbhandari et al., "ZeRO", 2020, and Zhao et al., "PyTorch FSDP", 2023). In `bf16` each process has the weights whole for a
step all the same, in 16 bits: autocast makes that copy, and keeps it for the backward pass.

Running statistics are whole in every process. To read a weight takes all of them: what calls :func:`whole` is to be called in each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, distributed, nn

from netspec.backends.torch import CompiledNet
from netspec.diagnostics import failure
from netspec.diagnostics.devices import NotSharded
from netspec.report.models import TrainSettings
from netspec.training.devices.processes import Processes, told_of_the_dead

_LARGE: Final = 2**16
"""Numbers in a layer from which on it is put together by itself: a message of its own costs more than a smaller one has to send."""


def check_sharding(settings: TrainSettings, processes: Processes, rescue: bool) -> None:
    """Raise N851 where a net cannot be divided, or where what is asked for beside it cannot be had with it."""
    found = {
        "one process alone": not processes.several,
        "compile = true": settings.compile,
        "layout = channels_last": settings.layout == "channels_last",
        "--rescue-dir": rescue,
    }
    for what, given in found.items():
        if given:
            raise failure(NotSharded(what))


def shard_weights(root: nn.Module, net: CompiledNet, device: torch.device) -> None:
    """Divide the weights of a net, which ``root`` runs. They move to the device a layer at a time, and need not fit there all at once."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    with told_of_the_dead():
        mesh = init_device_mesh(device.type, (distributed.get_world_size(),))
        for layer in net.leaves.values():
            if sum(parameter.numel() for parameter in layer.parameters()) >= _LARGE:
                fully_shard(layer, mesh=mesh, reshard_after_forward=True)
        fully_shard(root, mesh=mesh, reshard_after_forward=True)


def whole(tensor: Tensor) -> Tensor:
    """A tensor put together from the parts of all processes; one that is not divided is given as it is."""
    gather = getattr(tensor, "full_tensor", None)
    if gather is None:
        return tensor
    with told_of_the_dead():
        found: Tensor = gather()
    return found


def gathered(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors whole and on the CPU, ready to be written."""
    return {key: whole(tensor.detach()).cpu().contiguous() for key, tensor in tensors.items()}


def attend(tensors: Mapping[str, Tensor]) -> None:
    """What the other processes do where one has divided tensors :func:`gathered`: no more than one is whole at a time."""
    for tensor in tensors.values():
        whole(tensor)


def held(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds, in the same memory."""
    local = getattr(tensor, "to_local", None)
    found: Tensor = tensor if local is None else local()
    return found


def divided_as(other: Tensor, tensor: Tensor) -> Tensor:
    """A whole tensor, of which each process takes its part where ``other`` is divided."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(other, DTensor):
        return tensor
    return distribute_tensor(tensor, other.device_mesh, other.placements, src_data_rank=None)


def load_whole(net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """As `load_state_dict`, also into a net that is divided. Raises :class:`RuntimeError` where the keys or shapes are others."""
    own = net.state_dict()
    net.load_state_dict({key: divided_as(own[key], tensor) if key in own else tensor for key, tensor in tensors.items()})
