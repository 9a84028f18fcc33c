"""Models that PyTorch runs: the net of a run's folder, or a spec's net with a file of weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from netspec.backends.torch import CompiledNet, build
from netspec.backends.torch.loading import STRICT, Reading, load_weights
from netspec.backends.torch.pretrained import fresh, pretrained_weights
from netspec.data import Division
from netspec.data.images.decode import ImageFormat
from netspec.data.samples import Batch
from netspec.data.task import Wanted, wanted_data
from netspec.diagnostics import Diagnostic, NetspecError, failure
from netspec.diagnostics.predicting import AnswersUnknown, NotOneImage
from netspec.diagnostics.weights import NoWeights
from netspec.graph import Graph, Node
from netspec.inference.model import Model
from netspec.inference.naming import Names, by_target, complete, read_labels, said_names
from netspec.objectives import DoesNotFit, Objective
from netspec.shape import Open, show
from netspec.training.devices.device import choose_device
from netspec.training.folders.rebuild import load_run
from netspec.training.stages import lessons


class NetModel(Model):
    """A model that PyTorch runs."""

    _net: CompiledNet
    _device: torch.device

    @property
    def image(self) -> ImageFormat:
        return _one_image(self._net.graph)

    @property
    def wanted(self) -> Wanted:
        return wanted_data(self._net.graph, self.learned, "an evaluation")

    def results(self, batch: Batch) -> Mapping[str, Tensor]:
        return self._named(*batch.to(self._device).inputs.values())

    def logits(self, pixels: Tensor) -> Mapping[str, Tensor]:
        return {name: values.cpu() for name, values in self._named(pixels.to(self._device)).items()}

    def _named(self, *inputs: Tensor) -> Mapping[str, Tensor]:
        with torch.inference_mode():
            found = self._net.logits(*inputs)
        return {self._net.graph.outputs[0].name: found} if isinstance(found, Tensor) else found


class RunModel(NetModel):
    """The net of a run folder, with its best weights, else its last ones."""

    def __init__(self, path: Path, device: str) -> None:
        run = load_run(path)
        self.path = path
        self.learned = lessons(run.graph)[-1].learned
        self.sources = run.graph.data.values.get("target") or {}
        self.seed = run.record.train.seed
        self.division = Division(run.record.data.split, self.seed)
        self.counts = None if run.record.data.own_splits else run.record.data.counts
        self.samples = run.folder.samples
        self.named = run.record.classes
        tensors = run.weights()
        self._device = choose_device(device)
        self._net = build(replace(run.graph, pretrained=()), tensors, name=str(path)).to(self._device).eval()


class SpecModel(NetModel):
    """A spec's net with the weights of a file, or with those that the spec itself asks for.

    Its classes are called as in ``labels``, a file with one a line, else as the weights say, else by their numbers, from 0. What its
    outputs have learned follows from the section `train`, or where there is none from their shapes and endings.
    """

    def __init__(
        self, graph: Graph, weights: str | None = None, device: str = "auto", *, labels: Path | None = None, reading: Reading = STRICT
    ) -> None:
        self.path = Path(graph.source.name)
        self.learned = _learned(graph)
        self.sources = graph.data.values.get("target") or {}
        tensors, metadata = _of_spec(graph, weights, reading)
        place = str(labels or weights)
        said = _said(metadata) if labels is None else read_labels(labels)
        self.named, self.numbered = complete(by_target(said, self.learned, place), self.learned, self.sources, place)
        self._device = choose_device(device)
        self._net = build(graph, tensors, name=weights or str(self.path)).to(self._device).eval()


def _said(metadata: Mapping[str, str]) -> tuple[str, ...] | Names | None:
    """The classes that a file of weights names; whatever else it holds under that name is a stranger's, and says nothing."""
    try:
        return said_names(metadata)
    except ValueError:
        return None


def _learned(graph: Graph) -> tuple[Objective, ...]:
    try:
        return lessons(graph)[-1].learned
    except DoesNotFit as error:
        raise _at(graph.nodes[error.output.node], AnswersUnknown(graph.name, error.output.name, show(error.shape))) from None


def _one_image(graph: Graph) -> ImageFormat:
    """The image that a net takes. Raises N847, at the input, for one that takes something else or something besides."""
    inputs = graph.inputs
    if len(inputs) != 1:
        raise _at(inputs[1], NotOneImage(graph.name, tuple(n.label or n.path for n in inputs)))
    shape = inputs[0].output
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise _at(inputs[0], NotOneImage(graph.name, (inputs[0].label or inputs[0].path,), show(shape)))
    height, width = (None if isinstance(n, Open) else int(n) for n in shape[1:])
    return ImageFormat(int(shape[0]), height, width)


def _at(node: Node, problem: AnswersUnknown | NotOneImage) -> NetspecError:
    return NetspecError([Diagnostic(problem, node.place, trail=node.trail)])


def _of_spec(graph: Graph, weights: str | None, reading: Reading) -> tuple[Mapping[str, Tensor], Mapping[str, str]]:
    """A net's weights and what they say of themselves. Raises N819 where no file gives some of them: a random answer helps nobody."""
    if weights is not None:
        loaded = load_weights(graph, weights, reading)
        return loaded.tensors, loaded.metadata
    if missing := fresh(graph):
        places = {key: str(node.place) for key, _, node in graph.weights()}
        raise failure(NoWeights(graph.name, tuple((key, places[key]) for key in missing)))
    return pretrained_weights(graph), {}
