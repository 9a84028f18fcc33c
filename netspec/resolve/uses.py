"""The uses of layers and merges."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from netspec.diagnostics import problems
from netspec.layer import Layer, Reject, layers
from netspec.resolve.arguments import Binder, Bound, all_words
from netspec.resolve.declarations import Definition
from netspec.resolve.doubts import input_first
from netspec.resolve.emit import UNKNOWN_TENSOR, Frame
from netspec.resolve.evaluate import Evaluator
from netspec.resolve.scope import MISSING, Labelled
from netspec.resolve.walk import Here, Walker
from netspec.signature import Signature
from netspec.source import Span
from netspec.syntax import ast
from netspec.values import Tensor

_MANY: Final = 8
Step = Callable[[ast.UseOf, Here], Tensor | None]


class User(Walker):
    """Uses layers, and finds out what else a name means."""

    @abstractmethod
    def special(self, name: str) -> Step | None:
        """What a word with a meaning of its own does."""

    @abstractmethod
    def definition(self, definition: Definition, op: ast.UseOf, here: Here) -> Tensor | None:
        """The use of a block or of a whole net."""

    @abstractmethod
    def reference(self, op: ast.UseOf, here: Here) -> Tensor | None:
        """A tensor's name at the beginning of a chain, a part of a net, or a name that means nothing."""

    def use(self, op: ast.UseOf, here: Here) -> Tensor | None:
        if type(op.reference) is not ast.Name or op.reference.name in here.frame.home.missing:
            return self.reference(op, here)
        name = op.reference.name
        if (known := layers().get(name)) is not None:
            return self._layer(known, op, here)
        if (step := self.special(name)) is not None:
            return step(op, here)
        if (definition := here.frame.home.find(name)) is None:
            return self.reference(op, here)
        if here.position == 0 and here.label is None and op.arguments is None and type(here.frame.scope.lookup(name)) is Labelled:
            what = "block" if isinstance(definition.item, ast.Block) else "net"
            why = f"is a label and a {what}, and a chain could begin with either"
            self.report(
                here.frame, problems.NotAStep(name, why, f"give one of them another name, or write {name}() for the {what}"), op.span
            )
        return self.definition(definition, op, here)

    def within(self, step: ast.Step, frame: Frame) -> bool:
        window = frame.namespace.window
        assert window is not None
        operation = step.operation
        while type(operation) is ast.Frozen:
            operation = operation.operation
        name = operation.reference.name if type(operation) is ast.UseOf and type(operation.reference) is ast.Name else None
        layer = layers().get(name or "")
        if ((layer is not None and layer.is_merge) or name == "residual") and step.label is None:
            why = f"`{name}`, a merge without a label, is among its steps and has no position"
            what = frame.trail.block if frame.trail is not None else frame.namespace.path
            self.report(frame, problems.CannotSlice(what, why, f"give it a label there, as join: {name} …"), step.span)
            frame.namespace.window = None
            return True
        if step.label is None and (type(operation) is not ast.UseOf or self._is_tensor(operation, frame)):
            return True
        if frame.namespace.count in window:
            return True
        frame.namespace.number()
        return False

    def _is_tensor(self, op: ast.UseOf, frame: Frame) -> bool:
        """Whether a use is only a tensor's name, which takes no position."""
        root: ast.Expression = op.reference
        while isinstance(root, ast.Attribute | ast.Index):
            root = root.value
        return isinstance(root, ast.Name) and root.name not in layers() and frame.scope.lookup(root.name) is not MISSING

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
        if layer.is_merge and self._flows_in_twice(layer, bound, here):
            return self.labelled(here, UNKNOWN_TENSOR)
        inputs = [here.flow, *(t for t, _ in bound.tensors)]
        first = input_first(layer, bound, here.flow, here.frame.source)
        try:
            tensor = self.emitter.layer(here.frame, layer, here.label, inputs, bound.arguments, op.span)
            if first is not None:
                self.report(here.frame, first, op.span)
        except Reject as rejection:
            if first is not None and isinstance(rejection.problem, problems.DoesNotFit):
                rejection.problem = replace(rejection.problem, instead=first.instead)
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

    def _flows_in_twice(self, layer: Layer, bound: Bound, here: Here) -> bool:
        """Whether a merge names the tensor that flows in, which is part of it anyway: whoever knows other frameworks expects otherwise."""
        named = [span for tensor, span in bound.tensors if here.flow is not None and tensor.node == here.flow.node >= 0]
        if not named:
            return False
        name, *others = (here.frame.source.text[s.start : s.end] for s in (named[0], *(s for _, s in bound.tensors if s not in named)))
        self.report(here.frame, problems.FlowsInTwice(layer.name, name, tuple(others)), named[0])
        return True

    def merge(self, layer: Layer, op: ast.UseOf, body: ast.Body, here: Here, identity: bool = False) -> Tensor | None:
        """A merge of branches, of the tensors in its arguments, and with ``identity`` of what flows in."""
        span = op.reference.span
        bound = self.bind(layer.name, layer.signature, op.arguments, op.span, here)
        inner = here.frame if here.label is None and here.part is None else self.place(here)
        given: list[tuple[Tensor | None, Span]] = [(here.flow, span)] if identity else []
        given += self._branches(body, inner, here.flow)
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

    def _branches(self, body: ast.Body, inner: Frame, flow: Tensor | None) -> Iterator[tuple[Tensor | None, Span]]:
        """What flows out of each branch of a merge, and where it is written; in a loop, of each turn's branches."""
        loop = _only_loop(body)
        turns = (inner,) if loop is None else self.turns(loop, inner, flow)
        branches = (body if loop is None else loop.body).branches or (ast.Branch(body.statements, body.span),)
        for turn in turns:
            if turn is None:
                yield UNKNOWN_TENSOR, body.span
                return
            for branch in branches:
                yield self.statements(branch.statements, turn.child(), flow), _branch_span(branch)

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
            problem = replace(problem, switch=switch, flow=flow)
        elif isinstance(problem, problems.DoesNotFit):
            problem = replace(problem, history=self.emitter.history(inputs[0][0]))
        related = {inputs[i][1]: text for i, text in texts.items() if i < len(inputs)}
        if len(related) > _MANY:  # the first of each kind says it all
            related = {span: text for text, span in {text: span for span, text in reversed(related.items())}.items()}
            related = dict(sorted(related.items())[:_MANY])
        self.emitter.report(frame, problem, bound.spans.get(rejection.at or "", span), related)

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

    def bind(
        self, owner: str, signature: Signature, call: ast.Arguments | None, span: Span, here: Here, words: bool = False
    ) -> Bound | None:
        """Match a call with a declaration; ``None`` after reports."""
        if call is None and not signature.required and not signature.others:
            return Bound(signature.defaults)
        binder = Binder(owner, Evaluator(here.frame.scope, here.flow), self.reporter(here.frame))
        if words:
            binder.passed_on = all_words()
        bound = binder.bind(signature, call, span)
        self.emitter.asked(here.frame, span)
        return bound


def _only_loop(body: ast.Body) -> ast.For | None:
    """The loop that is all there is between a merge's braces and has branches of its own: ``concat { for rate in [6, 12] { | … } }``."""
    only = body.statements[0] if len(body.statements) == 1 else None
    step = only.steps[0] if isinstance(only, ast.Chain) and len(only.steps) == 1 else None
    if step is None or step.label is not None or not isinstance(step.operation, ast.For) or not step.operation.body.branches:
        return None
    return step.operation


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
