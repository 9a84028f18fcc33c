"""Arithmetic on what flows in, without weights: made for `preprocess`, and allowed anywhere."""

from typing import Annotated

from netspec.diagnostics import problems
from netspec.graph import Facts
from netspec.kinds import Number, Numbers
from netspec.layer import Reject, layer
from netspec.lowering import OnnxConstant, X, const, nn, op
from netspec.shape import Shape, same
from netspec.values import Word

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)

Mean = Annotated[float | tuple[float, ...] | Word, Numbers(("imagenet",))]
Deviation = Annotated[float | tuple[float, ...], Numbers(nonzero=True)]


@layer("Rescaling", "Rescale", "ToTensor")
def scale(x: Shape, factor: Number, offset: Number = 0.0) -> Facts:
    """`x factor + offset`, as `scale(1/255)` for bytes to 0..1 and `scale(1/127.5, -1)` for -1..1.

    - `factor`: what every number is multiplied by
    - `offset`: what is added then
    """
    scaled = op.Mul(X, const(factor))
    return Facts(output=x, torch=nn.Scale(factor, offset), onnx=op.Add(scaled, const(offset)) if offset else scaled)


@layer("Normalize", "Normalization")
def normalize(x: Shape, mean: Mean, std: Deviation = 1.0) -> Facts:
    """`(x - mean) / std`, by channel.

    - `mean`: a number, a list with one for each channel, or `imagenet`: mean [0.485, 0.456, 0.406] and std [0.229, 0.224, 0.225] of
      pixels from 0 to 1, the figures every ImageNet net of torchvision uses
    - `std`: a number or a list, none of them 0
    """
    if len(x) < 2:
        raise Reject(problems.WrongRank("normalize", x, "channels and axes in space", "use scale(factor, offset) on a vector"))
    if isinstance(mean, Word):
        mean, std = _IMAGENET_MEAN, _IMAGENET_STD
    means, stds = (_by_channel(v, x, n) for v, n in ((mean, "mean"), (std, "std")))
    axes = len(x) - 1
    return Facts(
        output=x,
        torch=nn.Normalize(means, stds, axes),
        onnx=op.Div(op.Sub(X, _column(means, axes)), _column(stds, axes)),
    )


def _by_channel(value: float | tuple[float, ...], x: Shape, name: str) -> tuple[float, ...]:
    """The values, one for each channel, or one for all."""
    if not isinstance(value, tuple):
        return (value,)
    if not same(x[0], len(value)):
        raise Reject(problems.ValuesPerChannel("normalize", len(value), x), at=name)
    return value


def _column(values: tuple[float, ...], axes: int) -> OnnxConstant:
    """A constant of shape C x 1 x 1, so that it stretches over space."""
    nested: tuple[object, ...] = values
    for _ in range(axes):
        nested = tuple((v,) for v in nested)
    return const(nested)
