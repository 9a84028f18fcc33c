"""Statements to nodes: chains, regions, conditions, loops, and the uses of layers, merges and blocks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from netspec.diagnostics import Problem, Trail, problems
from netspec.diagnostics.text import escape
from netspec.layer import Layer, Reject, layers
from netspec.limits import NAME_LENGTH
from netspec.resolve.arguments import Binder, Bound, Report, all_words
from netspec.resolve.emit import UNKNOWN_TENSOR, Emitter, Frame, Overflow
from netspec.resolve.evaluate import Evaluator, Failure
from netspec.resolve.scope import Namespace, Scope
from netspec.shape import show as show_shape
from netspec.signature import REQUIRED, Anything, Parameter, Signature
from netspec.source import Place, Span
from netspec.syntax import ast
from netspec.values import UNKNOWN, Tensor, kind, show

DEPTH: Final = 64
_MANY: Final = 8
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(slots=True)
class Here:
    """Where a step stands: its frame, what flows in, its label, and its position in the chain."""

    frame: Frame
    flow: Tensor | None
    label: str | None = None
    label_span: Span | None = None
    position: int = 0


class Expander:
    """Writes one net out. ``missing`` are names that errors, or unbuilt parts, would have defined."""

    def __init__(self, emitter: Emitter, blocks: Mapping[str, ast.Block], nets: Sequence[str], missing: frozenset[str]) -> None:
        from netspec.resolve.steps import Steps

        self.emitter = emitter
        self.blocks = blocks
        self.nets = frozenset(nets)
        self.missing = missing
        self.steps = Steps(self)
        self.holes = False
        """Whether something of this net could not be read."""
        self._count = 0

    # ---- statements

    def body(self, body: ast.Body, frame: Frame, flow: Tensor | None) -> Tensor | None:
        """Run what is between braces; gives what flows out of it."""
        if body.branches:
            problem = problems.NotAStep("|", "begins a branch, and branches need a merge", "write add { | a | b }, or concat { | a | b }")
            self.report(frame, problem, Span(body.branches[0].span.start, body.branches[0].span.start + 1))
            return UNKNOWN_TENSOR
        return self.statements(body.statements, frame, flow)

    def statements(self, statements: Sequence[ast.Statement], frame: Frame, flow: Tensor | None) -> Tensor | None:
        """Run statements one after the other; gives what flows out of the last."""
        if frame.depth > DEPTH and statements:
            self.report(frame, problems.TooDeep(), statements[0].span)
            return UNKNOWN_TENSOR
        for statement in statements:
            self._count += 1
            if self._count > self.emitter.max_nodes * 3:
                self.report(frame, problems.TooManySteps(self.emitter.max_nodes * 3), statement.span)
                raise Overflow(0)
            if type(statement) is ast.Chain:
                for position, step in enumerate(statement.steps):
                    flow = self._step(step, frame, flow, position)
            elif type(statement) is ast.Let:
                value = self.value(statement.value, frame, flow)
                frame.scope.variables[statement.name] = UNKNOWN if value is UNKNOWN_TENSOR else value
            else:
                assert type(statement) is ast.Hole
                self.holes = True
                frame.scope.variables.update(dict.fromkeys(statement.names, UNKNOWN))
                flow = UNKNOWN_TENSOR
        return flow

    def _step(self, step: ast.Step, frame: Frame, flow: Tensor | None, position: int) -> Tensor | None:
        label = self._label(step.label, frame, flow) if step.label else None
        here = Here(frame, flow, label, step.label.span if step.label else None, position)
        operation = step.operation
        while type(operation) is ast.Frozen:
            here.frame = here.frame.child(frozen=True, scope=here.frame.scope)
            operation = operation.operation
        if type(operation) is ast.UseOf:
            return self._use_of(operation, here)
        if label is None:
            return self._transparent(operation, here.frame, flow)
        inner = self._place(here)
        flow = self._transparent(operation, inner, flow)
        return self.labelled(here, flow or UNKNOWN_TENSOR, inner.namespace)

    def _place(self, here: Here) -> Frame:
        """The frame inside a labelled step: a namespace and a region of its own."""
        assert here.label is not None
        here.frame.namespace.number()
        namespace = Namespace(here.frame.namespace.join(here.label), here.frame.namespace)
        return here.frame.child(namespace=namespace, region=self.emitter.region("region", namespace.path, here.label, here.frame))

    def _transparent(self, operation: ast.Operation, frame: Frame, flow: Tensor | None) -> Tensor | None:
        """Braces, conditions and loops are no places of their own: what is labelled inside stands in the region around."""
        if type(operation) is ast.Region:
            return self.body(operation.body, frame.child(), flow)
        if type(operation) is ast.If:
            return self._if(operation, frame, flow)
        if type(operation) is ast.For:
            return self._for(operation, frame, flow)
        assert type(operation) is ast.Repeat
        return self._repeat(operation, frame, flow)

    def _if(self, operation: ast.If, frame: Frame, flow: Tensor | None) -> Tensor | None:
        chosen: ast.Body | ast.If | None = operation
        while isinstance(chosen, ast.If):
            evaluator = Evaluator(frame.scope, flow)
            try:
                condition = evaluator.truth(evaluator.value(chosen.condition), chosen.condition.span)
            except Failure as failure:
                self._failed(failure, frame)
                return UNKNOWN_TENSOR
            chosen = chosen.then if condition else chosen.otherwise
        return flow if chosen is None else self.body(chosen, frame.child(), flow)

    def _for(self, operation: ast.For, frame: Frame, flow: Tensor | None) -> Tensor | None:
        items = self.value(operation.iterable, frame, flow)
        if not isinstance(items, tuple):
            if items is not UNKNOWN_TENSOR:
                self.report(frame, problems.NotIterable(kind(items)), operation.iterable.span)
            return UNKNOWN_TENSOR
        for item in items:
            inner = frame.child(in_loop=True)
            inner.scope.variables[operation.variable] = item
            flow = self.body(operation.body, inner, flow)
        return flow

    def _repeat(self, operation: ast.Repeat, frame: Frame, flow: Tensor | None) -> Tensor | None:
        """One round is written out and counted; too many rounds are refused before the second."""
        count = self.value(operation.count, frame, flow)
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            if count is not UNKNOWN_TENSOR:
                self.report(frame, problems.NotACount(show(count)), operation.count.span)
            return UNKNOWN_TENSOR
        before = len(self.emitter.nodes)
        for turn in range(count):
            try:
                flow = self.body(operation.body, frame.child(in_loop=True), flow)
            except Overflow as inner:
                raise Overflow(before + (inner.nodes - before) * (1 if turn else count) if inner.nodes else 0, operation.span) from None
            made = len(self.emitter.nodes) - before
            if turn == 0 and before + made * count > self.emitter.max_nodes:
                raise Overflow(before + made * count, operation.span)
            if made == 0:
                break  # nothing was made, so nothing will be
        return flow

    # ---- uses

    def _use_of(self, op: ast.UseOf, here: Here) -> Tensor | None:
        if type(op.reference) is not ast.Name:
            return self.steps.tensor(op, here)
        name = op.reference.name
        if name in self.missing:
            return self.steps.tensor(op, here)
        if (known := layers().get(name)) is not None:
            return self._layer(known, op, here)
        if (special := self.steps.special.get(name)) is not None:
            return special(op, here)
        if name in self.blocks:
            return self._block(self.blocks[name], op, here)
        return self.steps.tensor(op, here)

    def _layer(self, layer: Layer, op: ast.UseOf, here: Here) -> Tensor | None:
        if op.body is not None:
            if layer.is_merge:
                return self.merge(layer, op, op.body, here)
            self.report(here.frame, problems.NoBody(layer.name), op.body.span)
            return self.labelled(here, UNKNOWN_TENSOR)
        if here.flow is None:
            self.report(here.frame, problems.NothingFlows(layer.name), op.span)
            return self.labelled(here, UNKNOWN_TENSOR)
        bound = self.bind(layer.name, layer.signature, op.arguments, op.span, here)
        if bound is None:
            here.frame.namespace.number()
            return self.labelled(here, UNKNOWN_TENSOR)
        inputs = [here.flow, *(t for t, _ in bound.tensors)]
        try:
            tensor = self.emitter.layer(here.frame, layer, here.label, inputs, bound.arguments, op.span)
        except Reject as rejection:
            span = op.reference.span if layer.is_merge else op.span
            self._rejected(rejection, here.frame, span, bound, [(here.flow, op.reference.span), *bound.tensors], flow=True)
            tensor = UNKNOWN_TENSOR
        if here.frame.role == "preprocess" and tensor.node >= 0 and self.emitter.nodes[tensor.node].facts.weights:
            self.report(
                here.frame,
                problems.NotAStep(layer.name, "has weights, and cannot be part of preprocess", "put it behind the region"),
                op.span,
            )
        return self.labelled(here, tensor)

    def merge(self, layer: Layer, op: ast.UseOf, body: ast.Body, here: Here, identity: bool = False) -> Tensor | None:
        """A merge of branches, of the tensors in its arguments, and with ``identity`` of what flows in."""
        span = op.reference.span
        bound = self.bind(layer.name, layer.signature, op.arguments, op.span, here)
        inner = self._place(here) if here.label is not None else here.frame
        given: list[tuple[Tensor | None, Span]] = [(here.flow, span)] if identity else []
        for branch in body.branches or (ast.Branch(body.statements, body.span),):
            given.append((self.statements(branch.statements, inner.child(), here.flow), _branch_span(branch)))
        given += bound.tensors if bound else []
        if any(tensor is None for tensor, _ in given):
            self.report(here.frame, problems.NothingFlows(layer.name), span)
            bound = None
        if bound is None:
            return self.labelled(here, UNKNOWN_TENSOR, inner.namespace)
        inputs = [tensor for tensor, _ in given if tensor is not None]
        try:
            tensor = self.emitter.layer(inner, layer, None, inputs, bound.arguments, span)
        except Reject as rejection:
            switch = next(filter(None, map(_switch, body.branches)), None)
            self._rejected(rejection, here.frame, span, bound, given, flow=identity, switch=switch)
            tensor = UNKNOWN_TENSOR
        return self.labelled(here, tensor, inner.namespace)

    def _rejected(
        self,
        rejection: Reject,
        frame: Frame,
        span: Span,
        bound: Bound,
        inputs: Sequence[tuple[Tensor | None, Span]],
        flow: bool = False,
        switch: str | None = None,
    ) -> None:
        """Report a layer's broken rule: at the argument it names, or at the layer; and beside it what it says of single inputs.

        With ``flow`` the first input is the tensor that flows in; ``switch`` is a parameter that would put a layer on an empty branch.
        """
        texts = dict(rejection.inputs)
        if flow and 0 in texts:
            texts[0] = texts[0].replace("gives", "what flows in is", 1)
        problem = rejection.problem
        if isinstance(problem, problems.MergeShapes):
            problem = replace(problem, switch=switch)
        elif isinstance(problem, problems.DoesNotFit):
            problem = replace(problem, history=self.emitter.history(inputs[0][0]))
        related = {inputs[i][1]: text for i, text in texts.items() if i < len(inputs)}
        if len(related) > _MANY:  # the first of each kind says it all
            related = {span: text for text, span in {text: span for span, text in reversed(related.items())}.items()}
            related = dict(sorted(related.items())[:_MANY])
        self.emitter.report(frame, problem, bound.spans.get(rejection.at or "", span), related)

    def _block(self, block: ast.Block, op: ast.UseOf, here: Here) -> Tensor | None:
        """A use of a block: a region of its own, under its label or its number, with new weights."""
        frame = here.frame
        number = frame.namespace.number()
        bound = self.bind(block.name, block_signature(block.parameters), op.arguments, op.span, here, words=True)
        if op.body is not None:
            self.report(frame, problems.NoBody(block.name), op.body.span)
            bound = None
        if block.name in frame.blocks:
            chain = (*frame.blocks[frame.blocks.index(block.name) :], block.name)
            self.report(frame, problems.RecursiveBlock(block.name, chain), op.span)
            bound = None
        if bound is None:
            return self.labelled(here, UNKNOWN_TENSOR)
        namespace = Namespace(frame.namespace.join(str(number) if here.label is None else here.label))
        title = _title(block.name, bound)
        inner = frame.child(
            namespace=namespace,
            scope=Scope(namespace),
            region=self.emitter.region("block", namespace.path, title, frame),
            trail=Trail(title, Place(frame.source, op.span), frame.trail),
            blocks=(*frame.blocks, block.name),
            in_loop=False,
        )
        given = {name: bound.arguments[name] for name in bound.spans}
        if not self.parameters(block.parameters, given, inner, here.flow):
            return self.labelled(here, UNKNOWN_TENSOR, namespace)
        tensor = self.body(block.body, inner, here.flow) or UNKNOWN_TENSOR
        self.emitter.mark(namespace.path, tensor)
        return self.labelled(here, tensor, namespace)

    def parameters(self, parameters: Sequence[ast.Parameter], given: Mapping[str, Any], frame: Frame, flow: Tensor | None) -> bool:
        """Put values of parameters into the scope: those given, and defaults, which may use the ones before them."""
        for parameter in parameters:
            value = given.get(parameter.name, UNKNOWN_TENSOR)
            if parameter.name not in given and parameter.default is not None:
                value = self.value(parameter.default, frame, flow, words=True)
                if value is UNKNOWN_TENSOR:
                    return False
            frame.scope.variables[parameter.name] = value
        return True

    # ---- shared with the special steps

    def labelled(self, here: Here, tensor: Tensor, inside: Namespace | None = None) -> Tensor:
        """Give the step's label, if it has one, its tensor."""
        if here.label is not None and here.label_span is not None:
            namespace = inside if inside is not here.frame.namespace else None
            self.emitter.label(here.frame, here.label, here.label_span, tensor, namespace)
        return tensor

    def bind(
        self, owner: str, signature: Signature, call: ast.Arguments | None, span: Span, here: Here, words: bool = False
    ) -> Bound | None:
        """Match a call with a declaration; ``None`` after reports."""
        binder = Binder(owner, Evaluator(here.frame.scope, here.flow), self.reporter(here.frame))
        if words:
            binder.passed_on = all_words()
        return binder.bind(signature, call, span)

    def value(self, e: ast.Expression, frame: Frame, flow: Tensor | None, words: bool = False) -> Any:
        """The value of an expression, or ``UNKNOWN_TENSOR`` after a report."""
        try:
            return Evaluator(frame.scope, flow, all_words() if words else ()).value(e)
        except Failure as failure:
            self._failed(failure, frame)
            return UNKNOWN_TENSOR

    def reporter(self, frame: Frame) -> Report:
        """How whatever stands in this frame reports a problem."""
        return lambda problem, span, related=None: self.emitter.report(frame, problem, span, related)

    def report(self, frame: Frame, problem: Problem, span: Span) -> None:
        self.emitter.report(frame, problem, span)

    def _failed(self, failure: Failure, frame: Frame) -> None:
        if failure.problem is not None:
            self.report(frame, failure.problem, failure.span)

    def _label(self, label: ast.Label, frame: Frame, flow: Tensor | None) -> str | None:
        if frame.source.text[label.span.start] != '"':
            return str(label.parts[0])
        texts = []
        for part in label.parts:
            value = part if isinstance(part, str) else self.value(part, frame, flow)
            if value is UNKNOWN_TENSOR:
                frame.namespace.unsure = True
                return None
            texts.append(value if isinstance(value, str) else show(value))
        text = "".join(texts)
        if _NAME.fullmatch(text) and len(text) <= NAME_LENGTH:
            return text
        frame.namespace.unsure |= len(label.parts) > 1
        self.report(frame, problems.BadLabel(text[:80], _why_no_name(text)), label.span)
        return None


def _why_no_name(text: str) -> str:
    """What keeps a text from being a name."""
    if not text:
        return "it is empty"
    if _NAME.fullmatch(text):
        return f"it has {len(text):,} characters, and names have at most {NAME_LENGTH}"
    if text[0].isdigit():
        return "it begins with a digit"
    wrong = next(c for c in text if not (c.isascii() and (c.isalnum() or c == "_")))
    return "it has a space in it" if wrong == " " else f"it has `{escape(wrong)}` in it"


def _branch_span(branch: ast.Branch) -> Span:
    """What to point at in a branch: its statements, or the bar of an empty one."""
    if not branch.statements:
        return Span(branch.span.start, branch.span.start + 1)
    return Span(branch.statements[0].span.start, branch.statements[-1].span.end)


def _switch(branch: ast.Branch) -> str | None:
    """The parameter that decides whether there is anything in a branch: `project` in `| if project { … }`."""
    only = branch.statements[0] if len(branch.statements) == 1 else None
    first = only.steps[0].operation if isinstance(only, ast.Chain) and len(only.steps) == 1 else None
    if isinstance(first, ast.If) and first.otherwise is None and isinstance(first.condition, ast.Name):
        return first.condition.name
    return None


def block_signature(parameters: Sequence[ast.Parameter], all_optional: bool = False) -> Signature:
    """A block's or net's parameters as a signature. Defaults stay with the block, where they are evaluated."""
    found = (Parameter(p.name, Anything(), None if p.default is not None or all_optional else REQUIRED, True, True) for p in parameters)
    return Signature(1, False, tuple(found))


def _title(name: str, bound: Bound) -> str:
    """How a use of a block is named in notes and pictures: ``bottleneck(64, stride=2)``."""
    given = [(n, bound.arguments[n]) for n in bound.spans]
    texts = [(n, show_shape(v.shape) if isinstance(v, Tensor) else show(v)) for n, v in given]
    parts = [text if i == 0 else f"{n}={text}" for i, (n, text) in enumerate(texts)]
    return f"{name}({', '.join(parts)})" if parts else name
