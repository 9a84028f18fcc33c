"""From a file to pixels: the one way in which training, evaluation and prediction read an image.

The rules, in this order:

- JPEG, PNG, WebP, BMP and GIF are read, told apart by content; of an animation the first frame.
- More than 89,478,485 pixels or 256 MB are refused, the pixels from the header, before anything is decoded; so are more parts, as the
  scans of a JPEG or the chunks of a PNG, than ``bounded.py`` allows, which would take for ever.
- The orientation in the EXIF data is applied; EXIF data that is broken says nothing.
- What is transparent is laid on white. CMYK, palettes and black-and-white become RGB or grey as Pillow does it; 16-bit grey is
  divided by 257, so that 65,535 becomes 255.
- One channel is grey (ITU-R 601 weights), three are RGB.
- The image is stretched to the input's height and width, bilinear with antialiasing; an axis that the net leaves open keeps its size.
- A ``whole`` image keeps its size, and its shape in any case. One that is far larger than three times the input's height and width is made
  smaller: a JPEG by 2, 4 or 8 while it is decoded, as long as it has three times both; then, in the same way as above, until it has three
  times one of them, if half of its pixels and more go.

Pillow reads the header, says what is an image, and decodes all formats but one: JPEG is decoded by ``jpeg.py``, to the same bytes.
PyTorch resizes all of them, by the filter of Pillow's ``BILINEAR``, to the same bytes give or take 2 of 255, in a third of the time.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F

from netspec.data.images.bounded import endless
from netspec.data.images.jpeg import Damaged, decode_jpeg, smaller_by

Pixels = NDArray[np.uint8]

RULES: Final = 1
"""The number of the rules above, another one whenever images come out as other pixels: what other rules made is taken from no cache."""

JPEGS: Final = ("JPEG", "MPO")
"""Pillow's names: the second for JPEG files with further images behind the first, as telephones write them."""
FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"})
MAX_PIXELS: Final = 89_478_485
MAX_BYTES: Final = 256 * 2**20
_SPARE: Final = 3
"""How many times as large as the input an image must still be after it was made smaller while decoding. That leaves all but a rest of the
smoothing to the resizing: by 3, photographs come out within 1.4 levels of 255 on average of those decoded whole, by 1 within 9."""
_WHOLE: Final = 3
"""How many times the input's height or width a whole image has that was made smaller. Of such a picture of 4 x 3 a part of 8 % of the
area, which is the least that a random resized crop takes by itself, has as many pixels as the input."""


class Unreadable(Exception):
    """A file that is no image to us; the text says why, as 'the file is empty'."""


@dataclass(frozen=True)
class ImageFormat:
    """What a net takes: channels (1 is grey, 3 is RGB), height and width, ``None`` where it leaves them open.

    ``whole`` says that images are not stretched to that yet: parts of them are to be.
    """

    channels: int
    height: int | None
    width: int | None
    whole: bool = False

    @property
    def is_open(self) -> bool:
        return self.height is None or self.width is None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of what the net gets; raises :class:`TypeError` where they are open."""
        if self.height is None or self.width is None:
            raise TypeError("the format has open sizes: ask own_size() for those of an image")
        return self.channels, self.height, self.width

    @property
    def most(self) -> int:
        """Bytes of an image; of a whole one as many as it has at most where it has the input's shape. Longer ones have more."""
        return prod(self.shape) * (2 * _WHOLE**2 if self.whole else 1)


def kept_size(size: tuple[int, int], wanted: ImageFormat) -> tuple[int, int]:
    """The height and width at which a ``whole`` image is kept that has this height and width."""
    _, height, width = wanted.shape
    least = (_WHOLE * height, _WHOLE * width)
    scale = max(want / have for want, have in zip(least, size, strict=True))
    if 2 * scale**2 > 1:
        return size
    found = (round(have * scale) for have in size)
    kept = tuple(max(one, want) for one, want in zip(found, least, strict=True))
    return kept[0], kept[1]


def decoded_size(size: tuple[int, int], wanted: ImageFormat) -> tuple[int, int]:
    """The height and width at which a JPEG of this height and width is decoded."""
    _, height, width = wanted.shape
    factor = smaller_by(size, (_WHOLE * height, _WHOLE * width))
    return -(-size[0] // factor), -(-size[1] // factor)


def own_size(content: bytes, wanted: ImageFormat) -> ImageFormat:
    """The format with an image's own height and width, as it stands upright, in the place of open ones. Raises :class:`Unreadable`."""
    pixels = decode(content, ImageFormat(1, wanted.height, wanted.width))
    return ImageFormat(wanted.channels, *pixels.shape[1:])


def read_bytes(path: Path) -> bytes:
    """The content of a regular file of at most 256 MB; raises :class:`Unreadable`."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise Unreadable("it is a folder" if stat.S_ISDIR(facts.st_mode) else "it is not a regular file")
        if facts.st_size > MAX_BYTES:
            raise Unreadable(f"it has {facts.st_size:,} bytes, and the limit is {MAX_BYTES:,}")
        content = path.read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error
    if not content:
        raise Unreadable("the file is empty")
    return content


def decode(content: bytes, wanted: ImageFormat) -> Pixels:
    """The image as `channels x height x width` bytes. Raises :class:`Unreadable`."""
    return _opened(content, lambda image: _pixels(_upright(content, image, wanted), wanted))


def decode_window(content: bytes, wanted: ImageFormat, size: tuple[int, int], window: tuple[slice, slice]) -> Pixels:
    """Some rows and columns of a whole image which has this size, as `channels x rows x columns`. Raises :class:`Unreadable`, for another
    size as well."""
    return _opened(content, lambda image: _window(_upright(content, image, wanted), wanted, size, window))


def _opened(content: bytes, read: Callable[[Image.Image], Pixels]) -> Pixels:
    check_bounded(content)
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            return read(image)
    except Unreadable:
        raise
    except Damaged as error:
        raise Unreadable(f"it is damaged ({error})") from error
    except UnidentifiedImageError as error:
        raise Unreadable(f"it is no JPEG, PNG, WebP, BMP or GIF{_looks_like(content)}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unreadable(f"it has more than {MAX_PIXELS:,} pixels") from error
    except Exception as error:  # a decoder given a stranger's bytes raises whatever it likes
        raise Unreadable(f"it is damaged ({str(error) or type(error).__name__})") from error


def check_bounded(content: bytes) -> None:
    """Raise :class:`Unreadable` for a file that would take for ever, before a decoder sees it."""
    if (reason := endless(content)) is not None:
        raise Unreadable(reason)


def _upright(content: bytes, image: Image.Image, wanted: ImageFormat) -> Pixels:
    """Height x width of grey, or height x width x 3."""
    if image.width * image.height > MAX_PIXELS:
        raise Unreadable(f"it has {image.width * image.height:,} pixels, and the limit is {MAX_PIXELS:,}")
    plain = _stored(content, image, wanted)
    turn = _orientation(image)
    return plain if turn == 1 else np.array(_TURNS[turn](plain), order="C")


def _pixels(upright: Pixels, wanted: ImageFormat) -> Pixels:
    if wanted.whole:
        size = kept_size((upright.shape[0], upright.shape[1]), wanted)
    else:
        size = (wanted.height or upright.shape[0], wanted.width or upright.shape[1])
    return _in_channels(resized(upright, size), wanted)


def _window(upright: Pixels, wanted: ImageFormat, size: tuple[int, int], window: tuple[slice, slice]) -> Pixels:
    own = (upright.shape[0], upright.shape[1])
    if kept_size(own, wanted) != size:
        raise Unreadable("it has another size than when it was read first")
    if own != size:
        return _in_channels(resized(upright, size)[:, *window], wanted)
    return _in_channels(_planes(upright[window]), wanted)


def _in_channels(pixels: Pixels, wanted: ImageFormat) -> Pixels:
    return pixels if len(pixels) == wanted.channels else np.repeat(pixels, wanted.channels, 0)


def _stored(content: bytes, image: Image.Image, wanted: ImageFormat) -> Pixels:
    """Height x width of grey, or height x width x 3, as the image lies in the file: not turned yet."""
    found = None
    if image.format in JPEGS:
        found = decode_jpeg(content, image.mode, _least(image, wanted))
    if found is None:
        image.load()
        opaque = _opaque(image)
        return np.array(opaque if opaque.mode == "L" else opaque.convert("L" if wanted.channels == 1 else "RGB"))
    if wanted.channels == 1 and found.ndim == 3:
        return np.array(Image.fromarray(found).convert("L"))
    return found


def _least(image: Image.Image, wanted: ImageFormat) -> tuple[int, int] | None:
    """The height and width that are needed of the image as it lies in the file; ``None`` where it keeps one of them."""
    if wanted.height is None or wanted.width is None:
        return None
    times = _WHOLE if wanted.whole else _SPARE
    height, width = times * wanted.height, times * wanted.width
    return (width, height) if _orientation(image) >= 5 else (height, width)


def _orientation(image: Image.Image) -> int:
    """As the EXIF data has it; a PNG has that behind the pixels as well, and a text of a PNG may go by that name."""
    exif = image.info.get("exif")
    return orientation(exif if isinstance(exif, bytes) else b"")


def resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Height x width (x channels) to channels x height x width of that size, each pixel a mean of those around it, weighted by a triangle
    as wide as two pixels of the smaller of both pictures."""
    if pixels.shape[:2] == size:
        return _planes(pixels)
    return stretched(torch.from_numpy(pixels if pixels.ndim == 3 else pixels[:, :, np.newaxis]).permute(2, 0, 1), size)


def stretched(planes: Tensor, size: tuple[int, int]) -> Pixels:
    """Channels x height x width at another size."""
    found: Pixels = np.ascontiguousarray(F.interpolate(planes[None], size, mode="bilinear", antialias=True)[0].numpy())
    return found


def _planes(pixels: Pixels) -> Pixels:
    """Height x width (x channels) as channels x height x width; by OpenCV, in a sixth of NumPy's time."""
    made = np.empty((pixels.shape[2] if pixels.ndim == 3 else 1, *pixels.shape[:2]), np.uint8)
    cv2.split(pixels, tuple(made))
    return made


def _opaque(image: Image.Image) -> Image.Image:
    """The image without transparency and with 8 bits a channel."""
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64).clip(0, 65535)
        values[values == image.info.get("transparency")] = 65535
        return Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


_TURNS: Final[Mapping[int, Callable[[Pixels], Pixels]]] = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: p[::-1].swapaxes(0, 1),
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: p[:, ::-1].swapaxes(0, 1),
}
"""What makes an image upright, by its orientation in the EXIF data."""

_ORIENTATION_TAG, _SHORT = 0x0112, 3


def orientation(exif: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none, or where the data is broken."""
    return stated_orientation(exif) or 1


def stated_orientation(exif: bytes) -> int | None:
    """The EXIF orientation, 1 to 8; 1 where nothing is said, as by 0, and ``None`` where the data is broken.

    Reads the first directory of the TIFF structure alone (EXIF 2.32, section 4.6.2), so that no size and no loop in it matters.
    """
    if not exif:
        return 1
    start = 6 if exif.startswith(b"Exif\0\0") else 0
    order = {b"II": "<", b"MM": ">"}.get(exif[start : start + 2])
    if order is None:
        return None
    try:
        (directory,) = struct.unpack_from(order + "I", exif, start + 4)
        (count,) = struct.unpack_from(order + "H", exif, start + directory)
        for entry in range(count):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", exif, start + directory + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG:
                return (int(value) or 1) if kind == _SHORT and value <= 8 else None
    except struct.error:
        return None
    return 1


def _looks_like(content: bytes) -> str:
    """A guess at what a file is instead, for the message."""
    for start, name in _SIGNATURES:
        if content.startswith(start):
            return f", but looks like {name}"
    return ", but looks like text" if content[:512].isascii() and b"\0" not in content[:512] else ""


_SIGNATURES: Final = (
    (b"PK\x03\x04", "a zip archive"), (b"%PDF", "a PDF"), (b"II*\0", "a TIFF"), (b"MM\0*", "a TIFF"), (b"\x1f\x8b", "a gzip archive"),
    (b"<!DOCTYPE", "a web page"), (b"<html", "a web page"), (b"8BPS", "a Photoshop file"),
)  # fmt: skip
