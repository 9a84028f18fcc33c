"""Metrics and measuring: against scikit-learn on all samples at once, against formulas written out, and in batches of every size."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as theirs
from torch import Tensor

from netspec.data.samples import Batch, MemoryColumn, Samples
from netspec.diagnostics import Exit, NetspecError
from netspec.graph import Ending
from netspec.objectives import FITTING, WHILE_TRAINING, Kind, Objective
from netspec.training.measuring.deciding import decided
from netspec.training.measuring.losses import plain_loss
from netspec.training.measuring.measure import Measures, Score, measure
from netspec.training.measuring.metrics import UNDEFINED, from_confusion, instant
from netspec.training.measuring.worst import KEPT
from netspec.values import Choice

LOSS: Mapping[Kind, str] = {"class": "cross_entropy", "labels": "binary_cross_entropy", "number": "mae", "mask": "cross_entropy"}
SETTINGS: Mapping[str, dict[str, Any]] = {"top_k": {"k": 2}, "contrastive": {"margin": 1.0}}


def objective(
    kind: Kind, outputs: int, *metrics: str, loss: str = "", ending: Ending | None = None, name: str = "out", weight: float = 1.0
) -> Objective:
    shape = (outputs, 3, 4) if kind == "mask" else (outputs,)
    asked = tuple(Choice(m, SETTINGS.get(m, {})) for m in metrics or FITTING[kind])
    chosen = loss or ("binary_cross_entropy" if outputs == 1 and kind != "number" else LOSS[kind])
    return Objective(name, f"{name} target", kind, shape, Choice(chosen, SETTINGS.get(chosen, {})), weight, asked, ending)


def answers(one: Objective, count: int, seed: int, classes: int = 0) -> tuple[Tensor, Tensor]:
    """Logits, and targets that they have something to do with; of ``classes`` alone."""
    chance = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, *one.shape, generator=chance)
    if one.kind == "number":
        return logits, logits + torch.randn(logits.shape, generator=chance)
    if one.kind == "labels":
        return logits, (logits + torch.randn(logits.shape, generator=chance) > 0).float()
    likely = torch.cat([torch.zeros_like(logits), logits], 1) if one.binary else logits
    noisy = (likely + torch.randn(likely.shape, generator=chance))[:, : classes or one.classes].argmax(1)
    if one.kind == "class":
        return logits, noisy
    return logits, noisy.to(torch.uint8).masked_fill(torch.rand(noisy.shape, generator=chance) < 0.2, 255)


Part = tuple[Objective, Tensor, Tensor]
"""An objective with the logits of a net and the targets."""


def split(parts: Sequence[Part]) -> tuple[Samples, Score]:
    """Samples that are their numbers, and a net that has an answer for each."""
    targets = {one.target: MemoryColumn(target) for one, _, target in parts}
    samples = Samples({"image": MemoryColumn(torch.arange(len(parts[0][1])))}, targets, lambda i: f"picture {i}")

    def score(batch: Batch) -> dict[str, Tensor]:
        return {one.output: logits[batch.inputs["image"]] for one, logits, _ in parts}

    return samples, score


def measured(parts: Sequence[Part], batch: int = 7) -> Measures:
    samples, score = split(parts)
    return measure(score, samples, [one for one, _, _ in parts], batch)


def reference(one: Objective, logits: Tensor, target: Tensor) -> dict[str, float]:
    """What scikit-learn has to say of all samples."""
    if one.kind == "number":
        given = {None: logits, "sigmoid": logits.sigmoid(), "softmax": logits.softmax(1)}[one.ending]
        pair = target.double().numpy(), given.double().numpy()
        squared = theirs.mean_squared_error(*pair)
        return {"mae": theirs.mean_absolute_error(*pair), "mse": squared, "rmse": math.sqrt(squared)}
    truth, said = target.numpy(), decided(one, logits).numpy()
    if one.kind == "mask":
        truth, said = truth[target.numpy() != 255], said[target.numpy() != 255]
        of_classes = {"miou": theirs.jaccard_score(truth, said, average="macro"), "dice": theirs.f1_score(truth, said, average="macro")}
        return {"accuracy": theirs.accuracy_score(truth, said), **of_classes}
    scored = {
        "precision": theirs.precision_score, "recall": theirs.recall_score, "f1": theirs.f1_score,
    }  # fmt: skip
    how = "binary" if one.kind == "class" and one.classes == 2 else "macro"
    found = {name: float(figure(truth, said, average=how, zero_division=0)) for name, figure in scored.items()}
    if one.kind == "labels":
        return found | {"accuracy": 1 - theirs.hamming_loss(truth, said), "auc": theirs.roc_auc_score(truth, logits.numpy())}
    return found | {"accuracy": theirs.accuracy_score(truth, said)} | ranked(one, logits.double(), truth)


def ranked(one: Objective, logits: Tensor, truth: NDArray[Any]) -> dict[str, float]:
    """What depends on more than the answer: the area under the curve where all classes occur, and the first two."""
    if one.binary:
        sure = -logits[:, 0] if one.loss.name == "contrastive" else logits[:, 0]
        return {"auc": theirs.roc_auc_score(truth, sure.numpy())}
    numbers, sure = range(one.classes), logits.softmax(1)
    found = {"top_k": theirs.top_k_accuracy_score(truth, logits.numpy(), k=2, labels=numbers)} if one.classes > 2 else {}
    if set(truth) == set(numbers):
        found["auc"] = theirs.roc_auc_score(truth, sure.numpy() if one.classes > 2 else sure[:, 1].numpy(), multi_class="ovr")
    return found


ALL = [
    objective("class", 5),
    objective("class", 2, "accuracy", "precision", "recall", "f1", "auc"),
    objective("class", 1, "accuracy", "precision", "recall", "f1", "auc"),
    objective("class", 1, "accuracy", "f1", "auc", loss="contrastive"),
    objective("labels", 4),
    objective("number", 3),
    objective("number", 1, ending="sigmoid"),
    objective("number", 4, ending="softmax"),
    objective("mask", 3),
    objective("mask", 1),
]


def by_name(one: Objective) -> str:
    return f"{one.kind}-{one.shape[0]}-{one.loss.name}-{one.ending}"


@pytest.mark.parametrize("one", ALL, ids=by_name)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), batch=st.integers(1, 50))
def test_figures_are_scikit_learn_s(one: Objective, seed: int, batch: int) -> None:
    logits, target = answers(one, 40, seed)
    found = measured([(one, logits, target)], batch)
    expected = reference(one, logits, target)
    for metric in one.metrics:
        if metric.name in expected:
            assert found.values[metric.name] == pytest.approx(expected[metric.name], abs=1e-6), metric.name
    assert found.values["loss"] == pytest.approx(float(plain_loss(one)(logits, target).mean()), rel=1e-5)
    assert not found.undefined


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), occurring=st.integers(2, 4))
def test_classes_that_are_absent(seed: int, occurring: int) -> None:
    """Of five classes the last do not occur, though they are answered."""
    one = objective("class", 5)
    logits, target = answers(one, 60, seed, occurring)
    found, expected = measured([(one, logits, target)]).values, reference(one, logits, target)
    for name in ("accuracy", "top_k", "precision", "recall", "f1"):
        assert found[name] == pytest.approx(expected[name])
    present = sorted(set(target.tolist()))
    areas = [theirs.roc_auc_score(target.numpy() == k, logits.double().softmax(1)[:, k].numpy()) for k in present]
    assert found["auc"] == pytest.approx(np.mean(areas), abs=1e-6)


def test_labels_that_never_occur_count_for_nothing() -> None:
    one = objective("labels", 3)
    target = torch.tensor([[1.0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0, 1]])
    logits = torch.tensor([[2.0, -1, -1], [1, -1, -1], [3, -1, -1], [-1, -1, -1]])
    found = measured([(one, logits, target)]).values
    assert found["precision"] == pytest.approx((2 / 3 + 0) / 2)
    assert found["recall"] == pytest.approx((1 + 0) / 2)
    assert found["accuracy"] == pytest.approx(10 / 12)
    assert found["auc"] == pytest.approx((1 + 0.5) / 2)


def test_what_a_split_does_not_define_has_no_figure() -> None:
    one = objective("class", 1, "accuracy", "f1", "auc")
    found = measured([(one, -torch.ones(5, 1), torch.zeros(5, dtype=torch.int64))])
    assert found.values == {"loss": pytest.approx(math.log(1 + math.exp(-1))), "accuracy": 1}
    assert found.undefined == {"auc": UNDEFINED["auc"], "f1": UNDEFINED["f1"]}
    assert found.figure("accuracy") == 1
    with pytest.raises(NetspecError, match="does not define auc: there is no curve") as raised:
        found.figure("auc")
    assert raised.value.exit == Exit.DATA
    with pytest.raises(KeyError):
        found.figure("miou")
    mask = objective("mask", 3)
    nothing = measured([(mask, torch.zeros(2, 3, 3, 4), torch.full((2, 3, 4), 255, dtype=torch.uint8))])
    assert nothing.values == {"loss": 0}
    assert set(nothing.undefined) == {"accuracy", "miou", "dice"}


def test_intersection_over_union_and_dice_by_hand() -> None:
    table = torch.tensor([[6, 2, 0], [1, 3, 0], [0, 0, 0]])
    assert from_confusion("miou", table) == pytest.approx((6 / 9 + 3 / 6) / 2)
    assert from_confusion("dice", table) == pytest.approx((12 / 15 + 6 / 9) / 2)
    assert from_confusion("accuracy", table) == pytest.approx(9 / 12)


@pytest.mark.parametrize("one", ALL, ids=by_name)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), batch=st.integers(1, 40))
def test_batches_make_no_difference(one: Objective, seed: int, batch: int) -> None:
    """But for the rounding of the arithmetic itself, which in PyTorch depends on the size of a batch."""
    logits, target = answers(one, 37, seed)
    logits = logits.double()
    whole, parts = measured([(one, logits, target)], 37), measured([(one, logits, target)], batch)
    assert parts.values == pytest.approx(whole.values, rel=1e-12)
    assert parts.images == whole.images == 37
    assert [w.sample for w in parts.outputs["out"].worst] == [w.sample for w in whole.outputs["out"].worst]
    if one.kind != "number":
        ours, other = parts.outputs["out"].confusion, whole.outputs["out"].confusion
        assert ours is not None
        assert other is not None
        assert torch.equal(ours, other)


@pytest.mark.parametrize("one", ALL, ids=by_name)
def test_sums_of_a_training_are_those_of_a_measurement(one: Objective) -> None:
    logits, target = answers(one, 30, 4)
    target = target.where(target != 255, 0) if one.kind == "mask" else target
    sums = instant(one)
    assert set(sums) == {metric.name for metric in one.metrics} & WHILE_TRAINING
    found = measured([(one, logits, target)]).values
    for name, total in sums.items():
        assert float(total(logits, target)) / 30 == pytest.approx(found[name], rel=1e-5)


@pytest.mark.parametrize("one", ALL, ids=by_name)
def test_no_sum_of_a_training_reads_what_is_on_the_device(one: Objective) -> None:
    logits, target = (t.to("meta") for t in answers(one, 8, 0))
    assert all(total(logits, target).shape == () for total in instant(one).values())


def test_accuracy_of_masks_while_training_is_a_mean_over_pictures() -> None:
    one = objective("mask", 1, "accuracy")
    target = torch.full((2, 3, 4), 255, dtype=torch.uint8)
    target[0, 0, :2], target[1] = 1, 0
    logits = torch.ones(2, 1, 3, 4)
    logits[1, 0, 0] = -1
    assert float(instant(one)["accuracy"](logits, target)) == pytest.approx(1 + 4 / 12)
    assert measured([(one, logits, target)]).values["accuracy"] == pytest.approx(6 / 14)


def test_figures_of_several_outputs() -> None:
    age, sort = objective("number", 1, "mae", name="age", weight=0.1), objective("class", 3, "accuracy", "f1", name="sort", weight=2.0)
    parts = [(age, *answers(age, 20, 0)), (sort, *answers(sort, 20, 1))]
    found = measured(parts)
    assert list(found.values) == ["loss", "age.loss", "age.mae", "sort.loss", "sort.accuracy", "sort.f1"]
    assert found.values["loss"] == pytest.approx(0.1 * found.values["age.loss"] + 2 * found.values["sort.loss"])
    alone = measured(parts[1:]).values
    assert {name: found.values[f"sort.{name}"] for name in ("loss", "accuracy", "f1")} == alone | {"loss": alone["loss"] / 2}
    assert found.figures().values == found.values
    assert found.figures().images == 20
    figures = found.by_output({"sort target": ("ant", "bee", "cat")})
    assert figures["age"].model_dump() == {"kind": "number", "classes": (), "confusion": ()}
    table = theirs.confusion_matrix(parts[1][2], parts[1][1].argmax(1))
    assert figures["sort"].confusion == tuple(tuple(row) for row in table.tolist())
    assert [(c.label, c.images, c.correct) for c in figures["sort"].classes] == [
        (label, int(table[i].sum()), int(table[i, i])) for i, label in enumerate(("ant", "bee", "cat"))
    ]


def test_figures_of_labels_and_of_masks() -> None:
    labels, mask = objective("labels", 2, name="tags"), objective("mask", 1, name="mask")
    target = torch.tensor([[1.0, 0], [1, 0], [0, 0]])
    logits = torch.tensor([[1.0, -1], [-1, 1], [-1, -1]])
    pixels = torch.zeros(3, 3, 4, dtype=torch.uint8)
    pixels[0, 0] = 1
    pixels[0, 1] = 255
    found = measured([(labels, logits, target), (mask, torch.ones(3, 1, 3, 4), pixels)], 2)
    figures = found.by_output({"tags target": ("red", "round"), "mask target": ("ground", "cell")})
    assert [(c.label, c.images, c.correct, c.accuracy) for c in figures["tags"].classes] == [("red", 2, 1, 0.5), ("round", 0, 0, None)]
    assert figures["tags"].confusion == ()
    table = found.outputs["tags"].confusion
    assert table is not None
    assert table.tolist() == theirs.multilabel_confusion_matrix(target, logits > 0).tolist()
    assert figures["mask"].confusion == ((0, 28), (0, 4))
    assert [(c.label, c.images, c.correct) for c in figures["mask"].classes] == [("ground", 28, 0), ("cell", 4, 4)]


@pytest.mark.parametrize("one", [ALL[0], ALL[1], ALL[2], ALL[3]], ids=by_name)
def test_the_worst_mistakes_by_hand(one: Objective) -> None:
    logits, target = answers(one, 300, 3)
    losses, said = plain_loss(one)(logits, target), decided(one, logits)
    wrong = [i for i in range(300) if said[i] != target[i]]
    expected = sorted(wrong, key=lambda i: -float(losses[i]))[:KEPT]
    found = measured([(one, logits, target)], 32).outputs["out"].worst
    assert len(wrong) > KEPT
    assert [w.sample for w in found] == expected
    assert [w.loss for w in found] == pytest.approx(losses[expected].tolist())
    assert [(w.true, w.taken) for w in found] == [(int(target[i]), int(said[i])) for i in expected]
    if one.loss.name == "contrastive":
        assert {w.probability for w in found} == {None}
    elif one.binary:
        sure = logits.sigmoid()[:, 0]
        assert [w.probability for w in found] == pytest.approx([float(sure[i] if said[i] else 1 - sure[i]) for i in expected], abs=1e-6)
    else:
        assert [w.probability for w in found] == pytest.approx([float(logits.softmax(1)[i, said[i]]) for i in expected])


def test_the_worst_of_equals_are_the_first() -> None:
    one = objective("class", 2, "accuracy")
    found = measured([(one, torch.tensor([[1.0, 0.0]] * 40), torch.ones(40, dtype=torch.int64))], 16).outputs["out"].worst
    assert [w.sample for w in found] == list(range(KEPT))
    right = measured([(one, torch.tensor([[1.0, 0.0]] * 40), torch.zeros(40, dtype=torch.int64))], 16)
    assert right.outputs["out"].worst == ()


def test_the_worst_masks_and_none_of_numbers() -> None:
    one = objective("mask", 3)
    logits, target = answers(one, 50, 2)
    losses = plain_loss(one)(logits, target)
    found = measured([(one, logits, target)], 8).outputs["out"].worst
    assert [w.sample for w in found] == losses.argsort(descending=True)[:KEPT].tolist()
    assert {(w.true, w.taken, w.probability) for w in found} == {(None, None, None)}
    number = objective("number", 2)
    assert measured([(number, *answers(number, 9, 0))]).outputs["out"].worst == ()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("one", ALL, ids=by_name)
def test_an_answer_that_is_not_finite_names_its_sample(one: Objective, value: float) -> None:
    logits, target = answers(one, 20, 0)
    logits[13].flatten()[-1] = value
    with pytest.raises(NetspecError, match="the net's answer to picture 13 is not finite"):
        measured([(one, logits, target)], 4)


def test_who_waits_is_asked_after_each_batch() -> None:
    one = objective("number", 1)
    samples, score = split([(one, *answers(one, 10, 0))])
    asked: list[int] = []
    measure(score, samples, [one], 4, lambda: asked.append(1))
    assert len(asked) == 3


def test_nothing_is_decided_of_numbers() -> None:
    with pytest.raises(ValueError, match="out gives numbers"):
        decided(objective("number", 2), torch.zeros(3, 2))


def test_distances_below_half_the_margin_are_of_one_class() -> None:
    one = objective("class", 1, loss="contrastive")
    assert decided(one, torch.tensor([[0.2], [0.49], [0.5], [3.0]])).tolist() == [1, 1, 0, 0]
    squashed = objective("class", 1, loss="contrastive", ending="sigmoid")
    assert decided(squashed, torch.tensor([[-0.1], [0.1]])).tolist() == [1, 0]


def test_scikit_learn_is_loaded_where_a_metric_needs_it() -> None:
    code = (
        "import sys, torch; from netspec.training.measuring.metrics import from_confusion, auc; import netspec.training.measuring.measure\n"
        "from_confusion('miou', torch.ones(2, 2, dtype=torch.int64)); print('sklearn' in sys.modules)\n"
        "from_confusion('f1', torch.ones(2, 2, dtype=torch.int64)); print('sklearn' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "True"]
