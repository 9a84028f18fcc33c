"""How the net is run in a stage: as it is, compiled, with the gradients of several processes summed, or divided among them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from netspec.backends.torch import CompiledNet
from netspec.training.devices.processes import Processes, told_of_the_dead
from netspec.training.learning.learner import Learner
from netspec.training.measuring.scoring import Results


class Runner:
    """Runs the net of a learner on a batch's inputs, forwards with what learns set as the stage says: one is made for each stage.

    With ``given``, the inputs are the values of these nodes in the place of what the net takes.

    With ``compiled`` PyTorch compiles the net's program for the shapes that come, on a CUDA device into graphs that are launched as one.
    """

    def __init__(self, learner: Learner, processes: Processes, *, compiled: bool, given: tuple[int, ...] | None = None) -> None:
        net = learner.net
        self._name = net.graph.outputs[0].name
        self._divided = learner.root
        self._plain = module = learner.root or Logits(net, given)
        self._parallel = _parallel(module) if processes.several and learner.root is None else None
        run: nn.Module = self._parallel or module
        self._run = torch.compile(run, mode="reduce-overhead" if _on_cuda(net) else "default") if compiled else run

    def __call__(self, inputs: Mapping[str, Tensor]) -> Results:
        """The logits by the names of the outputs, auxiliary ones too while training."""
        with told_of_the_dead():
            return _named(self._run(*inputs.values()), self._name)

    def score(self, inputs: Mapping[str, Tensor]) -> Results:
        """The logits without gradients, by this process alone; where the net is divided, all have to ask for some."""
        if self._divided is None:
            return _named(self._plain(*inputs.values()), self._name)
        # What a weight is put together in stays for the steps behind, so it may not be a tensor of inference mode.
        with told_of_the_dead(), torch.inference_mode(mode=False), torch.no_grad():
            return _named(self._plain(*inputs.values()), self._name)

    @contextmanager
    def apart(self, apart: bool) -> Iterator[None]:
        """Within this, where ``apart``, gradients stay those of this process: more of the step is to come. Those of a net that is divided
        are summed each time, since no process has room for all of them."""
        if self._parallel is None or not apart:
            yield
            return
        with self._parallel.no_sync():
            yield


def _parallel(module: nn.Module) -> DistributedDataParallel:
    with warnings.catch_warnings(), told_of_the_dead():
        warnings.filterwarnings("ignore", "`broadcast_buffers`", FutureWarning)  # its successor is not there in older versions
        return DistributedDataParallel(module, broadcast_buffers=False)


class Logits(nn.Module):
    """A net's logits as the result of a module, which is what PyTorch can run in parallel."""

    def __init__(self, net: CompiledNet, given: tuple[int, ...] | None = None) -> None:
        super().__init__()
        self.net = net
        self.given = given

    def forward(self, *inputs: Tensor) -> Tensor | dict[str, Tensor]:
        if self.given is None:
            return self.net.logits(*inputs)
        return self.net.logits_from(dict(zip(self.given, inputs, strict=True)))


def _named(found: Tensor | dict[str, Tensor], name: str) -> Results:
    return {name: found} if isinstance(found, Tensor) else found


def _on_cuda(net: nn.Module) -> bool:
    return any(p.is_cuda for p in net.parameters())
