"""What is said to go together does: every loss that fits an output is computed on it, with the target that it is said to have."""

from __future__ import annotations

import pytest
import torch

from netspec.graph import Ending
from netspec.objectives import FITTING, MEASURED, Objective, kind_of, loss_fits, losses_by_kind, losses_for, metric_fits
from netspec.sections import LOSSES, METRICS, choice
from netspec.shape import Shape
from netspec.training.measuring.losses import make_loss

SHAPES: tuple[Shape, ...] = ((1,), (2,), (7,), (1, 5, 6), (3, 5, 6))
OTHERS: tuple[Shape, ...] = ((), (3, 4), (2, 3, 4, 5))
ENDINGS: tuple[Ending | None, ...] = (None, "softmax", "sigmoid")


def target(objective: Objective, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    if objective.kind == "number":
        return torch.randn((count, *objective.shape), generator=generator)
    if objective.kind == "labels":
        return torch.randint(0, 2, (count, *objective.shape), generator=generator).float()
    size = (count, *objective.shape[1:]) if objective.kind == "mask" else (count,)
    found = torch.randint(0, objective.classes, size, generator=generator)
    return found.to(torch.uint8) if objective.kind == "mask" else found


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_that_fits_is_computed(loss: str, shape: Shape, ending: Ending | None) -> None:
    kind = kind_of(loss, shape)
    if not loss_fits(loss, shape, ending):
        return
    assert kind is not None
    objective = Objective("output", "label", kind, shape, choice(LOSSES[loss]), ending=ending)
    logits = torch.randn((4, *shape), generator=torch.Generator().manual_seed(1)).requires_grad_()
    found = make_loss(objective, None)(logits, target(objective, 4))
    assert found.shape == ()
    found.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())
    alone = ending == "softmax" and shape == (1,)
    assert bool(logits.grad.abs().sum() > 0) or alone, "what is said to be learned has a gradient; softmax of one number is always 1"


def test_pytorch_refuses_what_is_said_not_to_fit() -> None:
    """Cross entropy of one number is 0 for its only class, and no target of two classes can be given."""
    assert not loss_fits("cross_entropy", (1,), None)
    with pytest.raises((RuntimeError, IndexError)):
        torch.nn.functional.cross_entropy(torch.zeros(4, 1), torch.tensor([0, 1, 0, 1]))


@pytest.mark.parametrize("shape", OTHERS, ids=str)
def test_no_loss_goes_with_other_shapes(shape: Shape) -> None:
    assert losses_for(shape, None) == ()


def test_the_table_of_the_documentation() -> None:
    assert {shape: losses_by_kind(shape, None) for shape in SHAPES} == {
        (1,): {"class": ("binary_cross_entropy", "focal"), "number": ("mae", "mse", "huber")},
        (2,): {"class": ("cross_entropy", "focal"), "labels": ("binary_cross_entropy",), "number": ("mae", "mse", "huber")},
        (7,): {"class": ("cross_entropy", "focal"), "labels": ("binary_cross_entropy",), "number": ("mae", "mse", "huber")},
        (1, 5, 6): {"mask": ("binary_cross_entropy", "focal", "dice")},
        (3, 5, 6): {"mask": ("cross_entropy", "focal", "dice")},
    }


def test_every_metric_goes_with_something_and_the_usual_ones_fit() -> None:
    assert {name for names in FITTING.values() for name in names} == set(METRICS)
    for kind, names in MEASURED.items():
        assert all(metric_fits(choice(METRICS[name]), kind, 2) for name in names)
    top = choice(METRICS["top_k"])
    assert [metric_fits(top, "class", classes) for classes in (2, 5, 6)] == [False, False, True]
