"""Rates by path, layouts in memory, and compiled nets: what each changes of a training, and what none may change."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from netspec.backends.torch.weights import read_weights
from netspec.training import train
from netspec.training.runner import Runner
from tests.training.nets import graph, write_data
from tests.training.several import HEADS_TRAIN, heads, heads_data
from tests.training.test_several import BATCHES, TwoHeads, arrays, equal, order, pictures


def test_rates_by_hand(tmp_path: Path) -> None:
    """Each group learns at its share of the rate, while that falls; the last line that names a layer counts."""
    text = HEADS_TRAIN.replace(
        "schedule = constant", 'schedule = polynomial(power=1)\n    rates { body = 0.1, "body.4" = 3 }\n    layout = contiguous'
    )
    data = heads_data(tmp_path)
    train(heads(tmp_path, text), data, out=tmp_path / "run", device="cpu")
    torch.manual_seed(4)
    hand, found = TwoHeads(), arrays(data)
    shares = {hand.conv: 0.1, hand.hidden: 3.0, hand.kind: 1.0, hand.place: 1.0}
    optimizer = torch.optim.SGD([{"params": list(m.parameters()), "share": s} for m, s in shares.items()], lr=0.1, momentum=0.9)
    x, kind, place = pictures(found["x_train"]), found["kind_train"], found["place_train"]
    step = 0
    for epoch in range(2):
        for start, end in BATCHES:
            part = order(4, epoch)[start:end]
            for group in optimizer.param_groups:
                group["lr"] = group["share"] * 0.1 * (1 - step / 6)
            kinds, places, _ = hand(x[part])
            loss = 0.5 * functional.cross_entropy(kinds, kind[part], label_smoothing=0.1)
            loss = loss + 2 * functional.huber_loss(places, place[part], delta=0.2)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
    equal(tmp_path / "run", hand, {"body.0": "conv", "body.4": "hidden", "kind": "kind", "place": "place"}, atol=1e-7)


def test_a_step_of_each_group_is_its_share(tmp_path: Path) -> None:
    """Of one step of plain gradient descent: what changes is exactly the share of what would have changed."""
    text = "epochs = 1\n    loss { place = mse }\n    accumulate = 3\n    optimizer = sgd(lr=0.5)\n    schedule = constant"
    text += "\n    layout = contiguous"
    data, found = heads_data(tmp_path), {}
    for name, rates in (
        ("none", ""),
        ("shares", 'rates { body = 0.25, "kind" = 2 }'),
        ("nearly", "rates { body = 1e-30, kind = 1e-30, place = 1e-30 }"),
    ):
        train(heads(tmp_path, f"{text}\n    {rates}"), data, out=tmp_path / name, device="cpu")
        found[name] = read_weights(tmp_path / name / "last.safetensors")
    for key, whole in found["none"].items():
        share = 0.25 if key.startswith("body") else 2 if key.startswith("kind") else 1
        start = found["nearly"][key]
        torch.testing.assert_close(found["shares"][key] - start, share * (whole - start), rtol=1e-3, atol=1e-6)
        assert not torch.equal(whole, start)


def test_layouts_give_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How weights and pictures lie in memory changes the order of sums alone, and nothing of the files."""
    laid: list[bool] = []
    real = Runner.__call__

    def call(self: Runner, inputs: Any) -> Any:
        laid.append(next(p for p in self._plain.parameters() if p.dim() == 4 and p.shape[0] > 1 < p.shape[1]).is_contiguous())
        return real(self, inputs)

    monkeypatch.setattr(Runner, "__call__", call)
    body = "conv(4, 3, padding=1) -> tanh -> conv(6, 3, bias=false) -> bn -> tanh -> flatten -> linear(classes)"
    data = write_data(tmp_path)
    found = []
    for layout in ("contiguous", "channels_last", "auto"):
        train(graph(tmp_path, body, layout=layout, optimizer="sgd(lr=0.05)"), data, out=tmp_path / layout, device="cpu")
        found.append(read_weights(tmp_path / layout / "last.safetensors"))
        assert set(laid) == {layout == "contiguous"}
        laid.clear()
    for key, tensor in found[0].items():
        torch.testing.assert_close(found[1][key], tensor, rtol=1e-4, atol=1e-5)
        assert torch.equal(found[1][key], found[2][key])
        assert found[1][key].is_contiguous()


@pytest.mark.skipif(shutil.which("g++") is None and shutil.which("clang++") is None, reason="PyTorch compiles with a C++ compiler")
@pytest.mark.filterwarnings("ignore")
def test_a_compiled_net_learns_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    data = heads_data(tmp_path)
    compiled = []
    real = torch.compile
    monkeypatch.setattr(torch, "compile", lambda *a, **k: (compiled.append(a), real(*a, **k))[1])
    for name, setting in (("eager", "false"), ("compiled", "true")):
        train(heads(tmp_path, f"{HEADS_TRAIN}compile = {setting}"), data, out=tmp_path / name, device="cpu")
    assert len(compiled) == 1
    ours, theirs = (read_weights(tmp_path / f"{name}/last.safetensors") for name in ("compiled", "eager"))
    assert ours.keys() == theirs.keys()
    for key, tensor in theirs.items():
        torch.testing.assert_close(ours[key], tensor, rtol=1e-4, atol=1e-5)
