"""The catalogue of augmentations: what may stand in ``augment { … }``.

Each is declared as a layer is: a function from the size that flows in and the arguments to the size that flows out. Its signature holds
names, kinds, bounds and defaults, its docstring is the reference, its body the rules. What it does to pixels is :mod:`netspec.augment`.

Pixels are counted from 0 to 255. ``p`` is how often a step is applied; a picture that it passes over stays as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Annotated, Any, Final, Literal

from netspec.diagnostics import problems
from netspec.graph import Augmentation
from netspec.kinds import Extent, Interval, NotNegative, Numbers, OneOf, Real, Share, Sides, Whole
from netspec.layer import Reject
from netspec.shape import Shape
from netspec.signature import OneOfChoices, Signature, signature_of
from netspec.values import Choice, Word

Family = Literal["geometry", "colour", "picture", "batch"]


@dataclass(frozen=True)
class Declared:
    """A declared augmentation.

    ``family`` says what it may be joined with: steps of ``geometry`` become one resampling, those of ``colour`` one matrix; ``picture``
    stands alone; ``batch`` mixes finished pictures.
    """

    name: str
    rule: Callable[..., Shape]
    family: Family
    elsewhere: tuple[str, ...]

    @cached_property
    def signature(self) -> Signature:
        return signature_of(self.rule)

    @property
    def doc(self) -> str:
        return self.rule.__doc__ or ""


_DECLARED: dict[str, Declared] = {}


def augmentation(family: Family, *elsewhere: str) -> Callable[[Callable[..., Shape]], Callable[..., Shape]]:
    """Declare the function below as an augmentation of its name; ``elsewhere`` are its names in other frameworks."""

    def declare(rule: Callable[..., Shape]) -> Callable[..., Shape]:
        _DECLARED[rule.__name__] = Declared(rule.__name__, rule, family, elsewhere)
        return rule

    return declare


def augmentations() -> Mapping[str, Declared]:
    """Every augmentation by name, in the order of the catalogue."""
    return _DECLARED


@cache
def elsewhere() -> Mapping[str, str]:
    """Names of other frameworks, case-folded and without underscores, and the name to write for each."""
    return {other.casefold().replace("_", ""): known.name for known in _DECLARED.values() for other in known.elsewhere}


def flips_alone(steps: Sequence[Augmentation]) -> bool:
    """Whether a region only mirrors left and right, so that two views of a picture are all there are."""
    mirrors = (s.name == "alternating_flip" or (s.name == "flip" and s.arguments["direction"] == "horizontal") for s in steps)
    return all(mirrors)


def nearest() -> None:
    """The nearest point of the picture's edge."""


def reflect() -> None:
    """The picture mirrored at its edge, the outermost points twice: `b a | a b c | c b`."""


def constant(value: Annotated[float, Real(0, 255)] = 0.0) -> None:
    """One value in every channel.

    - `value`: of pixels from 0 to 255; 0 is black
    """


FILLS: Final[Mapping[str, Callable[..., None]]] = {f.__name__: f for f in (reflect, nearest, constant)}
_REFLECT: Final = Choice("reflect", {})
_MEAN: Final = Word("mean")
_BLACK: Final = Choice("constant", {"value": 0.0})

Fill = Annotated[Choice, OneOfChoices(FILLS)]
Slant = Annotated[tuple[float, float], Interval(-10.0, 10.0, around=0.0)]
Turn = Annotated[tuple[float, float], Interval(-1.0, 1.0, around=0.0)]
Degrees = Annotated[tuple[float, float], Interval(-360.0, 360.0, around=0.0)]
Shift = Annotated[tuple[float, float], Interval(-1.0, 1.0, around=0.0)]
Factor = Annotated[tuple[float, float], Interval(0.0, 100.0, around=1.0)]
Scale = Annotated[tuple[float, float], Interval(0.0, 100.0, around=1.0, open_low=True)]
Shares = Annotated[tuple[float, float], Interval(0.0, 1.0, open_low=True)]
Ratio = Annotated[tuple[float, float], Interval(0.0, 100.0, open_low=True)]
Deviation = Annotated[tuple[float, float], Interval(0.0, 100.0)]
Plane = Annotated[int | tuple[int, ...], Extent(1)]
Margins = Annotated[int | tuple[int, ...], Sides(0)]
Direction = Annotated[str, OneOf(("horizontal", "vertical", "both"))]
Erased = Annotated[float | Word, Numbers(("mean",))]
Bins = Annotated[int, Whole(2, 1000)]
Concentration = Annotated[float, Real(0, 1000, open_low=True)]


# ---- geometry


@augmentation("geometry", "RandomHorizontalFlip", "RandomVerticalFlip", "RandomFlip", "HorizontalFlip", "VerticalFlip", "fliplr", "mirror")
def flip(x: Shape, direction: Direction = "horizontal", *, p: Share = 0.5) -> Shape:
    """The picture mirrored, exactly: no pixel is computed anew.

    - `direction`: `horizontal` swaps left and right, `vertical` top and bottom, `both` draws each of the two for itself
    - `p`: how often, for each direction
    """
    return x


@augmentation("geometry", "AlternatingFlip")
def alternating_flip(x: Shape) -> Shape:
    """Left and right swapped in every second epoch; a draw from the seed and the picture's number alone says in which (Jordan, 2024).

    A picture is seen both ways in any two epochs, where `flip` shows it the same way twice half of the time.
    """
    return x


@augmentation("geometry", "RandomRotation", "RandomRotate", "SafeRotate", "RandomAffine")
def rotate(x: Shape, turn: Turn | None = None, *, degrees: Degrees | None = None, fill: Fill = _REFLECT, p: Share = 1.0) -> Shape:
    """The picture turned about its middle, anticlockwise for positive angles, by an angle that is drawn evenly.

    `in = (dx cos a - dy sin a, dx sin a + dy cos a)` is the point, counted from the middle, that `(dx, dy)` shows (y points down).

    - `turn`: share of a full turn, as in Keras: 0.1 is from -36 to 36 degrees
    - `degrees`: the same in degrees, in the place of `turn`
    - `fill`: what shows where the picture has no points: `reflect`, `nearest` or `constant(value)`
    - `p`: how often
    """
    if (turn is None) == (degrees is None):
        raise Reject(problems.OneOfTwo("rotate", "turn", "degrees", both=turn is not None), at="degrees")
    return x


@augmentation("geometry", "RandomZoom", "RandomScale")
def zoom(x: Shape, by: Scale, *, fill: Fill = _REFLECT, p: Share = 1.0) -> Shape:
    """The picture larger or smaller about its middle, both axes by one factor that is drawn evenly. `in = (dx, dy) / factor`.

    - `by`: 0.2 is a factor from 0.8 to 1.2; above 1 the picture is larger, and its edges are cut off
    - `fill`: what shows where the picture has no points: `reflect`, `nearest` or `constant(value)`
    - `p`: how often
    """
    return x


@augmentation("geometry", "RandomTranslation", "RandomTranslate", "translate", "ShiftScaleRotate")
def shift(x: Shape, by: Shift = (-0.1, 0.1), *, down: Shift | None = None, fill: Fill = _REFLECT, p: Share = 1.0) -> Shape:
    """The picture moved along each axis by a share of its size, drawn evenly and for each axis anew. `in = (x - s W, y - t H)`.

    - `by`: 0.1 is from a tenth of the width to the left to a tenth to the right, and the same of the height
    - `down`: the share of the height, where it is another than that of the width; positive is downwards
    - `fill`: what shows where the picture has no points: `reflect`, `nearest` or `constant(value)`
    - `p`: how often
    """
    return x


@augmentation("geometry", "RandomShear")
def shear(x: Shape, by: Slant, *, vertical: Slant = (0.0, 0.0), fill: Fill = _REFLECT, p: Share = 1.0) -> Shape:
    """The picture slanted about its middle: rows move by `by` points for each point of height, columns then by `vertical`, drawn evenly.

    `in = (dx - s dy, dy)`, where `s` is the tangent of the angle that upright lines are slanted by.

    - `by`: 0.2 is from -0.2 to 0.2
    - `vertical`: the same for columns
    - `fill`: what shows where the picture has no points: `reflect`, `nearest` or `constant(value)`
    - `p`: how often
    """
    return x


@augmentation("geometry", "RandomCrop")
def crop(x: Shape, size: Plane) -> Shape:
    """A part of this size, from a place that is drawn evenly; whole pixels, exactly. Behind `pad` the usual augmentation of small pictures.

    - `size`: height and width
    """
    wanted = _plane(size, "crop")
    if any(isinstance(n, int) and w > n for w, n in zip(wanted, x[1:])):
        raise Reject(problems.CropTooLarge(wanted, x), at="size")
    return (x[0], *wanted)


@augmentation("geometry", "RandomResizedCrop", "RandomSizedCrop", "RandomCropAndResize")
def random_resized_crop(x: Shape, scale: Shares = (0.08, 1.0), ratio: Ratio = (3 / 4, 4 / 3)) -> Shape:
    """A part of drawn area and shape, stretched to the size that flowed in (Szegedy et al., 2014).

    As `torchvision.transforms.RandomResizedCrop` draws it: the area evenly, the logarithm of width over height as well, then the place;
    what does not fit is drawn again, ten times at most, and then the largest part in the middle with an allowed shape is taken. At the
    beginning of a region it is cut out of the photograph itself, before that is brought to the size of the input.

    - `scale`: the share of the area
    - `ratio`: width over height
    """
    return x


@augmentation("geometry", "Pad", "PadIfNeeded")
def pad(x: Shape, sides: Margins, *, fill: Fill = _REFLECT) -> Shape:
    """A margin around the picture, to be cropped again. Exact: no pixel is computed anew.

    - `sides`: how wide it is: one number for all sides, a size such as `1x2` for height and width, or `[left, right, top, bottom]`
    - `fill`: what it shows: `reflect`, `nearest` or `constant(value)`
    """
    left, right, top, bottom = margins(sides)
    return x[0], x[1] + top + bottom, x[2] + left + right


# ---- colour


@augmentation("colour", "RandomBrightness", "ColorJitter", "RandomBrightnessContrast")
def brightness(x: Shape, by: Factor, *, p: Share = 1.0) -> Shape:
    """Every number times a factor that is drawn evenly: `f x` (as `torchvision.transforms.ColorJitter`).

    - `by`: 0.2 is a factor from 0.8 to 1.2
    - `p`: how often
    """
    return x


@augmentation("colour", "RandomContrast", "RandomAdjustContrast")
def contrast(x: Shape, by: Factor, *, p: Share = 1.0) -> Shape:
    """Nearer to or further from the picture's mean grey `m`, by a factor that is drawn evenly: `f x + (1 - f) m` (as `ColorJitter`).

    - `by`: 0.2 is a factor from 0.8 to 1.2
    - `p`: how often
    """
    return x


@augmentation("colour", "RandomSaturation", "RandomAdjustSaturation", "RandomColor")
def saturation(x: Shape, by: Factor, *, p: Share = 1.0) -> Shape:
    """Nearer to or further from its own grey `g = 0.299 R + 0.587 G + 0.114 B`, by a drawn factor: `f x + (1 - f) g` (as `ColorJitter`).

    - `by`: 0.2 is a factor from 0.8 to 1.2; 0 is grey
    - `p`: how often
    """
    return _rgb("saturation", x)


@augmentation("colour", "RandomHue", "HueSaturationValue")
def hue(x: Shape, by: Turn, *, p: Share = 1.0) -> Shape:
    """Colours turned about the axis of greys, in the YIQ space (Haeberli, 1993): brightness stays, and the whole is one matrix.

    Other frameworks turn in HSV space, which is no matrix; small turns look alike.

    - `by`: share of a full turn: 0.05 is from -18 to 18 degrees; positive is from red towards yellow
    - `p`: how often
    """
    return _rgb("hue", x)


@augmentation("colour", "RandomGrayscale", "ToGray", "Grayscale", "greyscale")
def grayscale(x: Shape, *, p: Share = 0.1) -> Shape:
    """The picture in grey, `0.299 R + 0.587 G + 0.114 B` in each channel (ITU-R 601).

    - `p`: how often
    """
    return _rgb("grayscale", x)


# ---- single pictures


@augmentation("picture", "GaussianBlur", "RandomGaussianBlur")
def blur(x: Shape, sigma: Deviation = (0.1, 2.0), *, p: Share = 1.0) -> Shape:
    """A Gaussian filter, `exp(-d² / 2 sigma²)` over a distance of 3 sigma; the nearest edge goes on outside.

    - `sigma`: the standard deviation in pixels, drawn evenly
    - `p`: how often
    """
    return x


@augmentation("picture", "GaussNoise", "GaussianNoise", "RandomGaussianNoise")
def noise(x: Shape, std: NotNegative = 10.0, *, p: Share = 1.0) -> Shape:
    """A number from a normal distribution added to every pixel and channel.

    - `std`: its standard deviation, of pixels from 0 to 255
    - `p`: how often
    """
    return x


@augmentation("picture", "RandomErasing", "CoarseDropout", "Cutout")
def erase(x: Shape, scale: Shares = (0.02, 0.33), ratio: Ratio = (0.3, 3.3), *, value: Erased = _MEAN, p: Share = 0.5) -> Shape:
    """A rectangle of drawn area, shape and place painted over (Zhong et al., 2017; `torchvision.transforms.RandomErasing`).

    Where none of ten draws fits, the picture stays as it is. Masks and boxes stay as well.

    - `scale`: the share of the area
    - `ratio`: width over height, drawn evenly in its logarithm
    - `value`: what it is painted with, of pixels from 0 to 255, or `mean`, that of each channel of the picture
    - `p`: how often
    """
    if isinstance(value, tuple) or (not isinstance(value, str) and not 0 <= value <= 255):
        raise Reject(problems.BadValue("erase", "value", "a number from 0 to 255, or mean", str(value)), at="value")
    return x


@augmentation("picture", "TrivialAugment", "TrivialAugmentWide")
def trivial_augment(x: Shape, *, bins: Bins = 31, fill: Fill = _BLACK) -> Shape:
    """One of fourteen changes, of a strength drawn evenly (Müller and Hutter, 2021, the wide set; `torchvision`'s `TrivialAugmentWide`).

    They are: none; slant up to 0.99, along the rows or the columns; shift up to 1/7 of the size (32 of the paper's 224 pixels), along
    either axis; rotation up to 135 degrees; brightness, saturation, contrast and sharpness changed by a factor of up to 0.99 less or more;
    8 to 2 bits a channel; what is brighter than a threshold turned to its negative; the darkest to black and the brightest to white;
    evened histograms.

    - `bins`: how many strengths there are, from none to the most
    - `fill`: what shows where the picture has no points: `reflect`, `nearest` or `constant(value)`
    """
    return x


# ---- batches


@augmentation("batch", "MixUp")
def mixup(x: Shape, alpha: Concentration = 0.2, *, p: Share = 1.0) -> Shape:
    """Each picture mixed with another of its batch, `w a + (1 - w) b`; so is the loss (Zhang et al., 2017).

    With `cutmix` in the same region, one of the two is drawn for each batch.

    - `alpha`: `w` is drawn from the distribution Beta(alpha, alpha), once for a batch
    - `p`: how often a batch is mixed
    """
    return x


@augmentation("batch", "CutMix")
def cutmix(x: Shape, alpha: Concentration = 1.0, *, p: Share = 1.0) -> Shape:
    """A rectangle of each picture replaced by that of another of its batch; the loss is mixed by the areas (Yun et al., 2019).

    With `mixup` in the same region, one of the two is drawn for each batch.

    - `alpha`: the share of the area that stays is drawn from the distribution Beta(alpha, alpha), once for a batch
    - `p`: how often a batch is mixed
    """
    return x


def margins(sides: int | tuple[int, ...]) -> tuple[int, int, int, int]:
    """What ``pad`` is given, as left, right, top, bottom. Raises :class:`Reject`."""
    if not isinstance(sides, tuple):
        return sides, sides, sides, sides
    if len(sides) == 2:
        return sides[1], sides[1], sides[0], sides[0]
    if len(sides) == 4:
        return sides[0], sides[1], sides[2], sides[3]
    must = "one number, a size such as 1x2, or a list [left, right, top, bottom]"
    raise Reject(problems.BadValue("pad", "sides", must, str(list(sides))), at="sides")


def plane(size: int | tuple[int, ...]) -> tuple[int, int]:
    """Height and width of a size, one number being a square."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _plane(size: int | tuple[int, ...], owner: str) -> tuple[int, int]:
    if isinstance(size, tuple) and len(size) != 2:
        raise Reject(problems.BadValue(owner, "size", "one number, or a size such as 32x32", "x".join(map(str, size))), at="size")
    return plane(size)


def _rgb(name: str, x: Shape) -> Shape:
    if isinstance(x[0], int) and x[0] != 3:
        raise Reject(problems.NeedsColour(name, x))
    return x


def inferred(name: str, x: Shape, arguments: Mapping[str, Any]) -> Shape:
    """The size that flows out of a step. Raises :class:`Reject` where a rule is broken."""
    return _DECLARED[name].rule(x, **arguments)
