"""Nets of the library, for tests that run them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from netspec.compiler import load
from netspec.graph import Graph
from netspec.resources import folder

NETS = {
    "mnist_convnet": ("mnist_convnet", None),
    "lenet5": ("lenet5", None),
    "squeezenet": ("squeezenet", "SqueezeNet1_1"),
    "mobilenet_v2": ("mobilenet_v2", None),
    "resnet18": ("resnet", "ResNet18"),
    "densenet121": ("densenet", "DenseNet121"),
    "googlenet": ("googlenet", None),
    "efficientnet_b0": ("efficientnet", "EfficientNetB0"),
    "photo_and_table": ("photo_and_table", None),
    "siamese": ("siamese", None),
    "transformer_encoder": ("transformer_encoder", None),
    "resnet50": ("resnet50", None),
    "vgg16": ("vgg16", None),
    "alexnet": ("alexnet", None),
    "shufflenet_v2": ("shufflenet_v2", "ShuffleNetV2_x1_0"),
    "unet": ("unet", "UNet"),
    "vit": ("vit", "ViT_B_16"),
    "swin": ("swin", None),
    "convnext": ("convnext", "ConvNeXtTiny"),
}
RUN = (
    *("mnist_convnet", "lenet5", "squeezenet", "mobilenet_v2", "resnet18", "densenet121", "googlenet", "efficientnet_b0"),
    *("photo_and_table", "siamese", "transformer_encoder"),
)
"""Those that a test of numbers runs."""


def zoo(name: str, settings: Mapping[str, object] | None = None) -> Graph:
    """A net by its row in ``NETS``."""
    file, net = NETS[name]
    return load(folder("specs") / f"{file}.net", net=net, settings=settings)


def images(graph: Graph, batch: int, seed: int = 0) -> list[Tensor]:
    """A batch for each input: bytes for pictures, floats for anything else."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randint(0, 256, (batch, *n.output), dtype=torch.uint8, generator=generator)
        if len(n.output) == 3
        else torch.rand(batch, *n.output, generator=generator)
        for n in graph.inputs
    ]
