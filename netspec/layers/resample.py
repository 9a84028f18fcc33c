"""Resampling: the same picture on a finer or coarser grid."""

from fractions import Fraction
from typing import Annotated, Any

from netspec.diagnostics import problems
from netspec.graph import Facts
from netspec.kinds import Boolean, Count, Factors, OneOf, Spatial
from netspec.layer import Reject, layer
from netspec.layers import _grids as grids
from netspec.layers import _measured as measured
from netspec.layers._spatial import extent, larger, rank_of, smaller
from netspec.lowering import OnnxInput, X, nn, op
from netspec.shape import Shape, show

Factor = Annotated[float | tuple[float, ...], Factors()]
Mode = Annotated[str, OneOf(("nearest", "bilinear", "bicubic"))]
Fit = Annotated[str, OneOf(("stretch", "shorter", "longer"))]


@layer("Upsample", "UpSampling1D", "UpSampling2D", "UpSampling3D", "interpolate", "UpsamplingNearest2d", "UpsamplingBilinear2d")
def upsample(
    x: Shape, factor: Factor | None = None, size: Spatial | None = None, mode: Mode = "nearest", corners: Boolean = False
) -> Facts:
    """A finer (or coarser) grid in one, two or three dimensions: `C x H x W` becomes `C x floor(H factor) x floor(W factor)`, or `size`.

    The new grid covers the same area: its point i lies at `(i + 1/2) H / H' - 1/2` of the old one, or with `corners` at
    `i (H - 1) / (H' - 1)`. Nothing is smoothed where the grid becomes coarser; see `resize` for that.

    - `factor`: how much finer the grid becomes, `2` or `2x1`; a half (`1.5`) and `1/2` to `1/32` are possible too
    - `size`: the new height and width, in the place of `factor`
    - `mode`: `nearest` repeats points (point `floor(i H / H')`); `bilinear` goes straight from one to the next, on every axis, so that it
      is linear in one dimension and trilinear in three; `bicubic` lays cubics with a = -0.75 through them (Keys, 1981), in two dimensions
    - `corners`: whether the outermost points stay where they are (`align_corners` in PyTorch); not with `nearest`
    """
    rank = rank_of(x, "upsample")
    _check_mode("upsample", x, mode, corners)
    name = _torch_mode(mode, rank)
    aligned = None if mode == "nearest" else corners
    if factor is None or size is not None:
        wanted = extent(_only_size(factor, size), x, "size")
        onnx = grids.to_size(measured.whole(wanted), rank, mode, corners)
        return Facts(output=(x[0], *wanted), torch=nn.Upsample(wanted, mode=name, align_corners=aligned), onnx=onnx)
    factors = _by_axis(factor, x)
    space = tuple(n * Fraction(f).numerator // Fraction(f).denominator for n, f in zip(x[1:], factors, strict=True))
    if any(n < 1 for n in space):
        must = f"large enough that something is left of {show(x)}"
        raise Reject(problems.BadValue("upsample", "factor", must, "x".join(f"{f:g}" for f in factors)), at="factor")
    torch = nn.Upsample(None, factors, mode=name, align_corners=aligned)
    return Facts(output=(x[0], *space), torch=torch, onnx=grids.by_factors(factors, mode, corners))


@layer("Resize", "Resizing")
def resize(x: Shape, size: Spatial, mode: Mode = "bilinear", antialias: Boolean = True, fit: Fit = "stretch") -> Facts:
    """A picture in another size: `C x H x W` becomes `C x size`. Made for `preprocess`, and allowed anywhere; numbers are not rounded.

    `resize(256, fit=shorter) -> crop(224)` is what torchvision's classifiers are evaluated with.

    - `size`: the new height and width; one number means a square
    - `mode`: `nearest`, `bilinear` or `bicubic`, as in `upsample` (a = -0.5 with `antialias`, as in Pillow and in PyTorch)
    - `antialias`: whether a coarser grid takes the mean over all that falls to a point, by the mode's own curve, made wider; `nearest`
      never does
    - `fit`: `stretch` makes exactly `size`; `shorter` and `longer` keep the proportion: the shorter (longer) side becomes `size` and the
      other `floor(size longer / shorter)`; of two numbers the picture covers at least (at most) `size`
    """
    if len(x) != 3:
        raise Reject(
            problems.WrongRank("resize", x, "channels, height and width, as 3x480x640", "upsample takes one to three axes in space")
        )
    wanted = extent(size, x, "size")
    space = wanted if fit == "stretch" else tuple(_fitted(x[1:], wanted, axis, fit) for axis in (0, 1))
    smooth = antialias and mode != "nearest"
    target = measured.whole(wanted) if fit == "stretch" else grids.fitted(wanted, fit)
    return Facts(
        output=(x[0], *space),
        torch=nn.Resize(wanted, mode, smooth, fit),
        onnx=grids.smoothed(target, mode) if smooth else grids.to_size(target, 2, mode, False),
    )


@layer("interpolate_like", "resize_as", "resize_like")
def resize_to(x: Shape, other: Shape, mode: Mode = "bilinear", corners: Boolean = False) -> Facts:
    """The grid of another tensor: `C x H x W` and a tensor of `D x H' x W'` give `C x H' x W'` (Long et al., FCN, 2015), in one, two or
    three dimensions. `resize_to(image)` brings a map of classes back to the size of the picture.

    - `mode`: `nearest`, `bilinear` or `bicubic`, as in `upsample`
    - `corners`: whether the outermost points stay where they are (`align_corners` in PyTorch); not with `nearest`
    """
    rank = rank_of(x, "resize_to")
    if len(other) != len(x):
        hint = "name a tensor of the size that this one should get"
        raise Reject(problems.WrongRank("resize_to", other, f"a tensor with as many axes as {show(x)}", hint))
    _check_mode("resize_to", x, mode, corners)
    return Facts(
        output=(x[0], *other[1:]),
        torch=nn.ResizeTo(_torch_mode(mode, rank), None if mode == "nearest" else corners),
        onnx=grids.to_size(measured.sizes(OnnxInput(1), 2), rank, mode, corners),
    )


@layer("PixelShuffle", "depth_to_space", "DepthToSpace", "subpixel")
def pixel_shuffle(x: Shape, factor: Count) -> Facts:
    """Channels become height and width: `C r^2 x H x W` becomes `C x H r x W r` (Shi et al., 2016). Channel `c r^2 + i r + j` goes to row i
    and column j of each square of channel c.

    - `factor`: r
    """
    _picture("pixel_shuffle", x)
    _divides("pixel_shuffle", x[0], factor**2, f"such that its square divides the channels of {show(x)}", factor)
    return Facts(
        output=(x[0] // factor**2, x[1] * factor, x[2] * factor),
        torch=nn.PixelShuffle(factor),
        onnx=op.DepthToSpace(X, blocksize=factor, mode="CRD"),
    )


@layer("PixelUnshuffle", "space_to_depth", "SpaceToDepth")
def pixel_unshuffle(x: Shape, factor: Count) -> Facts:
    """Height and width become channels, the reverse of `pixel_shuffle`: `C x H r x W r` becomes `C r^2 x H x W`.

    - `factor`: r
    """
    _picture("pixel_unshuffle", x)
    for n in x[1:]:
        _divides("pixel_unshuffle", n, factor, f"such that it divides height and width of {show(x)}", factor)
    order = [square * x[0] + channel for channel in range(x[0]) for square in range(factor**2)]
    return Facts(
        output=(x[0] * factor**2, x[1] // factor, x[2] // factor),
        torch=nn.PixelUnshuffle(factor),
        onnx=measured.reordered(order, 1, op.SpaceToDepth(X, blocksize=factor)),
    )


def _picture(layer: str, x: Shape) -> None:
    if len(x) != 3:
        raise Reject(problems.WrongRank(layer, x, "channels, height and width, as 64x32x32", "it works on pictures alone"))


def _divides(layer: str, size: int, by: int, must: str, factor: int) -> None:
    if size % by > 0:
        raise Reject(problems.BadValue(layer, "factor", must, str(factor)), at="factor")


def _check_mode(layer: str, x: Shape, mode: str, corners: bool) -> None:
    """Rejects what a mode cannot do."""
    if mode == "bicubic" and len(x) != 3:
        raise Reject(problems.WrongRank(layer, x, "channels, height and width for bicubic", "write mode=bilinear"), at="mode")
    if mode == "nearest" and corners:
        must = "false where mode is nearest"
        raise Reject(problems.BadValue(layer, "corners", must, "true", hint="write mode=bilinear, or leave corners out"), at="corners")


def _torch_mode(mode: str, rank: int) -> str:
    return ("linear", "bilinear", "trilinear")[rank - 1] if mode == "bilinear" else mode


def _only_size(factor: float | tuple[float, ...] | None, size: int | Shape | None) -> int | Shape:
    """The size, where it is given and the factor is not."""
    if size is None:
        raise Reject(problems.MissingArguments("upsample", ("factor or size",), "factor, or size=…"))
    if factor is not None:
        raise Reject(
            problems.BadValue("upsample", "size", "left out where there is a factor", show((size,) if isinstance(size, int) else size)),
            at="size",
        )
    return size


def _by_axis(factor: float | tuple[float, ...], x: Shape) -> tuple[float, ...]:
    factors = factor if isinstance(factor, tuple) else (factor,) * (len(x) - 1)
    if len(factors) != len(x) - 1:
        shown: Any = tuple(int(f) if f.is_integer() else f for f in factors)
        raise Reject(problems.ExtentCount("factor", shown, x), at="factor")
    return factors


def _fitted(space: Shape, wanted: Shape, axis: int, fit: str) -> int:
    """A side of a picture that keeps its proportion and covers ``wanted`` on every axis, or on none more than it."""
    across = space[axis] * wanted[1 - axis] // space[1 - axis]
    return larger(across, wanted[axis]) if fit == "shorter" else larger(smaller(wanted[axis], across), 1)
