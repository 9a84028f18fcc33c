"""Every kind of picture comes out as the pixels it shows."""

from __future__ import annotations

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from netspec.data.images.decode import ImageFormat, Unreadable, decode, orientation, read_bytes, stated_orientation
from netspec.data.images.jpeg import decode_jpeg
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
    exif = Image.Exif()
    exif[0x0112] = number
    content = encoded(noise(3, 8), "PNG", exif=exif)
    with Image.open(BytesIO(content)) as image:
        upright = np.asarray(ImageOps.exif_transpose(image)).transpose(2, 0, 1)
    assert (decode(content, RGB) == upright).all()


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("size", [(1, 7), (7, 1), (1, 1)])
def test_one_pixel_wide_and_turned(number: int, mode: str, kind: str, size: tuple[int, int]) -> None:
    """Where an axis of one pixel is turned round, NumPy calls what is counted backwards contiguous, and PyTorch refuses it."""
    exif = Image.Exif()
    exif[0x0112] = number
    shades = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    content = encoded(Image.fromarray(shades).convert(mode), kind, exif=exif)
    with Image.open(BytesIO(content)) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    assert (decode(content, ImageFormat(3, None, None)) == np.asarray(upright).transpose(2, 0, 1)).all()
    larger = np.asarray(upright.resize((9, 9), Image.Resampling.BILINEAR)).transpose(2, 0, 1).astype(int)
    assert np.abs(decode(content, ImageFormat(3, 9, 9)) - larger).max() <= 2


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
    assert [stated_orientation(e) for e in (b"", good, good.replace(b"\0\x06\0\0", b"\0\0\0\0"), good[:-13])] == [1, 6, 1, None]
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


# --- JPEG, which Pillow does not decode -----------------------------------------------------------------------------------------------

OWN_SIZE = ImageFormat(3, None, None)
KINDS_OF_JPEG = {
    "plain": {},
    "progressive": {"progressive": True},
    "all colours": {"subsampling": 0},
    "half the colours": {"subsampling": 1},
    "coarse": {"quality": 20},
    "fine": {"quality": 100},
    "restarts": {"restart_marker_blocks": 3},
    "kept as RGB": {"keep_rgb": True},
}


def landscape(height: int, width: int, mode: str = "RGB") -> Image.Image:
    """A picture with as much of each size of detail as photographs have: noise whose strength falls with its frequency."""
    draws = np.random.default_rng(7).normal(size=(3, height, width))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)) + 1 / max(height, width)
    values = np.fft.ifft2(np.fft.fft2(draws) / frequency).real
    values[1:] = 0.7 * values[:1] + 0.3 * values[1:]
    scaled = (values / values.std() * 45 + 128).clip(0, 255).astype(np.uint8)
    return Image.fromarray(scaled.transpose(1, 2, 0)).convert(mode)


def by_pillow(content: bytes, mode: str, size: tuple[int, int] | None = None) -> np.ndarray:
    with Image.open(BytesIO(content)) as image:
        upright = ImageOps.exif_transpose(image).convert(mode)
    found = np.asarray(upright if size is None else upright.resize((size[1], size[0]), Image.Resampling.BILINEAR))
    return found[np.newaxis] if mode == "L" else found.transpose(2, 0, 1)


@pytest.mark.parametrize("options", KINDS_OF_JPEG.values(), ids=KINDS_OF_JPEG)
@pytest.mark.parametrize("size", [(40, 56), (33, 17), (1, 1), (8, 200)])
def test_a_jpeg_has_pillows_pixels(options: dict[str, object], size: tuple[int, int]) -> None:
    content = encoded(landscape(*size), "JPEG", **options)
    assert (decode(content, OWN_SIZE) == by_pillow(content, "RGB")).all()
    assert (decode(content, ImageFormat(1, None, None)) == by_pillow(content, "L")).all()


def test_a_grey_jpeg_has_pillows_pixels() -> None:
    content = encoded(landscape(40, 56, "L"), "JPEG")
    assert (decode(content, OWN_SIZE) == by_pillow(content, "RGB")).all()
    assert (decode(content, ImageFormat(1, None, None)) == by_pillow(content, "L")).all()


def test_of_many_pictures_in_a_jpeg_the_first_is_read() -> None:
    content = encoded(landscape(40, 56), "MPO", save_all=True, append_images=[landscape(40, 56).rotate(90)])
    assert (decode(content, OWN_SIZE) == by_pillow(content, "RGB")).all()


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("size", [(30, 50), (300, 500)])
def test_a_jpeg_is_turned_before_it_is_stretched(number: int, size: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = number
    content = encoded(landscape(*size), "JPEG", exif=exif)
    found = decode(content, ImageFormat(3, 20, 60))
    assert found.shape == (3, 20, 60)
    assert np.abs(found.astype(int) - by_pillow(content, "RGB", (20, 60))).mean() < 2


WHOLE = [(224, 224), (100, 37), (17, 300), (500, 600)]


@pytest.mark.parametrize(("kind", "size"), [*(("JPEG", size) for size in WHOLE), *(("PNG", size) for size in (*WHOLE, (8, 8), (1, 1)))])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_resizing_is_pillows(kind: str, mode: str, size: tuple[int, int]) -> None:
    """The same filter: both round the weights, and what is between the two directions, so a level or two may be between them."""
    content = encoded(landscape(301, 399 if size[0] < 300 else 100), kind)
    wanted = ImageFormat(len(mode), *size)
    difference = np.abs(decode(content, wanted).astype(int) - by_pillow(content, mode, size))
    assert difference.max() <= 2
    assert difference.mean() <= 0.25


@pytest.mark.parametrize(("height", "width"), [(1, 5000), (5000, 1), (3000, 2), (1, 1), (4096, 4096)])
@pytest.mark.parametrize("shade", [0, 50, 137, 255])
def test_what_is_flat_stays_flat(height: int, width: int, shade: int) -> None:
    content = encoded(flat("L", shade, (width, height)))
    for size in ((8, 8), (1, 1), (3, 11)):
        assert np.unique(decode(content, ImageFormat(3, *size))).tolist() == [shade]


def _differs_little(content: bytes, size: int) -> None:
    """A picture decoded smaller, then resized, against one decoded whole. libjpeg leaves the high frequencies of each block out, which is
    a sharper filter than the triangle; at three times the size wanted, the triangle then leaves little of the difference. Measured on 75
    photographs: at most 1.4 of 255 on average, 23 at an edge."""
    difference = np.abs(decode(content, ImageFormat(3, size, size)).astype(int) - by_pillow(content, "RGB", (size, size)))
    assert difference.mean() <= 1.5
    assert difference.max() <= 32


@pytest.mark.parametrize(("size", "factor"), [(150, 1), (100, 2), (60, 2), (45, 4), (16, 8), (3, 8)])
def test_a_large_jpeg_is_decoded_smaller(size: int, factor: int) -> None:
    content = encoded(landscape(640, 800), "JPEG", quality=90)
    decoded = decode_jpeg(content, "RGB", (3 * size, 3 * size))
    assert decoded is not None
    assert decoded.shape == (640 // factor, 800 // factor, 3)
    _differs_little(content, size)


@pytest.mark.skipif("NETSPEC_DATA" not in os.environ, reason="needs the folder of real photographs, NETSPEC_DATA")
@pytest.mark.parametrize("size", [40, 56, 86, 112])
def test_photographs_are_decoded_smaller(size: int) -> None:
    root = Path(os.environ["NETSPEC_DATA"])
    files = [*sorted((root / "imagenet20").glob("*.jpg")), *sorted((root / "fruit" / "test").rglob("*.jpg"))[::20]]
    assert len(files) > 20
    for file in files:
        _differs_little(file.read_bytes(), size)


@pytest.mark.parametrize("options", KINDS_OF_JPEG.values(), ids=KINDS_OF_JPEG)
def test_every_truncated_jpeg_is_refused(options: dict[str, object]) -> None:
    content = encoded(landscape(24, 24), "JPEG", **options)
    for end in range(1, len(content) - 2):
        with pytest.raises(Unreadable):
            decode(content[:end], RGB)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_lost_a_piece_is_refused(mode: str, progressive: bool) -> None:
    """Pillow gives such a picture with grey in the place of what is missing."""
    content = encoded(landscape(96, 96, mode), "JPEG", progressive=progressive)
    lost = content[: len(content) // 2] + content[len(content) // 2 + len(content) // 5 :]
    with Image.open(BytesIO(lost)) as image:
        image.load()
    with pytest.raises(Unreadable, match="Corrupt JPEG data"):
        decode(lost, RGB)


def test_a_jpeg_with_bytes_too_many_is_read() -> None:
    """Common in files of old cameras; nothing of the picture is missing."""
    content = encoded(landscape(40, 56), "JPEG")
    padded = content[:-2] + bytes(65) + content[-2:] + b"more behind the end"
    assert (decode(padded, OWN_SIZE) == decode(content, OWN_SIZE)).all()


def test_what_is_left_of_a_damaged_jpeg_is_never_other_than_pillow_sees_it() -> None:
    draws = np.random.default_rng(3)
    sources = [encoded(landscape(48, 64), "JPEG", **options) for options in KINDS_OF_JPEG.values()]
    read = refused = 0
    for number in range(800):
        content = bytearray(sources[number % len(sources)])
        content[draws.integers(len(content))] ^= 1 << int(draws.integers(8))
        try:
            found = decode(bytes(content), OWN_SIZE)
        except Unreadable:
            refused += 1
            continue
        read += 1
        assert (found == by_pillow(bytes(content), "RGB")).all()
    assert min(read, refused) > 50


def test_pixel_budget_holds_for_a_jpeg() -> None:
    content = bytearray(encoded(landscape(16, 16), "JPEG"))
    start = content.index(b"\xff\xc0") + 5
    content[start : start + 4] = struct.pack(">HH", 65_500, 65_500)
    with pytest.raises(Unreadable, match="pixels"):
        decode(bytes(content), RGB)
