"""Nets that torchvision does not have, written once more in plain PyTorch, each straight from its paper or book."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_CAFFE_MEAN = torch.tensor([123.68, 116.779, 103.939]).view(3, 1, 1)


def caffe(image: Tensor) -> Tensor:
    """The mean colour taken away, as for the nets of Caffe's time."""
    return image - _CAFFE_MEAN


class _Chain(nn.Module):
    """A chain of parts by name."""

    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x: Tensor) -> Tensor:
        for part in self.children():
            x = part(x)
        return x


def lenet5() -> nn.Module:
    """LeCun et al., 1998, in its usual modern form."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def mnist_convnet() -> nn.Module:
    """Chollet, 2021, section 8.1."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(64, 128, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(1152, 10),
    )  # fmt: skip


def cats_dogs() -> nn.Module:
    """Chollet, 2021, section 8.2."""
    layers: list[nn.Module] = []
    for before, width in ((3, 32), (32, 64), (64, 128), (128, 256)):
        layers += [nn.Conv2d(before, width, 3), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Conv2d(256, 256, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12544, 1), nn.Sigmoid())


def _classifier() -> nn.Module:
    return nn.Sequential(
        nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4096, 1000)
    )


def alexnet_2012(groups: int = 2) -> nn.Module:
    """Krizhevsky, Sutskever and Hinton, 2012, section 3.5: the kernels of the second, fourth and fifth layer see one device's maps.

    The paper's normalisation sums 5 maps with alpha = 1e-4; PyTorch's takes their mean, and so 5 times that.
    """
    return _Chain(
        features=nn.Sequential(
            nn.Conv2d(3, 96, 11, stride=4), nn.ReLU(), nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2), nn.MaxPool2d(3, 2),
            nn.Conv2d(96, 256, 5, padding=2, groups=groups), nn.ReLU(), nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 384, 3, padding=1, groups=groups), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1, groups=groups), nn.ReLU(), nn.MaxPool2d(3, 2),
        ),
        flat=nn.Flatten(),
        classifier=_classifier(),
    )  # fmt: skip


def zfnet() -> nn.Module:
    """Zeiler and Fergus, 2013, figure 3."""
    return _Chain(
        features=nn.Sequential(
            nn.Conv2d(3, 96, 7, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1), nn.LocalResponseNorm(5, alpha=5e-4, k=2),
            nn.Conv2d(96, 256, 5, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1), nn.LocalResponseNorm(5, alpha=5e-4, k=2),
            nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
        ),
        flat=nn.Flatten(),
        classifier=_classifier(),
    )  # fmt: skip


def mobilenet_v1() -> nn.Module:
    """Howard et al., 2017, table 1."""

    def conv_bn(before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
        conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU())

    table = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    layers, before = [conv_bn(3, 32, 3, stride=2)], 32
    for width, stride in table:
        layers.append(nn.Sequential(conv_bn(before, before, 3, stride, before), conv_bn(before, width, 1)))
        before = width
    return _Chain(features=nn.Sequential(*layers), pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), classifier=nn.Linear(1024, 1000))
