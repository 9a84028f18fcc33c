"""Normalisation layers."""

from typing import Annotated

from netspec.diagnostics import problems
from netspec.graph import Facts, Weight
from netspec.kinds import Boolean, Real, Share
from netspec.layer import Reject, layer
from netspec.lowering import W, X, const, nn, op
from netspec.shape import Shape


class Epsilon(Real):
    """A small number above 0."""

    def instead(self, value: object) -> str | None:
        return "the channels are known: leave them out, and write bn" if isinstance(value, int) and value > 1 else super().instead(value)


Small = Annotated[float, Epsilon(0, 1, open_low=True)]


@layer("BatchNorm", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "BatchNormalization", "batch_norm", "batchnorm", "batchNormalizationLayer")
def bn(x: Shape, eps: Small = 1e-5, momentum: Share = 0.1, affine: Boolean = True) -> Facts:
    """Batch normalisation of each channel (Ioffe and Szegedy, 2015): `y = (x - mean) / sqrt(var + eps) * weight + bias`.

    Mean and variance are the batch's while training, and the running ones otherwise; in a frozen region always the running ones.

    - `eps`: added to the variance
    - `momentum`: how much of each batch's statistics goes into the running ones, as in PyTorch (0.99 in Keras is 0.01 here)
    - `affine`: whether `weight` and `bias` are learned

    Weights: `weight`, `bias` (C); buffers: `running_mean`, `running_var` (C), `num_batches_tracked`.
    """
    if len(x) > 4:
        raise Reject(problems.WrongRank("bn", x, "channels and up to three axes in space", "normalise before adding the axis"))
    c = (x[0],)
    learned = {"weight": Weight(c), "bias": Weight(c)} if affine else {}
    buffers = {"running_mean": Weight(c, False), "running_var": Weight(c, False), "num_batches_tracked": Weight((), False, "int64")}
    module = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[len(x) - 1]
    scale, shift = (W("weight"), W("bias")) if affine else (const((1.0,) * x[0]), const((0.0,) * x[0]))
    return Facts(
        output=x,
        weights=learned | buffers,
        torch=module(x[0], eps, momentum, affine),
        onnx=op.BatchNormalization(X, scale, shift, W("running_mean"), W("running_var"), epsilon=eps),
    )
