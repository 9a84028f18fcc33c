"""What a look at data tells, and that it is told by `check` and before a training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from netspec.cli.main import run
from netspec.data import Allowed, Division, open_data, preflight
from netspec.data.images.decode import ImageFormat
from netspec.data.images.facts import image_facts
from netspec.data.layouts.class_folders import read_class_folders
from netspec.data.looking.report import Report
from netspec.data.task import WantedTarget
from netspec.diagnostics import Exit, NetspecError
from tests.data.pictures import GREY, asked, encoded, noise, task, write_folder

ROOT = Path(__file__).resolve().parents[2]
SPEC = """net Photos(classes = 2) { image: input(3x8x8)
  conv(4, 3) -> relu -> global_avgpool -> flatten -> linear(classes) }
train { epochs = 1, batch = 4 }"""


def told(report: Report) -> dict[str, tuple[str, str]]:
    return {check.name: (check.verdict, check.text) for check in report.checks}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "pets", {"train/cat": 4, "train/dog": 6, "val/cat": 1, "val/dog": 2})


def test_good_data_is_fine_in_every_respect(folder: Path) -> None:
    report = preflight(folder, task())
    assert {verdict for verdict, _ in told(report).values()} == {"fine"}
    assert not report.failed
    assert report.samples == {"train": 10, "val": 3}
    (counts,) = report.counts
    assert (counts.classes, counts.splits) == (("cat", "dog"), {"train": (4, 6), "val": (1, 2)})
    assert told(report) == {
        "layout": ("fine", "a folder for each class in each of train, val"),
        "splits": ("fine", "train and val, and no test split"),
        "entries": ("fine", "every file is used"),
        "files": ("fine", "every image can be decoded"),
        "classes": ("fine", "2 of output, as many as the net tells apart"),
        "balance": ("fine", "no class has ten times as many samples as another"),
        "sizes": ("fine", "12 x 12 pixels (width x height), each made 8 x 8"),
        "channels": ("fine", "13 RGB"),
        "leaks": ("fine", "no sample is in two splits"),
        "labels": ("fine", "no sample has two labels"),
        "content": ("fine", "none of 13 images is of a single colour"),
    }


def test_opening_data_tells_the_same(folder: Path) -> None:
    (folder / "val/dog/0.png").write_bytes((folder / "train/cat/0.png").read_bytes())
    (folder / "notes.txt").touch()
    opened = open_data(folder, task())
    assert opened.report == preflight(folder, task())
    assert opened.warnings == opened.report.warnings
    assert {w.code for w in opened.warnings} == {"N720", "N721", "N722"}


def test_sizes_and_channels(folder: Path) -> None:
    wide, tall = folder / "train/cat/wide.png", folder / "train/dog/tiny.png"
    wide.write_bytes(encoded(noise(50).resize((60, 12))))
    tall.write_bytes(encoded(noise(51, 3, "L")))
    (folder / "train/cat/clear.png").write_bytes(encoded(noise(52, 12, "RGBA")))
    exif = Image.Exif()
    exif[0x0112] = 6
    (folder / "train/cat/turned.jpg").write_bytes(encoded(noise(53).resize((12, 16)), "JPEG", exif=exif))
    (folder / "train/cat/untold.jpg").write_bytes(encoded(noise(54), "JPEG", exif=b"Exif\0\0II*\0junk"))
    moving = [noise(60), noise(61)]
    (folder / "train/dog/moving.gif").write_bytes(encoded(moving[0], "GIF", save_all=True, append_images=moving[1:]))
    found = told(preflight(folder, task()))
    assert found["sizes"][0] == "warning"
    assert "1 image of 19 enlarged more than twice: train/dog/tiny.png" in found["sizes"][1]
    assert "1 image of 19 distorted more than twice, width against height: train/cat/wide.png" in found["sizes"][1]
    verdict, channels = found["channels"]
    assert verdict == "note"
    for words in (
        "16 RGB",
        "1 grey",
        "1 RGB with transparency",
        "1 turned by their EXIF data",
        "1 of several frames",
        "1 with broken EXIF data, which is ignored",
        "1 made RGB of three",
    ):
        assert words in channels
    assert told(preflight(folder, task(wanted=GREY)))["channels"][1].endswith("18 made grey, so their colour is lost")


def test_an_image_is_measured_as_it_stands(tmp_path: Path) -> None:
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        (tmp_path / "a.jpg").write_bytes(encoded(noise(0).resize((20, 10)), "JPEG", exif=exif))
        facts = image_facts(tmp_path / "a.jpg")
        assert facts is not None
        assert (facts.height, facts.width) == ((20, 10) if turn > 4 else (10, 20))
    assert image_facts(tmp_path / "absent.jpg") is None


@pytest.mark.parametrize("budget", [None, 0])
def test_black_images(folder: Path, budget: int | None) -> None:
    almost = np.zeros((12, 12, 3), np.uint8)
    almost[11, 11] = 255
    (folder / "train/cat/black.png").write_bytes(encoded(Image.new("RGB", (12, 12))))
    (folder / "val/cat/blue.png").write_bytes(encoded(Image.new("RGB", (12, 12), "blue")))
    (folder / "train/cat/almost.png").write_bytes(encoded(Image.fromarray(almost)))
    verdict, text = told(preflight(folder, task(), budget=budget))["content"]
    if budget == 0:
        assert (verdict, text) == ("fine", "not looked at, since images are decoded as they are needed")
    else:
        assert verdict == "warning"
        assert "train/cat/black.png" in text
        assert "almost" not in text


def test_all_images_black(tmp_path: Path) -> None:
    """No deviation is divided by: there is a warning, and the samples are there."""
    np.savez(tmp_path / "a.npz", x_train=np.zeros((20, 8, 8, 3), np.uint8), y_train=np.arange(20) % 2)
    opened = open_data(tmp_path / "a.npz", task())
    assert "all 20 images of 20 of a single colour" in {w.code: w.message() for w in opened.warnings}["N796"]
    assert opened.train is not None
    assert all(bool(torch.isfinite(b.inputs["image"].float()).all()) for b in opened.train.batches(torch.arange(16), [(0, 16)]))


def test_one_in_ten_thousand(tmp_path: Path) -> None:
    labels = np.zeros(10_001, np.int64)
    labels[5] = 1
    np.savez(tmp_path / "a.npz", x_train=np.random.default_rng(0).integers(0, 256, (10_001, 8, 8, 3), np.uint8), y_train=labels)
    opened = open_data(tmp_path / "a.npz", task())
    assert opened.train is not None
    assert int(opened.train.target("output").sum()) == 1
    assert told(opened.report)["balance"] == ("warning", "0 has 8,000 samples for training and 1 1, 8,000 times fewer")


def test_bad_images_can_be_skipped(folder: Path) -> None:
    (folder / "train/cat/broken.jpg").write_bytes(b"broken")
    (folder / "val/cat/0.png").write_bytes(b"")
    with pytest.raises(NetspecError):
        open_data(folder, task())
    opened = open_data(folder, task(), allowed=Allowed(bad_images=True))
    assert opened.counts() == {"train": 10, "val": 2}
    assert opened.train is not None
    assert not any("broken" in opened.train.name(i) for i in range(10))
    warnings = {w.code: w for w in opened.warnings}
    assert warnings["N743"].message() == "2 samples left out, whose images cannot be read"
    assert [note.split(": ")[0] for note in warnings["N743"].notes()] == [
        str(folder / p) for p in ("train/cat/broken.jpg", "val/cat/0.png")
    ]


def test_nothing_but_bad_images_is_an_error_all_the_same(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").write_bytes(b"x")
    with pytest.raises(NetspecError, match="2 files cannot be read"):
        open_data(tmp_path, task(), allowed=Allowed(bad_images=True), division=Division((1.0, 0.0, 0.0)))


def test_ranges_of_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.zeros((4, 8, 8, 3), np.uint8), y_train=[1.5, -2, 40, 3])
    found = told(preflight(tmp_path / "a.npz", asked(WantedTarget("age", "number", 1))))
    assert found["targets"] == ("fine", "age from -2 to 40")


@pytest.mark.parametrize("of", ["nothing", "a file", "an empty folder", "a folder that may not be read"])
def test_what_cannot_be_data_is_named(tmp_path: Path, of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data"
    if of == "a file":
        path.write_text("data")
    elif of != "nothing":
        path.mkdir()
    if of == "a folder that may not be read":
        write_folder(path, {"a": 1, "b": 1})

        def refuse(_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("netspec.data.layouts.folders.os.scandir", refuse)
    report = preflight(path, task())
    ((verdict, text),) = told(report).values()
    assert verdict == "error"
    assert str(path) in text
    assert NetspecError(report.diagnostics()).exit == Exit.DATA


def test_a_folder_inside_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("train/dog"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("netspec.data.layouts.folders.os.scandir", refuse)
    said = [p.message() for p in preflight(folder, task()).problems]
    assert f"data {folder / 'train/dog'} cannot be read: Permission denied" in said


def test_links_that_go_in_circles(folder: Path) -> None:
    for name, to in {"self": ".", "up": "../..", "outside": folder.parent}.items():
        (folder / "train/cat" / name).symlink_to(to, target_is_directory=True)
    (folder / "train/cat/a").symlink_to("b")
    (folder / "train/cat/b").symlink_to("a")
    report = preflight(folder, task())
    assert report.samples == {"train": 10, "val": 3}
    assert told(report)["entries"][1].startswith("5 entries of")


def test_many_files_take_little_memory_each(tmp_path: Path) -> None:
    """A million would take 0.3 GB before anything is decoded; and listing them can be broken off."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(encoded(noise(0)))
        for number in range(1, 5_000):
            os.link(tmp_path / name / "0.png", tmp_path / name / f"{number:06}.png")
    tracemalloc.start()
    try:
        found = read_class_folders(tmp_path, task())
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.splits["train"]) == 10_000
    assert now < 10_000 * 200
    assert peak < 10_000 * 600


def write_many(folder: Path, count: int) -> Path:
    """So many files that all differ, each an image with a number behind its end."""
    image = encoded(noise(0))
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        (folder / "ab"[number % 2] / f"{number:06}.png").write_bytes(image + number.to_bytes(4))
    return folder


def plain(content: bytes, wanted: ImageFormat) -> Any:
    """In the place of a decoder, whose work does not depend on how many files there are."""
    pixels = np.zeros(wanted.shape, np.uint8)
    pixels[0, 0, 0] = 1
    return pixels


MEASURED = """
import sys, tracemalloc
from pathlib import Path
from netspec.data import open_data
from netspec.data.images import loading
from netspec.data.looking import looks
from tests.data.pictures import task
from tests.data.test_preflight import plain
loading.decode, looks.MANY = plain, 500
names = [sys.intern(f"{number:06}.png") for number in range(10_000)]
for folder in sys.argv[1:]:
    tracemalloc.start()
    opened = open_data(Path(folder), task())
    print(*tracemalloc.get_traced_memory())
    tracemalloc.stop()
"""


def test_a_look_at_many_files_takes_little_memory_each(tmp_path: Path) -> None:
    """Ten thousand files, beside 2,500: less than 1 kB each above their pixels while it goes on, and half of that is left. In a process of
    its own, since Python keeps the parts of all paths that it has seen in one table, which grows in leaps: there all are from the start."""
    folders = [str(write_many(tmp_path / str(n), n)) for n in (100, 2_500, 10_000)]  # the first for what is only loaded once
    done = subprocess.run([sys.executable, "-c", MEASURED, *folders], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    _, (few_now, few_peak), (now, peak) = ([int(n) for n in line.split()] for line in done.stdout.splitlines())
    assert 3 * 8 * 8 < (now - few_now) / 7_500 < 3 * 8 * 8 + 500
    assert (peak - few_peak) / 7_500 < 2 * 3 * 8 * 8 + 1_000


def test_a_look_at_many_files_grows_with_their_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times as many files take four times the calls of functions: nothing is looked at again for each of the others."""
    monkeypatch.setattr("netspec.data.images.loading.decode", plain)
    monkeypatch.setattr("netspec.data.looking.looks.MANY", 500)

    def calls(folder: Path) -> int:
        found = 0

        def count(*_: object) -> None:
            nonlocal found
            found += 1

        sys.setprofile(count)
        try:
            open_data(folder, task())
        finally:
            sys.setprofile(None)
        return found

    calls(write_many(tmp_path / "first", 100))  # what is only done once
    few, many = (calls(write_many(tmp_path / str(n), n)) for n in (1_000, 4_000))
    assert 2 * few < many < 4.2 * few


def test_progress_is_told_and_may_break_it_off(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 3, "b": 3})
    seen: list[tuple[int, int]] = []
    preflight(tmp_path, task(), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (6, 6)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_data(tmp_path, task(), progress=stop)


@pytest.fixture
def spec(tmp_path: Path) -> str:
    (tmp_path / "photos.net").write_text(SPEC)
    return str(tmp_path / "photos.net")


def test_check_prints_it(folder: Path, spec: str, capsys: Any) -> None:
    assert run(["check", spec, "--data", str(folder)]) == Exit.FINE
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "Photos: image 3x8x8 -> output 2"
    assert f"{folder}: 10 train, 3 val (splits of its own)" in lines
    assert "dog          6     2" in lines
    assert "fine    channels  13 RGB" in lines


def test_check_fails_on_data_that_cannot_be_used(folder: Path, spec: str, capsys: Any) -> None:
    (folder / "train/cat/broken.jpg").write_bytes(b"broken")
    assert run(["check", spec, "--data", str(folder)]) == Exit.DATA
    shown = capsys.readouterr()
    assert f"error[N711]: {folder}/train/cat/broken.jpg is not an image" in shown.err
    assert "error   files     " in shown.out


def test_check_as_json(folder: Path, spec: str, capsys: Any) -> None:
    (folder / "train/cat/broken.jpg").write_bytes(b"broken")
    assert run(["check", spec, "--data", str(folder), "--json"]) == Exit.DATA
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["name"], found["data"]["ok"]) == (False, "Photos", False)
    assert found["data"]["samples"] == {"train": 11, "val": 3}
    assert found["data"]["counts"]["output"] == {"of": "samples", "classes": ["cat", "dog"], "train": [5, 6], "val": [1, 2]}
    (files,) = [check for check in found["data"]["checks"] if check["check"] == "files"]
    assert files["verdict"] == "error"
    assert [p["code"] for p in files["problems"]] == ["N711"]


def test_check_without_data_loads_nothing_for_it(spec: str) -> None:
    heavy = "{'torch', 'numpy', 'PIL'} & set(sys.modules)"
    code = f"import sys; from netspec.cli.main import run; run(['check', {spec!r}, '--json']); print({heavy})"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "set()"


def test_a_net_whose_size_is_open_is_refused(folder: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "open.net").write_text("net A { image: input(3xHxW)\nconv(2, 3) -> global_avgpool -> flatten }")
    assert run(["check", str(tmp_path / "open.net"), "--data", str(folder)]) == Exit.SPEC
    assert "N832" in capsys.readouterr().err
