"""Whole nets used as blocks.

A net takes what flows in in the place of its first input, and leaves its `preprocess` to the net around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from netspec.diagnostics import problems
from netspec.kinds import Flow
from netspec.resolve.arguments import Binder, Bound, all_words
from netspec.resolve.blocks import BlockUser, block_signature, use_signature
from netspec.resolve.declarations import Base, Definition
from netspec.resolve.emit import UNKNOWN_TENSOR, Feed, Frame
from netspec.resolve.evaluate import Evaluator
from netspec.resolve.scope import Namespace, Scope
from netspec.resolve.walk import Here
from netspec.signature import REQUIRED, Parameter, Signature
from netspec.syntax import ast
from netspec.values import Tensor


@dataclass(frozen=True)
class Given:
    """What the use of a net, or of a part of one, is given: the net, its arguments, and with the aliases' its parameters' values."""

    base: Base
    bound: Bound
    values: Mapping[str, Any]


class NetUser(BlockUser):
    """Uses whole nets."""

    def definition(self, definition: Definition, op: ast.UseOf, here: Here) -> Tensor | None:
        inner = here.frame.child(home=definition.home, scope=here.frame.scope)
        if isinstance(definition.item, ast.Block):
            return self.block(definition.item, here, op, inner)
        given = self.given(definition, op, here, whole=True)
        number = here.frame.namespace.number()
        if given is None:
            return self.labelled(here, UNKNOWN_TENSOR)
        return self._net(given, here.frame.namespace.join(str(number) if here.label is None else here.label), op, here, inner)

    def _net(self, given: Given, path: str, op: ast.UseOf, here: Here, inner: Frame) -> Tensor | None:
        net = given.base.net
        inner.home = given.base.home
        name = given.base.aliases[0].item.name if given.base.aliases else net.name
        self.enter(inner, net, path, given.bound, op, here, name)
        inner.root = inner.region
        if inner.trail is not None:
            self.borrowed[inner.region] = inner.trail
        inputs = {name: given.bound.arguments.get(name) for name, _ in _inputs(net.body)}
        inner.feed = feed = Feed(here.flow, {name: t for name, t in inputs.items() if isinstance(t, Tensor)})
        if not self.parameters(net.parameters, given.values, inner, here.flow):
            return self.labelled(here, UNKNOWN_TENSOR, inner.namespace)
        flow = self.body(net.body, inner, here.flow) or UNKNOWN_TENSOR
        if feed.outputs:  # the first; the others are labelled inside
            node = feed.outputs[0].node
            flow = Tensor(node, self.emitter.nodes[node].output) if node >= 0 else UNKNOWN_TENSOR
        self.emitter.mark(path, flow)
        return self.labelled(here, flow, inner.namespace)

    def given(self, definition: Definition, op: ast.UseOf, here: Here, whole: bool) -> Given | None:
        """What a use is given; ``None`` after reports. With ``whole`` it is of the whole net, which takes tensors for its other inputs."""
        base = definition.home.base_of(definition, self.emitter.collector)
        if base is None:
            return None
        signature = _signature(base.net, whole)
        bound = self.arguments(base.net, signature, op, here)
        if bound is None or not self._flows(op, here):
            return None
        own = {p.name: bound.arguments[p.name] for p in base.net.parameters if p.name in bound.spans}
        values = alias_values(base, own, self, here.frame)
        if values is None:
            return None
        if missing := tuple(p.name for p in base.net.parameters if p.default is None and p.name not in values):
            self.report(here.frame, problems.MissingArguments(definition.item.name, missing, str(signature)), op.span)
            return None
        return Given(base, bound, values)

    def _flows(self, op: ast.UseOf, here: Here) -> bool:
        """Whether a net can stand here: behind a tensor, and not in ``preprocess``."""
        name = here.frame.source.text[op.reference.span.start : op.reference.span.end]
        if here.flow is None:
            self.report(here.frame, problems.NothingFlows(name), op.span)
        elif here.frame.role == "preprocess":
            self.report(
                here.frame, problems.NotAStep(name, "is a net, and cannot be part of preprocess", "put it behind the region"), op.span
            )
        else:
            return True
        return False


def _signature(net: ast.Net, whole: bool) -> Signature:
    """What a use of a net takes: its parameters, where its weights are, and tensors for its inputs beside the first."""
    own = use_signature(net.parameters, all_optional=True).parameters
    if not whole:
        return Signature(1, False, own)
    names = {p.name for p in net.parameters}
    others = [(name, certain) for name, certain in list(_inputs(net.body))[1:] if name not in names]
    inputs = {name: Parameter(name, Flow(), REQUIRED if certain else None, False, not certain) for name, certain in others}
    return Signature(1, False, (*own[: len(names)], *inputs.values(), *(p for p in own[len(names) :] if p.name not in inputs)))


def _inputs(body: ast.Body, certain: bool = True) -> Iterator[tuple[str, bool]]:
    """The labels of a net's inputs in the order of the text, and whether the net has them in any case."""
    for step in (s for chain in body.statements if isinstance(chain, ast.Chain) for s in chain.steps):
        operation: ast.Operation | ast.Body | None = step.operation
        if isinstance(operation, ast.UseOf):
            label = step.label.parts if step.label is not None else ("input",)
            if isinstance(operation.reference, ast.Name) and operation.reference.name == "input" and isinstance(label[0], str):
                yield label[0], certain
        elif isinstance(operation, ast.Region):
            yield from _inputs(operation.body, certain)
        while isinstance(operation, ast.If):
            yield from _inputs(operation.then, certain=False)
            operation = operation.otherwise
        if isinstance(operation, ast.Body):
            yield from _inputs(operation, certain=False)


def alias_values(base: Base, given: Mapping[str, Any], user: BlockUser, frame: Frame) -> dict[str, Any] | None:
    """Values of a net's parameters: those given, then those of the aliases on the way to it, the nearest first; ``None`` after a report."""
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
