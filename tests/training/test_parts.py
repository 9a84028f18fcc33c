"""The small parts of training by themselves."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from netspec.data.images import MemoryImages
from netspec.diagnostics import NetspecError
from netspec.report.models import NamedSettings
from netspec.sections import KEEPS, LOSSES, OPTIMIZERS, PLANNED, PLANNED_BLOCKS, SCHEDULES, SECTIONS, STOPS, choice
from netspec.setting_kinds import Betas
from netspec.signature import signature_of
from netspec.training.batches import batch_bounds, epoch_order
from netspec.training.losses import make_loss
from netspec.training.measure import measure
from netspec.training.optimise import make_optimizer
from netspec.training.schedules import learning_rate


def settings(declaration: object) -> NamedSettings:
    chosen = choice(declaration)  # type: ignore[arg-type]
    return NamedSettings(name=chosen.name, settings=chosen.settings)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_defaults_are_pytorch_s(name: str) -> None:
    ours = make_optimizer(settings(OPTIMIZERS[name]), [nn.Parameter(torch.zeros(2))])
    theirs = type(ours)([nn.Parameter(torch.zeros(2))])
    assert ours.defaults == theirs.defaults


DECLARED = [f for table in (OPTIMIZERS, LOSSES, SCHEDULES, KEEPS, STOPS, SECTIONS) for f in table.values()]


@pytest.mark.parametrize("declared", DECLARED)
def test_every_setting_is_documented(declared: object) -> None:
    text = declared.__doc__ or ""
    for parameter in signature_of(declared).parameters:  # type: ignore[arg-type]
        assert f"- `{parameter.name}`:" in text, f"{parameter.name} of {declared}"
        if parameter.default is not None and not parameter.required:
            assert parameter.kind.accept(parameter.default) == parameter.default


def test_what_is_planned_is_said_in_a_sentence() -> None:
    for section, keys in PLANNED.items():
        assert not set(keys) & set(signature_of(SECTIONS[section]).by_name)
    for sentence in [*PLANNED_BLOCKS.values(), *(s for keys in PLANNED.values() for s in keys.values())]:
        assert "not built yet" in sentence
        assert not sentence.endswith(".")


@pytest.mark.parametrize("value", [(0.9,), (0.9, 1.0), (-0.1, 0.9), 0.9, (0.9, "a")])
def test_betas_are_two_rates_below_one(value: object) -> None:
    with pytest.raises(ValueError):
        Betas().accept(value)


def test_cosine_rises_and_falls_to_nothing() -> None:
    chosen = NamedSettings(name="cosine", settings={"warmup": 0.1})
    rates = [learning_rate(chosen, 2.0, step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.2 * n for n in range(1, 11)])
    assert rates[10] == 2.0
    assert rates[55] == pytest.approx(1.0)
    assert rates[99] == pytest.approx(1 + math.cos(math.pi * 89 / 90))
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert learning_rate(NamedSettings(name="constant", settings={}), 0.3, 7, 10) == 0.3


@pytest.mark.parametrize(
    ("count", "batch", "expected"),
    [
        (10, 4, [(0, 4), (4, 8), (8, 10)]),
        (9, 4, [(0, 4), (4, 9)]),
        (4, 4, [(0, 4)]),
        (1, 4, [(0, 1)]),
        (3, 1, [(0, 1), (1, 2), (2, 3)]),
        (5, 2, [(0, 2), (2, 5)]),
    ],
)
def test_a_last_batch_of_one_joins_the_one_before(count: int, batch: int, expected: list[tuple[int, int]]) -> None:
    assert batch_bounds(count, batch) == expected


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    first = epoch_order(100, 0, 0)
    torch.manual_seed(5)
    assert torch.equal(epoch_order(100, 0, 0), first)
    assert sorted(first.tolist()) == list(range(100))
    assert not torch.equal(epoch_order(100, 0, 1), first)
    assert not torch.equal(epoch_order(100, 1, 0), first)


def pictures(values: list[int], labels: list[int]) -> MemoryImages:
    pixels = torch.tensor(values, dtype=torch.uint8)[:, None, None, None]
    return MemoryImages(pixels, torch.tensor(labels), lambda i: f"picture {i}")


def test_measures_by_hand() -> None:
    images = pictures([0, 0, 1, 1, 1], [0, 0, 1, 0, 1])
    score = lambda x: torch.stack([1.0 - x.flatten().float(), x.flatten().float()], 1)  # noqa: E731
    found = measure(score, images, 2, 2)
    assert found.confusion.tolist() == [[2, 1], [0, 2]]
    assert found.accuracy == 0.8
    right, wrong = math.log(1 + math.exp(-1)), math.log(1 + math.exp(1))
    assert found.loss == pytest.approx((4 * right + wrong) / 5)
    by_class = found.by_class(("a", "b"))
    assert [(c.label, c.images, c.correct) for c in by_class] == [("a", 3, 2), ("b", 2, 2)]
    one_output = measure(lambda x: 2 * x.flatten(1).float() - 1, images, 2, 2)
    assert one_output.confusion.tolist() == found.confusion.tolist()
    assert one_output.loss == pytest.approx(found.loss)


def test_an_answer_that_is_not_finite_names_the_image() -> None:
    images = pictures([0, 0, 1], [0, 1, 1])
    with pytest.raises(NetspecError, match="the net's answer to picture 2 is not finite"):
        measure(lambda x: torch.where(x > 0, torch.nan, 1.0).flatten(1).expand(-1, 2), images, 2, 8)


def test_losses_are_on_logits() -> None:
    logits, labels = torch.tensor([[2.0], [-1.0]]), torch.tensor([1, 0])
    found = make_loss(settings(LOSSES["binary_cross_entropy"]))(logits, labels)
    assert float(found) == pytest.approx((math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1))) / 2)
    smooth = make_loss(NamedSettings(name="cross_entropy", settings={"label_smoothing": 0.1}))
    two = torch.tensor([[1.0, -1.0]])
    assert float(smooth(two, torch.tensor([0]))) == pytest.approx(0.95 * math.log(1 + math.exp(-2)) + 0.05 * math.log(1 + math.exp(2)))
