"""The real step that a simulated one stands for, and the memory that it takes."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from netspec.backends.torch import build
from netspec.freezing import selected
from netspec.graph import Graph
from netspec.report.models import NamedSettings, StageSettings
from netspec.training.devices.precision import mixed
from netspec.training.learning.averaging import Averaged
from netspec.training.learning.learner import Learner
from netspec.training.planning.measuring import measured_peak
from netspec.training.planning.memory import Step, sample_type
from netspec.training.settings import train_settings
from tests.plan.zoo import zoo

OPTIMIZERS = {
    "sgd": NamedSettings(name="sgd", settings={"lr": 1e-5, "momentum": 0.9}),
    "adamw": NamedSettings(name="adamw", settings={"lr": 1e-5}),
    "rmsprop": NamedSettings(name="rmsprop", settings={"lr": 1e-5}),
}


def stage(optimizer: str = "sgd", **changed: object) -> StageSettings:
    """The settings of a stage."""
    some = train_settings(zoo("lenet5")).in_turn[0]
    return some.model_copy(update={"optimizer": OPTIMIZERS[optimizer], **changed})


def step_of(graph: Graph, optimizer: str = "sgd", frozen: Iterable[str] = (), **changed: object) -> Step:
    """A step of a net; what is named is of the step where that has it, else of the stage."""
    own = {key: changed.pop(key) for key in ("precision", "ema", "kept", "device", "channels_last") if key in changed}
    return Step(graph, stage(optimizer, **changed), selected(graph, tuple(frozen)), **own)  # type: ignore[arg-type]


def measured(step: Step, batch: int) -> int:
    """The most bytes of tensors in a real step, as PyTorch's profiler, or on CUDA the allocator, sees them: the second step, whose
    optimiser has its state, and all that is there before it."""
    net = build(step.graph).to(step.device)
    if step.channels_last:
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learner = Learner(net, step.device, None if step.ema is None else Averaged(net, step.ema))
    learner.enter(step.stage, step.frozen)
    net.train()
    inputs = [torch.zeros(batch, *n.output, dtype=sample_type(n.output), device=step.device) for n in step.graph.inputs]

    def run() -> None:
        learner.optimizer.zero_grad()
        for _ in range(step.stage.accumulate):
            with mixed(step.precision, step.device):
                results = net.logits(*inputs)
            step.loss({"": results} if isinstance(results, Tensor) else results).backward()  # type: ignore[no-untyped-call]
        if step.stage.clip is not None:
            torch.nn.utils.clip_grad_norm_(learner.parameters(), step.stage.clip)
        learner.optimizer.step()
        if learner.averaged is not None:
            learner.averaged.update(net, 1)

    run()
    learner.optimizer.zero_grad()
    state = [t for entries in learner.optimizer.state.values() for t in entries.values() if isinstance(t, Tensor)]
    means = [] if learner.averaged is None else list(learner.averaged.means.values())
    there = [*net.parameters(), *net.buffers(), *state, *means, *inputs]
    return sum(t.numel() * t.element_size() for t in there) + measured_peak(run, step.device)
