"""Learning rates against PyTorch's own schedulers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from netspec.report.models import EpochRow, NamedSettings
from netspec.sections import SCHEDULES
from netspec.signature import signature_of
from netspec.training.learning.schedules import learning_rate
from netspec.training.learning.watching import Watch, after_epoch, after_plateau

EPOCHS, PER_EPOCH, LR = 20, 7, 0.3
STEPS = EPOCHS * PER_EPOCH


def schedule(name: str, **settings: Any) -> NamedSettings:
    defaults = {p.name: p.default for p in signature_of(SCHEDULES[name]).parameters}
    return NamedSettings(name=name, settings=defaults | settings)


def ours(chosen: NamedSettings) -> list[float]:
    return [learning_rate(chosen, LR, step, STEPS, PER_EPOCH) for step in range(STEPS)]


def theirs(make: Any, by_epoch: bool = False) -> Iterator[float]:
    """What a scheduler of PyTorch sets for each step; ``by_epoch`` is stepped once in each."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=LR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = make(optimizer)
        for step in range(STEPS):
            yield optimizer.param_groups[0]["lr"]
            if not by_epoch or (step + 1) % PER_EPOCH == 0:
                scheduler.step()


@pytest.mark.parametrize(
    ("chosen", "make", "by_epoch"),
    [
        (schedule("constant"), lambda o: lr_scheduler.ConstantLR(o, 1.0), False),
        (schedule("step", every=3, factor=0.5), lambda o: lr_scheduler.StepLR(o, 3, 0.5), True),
        (schedule("multistep", at=[2, 5, 11], factor=0.2), lambda o: lr_scheduler.MultiStepLR(o, [2, 5, 11], 0.2), True),
        (schedule("cosine"), lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS), False),
        (schedule("cosine", floor=0.1), lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.1 * LR), False),
        (schedule("polynomial", power=0.9), lambda o: lr_scheduler.PolynomialLR(o, STEPS, 0.9), False),
        (schedule("polynomial", power=2.0), lambda o: lr_scheduler.PolynomialLR(o, STEPS, 2.0), False),
        (schedule("one_cycle"), lambda o: lr_scheduler.OneCycleLR(o, LR, total_steps=STEPS, cycle_momentum=False), False),
        (
            schedule("one_cycle", warmup=0.1, start=10.0, end=100.0),
            lambda o: lr_scheduler.OneCycleLR(
                o, LR, total_steps=STEPS, pct_start=0.1, div_factor=10, final_div_factor=100, cycle_momentum=False
            ),
            False,
        ),
        (
            schedule("constant", warmup=0.1),
            lambda o: lr_scheduler.LinearLR(o, start_factor=1 / 14, total_iters=13),
            False,
        ),
        (
            schedule("cosine", warmup=0.1),
            lambda o: lr_scheduler.SequentialLR(
                o,
                [lr_scheduler.LinearLR(o, start_factor=1 / 14, total_iters=13), lr_scheduler.CosineAnnealingLR(o, STEPS - 14)],
                [14],
            ),
            False,
        ),
    ],
    ids=lambda v: v.name if isinstance(v, NamedSettings) else "",
)
def test_rates_are_pytorch_s(chosen: NamedSettings, make: Any, by_epoch: bool) -> None:
    assert ours(chosen) == pytest.approx(list(theirs(make, by_epoch)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", ["step", "multistep", "polynomial", "cosine", "constant", "plateau"])
def test_warm_up_rises_in_a_straight_line(name: str) -> None:
    settings = {"at": [10]} if name == "multistep" else {}
    rates = ours(schedule(name, warmup=0.1, **settings))
    assert rates[:14] == pytest.approx([LR * n / 14 for n in range(1, 15)])
    assert rates[14] == pytest.approx(LR)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
@pytest.mark.parametrize("steps", [1, 2, 3, 5])
@pytest.mark.parametrize("warmup", [0.0, 0.3, 1.0])
def test_short_trainings_have_rates(name: str, steps: int, warmup: float) -> None:
    settings = {"at": [1]} if name == "multistep" else {}
    for step in range(steps):
        assert 0 <= learning_rate(schedule(name, warmup=warmup, **settings), LR, step, steps, 1) <= LR * (1 + 1e-12)


def row(loss: float, accuracy: float = 0.5) -> EpochRow:
    figures = {"loss": loss, "accuracy": accuracy}
    return EpochRow(epoch=1, train=figures, val=figures, lr=0.1, seconds=1, images_per_second=1)


@pytest.mark.parametrize(("monitor", "mode"), [("val.loss", "min"), ("train.accuracy", "max")])
@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize("seed", range(5))
def test_a_plateau_is_pytorch_s(monitor: str, mode: Any, patience: int, seed: int) -> None:
    figures = (0.5 + 0.2 * torch.rand(60, generator=torch.Generator().manual_seed(seed))).tolist()
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=LR)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, mode=mode, factor=0.9, patience=patience)
    chosen, watch = schedule("plateau", factor=0.9, patience=patience, monitor=monitor), Watch()
    for figure in figures:
        scheduler.step(figure)
        watch = after_plateau(watch, chosen, row(figure, figure))
        assert learning_rate(chosen, LR, 0, 1, 1, watch.factor) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
    assert watch.factor < 1


def test_patience_is_counted_from_the_best() -> None:
    stop = NamedSettings(name="stop", settings={"monitor": "val.loss", "patience": 2})
    watch, ends = Watch(), []
    for loss in (3.0, 2.0, 2.5, 1.9, 1.9, 2.0):
        watch, over = after_epoch(watch, stop, row(loss))
        ends.append(over)
    assert ends == [False, False, False, False, False, True]
    assert after_epoch(Watch(), None, row(1.0)) == (Watch(), False)
