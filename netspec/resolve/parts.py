"""Nets, and parts of nets, used as blocks.

A net takes what flows in in the place of its first input, and leaves its `preprocess` to the net around it. A part is found by writing
its whole net out, apart and for nothing else, since labels may be computed and widths may depend on what came before; then the step
that was found is written out here, on what flows in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from netspec.diagnostics import Trail, problems
from netspec.diagnostics.collector import Collector
from netspec.diagnostics.text import closest
from netspec.layer import layers
from netspec.resolve.arguments import Binder, Bound, all_words
from netspec.resolve.blocks import BlockUser, block_signature, use_signature
from netspec.resolve.declarations import Base, Definition
from netspec.resolve.emit import UNKNOWN_TENSOR, Emitter, Feed, Frame, Overflow
from netspec.resolve.evaluate import Evaluator, Failure, whole
from netspec.resolve.scope import MISSING, Labelled, Namespace, Outside, Scope
from netspec.resolve.walk import Here, Part
from netspec.source import Place
from netspec.syntax import ast
from netspec.values import Tensor


@dataclass(frozen=True)
class Route:
    """Where a part lies in its net: ``vgg16.features[:17]`` is the net vgg16, the path features, and a slice."""

    definition: Definition
    path: str
    slice: ast.Slice | None
    text: str


class PartUser(BlockUser):
    """Uses nets and parts of nets. ``wanted`` is the path of a part to be found while its net is written out."""

    def __init__(self, emitter: Emitter) -> None:
        super().__init__(emitter)
        self.wanted: str | None = None
        self.found: Part | None = None
        self._parts: dict[object, Part | None] = {}

    def definition(self, definition: Definition, op: ast.UseOf, here: Here) -> Tensor | None:
        inner = here.frame.child(home=definition.home, scope=here.frame.scope)
        if isinstance(definition.item, ast.Block):
            return self.block(definition.item, here, op, inner)
        base = definition.home.base_of(definition, self.emitter.collector)
        if base is None:
            here.frame.namespace.number()
            return self.labelled(here, UNKNOWN_TENSOR)
        return self._net(base, op, here, inner)

    def _net(self, base: Base, op: ast.UseOf, here: Here, inner: Frame) -> Tensor | None:
        """A use of a whole net."""
        frame = here.frame
        _, *others = _inputs(base.net) or [""]
        number = frame.namespace.number()
        bound = self.arguments(base.net, use_signature(base.net.parameters, others, all_optional=True), op, here)
        values = None if bound is None else self._values(base, bound, inner)
        if bound is None or values is None:
            return self.labelled(here, UNKNOWN_TENSOR)
        path = frame.namespace.join(str(number) if here.label is None else here.label)
        inner.home = base.home
        self.enter(inner, base.net, path, bound, op, here)
        inner.root = inner.region
        self.borrowed.add(inner.region)
        inner.feed = feed = Feed(here.flow, {name: bound.arguments[name] for name in others})
        if not self.parameters(base.net.parameters, values, inner, here.flow):
            return self.labelled(here, UNKNOWN_TENSOR, inner.namespace)
        flow = self.body(base.net.body, inner, here.flow) or UNKNOWN_TENSOR
        if feed.outputs:  # the first; the others are labelled inside
            flow = Tensor(feed.outputs[0].node, self.emitter.nodes[feed.outputs[0].node].output) if feed.outputs[0].node >= 0 else flow
        self.emitter.mark(path, flow)
        return self.labelled(here, flow, inner.namespace)

    def _values(self, base: Base, bound: Bound, frame: Frame) -> dict[str, Any] | None:
        """Values of a net's parameters: those of the use, then those of the aliases, the nearest first."""
        given = {p.name: bound.arguments[p.name] for p in base.net.parameters if p.name in bound.spans}
        return alias_values(base, given, self, frame)

    def part(self, route: Route, op: ast.UseOf, here: Here) -> Tensor | None:
        """A use of a part of a net."""
        frame = here.frame
        base = route.definition.home.base_of(route.definition, self.emitter.collector)
        bound = None if base is None else self.arguments(base.net, use_signature(base.net.parameters, all_optional=True), op, here)
        inner = frame.child(home=route.definition.home, scope=frame.scope)
        values = None if base is None or bound is None else self._values(base, bound, inner)
        found = None if base is None or values is None else self._find(route, base, values, here, op)
        if base is None or bound is None or found is None:
            frame.namespace.number()
            return self.labelled(here, UNKNOWN_TENSOR)
        path = frame.namespace.join(str(frame.namespace.count) if here.label is None else here.label)
        self.keep_pretrained(path, route.path, bound, frame, op.span)
        inner = replace(
            found.frame,
            namespace=frame.namespace,
            scope=_outside(found.frame.scope, route.text),
            region=frame.region,
            root=frame.root,
            feed=None,
            frozen=frame.frozen,
            role=frame.role,
            trail=Trail(route.text, Place(frame.source, op.span), frame.trail),
            blocks=(*frame.blocks, base.net),
            depth=frame.depth + 1,
            in_loop=False,
        )
        part = Part(found.operation, inner, self._window(route, found, frame, op))
        tensor = self.run(part.operation, Here(inner, here.flow, here.label, None, 0, part))
        if part.window is not None and part.inside is not None and part.inside.window is None:
            self.report(frame, problems.CannotSlice(route.text, "it is one layer"), op.reference.span)
        return self.labelled(here, tensor or UNKNOWN_TENSOR, part.inside)

    def _find(self, route: Route, base: Base, values: Mapping[str, Any], here: Here, op: ast.UseOf) -> Part | None:
        """The step that a route leads to; ``None`` after a report."""
        key = (base.net, route.path, tuple(values.items()))
        if key in self._parts:
            return self._parts[key]
        apart = type(self)(Emitter(Collector(), self.emitter.max_nodes))
        apart.wanted, apart.repeats = route.path, False
        namespace = Namespace("")
        region = apart.emitter.region("net", "", base.net.name, None)
        frame = Frame(base.home, Scope(namespace), namespace, region, blocks=(*here.frame.blocks, base.net), text=base.net.body)
        try:
            if apart.parameters(base.net.parameters, values, frame, None):
                apart.body(base.net.body, frame, None)
        except Overflow:
            self.report(here.frame, problems.TooManySteps(self.emitter.max_nodes), op.span)
            return None
        if apart.emitter.collector.failed:
            self.emitter.collector.extend(list(apart.emitter.collector.diagnostics))
            return None
        if apart.found is None:
            known = tuple(apart.emitter.labels)
            problem = problems.NoSuchPartOfNet(base.net.name, route.path, known, closest(route.path, known))
            self.report(here.frame, problem, op.reference.span)
        self._parts[key] = apart.found
        return apart.found

    def passing(self, step: ast.Step, label: str | None, frame: Frame) -> None:
        if self.wanted is None or self.found is not None:
            return
        if frame.namespace.join(str(frame.namespace.count) if label is None else label) != self.wanted:
            return
        if label is not None or self._has_position(step.operation, frame):
            self.found = Part(step.operation, replace(frame, scope=_flat(frame)))

    def _has_position(self, operation: ast.Operation, frame: Frame) -> bool:
        """Whether a step without a label has a number: layers and uses of blocks and nets do, merges and braces do not."""
        while isinstance(operation, ast.Frozen):
            operation = operation.operation
        if not isinstance(operation, ast.UseOf) or self._is_tensor(operation, frame):
            return False
        if not isinstance(operation.reference, ast.Name):
            return True
        layer = layers().get(operation.reference.name)
        return frame.home.find(operation.reference.name) is not None if layer is None else not layer.is_merge

    def inside(self, here: Here) -> Namespace:
        namespace = super().inside(here)
        self._noticed(namespace)
        return namespace

    def _noticed(self, namespace: Namespace) -> None:
        """Keep the namespace inside the part that is looked for: it counts its steps."""
        if self.found is not None and self.found.inside is None and namespace.path == self.wanted:
            self.found.inside = namespace

    def enter(self, inner: Frame, item: ast.Block | ast.Net, path: str, bound: Bound, op: ast.UseOf, here: Here) -> None:
        super().enter(inner, item, path, bound, op, here)
        self._noticed(inner.namespace)

    def _window(self, route: Route, found: Part, frame: Frame, op: ast.UseOf) -> range | None:
        """The positions that a slice takes; a report and all of them where it takes none."""
        if route.slice is None:
            return None
        if found.inside is None:
            self.report(frame, problems.CannotSlice(route.text, "it is one layer"), op.reference.span)
            return None
        bounds = []
        for bound in (route.slice.start, route.slice.stop):
            value = None if bound is None else self.value(bound, frame, None)
            if value is UNKNOWN_TENSOR:
                return None
            if value is not None and whole(value) is None:
                self.report(frame, problems.BadIndex(str(value), found.inside.count), op.reference.span)
                return None
            bounds.append(None if value is None else whole(value))
        window = range(found.inside.count)[slice(*bounds)]
        if not window:
            self.report(frame, problems.NothingInSlice(route.text, found.inside.count), op.reference.span)
            return None
        return window

    def route(self, op: ast.UseOf, here: Here) -> Route | None:
        """The part of a net that a reference names; ``None`` where it names none."""
        reference: ast.Expression = op.reference
        text = here.frame.source.text[op.reference.span.start : op.reference.span.end]
        cut = None
        if isinstance(reference, ast.Index) and isinstance(reference.index, ast.Slice):
            cut, reference = reference.index, reference.value
        parts: list[str] = []
        while isinstance(reference, ast.Attribute | ast.Index):
            if isinstance(reference, ast.Attribute):
                parts.append(reference.name)
            elif isinstance(reference.index, ast.Slice) or (number := self._number(reference.index, here)) is None:
                return None
            else:
                parts.append(str(number))
            reference = reference.value
        if not isinstance(reference, ast.Name) or not parts or here.frame.scope.lookup(reference.name) is not MISSING:
            return None
        definition = here.frame.home.find(reference.name)
        if definition is None or isinstance(definition.item, ast.Block):
            return None
        return Route(definition, ".".join(reversed(parts)), cut, text)

    def _number(self, e: ast.Expression, here: Here) -> int | None:
        try:
            return whole(Evaluator(here.frame.scope, here.flow).value(e))
        except Failure:
            return None


def alias_values(base: Base, given: Mapping[str, Any], user: BlockUser, frame: Frame) -> dict[str, Any] | None:
    """Values of a net's parameters: those given, then those of the aliases on the way to it, the nearest first."""
    values = dict(given)
    for definition in base.aliases:
        alias = definition.item
        assert isinstance(alias, ast.NetAlias)
        binder = Binder(alias.base, Evaluator(Scope(Namespace(""))), user.reporter(replace(frame, home=definition.home)))
        binder.passed_on = all_words()
        bound = binder.bind(block_signature(base.net.parameters, all_optional=True), alias.arguments, alias.span)
        if bound is None:
            return None
        for parameter in bound.spans:
            values.setdefault(parameter, bound.arguments[parameter])
    return values


def _inputs(net: ast.Net) -> list[str]:
    """The labels of a net's inputs, in the order of the text."""
    steps = (step for chain in net.body.statements if isinstance(chain, ast.Chain) for step in chain.steps)
    uses = ((s.label, s.operation.reference) for s in steps if isinstance(s.operation, ast.UseOf))
    return [
        str(label.parts[0]) if label is not None else "input" for label, name in uses if isinstance(name, ast.Name) and name.name == "input"
    ]


def _flat(frame: Frame) -> Scope:
    """All that can be seen at a place, as variables; tensors and labels as they are."""
    scope = Scope(Namespace(""))
    for name in frame.scope.names():
        scope.variables.setdefault(name, frame.scope.lookup(name))
    return scope


def _outside(seen: Scope, part: str) -> Scope:
    """What a part of a net can see of what lies around it: values, and no tensors."""
    scope = Scope(Namespace(""))
    for name, value in seen.variables.items():
        scope.variables[name] = Outside(part) if isinstance(value, Labelled | Tensor) else value
    return scope
