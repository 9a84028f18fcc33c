"""What of an image file could take for ever to read, and the limits on it: parts that cost time or memory and give no pixels.

Pixels and bytes are limited in ``decode.py``. Within these, a file of 256 MB can still hold millions of parts, each of which a decoder does
something about: a JPEG in thousands of scans, each of which goes over all pixels (libjpeg-turbo's own fuzzers stop at 500); twenty million
chunks of a PNG without content, each of which Pillow reads in Python; a run-length coded BMP, which Pillow decodes in Python. So parts
are counted, before any decoder sees the file, by going from one length to the next as the decoders do.

The limits are counts and not seconds. A clock would call the same file good on a fast machine and bad on a slow or busy one, so that a
training would learn from other images there; and a thread that decodes cannot be stopped from outside.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Final

MAX_SCANS: Final = 500
"""Scans of a JPEG. The scripts of usual encoders make about ten, one for each bit of each frequency would be 2,688."""
MAX_HEADER: Final = 32 * 2**20
"""Bytes before the pixels of a JPEG: a profile of colours has at most 16 MB there."""
MAX_PARTS: Final = 65_536
"""Segments of a JPEG before its pixels; chunks of a PNG or WebP. Libpng writes 256 MB in 32,768 chunks."""
MAX_TEXTS: Final = 1_024
"""Chunks of a PNG that are unpacked, to at most 1 MB each: texts and profiles of colours."""
MAX_BLOCKS: Final = 16_384
"""Blocks of a GIF, of 255 bytes at most, around its first frame."""
MAX_PACKED_BMP: Final = 16 * 2**20
"""Bytes of a BMP that is run-length coded."""
_LEAST_BLOCK: Final = 64
"""Bytes that a block of pixels of a GIF has on average at least; usual are 255."""

_SOI, _SOS, _EOI = 0xD8, 0xDA, 0xD9
_NO_LENGTH: Final = frozenset({0x01, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)})
"""Markers of a JPEG that Pillow passes over without asking for their length."""
_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_NEXT: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""What ends the data of a scan: a marker that is neither a stuffed byte nor a restart."""
_EXIF: Final = b"Exif\0\0"
_TWICE_NAMED: Final = 8
"""How many times the length of EXIF data its entries may name together."""
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
"""Bytes of a value in a directory of EXIF data, by its type (TIFF 6.0, page 15)."""


def endless(content: bytes) -> str | None:
    """Why a file is refused though its pixels may be fine, as 'it has 2,000 scans, …'; ``None`` where it is not."""
    look = next((look for start, look in _LOOKS.items() if content.startswith(start)), None)
    return None if look is None else look(content)


def _beyond(count: int, limit: int, of: str) -> str | None:
    return f"it has more than {limit:,} {of}" if count > limit else None


def _jpeg(content: bytes) -> str | None:
    """The segments up to the first scan, and, where there may be more than one, all scans."""
    frame, exif = b"", bytearray()
    for parts, (marker, start, end) in enumerate(_segments(content), 1):
        if parts > MAX_PARTS or end > MAX_HEADER:
            return _beyond(parts, MAX_PARTS, "parts before its pixels") or _beyond(end, MAX_HEADER, "bytes before its pixels")
        if marker in _FRAMES:
            frame = bytes([marker]) + content[start:end]
        elif marker == 0xE1 and content.startswith(_EXIF, start):
            exif += content[start + len(_EXIF) * bool(exif) : end]
        elif marker == _SOS:
            if _whole(frame, content[start:end]) or content.count(b"\xff\xda") <= MAX_SCANS:
                break
            return _beyond(_scans(content, end), MAX_SCANS, "scans")
    return _loops(bytes(exif))


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """The markers of a JPEG up to its first scan, each with where its content begins and ends; a byte between them counts as one."""
    at = 2
    while at + 1 < len(content):
        marker = content[at + 1]
        if content[at] != 0xFF or marker in (0x00, 0xFF):
            at += 1
            yield 0, at, at
        elif marker in _NO_LENGTH:
            at += 2
            yield marker, at, at
        else:
            start, at = at + 4, at + 2 + max(int.from_bytes(content[at + 2 : at + 4]), 2)
            yield marker, start, at
            if marker == _SOS:
                return


def _whole(frame: bytes, scan: bytes) -> bool:
    """Whether a scan is the only one there can be: of a frame that is not progressive, all components."""
    return len(frame) > 6 and frame[0] in (0xC0, 0xC1) and scan[:1] == frame[6:7]


def _scans(content: bytes, at: int) -> int:
    """How many scans a JPEG has, the first of which ends its header at a place; no more are counted than are too many."""
    found = 1
    while found <= MAX_SCANS and (next_one := _NEXT.search(content, at)):
        marker, at = content[next_one.start() + 1], next_one.end()
        if marker == _EOI:
            break
        if marker not in _NO_LENGTH:
            at += max(int.from_bytes(content[at : at + 2]), 2)
        found += marker == _SOS
    return found


def _loops(exif: bytes) -> str | None:
    """Whether the entries of EXIF data lie over one another: Pillow before version 13 copies what each of them names."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[6:10])
    if order is None or len(exif) < 14:
        return None
    body = exif[6:]
    (directory,) = struct.unpack_from(order + "I", body, 4)
    many = int.from_bytes(body[directory : directory + 2], "little" if order == "<" else "big")
    entries = body[directory + 2 : directory + 2 + 12 * many]
    read = 0
    for _, kind, count, offset in struct.iter_unpack(order + "HHII", entries[: len(entries) // 12 * 12]):
        size = count * _SIZES.get(kind, 0)
        read += size if offset + size <= len(body) else 0
        if read > _TWICE_NAMED * len(body):
            return "its EXIF data names the same bytes again and again"
    return None


def _png(content: bytes) -> str | None:
    """All chunks of a PNG, and those that are unpacked."""
    at, parts, texts = 8, 0, 0
    while at + 8 <= len(content):
        kind = content[at + 4 : at + 8]
        parts += 1
        texts += kind in (b"iCCP", b"zTXt", b"iTXt", b"tEXt")
        if parts > MAX_PARTS or texts > MAX_TEXTS:
            return _beyond(parts, MAX_PARTS, "chunks") or _beyond(texts, MAX_TEXTS, "texts")
        if kind == b"IEND":
            break
        at += 12 + int.from_bytes(content[at : at + 4])
    return None


def _riff(content: bytes) -> str | None:
    """The chunks of a WebP, each frame of an animation one of them."""
    at, parts = 12, 0
    while at + 8 <= len(content):
        parts += 1
        if parts > MAX_PARTS:
            return _beyond(parts, MAX_PARTS, "chunks")
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return None


def _gif(content: bytes) -> str | None:
    """The blocks before, in and behind the first frame of a GIF, up to the second: whether there is one is asked."""
    flags = content[10] if len(content) > 10 else 0
    at, blocks, frames = 13 + (3 << (flags & 7) + 1 if flags & 128 else 0), 0, 0
    while at < len(content) and content[at] != 0x3B and blocks <= MAX_BLOCKS and frames < 2:
        kind = content[at]
        if kind == 0x2C:
            local = content[at + 9] if at + 9 < len(content) else 0
            at += 11 + (3 << (local & 7) + 1 if local & 128 else 0)
            frames += 1
            if frames == 1:
                at, many = _blocks(content, at, len(content) // _LEAST_BLOCK + MAX_BLOCKS)
                if many > MAX_BLOCKS and many * _LEAST_BLOCK > len(content):
                    return _beyond(many, len(content) // _LEAST_BLOCK, "blocks of pixels")
        elif kind == 0x21:
            at, many = _blocks(content, at + 2, MAX_BLOCKS)
            blocks += many
        else:
            at, blocks = at + 1, blocks + 1
    return _beyond(blocks, MAX_BLOCKS, "blocks beside its pixels")


def _blocks(content: bytes, at: int, limit: int) -> tuple[int, int]:
    """Where the next blocks of a GIF end, and how many they are, with the empty one behind them, up to a limit."""
    count = 0
    while at < len(content) and count <= limit:
        size = content[at]
        at, count = at + 1 + size, count + 1
        if not size:
            break
    return at, count


def _bmp(content: bytes) -> str | None:
    packed = len(content) >= 34 and int.from_bytes(content[14:18], "little") >= 40 and content[30] in (1, 2)
    return _beyond(len(content), MAX_PACKED_BMP, "bytes, run-length coded") if packed else None


_LOOKS: Final[Mapping[bytes, Callable[[bytes], str | None]]] = {
    b"\xff\xd8\xff": _jpeg,
    b"\x89PNG\r\n\x1a\n": _png,
    b"RIFF": _riff,
    b"GIF8": _gif,
    b"BM": _bmp,
}
"""By what a file begins with."""
