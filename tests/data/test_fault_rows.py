"""Every fault of data (D) that the project promises to meet, and the tests that make each happen."""

from __future__ import annotations

import re
import resource
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image

from netspec.data.images.decode import MAX_BYTES, Unreadable, decode, read_bytes
from tests.data.pictures import RGB, encoded, noise

TESTS = Path(__file__).resolve().parent.parent

DATA = {
    "D1 missing, a file, empty, unreadable": "data/test_preflight.py::test_what_cannot_be_data_is_named",
    "D1 a folder inside that is unreadable": "data/test_preflight.py::test_a_folder_inside_that_may_not_be_read",
    "D2 empty class folders": "data/test_folders.py::test_wrong_layouts",
    "D2 allowed": "data/test_empty_classes.py::test_it_keeps_its_number",
    "D2 allowed by commands, and in a resume": "data/test_empty_classes.py::test_it_is_trained_gone_on_with_and_measured",
    "D3 one class": "data/test_folders.py::test_wrong_layouts",
    "D5 images beside class folders": "data/test_folders.py::test_wrong_layouts",
    "D6 hidden and system entries": "data/test_folders.py::test_hidden_entries_and_links_to_folders_are_ignored",
    "D6 counted and told": "data/test_seeded_faults.py::test_check_says_them_all",
    "D7 every quarter of a file": "data/test_decode.py::test_truncated_files_are_refused",
    "D7 all are listed before the first epoch": "data/test_seeded_faults.py::test_train_says_them_all_and_begins_nothing",
    "D7 skipped where that is asked for": "data/test_preflight.py::test_bad_images_can_be_skipped",
    "D9 empty files, web pages, text, archives": "data/test_seeded_faults.py::test_all_of_them_are_errors_or_warnings_of_one_look",
    "D10 too many pixels": "data/test_decode.py::test_pixel_budget_is_checked_before_decoding",
    "D10 in little memory": "data/test_fault_rows.py::test_a_bomb_of_pixels_takes_no_memory",
    "D11 only five formats": "data/test_decode.py::test_unsupported_formats_are_refused",
    "D11 chunks that unpack to 100 MB": "data/test_fault_rows.py::test_a_bomb_beside_the_pixels_takes_no_time",
    "D11 many frames": "data/test_fault_rows.py::test_of_very_many_frames_the_first_is_read",
    "D11 scans, chunks, blocks, loops": "data/test_bounded.py::test_more_than_is_allowed_is_refused_unseen",
    "D11 as many as are allowed": "data/test_bounded.py::test_what_is_allowed_ends",
    "D11 files without end": "data/test_fault_rows.py::test_files_beyond_the_limit_are_not_read",
    "D13 all modes": "data/test_decode.py::test_modes",
    "D13 CMYK": "data/test_decode.py::test_cmyk_jpeg_is_converted",
    "D14 16 bits": "data/test_decode.py::test_sixteen_bits_are_scaled_and_not_cut",
    "D14 TIFF": "data/test_decode.py::test_unsupported_formats_are_refused",
    "D15 orientation": "data/test_decode.py::test_orientation_agrees_with_pillow",
    "D15 broken EXIF": "data/test_decode.py::test_broken_exif_says_nothing",
    "D15 broken EXIF is counted": "data/test_preflight.py::test_sizes_and_channels",
    "D15 turned images are counted": "data/test_preflight.py::test_sizes_and_channels",
    "D17 animations": "data/test_decode.py::test_first_frame_of_an_animation",
    "D17 several pictures in a JPEG": "data/test_decode.py::test_of_many_pictures_in_a_jpeg_the_first_is_read",
    "D17 counted": "data/test_preflight.py::test_sizes_and_channels",
    "D18 extreme sizes": "data/test_decode.py::test_resize_is_stretched_and_antialiased",
    "D18 told": "data/test_seeded_faults.py::test_all_of_them_are_errors_or_warnings_of_one_look",
    "D19 links in circles, links outside": "data/test_preflight.py::test_links_that_go_in_circles",
    "D21 unreadable, vanished before": "data/test_seeded_faults.py::test_all_of_them_are_errors_or_warnings_of_one_look",
    "D21 vanished while training": "data/test_folders.py::test_a_file_that_vanishes_while_training",
    "D22 odd names": "data/test_folders.py::test_names_that_are_odd_but_fine",
    "D22 accents": "data/test_folders.py::test_names_that_differ_only_in_their_accents",
    "D22 names that are no text": "data/test_folders.py::test_a_name_that_is_no_text",
    "D23 letter case": "data/test_folders.py::test_wrong_layouts",
    "D25 classes of splits": "data/test_folders.py::test_wrong_layouts",
    "D25 a class that is missing keeps its number": "data/test_folders.py::test_a_class_that_is_missing_keeps_its_number",
    "D25 in tables": "data/test_manifests.py::test_classes_of_other_splits_are_known_by_name",
    "D25 in arrays": "data/test_arrays.py::test_names_that_only_another_split_has",
    "D26 leaks": "data/test_folders.py::test_doubles_are_reported",
    "D27 two labels": "data/test_folders.py::test_doubles_are_reported",
    "D29 changed before a resume": "training/test_resume.py::test_what_cannot_be_resumed",
    "D29 told by name": "training/test_data_changes.py::test_a_refusal_says_what_has_changed",
    "D29 accepted": "training/test_data_changes.py::test_accepted_it_goes_on_and_says_so",
    "D30 never accepted": "training/test_data_changes.py::test_classes_and_splits_never_change",
    "D30 other classes in a resume": "training/test_resume.py::test_what_cannot_be_resumed",
    "D31 a million files": "data/test_preflight.py::test_many_files_take_little_memory_each",
    "D31 a look at all of it": "data/test_preflight.py::test_a_look_at_many_files_grows_with_their_number",
    "D31 broken off": "data/test_preflight.py::test_progress_is_told_and_may_break_it_off",
    "D33 a last batch of one": "training/test_fault_rows.py::test_a_last_batch_of_one_is_avoided",
    "D34 one in ten thousand": "data/test_preflight.py::test_one_in_ten_thousand",
    "D35 all black": "data/test_preflight.py::test_all_images_black",
}
"""What may happen, in the words of the list, and which test makes it happen."""


@pytest.mark.parametrize(("fault", "test"), DATA.items(), ids=DATA.keys())
def test_every_fault_has_a_test(fault: str, test: str) -> None:
    file, _, name = test.partition("::")
    assert re.search(rf"^def {name}\(", (TESTS / file).read_text("utf-8"), re.MULTILINE), f"{fault}: there is no {test}"


def test_no_row_is_missing() -> None:
    rows = "1 2 3 5 6 7 9 10 11 13 14 15 17 18 19 21 22 23 25 26 27 29 30 31 33 34 35"
    assert {fault.split()[0] for fault in DATA} == {f"D{n}" for n in rows.split()}


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_with(*chunks: bytes) -> bytes:
    """A small picture with chunks between its header and its pixels."""
    content = encoded(noise(0))
    return content[:33] + b"".join(chunks) + content[33:]


PACKED = zlib.compress(bytes(100_000_000), 9)
EXIF = b"MM\0*\0\0\0\x08" + struct.pack(">H", 65_535) + bytes(10_000_000)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(png_with(chunk(b"zTXt", b"a\0\0" + PACKED)), id="text"),
        pytest.param(png_with(*[chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000), 9))] * 100), id="many texts"),
        pytest.param(png_with(chunk(b"iCCP", b"a\0\0" + PACKED)), id="colour profile"),
        pytest.param(png_with(chunk(b"eXIf", EXIF)), id="EXIF"),
        pytest.param(encoded(noise(0), "JPEG", exif=EXIF[:60_000]), id="EXIF of a JPEG"),
    ],
)
def test_a_bomb_beside_the_pixels_takes_no_time(content: bytes) -> None:
    """It is refused, or passed over for the pixels; nothing is unpacked in full."""
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    try:
        assert decode(content, RGB).shape == RGB.shape
    except Unreadable as error:
        assert "damaged" in str(error) or "texts" in str(error)
    assert time.monotonic() - began < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


def test_of_very_many_frames_the_first_is_read() -> None:
    """100,000 frames of one pixel: only the first is looked at."""
    first = encoded(Image.new("P", (1, 1)), "GIF")
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    began = time.monotonic()
    assert decode(first[:-1] + frame * 100_000 + b"\x3b", RGB).shape == RGB.shape
    assert time.monotonic() - began < 5


def test_files_beyond_the_limit_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "long.jpg").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(Unreadable, match="the limit is"):
        read_bytes(tmp_path / "long.jpg")


def test_a_bomb_of_pixels_takes_no_memory() -> None:
    """A PNG of 169 million pixels, and a JPEG that says it has 4 thousand million."""
    code = """
import resource, sys
from pathlib import Path
from netspec.data.images.decode import ImageFormat, Unreadable, decode
from tests.data.test_seeded_faults import huge_jpeg, png_of
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for content in (png_of(13_000, 13_000), huge_jpeg()):
    try:
        decode(content, ImageFormat(3, 8, 8))
        sys.exit("decoded")
    except Unreadable as error:
        assert "pixels" in str(error), error
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=TESTS.parent, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100_000
