"""Which device computes."""

from __future__ import annotations

import torch

from netspec.diagnostics import failure
from netspec.diagnostics.devices import DeviceNotForSeveral, NoSuchDevice
from netspec.training.devices.processes import Processes


def choose_device(name: str) -> torch.device:
    """The device of a name: `cpu`, `cuda`, `cuda:1`, `mps`, or `auto`, the fastest there is. Raises N758 where it is not available."""
    available = available_devices()
    if name == "auto":
        return torch.device(available[-1])
    kind, _, number = name.partition(":")
    if kind not in available or (number and not _exists(kind, number)):
        raise failure(NoSuchDevice(name, available))
    return torch.device(name)


def own_device(name: str, processes: Processes) -> torch.device:
    """The device of one process of a training: of several on a machine with CUDA devices, each has one of its own.

    Raises N758 where it is not available, and N850 where several processes cannot share it.
    """
    chosen = choose_device(name)
    if not processes.several or chosen.type == "cpu":
        return chosen
    if chosen.type != "cuda" or chosen.index is not None:
        raise failure(DeviceNotForSeveral(str(chosen), processes.count))
    own = choose_device(f"cuda:{processes.local}")
    torch.cuda.set_device(own)
    return own


def available_devices() -> tuple[str, ...]:
    """The kinds of devices on this machine, the fastest last."""
    found = ["cpu"]
    if torch.backends.mps.is_available():
        found.append("mps")
    if torch.cuda.is_available():
        found.append("cuda")
    return tuple(found)


def _exists(kind: str, number: str) -> bool:
    if not number.isascii() or not number.isdecimal():
        return False
    return int(number) < (torch.cuda.device_count() if kind == "cuda" else 1)
