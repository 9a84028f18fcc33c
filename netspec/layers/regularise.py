"""Layers that are there for training alone, and the one that does nothing.

Outside of training, in a frozen region and in ONNX they pass what they get.
"""

from typing import Annotated

from netspec.diagnostics import problems
from netspec.graph import Facts
from netspec.kinds import Count, NotNegative, OneOf, Share
from netspec.layer import Reject, layer
from netspec.layers._spatial import rank_of
from netspec.lowering import X, nn
from netspec.shape import Shape

By = Annotated[str, OneOf(("row", "batch"))]


@layer("Dropout", "dropoutLayer")
def dropout(x: Shape, rate: Share = 0.5) -> Facts:
    """While training, sets each number to zero with probability `rate` and scales the rest by `1 / (1 - rate)`
    (Srivastava et al., 2014). Otherwise, and in a frozen region, it passes what it gets.

    - `rate`: the share that is set to zero
    """
    return Facts(output=x, torch=nn.Dropout(rate), onnx=X)


@layer("Dropout1d", "Dropout2d", "Dropout3d", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "channel_dropout")
def spatial_dropout(x: Shape, rate: Share = 0.5) -> Facts:
    """While training, sets whole channels to zero, each with probability `rate`, and scales the rest by `1 / (1 - rate)`
    (Tompson et al., 2015). Otherwise, and in a frozen region, it passes what it gets.

    - `rate`: the share of the channels that is set to zero
    """
    rank = rank_of(x, "spatial_dropout")
    return Facts(output=x, torch=(nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)[rank - 1](rate), onnx=X)


@layer("AlphaDropout")
def alpha_dropout(x: Shape, rate: Share = 0.5) -> Facts:
    """While training, sets each number to the least that `selu` gives, -1.7581, with probability `rate`, and then shifts and scales all
    so that a mean of 0 and a variance of 1, as behind a `selu`, stay so (Klambauer et al., Self-normalizing neural networks, 2017).
    Otherwise, and in a frozen region, it passes what it gets.

    - `rate`: the share that is set
    """
    return Facts(output=x, torch=nn.AlphaDropout(rate), onnx=X)


@layer("StochasticDepth", "DropPath", "drop_path")
def stochastic_depth(x: Shape, rate: Share, mode: By = "row") -> Facts:
    """While training, sets all that a sample has to zero with probability `rate`, and scales the others by `1 / (1 - rate)`: at the end
    of a residual branch, this leaves the branch out (Huang et al., Deep networks with stochastic depth, 2016). Otherwise, and in a frozen
    region, it passes what it gets.

    - `rate`: how often
    - `mode`: `row` decides for each sample by itself, `batch` for all of a batch together
    """
    return Facts(output=x, torch=nn.StochasticDepth(rate, mode), onnx=X)


@layer("GaussianNoise")
def gaussian_noise(x: Shape, std: NotNegative) -> Facts:
    """While training, adds numbers drawn from a normal distribution with mean 0. Otherwise, and in a frozen region, it passes what it gets.

    - `std`: their standard deviation
    """
    return Facts(output=x, torch=nn.GaussianNoise(std), onnx=X)


@layer("DropBlock", "DropBlock2d", "dropblock")
def drop_block(x: Shape, rate: Share, size: Count = 7) -> Facts:
    """While training, sets squares of `size` by `size` points of a channel to zero, about a share of `rate` of all points, and scales the
    rest so that their mean stays (Ghiasi et al., DropBlock, 2018). A square begins at each place where a whole one fits with the
    probability `rate H W / (size^2 (H - size + 1) (W - size + 1))`. Otherwise, and in a frozen region, it passes what it gets.

    - `rate`: the share that is set to zero
    - `size`: height and width of the squares; that of the data where this is smaller
    """
    if len(x) != 3:
        raise Reject(problems.WrongRank("drop_block", x, "channels, height and width, as 64x28x28", "use spatial_dropout or dropout"))
    return Facts(output=x, torch=nn.DropBlock(rate, size), onnx=X)


@layer("Identity")
def identity(x: Shape) -> Facts:
    """Passes what it gets."""
    return Facts(output=x, torch=nn.Identity(), onnx=X)
