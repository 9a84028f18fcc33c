"""Convolutions whose margins ``torch.nn`` does not work out: ``same`` with a stride, and margins that differ between two sides."""

from __future__ import annotations

from typing import Any, Final, Literal

from torch import Tensor, nn
from torch.nn import functional as F

from netspec.shape import same_padding


class _Same(nn.Module):
    """Mixed in before a convolution without padding: as many windows as ``ceil(size / stride)``, whatever the size is."""

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding_mode: Literal["zeros", "reflect", "replicate", "circular"]

    def forward(self, x: Tensor) -> Tensor:
        axes = zip(x.shape[2:], self.kernel_size, self.stride, self.dilation, strict=True)
        sides = [margin for axis in reversed(list(axes)) for margin in same_padding(*axis)]
        padded = F.pad(x, sides, "constant" if self.padding_mode == "zeros" else self.padding_mode)
        return super().forward(padded)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, same"


class SameConv1d(_Same, nn.Conv1d):
    """A convolution padded to ``ceil(size / stride)`` places."""


class SameConv2d(_Same, nn.Conv2d):
    """A convolution padded to ``ceil(size / stride)`` places on each axis."""


class SameConv3d(_Same, nn.Conv3d):
    """A convolution padded to ``ceil(size / stride)`` places on each axis."""


class _CutBehind(nn.Module):
    """Mixed in before a transposed convolution: the last ``cut`` places of each axis are left out."""

    def __init__(self, cut: tuple[int, ...], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cut = cut

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = super().forward(x)
        for axis, places in enumerate(self.cut, 2):
            result = result.narrow(axis, 0, result.shape[axis] - places)
        return result

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, cut={self.cut}"


class CutConvTranspose1d(_CutBehind, nn.ConvTranspose1d):  # type: ignore[misc]
    """A transposed convolution that is cut differently at its two ends."""


class CutConvTranspose2d(_CutBehind, nn.ConvTranspose2d):  # type: ignore[misc]
    """A transposed convolution that is cut differently at opposite sides."""


class CutConvTranspose3d(_CutBehind, nn.ConvTranspose3d):  # type: ignore[misc]
    """A transposed convolution that is cut differently at opposite sides."""


MODULES: Final[tuple[type[nn.Module], ...]] = (
    *(SameConv1d, SameConv2d, SameConv3d),
    *(CutConvTranspose1d, CutConvTranspose2d, CutConvTranspose3d),
)
