"""``mistakes.png``: the samples that a net was most wrong about, as pictures with what they are and what they were taken for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from netspec.data.found import IGNORED
from netspec.diagnostics.text import escape

_LEAST, _MOST = 120, 240
"""Pixels that the longer side of a picture has, at least and at most: small ones are drawn larger by a whole factor, large ones smaller."""
_GAP, _LINE, _COLUMNS = 10, 15, 6
_LONGEST: Final = 200
"""Letters of a line that are looked at."""
_INK, _MUTED, _PAPER = "#333333", "#5a5f66", "#ffffff"
_CLASSES: Final = (
    "#000000", "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#ee8866", "#44bb99", "#ffaabb",
)  # fmt: skip
"""Tol's bright and light schemes behind black, which is the first class; beyond them, they come again."""
MASK_COLORS: Final = len(_CLASSES)
"""So many classes of a mask have a colour of their own."""
_UNCOUNTED_COLOR: Final = (136, 136, 136)


@dataclass(frozen=True)
class Mistake:
    """A sample and what a net made of it.

    ``pictures`` are what the inputs took, `C x H x W` bytes with one channel or three, and none where it took numbers; ``truth`` and
    ``taken`` are in words. ``masks``, of an output that has a class for each pixel, are the true and the predicted one, `H x W`, 255 for a
    pixel that counts for nothing.
    ``output`` is named where the net has several.
    """

    name: str
    pictures: tuple[Tensor, ...]
    truth: str
    taken: str
    loss: float
    probability: float | None = None
    output: str = ""
    masks: tuple[Tensor, Tensor] | None = None

    def lines(self) -> tuple[str, str, str]:
        """What is said of it: what it is, what it was taken for and how surely, and its name. Control characters are shown escaped."""
        sure = f"loss {self.loss:.3g}" if self.probability is None else f"{self.probability:.1%}"
        of = f"{escape(self.output)}: " if self.output else ""
        if self.masks is not None:
            return f"{of}picture, mask, predicted", sure, escape(self.name)
        return f"{of}{escape(self.truth)}", f"taken for {escape(self.taken)}, {sure}", escape(self.name)


def draw_mistakes(mistakes: Sequence[Mistake]) -> bytes:
    """A contact sheet (PNG), the worst first."""
    tiles = [_tile(mistake) for mistake in mistakes]
    wide, tall = max(tile.width for tile in tiles), max(tile.height for tile in tiles)
    columns = max(1, min(_COLUMNS, len(tiles), 1600 // (wide + _GAP)))
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (_GAP + columns * (wide + _GAP), _GAP + rows * (tall + _GAP)), _PAPER)
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (_GAP + number % columns * (wide + _GAP), _GAP + number // columns * (tall + _GAP)))
    return _png(sheet)


def picture(mistake: Mistake) -> bytes:
    """The pictures of a mistake side by side, and its masks, as a PNG without words. Between them it is transparent."""
    return _png(_side_by_side(mistake))


def _png(image: Image.Image) -> bytes:
    content = BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def _tile(mistake: Mistake) -> Image.Image:
    found = _side_by_side(mistake)
    width = max(found.width, 150)
    tile = Image.new("RGB", (width, found.height + 4 + 3 * _LINE), _PAPER)
    tile.paste(found, (0, 0), found.getchannel("A"))
    pen = ImageDraw.Draw(tile)
    for number, (text, ink) in enumerate(zip(mistake.lines(), (_INK, _INK, _MUTED), strict=True)):
        pen.text((0, found.height + 4 + number * _LINE), _fitted(text, width, from_end=number == 2), fill=ink, font=_font())
    return tile


def _side_by_side(mistake: Mistake) -> Image.Image:
    parts = list(_parts(mistake)) or [Image.new("RGB", (1, 1), _PAPER)]
    whole = Image.new("RGBA", (sum(p.width for p in parts) + 2 * (len(parts) - 1), max(p.height for p in parts)))
    left = 0
    for part in parts:
        whole.paste(part, (left, 0))
        left += part.width + 2
    return whole


def _parts(mistake: Mistake) -> Iterator[Image.Image]:
    for pixels in mistake.pictures:
        values = pixels.detach().cpu().numpy()
        yield _sized(Image.fromarray(values[0] if len(values) == 1 else values.transpose(1, 2, 0).copy()).convert("RGB"), smooth=True)
    for mask in mistake.masks or ():
        yield _sized(Image.fromarray(colored(mask)), smooth=False)


def colored(mask: Tensor) -> NDArray[np.uint8]:
    """A mask in colours, `H x W x 3`."""
    numbers = mask.detach().cpu().numpy().astype(np.int64)
    colors = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in _CLASSES], dtype=np.uint8)
    found: NDArray[np.uint8] = colors[np.where(numbers < len(colors), numbers, 1 + (numbers - 1) % (len(colors) - 1))]
    found[numbers == IGNORED] = _UNCOUNTED_COLOR
    return found


def color_of(number: int) -> str:
    """The colour of a class in a mask, as ``#4477aa``."""
    return _CLASSES[number if number < len(_CLASSES) else 1 + (number - 1) % (len(_CLASSES) - 1)]


def _sized(image: Image.Image, *, smooth: bool) -> Image.Image:
    longer = max(image.size)
    if longer > _MOST:
        size = (max(1, image.width * _MOST // longer), max(1, image.height * _MOST // longer))
        return image.resize(size, Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST)
    factor = max(1, _LEAST // longer)
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def _fitted(text: str, width: int, *, from_end: bool) -> str:
    """As much of a text as there is room for: of a path its end, which tells it from others."""
    if _font().getlength(text[:_LONGEST]) <= width and len(text) <= _LONGEST:
        return text
    text = text[-_LONGEST:] if from_end else text[:_LONGEST]
    while text and _font().getlength(f"{text}…") > width:
        text = text[1:] if from_end else text[:-1]
    return f"…{text}" if from_end else f"{text}…"


@cache
def _font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings along: it has the letters of most alphabets."""
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), 11)
