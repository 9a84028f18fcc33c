"""Files that would take for ever: of each kind one made by hand, refused by counts before a decoder sees it; and one that is allowed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from netspec.data.images import bounded
from netspec.data.images.bounded import MAX_BLOCKS, MAX_HEADER, MAX_PACKED_BMP, MAX_PARTS, MAX_SCANS, MAX_TEXTS, endless
from netspec.data.images.decode import Unreadable, decode
from netspec.data.images.facts import image_facts
from netspec.data.masks import decode_mask
from tests.data.pictures import RGB, encoded, noise

SIDE = 2_000
"""Height and width of the progressive JPEG: large enough for thousands of scans to take seconds."""


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def progressive(scans: int) -> bytes:
    """A grey JPEG of 4 million pixels: its first scan says so, and each of the others, of 29 bytes, that nothing changes in any block."""
    table = segment(0xDB, bytes([0]) + bytes([1] * 64))
    frame = segment(0xC2, struct.pack(">BHHB", 8, SIDE, SIDE, 1) + bytes([1, 0x11, 0]))
    codes = segment(0xC4, bytes([0x00, 1, *[0] * 15, 0])) + segment(0xC4, bytes([0x10, 1, *[0] * 15, 0xE0]))
    blocks = (-(-SIDE // 8)) ** 2
    first = segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + bytes(-(-blocks // 8))
    runs = ("0" + "1" * 14) * -(-blocks // 32_767)  # the end of a band, for 2^14 + 2^14 - 1 blocks
    packed = int(runs + "1" * (-len(runs) % 8), 2).to_bytes(-(-len(runs) // 8)).replace(b"\xff", b"\xff\0")
    again = segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + packed
    return b"\xff\xd8" + table + frame + codes + first + again * (scans - 1) + b"\xff\xd9"


def jpeg_with(*segments: bytes) -> bytes:
    content = encoded(noise(0), "JPEG")
    return content[:2] + b"".join(segments) + content[2:]


def png_with(*chunks: bytes) -> bytes:
    content = encoded(noise(0))
    return content[:33] + b"".join(chunks) + content[33:]


def webp_with(chunks: int) -> bytes:
    body = encoded(noise(0), "WEBP", exif=b"Exif\0\0" + bytes(20))[12:] + b"abcd\x02\0\0\0ab" * chunks
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def gif_with(before: bytes) -> bytes:
    """A GIF with blocks before its first frame."""
    content = encoded(noise(0).convert("P"), "GIF")
    start = 13 + (3 << (content[10] & 7) + 1)
    return content[:start] + before + content[start:]


def gif_of_small_blocks(count: int) -> bytes:
    """A GIF whose only frame has its pixels in blocks of one byte, behind what they need as well."""
    content = encoded(Image.new("P", (1, 1)), "GIF")
    frame = content.index(b"\x2c", 13 + (3 << (content[10] & 7) + 1))
    return content[: frame + 11] + b"\x01\0" * count + b"\0;"


def packed_bmp(size: int) -> bytes:
    """A BMP that is run-length coded: ends of lines, none of which is a pixel."""
    palette, data = bytes(1024), b"\0\0" * (size // 2)
    start = 54 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, 100, 100, 1, 8, 1, len(data), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + header + palette + data


def directory(entries: int, size: int) -> bytes:
    """EXIF data whose entries all name the same bytes: Pillow before version 13 copies them for each."""
    found = b"".join(struct.pack(">HHII", 0x9000 + i, 7, size, 0) for i in range(entries))
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", entries) + found + bytes(size)


BOMBS: dict[str, tuple[Callable[[int], bytes], int, str]] = {
    "scans of a JPEG": (progressive, MAX_SCANS, "scans"),
    "segments of a JPEG": (lambda n: jpeg_with(segment(0xE5, b"") * n), MAX_PARTS - 20, "parts before its pixels"),
    "markers of a JPEG that say nothing": (lambda n: jpeg_with(b"\xff\xd0" * n), MAX_PARTS - 20, "parts before its pixels"),
    "bytes between the markers of a JPEG": (lambda n: jpeg_with(b"\xff" * n), MAX_PARTS - 20, "parts before its pixels"),
    "a long header of a JPEG": (lambda n: jpeg_with(segment(0xE5, bytes(65_000)) * n), MAX_HEADER // 65_004, "bytes before its pixels"),
    "EXIF data in many pieces": (lambda n: jpeg_with(segment(0xE1, b"Exif\0\0" + bytes(60_000)) * n), 500, "bytes before its pixels"),
    "EXIF data that names the same again": (lambda n: jpeg_with(segment(0xE1, directory(n, 6_000))), 8, "the same bytes"),
    "chunks of a PNG": (lambda n: png_with(chunk(b"abCd", b"") * n), MAX_PARTS - 20, "chunks"),
    "pixels of a PNG in empty chunks": (lambda n: png_with(chunk(b"IDAT", b"") * n), MAX_PARTS - 20, "chunks"),
    "profiles of a PNG": (lambda n: png_with(chunk(b"iCCP", b"a\0\0x\x9cx") * n), MAX_TEXTS, "texts"),
    "frames of a PNG": (lambda n: png_with() + chunk(b"fcTL", bytes(26)) * n, MAX_PARTS, ""),
    "chunks of a WebP": (webp_with, MAX_PARTS - 20, "chunks"),
    "blocks of a GIF": (lambda n: gif_with(b"\x21\xf9\x04\0\0\0\0\0" * (n // 2)), MAX_BLOCKS, "blocks beside its pixels"),
    "a comment of a GIF": (lambda n: gif_with(b"\x21\xfe" + b"\x01a" * n + b"\0"), MAX_BLOCKS - 20, "blocks beside its pixels"),
    "bytes between the blocks of a GIF": (lambda n: gif_with(b"\0" * n), MAX_BLOCKS - 20, "blocks beside its pixels"),
    "pixels of a GIF in small blocks": (gif_of_small_blocks, MAX_BLOCKS, "blocks of pixels"),
    "a packed BMP": (packed_bmp, MAX_PACKED_BMP - 2_000, "bytes, run-length coded"),
}
"""How each is made with so many parts, how many are allowed, and what is said of more."""


def tried(content: bytes) -> str:
    try:
        decode(content, RGB)
    except Unreadable as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("make", "limit", "words"), BOMBS.values(), ids=BOMBS.keys())
def test_more_than_is_allowed_is_refused_unseen(
    make: Callable[[int], bytes], limit: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = make(limit * 40 // 39 + 100)
    if not words:  # behind the end of the picture nothing is read
        assert tried(content) == ""
        return
    with monkeypatch.context() as patched:
        patched.setattr("netspec.data.images.decode.Image.open", lambda *_, **__: pytest.fail("a decoder has seen it"))
        assert words in tried(content)
        with pytest.raises(Unreadable, match=words):
            decode_mask(content)
    if len(content) > 2**24:
        (tmp_path / "bomb").write_bytes(content)
        assert image_facts(tmp_path / "bomb") is None


@pytest.mark.parametrize(("make", "limit", "words"), BOMBS.values(), ids=BOMBS.keys())
def test_what_is_allowed_ends(make: Callable[[int], bytes], limit: int, words: str) -> None:
    """A decoder sees it, and has its say: of the limits nothing is heard."""
    content = make(limit * 9 // 10)
    assert endless(content) is None
    assert "more than" not in tried(content)


def test_a_camera_is_not_taken_for_a_bomb() -> None:
    """Markers within segments, as of a preview, are no scans; neither is what lies behind the picture."""
    preview = segment(0xE1, b"http" + b"\xff\xda" * 20_000)
    content = jpeg_with(preview) + b"\xff\xda\0\x02" * 10_000
    assert tried(content) == ""
    several = Image.effect_noise((64, 64), 80).convert("RGB")
    assert tried(encoded(several, "JPEG", progressive=True, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0" + bytes(50_000)) + content) == ""


def test_scans_are_counted_as_the_decoder_does() -> None:
    """Between the scans of a progressive JPEG of an encoder lie tables, restarts and stuffed bytes."""
    picture = encoded(noise(1, 64), "JPEG", progressive=True, restart_marker_blocks=1, quality=100)
    start = picture.index(b"\xff\xda")
    assert bounded._scans(picture, start + 2 + int.from_bytes(picture[start + 2 : start + 4])) == picture.count(b"\xff\xda") == 10


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_no_damage_makes_counting_fail(kind: str) -> None:
    """Every beginning of a file, and every byte another one."""
    content = encoded(noise(2), kind)
    for end in range(len(content)):
        endless(content[:end])
    for place in range(len(content)):
        for value in (0, 1, 0xFF):
            endless(content[:place] + bytes([value]) + content[place + 1 :])
