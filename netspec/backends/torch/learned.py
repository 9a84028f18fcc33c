"""Layers that are one learned tensor, which stands in the state dict under the layer's own path.

In PyTorch such a tensor is a parameter of the module around it, as ``class_token`` in torchvision's VisionTransformer. So a layer
here is made with its tensor under the empty name, and :meth:`Learned.settle` hands that to the region it stands in.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor, nn


class Learned(nn.Module):
    """A layer with one tensor of its own, ``tensor``, wherever that is kept.

    What is remembered is the table of parameters and the name in it, and never the parameter: moving to a device, loading with
    ``assign=True`` and ``torch.func.functional_call`` all put another one in its place.
    """

    def __init__(self, shape: tuple[int, ...], device: torch.device | str | None = None) -> None:
        super().__init__()
        self.name = ""
        self.table: dict[str, nn.Parameter | None] = self._parameters
        self.table[""] = nn.Parameter(torch.empty(shape, device=device))
        self.reset_parameters()

    @property
    def tensor(self) -> nn.Parameter:
        """The parameter, as it is now."""
        tensor = self.table[self.name]
        assert tensor is not None
        return tensor

    @abstractmethod
    def reset_parameters(self) -> None:
        """Start anew."""

    def settle(self, region: nn.Module, name: str) -> None:
        """Hand the parameter to the region around this layer, under the layer's own name there."""
        region._parameters[name] = self._parameters.pop("")
        self.table, self.name = region._parameters, name

    def extra_repr(self) -> str:
        return "x".join(map(str, self.tensor.shape))


def parameters_of(leaf: nn.Module) -> Iterator[nn.Parameter]:
    """What a layer learns, also where the region around it keeps it."""
    return iter([leaf.tensor]) if isinstance(leaf, Learned) else leaf.parameters()


class ClassToken(Learned):
    """Learned tokens before each sequence."""

    def __init__(self, tokens: int, features: int, device: torch.device | str | None = None) -> None:
        super().__init__((1, tokens, features), device)

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.tensor)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.tensor.expand(x.shape[0], -1, -1), x], 1)


class PositionEmbedding(Learned):
    """Something learned for each place, added to what stands there."""

    def reset_parameters(self) -> None:
        nn.init.normal_(self.tensor, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.tensor


class LayerScale(Learned):
    """A learned factor for each channel. ``shape`` has a 1 for each axis behind the channels."""

    def __init__(self, shape: tuple[int, ...], init: float, device: torch.device | str | None = None) -> None:
        self.init = init
        super().__init__(shape, device)

    def reset_parameters(self) -> None:
        nn.init.constant_(self.tensor, self.init)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.tensor


MODULES: Final = (ClassToken, PositionEmbedding, LayerScale)
