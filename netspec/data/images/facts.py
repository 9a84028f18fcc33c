"""What the headers of image files say: sizes, channels, how they are turned. Nothing is decoded."""

from __future__ import annotations

import stat
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from netspec.data.images.bounded import endless
from netspec.data.images.decode import FORMATS, JPEGS, ImageFormat, Unreadable, own_size, read_bytes, stated_orientation

_SIDEWAYS = frozenset({5, 6, 7, 8})
_AS_IT_LIES = frozenset({1, None})
_LONG = 2**24
"""Bytes of a file whose header may take more than a few seconds: such files are looked at as ``bounded.py`` does, in whole."""


@dataclass(frozen=True)
class ImageFacts:
    """An image's height and width as it stands upright, and how Pillow calls its channels; ``frames`` says whether it has several, and
    ``broken_exif`` whether it has EXIF data that cannot be understood."""

    height: int
    width: int
    mode: str
    turned: bool
    frames: bool
    broken_exif: bool
    is_jpeg: bool


def image_facts(path: Path) -> ImageFacts | None:
    """The facts of a file's header, ``None`` where it has none that can be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for
                return None
            if found.st_size > _LONG and endless(read_bytes(path)) is not None:
                return None
            with Image.open(path, formats=FORMATS) as image:
                exif = image.info.get("exif")
                turn = stated_orientation(exif if isinstance(exif, bytes) else b"")
                width, height = image.size[::-1] if turn in _SIDEWAYS else image.size
                return ImageFacts(
                    height=height,
                    width=width,
                    mode=image.mode,
                    turned=turn not in _AS_IT_LIES,
                    frames=getattr(image, "is_animated", False),
                    broken_exif=turn is None,
                    is_jpeg=image.format in JPEGS,
                )
        except Exception:  # a decoder given a stranger's bytes raises whatever it likes
            return None


def other_size(image: Path, size: tuple[int, ...]) -> tuple[int, int] | None:
    """Height and width of an image where they are others than ``size``; ``None`` too where it cannot be read, which is told elsewhere."""
    facts = image_facts(image)
    if facts is not None and (facts.height, facts.width) == size:
        return None
    try:  # a header may say how the image is turned behind its pixels
        found = own_size(read_bytes(image), ImageFormat(1, None, None)).shape[1:]
    except Unreadable:
        return None
    return None if found == size else (found[0], found[1])
