"""One folder of images with everything wrong in it at once: all of it is said before the first epoch, by path."""

from __future__ import annotations

import os
import re
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from netspec.cli.main import run
from netspec.data import open_data, preflight
from netspec.diagnostics import Exit, NetspecError
from tests.data.pictures import encoded, noise, task, write_folder

COMPOSED, APART = "caf\u00e9", unicodedata.normalize("NFD", "caf\u00e9")
SPEC = """net Photos(classes = 2) { image: input(3x8x8)
  conv(4, 3) -> relu -> global_avgpool -> flatten -> linear(classes) }
train { epochs = 1, batch = 4 }"""


def jpeg(share: float) -> bytes:
    whole = encoded(noise(1, 60), "JPEG", quality=95)
    return whole[: int(len(whole) * share)]


def png_of(width: int, height: int) -> bytes:
    """The beginning of a PNG of some size, in few bytes: its pixels would be a gigabyte."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = zlib.compress(bytes(20_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def huge_jpeg() -> bytes:
    """A JPEG whose header says that it has 65,500 x 65,500 pixels."""
    content = bytearray(encoded(noise(1, 16), "JPEG"))
    place = content.index(b"\xff\xc0")
    content[place + 5 : place + 9] = struct.pack(">HH", 65_500, 65_500)
    return bytes(content)


def flipped_png() -> bytes:
    content = bytearray(encoded(noise(3, 40)))
    content[len(content) // 2] ^= 0x55
    return bytes(content)


def zipped() -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.txt", "a")
    return content.getvalue()


def picture(seed: int) -> bytes:
    return encoded(noise(seed))


UNREADABLE: dict[str, tuple[bytes | Callable[[Path], object], str]] = {
    "train/a/empty.jpg": (b"", "the file is empty"),
    "train/a/quarter.jpg": (jpeg(0.25), "damaged"),
    "train/a/half.jpg": (jpeg(0.5), "damaged"),
    "train/a/three_quarters.jpg": (jpeg(0.75), "damaged"),
    "train/b/cut.png": (encoded(noise(2, 40))[:900], "damaged"),
    "train/b/flipped.png": (flipped_png(), "damaged"),
    "train/b/page.jpg": (b"<!DOCTYPE html><html>not found</html>", "looks like a web page"),
    "train/b/note.png": (b"to be replaced", "looks like text"),
    "val/a/archive.jpg": (zipped(), "looks like a zip archive"),
    "val/a/paper.jpg": (b"%PDF-1.7 \x80", "looks like a PDF"),
    "val/b/scan.png": (encoded(noise(4), "TIFF"), "looks like a TIFF"),
    "val/b/art.jpg": (b"8BPS\0\1\x80", "looks like a Photoshop file"),
    "test/a/packed.jpg": (b"\x1f\x8b\x08\x80", "looks like a gzip archive"),
    "test/a/bomb.png": (png_of(13_000, 13_000), "pixels"),
    "test/b/huge.jpg": (huge_jpeg(), "pixels"),
    "test/b/cut.gif": (encoded(noise(5, 40), "GIF")[:-200], "damaged"),
    "test/b/cut.webp": (encoded(noise(6, 40), "WEBP")[:300], "damaged"),
    "test/b/gone.jpg": (lambda path: path.symlink_to("nowhere.jpg"), "No such file"),
    "test/b/circle.jpg": (lambda path: path.symlink_to(path), "symbolic links"),
    "test/b/pipe.jpg": (os.mkfifo, "not a regular file"),
}
"""Files that cannot be decoded: their content, or who makes them, and what is said of them."""

ELSEWHERE: dict[str, tuple[str, str]] = {
    "a class without images": ("N704", "hamster"),
    "a class that only val has": ("N708", "ferret"),
    "classes that val lacks": ("N708", "lacks Cat"),
    "classes that test lacks": ("N740", "test has no sample of"),
    "classes that letter case tells apart": ("N709", "Cat and cat"),
    "classes that accents tell apart": ("N709", "cafe\\u0301"),
    "a class whose name is no text": ("N723", "\\u{dcff}"),
    "more classes than the net has outputs": ("N710", "tells apart 2 classes"),
    "an image beside the splits": ("N706", "beside_splits.png"),
    "an image beside the classes of train": ("N706", "beside_train.png"),
    "an image beside the classes of val": ("N706", "beside_val.png"),
    "two splits for validation": ("N716", "val and validation"),
    "an image of train in val": ("N721", "val/a/leaked.png"),
    "an image of train in test": ("N721", "test/b/leaked.png"),
    "one image in two classes": ("N722", "train/b/again.png"),
    "a file that is no image": ("N720", "labels.csv"),
    "a link to a folder": ("N720", "train/a/linked"),
    "a black image": ("N796", "train/a/black.png"),
    "an image as narrow as a thread": ("N794", "train/a/thread.png"),
    "an image of one pixel": ("N794", "train/b/pixel.png"),
    "a class with many times the images of another": ("N793", "times fewer"),
}
"""All else that is wrong: the code of the problem, and what it says."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = write_folder(
        tmp_path / "pets", {"train/a": 30, "train/b": 10, "val/a": 2, "val/b": 2, "test/a": 2, "test/b": 2, "validation/a": 1}
    )
    for place, (content, _) in UNREADABLE.items():
        path = root / place
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content(path)
    write_folder(root, {"train/Cat": 2, "train/cat": 2, f"train/{COMPOSED}": 2, f"train/{APART}": 2, "val/ferret": 1}, first_seed=200)
    write_folder(root, {f"train/{os.fsdecode(bytes([0xFF]))}": 1}, first_seed=300)
    (root / "train/hamster").mkdir()
    for number, place in enumerate(("beside_splits.png", "train/beside_train.png", "val/beside_val.png")):
        (root / place).write_bytes(picture(400 + number))
    for copy, of in {
        "val/a/leaked.png": "train/a/0.png",
        "test/b/leaked.png": "train/b/0.png",
        "train/b/again.png": "train/a/1.png",
    }.items():
        (root / copy).write_bytes((root / of).read_bytes())
    (root / "labels.csv").write_text("a,b")
    (root / "train/a/linked").symlink_to(root / "train/b")
    for name, image in {"a/black": Image.new("RGB", (12, 12)), "a/thread": noise(500).resize((1, 200)), "b/pixel": noise(501, 1)}.items():
        (root / f"train/{name}.png").write_bytes(encoded(image))
    for hidden in (".DS_Store", "train/Thumbs.db", "train/a/._0.png"):
        (root / hidden).write_bytes(b"hidden")
    return root


def test_there_are_thirty_six_at_least() -> None:
    assert len(UNREADABLE) + len(ELSEWHERE) >= 36


def test_all_of_them_are_errors_or_warnings_of_one_look(folder: Path) -> None:
    with pytest.raises(NetspecError) as caught:
        open_data(folder, task())
    assert caught.value.exit == Exit.DATA
    said = str(caught.value)
    for place, (_, words) in UNREADABLE.items():
        (line,) = [line for line in said.splitlines() if f"{folder / place}:" in line]
        assert words in line
    for name, (code, words) in ELSEWHERE.items():
        assert re.search(rf"\[{code}\]: [^[]*{re.escape(words)}", said), name
    report = preflight(folder, task())
    assert report.failed
    assert {p.code for p in report.problems} == {d.code for d in caught.value.diagnostics}
    assert [c.verdict for c in report.checks if c.name == "entries"] == ["warning"]


def test_check_says_them_all(folder: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "photos.net").write_text(SPEC)
    assert run(["check", str(tmp_path / "photos.net"), "--data", str(folder)]) == Exit.DATA
    shown = capsys.readouterr()
    for place in UNREADABLE:
        assert str(folder / place) in shown.err
    for code, words in ELSEWHERE.values():
        assert f"[{code}]" in shown.err
        assert words in shown.err
    assert re.search(r"^fine +hidden +3 hidden or system entries ignored", shown.out, re.MULTILINE)
    assert re.search(r"^error +files +20 files cannot be read as images", shown.out, re.MULTILINE)


def test_train_says_them_all_and_begins_nothing(folder: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "photos.net").write_text(SPEC)
    assert run(["train", str(tmp_path / "photos.net"), "--data", str(folder), "--out", str(tmp_path / "run")]) == Exit.DATA
    said = capsys.readouterr().err
    assert [place for place in UNREADABLE if str(folder / place) not in said] == []
    assert [words for _, words in ELSEWHERE.values() if words not in said] == []
    assert not (tmp_path / "run").exists()
