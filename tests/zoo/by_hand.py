"""Nets that torchvision does not have, written once more in plain PyTorch, each straight from its paper or book."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.zoo.peer import models

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


class _UNet(nn.Module):
    def __init__(self, before: int, classes: int, padding: int) -> None:
        super().__init__()
        self.padding = padding
        widths = [64, 128, 256, 512]
        for i, width in enumerate(widths, 1):
            self.add_module(f"down{i}", self._double(before, width))
            before = width
        self.bottom = self._double(512, 1024)
        for i, width in reversed(list(enumerate(widths, 1))):
            up = nn.Module()
            up.add_module("upper", nn.ConvTranspose2d(2 * width, width, 2, stride=2))
            up.add_module("joined", self._double(2 * width, width))
            self.add_module(f"up{i}", up)
        self.mask = nn.Conv2d(64, classes, 1)

    def _double(self, before: int, width: int) -> nn.Module:
        first, second = (nn.Conv2d(n, width, 3, padding=self.padding) for n in (before, width))
        return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for i in range(1, 5):
            skips.append(x := self.get_submodule(f"down{i}")(x))
            x = F.max_pool2d(F.dropout(x, 0.5, self.training) if i == 4 else x, 2)
        x = F.dropout(self.bottom(x), 0.5, self.training)
        for i in range(4, 0, -1):
            x = self.get_submodule(f"up{i}.upper")(x)
            skip = skips[i - 1]
            top, left = (skip.shape[2] - x.shape[2]) // 2, (skip.shape[3] - x.shape[3]) // 2
            skip = skip[:, :, top : top + x.shape[2], left : left + x.shape[3]]
            x = self.get_submodule(f"up{i}.joined")(torch.cat([skip, x], 1))
        return self.mask(x)


def unet() -> nn.Module:
    """Ronneberger et al., 2015, figure 1."""
    return _UNet(1, 2, padding=0)


def unet_any_size() -> nn.Module:
    """The same with a margin of one, for pictures of three colours."""
    return _Chain(mask=_UNet(3, 2, padding=1))


def _darknet(before: int, width: int, kernel: int) -> nn.Module:
    conv = nn.Conv2d(before, width, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(width), nn.LeakyReLU(0.1))


class _YOLOv3Tiny(nn.Module):
    """The sections of yolov3-tiny.cfg in their order; what has weights has the path that the positions of our steps come to."""

    def __init__(self) -> None:
        super().__init__()
        for name, module in {
            "0": _darknet(3, 16, 3), "2": _darknet(16, 32, 3), "4": _darknet(32, 64, 3), "6": _darknet(64, 128, 3),
            "fine": _darknet(128, 256, 3), "10": _darknet(256, 512, 3), "13": _darknet(512, 1024, 3), "coarse": _darknet(1024, 256, 1),
            "15": _darknet(256, 512, 3), "grid13": nn.Conv2d(512, 255, 1),
            "17": _darknet(256, 128, 1), "19": _darknet(384, 256, 3), "grid26": nn.Conv2d(256, 255, 1),
        }.items():  # fmt: skip
            self.add_module(name, module)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        part = self.get_submodule
        for name in "0246":
            x = F.max_pool2d(part(name)(x), 2)
        fine = part("fine")(x)
        x = part("10")(F.max_pool2d(fine, 2))
        x = F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-torch.inf), 2, stride=1)  # nothing stands behind the last row and column
        coarse = part("coarse")(part("13")(x))
        grid13 = part("grid13")(part("15")(coarse))
        x = part("17")(coarse).repeat_interleave(2, 2).repeat_interleave(2, 3)
        return grid13, part("grid26")(part("19")(torch.cat([x, fine], 1)))


def yolo_v3_tiny() -> nn.Module:
    """Redmon and Farhadi, 2018, as in the authors' yolov3-tiny.cfg, for the 80 classes of COCO."""
    return _YOLOv3Tiny()


class _Siamese(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, width, kernel in ((1, 64, 10), (64, 128, 7), (128, 128, 4)):
            layers += [nn.Conv2d(before, width, kernel), nn.ReLU(), nn.MaxPool2d(2)]
        self.encoder = nn.Sequential(*layers, nn.Conv2d(128, 256, 4), nn.ReLU(), nn.Flatten(), nn.Linear(256 * 6 * 6, 4096), nn.Sigmoid())
        self.same = nn.Linear(4096, 1)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.same((self.encoder(right) - self.encoder(left)).abs())


def siamese() -> nn.Module:
    """Koch et al., 2015, figure 4."""
    return _Siamese()


class _AgeGender(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.base = models.resnet50()
        del self.base.fc
        self.trunk = nn.Sequential(nn.Linear(2048, 512), nn.ReLU(), nn.Dropout(0.4))
        for name in ("age_head", "gender_head"):
            self.add_module(name, nn.Sequential(nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 1)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for part in self.base.children():
            x = part(x)
        x = self.trunk(x.flatten(1))
        return self.get_submodule("age_head")(x), self.get_submodule("gender_head")(x)


def age_gender() -> nn.Module:
    """Two heads on torchvision's ResNet-50 without its classifier."""
    return _AgeGender()


class _PhotoAndTable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        before = 3
        for i, width in enumerate((16, 32, 64)):
            self.add_module(str(4 * i), nn.Conv2d(before, width, 3, padding=1))
            self.add_module(str(4 * i + 2), nn.BatchNorm2d(width))
            before = width
        for name, module in {
            "13": nn.Linear(4096, 16), "15": nn.BatchNorm1d(16), "17": nn.Linear(16, 4),
            "19": nn.Linear(10, 8), "21": nn.Linear(8, 4), "23": nn.Linear(8, 4), "price": nn.Linear(4, 1),
        }.items():  # fmt: skip
            self.add_module(name, module)

    def forward(self, photo: Tensor, facts: Tensor) -> Tensor:
        part = self.get_submodule
        for i in range(0, 12, 4):
            photo = F.max_pool2d(part(str(i + 2))(F.relu(part(str(i))(photo))), 2)
        photo = part("15")(F.relu(part("13")(photo.flatten(1))))
        photo = F.relu(part("17")(F.dropout(photo, 0.5, self.training)))
        facts = F.relu(part("21")(F.relu(part("19")(facts))))
        return part("price")(F.relu(part("23")(torch.cat([facts, photo], 1))))


def photo_and_table() -> nn.Module:
    """Rosebrock, 2019: a small convolutional net for the photograph, two layers for the table, two for both."""
    return _PhotoAndTable()


def photo_to_one(tensor: Tensor) -> Tensor:
    """The pixels of a photograph from 0 to 1, and a row of a table as it is."""
    return tensor * (1 / 255) if tensor.dim() == 4 else tensor


class _Detector(nn.Module):
    """What a detector of torchvision has weights in: the parts and names of the whole, without all that is done with boxes."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head = model.backbone, model.head
        assert list(self.state_dict()) == list(model.state_dict())

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.head(list(self.backbone(images).values()))


def ssd300() -> nn.Module:
    """The trunk and the heads of torchvision's SSD300."""
    return _Detector(models.detection.ssd300_vgg16(weights=None, weights_backbone=None))


def bytes_without_mean(image: Tensor) -> Tensor:
    """As SSD300 was trained: the mean colour taken away, and pixels still up to 255."""
    return (image * (1 / 255) - torch.tensor([0.48235, 0.45882, 0.40784]).view(3, 1, 1)) / (1 / 255)


def transformer_encoder(norm_first: bool = False) -> nn.Module:
    """PyTorch's own, in the sizes of Vaswani et al., 2017."""
    layer = nn.TransformerEncoderLayer(512, 8, 2048, batch_first=True, norm_first=norm_first)
    return nn.TransformerEncoder(layer, 6, enable_nested_tensor=False)
