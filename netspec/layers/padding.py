"""A margin more, or less: padding and cropping."""

from typing import Annotated

from netspec.diagnostics import problems
from netspec.graph import Facts
from netspec.kinds import Number, OneOf, Sides, Spatial
from netspec.layer import Reject, layer
from netspec.layers import _measured as measured
from netspec.layers._spatial import ONNX_MODES, extent, rank_of, widest
from netspec.lowering import OnnxExpression, OnnxInput, TorchCall, X, const, nn, op
from netspec.shape import Shape, show
from netspec.values import show as written

Margins = Annotated[int | tuple[int, ...], Sides(0)]
Mode = Annotated[str, OneOf(("zeros", "constant", "reflect", "replicate", "circular"))]


@layer(
    "ZeroPad1d", "ZeroPad2d", "ZeroPad3d", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D", "ReflectionPad1d", "ReflectionPad2d",
    "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d",
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "padding",
)  # fmt: skip
def pad(x: Shape, sides: Margins, mode: Mode = "zeros", value: Number = 0.0) -> Facts:
    """A margin around the data, in one, two or three dimensions: `C x H x W` becomes `C x top + H + bottom x left + W + right`.

    - `sides`: how wide it is: one number for all sides, a size such as `1x2` for the axes, or a list in PyTorch's order, the last axis
      first: `[left, right, top, bottom]`
    - `mode`: `zeros`; `constant`, which is `value`; `reflect`, the data mirrored at its outermost points; `replicate`, the outermost points
      again and again; `circular`, what stands at the other end
    - `value`: what the margin holds in the mode `constant`
    """
    rank = rank_of(x, "pad")
    before, after = _sides(sides, x, "sides")
    if value and mode != "constant":
        must = f"left out where mode is {mode}"
        raise Reject(problems.BadValue("pad", "value", must, written(value), hint="write mode=constant"), at="value")
    most = widest(mode, x)
    if most is not None and any(m > n for side in (before, after) for m, n in zip(side, most, strict=True)):
        must = f"at most {show(most)} where mode is {mode} and {show(x)} flows in"
        raise Reject(problems.BadValue("pad", "sides", must, written(sides)), at="sides")
    return Facts(
        output=(x[0], *(b + n + a for b, n, a in zip(before, x[1:], after, strict=True))),
        torch=_torch(rank, mode, tuple(m for pair in reversed(list(zip(before, after, strict=True))) for m in pair), value),
        onnx=_onnx(before, after, value, mode),
    )


def _onnx(before: Shape, after: Shape, value: float, mode: str) -> OnnxExpression:
    """``Pad``, all its axes named.

    One without names onnxruntime joins to a pooling behind it, and then pads with the least number; of one with only some
    named it mixes up the axes where a ``permute`` is near.
    """
    axes = measured.whole(tuple(range(len(before) + 2)))
    return op.Pad(X, measured.whole((0, 0, *before, 0, 0, *after)), const(value), axes, mode=ONNX_MODES[mode])


def _sides(value: int | Shape, x: Shape, argument: str) -> tuple[Shape, Shape]:
    """The margins before and behind each axis in space."""
    if isinstance(value, tuple) and len(value) == 2 * (len(x) - 1):
        return value[-2::-2], value[-1::-2]
    both = extent(value, x, argument)
    return both, both


def _torch(rank: int, mode: str, sides: Shape, value: float) -> TorchCall:
    if mode in ("zeros", "constant"):
        return (nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d)[rank - 1](sides, value)
    by_mode = {
        "reflect": (nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d),
        "replicate": (nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d),
        "circular": (nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d),
    }
    return by_mode[mode][rank - 1](sides)


@layer("CenterCrop", "RandomCrop", "Cropping1D", "Cropping2D", "Cropping3D", "center_crop")
def crop(x: Shape, size: Spatial | None = None, margins: Margins | None = None) -> Facts:
    """The middle of the data, or the data without a margin, in one, two or three dimensions: `C x H x W` becomes `C x size`.

    Where it cannot be exactly the middle, it is the one torchvision takes: `round((H - size) / 2)` is cut off before, a half rounded to the
    even number.

    - `size`: the height and width that are left; one number means a square
    - `margins`: in the place of `size`, how much is cut off: one number for all sides, a size for the axes, or a list in PyTorch's order,
      the last axis first: `[left, right, top, bottom]`
    """
    rank_of(x, "crop")
    if margins is None:
        return _middle(x, size)
    if size is not None:
        raise Reject(problems.BadValue("crop", "margins", "left out where there is a size", written(margins)), at="margins")
    before, after = _sides(margins, x, "margins")
    space = tuple(n - b - a for b, n, a in zip(before, x[1:], after, strict=True))
    if any(n < 1 for n in space):
        raise Reject(problems.BadValue("crop", "margins", f"such that something is left of {show(x)}", written(margins)), at="margins")
    ends = tuple(-a if a else measured.END for a in after)
    return Facts(
        output=(x[0], *space),
        torch=nn.CutOff(before, after),
        onnx=measured.cut(measured.whole(before), measured.whole(ends), range(2, len(x) + 1)),
    )


def _middle(x: Shape, size: int | Shape | None) -> Facts:
    if size is None:
        raise Reject(problems.MissingArguments("crop", ("size or margins",), "size, or margins=…"))
    wanted = extent(size, x, "size")
    if any(w > n for w, n in zip(wanted, x[1:], strict=True)):
        raise Reject(problems.BadValue("crop", "size", f"at most that of {show(x)}, which flows in", show(wanted)), at="size")
    return Facts(output=(x[0], *wanted), torch=nn.Crop(wanted), onnx=_cropped(measured.whole(wanted), len(wanted)))


@layer("crop_like")
def crop_to(x: Shape, other: Shape) -> Facts:
    """The middle of the data, as large as another tensor: `C x H x W` and a tensor of `D x H' x W'` give `C x H' x W'`, as in the skips
    of the first U-Net (Ronneberger et al., 2015). What the middle is, `crop` says.
    """
    rank_of(x, "crop_to")
    if len(other) != len(x):
        hint = "name a tensor of the size that this one should get"
        raise Reject(problems.WrongRank("crop_to", other, f"a tensor with as many axes as {show(x)}", hint))
    if any(w > n for w, n in zip(other[1:], x[1:], strict=True)):
        hint = "put it behind the larger one, and name the smaller"
        raise Reject(problems.WrongRank("crop_to", other, f"a tensor that is nowhere larger than {show(x)}", hint))
    return Facts(output=(x[0], *other[1:]), torch=nn.CropTo(), onnx=_cropped(measured.sizes(OnnxInput(1), 2), len(x) - 1))


def _cropped(wanted: OnnxExpression, rank: int) -> OnnxExpression:
    """``d // 2``, and 1 more where ``d`` is 3 more than a multiple of 4, is half of d, rounded to the even number where it ends in 1/2."""
    spare = op.Sub(measured.sizes(X, 2), wanted)
    start = op.Add(op.Div(spare, measured.whole(2)), op.Div(op.Mod(spare, measured.whole(4)), measured.whole(3)))
    return measured.cut(start, op.Add(start, wanted), range(2, 2 + rank))
