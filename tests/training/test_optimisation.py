"""Optimisers, running means and what is kept: each against PyTorch, or against its formula."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from netspec.backends.torch import build
from netspec.backends.torch.weights import read_weights
from netspec.diagnostics import Exit, NetspecError
from netspec.graph import Ending
from netspec.objectives import loss_fits
from netspec.report.models import BestEpoch, EpochRow, NamedSettings
from netspec.sections import OPTIMIZERS
from netspec.signature import signature_of
from netspec.training import train
from netspec.training.batches import batch_bounds, group_of
from netspec.training.devices.precision import choose_precision
from netspec.training.learning.averaging import Averaged
from netspec.training.learning.optimise import Group, decaying, make_optimizer
from netspec.training.loop import better
from tests.training.nets import graph, write_data
from tests.training.staged import staged

CPU = torch.device("cpu")


def chosen(table: Any, name: str, **settings: Any) -> NamedSettings:
    defaults = {p.name: p.default for p in signature_of(table[name]).parameters}
    return NamedSettings(name=name, settings=defaults | settings)


@pytest.mark.parametrize(
    ("outputs", "ending", "fits"), [(1, None, True), (1, "softmax", False), (3, "sigmoid", False), (3, "softmax", True)]
)
def test_what_focal_loss_goes_with(outputs: int, ending: Ending | None, fits: bool) -> None:
    assert loss_fits("focal", (outputs,), ending) == fits


def test_decay_of_weights_alone(tmp_path: Path) -> None:
    net = build(staged(tmp_path, "epochs = 1"))
    assert decaying(net.graph) == {"base.0.weight", "base.3.weight", "head.0.weight", "head.2.weight"}
    one, other = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = make_optimizer(chosen(OPTIMIZERS, "sgd", lr=0.1, weight_decay=0.5), {Group(): [one], Group(decays=False): [other]})
    one.grad, other.grad = torch.zeros(2), torch.zeros(2)
    optimizer.step()
    assert (float(one.detach()[0]), float(other.detach()[0])) == (pytest.approx(0.95), 1.0)


def test_decay_of_weights_in_a_training(tmp_path: Path) -> None:
    text = "epochs = 1\n    optimizer = adamw(lr=1e-9, weight_decay=1e7)\n    decay = weights"
    train(staged(tmp_path, text), write_data(tmp_path), out=tmp_path / "run", device="cpu")
    found = read_weights(tmp_path / "run/last.safetensors")
    assert torch.allclose(found["base.1.weight"], torch.ones(4), atol=1e-6), "norms stay"
    assert float(found["head.0.weight"].abs().max()) < 0.98 * 0.16, "weights shrink"


def test_a_net_trained_by_hand(tmp_path: Path) -> None:
    """Clipping, accumulation, a running mean and a smoothed, weighted loss, written out in plain PyTorch."""
    net = graph(
        tmp_path,
        "flatten -> linear(16) -> relu -> linear(classes)",
        epochs="2",
        batch="8",
        accumulate="2",
        clip="0.3",
        ema="0.8",
        decay="weights",
        optimizer="sgd(lr=0.1, momentum=0.9, weight_decay=0.01)",
        schedule="step(every=1, factor=0.5)",
        loss="cross_entropy(label_smoothing=0.1, weight=[1, 2, 3])",
        seed="4",
    )
    data = write_data(tmp_path)
    train(net, data, out=tmp_path / "run", device="cpu")
    ours = read_weights(tmp_path / "run/last.safetensors")
    torch.manual_seed(4)
    hand = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 3))
    groups = [{"params": [hand[1].weight, hand[3].weight]}, {"params": [hand[1].bias, hand[3].bias], "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9, weight_decay=0.01)
    means = [p.detach().clone() for p in hand.parameters()]
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1, weight=torch.tensor([1.0, 2.0, 3.0]))
    arrays = np.load(data)
    x, y = torch.from_numpy(arrays["x_train"]), torch.from_numpy(arrays["y_train"])
    step = 0
    for epoch in range(2):
        order = torch.from_numpy(np.random.default_rng([4, epoch]).permutation(41))
        for group in (((0, 8), (8, 16)), ((16, 24), (24, 32)), ((32, 41),)):
            optimizer.zero_grad()
            images = sum(end - start for start, end in group)
            for start, end in group:
                part = order[start:end]
                loss = criterion(hand(x[part][:, None] * torch.tensor(1 / 255)), y[part])
                (loss * ((end - start) / images)).backward()
            nn.utils.clip_grad_norm_(hand.parameters(), 0.3)
            for settings in optimizer.param_groups:
                settings["lr"] = 0.1 * 0.5**epoch
            optimizer.step()
            step += 1
            decay = min(0.8, (1 + step) / (10 + step))
            means = [decay * m + (1 - decay) * p.detach() for m, p in zip(means, hand.parameters(), strict=True)]
    for mine, other in zip([ours["1.weight"], ours["1.bias"], ours["3.weight"], ours["3.bias"]], means, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-6)


def test_an_accumulated_batch_is_a_large_one(tmp_path: Path) -> None:
    body = "flatten -> linear(16) -> relu -> linear(classes)"
    data = write_data(tmp_path, train=48)
    for name, settings in (("large", {"batch": "16"}), ("small", {"batch": "4", "accumulate": "4"})):
        train(graph(tmp_path, body, optimizer="sgd(lr=0.1)", **settings), data, out=tmp_path / name, device="cpu")
    large, small = (read_weights(tmp_path / f"{run}/last.safetensors") for run in ("large", "small"))
    for key in large:
        torch.testing.assert_close(large[key], small[key], rtol=0, atol=1e-6)


def test_groups_of_batches() -> None:
    bounds = batch_bounds(41, 8)
    assert [group_of(bounds, i, 2) for i in range(5)] == [(0, 2, 16), (0, 2, 16), (2, 4, 16), (2, 4, 16), (4, 5, 9)]
    assert group_of(bounds, 3, 100) == (0, 5, 41)


def test_a_running_mean_is_used_and_leaves_the_weights_alone() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    mean = Averaged(net, 0.5)
    own = {k: t.clone() for k, t in net.state_dict().items()}
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 1
    net[1].running_mean += 3
    mean.update(net, 10)
    now = {k: t.clone() for k, t in net.state_dict().items()}
    used = {k: t.clone() for k, t in mean.weights(net).items()}
    torch.testing.assert_close(used["0.weight"], own["0.weight"] + 0.5)
    assert torch.equal(used["1.running_mean"], now["1.running_mean"]), "buffers are taken as they are"
    with mean.in_place(net):
        assert torch.equal(net[0].weight, used["0.weight"])
    assert all(torch.equal(now[k], t) for k, t in net.state_dict().items())
    mean.update(net, 1)
    torch.testing.assert_close(mean.means["0.weight"], (2 / 11) * used["0.weight"] + (9 / 11) * now["0.weight"])


def test_validation_measures_the_running_mean(tmp_path: Path) -> None:
    data = write_data(tmp_path)
    record = train(graph(tmp_path, ema="0.99", epochs="2", keep="last"), data, out=tmp_path / "run", device="cpu").record
    state, last = (read_weights(tmp_path / f"run/{name}.safetensors") for name in ("state", "last"))
    assert all(torch.equal(last[k.removeprefix("mean.")], t) for k, t in state.items() if k.startswith("mean."))
    assert not torch.equal(state["model.0.weight"] if "model.0.weight" in state else state["model.6.weight"], next(iter(last.values())))
    net = build(graph(tmp_path, ema="0.99", epochs="2", keep="last"))
    net.load_state_dict(last)
    net.eval()
    arrays = np.load(data)
    logits = net.logits(torch.from_numpy(arrays["x_val"])[:, None])
    assert isinstance(logits, torch.Tensor)
    loss = functional.cross_entropy(logits, torch.from_numpy(arrays["y_val"]))
    assert record.last is not None
    assert record.last.val["loss"] == pytest.approx(float(loss.detach()), rel=1e-5)


def row(epoch: int, accuracy: float, loss: float) -> EpochRow:
    val = {"loss": loss, "accuracy": accuracy}
    return EpochRow(epoch=epoch, train={"loss": 1, "accuracy": 0}, val=val, lr=1, seconds=1, images_per_second=1)


@pytest.mark.parametrize(
    ("name", "settings", "best"),
    [("best", {"monitor": "val.accuracy"}, 3), ("best", {"monitor": "val.loss"}, 2), ("last", {}, None)],
)
def test_what_is_kept(name: str, settings: dict[str, str], best: int | None) -> None:
    found: BestEpoch | None = None
    for each in (row(1, 0.5, 1.0), row(2, 0.6, 0.5), row(3, 0.7, 0.6), row(4, 0.7, 0.6), row(5, 0.6, 0.5)):
        found = better(found, each, NamedSettings(name=name, settings=settings))
    assert (None if found is None else found.epoch) == best


def test_keeping_the_last_keeps_no_best(tmp_path: Path) -> None:
    record = train(graph(tmp_path, keep="last"), write_data(tmp_path), out=tmp_path / "run", device="cpu").record
    assert (record.best, record.test_weights) == (None, "last")
    assert not (tmp_path / "run/best.safetensors").exists()


def test_precisions(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [choose_precision(p, CPU) for p in ("auto", "fp32", "bf16")] == ["fp32", "fp32", "bf16"]  # type: ignore[arg-type]
    with pytest.raises(NetspecError) as caught:
        choose_precision("bf16", torch.device("mps"))
    assert (caught.value.diagnostics[0].code, caught.value.exit) == ("N768", Exit.ENVIRONMENT)
    for native, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True, native=native: native or including_emulation)
        assert choose_precision("auto", torch.device("cuda")) == expected


def test_bfloat16_computes_in_it_and_learns(tmp_path: Path) -> None:
    data = write_data(tmp_path)
    losses = []
    for precision in ("fp32", "bf16"):
        net = graph(tmp_path, precision=precision, epochs="6")
        record = train(net, data, out=tmp_path / precision, device="cpu").record
        assert record.last is not None
        losses.append(record.last.train["loss"])
        assert record.versions.precision == precision
        assert all(t.dtype != torch.bfloat16 for t in read_weights(tmp_path / precision / "last.safetensors").values())
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.3)
