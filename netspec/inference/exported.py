"""A model that netspec has exported, run by onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from netspec.backends.onnx.session import Device, infer, open_session, read_onnx_metadata
from netspec.data.images.decode import ImageFormat
from netspec.data.samples import Batch
from netspec.data.task import Wanted, WantedInput, WantedTarget
from netspec.diagnostics import failure
from netspec.diagnostics.devices import NoSuchDevice
from netspec.diagnostics.measuring import NotNetspecModel
from netspec.diagnostics.predicting import NotOneImage
from netspec.diagnostics.sizes import OpenInput, RefusedSizes
from netspec.inference.model import Model
from netspec.inference.naming import by_target, complete, read_labels
from netspec.inference.saying import OnnxInput, Refused, Told, told
from netspec.objectives import Objective
from netspec.training.devices.device import available_devices
from netspec.values import Choice


class OnnxModel(Model):
    """A model that netspec has exported. Its classes are called as in ``labels``, else as the file says, else by their numbers."""

    def __init__(self, path: Path, device: str, labels: Path | None = None) -> None:
        self.path = path
        metadata = read_onnx_metadata(path)
        self._session = open_session(path, _onnx_device(device))
        self._told = _told(path, metadata, self._session)
        self.learned = tuple(_as_given(o) for o in self._told.learned)
        self.sources, self.seed = self._told.sources, self._told.seed
        said = self._told.names if labels is None else read_labels(labels)
        self.named, self.numbered = complete(by_target(said, self.learned, str(path)), self.learned, self.sources, str(path))

    @property
    def image(self) -> ImageFormat:
        only = self._told.inputs[0]
        if len(self._told.inputs) > 1 or only.picture is None:
            written = "x".join(map(str, only.axes)) if len(self._told.inputs) == 1 else None
            raise failure(NotOneImage(self._told.net, tuple(i.known_as for i in self._told.inputs), written))
        return only.picture

    @property
    def wanted(self) -> Wanted:
        net = self._told.net
        if any(not isinstance(n, int) for i in self._told.inputs for n in i.axes):
            raise failure(OpenInput(net, "an evaluation"))
        inputs = tuple(WantedInput(i.known_as, _numbers(i), i.picture, i.source) for i in self._told.inputs)
        return Wanted(net, inputs, tuple(_target(o, self.sources.get(o.target, Choice(""))) for o in self.learned))

    def results(self, batch: Batch) -> Mapping[str, Tensor]:
        return self._logits({i.name: batch.inputs[i.known_as] for i in self._told.inputs})

    def logits(self, pixels: Tensor) -> Mapping[str, Tensor]:
        return self._logits({self._told.inputs[0].name: pixels})

    def _logits(self, given: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return {o.output: _undone(raw, o) for o, raw in zip(self.learned, self._raw(given), strict=True)}

    def _raw(self, given: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """What the model gives for its inputs by name, in the order of its outputs."""
        self._check_sizes(given)
        found = infer(self._session, {name: values.cpu().float().numpy() for name, values in given.items()}, str(self.path))
        count = len(next(iter(given.values())))
        for values, axes in zip(found, self._told.axes, strict=True):
            said = (count, *(n if isinstance(n, int) else there for n, there in zip(axes, values.shape[1:])))
            if len(values.shape) != len(axes) + 1 or values.shape != said:
                raise failure(NotNetspecModel(str(self.path), "it does not give what it says it gives for each sample"))
        return tuple(torch.from_numpy(values) for values in found)

    def _check_sizes(self, given: Mapping[str, Tensor]) -> None:
        """Raise N830 where the size of the pixels is none that the model takes."""
        rules = self._told.rules
        sizes = {
            axis: n
            for i in self._told.inputs
            for axis, n in zip(i.axes, given[i.name].shape[1:], strict=True)
            if isinstance(axis, str) and axis in rules
        }
        wrong = tuple((s, str(rules[s]), rules[s].nearest(n)) for s, n in sizes.items() if n not in rules[s])
        if wrong:
            raise failure(RefusedSizes(tuple(sizes.items()), "", wrong))


def _told(path: Path, metadata: Mapping[str, str], session: object) -> Told:
    try:
        return told(metadata, session, path.stem)
    except Refused as reason:
        raise failure(NotNetspecModel(str(path), str(reason))) from reason


def _onnx_device(name: str) -> Device:
    if name in ("cpu", "cuda", "auto"):
        return cast("Device", name)
    raise failure(NoSuchDevice(name, tuple(d for d in available_devices() if d != "mps")))


def _numbers(given: OnnxInput) -> tuple[int, ...]:
    return tuple(n for n in given.axes if isinstance(n, int))


def _target(o: Objective, source: Choice) -> WantedTarget:
    height, width = (int(n) for n in o.shape[1:]) if o.kind == "mask" else (0, 0)
    return WantedTarget(o.target, o.kind, int(o.shape[0]), height, width, source)


def _as_given(o: Objective) -> Objective:
    """An objective on what the model gives. What is measured as the net gives it, numbers and distances, is never made logits of, since it
    could not be brought back to the last bit."""
    own = o.kind == "number" or o.loss.name == "contrastive"
    return Objective(o.output, o.target, o.kind, o.shape, o.loss, o.weight, o.metrics, None if own else o.ending)


def _undone(raw: Tensor, o: Objective) -> Tensor:
    """The logits that softmax or sigmoid made probabilities of, but for a number that softmax takes no notice of."""
    if o.ending is None:
        return raw
    smallest = torch.finfo(raw.dtype).tiny
    below = raw.clamp_min(smallest).log()
    return below if o.ending == "softmax" else below - (1 - raw).clamp_min(smallest).log()
