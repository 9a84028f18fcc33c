"""Parts of nets used as blocks.

A part is found by writing its whole net out, apart and for nothing else, since labels may be computed and widths may depend on what came
before; then the step that was found is written out where it is used, on what flows in there.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import Trail, problems
from netspec.diagnostics.collector import Collector
from netspec.layer import layers
from netspec.resolve.arguments import Bound
from netspec.resolve.declarations import STEPS
from netspec.resolve.emit import UNKNOWN_TENSOR, Emitter, Frame, Overflow
from netspec.resolve.evaluate import whole
from netspec.resolve.nets import Given, NetUser
from netspec.resolve.replay import typed
from netspec.resolve.routes import Route, Search, Way, no_such_part
from netspec.resolve.scope import MISSING, Labelled, Namespace, Outside, Scope
from netspec.resolve.walk import Here, Part
from netspec.source import Place, Span
from netspec.syntax import ast
from netspec.values import Tensor, show

if TYPE_CHECKING:
    from netspec.resolve.opening import Trace


@dataclass(frozen=True)
class Apart:
    """A net that is written out to find a part of it: the way to that, and the use that asks for it."""

    way: Way
    route: Route
    given: Given
    op: ast.UseOf
    here: Here


class PartUser(NetUser):
    """Uses parts of nets. ``search`` is for a part to be found while its net is written out."""

    def __init__(self, emitter: Emitter) -> None:
        super().__init__(emitter)
        self.search: Search | None = None
        self.overflowed = False
        """Whether there was more of this net than allowed."""
        self._searches: dict[Hashable, Search] = {}

    def part(self, route: Route, op: ast.UseOf, here: Here) -> Tensor | None:
        """A use of a part of a net."""
        frame = here.frame
        given = self.given(route.definition, op, here, whole=False)
        search = None if given is None else self._search(route, given, op, here)
        window = None if search is None else self._window(route, search, op, here)
        if given is None or search is None or search.found is None or (window is not None and not window):
            frame.namespace.number()
            return self.labelled(here, UNKNOWN_TENSOR)
        found = search.found
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
            blocks=(*frame.blocks, given.base.net),
            depth=frame.depth + 1,
            in_loop=False,
        )
        part = Part(found.operation, inner, self._path(found, here), window)
        self.keep_pretrained(part.path, found.path, given.base.net, given.bound, frame)
        region = len(self.emitter.regions)
        tensor = self.run(part.operation, Here(inner, here.flow, here.label, None, 0, part)) or UNKNOWN_TENSOR
        if region < len(self.emitter.regions) and inner.trail is not None:
            self.borrowed[region] = inner.trail
        self.emitter.mark(part.path, tensor)
        return self.labelled(here, tensor, part.inside)

    def _path(self, found: Part, here: Here) -> str:
        """The path of a part where it is used."""
        name = _name(found.operation)
        block = None if name is None else found.frame.home.find(name)
        if block is not None and isinstance(block.item, ast.Block) and block.item.shared:
            return self.shared_path(block.item, here.frame)
        namespace = here.frame.namespace
        return namespace.join(str(namespace.count) if here.label is None else here.label)

    def _search(self, route: Route, given: Given, op: ast.UseOf, here: Here) -> Search | None:
        """The step that a route leads to, found; ``None`` after a report."""
        way: Way = ()
        for element in route.way:
            if isinstance(element, int) and element < 0:  # from the end
                region = self._searched(way, route, given, op, here)
                if region is None:
                    return None
                element += region.inside.count if region.inside is not None else 0
            way = (*way, element)
        search = self._searched(way, route, given, op, here)
        if search is not None and search.found is None:
            self.report(here.frame, no_such_part(route, search), op.reference.span)
        return search

    def _searched(self, way: Way, route: Route, given: Given, op: ast.UseOf, here: Here) -> Search | None:
        """Write the net out, apart, and look for a step; ``None`` after a report of what is wrong in the net."""
        key = (given.base.net, way, tuple((name, typed(value)) for name, value in given.values.items()))
        if key not in self._searches:
            search = self._apart(Apart(way, route, given, op, here))
            if search is None:
                return None
            self._searches[key] = search
        return self._searches[key]

    def _apart(self, apart: Apart) -> Search | None:
        """Write a net out by a user of its own, at sizes of its own where it leaves any open; ``None`` after reports."""
        if self.emitter.trace is None:
            user = self._write_out(apart, None)
        else:
            from netspec.resolve.opening import at_own_sizes

            user = at_own_sizes(lambda trace: self._write_out(apart, trace), lambda user: not user.emitter.collector.failed)
        collector = user.emitter.collector
        for d in collector.diagnostics if collector.failed else ():
            self.emitter.collector.add(d.problem, d.place, d.related, d.trail)
        if user.overflowed:
            raise Overflow(0)
        self.holes |= user.holes
        return None if collector.failed or user.holes else user.search

    def _write_out(self, apart: Apart, trace: Trace | None) -> PartUser:
        """The user that has written a net out and found a part, or not, with what was wrong."""
        outer, net, namespace = apart.here.frame, apart.given.base.net, Namespace("")
        user = type(self)(Emitter(Collector(), self.emitter.max_nodes, trace))
        user.repeats, user.spent, user.search, user._searches = False, self.spent, Search(apart.way, namespace), self._searches
        frame = Frame(
            apart.given.base.home,
            Scope(namespace),
            namespace,
            user.emitter.region("net", "", net.name, None),
            trail=Trail(apart.route.text, Place(outer.source, apart.op.span), outer.trail),
            blocks=(*outer.blocks, net),
            depth=outer.depth + 1,
            text=net.body,
        )
        try:
            values = {name: _standing_in(value, name, user.emitter, frame, apart.op.span) for name, value in apart.given.values.items()}
            if user.parameters(net.parameters, values, frame, None):
                user.body(net.body, frame, None)
        except Overflow as overflow:
            user.overflowed = True
            if overflow.nodes:
                place = Place(overflow.source or frame.source, overflow.span or net.name_span)
                user.emitter.collector.add(problems.ExpandsTooFar(overflow.nodes, self.emitter.max_nodes), place, (), frame.trail)
        self.spent = user.spent + len(user.emitter.nodes)
        return user

    def passing(self, step: ast.Step, label: str | None, frame: Frame) -> None:
        if self.search is not None:
            self.search.passing(step, label, frame, self._has_position(step.operation, label, frame))

    def _has_position(self, operation: ast.Operation, label: str | None, frame: Frame) -> bool:
        """Whether a step has a number: layers and uses of blocks and nets do, merges and braces where they have a label."""
        while isinstance(operation, ast.Frozen):
            operation = operation.operation
        if not isinstance(operation, ast.UseOf):
            return label is not None
        if self._is_tensor(operation, frame):
            return False
        name = _name(operation)
        if name is None or (label is not None and name not in STEPS) or (label is not None and name == "residual"):
            return True
        layer = layers().get(name)
        return frame.home.find(name) is not None if layer is None else not layer.is_merge

    def inside(self, here: Here) -> Namespace:
        namespace = super().inside(here)
        if self.search is not None:
            self.search.entered(namespace)
        return namespace

    def enter(
        self, inner: Frame, item: ast.Block | ast.Net, path: str, bound: Bound, op: ast.UseOf, here: Here, name: str | None = None
    ) -> None:
        super().enter(inner, item, path, bound, op, here, name)
        if self.search is not None:
            self.search.entered(inner.namespace)

    def _window(self, route: Route, search: Search, op: ast.UseOf, here: Here) -> range | None:
        """The positions to write out, ``None`` for all of them; none at all after a report."""
        outer = here.part.window if here.part is not None else None
        if route.slice is None or search.found is None:
            return outer
        if why := _no_row(search):
            self.report(here.frame, problems.CannotSlice(route.text, why), op.reference.span)
            return range(0)
        assert search.inside is not None
        taken = self._cut(route.slice, search.inside.count, here)
        if taken is None:
            return range(0)
        for there in (search.inside.window, outer):
            taken = taken if there is None else range(max(taken.start, there.start), min(taken.stop, there.stop))
        if not taken:
            self.report(here.frame, problems.NothingInSlice(route.text, search.inside.count), op.reference.span)
        return taken

    def _cut(self, cut: ast.Slice, count: int, here: Here) -> range | None:
        """What a slice takes of so many steps; ``None`` after a report."""
        bounds: list[int | None] = []
        for e in (cut.start, cut.stop):
            value = None if e is None else self.value(e, here.frame, here.flow)
            if value is UNKNOWN_TENSOR:
                return None
            if e is not None and whole(value) is None:
                self.report(here.frame, problems.BadValue("slice", "each position", "a whole number", show(value)), e.span)
                return None
            bounds.append(whole(value))
        return range(count)[slice(*bounds)]

    def route(self, op: ast.UseOf, here: Here) -> Route | None:
        """The part of a net that a reference names; ``None`` after a report."""
        frame = here.frame
        text = frame.source.text[op.reference.span.start : op.reference.span.end]
        reference: ast.Expression = op.reference
        cut = None
        if isinstance(reference, ast.Index) and isinstance(reference.index, ast.Slice):
            cut, reference = reference.index, reference.value
        way: list[str | int] = []
        while isinstance(reference, ast.Attribute | ast.Index):
            element = reference.name if isinstance(reference, ast.Attribute) else self._number(reference.index, text, here)
            if element is None:
                return None
            way.insert(0, element)
            reference = reference.value
        assert isinstance(reference, ast.Name)
        definition = frame.home.find(reference.name)
        assert definition is not None
        if not way:
            self.report(frame, problems.CannotSlice(text, "it is a whole net"), op.reference.span)
            return None
        return Route(definition, tuple(way), cut, text)

    def _number(self, e: ast.Expression | ast.Slice, text: str, here: Here) -> int | None:
        """The number of a step; ``None`` after a report."""
        if isinstance(e, ast.Slice):
            self.report(here.frame, problems.CannotSlice(text, "it goes on behind a slice"), e.span)
            return None
        value = self.value(e, here.frame, here.flow)
        if value is UNKNOWN_TENSOR:
            return None
        if (number := whole(value)) is None:
            self.report(here.frame, problems.BadValue(text, "each number", "a whole number", show(value)), e.span)
        return number

    def of_net(self, reference: ast.Reference, frame: Frame) -> bool:
        """Whether a dotted name begins with the name of a net."""
        root: ast.Expression = reference
        while isinstance(root, ast.Attribute | ast.Index):
            root = root.value
        if root is reference or not isinstance(root, ast.Name) or frame.scope.lookup(root.name) is not MISSING:
            return False
        definition = frame.home.find(root.name)
        return definition is not None and not isinstance(definition.item, ast.Block)


def _no_row(search: Search) -> str | None:
    """Why what was found is not a row of steps, if that is so."""
    if search.inside is None:
        return "it is one layer"
    layer = layers().get(name) if search.found is not None and (name := _name(search.found.operation)) else None
    if (layer is not None and layer.is_merge) or name == "residual":
        return "it is a merge, and its branches do not stand one behind the other"
    return None


def _name(operation: ast.Operation) -> str | None:
    """The plain name of what a step uses."""
    while isinstance(operation, ast.Frozen):
        operation = operation.operation
    plain = isinstance(operation, ast.UseOf) and isinstance(operation.reference, ast.Name)
    return operation.reference.name if plain else None  # type: ignore[union-attr]


def _outside(seen: Scope, part: str) -> Scope:
    """What a part of a net can see of what lies around it: values, and no tensors."""
    scope = Scope(Namespace(""))
    for name, value in seen.variables.items():
        scope.variables[name] = Outside(part) if _holds_tensor(value) else value
    return scope


def _standing_in(value: Any, name: str, emitter: Emitter, frame: Frame, span: Span) -> Any:
    """A value of a parameter with tensors of its own net in the place of those that it holds."""
    if isinstance(value, tuple) and _holds_tensor(value):
        return tuple(_standing_in(item, name, emitter, frame, span) for item in value)
    return emitter.input(frame, name, None, value.shape, span) if isinstance(value, Tensor) and value.shape else value


def _holds_tensor(value: object) -> bool:
    return any(map(_holds_tensor, value)) if isinstance(value, tuple) else isinstance(value, Labelled | Tensor)
