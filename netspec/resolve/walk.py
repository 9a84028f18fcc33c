"""Statements one after the other: chains, regions, conditions and loops. What a step uses is the next file's business."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from netspec.diagnostics import Problem, problems
from netspec.diagnostics.text import escape
from netspec.limits import NAME_LENGTH, NESTING
from netspec.resolve.arguments import Report, all_words
from netspec.resolve.emit import UNKNOWN_TENSOR, Emitter, Frame, Overflow
from netspec.resolve.evaluate import Evaluator, Failure, whole
from netspec.resolve.scope import Namespace, Outside
from netspec.source import Span
from netspec.syntax import ast
from netspec.values import UNKNOWN, Tensor, kind, show

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(slots=True)
class Here:
    """Where a step stands: its frame, what flows in, its label, and its position in the chain."""

    frame: Frame
    flow: Tensor | None
    label: str | None = None
    label_span: Span | None = None
    position: int = 0
    part: Part | None = None
    """Where the step is a part of another net: what was found of it."""


@dataclass(slots=True)
class Part:
    """A part of a net: the step that makes it, where that stands, and its path there.

    Where it is used, ``window`` are the positions that a slice takes of it; then ``inside`` is where its labels are.
    """

    operation: ast.Operation
    frame: Frame
    path: str
    window: range | None = None
    inside: Namespace | None = None


class Walker(ABC):
    """Walks through the statements of one net and writes it out."""

    def __init__(self, emitter: Emitter) -> None:
        self.emitter = emitter
        self.holes = False
        """Whether something of this net could not be read."""
        self.spent = 0

    @abstractmethod
    def use(self, op: ast.UseOf, here: Here) -> Tensor | None:
        """Do what a step names: use a layer, a block, a tensor, or one of the words with a meaning of their own."""

    def body(self, body: ast.Body, frame: Frame, flow: Tensor | None) -> Tensor | None:
        """Run what is between braces; gives what flows out of it."""
        if body.branches:
            problem = problems.NotAStep("|", "begins a branch, and branches need a merge", "write add { | a | b }, or concat { | a | b }")
            self.report(frame, problem, Span(body.branches[0].span.start, body.branches[0].span.start + 1))
            return UNKNOWN_TENSOR
        return self.statements(body.statements, frame, flow)

    def statements(self, statements: Sequence[ast.Statement], frame: Frame, flow: Tensor | None) -> Tensor | None:
        """Run statements one after the other; gives what flows out of the last."""
        if frame.depth > NESTING and statements:
            self.report(frame, problems.TooDeep(), statements[0].span)
            return UNKNOWN_TENSOR
        for statement in statements:
            self.spend(1, statement.span, frame)
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

    def spend(self, statements: int, span: Span, frame: Frame) -> None:
        """Count statements that are done; raises :class:`Overflow` after a report where there are too many, whatever they make."""
        self.spent += statements
        if self.spent > self.emitter.max_nodes * 3:
            self.report(frame, problems.TooManySteps(self.emitter.max_nodes * 3), span)
            raise Overflow(0)

    def _step(self, step: ast.Step, frame: Frame, flow: Tensor | None, position: int) -> Tensor | None:
        label = self._label(step.label, frame, flow) if step.label else None
        if frame.namespace.window is not None and not self.within(step, frame):
            if label is not None:
                _hide(label, frame)
            return flow
        self.passing(step, label, frame)
        namespace, number = frame.namespace, frame.namespace.count
        found = self.run(step.operation, Here(frame, flow, label, step.label.span if step.label else None, position))
        if namespace.count > number and found is not None:
            namespace.steps.setdefault(number, found)  # of a loop, whose steps have been here before, the first
        return found

    def passing(self, step: ast.Step, label: str | None, frame: Frame) -> None:  # noqa: B027
        """A step is about to be done."""

    @abstractmethod
    def within(self, step: ast.Step, frame: Frame) -> bool:
        """Whether a step is within the slice of its region that is written out; counts the position of one that is not."""

    def run(self, operation: ast.Operation, here: Here) -> Tensor | None:
        """Do what a step says."""
        while type(operation) is ast.Frozen:
            here.frame = here.frame.child(frozen=True, scope=here.frame.scope)
            operation = operation.operation
        if type(operation) is ast.UseOf:
            return self.use(operation, here)
        if here.label is None and here.part is None:
            return self._transparent(operation, here.frame, here.flow)
        inner = self.place(here)
        flow = self._transparent(operation, inner, here.flow)
        return self.labelled(here, flow or UNKNOWN_TENSOR, inner.namespace)

    def place(self, here: Here) -> Frame:
        """The frame inside a labelled step: a namespace and a region of its own."""
        namespace = self.inside(here)
        if here.part is not None and here.frame.trail is not None:
            region = self.emitter.region("block", namespace.path, here.frame.trail.block, here.frame)
        else:
            region = self.emitter.region("region", namespace.path, namespace.path.rpartition(".")[2], here.frame)
        return here.frame.child(namespace=namespace, region=region)

    def inside(self, here: Here) -> Namespace:
        """The namespace inside a step that has a position: under its label, else its number."""
        outer = here.frame.namespace
        number = outer.number()
        path = outer.join(str(number) if here.label is None else here.label)
        return Namespace(path, outer) if here.part is None else Namespace(path, window=here.part.window)

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
            evaluator = Evaluator(frame.scope, _seen(frame, flow))
            try:
                condition = evaluator.truth(evaluator.value(chosen.condition), chosen.condition.span)
                self.emitter.asked(frame, chosen.condition.span)
            except Failure as failure:
                self._failed(failure, frame)
                return UNKNOWN_TENSOR
            chosen = chosen.then if condition else chosen.otherwise
        return flow if chosen is None else self.body(chosen, frame.child(), flow)

    def _for(self, operation: ast.For, frame: Frame, flow: Tensor | None) -> Tensor | None:
        for inner in self.turns(operation, frame, flow):
            if inner is None:
                return UNKNOWN_TENSOR
            flow = self.body(operation.body, inner, flow)
        return flow

    def turns(self, operation: ast.For, frame: Frame, flow: Tensor | None) -> Iterator[Frame | None]:
        """The frames of a loop's turns, in which its variables have their values; ``None`` after a report."""
        items = self.value(operation.iterable, frame, flow)
        if not isinstance(items, tuple):
            if items is not UNKNOWN_TENSOR:
                self.report(frame, problems.NotIterable(kind(items)), operation.iterable.span)
            yield None
            return
        for item in items:
            parts = (item,) if len(operation.variables) == 1 else item
            if not isinstance(parts, tuple) or len(parts) != len(operation.variables):
                self.report(frame, problems.CannotTakeApart(len(operation.variables), show(item)), operation.iterable.span)
                yield None
                return
            inner = frame.child(in_loop=True)
            inner.scope.variables.update(zip(operation.variables, parts, strict=True))
            yield inner

    def _repeat(self, operation: ast.Repeat, frame: Frame, flow: Tensor | None) -> Tensor | None:
        """One round is written out and counted; too many rounds are refused before the second."""
        value = self.value(operation.count, frame, flow)
        count = whole(value)
        if count is None or count < 0:
            if value is not UNKNOWN_TENSOR:
                self.report(frame, problems.NotACount(show(value)), operation.count.span)
            return UNKNOWN_TENSOR
        before, places = len(self.emitter.nodes), frame.namespace.count
        for turn in range(count):
            try:
                flow = self.body(operation.body, frame.child(in_loop=True), flow)
            except Overflow as inner:
                raise Overflow(
                    before + (inner.nodes - before) * (1 if turn else count) if inner.nodes else 0, operation.span, frame.source
                ) from None
            made = len(self.emitter.nodes) - before
            if turn == 0 and before + made * count > self.emitter.max_nodes:
                raise Overflow(before + made * count, operation.span, frame.source)
            if made == 0 and frame.namespace.window is None:  # nothing was made, so nothing will be; an empty block has a position
                frame.namespace.count += (frame.namespace.count - places) * (count - 1)
                break
        return flow

    def labelled(self, here: Here, tensor: Tensor, inside: Namespace | None = None) -> Tensor:
        """Give the step's label, if it has one, its tensor."""
        if here.part is not None:  # the label is written in another file than the part, and whoever uses the part gives it
            here.part.inside = inside
        elif here.label is not None and here.label_span is not None:
            namespace = inside if inside is not here.frame.namespace else None
            self.emitter.label(here.frame, here.label, here.label_span, tensor, namespace)
        return tensor

    def value(self, e: ast.Expression, frame: Frame, flow: Tensor | None, words: bool = False) -> Any:
        """The value of an expression, or ``UNKNOWN_TENSOR`` after a report."""
        try:
            found = Evaluator(frame.scope, _seen(frame, flow), all_words() if words else ()).value(e)
        except Failure as failure:
            self._failed(failure, frame)
            return UNKNOWN_TENSOR
        self.emitter.asked(frame, e.span)
        return found

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


def _seen(frame: Frame, flow: Tensor | None) -> Tensor | Outside | None:
    """What ``x`` stands for: before the first step of a slice, for a tensor that is not there."""
    window = frame.namespace.window
    if window is None or frame.namespace.count >= window.start or frame.trail is None:
        return flow
    return Outside(frame.trail.block)


def _hide(label: str, frame: Frame) -> None:
    """Make the label of a step that a slice leaves out one of what lies outside, everywhere in the region."""
    scope = frame.scope
    while scope.outer is not None and scope.outer.namespace is frame.namespace:
        scope = scope.outer
    scope.variables[label] = Outside(frame.trail.block if frame.trail is not None else frame.namespace.path)


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
