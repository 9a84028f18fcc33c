"""A training from beginning to end: what it computes, what it leaves, what it refuses."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from torch import nn

from netspec.backends.torch.weights import read_metadata, read_weights
from netspec.compiler import load
from netspec.diagnostics import Exit, NetspecError
from netspec.report.models import RunRecord
from netspec.training import load_run, steps, train
from tests.conftest import ROOT
from tests.data.pictures import write_folder
from tests.training.nets import BODY, graph, write_data

MNIST = ROOT / "examples" / "mnist" / "mnist.npz"


def failed(*, exits: Exit, code: str, **arguments: object) -> str:
    with pytest.raises(NetspecError) as caught:
        train(**arguments)  # type: ignore[arg-type]
    (found,) = caught.value.diagnostics
    assert (caught.value.exit, found.code) == (exits, code)
    assert found.problem.help()
    return found.message


def test_a_whole_run(tmp_path: Path) -> None:
    net = graph(tmp_path, batch="8", epochs="8")
    result = train(net, write_data(tmp_path), out=tmp_path / "run", device="cpu")
    record = result.record
    assert record == RunRecord.model_validate_json((tmp_path / "run/run.json").read_text("utf-8"))
    assert record.status == "finished"
    assert record.data.counts == {"train": 41, "val": 12, "test": 12}
    assert record.classes == {"output": ("0", "1", "2")}
    assert record.train.optimizer.settings == {"lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0}
    assert record.train.losses["output"].name == "cross_entropy"
    assert record.train.keep.settings["monitor"] == "val.accuracy"
    assert record.parameters == net.parameters
    assert record.test is not None
    assert record.test.values["accuracy"] > 0.9
    assert record.test_weights == "best"
    names = {p.name for p in (tmp_path / "run").iterdir()}
    assert ("mistakes.png" in names) == (record.test.values["accuracy"] < 1)
    assert names - {"mistakes.png"} == {
        "spec.net", "run.json", "history.csv", "curves.png", "confusion.png", "report.html", "plan.json",
        "last.safetensors", "best.safetensors", "state.safetensors", "samples.tsv.gz", ".lock",
    }  # fmt: skip
    rows = list(csv.DictReader(StringIO((tmp_path / "run/history.csv").read_text("utf-8"))))
    assert [int(r["epoch"]) for r in rows] == list(range(1, 9))
    assert record.best is not None
    assert record.best.values["accuracy"] == max(float(r["val_accuracy"]) for r in rows)
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    assert json.loads(read_metadata(tmp_path / "run/best.safetensors")["netspec.classes"]) == ["0", "1", "2"]
    with Image.open(tmp_path / "run/curves.png") as picture:
        assert picture.size == (1500, 600)


def test_it_is_what_one_writes_by_hand(tmp_path: Path) -> None:
    """Weights after two epochs equal those of plain PyTorch code with the same order of images."""
    net = graph(tmp_path, "flatten -> linear(16) -> relu -> linear(classes)", epochs="2", optimizer="sgd(lr=0.1, momentum=0.9)", seed="4")
    data = write_data(tmp_path)
    train(net, data, out=tmp_path / "run", device="cpu")
    ours = read_weights(tmp_path / "run/last.safetensors")

    torch.manual_seed(4)
    hand = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = torch.optim.SGD(hand.parameters(), lr=0.1, momentum=0.9)
    arrays = np.load(data)
    x, y = torch.from_numpy(arrays["x_train"]), torch.from_numpy(arrays["y_train"])
    step, steps = 0, 10
    for epoch in range(2):
        order = torch.from_numpy(np.random.default_rng([4, epoch]).permutation(41))
        for start, end in ((0, 8), (8, 16), (16, 24), (24, 32), (32, 41)):
            part = order[start:end]
            warm = 1
            rate = 0.1 if step < warm else 0.05 * (1 + np.cos(np.pi * (step - warm) / (steps - warm)))
            optimizer.param_groups[0]["lr"] = rate
            loss = nn.functional.cross_entropy(hand(x[part][:, None] * torch.tensor(1 / 255)), y[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
    theirs = hand.state_dict()
    for mine, other in zip(sorted(ours), sorted(theirs), strict=True):
        torch.testing.assert_close(ours[mine], theirs[other], rtol=0, atol=1e-7)


@pytest.mark.parametrize("optimizer", ["sgd(lr=0.05, momentum=0.9, nesterov=true)", "adam(lr=0.01)", "adamw(lr=0.01)", "rmsprop(lr=0.003)"])
def test_every_optimizer_learns(tmp_path: Path, optimizer: str) -> None:
    result = train(graph(tmp_path, optimizer=optimizer, epochs="6"), write_data(tmp_path, val=0), out=tmp_path / "run", device="cpu")
    assert result.record.last is not None
    assert result.record.last.train["accuracy"] > 0.85
    assert result.record.best is None
    assert not (tmp_path / "run/best.safetensors").exists()
    assert result.record.test_weights == "last"


@pytest.mark.parametrize("ending", ["linear(1)", "linear(1) -> sigmoid"])
def test_two_classes_with_one_output(tmp_path: Path, ending: str) -> None:
    net = graph(tmp_path, f"flatten -> linear(8) -> relu -> {ending}", epochs="12")
    record = train(net, write_data(tmp_path, classes=2), out=tmp_path / "run", device="cpu").record
    assert record.train.losses["output"].name == "binary_cross_entropy"
    assert record.test is not None
    assert record.test.values["accuracy"] == 1.0


def test_a_softmax_at_the_end_is_not_applied_twice(tmp_path: Path) -> None:
    data = write_data(tmp_path)
    with_softmax = train(graph(tmp_path, BODY + " -> softmax"), data, out=tmp_path / "a", device="cpu").record
    without = train(graph(tmp_path, BODY), data, out=tmp_path / "b", device="cpu").record
    assert with_softmax.last is not None
    assert without.last is not None
    assert with_softmax.last.train == without.last.train
    assert with_softmax.test == without.test


def test_equal_seeds_equal_runs(tmp_path: Path) -> None:
    data, before = write_data(tmp_path), torch.get_rng_state()
    weights = []
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        train(graph(tmp_path, seed=seed), data, out=tmp_path / name, device="cpu")
        weights.append((tmp_path / name / "last.safetensors").read_bytes())
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]
    assert torch.equal(torch.get_rng_state(), before), "the caller's random numbers are left alone"


def test_frozen_parts_do_not_change(tmp_path: Path) -> None:
    net = graph(tmp_path, "base: frozen { conv(4, 3) -> bn -> relu } flatten -> linear(classes)".replace(" flatten", "\n    flatten"))
    train(net, write_data(tmp_path), out=tmp_path / "run", device="cpu")
    weights = read_weights(tmp_path / "run/last.safetensors")
    running = next(t for k, t in weights.items() if k.endswith("running_mean"))
    assert not running.any()
    assert sum(t.numel() for k, t in weights.items() if k.startswith("base")) > 0


def test_images_from_files(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "images", {"cat": 10, "dog": 10})
    result = train(graph(tmp_path, settings={"classes": "2"}), root, out=tmp_path / "run", device="cpu")
    assert result.record.classes == {"output": ("cat", "dog")}
    assert result.record.data.counts == {"train": 16, "val": 2, "test": 2}
    assert result.record.settings == {"classes": "2"}
    assert load_run(tmp_path / "run").graph.settings["classes"] == 2


def test_mnist_is_learned(tmp_path: Path) -> None:
    """A small part of the real data: 3,000 images, two epochs."""
    arrays = np.load(MNIST)
    np.savez(tmp_path / "part.npz", **{k: arrays[k][: 3000 if "train" in k else 500] for k in arrays.files})
    net = ROOT / "specs" / "mnist_convnet.net"
    record = train(load(net, settings={"train.epochs": "2"}), tmp_path / "part.npz", out=tmp_path / "run", device="cpu").record
    assert record.test is not None
    assert record.test.values["accuracy"] > 0.8


def test_what_is_shown(tmp_path: Path) -> None:
    console = Console(width=200, record=True, file=StringIO())
    train(graph(tmp_path), write_data(tmp_path), out=tmp_path / "run", device="cpu", console=console)
    lines = console.export_text().splitlines()
    assert lines[0] == "net       Tiny, 243 parameters"
    assert "41 train, 12 val, 12 test (splits of its own)" in lines[1]
    assert lines[3].startswith("training  3 epochs in batches of 8, cross_entropy(label_smoothing=0), adam(lr=0.01")
    assert [line.split("  ")[0] for line in lines if line.startswith("epoch")] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert any(line.startswith("test accuracy") for line in lines)
    assert lines[-1] == f"written to {tmp_path / 'run'}"


def test_a_live_display_and_a_closed_pipe(tmp_path: Path) -> None:
    class Closed(StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    data = write_data(tmp_path)
    live = StringIO()
    train(graph(tmp_path), data, out=tmp_path / "a", device="cpu", console=Console(file=live, force_terminal=True, width=120))
    assert "epoch 3/3" in live.getvalue()
    for name, console in (("b", Console(file=Closed())), ("c", Console(file=Closed(), force_terminal=True))):
        assert train(graph(tmp_path), data, out=tmp_path / name, device="cpu", console=console).record.status == "finished"


@pytest.mark.parametrize(
    ("body", "settings", "code", "words"),
    [
        ("frozen flatten\n    frozen linear(classes)", {}, "N759", "has no trainable parameters: all 195 are frozen"),
        (
            "flatten -> linear(1) -> softmax",
            {},
            "N760",
            "binary_cross_entropy does not fit the output `output`, which is 1 and ends in softmax",
        ),
        ("conv(classes, 3) -> sigmoid", {}, "N760", "cross_entropy does not fit the output `output`, which is 3x6x6 and ends in sigmoid"),
        ("conv(classes, 3) -> flatten(start=1)", {}, "N760", "cross_entropy does not fit the output `output`, which is 3x36"),
        ("flatten -> linear(classes)", {"optimizer": "sgd(nesterov=true)"}, "N761", "needs a momentum"),
        ("flatten -> linear(8) -> bn -> linear(classes)", {"batch": "1"}, "N762", "has one value in each channel"),
    ],
)
def test_specs_that_cannot_be_trained(tmp_path: Path, body: str, settings: dict[str, str], code: str, words: str) -> None:
    net = graph(tmp_path, body, **settings)
    message = failed(exits=Exit.SPEC, code=code, graph=net, data=write_data(tmp_path), out=tmp_path / "run")
    assert words in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("body", "loss", "output"),
    [
        ("flatten -> linear(classes) -> sigmoid", "cross_entropy", "has 3 numbers, and ends in sigmoid"),
        ("conv(1, 3)", "cross_entropy", "is 1x6x6"),
        ("conv(classes, 3)", "mse", "is 3x6x6"),
    ],
)
def test_losses_that_do_not_go_with_the_net_are_no_specs(tmp_path: Path, body: str, loss: str, output: str) -> None:
    with pytest.raises(NetspecError) as caught:
        graph(tmp_path, body, loss=loss)
    (found,) = caught.value.diagnostics
    assert (caught.value.exit, found.code) == (Exit.SPEC, "N605")
    assert found.message == f"{loss} does not fit `Tiny`, whose output {output}"


@pytest.mark.parametrize(
    ("body", "target"), [("conv(classes, 3)", "masks"), ("flatten -> linear(classes) -> sigmoid", "one for each label")]
)
def test_classes_are_no_masks_and_no_labels(tmp_path: Path, body: str, target: str) -> None:
    message = failed(exits=Exit.DATA, code="N714", graph=graph(tmp_path, body), data=write_data(tmp_path), out=tmp_path / "run")
    assert target in message
    assert not (tmp_path / "run").exists()


def test_wrong_settings_are_shown_where_they_stand(tmp_path: Path) -> None:
    net = graph(tmp_path, optimizer="sgd(nesterov=true)")
    with pytest.raises(NetspecError) as caught:
        train(net, write_data(tmp_path), out=tmp_path / "run")
    place = caught.value.diagnostics[0].place
    assert place is not None
    assert place.source.line(place.source.position(place.span.start)[0]).strip() == "optimizer = sgd(nesterov=true)"


def test_data_that_does_not_fit_leaves_no_folder(tmp_path: Path) -> None:
    data = write_data(tmp_path, classes=2)
    message = failed(exits=Exit.DATA, code="N710", graph=graph(tmp_path), data=data, out=tmp_path / "run")
    assert message == "the net tells apart 3 classes, and the data has 2: 0 and 1"
    assert not (tmp_path / "run").exists()


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    for name in ("cuda:99", "tpu", "cpu:7"):
        failed(exits=Exit.ENVIRONMENT, code="N758", graph=graph(tmp_path), data=tmp_path, device=name)


def test_numbers_that_explode(tmp_path: Path) -> None:
    net = graph(tmp_path, "flatten -> linear(8) -> linear(classes)", optimizer="sgd(lr=1e30)", schedule="constant")
    with pytest.raises(NetspecError) as caught:
        train(net, write_data(tmp_path), out=tmp_path / "run", device="cpu")
    (found,) = caught.value.diagnostics
    assert caught.value.exit == Exit.NUMBERS
    assert found.message.startswith("the loss is not finite in epoch 1, step ")
    assert next(iter(found.problem.notes())) == "no epoch was complete, so no checkpoint was written"
    assert not (tmp_path / "run/last.safetensors").exists()
    assert json.loads((tmp_path / "run/run.json").read_text("utf-8"))["status"] == "failed"


def test_the_last_finite_checkpoint_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The learning rate becomes absurd in the second epoch."""
    monkeypatch.setattr(steps, "learning_rate", lambda *a: 0.01 if a[2] < 5 else 1e30)
    with pytest.raises(NetspecError, match="epoch 2") as caught:
        train(graph(tmp_path, optimizer="sgd"), write_data(tmp_path), out=tmp_path / "run", device="cpu")
    assert str(tmp_path / "run/state.safetensors") in next(iter(caught.value.diagnostics[0].problem.notes()))
    for name in ("last", "best", "state"):
        tensors = read_weights(tmp_path / f"run/{name}.safetensors")
        assert all(bool(t.isfinite().all()) for t in tensors.values())
    assert json.loads(read_metadata(tmp_path / "run/last.safetensors")["netspec.epoch"]) == 1


def test_weights_that_the_last_step_has_spoilt_are_never_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss of the step itself is still finite: only the weights show it."""
    monkeypatch.setattr(steps, "learning_rate", lambda *a: float("inf") if a[2] == 9 else 0.01)
    with pytest.raises(NetspecError, match=r"the weight \S+ is not finite in epoch 2, step 5") as caught:
        train(graph(tmp_path, optimizer="sgd"), write_data(tmp_path), out=tmp_path / "run", device="cpu")
    assert caught.value.exit == Exit.NUMBERS
    assert all(bool(t.isfinite().all()) for t in read_weights(tmp_path / "run/last.safetensors").values())
