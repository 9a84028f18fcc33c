"""What is predicted of a step's memory is what PyTorch's allocator sees in a real one, and the largest batch is the largest."""

from __future__ import annotations

import pytest
import torch

from netspec.frontier import frontier_of
from netspec.training.planning.memory import Simulation, largest_batch
from tests.plan.real import measured, step_of
from tests.plan.zoo import zoo

ZOO = {
    "mnist_convnet": 64,
    "lenet5": 64,
    "squeezenet": 4,
    "mobilenet_v2": 4,
    "resnet18": 4,
    "resnet50": 2,
    "densenet121": 2,
    "googlenet": 4,
    "efficientnet_b0": 4,
    "shufflenet_v2": 8,
    "transformer_encoder": 2,
    "unet": 1,
    "photo_and_table": 32,
}
TOLERANCE = 0.15
SMALL = "net A { image: input(3x16x16)\n a: conv(8, 3) -> bn -> relu -> b: conv(8, 3) -> relu -> flatten -> c: linear(10) }"


@pytest.mark.parametrize("name", ZOO)
def test_of_the_zoo(name: str) -> None:
    step = step_of(zoo(name, {"width": 16} if name == "unet" else None))
    predicted = Simulation(step).memory(ZOO[name]).peak
    assert predicted == pytest.approx(measured(step, ZOO[name]), rel=TOLERANCE)


@pytest.mark.parametrize(
    "changed",
    [
        {"optimizer": "adamw"},
        {"optimizer": "rmsprop", "ema": 0.99},
        {"optimizer": "adamw", "clip": 1.0, "accumulate": 3},
        {"frozen": ["conv1", "bn1", "layer1", "layer2"]},
        {"frozen": ["layer3"], "optimizer": "adamw"},
        {"precision": "bf16"},
        {"channels_last": False},
    ],
    ids=str,
)
def test_of_other_settings(changed: dict[str, object]) -> None:
    step = step_of(zoo("resnet18"), **changed)  # type: ignore[arg-type]
    predicted = Simulation(step).memory(4).peak
    assert predicted == pytest.approx(measured(step, 4), rel=TOLERANCE)


def test_parts_are_what_they_are_called() -> None:
    graph = zoo("resnet18")
    weights = sum(4 * p.numel() if p.is_floating_point() else 8 for p in _tensors(graph))
    plain = Simulation(step_of(graph, "adamw", ema=0.9, accumulate=2)).memory(2)
    assert plain.weights == pytest.approx(weights, rel=1e-4)
    assert plain.averaged == 4 * graph.parameters
    assert plain.optimizer == pytest.approx(8 * graph.parameters, rel=1e-4)
    assert plain.gradients == 4 * graph.parameters, "the second batch adds to all of the first's"
    head = Simulation(step_of(graph, "sgd", frozen=["conv1", "bn1", "layer*"])).memory(2)
    assert (head.optimizer, head.averaged) == (4 * 513_000, 0)
    assert head.gradients in (0, 4 * 513_000)
    assert plain.peak == plain.weights + plain.averaged + plain.optimizer + plain.gradients + plain.activations


def _tensors(graph: object) -> list[torch.Tensor]:
    from netspec.backends.torch import build

    return list(build(graph).state_dict().values())  # type: ignore[arg-type]


def test_kept_values_take_the_place_of_the_frozen_part() -> None:
    graph = zoo("resnet18")
    step = step_of(graph, frozen=["conv1", "bn1", "layer*"])
    kept = step_of(graph, frozen=["conv1", "bn1", "layer*"], kept=frontier_of(graph, step.frozen))
    without, with_ = Simulation(step).memory(16), Simulation(kept).memory(16)
    assert with_.weights == without.weights
    assert with_.activations < 0.1 * without.activations


def test_the_largest_batch_fits_and_one_more_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = Simulation(step_of(zoo("mnist_convnet"), "adamw"))
    asked: list[int] = []
    memory = simulation.memory
    monkeypatch.setattr(simulation, "memory", lambda batch: (asked.append(batch), memory(batch))[1])
    for limit in (3 * 10**6, 20 * 10**6, 10**9):
        asked.clear()
        found = largest_batch(simulation, limit)
        assert len(asked) < 12
        assert simulation.memory(found).peak <= limit < simulation.memory(found + 1).peak
    assert largest_batch(simulation, 10**6) == 0
    assert largest_batch(simulation, 10**12, most=500) == 500


def test_the_largest_batch_really_takes_that_memory() -> None:
    step = step_of(zoo("lenet5"), "adamw")
    found = largest_batch(Simulation(step), 50 * 10**6)
    assert 50e6 * (1 - TOLERANCE) < measured(step, found) < 50e6 * (1 + TOLERANCE)


def test_asking_again_gives_the_same() -> None:
    simulation = Simulation(step_of(zoo("lenet5"), "adamw"))
    first = simulation.memory(16)
    simulation.memory(64)
    assert simulation.memory(16) == first


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "vit"])
def test_on_cuda(name: str) -> None:
    step = step_of(zoo(name), "adamw", device=torch.device("cuda"), precision="bf16")
    predicted = Simulation(step).memory(32).peak
    assert predicted == pytest.approx(measured(step, 32), rel=TOLERANCE)
