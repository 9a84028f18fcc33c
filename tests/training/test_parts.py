"""The small parts of training by themselves."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from netspec.report.models import NamedSettings
from netspec.sections import INPUTS, KEEPS, LOSSES, METRICS, OPTIMIZERS, SCHEDULES, SECTIONS, STOPS, TARGETS, choice
from netspec.setting_kinds import Betas
from netspec.signature import signature_of
from netspec.training.batches import batch_bounds, epoch_order
from netspec.training.learning.optimise import Group, make_optimizer
from netspec.training.learning.schedules import learning_rate


def settings(declaration: object) -> NamedSettings:
    chosen = choice(declaration)  # type: ignore[arg-type]
    return NamedSettings(name=chosen.name, settings=chosen.settings)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_defaults_are_pytorch_s(name: str) -> None:
    ours = make_optimizer(settings(OPTIMIZERS[name]), {Group(): [nn.Parameter(torch.zeros(2))]})
    theirs = type(ours)([nn.Parameter(torch.zeros(2))])
    assert ours.defaults == theirs.defaults


DECLARED = [f for table in (OPTIMIZERS, LOSSES, METRICS, SCHEDULES, KEEPS, STOPS, TARGETS, INPUTS, SECTIONS) for f in table.values()]


@pytest.mark.parametrize("declared", DECLARED)
def test_every_setting_is_documented(declared: object) -> None:
    text = declared.__doc__ or ""
    for parameter in signature_of(declared).parameters:  # type: ignore[arg-type]
        assert f"- `{parameter.name}`:" in text, f"{parameter.name} of {declared}"
        if parameter.default is not None and not parameter.required:
            assert parameter.kind.accept(parameter.default) == parameter.default


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
