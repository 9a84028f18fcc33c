"""Losses: each against PyTorch's, or against its formula written out, and what all of them promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from netspec.augment import Mixed, mixed_loss
from netspec.graph import Ending
from netspec.objectives import Kind, Objective
from netspec.sections import LOSSES
from netspec.signature import signature_of
from netspec.training.measuring.losses import balanced, make_loss, needs_targets, plain_loss
from netspec.values import Choice

SIZE = (4, 5)
"""Height and width of the masks here."""


def objective(kind: Kind, outputs: int, loss: str, ending: Ending | None = None, **set_: Any) -> Objective:
    """An objective with a loss of the language, with its defaults and what is set beside them."""
    defaults = {p.name: p.default for p in signature_of(LOSSES[loss]).parameters}
    assert set_.keys() <= defaults.keys()
    shape = (outputs, *SIZE) if kind == "mask" else (outputs,)
    return Objective("out", "out", kind, shape, Choice(loss, defaults | set_), ending=ending)


ALL = [
    objective("class", 4, "cross_entropy"),
    objective("class", 4, "cross_entropy", label_smoothing=0.1, weight=(1.0, 2.0, 0.5, 3.0)),
    objective("class", 1, "binary_cross_entropy", weight=3.0),
    objective("class", 4, "focal", weight=(1.0, 2.0, 0.5, 3.0)),
    objective("class", 1, "focal"),
    objective("class", 1, "contrastive", margin=0.7),
    objective("class", 1, "contrastive", ending="sigmoid"),
    objective("labels", 3, "binary_cross_entropy", weight=2.0),
    objective("number", 2, "mae"),
    objective("number", 2, "mse", ending="sigmoid"),
    objective("number", 3, "mse", ending="softmax"),
    objective("number", 1, "huber", delta=0.3),
    objective("mask", 3, "cross_entropy", label_smoothing=0.2, weight=(1.0, 2.0, 0.5)),
    objective("mask", 1, "binary_cross_entropy", weight=2.0),
    objective("mask", 3, "focal"),
    objective("mask", 1, "focal", weight=(1.0, 4.0)),
    objective("mask", 3, "dice"),
    objective("mask", 1, "dice", smooth=0.0, cross_entropy=0.5),
]


def by_name(one: Objective) -> str:
    return "-".join([one.loss.name, one.kind, str(one.shape[0]), one.ending or ""])


def some(one: Objective, count: int = 12, seed: int = 0, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Logits, and targets of the objective's kind; of masks a quarter of the pixels do not count."""
    chance = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, *one.shape, generator=chance, dtype=dtype) * 2
    if one.kind == "number":
        return logits, torch.randn(count, one.shape[0], generator=chance)
    if one.kind == "labels":
        return logits, torch.randint(0, 2, (count, one.shape[0]), generator=chance).float()
    if one.kind == "class":
        return logits, torch.randint(0, one.classes, (count,), generator=chance)
    masks = torch.randint(0, one.classes, (count, *SIZE), generator=chance, dtype=torch.uint8)
    return logits, masks.masked_fill(torch.rand(masks.shape, generator=chance) < 0.25, 255)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weight", [None, (1.0, 2.0, 5.0)])
@pytest.mark.parametrize("kind", ["class", "mask"])
def test_cross_entropy_is_pytorch_s(kind: Kind, weight: tuple[float, ...] | None, smoothing: float) -> None:
    one = objective(kind, 3, "cross_entropy", label_smoothing=smoothing, weight=weight)
    logits, target = some(one)
    theirs = nn.CrossEntropyLoss(torch.tensor(weight) if weight else None, ignore_index=255, label_smoothing=smoothing)
    torch.testing.assert_close(make_loss(one)(logits, target), theirs(logits, target.long()))


@pytest.mark.parametrize("weight", [1.0, 99.0])
def test_binary_cross_entropy_is_pytorch_s(weight: float) -> None:
    theirs = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight))
    one = objective("class", 1, "binary_cross_entropy", weight=weight)
    logits, target = some(one)
    torch.testing.assert_close(make_loss(one)(logits, target), theirs(logits[:, 0], target.float()))
    one = objective("labels", 5, "binary_cross_entropy", weight=weight)
    logits, target = some(one)
    torch.testing.assert_close(make_loss(one)(logits, target), theirs(logits, target))
    one = objective("mask", 1, "binary_cross_entropy", weight=weight)
    logits, target = some(one)
    counted = target != 255
    torch.testing.assert_close(make_loss(one)(logits, target), theirs(logits[:, 0][counted], target[counted].float()))


@pytest.mark.parametrize(("name", "theirs"), [("mae", nn.L1Loss()), ("mse", nn.MSELoss()), ("huber", nn.HuberLoss(delta=0.3))])
@pytest.mark.parametrize("ending", [None, "sigmoid", "softmax"])
def test_losses_of_numbers_are_pytorch_s(name: str, theirs: nn.Module, ending: Ending | None) -> None:
    one = objective("number", 4, name, ending, **({"delta": 0.3} if name == "huber" else {}))
    logits, target = some(one)
    given = {None: logits, "sigmoid": logits.sigmoid(), "softmax": logits.softmax(1)}[ending]
    torch.testing.assert_close(make_loss(one)(logits, target), theirs(given, target))


def test_contrastive_loss_by_its_formula() -> None:
    one = objective("class", 1, "contrastive", margin=2.0)
    distances, same = torch.tensor([[0.5], [0.5], [3.0], [3.0]]), torch.tensor([1, 0, 1, 0])
    each = [0.5**2 / 2, (2 - 0.5) ** 2 / 2, 3**2 / 2, 0.0]
    assert plain_loss(one)(distances, same).tolist() == pytest.approx(each)
    assert float(make_loss(one)(distances, same)) == pytest.approx(sum(each) / 4)


@pytest.mark.parametrize("one", [o for o in ALL if o.loss.name == "focal"], ids=by_name)
def test_focal_loss_by_its_formula(one: Objective) -> None:
    logits, target = some(one, dtype=torch.float64)
    flat = logits.movedim(1, -1).reshape(-1, one.shape[0])
    flat = torch.cat([torch.zeros_like(flat), flat], 1) if one.binary else flat
    total = weights = 0.0
    for row, label in zip(flat.numpy(), target.flatten().tolist(), strict=True):
        if one.kind == "mask" and label == 255:
            continue
        p = np.exp(row[label]) / np.exp(row).sum()
        weight = one.loss.settings["weight"][label] if one.loss.settings["weight"] else 1.0
        total, weights = total - weight * (1 - p) ** 2 * np.log(p), weights + weight
    assert float(make_loss(one)(logits, target)) == pytest.approx(total / weights)


@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("kind", ["class", "mask"])
def test_focal_loss_without_focus_is_cross_entropy(kind: Kind, outputs: int) -> None:
    one = objective(kind, outputs, "focal", gamma=0.0)
    logits, target = some(one)
    plain = objective(kind, outputs, "binary_cross_entropy" if outputs == 1 else "cross_entropy")
    torch.testing.assert_close(make_loss(one)(logits, target), make_loss(plain)(logits, target))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("outputs", [1, 2])
def test_focal_loss_of_what_is_sure_has_a_slope(gamma: float, outputs: int) -> None:
    logits = torch.full((3, outputs), 1000.0)
    logits[:, : outputs - 1] = -1000.0
    logits.requires_grad_()
    make_loss(objective("class", outputs, "focal", gamma=gamma))(logits, torch.tensor([1, 1, 0])).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("one", [o for o in ALL if o.loss.name == "dice"], ids=by_name)
def test_dice_by_its_formula(one: Objective) -> None:
    logits, target = some(one, dtype=torch.float64)
    smooth, added = one.loss.settings["smooth"], one.loss.settings["cross_entropy"]
    counted = (target != 255).numpy()
    given = (logits.sigmoid() if one.binary else logits.softmax(1)).numpy()
    overlaps = []
    for place, label in enumerate([1] if one.binary else range(3)):
        p, g = given[:, place][counted], (target == label).numpy()[counted]
        overlaps.append((2 * (p * g).sum() + smooth) / ((p**2).sum() + (g**2).sum() + smooth))
    entropy = make_loss(objective("mask", one.shape[0], "binary_cross_entropy" if one.binary else "cross_entropy"))(logits, target)
    assert float(make_loss(one)(logits, target)) == pytest.approx(1 - np.mean(overlaps) + added * float(entropy))


def test_dice_of_a_perfect_and_of_an_empty_mask() -> None:
    one = objective("mask", 1, "dice")
    target = torch.zeros(2, *SIZE, dtype=torch.uint8)
    target[0, 1:3] = 1
    perfect = (target.float()[:, None] - 0.5) * 200
    assert float(make_loss(one)(perfect, target)) == pytest.approx(0)
    assert plain_loss(one)(perfect, target).tolist() == pytest.approx([0, 0])
    assert float(make_loss(objective("mask", 1, "dice", smooth=0.0))(-1000 * torch.ones(2, 1, *SIZE), target * 0)) == 1


def test_dice_of_each_sample_is_that_of_a_batch_of_one() -> None:
    for one in (o for o in ALL if o.loss.name == "dice"):
        logits, target = some(one)
        alone = torch.stack([make_loss(one)(logits[i : i + 1], target[i : i + 1]) for i in range(len(logits))])
        torch.testing.assert_close(plain_loss(one)(logits, target), alone)


PLAIN: list[tuple[Objective, Callable[[Tensor, Tensor], Tensor]]] = [
    (ALL[1], lambda z, t: functional.cross_entropy(z, t, reduction="none")),
    (ALL[3], lambda z, t: functional.cross_entropy(z, t, reduction="none")),
    (ALL[2], lambda z, t: functional.binary_cross_entropy_with_logits(z[:, 0], t.float(), reduction="none")),
    (ALL[4], lambda z, t: functional.binary_cross_entropy_with_logits(z[:, 0], t.float(), reduction="none")),
    (ALL[7], lambda z, t: functional.binary_cross_entropy_with_logits(z, t, reduction="none").mean(1)),
    (ALL[8], lambda z, t: (z - t).abs().mean(1)),
    (ALL[9], lambda z, t: ((z.sigmoid() - t) ** 2).mean(1)),
    (ALL[11], lambda z, t: functional.huber_loss(z, t, delta=0.3, reduction="none").mean(1)),
    (ALL[12], lambda z, t: torch.stack([functional.cross_entropy(a[None], b[None].long(), ignore_index=255) for a, b in zip(z, t)])),
    (ALL[14], lambda z, t: torch.stack([functional.cross_entropy(a[None], b[None].long(), ignore_index=255) for a, b in zip(z, t)])),
]


@pytest.mark.parametrize(("one", "theirs"), PLAIN, ids=lambda value: by_name(value) if isinstance(value, Objective) else "")
def test_what_is_reported_is_without_weights_smoothing_and_focus(one: Objective, theirs: Callable[[Tensor, Tensor], Tensor]) -> None:
    logits, target = some(one)
    torch.testing.assert_close(plain_loss(one)(logits, target), theirs(logits, target))


@pytest.mark.parametrize("one", ALL, ids=by_name)
def test_gradients_are_those_of_small_differences(one: Objective) -> None:
    logits, target = some(one, count=3, seed=1, dtype=torch.float64)
    loss = make_loss(one)
    assert torch.autograd.gradcheck(lambda z: loss(z, target), logits.requires_grad_())  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("one", ALL, ids=by_name)
def test_no_loss_reads_what_is_on_the_device(one: Objective) -> None:
    """Tensors of the device `meta` have no values: whoever asked for one, as a host does that waits for its device, would fail."""
    logits, target = (t.to("meta") for t in some(one))
    assert make_loss(one)(logits.requires_grad_(), target).shape == ()
    assert plain_loss(one)(logits, target).shape == (len(logits),)


@pytest.mark.parametrize("one", [o for o in ALL if o.kind == "mask"], ids=by_name)
def test_pixels_that_do_not_count_change_nothing(one: Objective) -> None:
    logits, target = some(one)
    other = torch.where((target == 255)[:, None], torch.full_like(logits, 7.0), logits).requires_grad_()
    loss = make_loss(one)(other, target)
    torch.testing.assert_close(loss, make_loss(one)(logits, target))
    torch.testing.assert_close(plain_loss(one)(other, target), plain_loss(one)(logits, target))
    loss.backward()  # type: ignore[no-untyped-call]
    assert other.grad is not None
    assert not other.grad.masked_select((target == 255)[:, None].expand_as(other)).any()


@pytest.mark.parametrize("one", [o for o in ALL if o.kind == "mask" and o.loss.name != "dice"], ids=by_name)
def test_masks_without_a_pixel_that_counts_lose_nothing(one: Objective) -> None:
    logits, target = some(one)
    logits.requires_grad_()
    loss = make_loss(one)(logits, torch.full_like(target, 255))
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 0
    assert not plain_loss(one)(logits, torch.full_like(target, 255)).any()
    assert logits.grad is not None
    assert not logits.grad.any()


def test_balanced_weights() -> None:
    labels = torch.tensor([0] * 6 + [1] * 2 + [2])
    assert balanced(labels, 3) == pytest.approx([9 / 18, 9 / 6, 9 / 3])
    assert balanced(labels, 4)[3] == 1
    assert balanced(torch.tensor([300, 300, 1]), 301)[300] == pytest.approx(3 / 602)
    masks = torch.tensor([[[0, 0, 0], [1, 255, 2]]] * 300, dtype=torch.uint8)
    assert balanced(masks, 3) == pytest.approx([5 / 9, 5 / 3, 5 / 3])


@pytest.mark.parametrize("name", ["cross_entropy", "focal"])
@pytest.mark.parametrize("kind", ["class", "mask"])
def test_balanced_losses_are_those_with_the_weights(kind: Kind, name: str) -> None:
    one = objective(kind, 3, name, weight="balanced")
    logits, target = some(one)
    by_hand = objective(kind, 3, name, weight=tuple(balanced(target, 3)))
    assert needs_targets(one)
    assert not needs_targets(by_hand)
    assert torch.equal(make_loss(one, target)(logits, target), make_loss(by_hand)(logits, target))


def test_balanced_weight_of_the_second_class_and_of_labels() -> None:
    one = objective("class", 1, "binary_cross_entropy", weight="balanced")
    two, logits = torch.tensor([0, 0, 0, 1]), torch.randn(4, 1)
    three = make_loss(objective("class", 1, "binary_cross_entropy", weight=3.0))
    torch.testing.assert_close(make_loss(one, two)(logits, two), three(logits, two))
    torch.testing.assert_close(make_loss(one, two * 0)(logits, two), nn.BCEWithLogitsLoss()(logits[:, 0], two.float()))
    masks = torch.tensor([[[0, 0, 0, 1], [0, 0, 1, 255]]], dtype=torch.uint8)
    one, plain = (objective("mask", 1, "binary_cross_entropy", weight=w) for w in ("balanced", 2.5))
    torch.testing.assert_close(make_loss(one, masks)(torch.ones(1, 1, 2, 4), masks), make_loss(plain)(torch.ones(1, 1, 2, 4), masks))
    labels, logits = torch.tensor([[0.0, 1, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]]), torch.randn(4, 3)
    theirs = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([3, 1 / 3, 1]))
    torch.testing.assert_close(
        make_loss(objective("labels", 3, "binary_cross_entropy", weight="balanced"), labels)(logits, labels), theirs(logits, labels)
    )


@settings(max_examples=30, deadline=None)
@given(weight=st.floats(0, 1), seed=st.integers(0, 1000), smoothing=st.sampled_from([0.0, 0.3]))
def test_a_mixed_loss_is_that_of_the_mixed_labels(weight: float, seed: int, smoothing: float) -> None:
    """Exactly so for losses that are linear in the labels: PyTorch computes them of probabilities too."""
    for kind, outputs in (("class", 4), ("mask", 4)):
        one = objective(kind, outputs, "cross_entropy", label_smoothing=smoothing)  # type: ignore[arg-type]
        logits, target = some(one, seed=seed, dtype=torch.float64)
        target = target.where(target != 255, 0)
        partners = torch.randperm(len(target), generator=torch.Generator().manual_seed(seed))
        mixed = Mixed("mixup", target, target[partners], weight, partners)
        shares = weight * functional.one_hot(target.long(), 4) + (1 - weight) * functional.one_hot(target[partners].long(), 4)
        theirs = functional.cross_entropy(logits, shares.movedim(-1, 1).double(), label_smoothing=smoothing)
        torch.testing.assert_close(mixed_loss(make_loss(one), logits, mixed), theirs)
    one = objective("labels", 4, "binary_cross_entropy")
    logits, target = some(one, seed=seed, dtype=torch.float64)
    mixed = Mixed("mixup", target, target.flip(0), weight, torch.arange(len(target)).flip(0))
    theirs = functional.binary_cross_entropy_with_logits(logits, weight * target.double() + (1 - weight) * target.flip(0).double())
    torch.testing.assert_close(mixed_loss(make_loss(one), logits, mixed), theirs)
