"""Every kind of picture comes out as the pixels it shows."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netspec.data.decode import ImageFormat, Unreadable, decode, orientation, read_bytes
from tests.data.pictures import GREY, RGB, encoded, noise

ONE = ImageFormat(3, 1, 1)
FOUR = ImageFormat(1, 2, 2)


def flat(mode: str, color: object, size: tuple[int, int] = (4, 4)) -> Image.Image:
    return Image.new(mode, size, color)  # type: ignore[arg-type]


def pixel(content: bytes) -> list[int]:
    return decode(content, ONE)[:, 0, 0].tolist()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(encoded(flat("RGB", (10, 200, 30))), [10, 200, 30], id="rgb"),
        pytest.param(encoded(flat("L", 77)), [77, 77, 77], id="grey"),
        pytest.param(encoded(flat("1", 1)), [255, 255, 255], id="black and white"),
        pytest.param(encoded(flat("RGBA", (255, 0, 0, 0))), [255, 255, 255], id="transparent is white"),
        pytest.param(encoded(flat("RGBA", (0, 0, 0, 128))), [127, 127, 127], id="half transparent"),
        pytest.param(encoded(flat("LA", (0, 0))), [255, 255, 255], id="grey with alpha"),
        pytest.param(encoded(flat("RGB", (9, 8, 7)).convert("P", palette=Image.Palette.ADAPTIVE)), [9, 8, 7], id="palette"),
        pytest.param(encoded(flat("P", 0), transparency=0), [255, 255, 255], id="palette with transparency"),
        pytest.param(encoded(flat("RGB", (5, 6, 7)), transparency=(5, 6, 7)), [255, 255, 255], id="transparent colour"),
        pytest.param(encoded(flat("RGB", (10, 200, 30)), "BMP"), [10, 200, 30], id="bmp"),
        pytest.param(encoded(flat("RGB", (10, 200, 30)), "WEBP", lossless=True), [10, 200, 30], id="webp"),
    ],
)
def test_modes(content: bytes, expected: list[int]) -> None:
    assert pixel(content) == expected


def test_cmyk_jpeg_is_converted() -> None:
    red = decode(encoded(flat("CMYK", (0, 255, 255, 0), (16, 16)), "JPEG", quality=95), ONE)[:, 0, 0]
    assert np.abs(red.astype(int) - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize(("value", "expected"), [(65535, 255), (0, 0), (257 * 100, 100), (257 * 100 + 128, 100), (257 * 100 + 129, 101)])
def test_sixteen_bits_are_scaled_and_not_cut(value: int, expected: int) -> None:
    image = Image.fromarray(np.full((2, 2), value, np.uint16))
    assert decode(encoded(image), FOUR).tolist() == [[[expected] * 2] * 2]


def test_first_frame_of_an_animation() -> None:
    frames = [flat("RGB", c) for c in ((255, 0, 0), (0, 255, 0))]
    assert pixel(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])) == [255, 0, 0]


@pytest.mark.parametrize("number", range(1, 9))
def test_orientation_agrees_with_pillow(number: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = number
    content = encoded(noise(3, 8), "PNG", exif=exif)
    with Image.open(__import__("io").BytesIO(content)) as image:
        upright = np.asarray(ImageOps.exif_transpose(image)).transpose(2, 0, 1)
    assert (decode(content, RGB) == upright).all()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def test_exif_in_a_png_may_stand_behind_the_pixels() -> None:
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0"
    content = encoded(noise(3, 8), "PNG")
    turned = content[:-12] + chunk(b"eXIf", exif) + content[-12:]
    assert (decode(turned, RGB) == decode(content, RGB)[:, ::-1, ::-1]).all()


def test_a_text_may_be_called_exif() -> None:
    content = encoded(flat("RGB", (1, 2, 3)))
    assert decode(content[:33] + chunk(b"tEXt", b"exif\0a text") + content[33:], ONE)[:, 0, 0].tolist() == [1, 2, 3]


def test_a_transparent_shade_of_16_bits_is_laid_on_white() -> None:
    content = encoded(Image.fromarray(np.full((8, 8), 4096, np.uint16)), "PNG")
    assert decode(content, GREY).max() == 16
    assert decode(content[:33] + chunk(b"tRNS", struct.pack(">H", 4096)) + content[33:], GREY).min() == 255


def test_broken_exif_says_nothing() -> None:
    good = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    assert orientation(good) == 6
    for end in range(len(good) - 6):
        assert orientation(good[:end]) in (1, 6)
    assert orientation(b"Exif\0\0MM\0*\xff\xff\xff\xff") == 1
    assert orientation(good.replace(b"\0\x06\0\0", b"\0\x09\0\0")) == 1
    assert decode(encoded(flat("RGB", (1, 2, 3)), exif=b"Exif\0\0II*\0junk"), ONE)[:, 0, 0].tolist() == [1, 2, 3]


def test_resize_is_stretched_and_antialiased() -> None:
    checks = Image.fromarray((np.indices((64, 32)).sum(0) % 2 * 255).astype(np.uint8))
    found = decode(encoded(checks), GREY)
    assert found.shape == (1, 8, 8)
    assert np.abs(found.astype(int) - 127).max() <= 2
    assert decode(encoded(flat("L", 50, (1, 5000))), GREY).tolist() == [[[50] * 8] * 8]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_truncated_files_are_refused(kind: str, quarter: int) -> None:
    content = encoded(noise(1, 32), kind)
    with pytest.raises(Unreadable):
        decode(content[: len(content) * quarter // 4], RGB)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello, I am no picture", "text"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"PK\x03\x04\xff", "a zip archive"),
        (b"\0" * 50, "no JPEG"),
    ],
)
def test_other_files_are_told_apart(content: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        decode(content, RGB)


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header claims a size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(10_000, 9_000), (13_000, 13_000), (65_500, 65_500)])
def test_pixel_budget_is_checked_before_decoding(size: tuple[int, int]) -> None:
    with pytest.raises(Unreadable, match="pixels"):
        decode(png_of(*size), RGB)


def test_unsupported_formats_are_refused() -> None:
    with pytest.raises(Unreadable, match="looks like a TIFF"):
        decode(encoded(noise(1), "TIFF"), RGB)


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    for name, words in (("empty.jpg", "empty"), ("absent.jpg", "No such file"), (".", "folder")):
        with pytest.raises(Unreadable, match=words):
            read_bytes(tmp_path / name)
