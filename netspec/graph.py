"""The compiled network: nodes with every fact known, in an order in which each comes after what it needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from netspec.diagnostics.problem import Trail
from netspec.lowering import OnnxExpression, TorchCall
from netspec.shape import Shape, elements, show
from netspec.source import Place, Source

if TYPE_CHECKING:
    from netspec.open_sizes import OpenSizes


@dataclass(frozen=True, slots=True)
class Weight:
    """A tensor that a layer owns. ``parameter`` is false for buffers, as a batch norm's running statistics."""

    shape: Shape
    parameter: bool = True
    dtype: str = "float32"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of a layer once its inputs' shapes and its arguments are.

    ``output`` is the shape without the batch; ``macs`` counts the multiply-accumulates of convolutions and matrix
    products for one sample, as published tables do (bias, normalisation, activation and pooling count nothing);
    ``weights`` are in PyTorch's order and under PyTorch's names. A weight with the empty name is the layer itself: its key is the
    layer's path, as a class token's, which in PyTorch is a parameter of the module around it.
    """

    output: Shape
    torch: TorchCall
    onnx: OnnxExpression
    weights: Mapping[str, Weight] = field(default_factory=dict)
    macs: int = 0

    @property
    def parameters(self) -> int:
        return sum(elements(w.shape) for w in self.weights.values() if w.parameter)


def key_of(path: str, weight: str) -> str:
    """The key of a layer's weight in the state dict."""
    return f"{path}.{weight}" if weight else path


def is_below(path: str, outer: str) -> bool:
    """Whether a path is another, or lies below it; all do below the empty one."""
    return not outer or path == outer or path.startswith(f"{outer}.")


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the net that belongs together in a picture and in a table.

    ``kind`` is ``net``, ``region`` (braces) or ``block`` (a use of a block, net or part; ``title`` is then ``bottleneck(64)``). ``path`` is
    where labels inside it stand. ``parent`` is an index into :attr:`Graph.regions`, -1 for the net itself.
    """

    kind: Literal["net", "region", "block"]
    path: str
    title: str
    parent: int
    frozen: bool = False
    role: Literal["layer", "preprocess"] = "layer"


@dataclass(frozen=True, slots=True)
class Node:
    """One use of one layer.

    ``path`` names it and is where its weights live: ``layer1.0.conv1``. ``inputs`` are indices of earlier nodes.
    ``arguments`` is complete with defaults. ``region`` is an index into :attr:`Graph.regions`.
    """

    index: int
    path: str
    layer: str
    label: str | None
    arguments: Mapping[str, Any]
    inputs: tuple[int, ...]
    facts: Facts
    role: Literal["input", "preprocess", "layer"]
    frozen: bool
    region: int
    place: Place
    trail: Trail | None = None

    @property
    def output(self) -> Shape:
        return self.facts.output


def needed(nodes: Sequence[Node], results: Iterable[int]) -> frozenset[int]:
    """The numbers of the nodes on a way to a result; each node comes after what it needs."""
    found = set(results)
    for node in reversed(nodes):
        if node.index in found:
            found.update(node.inputs)
    return frozenset(found)


Ending = Literal["softmax", "sigmoid"]


@dataclass(frozen=True, slots=True)
class Output:
    """A named result of the net."""

    name: str
    node: int


@dataclass(frozen=True, slots=True)
class Auxiliary(Output):
    """A result that exists in training alone; ``weight`` is what its loss counts for beside that of the net's own results."""

    weight: float = 0.3


@dataclass(frozen=True, slots=True)
class Pretrained:
    """Weights that the file asks for: ``weights="vgg16.safetensors"`` at the use of a block, net or part.

    The tensors of ``file`` (as written, relative to the spec; or a row of the table of published checkpoints) go to everything at
    ``path`` and below. ``origin`` is where that part stands in the net it was taken from, ``""`` for all of it: of a file that holds
    the whole net, the tensors below ``origin`` are meant. ``order`` maps by structure instead of by name.
    """

    path: str
    origin: str
    file: str
    order: bool
    place: Place


@dataclass(frozen=True)
class Stage:
    """A stage of training: what it sets again of the section `train`, and where each of that stands."""

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """A checked step of a region ``augment``: a name of :mod:`netspec.augmentations`, and every argument, defaults included."""

    name: str
    arguments: Mapping[str, Any]
    place: Place


@dataclass(frozen=True)
class Section:
    """A checked section of the file: every setting with its value, where each that was written stands, and the stages of `train`."""

    values: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    present: bool = False
    stages: tuple[Stage, ...] = ()


@dataclass(frozen=True, repr=False)
class Graph:
    """A compiled network.

    ``outputs`` are what it gives; ``auxiliary`` outputs exist while training alone, and so does what only they need. ``settings`` are
    the values of the net's own parameters (``classes=10``); ``train`` and ``data`` the checked
    sections of the file. ``labels`` maps every labelled path to the node whose output it names.
    """

    name: str
    source: Source
    nodes: tuple[Node, ...]
    regions: tuple[Region, ...]
    outputs: tuple[Output, ...]
    settings: Mapping[str, Any]
    labels: Mapping[str, int]
    auxiliary: tuple[Auxiliary, ...] = ()
    pretrained: tuple[Pretrained, ...] = ()
    augment: Mapping[str, tuple[Augmentation, ...]] = field(default_factory=dict)
    """What happens to the raw pictures of an input while training, by the input's name: nothing of it is in the net itself."""
    left_out: frozenset[str] = frozenset()
    """The keys of weights that used nets have by themselves and not here, since nothing takes what they lead to: a file may hold them."""
    files: Mapping[str, str] = field(default_factory=dict)
    """The texts of the files that the spec uses, by their paths from its folder, or ``netspec:name``."""
    given: Mapping[str, str] = field(default_factory=dict)
    """What was set from outside, by ``--set`` or from Python, by its name and as it would be written."""
    train: Section = field(default_factory=Section)
    data: Section = field(default_factory=Section)
    expectations: int | None = 0
    """How many expectations of the file hold; ``None`` where the net was set otherwise than written, so that none was checked."""
    sizes: OpenSizes | None = None
    """What is known of the sizes that the inputs leave open, as ``input(3xHxW)`` does; ``None`` where every size is a number."""

    def __repr__(self) -> str:
        inputs = ", ".join(f"{n.path} {show(n.output)}" for n in self.inputs)
        results = ", ".join(f"{name} {show(shape)}" for name, shape in self.output_shapes().items())
        return f"Graph({self.name}: {inputs} -> {results}, {self.parameters:,} parameters)"

    @cached_property
    def inputs(self) -> tuple[Node, ...]:
        """The input nodes, in the order of the text."""
        return tuple(n for n in self.nodes if n.role == "input")

    @cached_property
    def layers(self) -> tuple[Node, ...]:
        """Every node but the inputs."""
        return tuple(n for n in self.nodes if n.role != "input")

    @cached_property
    def owners(self) -> tuple[Node, ...]:
        """The first node of each path: uses of one layer, as of a shared block, share its weights."""
        first: dict[str, Node] = {}
        for node in self.nodes:
            first.setdefault(node.path, node)
        return tuple(first.values())

    @cached_property
    def parameters(self) -> int:
        """How many numbers the net learns or has learned: all parameters, frozen ones too, buffers not, shared ones once."""
        return sum(n.facts.parameters for n in self.owners)

    @cached_property
    def trainable(self) -> int:
        """Parameters outside frozen regions."""
        return sum(n.facts.parameters for n in self.owners if not n.frozen)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of one forward pass over one sample in inference."""
        total = sum(n.facts.macs for n in self.nodes if n.index in self.inferred)
        return total if self.sizes is None else self.sizes.shown(total)

    @cached_property
    def inferred(self) -> frozenset[int]:
        """The nodes that inference needs, by number: all but what serves auxiliary outputs alone."""
        if not self.auxiliary:
            return frozenset(range(len(self.nodes)))
        return needed(self.nodes, (o.node for o in self.outputs))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the text of the spec, and of the files that it uses."""
        import hashlib

        text = self.source.text.encode("utf-8", "surrogatepass")
        if not self.files:
            return hashlib.sha256(text).hexdigest()
        parts = (text, *(f"{key}\n{self.files[key]}".encode("utf-8", "surrogatepass") for key in sorted(self.files)))
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()

    def weights(self) -> Iterator[tuple[str, Weight, Node]]:
        """Every tensor of the state dict: its key, its shape, and the node that owns it."""
        for node in self.owners:
            for name, weight in node.facts.weights.items():
                yield key_of(node.path, name), weight, node

    def ending(self, output: Output) -> Ending | None:
        """The activation that makes probabilities of an output's logits, and serves nothing else: `sigmoid`, `softmax` over channels."""
        node = self.nodes[output.node]
        if node.layer in ("softmax", "sigmoid") and any(output.node in n.inputs for n in self.nodes):
            return None
        if node.layer == "softmax":
            return "softmax" if node.arguments.get("axis", 0) in (0, -len(node.output)) else None
        return "sigmoid" if node.layer == "sigmoid" else None

    def output_shapes(self) -> dict[str, Shape]:
        """The outputs by name."""
        return {o.name: self.nodes[o.node].output for o in self.outputs}
