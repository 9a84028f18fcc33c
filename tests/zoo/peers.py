"""The table of the zoo: every net of ``specs/`` that somebody else has too, and how to make it there.

**To add a net**, add a row to ``PEERS``: the file, the net's name, and a constructor of the other's model; all else has a default. Then
``test_zoo.py`` holds it, and ``python -m tests.zoo.table`` puts it into ``docs/zoo.md``: parameters, MACs, keys, shapes and types of
the state dict, outputs for random weights, and where the row asks for it gradients and ONNX.

- A model that gives several tensors (a tuple, a dictionary) needs ``names``: the names of our outputs, in its order, auxiliary ones too.
- A model with other preprocessing than ImageNet's needs ``prepare``: from raw pixels, 0 to 255, to what it takes.
- A model of a larger thing, as the trunk and heads of a detector, needs a small ``nn.Module`` around it (``by_hand.py``), whose state dict
  has the published keys and which gives plain tensors.
- A net of open sizes needs ``sizes``, for which its figures are published; a net of which one image takes long, ``smaller``.
- A net that nobody publishes is written once more in plain PyTorch, in ``by_hand.py``, from the paper.

A net that has no row stands in ``ALONE``, with the reason; a test holds that no net of ``specs/`` is in neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import torch
from torch import Tensor, nn

from tests.zoo import by_hand
from tests.zoo.peer import models

_MEAN, _STD = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def imagenet(image: Tensor) -> Tensor:
    """As the nets of torchvision were trained."""
    return (image * (1 / 255) - _MEAN) / _STD


def to_one(image: Tensor) -> Tensor:
    """Pixels from 0 to 1."""
    return image * (1 / 255)


def around_zero(image: Tensor) -> Tensor:
    """Pixels from -1 to 1."""
    return image * (1 / 127.5) - 1


def as_it_is(tensor: Tensor) -> Tensor:
    """No preprocessing."""
    return tensor


@dataclass(frozen=True)
class Peer:
    """A net of ours, and the same net made by others."""

    spec: str
    """The file in ``specs/``, without its ending."""
    net: str
    make: Callable[[], nn.Module]
    """The other's model with random weights, in training mode as PyTorch makes it."""
    size: tuple[int, ...] = (3, 224, 224)
    """The input that the published figures are for."""
    prepare: Callable[[Tensor], Tensor] = imagenet
    names: tuple[str, ...] = ()
    """Our names for what the model gives, in its order; may be left out for a net of one output."""
    gradients: bool = False
    """Whether losses and gradients in training mode are compared too."""
    onnx: bool = False
    """Whether the outputs of the ONNX file are compared too."""
    order: bool = True
    """Whether the state dicts have the same order as well."""
    of: str = "torchvision"
    """Who has the other model."""
    sizes: Mapping[str, object] = field(default_factory=dict, hash=False)
    """What the net leaves open, as the published figures are for: ``{"H": 520, "W": 520}``."""
    smaller: Mapping[str, object] = field(default_factory=dict, hash=False)
    """In the place of ``sizes`` where outputs are compared: parameters or sizes with which an image takes less time."""
    run: bool = True
    """Whether outputs are compared at all: not of nets that are others of their family, only larger than a test should be."""

    def __str__(self) -> str:
        return f"{self.spec}:{self.net}"


seg = models.segmentation
segmentation = partial(partial, weights=None, weights_backbone=None, aux_loss=True)
"""A model of segmentation as it is published, with random weights."""
of_maps = partial(Peer, size=(3, 520, 520), names=("out", "aux"), sizes={"H": 520, "W": 520}, smaller={"H": 65, "W": 97})
"""Its row: its two results, the size of the published figures, and one with which an image does not take half a minute."""
any_size = partial(
    Peer, size=(3, 256, 256), prepare=to_one, of="by hand", sizes={"H": 256, "W": 256}, smaller={"H": 48, "W": 80}, onnx=True
)
encoder = partial(Peer, size=(128, 512), prepare=as_it_is, order=False, of="torch.nn")
BOXES: Final = ("bbox_regression", "cls_logits")

googlenet = partial(models.googlenet, init_weights=False)
inception_v3 = partial(models.inception_v3, init_weights=False)

PEERS: Final = (
    Peer("alexnet", "AlexNet", models.alexnet),
    Peer("alexnet_original", "AlexNet2012", by_hand.alexnet_2012, (3, 227, 227), by_hand.caffe, of="by hand", onnx=True),
    Peer("alexnet_original", "AlexNetOneTower", partial(by_hand.alexnet_2012, groups=1), (3, 227, 227), by_hand.caffe, of="by hand"),
    Peer("densenet", "DenseNet121", models.densenet121, gradients=True, onnx=True),
    Peer("densenet", "DenseNet161", models.densenet161),
    Peer("densenet", "DenseNet169", models.densenet169),
    Peer("densenet", "DenseNet201", models.densenet201),
    Peer("googlenet", "GoogLeNet", googlenet, names=("fc", "aux2", "aux1"), gradients=True, onnx=True),
    Peer("googlenet", "GoogLeNetInference", partial(googlenet, aux_logits=False)),
    Peer("inception_v3", "InceptionV3", inception_v3, (3, 299, 299), around_zero, names=("fc", "AuxLogits"), gradients=True, onnx=True),
    Peer("lenet5", "LeNet5", by_hand.lenet5, (1, 28, 28), to_one, of="by hand"),
    Peer("mnist_convnet", "MnistConvnet", by_hand.mnist_convnet, (1, 28, 28), to_one, of="by hand"),
    Peer("cats_dogs", "CatsDogs", by_hand.cats_dogs, (3, 180, 180), to_one, of="by hand"),
    Peer("mobilenet_v1", "MobileNetV1", by_hand.mobilenet_v1, prepare=around_zero, onnx=True, of="by hand"),
    Peer("mobilenet_v2", "MobileNetV2", models.mobilenet_v2, onnx=True),
    Peer("mobilenet_v3", "MobileNetV3Large", models.mobilenet_v3_large),
    Peer("mobilenet_v3", "MobileNetV3Small", models.mobilenet_v3_small, gradients=True, onnx=True),
    Peer("efficientnet", "EfficientNetB0", models.efficientnet_b0, gradients=True, onnx=True),
    Peer("efficientnet", "EfficientNetB1", models.efficientnet_b1, (3, 240, 240)),
    Peer("efficientnet", "EfficientNetB2", models.efficientnet_b2, (3, 288, 288)),
    Peer("efficientnet", "EfficientNetB3", models.efficientnet_b3, (3, 300, 300)),
    Peer("efficientnet", "EfficientNetB4", models.efficientnet_b4, (3, 380, 380)),
    Peer("efficientnet", "EfficientNetB5", models.efficientnet_b5, (3, 456, 456)),
    Peer("efficientnet", "EfficientNetB6", models.efficientnet_b6, (3, 528, 528)),
    Peer("efficientnet", "EfficientNetB7", models.efficientnet_b7, (3, 600, 600)),
    Peer("efficientnet_v2", "EfficientNetV2S", models.efficientnet_v2_s, (3, 384, 384)),
    Peer("efficientnet_v2", "EfficientNetV2M", models.efficientnet_v2_m, (3, 480, 480)),
    Peer("efficientnet_v2", "EfficientNetV2L", models.efficientnet_v2_l, (3, 480, 480), around_zero),
    Peer("shufflenet_v2", "ShuffleNetV2_x0_5", models.shufflenet_v2_x0_5),
    Peer("shufflenet_v2", "ShuffleNetV2_x1_0", models.shufflenet_v2_x1_0, onnx=True),
    Peer("shufflenet_v2", "ShuffleNetV2_x1_5", models.shufflenet_v2_x1_5),
    Peer("shufflenet_v2", "ShuffleNetV2_x2_0", models.shufflenet_v2_x2_0),
    Peer("convnext", "ConvNeXtTiny", models.convnext_tiny, order=False, onnx=True),
    Peer("convnext", "ConvNeXtSmall", models.convnext_small, order=False),
    Peer("convnext", "ConvNeXtBase", models.convnext_base, order=False),
    Peer("convnext", "ConvNeXtLarge", models.convnext_large, order=False),
    Peer("vit", "ViT_B_16", models.vit_b_16, order=False, onnx=True),
    Peer("vit", "ViT_B_32", models.vit_b_32, order=False),
    Peer("vit", "ViT_L_16", models.vit_l_16, order=False),
    Peer("vit", "ViT_L_32", models.vit_l_32, order=False),
    Peer("vit", "ViT_H_14", models.vit_h_14, order=False, run=False),
    Peer("swin", "SwinT", models.swin_t, order=False, onnx=True),
    Peer("swin", "SwinS", models.swin_s, order=False),
    Peer("swin", "SwinB", models.swin_b, order=False),
    Peer("resnet", "ResNet18", models.resnet18, onnx=True),
    Peer("resnet", "ResNet34", models.resnet34),
    Peer("resnet", "ResNet50", models.resnet50, gradients=True),
    Peer("resnet", "ResNet101", models.resnet101),
    Peer("resnet", "ResNet152", models.resnet152),
    Peer("resnet", "WideResNet50_2", models.wide_resnet50_2),
    Peer("resnet", "WideResNet101_2", models.wide_resnet101_2),
    Peer("resnet", "ResNeXt50_32x4d", models.resnext50_32x4d, onnx=True),
    Peer("resnet", "ResNeXt101_32x8d", models.resnext101_32x8d),
    Peer("resnet", "ResNeXt101_64x4d", models.resnext101_64x4d),
    Peer("squeezenet", "SqueezeNet1_0", models.squeezenet1_0),
    Peer("squeezenet", "SqueezeNet1_1", models.squeezenet1_1, onnx=True),
    Peer("vgg", "VGG11", models.vgg11),
    Peer("vgg", "VGG13", models.vgg13),
    Peer("vgg", "VGG16", models.vgg16),
    Peer("vgg", "VGG19", models.vgg19),
    Peer("vgg", "VGG11BN", models.vgg11_bn),
    Peer("vgg", "VGG13BN", models.vgg13_bn),
    Peer("vgg", "VGG16BN", models.vgg16_bn),
    Peer("vgg", "VGG19BN", models.vgg19_bn),
    of_maps("fcn", "FCN_ResNet50", segmentation(seg.fcn_resnet50), gradients=True, onnx=True),
    of_maps("fcn", "FCN_ResNet101", segmentation(seg.fcn_resnet101)),
    of_maps("deeplab_v3", "DeepLabV3_ResNet50", segmentation(seg.deeplabv3_resnet50)),
    of_maps("deeplab_v3", "DeepLabV3_ResNet101", segmentation(seg.deeplabv3_resnet101)),
    Peer("ssd300", "SSD300", by_hand.ssd300, (3, 300, 300), by_hand.bytes_without_mean, BOXES, order=False, onnx=True),
    Peer("yolo_v3_tiny", "YOLOv3Tiny", by_hand.yolo_v3_tiny, (3, 416, 416), to_one, names=("grid13", "grid26"), onnx=True, of="by hand"),
    Peer("unet", "UNet", by_hand.unet, (1, 572, 572), to_one, of="by hand"),
    any_size("unet", "UNetAnySize", by_hand.unet_any_size),
    Peer("siamese", "Siamese", by_hand.siamese, (1, 105, 105), to_one, onnx=True, of="by hand"),
    Peer("age_gender", "AgeGender", by_hand.age_gender, (3, 200, 200), names=("age", "gender"), of="by hand"),
    Peer("photo_and_table", "PhotoAndTable", by_hand.photo_and_table, (3, 64, 64), by_hand.photo_to_one, onnx=True, of="by hand"),
    encoder("transformer_encoder", "TransformerEncoder", by_hand.transformer_encoder, onnx=True),
    encoder("transformer_encoder", "TransformerEncoderPreNorm", partial(by_hand.transformer_encoder, norm_first=True)),
    Peer("zfnet", "ZFNet", by_hand.zfnet, prepare=by_hand.caffe, of="by hand"),
)

TRAINED: Final = (
    Peer("vit", "ViT_B_16", partial(models.VisionTransformer, 32, 16, 2, 12, 768, 3072), (3, 32, 32), sizes={"size": 32, "depth": 2}),
    encoder("transformer_encoder", "TransformerEncoder", by_hand.transformer_encoder),
)
"""More nets whose gradients are compared; of those in another size than in the table, nothing else is."""

SAME: Final = {
    ("densenet", "DenseNet"): ("densenet", "DenseNet121"),
    ("resnet", "ResNet"): ("resnet", "ResNet50"),
    ("resnet50", "ResNet50"): ("resnet", "ResNet50"),
    ("squeezenet", "SqueezeNet"): ("squeezenet", "SqueezeNet1_0"),
    ("vgg", "VGG"): ("vgg", "VGG16"),
    ("vgg16", "VGG16"): ("vgg", "VGG16"),
}
"""Nets that are others under another name; the tests hold that they are the same, layer for layer."""

ALONE: Final = {
    ("mobilenet_v1", "MobileNetV1_75"): "a width of MobileNetV1; the paper's figures stand in its `expect`",
    ("mobilenet_v1", "MobileNetV1_50"): "a width of MobileNetV1; the paper's figures stand in its `expect`",
    ("mobilenet_v1", "MobileNetV1_25"): "a width of MobileNetV1; the paper's figures stand in its `expect`",
    ("vgg16", "VGG16Features"): "a part of VGG16, for any size",
}
"""Nets without a peer, each with the reason."""
