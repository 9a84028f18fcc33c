"""Nets that learn several things, or something else than one class: each against a training written out in plain PyTorch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from sklearn.metrics import f1_score, roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from netspec.backends.onnx import export
from netspec.backends.torch.weights import read_metadata, read_weights
from netspec.cli.main import run
from netspec.data.pairs import draw_pairs
from netspec.diagnostics import Exit, NetspecError
from netspec.inference import evaluate
from netspec.report.models import RunRecord
from netspec.training import load_run, train
from tests.training.several import (
    HEADS_TRAIN,
    heads,
    heads_data,
    mask_data,
    masks,
    net,
    pair_data,
    pairs,
    vector,
    vector_data,
)

BATCHES = ((0, 8), (8, 16), (16, 25))
"""25 samples in batches of 8: the last one joins the batch before."""

Targets = Mapping[str, Tensor]


def arrays(path: Path) -> dict[str, Tensor]:
    """The arrays of an archive that are numbers."""
    with np.load(path) as found:
        return {name: torch.from_numpy(found[name]) for name in found.files if found[name].dtype.kind != "U"}


def pictures(x: Tensor) -> Tensor:
    return x[:, None].float() * torch.tensor(1 / 255)


def order(seed: int, epoch: int, count: int = 25) -> Tensor:
    return torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(count))


def equal(run_folder: Path, hand: nn.Module, names: Mapping[str, str], atol: float = 0.0) -> None:
    """The weights of a run are those of a module, whose keys ``names`` gives by ours."""
    ours, theirs = read_weights(run_folder / "last.safetensors"), hand.state_dict()
    assert len(ours) == len(theirs) == 2 * len(names)
    for mine, other in names.items():
        for part in ("weight", "bias"):
            torch.testing.assert_close(ours[f"{mine}.{part}"], theirs[f"{other}.{part}"], rtol=0, atol=atol)


class TwoHeads(nn.Module):
    """The net of two heads, as one writes it in PyTorch; with an auxiliary head where that is asked for."""

    def __init__(self, auxiliary: bool = False) -> None:
        super().__init__()
        self.conv, self.hidden = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(64, 12)
        self.early = nn.Linear(64, 3) if auxiliary else None
        self.kind, self.place = nn.Linear(12, 3), nn.Linear(12, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        flat = functional.max_pool2d(torch.tanh(self.conv(x)), 2).flatten(1)
        body = torch.tanh(self.hidden(flat))
        return self.kind(body), self.place(body), None if self.early is None else self.early(flat)


AUXILIARY = """
net Heads(classes = 3) {{
    image: input(1x8x8)
    preprocess {{ scale(1/255) }}
    conv(4, 3, padding=1) -> tanh -> maxpool(2) -> flat: flatten
    linear(12) -> body: tanh
    flat -> early: linear(classes)
    body -> kind: linear(classes)
    body -> place: linear(2)
    output(kind, place)
    auxiliary(early, weight=0.3)
}}

train {{
    batch = 8
    {train}
}}
"""


@pytest.mark.parametrize("auxiliary", [False, True])
def test_two_heads_by_hand(tmp_path: Path, auxiliary: bool) -> None:
    """Two losses with weights, smoothed and not, and an auxiliary head of the first: weights bit for bit, figures by other hands."""
    settings = HEADS_TRAIN + "layout = contiguous"
    ours, data = net(tmp_path, AUXILIARY.format(train=settings)) if auxiliary else heads(tmp_path, settings), heads_data(tmp_path)
    record = train(ours, data, out=tmp_path / "run", device="cpu").record
    torch.manual_seed(4)
    hand, found = TwoHeads(auxiliary), arrays(data)
    x, kind, place = pictures(found["x_train"]), found["kind_train"], found["place_train"]
    optimizer = torch.optim.SGD(hand.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for epoch in range(2):
        for start, end in BATCHES:
            part = order(4, epoch)[start:end]
            kinds, places, early = hand(x[part])
            first = functional.cross_entropy(kinds, kind[part], label_smoothing=0.1)
            second = functional.huber_loss(places, place[part], delta=0.2)
            loss = 0.5 * first + 2 * second
            losses.append((float(loss.detach()), float(first.detach()), float(second.detach()), end - start))
            if early is not None:
                loss = loss + 0.3 * functional.cross_entropy(early, kind[part], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    paths = {"0": "conv", "4": "hidden", "early": "early"} if auxiliary else {"body.0": "conv", "body.4": "hidden"}
    equal(tmp_path / "run", hand, paths | {"kind": "kind", "place": "place"})
    assert record.last is not None
    for place_in_row, name in enumerate(("loss", "kind.loss", "place.loss")):
        mean = sum(row[place_in_row] * row[3] for row in losses[3:]) / 25
        assert record.last.train[name] == pytest.approx(mean, rel=1e-5)
    check_figures(record, hand.eval(), found)


def check_figures(record: RunRecord, hand: TwoHeads, found: Mapping[str, Tensor]) -> None:
    """The figures of validation, which are of plain losses, by scikit-learn and PyTorch."""
    with torch.no_grad():
        kinds, places, _ = hand(pictures(found["x_val"]))
    kind, place, said = found["kind_val"], found["place_val"], kinds.argmax(1)
    plain = functional.cross_entropy(kinds, kind)
    distance = functional.huber_loss(places, place, delta=0.2)
    assert record.last is not None
    assert record.last.val == pytest.approx(
        {
            "loss": float(0.5 * plain + 2 * distance),
            "kind.loss": float(plain),
            "kind.accuracy": float((said == kind).float().mean()),
            "kind.f1": f1_score(kind, said, average="macro", zero_division=0),
            "place.loss": float(distance),
            "place.mae": float(functional.l1_loss(places, place)),
            "place.rmse": float(functional.mse_loss(places, place)) ** 0.5,
        },
        rel=1e-5,
    )
    assert set(record.last.train) == {"loss", "kind.loss", "kind.accuracy", "place.loss", "place.mae"}


def test_the_record_of_two_heads(tmp_path: Path) -> None:
    data = heads_data(tmp_path, train=33, test=9)
    record = train(heads(tmp_path), data, out=tmp_path / "run", device="cpu").record
    assert record == RunRecord.model_validate_json((tmp_path / "run/run.json").read_text("utf-8"))
    assert record.classes == {"kind": ("top", "middle", "bottom")}
    assert (record.train.losses["kind"].name, record.train.losses["place"].name) == ("cross_entropy", "huber")
    assert record.train.loss_weights == {"kind": 0.5, "place": 2}
    assert [m.name for m in record.train.metrics["place"]] == ["mae", "rmse"]
    assert record.best is not None and record.last is not None and record.test is not None
    assert record.best.monitor == "val.place.mae"
    assert record.best.value == record.best.values["place.mae"]
    lines = (tmp_path / "run/history.csv").read_text("utf-8").splitlines()
    best = dict(zip(lines[0].split(","), lines[record.best.epoch].split(","), strict=True))
    assert float(best["val_place_mae"]) == min(float(line.split(",")[lines[0].split(",").index("val_place_mae")]) for line in lines[1:])
    assert set(record.test.values) == set(record.last.val)
    assert json.loads(read_metadata(tmp_path / "run/best.safetensors")["netspec.classes"]) == ["top", "middle", "bottom"]


def test_evaluation_of_two_heads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = heads_data(tmp_path, train=33, test=9)
    record = train(heads(tmp_path), data, out=tmp_path / "run", device="cpu").record
    assert record.test is not None
    found = evaluate(tmp_path / "run", data, device="cpu")
    assert (found.split, found.images) == ("test", 9)
    assert found.figures == pytest.approx(record.test.values, rel=1e-6)
    assert [c.label for c in found.outputs["kind"].classes] == ["top", "middle", "bottom"]
    assert (found.outputs["place"].kind, found.outputs["place"].confusion) == ("number", ())
    assert run(["eval", str(tmp_path / "run"), "--data", str(data), "--device", "cpu", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["figures"] == pytest.approx(record.test.values, rel=1e-6)
    assert run(["eval", str(tmp_path / "run"), "--data", str(data), "--device", "cpu"]) == 0
    shown = capsys.readouterr().out
    assert "kind" in shown and "place" in shown


def test_two_heads_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file computes both outputs, without what only training needs, and names the classes of those that have some."""
    import onnxruntime

    data = heads_data(tmp_path)
    train(net(tmp_path, AUXILIARY.format(train=HEADS_TRAIN)), data, out=tmp_path / "run", device="cpu")
    assert run(["export", str(tmp_path / "run"), "--onnx", "--out", str(tmp_path / "heads.onnx")]) == 0
    assert "wrote" in capsys.readouterr().out
    said = {p.key: p.value for p in onnx.load(tmp_path / "heads.onnx").metadata_props}
    assert json.loads(said["netspec.classes"]) == {"kind": ["top", "middle", "bottom"]}
    session = onnxruntime.InferenceSession(str(tmp_path / "heads.onnx"))
    assert [o.name for o in session.get_outputs()] == ["kind", "place"]
    pixels = arrays(data)["x_val"][:, None]
    answers = dict(zip(["kind", "place"], session.run(None, {"image": pixels.float().numpy()}), strict=True))
    loaded = load_run(tmp_path / "run")
    from netspec.backends.torch import build

    with torch.inference_mode():
        expected = build(loaded.graph, loaded.weights()).eval()(pixels)
    assert isinstance(expected, dict)
    for name, values in expected.items():
        np.testing.assert_allclose(answers[name], values.numpy(), rtol=1e-4, atol=1e-6)


def test_classes_of_an_output_that_has_none_are_not_exported(tmp_path: Path) -> None:
    train(heads(tmp_path), heads_data(tmp_path), out=tmp_path / "run", device="cpu")
    loaded = load_run(tmp_path / "run")
    with pytest.raises(NetspecError) as caught:
        export(loaded.graph, loaded.weights(), tmp_path / "wrong.onnx", classes={"kind": ("a", "b"), "place": ()})
    assert caught.value.exit == Exit.MODEL_FILE
    assert not (tmp_path / "wrong.onnx").exists()


Loss = Callable[[Tensor, Tensor], Tensor]
VECTORS: dict[str, tuple[int, str, str, Loss]] = {
    "labels": (3, "labels", "loss = binary_cross_entropy\n    metrics = [f1, auc]", functional.binary_cross_entropy_with_logits),
    "numbers": (2, "numbers", "loss = mse\n    metrics = [mae, rmse]", functional.mse_loss),
    "absolute": (2, "numbers", "loss = mae", functional.l1_loss),
}


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_labels_and_numbers_by_hand(tmp_path: Path, name: str) -> None:
    outputs, target, settings, criterion = VECTORS[name]
    data = vector_data(tmp_path, target, val=20)
    text = settings + "\n    optimizer = adam(lr=0.01)\n    schedule = constant\n    seed = 4\n    layout = contiguous"
    record = train(vector(tmp_path, outputs, text), data, out=tmp_path / "run", device="cpu").record
    torch.manual_seed(4)
    hand, found = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, outputs)), arrays(data)
    x, y = pictures(found["x_train"]), found["y_train"].float()
    optimizer = torch.optim.Adam(hand.parameters(), lr=0.01)
    for epoch in range(2):
        for start, end in BATCHES:
            part = order(4, epoch)[start:end]
            optimizer.zero_grad()
            criterion(hand(x[part]), y[part]).backward()
            optimizer.step()
    equal(tmp_path / "run", hand, {"1": "1", "3": "3"}, atol=1e-7)
    assert record.last is not None
    said, truth = hand(pictures(found["x_val"])).detach(), found["y_val"].float()
    expected = {"loss": float(criterion(said, truth))}
    if target == "labels":
        assert record.classes == {"output": ("0", "1", "2")}
        expected["f1"] = f1_score(truth, said > 0, average="macro", zero_division=0)
        expected["auc"] = roc_auc_score(truth, said, average="macro")
    else:
        assert record.classes == {}
        expected["mae"] = float(functional.l1_loss(said, truth))
    if name == "numbers":
        expected["rmse"] = float(functional.mse_loss(said, truth)) ** 0.5
    assert record.last.val == pytest.approx(expected, rel=1e-5)
    assert record.best is not None
    assert record.best.monitor == ("val.f1" if target == "labels" else "val.mae")


def test_masks_by_hand(tmp_path: Path) -> None:
    data = mask_data(tmp_path)
    text = "epochs = 2\n    loss = cross_entropy(weight=[1, 4, 2])\n    optimizer = sgd(lr=0.5)\n    schedule = constant"
    text += "\n    layout = contiguous"
    record = train(masks(tmp_path, text), data, out=tmp_path / "run", device="cpu").record
    torch.manual_seed(0)
    hand, found = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 3, 1)), arrays(data)
    x, y = pictures(found["x_train"]), found["y_train"].long()
    optimizer = torch.optim.SGD(hand.parameters(), lr=0.5)
    for epoch in range(2):
        for start, end in BATCHES:
            part = order(0, epoch)[start:end]
            optimizer.zero_grad()
            functional.cross_entropy(hand(x[part]), y[part], weight=torch.tensor([1.0, 4.0, 2.0]), ignore_index=255).backward()
            optimizer.step()
    equal(tmp_path / "run", hand, {"0": "0", "mask": "2"}, atol=1e-6)
    said, truth = hand(pictures(found["x_val"])).argmax(1), found["y_val"].long()
    shares = []
    for number in range(3):
        ours, theirs = (said == number) & (truth != 255), truth == number
        if bool((ours | theirs).any()):
            shares.append(float((ours & theirs).sum() / (ours | theirs).sum()))
    assert record.last is not None
    assert record.last.val["miou"] == pytest.approx(sum(shares) / len(shares))
    assert record.train.keep.settings["monitor"] == "val.miou"


def test_pairs_by_hand(tmp_path: Path) -> None:
    """One encoder for both, pairs drawn anew in each epoch, the contrastive loss of Hadsell and others."""
    data = pair_data(tmp_path)
    record = train(pairs(tmp_path, "schedule = constant\n    layout = contiguous"), data, out=tmp_path / "run", device="cpu").record
    torch.manual_seed(0)
    encoder, found = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(108, 6)), arrays(data)
    x, labels = pictures(found["x_train"]), found["y_train"]
    optimizer = torch.optim.Adam(encoder.parameters(), lr=0.01)
    partners = []
    for epoch in range(2):
        others, same = (torch.from_numpy(part) for part in draw_pairs(labels.numpy(), 0.5, 0, epoch))
        assert torch.equal(labels == labels[others], same == 1)
        partners.append(others)
        for start, end in BATCHES:
            part = order(0, epoch)[start:end]
            distance = (encoder(x[part]) - encoder(x[others[part]])).norm(dim=1)
            alike = same[part].float()
            loss = (alike * distance**2 / 2 + (1 - alike) * (1 - distance).clamp(min=0) ** 2 / 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert not torch.equal(*partners)
    equal(tmp_path / "run", encoder, {"encoder.0": "0", "encoder.3": "3"}, atol=1e-5)
    assert record.classes == {"same": ("different", "same")}
    assert record.last is not None
    assert set(record.last.val) == {"loss", "accuracy", "auc"}


def test_pairs_learn(tmp_path: Path) -> None:
    text = "loss = contrastive\n    epochs = 25"
    spec = pairs(tmp_path).source.text.replace("epochs = 2\n", "").replace("loss = contrastive", text)
    record = train(net(tmp_path, spec), pair_data(tmp_path, train=60, val=30, test=30), out=tmp_path / "run", device="cpu").record
    assert record.test is not None
    assert record.test.values["auc"] > 0.95
    assert evaluate(tmp_path / "run", tmp_path / "pairs.npz", device="cpu").figures == pytest.approx(record.test.values, rel=1e-6)


def test_a_stage_may_learn_by_other_losses(tmp_path: Path) -> None:
    """Figures go by the stage: what is measured in the first is not asked of the second."""
    text = HEADS_TRAIN.replace("epochs = 2", "").replace("keep = best(val.place.mae)", "")
    text += "    one { epochs = 1 }\n    two { epochs = 1, loss { kind = focal, place = mae }, metrics { kind = accuracy, place = mae } }"
    record = train(heads(tmp_path, text), heads_data(tmp_path), out=tmp_path / "run", device="cpu").record
    assert [s.losses["kind"].name for s in record.train.stages] == ["cross_entropy", "focal"]
    head, first, second = ((tmp_path / "run/history.csv").read_text("utf-8")).splitlines()
    rows = [dict(zip(head.split(","), line.split(","), strict=True)) for line in (first, second)]
    assert rows[0]["val_place_rmse"] != "" and rows[1]["val_place_rmse"] == ""
    assert rows[1]["val_place_loss"] == rows[1]["val_place_mae"]
