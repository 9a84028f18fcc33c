"""A whole training whose frozen part is computed once and kept ends as one that computes it in every step.

Bit for bit: wherever values are computed in batches of the size that they are trained with, and that holds for every batch but a last one
of another size. There a library may compute in another order, and weights may be 1e-6 apart.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
from torch import Tensor

from netspec.backends.torch import CompiledNet
from netspec.backends.torch.weights import read_weights
from netspec.compiler import load
from netspec.graph import Graph
from netspec.training import train
from netspec.training.features.costs import Costs, Where
from tests.training.nets import write_data
from tests.training.several import PAIRS, bright, mask_data, pair_data
from tests.training.swift import Places, places, undrawn
from tests.training.test_resume_settings import left

__all__ = ["places", "undrawn"]
pytestmark = pytest.mark.usefixtures("undrawn")

NET = """
net Kept(classes = 3) {{
    image: input(1x8x8)
    preprocess {{ scale(1/255) }}
    {augment}
    base: {{
        low: {{ conv(6, 3, padding=1) -> bn -> relu -> dropout(0.2) }}
        high: {{ conv(8, 3, padding=1) -> bn -> relu -> maxpool(2) }}
    }}
    conv(6, 3) -> bn -> relu -> flatten -> dropout(0.3) -> head: linear(classes)
}}
{data}
train {{
    {train}
}}
"""
WHOLE: Final = {
    "plain": ("", 'freeze = "base"'),
    "mean, clip and sums": ("", 'freeze = "base"\n    ema = 0.9\n    clip = 0.5\n    accumulate = 2\n    decay = weights'),
    "bf16": ("", 'freeze = "base"\n    ema = 0.9\n    precision = bf16'),
    "channels last": ("", 'freeze = "base"\n    layout = channels_last'),
    "flip": ("flip", 'freeze = "base"\n    ema = 0.9'),
    "flip in bf16": ("flip(p=0.3)", 'freeze = "base"\n    precision = bf16'),
    "alternating flip": ("alternating_flip", 'freeze = "base.low"'),
    "flips": ("flip -> alternating_flip", 'freeze = "base"\n    optimizer = sgd(lr=0.05, momentum=0.9)'),
    "watched": (
        "",
        'freeze = "base"\n    schedule = plateau(patience=0, factor=0.5)\n    stop { patience = 1 }\n    keep = best(val.loss)',
    ),
    "fine-tuned": ("", 'ema = 0.9\n    warm { epochs = 2, freeze = "base" }\n    fine { epochs = 2, unfreeze = "base.high", batch = 4 }'),
    "frozen later": ("flip", 'epochs = 2\n    all { }\n    last { freeze = "base", optimizer = sgd(lr=0.1) }'),
}


def written(folder: Path, train: str, augment: str = "", data: str = "") -> Graph:
    path = folder / "kept.net"
    usual = {"optimizer": "adam(lr=0.01, weight_decay=0.01)", "batch": "8", "epochs": "3"}
    lines = [f"{key} = {value}" for key, value in usual.items() if f"\n    {key} =" not in f"\n    {train}"]
    text = "\n    ".join([*lines, train])
    path.write_text(NET.format(train=text, augment=f"augment {{ {augment} }}" if augment else "", data=data), "utf-8")
    return load(path)


def outcome(run: Path) -> dict[str, str]:
    """Everything that a run leaves, but for where values were kept."""
    found = left(run)
    stages = json.loads(found["stages"])
    for stage in stages:
        del stage["cached"]
    return found | {"stages": json.dumps(stages), "kept": ""}


def cached(run: Path) -> list[str]:
    return [stage["cached"] for stage in json.loads((run / "run.json").read_text("utf-8"))["stages"]]


def same(folder: Path, places: Places, net: Graph, data: Path, expected: list[bool]) -> None:
    """Runs without, in memory and on disk come to the same; ``expected`` says which stages have something to keep."""
    found = {}
    ways: tuple[Where, ...] = ("no", "memory", "disk")
    for where in ways:
        places(where)
        run = folder / f"run {where}"
        train(net, data, out=run, device="cpu")
        assert cached(run) == [where if kept else "no" for kept in expected]
        found[where] = outcome(run)
    assert found["memory"] == found["no"]
    assert found["disk"] == found["no"]


@pytest.mark.parametrize("name", WHOLE)
def test_weights_and_figures_are_the_same(tmp_path: Path, places: Places, name: str) -> None:
    augment, text = WHOLE[name]
    kept = [False, True] if name == "frozen later" else [True, True] if "fine" in name else [True]
    same(tmp_path, places, written(tmp_path, text, augment), write_data(tmp_path, train=24, val=8, test=0), kept)


def test_a_last_batch_of_another_size_is_within_a_millionth(tmp_path: Path, places: Places) -> None:
    net, data = written(tmp_path, 'freeze = "base"\n    ema = 0.9'), write_data(tmp_path, train=29, val=5, test=0)
    weights: list[dict[str, Tensor]] = []
    for where in ("no", "memory"):
        places(where)
        train(net, data, out=tmp_path / where, device="cpu")
        weights.append(read_weights(tmp_path / where / "last.safetensors"))
    for key, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][key], tensor, rtol=0, atol=1e-6, msg=key)


TWO = """
net Two {
    photo: input(1x8x8)
    augment { PHOTO }
    preprocess { scale(1/255) }
    trunk: { conv(4, 3) -> relu -> maxpool(2) -> flatten }
    table: input([3])
    rows: { linear(4) -> relu }
    concat(trunk) -> linear(6) -> relu -> place: linear(2)
    trunk -> linear(5) -> relu -> high: linear(1)
    output(place, high)
}
train {
    loss { place = mse, high = huber }
    batch = 8
    epochs = 3
    freeze = FREEZE
    optimizer = sgd(lr=0.05)
    ema = 0.9
}
"""
"""One output needs the photo alone, the other the table as well."""

PICTURES = """
net Pixels {
    image: input(1x12x12)
    augment { AUGMENT }
    preprocess { scale(1/255) }
    base: { conv(4, 3, padding=1) -> bn -> relu }
    mask: conv(3, 1)
}
train { batch = 8, epochs = 2, freeze = "base" }
"""


def of(folder: Path, text: str, **changes: str) -> Graph:
    for key, value in changes.items():
        text = text.replace(key, value)
    path = folder / "net.net"
    path.write_text(text.replace("    augment {  }\n", ""), "utf-8")
    return load(path)


def two_data(folder: Path) -> Path:
    generator = np.random.default_rng(0)
    parts: dict[str, np.ndarray[Any, Any]] = {}
    for split, count in (("train", 24), ("val", 8)):
        pixels, corners = bright(count, 8, generator)
        parts[f"photo_{split}"], parts[f"place_{split}"] = pixels, (corners / 5).astype(np.float32)
        parts[f"high_{split}"], parts[f"table_{split}"] = (
            parts[f"place_{split}"][:, :1],
            generator.normal(size=(count, 3)).astype(np.float32),
        )
    np.savez(folder / "two.npz", **parts)  # type: ignore[arg-type]
    return folder / "two.npz"


@pytest.mark.parametrize(
    ("freeze", "augment"),
    [
        ('"trunk"', ""),
        ('["trunk", "rows"]', ""),
        ('["trunk", "rows"]', "flip"),
        ('"rows"', "rotate(0.1)"),
        ('["trunk", "rows"]', "rotate(0.1)"),
    ],
    ids=["one", "both", "one mirrored", "the other augmented", "one of two"],
)
def test_several_inputs_and_outputs(tmp_path: Path, places: Places, freeze: str, augment: str) -> None:
    same(tmp_path, places, of(tmp_path, TWO, PHOTO=augment, FREEZE=freeze), two_data(tmp_path), [True])


def test_masks_of_pictures_as_they_are(tmp_path: Path, places: Places) -> None:
    same(tmp_path, places, of(tmp_path, PICTURES, AUGMENT=""), mask_data(tmp_path, train=24, val=8), [True])


def never(costs: Costs) -> Any:
    raise AssertionError("nothing is to be decided")


def test_masks_that_are_mirrored_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netspec.training.still.decide", never)
    train(of(tmp_path, PICTURES, AUGMENT="flip"), mask_data(tmp_path, train=24, val=8), out=tmp_path / "run", device="cpu")
    assert cached(tmp_path / "run") == ["no"]


def test_pairs_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netspec.training.still.decide", never)
    text = PAIRS.replace("TRAIN", 'freeze = "encoder"').replace("-> same: distance(one, l2)", "-> distance(one, l1) -> same: linear(1)")
    train(of(tmp_path, text.replace("loss = contrastive", "")), pair_data(tmp_path), out=tmp_path / "run", device="cpu")
    assert cached(tmp_path / "run") == ["no"]


@pytest.mark.parametrize("augment", ["rotate(0.1)", "flip(vertical)", "flip -> brightness(0.1)", "mixup", "cutmix"])
def test_pictures_that_are_new_in_each_epoch_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, augment: str) -> None:
    monkeypatch.setattr("netspec.training.still.decide", never)
    train(written(tmp_path, 'epochs = 1\n    freeze = "base"', augment), write_data(tmp_path), out=tmp_path / "run", device="cpu")
    assert cached(tmp_path / "run") == ["no"]


def test_nothing_is_kept_where_that_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said why, and the weights are those of a run that keeps."""
    monkeypatch.setattr("netspec.training.still.decide", never)
    said: list[str] = []
    monkeypatch.setattr("netspec.report.progress.Reporter.line", lambda _, text, style="": said.append(text))
    monkeypatch.setenv("NETSPEC_CACHE", str(tmp_path / "cache"))
    net = written(tmp_path, 'freeze = "base"', data="data { cache = off }")
    train(net, write_data(tmp_path), out=tmp_path / "run", device="cpu")
    assert cached(tmp_path / "run") == ["no"]
    assert "frozen part not cached: cache = off" in said
    assert not (tmp_path / "cache").exists()


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many samples each pass through a frozen part alone has had."""
    counted: list[int] = []
    real = CompiledNet.features

    def features(self: CompiledNet, nodes: Any, *inputs: Tensor) -> tuple[Tensor, ...]:
        counted.append(len(inputs[0]))
        return real(self, nodes, *inputs)

    monkeypatch.setattr(CompiledNet, "features", features)
    monkeypatch.setattr("netspec.training.still.measured_seconds", lambda *_: 1.0)
    return counted


def files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "cache/features").iterdir()}


def test_values_on_disk_are_computed_once_for_all_runs(tmp_path: Path, places: Places, passes: list[int]) -> None:
    """Each sample of both splits once; the second run computes none. Other weights, data, splits and layers are other files."""
    places("disk")
    net, data = written(tmp_path, 'freeze = "base"'), write_data(tmp_path, train=24, val=8, test=0)
    train(net, data, out=tmp_path / "a", device="cpu")
    assert sum(passes) == 32
    first = files(tmp_path)
    assert len(first) == 2
    train(net, data, out=tmp_path / "b", device="cpu")
    assert (sum(passes), files(tmp_path)) == (32, first)
    assert outcome(tmp_path / "a") == outcome(tmp_path / "b")
    train(written(tmp_path, 'freeze = "base"\n    seed = 1'), data, out=tmp_path / "c", device="cpu")
    assert len(files(tmp_path)) == 4, "other weights"
    (tmp_path / "other").mkdir()
    other = write_data(tmp_path / "other", train=24, val=8, test=0, seed=1)
    train(written(tmp_path, 'freeze = "base"'), other, out=tmp_path / "d", device="cpu")
    assert len(files(tmp_path)) == 6, "other data"
    train(written(tmp_path, 'freeze = "base.low"'), data, out=tmp_path / "e", device="cpu")
    assert len(files(tmp_path)) == 8, "other layers"
    train(written(tmp_path, 'freeze = "base"', "flip"), data, out=tmp_path / "f", device="cpu")
    assert len(files(tmp_path)) == 9, "two views of what is trained on, and those of validation as before"
    assert sum(passes) == 32 * 4 + 48


def spoilt(content: bytes) -> bytes:
    return content[:500] + bytes([content[500] ^ 4]) + content[501:]


@pytest.mark.parametrize("damage", [spoilt, lambda content: content[:-1], lambda _: b""], ids=["a bit", "cut short", "empty"])
def test_damage_between_two_runs_is_computed_anew(
    tmp_path: Path, places: Places, passes: list[int], damage: Callable[[bytes], bytes]
) -> None:
    places("disk")
    net, data = written(tmp_path, 'freeze = "base"'), write_data(tmp_path, train=24, val=8, test=0)
    train(net, data, out=tmp_path / "a", device="cpu")
    before = {path: path.read_bytes() for path in (tmp_path / "cache/features").iterdir()}
    for path, content in before.items():
        path.write_bytes(damage(content))
    train(net, data, out=tmp_path / "b", device="cpu")
    assert sum(passes) == 64
    assert outcome(tmp_path / "a") == outcome(tmp_path / "b")
    assert {path: path.read_bytes() for path in before} == before


def test_a_disk_that_takes_nothing_is_told_and_training_goes_on(tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    net, data = written(tmp_path, 'freeze = "base"'), write_data(tmp_path, train=24, val=8, test=0)
    places("no")
    train(net, data, out=tmp_path / "a", device="cpu")
    places("disk")
    (tmp_path / "file").write_text("no folder", "utf-8")
    monkeypatch.setenv("NETSPEC_CACHE", str(tmp_path / "file"))
    told: list[str] = []
    monkeypatch.setattr("netspec.report.progress.Reporter.problem", lambda _, problem: told.append(problem.code))
    train(net, data, out=tmp_path / "b", device="cpu")
    assert outcome(tmp_path / "a") == outcome(tmp_path / "b")
    assert "N736" in told
    assert cached(tmp_path / "b") == ["no"], "the record says what was done"


def test_the_run_says_what_it_keeps_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a part that takes a second for each sample, the comparison itself decides for memory; one epoch is not worth it."""
    monkeypatch.setattr("netspec.training.still.measured_seconds", lambda *_: 1.0)
    monkeypatch.setenv("NETSPEC_CACHE", str(tmp_path / "cache"))
    said: list[str] = []
    monkeypatch.setattr("netspec.report.progress.Reporter.line", lambda _, text, style="": said.append(text))
    data = write_data(tmp_path, train=24, val=8, test=0)
    train(written(tmp_path, 'freeze = "base"'), data, out=tmp_path / "a", device="cpu")
    assert cached(tmp_path / "a") == ["memory"]
    assert any(
        line.startswith("frozen part cached in memory: it takes 12.3 kB, and saves about 48.0 s of 72.0 s in 3 epochs") for line in said
    )
    train(written(tmp_path, 'freeze = "base"\n    epochs = 1'), data, out=tmp_path / "b", device="cpu")
    assert cached(tmp_path / "b") == ["no"]
    assert "frozen part not cached: one epoch computes everything once anyway" in said


def test_what_other_rules_decoded_is_not_kept_for_these(tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of values is of this data as it is decoded here: other libraries, other pixels."""
    net, data = written(tmp_path, *WHOLE["plain"][::-1]), write_data(tmp_path, train=24, val=8, test=0)
    places("disk")
    files = []
    for number, rules in enumerate((b"these", b"these", b"others")):
        monkeypatch.setattr("netspec.training.still.decoding", lambda rules=rules: rules)
        train(net, data, out=tmp_path / f"run {number}", device="cpu")
        files.append(sorted(path.name for path in Path(os.environ["NETSPEC_CACHE"], "features").iterdir()))
    assert files[0] == files[1]
    assert len(files[2]) == 2 * len(files[0])
