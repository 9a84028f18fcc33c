"""Layers that are there for training alone, and the one that does nothing."""

from netspec.graph import Facts
from netspec.kinds import Share
from netspec.layer import layer
from netspec.lowering import X, nn
from netspec.shape import Shape


@layer("Dropout", "dropoutLayer")
def dropout(x: Shape, rate: Share = 0.5) -> Facts:
    """While training, sets each number to zero with probability `rate` and scales the rest by `1 / (1 - rate)`
    (Srivastava et al., 2014). Otherwise, and in a frozen region, it passes what it gets.

    - `rate`: the share that is set to zero
    """
    return Facts(output=x, torch=nn.Dropout(rate), onnx=X)


@layer("Identity")
def identity(x: Shape) -> Facts:
    """Passes what it gets."""
    return Facts(output=x, torch=nn.Identity(), onnx=X)
