"""Nodes as they come to be: each is inferred at once, so that what follows can ask for its shape.

``x.channels`` makes shapes part of evaluation: a block's width may depend on what flows in, a loop's length on a width. So
writing out and inferring are one walk, and this is its inferring half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from netspec.diagnostics import Problem, Related, Trail, problems
from netspec.diagnostics.collector import Collector
from netspec.graph import Facts, Node, Output, Region
from netspec.layer import Layer, layers
from netspec.lowering import X, nn
from netspec.resolve.declarations import Declarations
from netspec.resolve.nearby import labels_of, told
from netspec.resolve.scope import Labelled, Namespace, Scope
from netspec.shape import Shape
from netspec.source import Place, Source, Span
from netspec.syntax import ast
from netspec.values import Tensor

if TYPE_CHECKING:
    from netspec.resolve.opening import Trace

UNKNOWN_TENSOR = Tensor(-1, None)


@dataclass(slots=True)
class Feed:
    """What a net used inside another gets in the place of its inputs, and what it gives in the place of its outputs."""

    flow: Tensor | None
    inputs: Mapping[str, Tensor]
    first: bool = True
    """Whether no input has been met yet: the first takes what flows in."""
    outputs: list[Output] = field(default_factory=list)


@dataclass(slots=True)
class Frame:
    """Where a statement stands: what its names mean, where its labels go, and how its layers live."""

    home: Declarations
    scope: Scope
    namespace: Namespace
    region: int = 0
    frozen: bool = False
    role: Literal["preprocess", "layer"] = "layer"
    trail: Trail | None = None
    blocks: tuple[ast.Block | ast.Net, ...] = ()
    """The blocks and nets whose uses this is inside of."""
    depth: int = 0
    in_loop: bool = False
    text: ast.Body | None = None
    """The body of the net or block that this is in."""
    root: int = 0
    """The region that is the net itself, or the use of one."""
    feed: Feed | None = None
    """For what is in a net that another one uses."""

    @property
    def source(self) -> Source:
        return self.home.source

    def child(self, **changes: Any) -> Frame:
        """A frame for a body within this one, with a scope of its own."""
        inner = replace(self, depth=self.depth + 1, **changes)
        if "scope" not in changes:
            inner.scope = Scope(inner.namespace, self.scope)
        return inner


class Overflow(Exception):
    """More nodes than allowed: how many there would be, and what makes them; 0 for work that goes on without making any."""

    def __init__(self, nodes: int, span: Span | None = None, source: Source | None = None) -> None:
        super().__init__(nodes)
        self.nodes = nodes
        self.span = span
        self.source = source


class Emitter:
    """Makes nodes, regions and labels, and reports what does not fit."""

    def __init__(self, collector: Collector, max_nodes: int, trace: Trace | None = None) -> None:
        self.collector = collector
        self.max_nodes = max_nodes
        self.trace = trace
        self.nodes: list[Node] = []
        self.regions: list[Region] = []
        self.labels: dict[str, int] = {}
        self._labels: dict[ast.Body, dict[str, Span]] = {}

    def report(self, frame: Frame, problem: Problem, span: Span, related: Mapping[Span, str] | None = None) -> None:
        """Put a problem where problems go. Raises :class:`Overflow` when there are too many to go on."""
        spots = tuple(Related(Place(frame.source, s), text) for s, text in (related or {}).items())
        place = Place(frame.source, span)
        self.collector.add(told(problem, frame.scope, place, self._labels_around(frame)), place, spots, frame.trail)
        if self.collector.full:
            raise Overflow(0)

    def _labels_around(self, frame: Frame) -> dict[str, Span]:
        """The labels of the net or block around, looked up once."""
        if frame.text is None:
            return {}
        if frame.text not in self._labels:
            self._labels[frame.text] = labels_of(frame.text)
        return self._labels[frame.text]

    def asked(self, frame: Frame, span: Span) -> None:
        """Remember that what the text has just decided by open sizes was decided here."""
        if self.trace is not None:
            self.trace.asked(Place(frame.source, span), frame.trail)

    def region(self, kind: Literal["net", "region", "block"], path: str, title: str, frame: Frame | None) -> int:
        """A new region inside the frame's, by number."""
        if frame is None:
            self.regions.append(Region(kind, path, title, -1))
        else:
            self.regions.append(Region(kind, path, title, frame.region, frame.frozen, frame.role))
        return len(self.regions) - 1

    def label(self, frame: Frame, name: str, span: Span, tensor: Tensor, inside: Namespace | None = None) -> None:
        """Name a step's output, in the region around it."""
        if name in layers() and frame.source.text[span.start] != '"':
            self.report(frame, problems.TakenName(name, "label"), span)
        labels = frame.namespace.labels
        if name in labels:
            first = labels[name].place
            related = {first.span: "first here"} if first.source is frame.source and first.span != span else {}
            self.report(frame, problems.DefinedTwice(name, "label", frame.in_loop), span, related)
            return
        if name in frame.namespace.unlabelled and (there := self._standing_at(frame.namespace.join(name))):
            self.report(frame, problems.DefinedTwice(name, "path"), span, {there.place.span: "first here"})
        labels[name] = Labelled(tensor, Place(frame.source, span), inside)
        twin = frame.namespace.folded.setdefault(name.casefold(), name)
        if twin != name:
            self.report(frame, problems.DifferByCase(twin, name, "labels"), span, {labels[twin].place.span: "the other one"})
        self.mark(frame.namespace.join(name), tensor)

    def _standing_at(self, path: str) -> Node | None:
        """The first node at a path or below it."""
        return next((n for n in self.nodes if n.path == path or n.path.startswith(f"{path}.")), None)

    def mark(self, path: str, tensor: Tensor) -> None:
        """Remember which node's output a path names."""
        if tensor.node >= 0:
            self.labels.setdefault(path, tensor.node)

    def input(self, frame: Frame, name: str, label: str | None, shape: Shape, span: Span) -> Tensor:
        facts = Facts(shape, nn.Identity(), X)
        return self._add(frame, name, "input", label, {"shape": shape}, (), facts, span, "input")

    def layer(
        self,
        frame: Frame,
        layer: Layer,
        label: str | None,
        inputs: Sequence[Tensor],
        arguments: Mapping[str, Any],
        span: Span,
    ) -> Tensor:
        """Use a layer. What comes of an unknown input is unknown; raises :class:`Reject` where a rule of the layer is broken."""
        path = self._path(frame.namespace, layer, label)
        shapes = tuple([t.shape for t in inputs])
        if None in shapes:
            return UNKNOWN_TENSOR
        facts: Facts
        if self.trace is None:
            facts = layer.infer(shapes, arguments)  # type: ignore[arg-type]
        else:
            facts = self.trace.infer(layer, shapes, arguments, Place(frame.source, span), frame.trail)  # type: ignore[arg-type]
        return self._add(frame, path, layer.name, label, arguments, tuple([t.node for t in inputs]), facts, span, frame.role)

    def history(self, tensor: Tensor | None) -> tuple[Shape, ...]:
        """How a tensor came to its shape: the shapes before it, each once, the input's first."""
        shapes: list[Shape] = []
        index = -1 if tensor is None else tensor.node
        while index >= 0:
            node = self.nodes[index]
            if not shapes or shapes[-1][1:] != node.output[1:]:
                shapes.append(node.output)
            index = node.inputs[0] if node.inputs else -1
        return tuple(reversed(shapes))

    def _path(self, namespace: Namespace, layer: Layer, label: str | None) -> str:
        if layer.is_merge:
            if label is not None:
                namespace.number()
                return namespace.join(label)
            return namespace.spare_path(layer.name)
        number = namespace.number()
        return namespace.join(str(number) if label is None else label)

    def _add(
        self,
        frame: Frame,
        path: str,
        layer: str,
        label: str | None,
        arguments: Mapping[str, Any],
        inputs: tuple[int, ...],
        facts: Facts,
        span: Span,
        role: Literal["input", "preprocess", "layer"],
    ) -> Tensor:
        index = len(self.nodes)
        if index >= self.max_nodes:
            raise Overflow(index + 1, span, frame.source)
        place = Place(frame.source, span)
        self.nodes.append(Node(index, path, layer, label, arguments, inputs, facts, role, frame.frozen, frame.region, place, frame.trail))
        return Tensor(index, facts.output)
