"""Training sees augmented pictures: the very ones, whatever is broken off or read by however many threads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from netspec.augment import Augmenter
from netspec.backends.torch import CompiledNet
from netspec.cli.main import run
from netspec.data.images.decode import ImageFormat, decode
from netspec.data.samples import MemoryColumn, ReadColumn, Samples
from netspec.training import Interrupted, train
from netspec.training.batches import batch_bounds, epoch_order
from netspec.training.loop import Training
from netspec.training.preview import preview
from netspec.training.runner import Runner
from tests.augment.making import augmenter
from tests.data.photos import write_photos
from tests.data.pictures import encoded, noise
from tests.training.nets import BODY, graph, write_data, write_spec

REGION = "augment { flip -> rotate(0.05) -> contrast(0.2) -> noise(3) -> erase }\n    "
MIXED = "augment { shift(0.1) -> mixup(0.5) -> cutmix }\n    "


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The batches of pictures that go into the net."""
    found: list[Tensor] = []
    real = Runner.__call__

    def call(self: Runner, inputs: Mapping[str, Tensor]) -> Any:
        found.append(inputs["image"].clone())
        return real(self, inputs)

    monkeypatch.setattr(Runner, "__call__", call)
    return found


def test_the_net_sees_what_the_augmenter_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []
    real = CompiledNet.logits

    def logits(self: CompiledNet, *inputs: Tensor) -> Any:
        if self.training:
            seen.append(inputs[0].clone())
        return real(self, *inputs)

    monkeypatch.setattr(CompiledNet, "logits", logits)
    net, data = graph(tmp_path, REGION + BODY, seed="5"), write_data(tmp_path)
    train(net, data, out=tmp_path / "run", device="cpu")
    pixels = torch.from_numpy(np.load(data)["x_train"])[:, None]
    made, bounds = Augmenter.of(net, 5)["image"], batch_bounds(41, 8)
    wanted = []
    for epoch in range(3):
        order = epoch_order(41, 5, epoch)
        wanted += [made(pixels[order[start:end]], order[start:end], epoch) for start, end in bounds]
    assert len(seen) == len(wanted)
    assert all(torch.equal(a, b) for a, b in zip(seen, wanted))
    assert not torch.equal(seen[0], pixels[epoch_order(41, 5, 0)[:8]])


@pytest.mark.parametrize("region", [REGION, MIXED], ids=["pictures", "mixed"])
@pytest.mark.parametrize("at", [1, 7, 11])
def test_resume_is_as_never_broken_off(region: str, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net, data = graph(tmp_path, region + BODY), write_data(tmp_path)
    train(net, data, out=tmp_path / "whole", device="cpu")
    steps, real = 0, Training._step

    def step(self: Training, *batch: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == at:
            self.request.signal = 15
        return real(self, *batch)

    with monkeypatch.context() as patched:
        patched.setattr(Training, "_step", step)
        with pytest.raises(Interrupted):
            train(net, data, out=tmp_path / "part", device="cpu")
    train(net, data, out=tmp_path / "part", device="cpu", resume=True)
    for name in ("last.safetensors", "best.safetensors"):
        assert (tmp_path / "part" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_mixing_learns(tmp_path: Path) -> None:
    net, data = graph(tmp_path, MIXED + BODY, epochs="12", optimizer="adam(lr=0.02)"), write_data(tmp_path, train=240)
    record = train(net, data, out=tmp_path / "run", device="cpu").record
    assert record.test is not None
    assert record.test.values["accuracy"] > 0.6


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_any_number_of_workers_gives_the_same_pictures(threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = []
    for number in range(20):
        files.append(tmp_path / f"{number}.png")
        files[-1].write_bytes(encoded(noise(number, 16)))
    pictures = ReadColumn(20, lambda i: decode(files[i].read_bytes(), ImageFormat(3, 16, 16)))
    labels = MemoryColumn(torch.zeros(20, dtype=torch.int64))
    images = Samples({"image": pictures}, {"output": labels}, lambda i: files[i].name)
    monkeypatch.setattr("netspec.data.samples.workers", lambda: threads)
    made = augmenter("flip -> rotate(0.1) -> contrast(0.3) -> noise(5)", "3x16x16")
    read = next(iter(images.batches(torch.arange(20), [(0, 20)]))).inputs["image"]
    whole = made(read, torch.arange(20), 3)  # as if held in memory
    order, bounds = epoch_order(20, 0, 3), batch_bounds(20, 3)
    for (start, end), batch in zip(bounds, images.batches(order, bounds), strict=True):
        assert torch.equal(made(batch.inputs["image"], order[start:end], 3), whole[order[start:end]])


@pytest.mark.parametrize("region", [REGION, MIXED, ""], ids=["pictures", "mixed", "none"])
def test_preview_is_what_training_sees(region: str, tmp_path: Path, seen: list[Tensor]) -> None:
    net, data = graph(tmp_path, region + BODY), write_data(tmp_path)
    train(net, data, out=tmp_path / "run", device="cpu")
    found = preview(net, data, images=5, epoch=1, epochs=3)
    assert found.epochs == (1, 2, 3)
    assert len(found.tiles) == len(found.names) == 5
    for epoch in range(3):
        pixels = torch.cat(seen[5 * epoch : 5 * epoch + 5])
        order = epoch_order(41, 0, epoch)
        for number, tiles in zip(found.numbers, found.tiles):
            assert torch.equal(tiles[epoch + 1], pixels[order == number][0])


@pytest.mark.parametrize("rest", ["", " -> contrast(0.2) -> cutmix"], ids=["alone", "mixed"])
def test_preview_shows_the_parts_of_photographs(rest: str, tmp_path: Path, seen: list[Tensor]) -> None:
    for split in ("train", "val"):
        for name in ("a", "b"):
            write_photos(tmp_path / "photos" / split / name, 8)
    region = f"augment {{ flip -> random_resized_crop{rest} }}\n    "
    net = graph(tmp_path, region + BODY.replace("classes", "2"), epochs="2", batch="4")
    train(net, tmp_path / "photos", out=tmp_path / "run", device="cpu")
    found = preview(net, tmp_path / "photos", images=6, epoch=1, epochs=2)
    for epoch in range(2):
        pixels = torch.cat(seen[4 * epoch : 4 * epoch + 4])
        order = epoch_order(16, 0, epoch)
        for number, tiles in zip(found.numbers, found.tiles):
            assert torch.equal(tiles[epoch + 1], pixels[order == number][0])
    assert found.joined[0] == "cut out of the photograph: flip, random_resized_crop"
    for figures in found.figures:
        assert [step["step"] for step in figures[0]["steps"]] == ["flip", "random_resized_crop", "contrast"][: 2 + bool(rest)]
        assert figures[0]["steps"] != figures[1]["steps"]


def test_preview_writes_a_sheet_and_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    spec, data = write_spec(tmp_path, REGION + BODY), write_data(tmp_path)
    assert run(["preview", str(spec), "--data", str(data), "--images", "4", "--epochs", "3"]) == 0
    assert "one resampling: flip, rotate" in capsys.readouterr().out
    with Image.open("tiny-preview.png") as sheet:
        assert sheet.size == (6 + 4 * (96 + 6), 18 + 4 * (96 + 6))
    Path("tiny-preview.png").unlink()
    assert run(["preview", str(spec), "--data", str(data), "--images", "2", "--epoch", "9", "--epochs", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert not Path("tiny-preview.png").exists()
    assert [row["epoch"] for image in found["images"] for row in image["epochs"]] == [9, 9]
    drawn = Augmenter.of(graph(tmp_path, REGION + BODY), 0)["image"].draw(
        torch.tensor([i["number"] for i in found["images"]]), 8, (1, 8, 8)
    )
    assert [image["epochs"][0]["steps"] for image in found["images"]] == [drawn.figures(0), drawn.figures(1)]


def test_preview_of_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = write_spec(tmp_path, REGION + BODY)
    assert run(["preview", str(spec), "--data", str(tmp_path / "nowhere")]) == 3
    assert run(["preview", str(spec), "--data", str(write_data(tmp_path)), "--out", str(spec)]) == 2
    assert run(["preview", str(spec), "--data", str(write_data(tmp_path)), "--out", str(tmp_path)]) != 0
    assert "bug" not in capsys.readouterr().err
