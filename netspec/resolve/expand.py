"""The steps that are no layers: inputs, outputs, regions with a name of their own, and tensors that begin a chain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from netspec.diagnostics import problems
from netspec.diagnostics.text import closest
from netspec.graph import Auxiliary, Output
from netspec.kinds import Real, TensorShape
from netspec.layer import elsewhere, layers
from netspec.layers.planned import planned
from netspec.resolve.arguments import Binder
from netspec.resolve.augmenting import Augmenting, among_layers, is_augmentation
from netspec.resolve.emit import UNKNOWN_TENSOR, Emitter, Feed, Frame
from netspec.resolve.evaluate import Evaluator, Failure
from netspec.resolve.nearby import of_library
from netspec.resolve.parts import PartUser
from netspec.resolve.scope import MISSING, Namespace
from netspec.resolve.translating import Written, layer_line
from netspec.resolve.uses import Step
from netspec.resolve.walk import Here
from netspec.sections import SECTIONS
from netspec.shape import Shape
from netspec.signature import REQUIRED, Parameter, Signature
from netspec.source import Span
from netspec.syntax import ast
from netspec.values import Tensor, kind, show

_SECTIONS: Final = frozenset({*SECTIONS, "expect"})
_INPUT = Signature(1, False, (Parameter("shape", TensorShape(), REQUIRED, True),))


_NO_STEPS: Final = {
    "return": "the last tensor is the result: leave return out, or write output(a, b) for several",
    "freeze": "write frozen { … }",
    "separableconv2d": "it is two steps: write depthwise_conv(3, padding=1, bias=false) -> conv(64, 1)",
    "argmax": "leave it out: `netspec predict` names the likeliest class",
    "print": "leave it out: `netspec summary` shows every tensor's size",
}  # fmt: skip
"""Words of other languages and frameworks, and what to do instead."""


class Expander(PartUser):
    """Writes one net out; ``outputs`` and ``auxiliary`` are those that have been named so far."""

    def __init__(self, emitter: Emitter) -> None:
        super().__init__(emitter)
        self.outputs: list[Output] = []
        self.auxiliary: list[Auxiliary] = []
        self.augmenting = Augmenting(self)
        self._places: dict[str, Span] = {}
        self._special: dict[str, Step] = {
            "input": self._input,
            "output": self._output,
            "auxiliary": self._auxiliary,
            "residual": self._residual,
            "preprocess": self._preprocess,
            "augment": self.augmenting.region,
        }

    def use(self, op: ast.UseOf, here: Here) -> Tensor | None:
        return self.augmenting.step(op, here) if self.augmenting.inside else super().use(op, here)

    def special(self, name: str) -> Step | None:
        return self._special.get(name)

    def _input(self, op: ast.UseOf, here: Here) -> Tensor | None:
        """``image: input(3x224x224)``"""
        frame = here.frame
        if frame.region != frame.root or frame.role == "preprocess" or (frame.frozen and frame.feed is None):
            problem = problems.NotAStep("input", "belongs to the net itself", "move it out of the braces, to the beginning of the net")
            self.report(frame, problem, op.span)
            return self.labelled(here, UNKNOWN_TENSOR)
        if frame.feed is not None:  # whatever its shape was to be
            return self._fed(frame.feed, op, here)
        bound = self.bind("input", _INPUT, op.arguments, op.span, here)
        if bound is None:
            return self.labelled(here, UNKNOWN_TENSOR)
        name = "input" if here.label is None else here.label
        first = None if here.label else next((n for n in self.emitter.nodes if n.role == "input" and n.path == name), None)
        if first is not None:
            self.emitter.report(frame, problems.DefinedTwice(name, "input"), op.span, {first.place.span: "first here"})
            return UNKNOWN_TENSOR
        if here.label is None:
            name = frame.namespace.spare_path(name)
        return self.labelled(here, self.emitter.input(frame, name, here.label, bound.arguments["shape"], op.span))

    def _fed(self, feed: Feed, op: ast.UseOf, here: Here) -> Tensor:
        """An input of a net that another one uses: what flows in, or the tensor given for it."""
        given = feed.flow if feed.first else feed.inputs.get(here.label or "input")
        feed.first = False
        if given is None:
            self.report(here.frame, problems.NothingFlows(here.label or "input"), op.span)
        return self.labelled(here, given or UNKNOWN_TENSOR)

    def _output(self, op: ast.UseOf, here: Here) -> Tensor | None:
        """``output(age, gender)``, or ``output(age=head.age)`` to give a result another name"""
        outputs = self.outputs if here.frame.feed is None else here.frame.feed.outputs
        outputs += (Output(name, tensor.node) for name, tensor in self._results("output", op.arguments, op, here))
        return here.flow

    def _auxiliary(self, op: ast.UseOf, here: Here) -> Tensor | None:
        """``auxiliary(aux1, aux2, weight=0.3)``: results that exist while training alone, and what their losses count for"""
        items = op.arguments.items if op.arguments else ()
        weight = next((a for a in items if a.name == "weight"), None)
        binder = Binder("auxiliary", Evaluator(here.frame.scope, here.flow), self.reporter(here.frame))
        share = 0.3 if weight is None else binder.accept("weight", Real(0), weight.value)
        others = ast.Arguments(tuple(a for a in items if a is not weight), op.span)
        results = list(self._results("auxiliary", others, op, here))
        if here.frame.feed is None:  # a net that another one uses leaves them out
            self.auxiliary += (Auxiliary(name, tensor.node, share or 0.0) for name, tensor in results)
        return here.flow

    def _results(self, word: str, arguments: ast.Arguments | None, op: ast.UseOf, here: Here) -> Iterator[tuple[str, Tensor]]:
        """The tensors that ``output(…)`` or ``auxiliary(…)`` names, each with the name of the result."""
        frame = here.frame
        if frame.region != frame.root or here.label is not None or op.body is not None:
            hint = f"write {word}(a, b) at the end of the net"
            self.report(frame, problems.NotAStep(word, "belongs to the net itself", hint), op.span)
            return
        places = self._places if frame.feed is None else {}
        for argument in arguments.items if arguments else ():
            span = argument.value.span
            tensor = self.value(argument.value, frame, here.flow)
            name = argument.name or frame.source.text[span.start : span.end].replace(".", "_")
            if not isinstance(tensor, Tensor):
                self.report(frame, problems.BadValue(word, "each result", "a tensor", show(tensor)), argument.span)
            elif name in places:
                self.emitter.report(frame, problems.DefinedTwice(name, "output"), argument.span, {places[name]: "first here"})
            else:
                places[name] = argument.span
                yield name, tensor

    def _residual(self, op: ast.UseOf, here: Here) -> Tensor | None:
        """``residual { … }``: an ``add`` with what flows in as its first branch; ``residual(stride == 1) { … }``: where that holds"""
        body = op.body
        if body is not None:
            condition = self._condition(op, here)
            if condition is not None:
                op = replace(op, arguments=None)
            if condition is False and not body.branches:
                inner = here.frame.child() if here.label is None and here.part is None else self.place(here)
                return self.labelled(here, self.body(body, inner, here.flow) or UNKNOWN_TENSOR, inner.namespace)
            return self.merge(layers()["add"], op, body, here, identity=condition is not False)
        problem = problems.NotAStep("residual", "needs its branch in braces", "write residual { conv(64, 3, padding=1) -> bn }")
        self.report(here.frame, problem, op.span)
        return self.labelled(here, UNKNOWN_TENSOR)

    def _condition(self, op: ast.UseOf, here: Here) -> bool | None:
        """The truth of a `residual`'s one argument; ``None`` where that is something else."""
        items = op.arguments.items if op.arguments else ()
        if len(items) != 1 or items[0].name is not None:
            return None
        try:
            value = Evaluator(here.frame.scope, here.flow).value(items[0].value)
        except Failure:
            return None
        return value if isinstance(value, bool) else None

    def _preprocess(self, op: ast.UseOf, here: Here) -> Tensor | None:
        """``preprocess { scale(1/255) }``: the same arithmetic in training, in prediction and in the exported file"""
        frame = here.frame
        if op.body is None or op.arguments is not None:
            self.report(frame, problems.NotAStep("preprocess", "is a region", "write preprocess { scale(1/255) }"), op.span)
            return here.flow
        if frame.feed is not None:  # the net around has its own
            return here.flow
        if here.flow is None or frame.region != 0 or (here.flow.node >= 0 and self.emitter.nodes[here.flow.node].role == "layer"):
            problem = problems.NotAStep("preprocess", "has to stand right behind an input", "move it there: it works on the raw image")
            self.report(frame, problem, op.span)
            return UNKNOWN_TENSOR
        namespace = Namespace(here.label or frame.namespace.spare_path("preprocess"), frame.namespace)
        inner = frame.child(namespace=namespace, role="preprocess")
        inner.region = self.emitter.region("region", namespace.path, "preprocess", inner)
        tensor = self.body(op.body, inner, here.flow) or UNKNOWN_TENSOR
        for label in frame.namespace.labels.values():  # from here on, the input's name means the input as the net is to see it
            if label.tensor.node == here.flow.node >= 0:
                label.tensor = tensor
        return self.labelled(here, tensor, namespace)

    def reference(self, op: ast.UseOf, here: Here) -> Tensor | None:
        if not self.of_net(op.reference, here.frame):
            return self._tensor(op, here)
        route = self.route(op, here)
        if route is not None:
            return self.part(route, op, here)
        here.frame.namespace.number()
        return self.labelled(here, UNKNOWN_TENSOR)

    def _tensor(self, op: ast.UseOf, here: Here) -> Tensor | None:
        frame = here.frame
        root: ast.Expression = op.reference
        while isinstance(root, ast.Attribute | ast.Index):
            root = root.value
        assert isinstance(root, ast.Name)
        if frame.scope.lookup(root.name) is MISSING:
            self._unknown(root.name, op, frame)
            return self.labelled(here, UNKNOWN_TENSOR)
        tensor = self.value(op.reference, frame, here.flow)
        if tensor is UNKNOWN_TENSOR:
            return self.labelled(here, UNKNOWN_TENSOR)
        text = frame.source.text[op.reference.span.start : op.reference.span.end]
        if not isinstance(tensor, Tensor):
            problem = problems.NotAStep(text, f"is {kind(tensor)}, and not a step", "a step is a layer, a block or a tensor")
        elif op.arguments is not None or op.body is not None:
            problem = problems.NotAStep(text, "is a tensor, and takes no arguments", "join what it flows into with ->")
        elif here.position > 0 or here.label is not None:
            why = "is a tensor, and a chain can only start with one"
            problem = problems.NotAStep(text, why, f"begin a new line with {text} ->, or merge it, as concat({text})")
        else:
            return tensor
        self.report(frame, problem, op.span)
        return self.labelled(here, UNKNOWN_TENSOR)

    def _as_written(self, op: ast.UseOf, frame: Frame) -> Written:
        """What stands behind a step that is not known, for the line that stands for it here."""
        text = frame.source.text
        return Written(op.arguments, Evaluator(frame.scope), lambda e: text[e.span.start : e.span.end])

    def _picture(self) -> Shape | None:
        """The size of the net's first picture, where it is known."""
        return next((n.output for n in self.emitter.nodes if n.role == "input" and len(n.output) == 3), None)

    def _unknown(self, name: str, op: ast.UseOf, frame: Frame) -> None:
        if name in frame.home.missing or (frame.scope.unsure and op.arguments is None):
            self.holes = True
            return
        span = op.reference.span
        dotted = op.reference.name if isinstance(op.reference, ast.Attribute) else ""
        if dotted and (dotted.casefold() in elsewhere() or planned(dotted) or is_augmentation(dotted)):
            name = frame.source.text[span.start : span.end]
        last = name.rpartition(".")[2]
        ours = elsewhere().get(last.casefold())
        if name in layers():
            problem = problems.NotAStep(name, "is a layer, and has no parts", "what a layer takes stands in parentheses")
            self.report(frame, problem, span)
        elif frame.home.find(name) is not None:
            self.report(frame, problems.NotAStep(name, "is a block, and only a net has parts", f"use the block as a whole: {name}"), span)
        elif ours is not None:
            line = layer_line(name, ours, self._as_written(op, frame))
            self.report(frame, problems.ForeignLayer(name, line, ours, str(layers()[ours].signature)), span)
        elif (later := planned(last)) is not None:
            self.report(frame, problems.NotBuiltYet(f"the layer `{later}` is", "`netspec layers` lists those that are"), span)
        elif (misplaced := among_layers(name, self._as_written(op, frame), self._picture())) is not None:
            self.report(frame, misplaced, span)
        elif name in _SECTIONS:
            self.report(frame, problems.OutOfPlace(name, outside=False), op.span)
        else:
            home = frame.home
            names = [*layers(), *self._special, *home.blocks, *home.nets, *home.used, *frame.scope.names()]
            hint = _NO_STEPS.get(name.casefold()) or of_library(name)
            self.report(frame, problems.UnknownStep(name, closest(name, names), hint), span)
