"""A trained model, from a run, from an ONNX file, or from a spec and a file of weights, behind one face."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Tensor

from netspec.backends.atomic import open_regular
from netspec.backends.onnx.session import Device, infer, open_session, read_onnx_metadata
from netspec.backends.torch import CompiledNet, build
from netspec.backends.torch.loading import STRICT, Reading, load_weights
from netspec.backends.torch.pretrained import fresh, pretrained_weights
from netspec.data import Division, Task, image_task
from netspec.data.decode import ImageFormat
from netspec.diagnostics import failure
from netspec.diagnostics.models import CannotRead
from netspec.diagnostics.running import LabelCount, NoSuchDevice, NotNetspecModel
from netspec.diagnostics.sizes import RefusedSizes
from netspec.diagnostics.weights import NoWeights
from netspec.graph import Ending, Graph
from netspec.open_sizes import Rule
from netspec.training.device import available_devices, choose_device
from netspec.training.labels import CLASSES, read_classes
from netspec.training.rebuild import load_run

_LARGEST: Final = 2**20
"""Sizes beyond this are none that a rule speaks of."""

_LONGEST_LABELS: Final = 4 * 2**20
"""Bytes of a file of labels."""


class Model(ABC):
    """A trained model. ``division`` is how its training split data that has no splits of its own, if that is known, and ``counts`` how many
    images each split had."""

    path: Path
    task: Task
    classes: tuple[str, ...]
    numbered: bool = False
    """Whether the classes are called by their numbers, since nothing names them."""
    division: Division | None = None
    counts: Mapping[str, int] | None = None

    @abstractmethod
    def logits(self, pixels: Tensor) -> Tensor:
        """From a batch of bytes (`N x C x H x W`) to logits (`N x outputs`)."""

    @abstractmethod
    def probabilities(self, pixels: Tensor) -> Tensor:
        """From a batch of bytes to a probability for each class (`N x classes`, on the CPU).

        A net that does not end in `softmax` or `sigmoid` itself has it applied here.
        """

    def _check_labels(self) -> None:
        if len(self.classes) != self.task.classes:
            raise failure(LabelCount(str(self.path), len(self.classes), self.task.outputs))


class NetModel(Model):
    """A model that PyTorch runs."""

    _net: CompiledNet
    _device: torch.device

    def logits(self, pixels: Tensor) -> Tensor:
        with torch.inference_mode():
            return cast("Tensor", self._net.logits(pixels.to(self._device)))

    def probabilities(self, pixels: Tensor) -> Tensor:
        logits = self.logits(pixels).cpu()
        return _pair(torch.sigmoid(logits)) if self.task.binary else torch.softmax(logits, 1)


class RunModel(NetModel):
    """The net of a run folder, with its best weights, else its last ones."""

    def __init__(self, path: Path, device: str) -> None:
        run = load_run(path)
        self.path = path
        self.task = image_task(run.graph)
        self.division = Division(run.record.data.split, run.record.train.seed)
        self.counts = None if run.record.data.own_splits else run.record.data.counts
        self.classes = run.record.classes
        self._check_labels()
        tensors = run.weights()
        self._device = choose_device(device)
        self._net = build(run.graph, tensors, name=str(path)).to(self._device).eval()


class SpecModel(NetModel):
    """A spec's net with the weights of a file, or with those that the spec itself asks for.

    Its classes are called as in ``labels``, a file with one a line, else as the weights say, else by their numbers, from 0.
    """

    def __init__(
        self, graph: Graph, weights: str | None = None, device: str = "auto", *, labels: Path | None = None, reading: Reading = STRICT
    ) -> None:
        self.path = Path(graph.source.name)
        self.task = image_task(graph, any_size=True)
        tensors, metadata = _of_spec(graph, weights, reading)
        named = read_labels(labels) if labels is not None else read_classes(metadata)
        self.classes, self.numbered = _named(named, self.task)
        if len(self.classes) != self.task.classes:
            raise failure(LabelCount(str(labels or weights), len(self.classes), self.task.outputs))
        self._device = choose_device(device)
        self._net = build(graph, tensors, name=weights or str(self.path)).to(self._device).eval()


def _named(classes: tuple[str, ...] | None, task: Task) -> tuple[tuple[str, ...], bool]:
    """The names of the classes, or where there are none their numbers, and whether these they are."""
    return (classes, False) if classes else (tuple(map(str, range(task.classes))), True)


def _of_spec(graph: Graph, weights: str | None, reading: Reading) -> tuple[Mapping[str, Tensor], Mapping[str, str]]:
    """A net's weights and what they say of themselves. Raises N819 where no file gives some of them: a random answer helps nobody."""
    if weights is not None:
        loaded = load_weights(graph, weights, reading)
        return loaded.tensors, loaded.metadata
    if missing := fresh(graph):
        places = {key: str(node.place) for key, _, node in graph.weights()}
        raise failure(NoWeights(graph.name, tuple((key, places[key]) for key in missing)))
    return pretrained_weights(graph), {}


def read_labels(path: Path) -> tuple[str, ...]:
    """The names of classes in a file, one a line, in the order of the net's outputs. Raises N801."""
    with open_regular(str(path)) as file:
        content = file.read(_LONGEST_LABELS + 1)
    if len(content) > _LONGEST_LABELS:
        raise failure(CannotRead(str(path), f"a file of labels has at most {_LONGEST_LABELS:,} bytes"))
    try:
        return tuple(content.decode("utf-8-sig").rstrip("\r\n").splitlines())
    except UnicodeDecodeError as error:
        raise failure(CannotRead(str(path), "it is not text in UTF-8")) from error


class OnnxModel(Model):
    """A model that netspec has exported, run by onnxruntime. Its classes are called as in ``labels``, else as the file says, else by their
    numbers."""

    def __init__(self, path: Path, device: str, labels: Path | None = None) -> None:
        self.path = path
        metadata = read_onnx_metadata(path)
        self._ending = _ending(path, metadata)
        self._session = open_session(path, _onnx_device(device))
        self.task = _task(path, metadata, self._session, self._ending)
        self.classes, self.numbered = _named(_classes(path, metadata) if labels is None else read_labels(labels), self.task)
        self._check_labels()
        self._input = self._session.get_inputs()[0].name
        self._axes = dict(enumerate(self._session.get_inputs()[0].shape))
        self._rules = _rules(path, metadata)

    def _raw(self, pixels: Tensor) -> Tensor:
        self._check_sizes(pixels)
        (found,) = infer(self._session, {self._input: pixels.cpu().float().numpy()}, str(self.path))
        if found.shape != (len(pixels), self.task.outputs):
            raise failure(NotNetspecModel(str(self.path), "it does not give one number for each class"))
        return torch.from_numpy(found)

    def _check_sizes(self, pixels: Tensor) -> None:
        """Raise N830 where the size of the pixels is none that the model takes."""
        sizes = {name: n for axis, n in enumerate(pixels.shape) if (name := self._axes[axis]) in self._rules}
        wrong = tuple((s, str(self._rules[s]), self._rules[s].nearest(n)) for s, n in sizes.items() if n not in self._rules[s])
        if wrong:
            raise failure(RefusedSizes(tuple(sizes.items()), "", wrong))

    def logits(self, pixels: Tensor) -> Tensor:
        raw = self._raw(pixels)
        if self._ending is None:
            return raw
        smallest = torch.finfo(raw.dtype).tiny
        below = raw.clamp_min(smallest).log()
        return below if self._ending == "softmax" else below - (1 - raw).clamp_min(smallest).log()

    def probabilities(self, pixels: Tensor) -> Tensor:
        raw = self._raw(pixels)
        if self.task.binary:
            return _pair(raw if self._ending == "sigmoid" else torch.sigmoid(raw))
        return raw if self._ending == "softmax" else torch.softmax(raw, 1)


def open_model(path: Path, device: str = "auto", labels: Path | None = None) -> Model:
    """Open the folder of a run, or an ``.onnx`` file that netspec has exported. Raises N764 for anything else, and what those raise.

    ``labels`` is a file that names the classes of an ``.onnx`` file, one a line.
    """
    if path.is_dir():
        return RunModel(path, device)
    if not path.exists():
        raise failure(NotNetspecModel(str(path), "there is no such file or folder"))
    if path.suffix.casefold() != ".onnx":
        raise failure(NotNetspecModel(str(path), "it is neither the folder of a run nor an .onnx file"))
    return OnnxModel(path, device, labels)


def _classes(path: Path, metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    """The classes an exported model names; ``None`` where it names none. Raises N764 where what it says of them is nothing of the kind."""
    classes = read_classes(metadata)
    if classes is None and CLASSES in metadata:
        raise failure(NotNetspecModel(str(path), "what it says of its classes is no such thing"))
    return classes


def _pair(second: Tensor) -> Tensor:
    """The probabilities of both classes (`N x 2`) from that of the second (`N x 1`)."""
    return torch.cat([1 - second, second], 1)


def _onnx_device(name: str) -> Device:
    if name in ("cpu", "cuda", "auto"):
        return cast("Device", name)
    raise failure(NoSuchDevice(name, tuple(d for d in available_devices() if d != "mps")))


def _ending(path: Path, metadata: Mapping[str, str]) -> Ending | None:
    try:
        (ending,) = json.loads(metadata["netspec.activations"]).values()
    except (KeyError, ValueError, AttributeError, RecursionError) as error:
        raise failure(NotNetspecModel(str(path), "it does not say which activation its one output ends in")) from error
    if ending not in ("softmax", "sigmoid", None):
        raise failure(NotNetspecModel(str(path), "it ends in an activation that is not known"))
    return cast("Ending | None", ending)


def _task(path: Path, metadata: Mapping[str, str], session: Any, ending: Ending | None) -> Task:
    """The task by the model's own input and output."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shapes = [list(i.shape) for i in inputs], [list(o.shape) for o in outputs]
    numbers = all(value.type == "tensor(float)" for value in (*inputs, *outputs))
    fits = numbers and len(inputs) == len(outputs) == 1 and len(shapes[0][0]) == 4 and len(shapes[1][0]) == 2
    fits = fits and not isinstance(shapes[0][0][0], int)
    channels, *space, outputs = [*shapes[0][0][1:], *shapes[1][0][1:]] if fits else [0, 0]
    if channels not in (1, 3) or not isinstance(outputs, int):
        raise failure(NotNetspecModel(str(path), "it does not take one image and give one number for each class"))
    height, width = (n if isinstance(n, int) else None for n in space)
    return Task(metadata.get("netspec.name", path.stem), ImageFormat(channels, height, width), outputs, ending)


def _rules(path: Path, metadata: Mapping[str, str]) -> dict[str, Rule]:
    """What the model says of its open sizes, by the names of the axes."""
    try:
        said = json.loads(metadata.get("netspec.sizes", "{}"))
        rules = {str(s): Rule(r["period"], tuple(r["residues"]), r["settled"], tuple(r["early"])) for s, r in said.items()}
        if all(type(n) is int and 0 <= n < _LARGEST for r in rules.values() for n in (r.period - 1, r.settled, *r.residues, *r.early)):
            return rules
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise failure(NotNetspecModel(str(path), "what it says of its open sizes is no such thing"))
