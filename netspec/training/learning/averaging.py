"""A running mean of the weights, which is used in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from netspec.training.devices.sharding import divided_as, held


class Averaged:
    """The exponential running mean of a net's parameters (Polyak and Juditsky, 1992).

    Buffers, as the running statistics of batch norms, are means already and are taken as they are. What does not learn is not touched.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self.means = {key: parameter.detach().clone() for key, parameter in net.named_parameters()}

    def update(self, net: nn.Module, step: int) -> None:
        """Move towards the weights after step ``step`` (from 1) of the run, at most as far as `(1 + step) / (10 + step)` lets it stay."""
        decay = min(self.decay, (1 + step) / (10 + step))
        learning = [(held(self.means[key]), held(p.detach())) for key, p in net.named_parameters() if p.requires_grad]
        torch._foreach_lerp_([mean for mean, _ in learning], [p for _, p in learning], 1 - decay)

    def settle(self, net: nn.Module) -> None:
        """Let what does not learn be its own mean: what goes on to learn will be trained on what exactly that gives, and used with it."""
        for key, parameter in net.named_parameters():
            if not parameter.requires_grad:
                self.means[key].copy_(parameter.detach())

    def weights(self, net: nn.Module) -> dict[str, Tensor]:
        """The net's state dict with the means in the place of the weights."""
        return {key: self.means.get(key, tensor) for key, tensor in net.state_dict().items()}

    def load(self, means: Mapping[str, Tensor]) -> None:
        """Go on from means that were saved. Raises :class:`KeyError` or :class:`RuntimeError` where they are not those of the net."""
        for key, mean in self.means.items():
            mean.copy_(divided_as(mean, means[key]))

    @contextmanager
    def in_place(self, net: nn.Module) -> Iterator[None]:
        """Meanwhile the net has the means as its weights; afterwards, bit for bit, its own."""
        own = {key: parameter.detach().clone() for key, parameter in net.named_parameters()}
        _put(net, self.means)
        try:
            yield
        finally:
            _put(net, own)


def _put(net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for key, parameter in net.named_parameters():
            parameter.copy_(tensors[key])
