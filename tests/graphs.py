"""Graphs made by hand, for tests that need no text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netspec.graph import Facts, Graph, Node, Output, Region
from netspec.layer import layers
from netspec.lowering import X, nn
from netspec.shape import Shape
from netspec.source import Place, Source, Span
from netspec.values import Word

Arguments = dict[str, Any]


def complete(layer: str, arguments: Arguments) -> Arguments:
    """The arguments as a layer's rule gets them: checked by their kinds, and with defaults."""
    found = {}
    for parameter in layers()[layer].signature.parameters:
        value = arguments.get(parameter.name, parameter.default)
        if parameter.name in arguments and not (value is None and parameter.optional):
            value = parameter.kind.accept(Word(value) if parameter.kind.words and type(value) is str else value)
        found[parameter.name] = value
    return found


class Builder:
    """A graph in the making: ``input`` and ``add`` give the numbers of nodes, ``graph`` the whole."""

    def __init__(self, name: str = "Net", text: str = "net Net {}\n") -> None:
        self.name, self.source = name, Source("test.net", text)
        self.nodes: list[Node] = []

    def input(self, shape: Shape, label: str = "image") -> int:
        facts = Facts(output=shape, torch=nn.Identity(), onnx=X)
        return self._append(label, "input", {}, (), facts, "input", False)

    def add(self, layer: str, *sources: int, path: str | None = None, frozen: bool = False, role: str = "layer", **arguments: Any) -> int:
        """A layer at ``path``, by default its number; from the node before it where no source is named."""
        inputs = sources or (len(self.nodes) - 1,)
        settings = complete(layer, arguments)
        facts = layers()[layer].infer(tuple(self.nodes[i].output for i in inputs), settings)
        return self._append(path or str(len(self.nodes)), layer, settings, inputs, facts, role, frozen)

    def _append(self, path: str, layer: str, arguments: Arguments, inputs: tuple[int, ...], facts: Facts, role: Any, frozen: bool) -> int:
        index = len(self.nodes)
        place = Place(self.source, Span(0, 3))
        self.nodes.append(Node(index, path, layer, path, arguments, inputs, facts, role, frozen, 0, place))
        return index

    def graph(self, **outputs: int) -> Graph:
        """The graph; its output is the last node where none is named."""
        named = outputs or {"output": len(self.nodes) - 1}
        return Graph(
            name=self.name,
            source=self.source,
            nodes=tuple(self.nodes),
            regions=(Region("net", "", self.name, -1),),
            outputs=tuple(Output(n, i) for n, i in named.items()),
            settings={},
            labels={n.path: n.index for n in self.nodes},
        )


def chain(shape: Shape, *steps: tuple[str, Arguments] | str) -> Graph:
    """A chain of layers from one input."""
    builder = Builder()
    builder.input(shape)
    for step in steps:
        name, arguments = (step, {}) if isinstance(step, str) else step
        builder.add(name, **arguments)
    return builder.graph()


def lenet(classes: int = 10) -> Graph:
    """A small net with a preprocess and a softmax at its end."""
    b = Builder("LeNet")
    b.input((1, 28, 28))
    b.add("scale", path="preprocess.0", role="preprocess", factor=1 / 255)
    for path, channels in (("conv1", 6), ("conv2", 16)):
        b.add("conv", path=path, channels=channels, kernel=5, padding=2)
        b.add("relu")
        b.add("avgpool", kernel=2)
    b.add("flatten")
    b.add("linear", path="fc1", features=32)
    b.add("bn", path="bn1")
    b.add("relu")
    b.add("dropout")
    b.add("linear", path="fc2", features=classes)
    b.add("softmax", path="probabilities")
    return b.graph()


def resnet50(classes: int = 1000) -> Graph:
    """ResNet-50 v1.5, with torchvision's paths."""
    b = Builder("ResNet50")
    b.input((3, 224, 224))
    _conv_bn(b, "conv1", "bn1", channels=64, kernel=7, stride=2, padding=3)
    b.add("relu", path="relu")
    b.add("maxpool", path="maxpool", kernel=3, stride=2, padding=1)
    for stage, depth in enumerate((3, 4, 6, 3)):
        for block in range(depth):
            _bottleneck(b, f"layer{stage + 1}.{block}", 64 * 2**stage, 2 if stage and not block else 1, project=not block)
    b.add("global_avgpool", path="avgpool")
    b.add("flatten", path="flatten")
    b.add("linear", path="fc", features=classes)
    return b.graph()


def _conv_bn(b: Builder, conv: str, bn: str, source: int | None = None, **arguments: Any) -> int:
    b.add("conv", *([] if source is None else [source]), path=conv, bias=False, **arguments)
    return b.add("bn", path=bn)


def _bottleneck(b: Builder, path: str, width: int, stride: int, project: bool) -> int:
    start = len(b.nodes) - 1
    _conv_bn(b, f"{path}.conv1", f"{path}.bn1", channels=width, kernel=1)
    b.add("relu", path=f"{path}.relu1")
    _conv_bn(b, f"{path}.conv2", f"{path}.bn2", channels=width, kernel=3, stride=stride, padding=1)
    b.add("relu", path=f"{path}.relu2")
    end = _conv_bn(b, f"{path}.conv3", f"{path}.bn3", channels=4 * width, kernel=1)
    skip = start
    if project:
        skip = _conv_bn(b, f"{path}.downsample.0", f"{path}.downsample.1", start, channels=4 * width, kernel=1, stride=stride)
    b.add("add", end, skip, path=f"{path}.add")
    return b.add("relu", path=f"{path}.relu3")


def without_labels(graph: Graph) -> Graph:
    """The same graph, its nodes unlabelled."""
    return replace(graph, nodes=tuple(replace(n, label=None) for n in graph.nodes))
