"""How much memory a training step takes, without taking it: the step itself is run on tensors that have no memory.

PyTorch's fake tensors have shapes, types, orders and a device, and go through the same forward pass, autograd, losses and optimiser as
real ones do, so what autograd keeps for the backward pass is known and not guessed. :mod:`netspec.training.planning.live` counts the bytes
alive after every operator, and :mod:`netspec.training.planning.scratch` adds what kernels take for themselves while they run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from netspec.backends.torch import CompiledNet, build
from netspec.frontier import Frontier
from netspec.graph import Graph
from netspec.report.models import StageSettings
from netspec.report.plans import MemoryPlan
from netspec.shape import Shape
from netspec.training.devices.precision import Precision, mixed
from netspec.training.learning.averaging import Averaged
from netspec.training.learning.learner import Learner
from netspec.training.planning.live import Live
from netspec.training.planning.scratch import cpu_scratch, no_scratch

Loss = Callable[[dict[str, Tensor]], Tensor]
"""From the results of a training step by name, auxiliary ones too, to the number that is differentiated."""

_CUDA_BLOCK = 512
"""Bytes that PyTorch's allocator for CUDA rounds up to."""


def squares(results: dict[str, Tensor]) -> Tensor:
    """A loss that takes as much memory as most: the mean squares of all outputs."""
    return torch.stack([result.float().square().mean() for result in results.values()]).sum()


@dataclass(frozen=True)
class Step:
    """What is known of a stage's training steps. ``frozen`` are the paths of the layers that do not learn.

    With ``kept``, the values of that frontier are given to the step in the place of the inputs that they are made of.
    """

    graph: Graph
    stage: StageSettings
    frozen: frozenset[str]
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: Precision = "fp32"
    channels_last: bool = True
    ema: float | None = None
    kept: Frontier | None = None
    loss: Loss = squares


class Simulation:
    """The steps of a stage on tensors without memory; the net is made once, for any number of batch sizes."""

    def __init__(self, step: Step) -> None:
        self.step = step
        on_cpu = step.device.type == "cpu"
        self._fake = FakeTensorMode(allow_non_fake_inputs=True)
        self._gradients: dict[str, int] = {}
        self._live = Live(cpu_scratch if on_cpu else no_scratch, 1 if on_cpu else _CUDA_BLOCK, self._mark)
        bare = build(replace(step.graph, pretrained=()), _without_memory(step.graph))
        with self._fake, self._live:
            self._net = _as_fake(bare, step.device, step.channels_last)
            self._net.train()
            self._weights = self._live.tally.now
            averaged = None if step.ema is None else Averaged(self._net, step.ema)
            self._means = self._live.tally.now - self._weights
            self._learner = Learner(self._net, step.device, averaged)
            self._learner.enter(step.stage, step.frozen)
            self._watch_gradients()
            self._rehearse_update()

    def memory(self, batch: int) -> MemoryPlan:
        """The memory of a step with batches of this many samples, once the optimiser has its state."""
        with self._fake, self._live:
            given = self._given(batch)
            samples = sum(t.numel() * t.element_size() for t in given.values())
            self._live.tally.restart()
            self._backward(given)
            peak, gradients = self._live.tally.peak, self._live.tally.marked.get("gradients", 0)
            self._forget_gradients()
        if self._update_peak + samples > peak:
            peak, gradients = self._update_peak + samples, self._all_gradients
        known = self._weights + self._means + self._state + gradients
        return MemoryPlan(
            batch=batch,
            weights=self._weights,
            averaged=self._means,
            optimizer=self._state,
            gradients=gradients,
            activations=peak - known,
            peak=peak,
        )

    def _rehearse_update(self) -> None:
        """Two steps of the optimiser: the first makes its state, the second shows what a step takes, whatever the batch."""
        before = self._live.tally.now
        for parameter in self._learner.parameters():
            parameter.grad = torch.empty_like(parameter)
        self._all_gradients = self._live.tally.now - before
        self._update()
        self._state = self._live.tally.now - before - self._all_gradients
        self._live.tally.restart()
        self._update()
        self._update_peak = self._live.tally.peak
        self._forget_gradients()

    def _backward(self, given: Mapping[int, Tensor]) -> None:
        """Forwards and backwards for as many batches as a step has; from the second on all are alike."""
        step = self.step
        for _ in range(min(step.stage.accumulate, 2)):
            with mixed(step.precision, step.device):
                results = self._net.logits_from(given)
            step.loss(results if isinstance(results, dict) else {"": results}).backward()  # type: ignore[no-untyped-call]
            del results

    def _update(self) -> None:
        step, learner = self.step, self._learner
        if step.stage.clip is not None:
            nn.utils.clip_grad_norm_(learner.parameters(), step.stage.clip)
        learner.optimizer.step()
        if learner.averaged is not None:
            learner.averaged.update(self._net, 1)

    def _given(self, batch: int) -> dict[int, Tensor]:
        """A batch of bytes for each input that is a picture, of numbers for any other; or what was kept."""
        step = self.step
        nodes = step.graph.nodes
        values = () if step.kept is None else tuple(v.node for v in step.kept.values)
        inputs = tuple(n.index for n in step.graph.inputs) if step.kept is None else step.kept.inputs
        kept_in = torch.bfloat16 if step.precision == "bf16" else torch.float32
        found = {n: self._empty(batch, nodes[n].output, kept_in) for n in values}
        return found | {n: self._empty(batch, nodes[n].output, sample_type(nodes[n].output)) for n in inputs}

    def _empty(self, batch: int, shape: Shape, dtype: torch.dtype) -> Tensor:
        made = torch.empty((batch, *shape), dtype=dtype, device=self.step.device)
        return made.contiguous(memory_format=torch.channels_last) if len(shape) == 3 and dtype.is_floating_point else made

    def _watch_gradients(self) -> None:
        for name, parameter in self._net.named_parameters():
            if parameter.requires_grad:
                size = parameter.numel() * parameter.element_size()
                hook = partial(self._note_gradient, name, size)
                parameter.register_post_accumulate_grad_hook(hook)  # type: ignore[no-untyped-call]

    def _note_gradient(self, name: str, size: int, _: Tensor) -> None:
        self._gradients[name] = size

    def _forget_gradients(self) -> None:
        self._learner.optimizer.zero_grad()
        self._gradients.clear()

    def _mark(self) -> dict[str, int]:
        return {"gradients": sum(self._gradients.values())}


def sample_type(shape: Shape) -> torch.dtype:
    """What samples of an input of this shape come as: pictures as bytes, anything else as numbers."""
    return torch.uint8 if len(shape) == 3 else torch.float32


def largest_batch(simulation: Simulation, limit: int, most: int = 2**16) -> int:
    """The most samples of which a step takes at most ``limit`` bytes, and no more than ``most``; 0 where one is too many.

    Memory grows with the batch in a line, nearly: two steps say where to look, and two more there. Then it goes on in strides that
    double, and back by halves; what is found was run, and one sample more was run as well.
    """
    peaks: dict[int, int] = {}

    def peak(batch: int) -> int:
        if batch not in peaks:
            peaks[batch] = simulation.memory(batch).peak
        return peaks[batch]

    for first in (4, 16):
        peak(first)
    for _ in range(2):
        peak(min(max(_crossing(peaks, limit), 1), most))
    low = max((b for b in peaks if peaks[b] <= limit and b <= most), default=0)
    high = min((b for b in peaks if peaks[b] > limit), default=most + 1)
    guess, stride = min(max(_crossing(peaks, limit), low + 1), high - 1), 1
    while high - low > 1:
        batch = guess if low < guess < high else (low + high) // 2
        fits = peak(batch) <= limit
        low, high = (batch, high) if fits else (low, batch)
        guess, stride = low + stride if fits else high - stride, 2 * stride
    return low


def _crossing(peaks: Mapping[int, int], limit: int) -> int:
    """Where the line through the two points nearest to the limit meets it."""
    (a, first), (b, second) = sorted(sorted(peaks.items(), key=lambda point: abs(point[1] - limit))[:2])
    return a + (limit - first) * (b - a) // max(second - first, 1)


def _without_memory(graph: Graph) -> dict[str, Tensor]:
    return {key: torch.empty(weight.shape, dtype=getattr(torch, weight.dtype), device="meta") for key, weight, _ in graph.weights()}


def _as_fake(net: CompiledNet, device: torch.device, channels_last: bool) -> CompiledNet:
    """The net with tensors of this device in the place of its own."""
    for module in net.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = nn.Parameter(_like(parameter, device, channels_last), requires_grad=parameter.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = _like(buffer, device, channels_last)
    return net


def _like(tensor: Tensor, device: torch.device, channels_last: bool) -> Tensor:
    made = torch.empty(tensor.shape, dtype=tensor.dtype, device=device)
    return made.to(memory_format=torch.channels_last) if channels_last and made.dim() == 4 and made.is_floating_point() else made
