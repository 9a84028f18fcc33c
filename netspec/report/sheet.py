"""A contact sheet: pictures in rows and columns, as a PNG."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw
from torch import Tensor

_LEAST: Final = 96
"""Pixels that the longer side of a tile has at least: small pictures are drawn larger, by a whole factor and without smoothing."""
_GAP: Final = 6
_HEAD: Final = 18
_INK: Final = "#333333"
_PAPER: Final = "#ffffff"


def draw_sheet(heads: Sequence[str], rows: Sequence[Sequence[Tensor]]) -> bytes:
    """A PNG with a head over each column; the pictures are bytes, `C x H x W` with one channel or three, all of one size."""
    height, width = rows[0][0].shape[1:]
    factor = max(1, -(-_LEAST // max(height, width)))
    wide, tall = max(width * factor, 60), height * factor
    sheet = Image.new("RGB", (_GAP + len(heads) * (wide + _GAP), _HEAD + len(rows) * (tall + _GAP)), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for column, head in enumerate(heads):
        pen.text((_GAP + column * (wide + _GAP), 3), head, fill=_INK)
        for row, pictures in enumerate(rows):
            sheet.paste(_picture(pictures[column], factor), (_GAP + column * (wide + _GAP), _HEAD + row * (tall + _GAP)))
    content = BytesIO()
    sheet.save(content, "PNG")
    return content.getvalue()


def _picture(pixels: Tensor, factor: int) -> Image.Image:
    values = pixels.cpu().numpy()
    image = Image.fromarray(values[0] if len(values) == 1 else values.transpose(1, 2, 0).copy())
    return image.convert("RGB").resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
