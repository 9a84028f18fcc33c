"""Layers that the language will have and that are not built yet, with their names in other frameworks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

PLANNED: Final[Mapping[str, tuple[str, ...]]] = {
    "celu": ("CELU",),
    "conv_transpose": (
        "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "deconv",
        "Deconvolution", "upconv", "transposed_conv", "convtranspose", "transposedConv2dLayer",
    ),
    "depthwise_conv": ("DepthwiseConv2D", "SeparableConv2D"),
    "elu": ("ELU", "eluLayer"),
    "embedding": ("Embedding",),  # its input are whole numbers, and every tensor of a net is of floats so far
    "group_norm": ("GroupNorm", "GroupNormalization", "gn", "groupnorm"),
    "hardsigmoid": ("Hardsigmoid", "hard_sigmoid"),
    "hardswish": ("Hardswish", "hard_swish", "h_swish"),
    "instance_norm": ("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "InstanceNormalization"),
    "layer_norm": ("LayerNorm", "LayerNormalization", "ln", "layernorm"),
    "log_softmax": ("LogSoftmax",),
    "lrn": ("LocalResponseNorm", "LocalResponseNormalization", "local_response_norm"),
    "lstm": ("LSTM", "GRU", "RNN"),
    "mish": ("Mish",),
    "prelu": ("PReLU",),
    "selu": ("SELU",),
    "softplus": ("Softplus",),
}  # fmt: skip


def planned(name: str) -> str | None:
    """The layer that a name stands for, here or in another framework, letter case aside, if it is one that is not built yet."""
    return _names().get(name.casefold())


@cache
def _names() -> dict[str, str]:
    return {other.casefold(): name for name, elsewhere in PLANNED.items() for other in (name, *elsewhere)}
