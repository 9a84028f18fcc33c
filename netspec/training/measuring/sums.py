"""What an epoch sums up over its samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from netspec.training.devices.processes import ALONE, Processes


class Sums:
    """Sums of figures over the samples of all processes, kept on the device so that no step waits for the host.

    They are sums in double precision, but on a device that has none.
    """

    def __init__(
        self, names: Sequence[str], begun: Mapping[str, float], step: int, device: torch.device, processes: Processes = ALONE
    ) -> None:
        self._names = tuple(names)
        kind = torch.float32 if device.type == "mps" else torch.float64
        self._sums = torch.tensor([begun.get(name, 0.0) for name in names], dtype=kind, device=device)
        self._bad = torch.tensor(-1, dtype=torch.int64, device=device)
        self._step = step
        self._total = processes.total
        self._noted = self._sums

    def add(self, figures: Mapping[str, Tensor]) -> None:
        """Add the sums of a batch, of which each process has its part."""
        self._step += 1
        self._sums = self._sums + self._total(torch.stack([figures[name].to(self._sums.dtype) for name in self._names]))
        self._bad = torch.where((self._bad < 0) & ~torch.isfinite(self._sums).all(), self._step, self._bad)

    def note(self) -> None:
        """A step of the optimiser is over."""
        self._noted = self._sums

    def first_bad_step(self) -> int | None:
        """The first batch after which a sum was not finite, counted from 1."""
        step = int(self._bad)
        return step if step > 0 else None

    def values(self) -> dict[str, float]:
        """The sums when the last step was over, by name."""
        return dict(zip(self._names, self._noted.tolist(), strict=True))
