"""The steps that are no layers: inputs, outputs, regions with a name of their own, and tensors that begin a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netspec.diagnostics import problems
from netspec.diagnostics.text import closest
from netspec.graph import Output
from netspec.layer import elsewhere, layers
from netspec.resolve.emit import UNKNOWN_TENSOR, Frame
from netspec.resolve.scope import MISSING, Namespace
from netspec.signature import REQUIRED, Parameter, Signature, TensorShape
from netspec.source import Span
from netspec.syntax import ast
from netspec.values import Tensor, kind, show

if TYPE_CHECKING:
    from netspec.resolve.expand import Expander, Here

_INPUT = Signature(1, False, (Parameter("shape", TensorShape(), REQUIRED, True),))


PLANNED_LAYERS: Final = frozenset(
    {
        "attention", "conv_transpose", "distance", "group_norm", "instance_norm", "layer_norm", "lrn", "matmul", "max", "min", "pad",
        "prelu", "reshape", "transpose", "upsample",
    }
)  # fmt: skip
"""Layers of the language that may be written and are not built yet."""


class Steps:
    """``special`` holds each by its name; ``outputs`` what `output(…)` has named so far."""

    def __init__(self, expander: Expander) -> None:
        self.expander = expander
        self.outputs: list[Output] = []
        self._places: dict[str, Span] = {}
        self.special = {
            "input": self.input,
            "output": self.output,
            "residual": self.residual,
            "preprocess": self.preprocess,
            "augment": self.augment,
        }

    def input(self, op: ast.UseOf, here: Here) -> Tensor | None:
        """``image: input(3x224x224)``"""
        expander, frame = self.expander, here.frame
        if frame.region != 0 or frame.role == "preprocess" or frame.frozen:
            problem = problems.NotAStep("input", "belongs to the net itself", "move it out of the braces, to the beginning of the net")
            expander.report(frame, problem, op.span)
            return expander.labelled(here, UNKNOWN_TENSOR)
        bound = expander.bind("input", _INPUT, op.arguments, op.span, here)
        if bound is None:
            return expander.labelled(here, UNKNOWN_TENSOR)
        name = "input" if here.label is None else here.label
        first = next((n for n in expander.emitter.nodes if n.role == "input" and n.path == name), None)
        if here.label is None and first is not None:
            expander.emitter.report(frame, problems.DefinedTwice(name, "input"), op.span, {first.place.span: "first here"})
            return UNKNOWN_TENSOR
        return expander.labelled(here, expander.emitter.input(frame, name, here.label, bound.arguments["shape"], op.span))

    def output(self, op: ast.UseOf, here: Here) -> Tensor | None:
        """``output(age, gender)``, or ``output(age=head.age)`` to give a result another name"""
        expander, frame = self.expander, here.frame
        if frame.region != 0 or here.label is not None or op.body is not None:
            expander.report(
                frame, problems.NotAStep("output", "belongs to the net itself", "write output(a, b) at the end of the net"), op.span
            )
            return here.flow
        for argument in op.arguments.items if op.arguments else ():
            span = argument.value.span
            tensor = expander.value(argument.value, frame, here.flow)
            name = argument.name or frame.source.text[span.start : span.end].replace(".", "_")
            if not isinstance(tensor, Tensor):
                expander.report(frame, problems.BadValue("output", "each result", "a tensor", show(tensor)), argument.span)
            elif name in self._places:
                expander.emitter.report(frame, problems.DefinedTwice(name, "output"), argument.span, {self._places[name]: "first here"})
            else:
                self._places[name] = argument.span
                self.outputs.append(Output(name, tensor.node))
        return here.flow

    def residual(self, op: ast.UseOf, here: Here) -> Tensor | None:
        """``residual { … }``: an ``add`` with the tensor that flows in as its first branch"""
        if op.body is not None:
            return self.expander.merge(layers()["add"], op, op.body, here, identity=True)
        problem = problems.NotAStep("residual", "needs its branch in braces", "write residual { conv(64, 3, padding=1) -> bn }")
        self.expander.report(here.frame, problem, op.span)
        return self.expander.labelled(here, UNKNOWN_TENSOR)

    def preprocess(self, op: ast.UseOf, here: Here) -> Tensor | None:
        """``preprocess { scale(1/255) }``: the same arithmetic in training, in prediction and in the exported file"""
        expander, frame = self.expander, here.frame
        if op.body is None or op.arguments is not None:
            expander.report(frame, problems.NotAStep("preprocess", "is a region", "write preprocess { scale(1/255) }"), op.span)
            return here.flow
        if here.flow is None or frame.region != 0 or (here.flow.node >= 0 and expander.emitter.nodes[here.flow.node].role == "layer"):
            problem = problems.NotAStep("preprocess", "has to stand right behind an input", "move it there: it works on the raw image")
            expander.report(frame, problem, op.span)
            return UNKNOWN_TENSOR
        namespace = Namespace(here.label or self._free_path(frame), frame.namespace)
        inner = frame.child(namespace=namespace, role="preprocess")
        inner.region = expander.emitter.region("region", namespace.path, "preprocess", inner)
        return expander.labelled(here, expander.body(op.body, inner, here.flow) or UNKNOWN_TENSOR, namespace)

    def _free_path(self, frame: Frame) -> str:
        taken = {r.path for r in self.expander.emitter.regions}
        path = frame.namespace.merge_path("preprocess")
        while path in taken:
            path = frame.namespace.merge_path("preprocess")
        return path

    def augment(self, op: ast.UseOf, here: Here) -> Tensor | None:
        """``augment { flip(horizontal) }``"""
        self.expander.report(
            here.frame, problems.NotBuiltYet("augmentation is", "take the region out to train without it"), op.reference.span
        )
        return here.flow

    def tensor(self, op: ast.UseOf, here: Here) -> Tensor | None:
        """A tensor's name at the beginning of a chain, or a name that means nothing."""
        expander, frame = self.expander, here.frame
        root: ast.Expression = op.reference
        while isinstance(root, ast.Attribute | ast.Index):
            root = root.value
        assert isinstance(root, ast.Name)
        if frame.scope.lookup(root.name) is MISSING:
            self._unknown(root.name, op, frame)
            return expander.labelled(here, UNKNOWN_TENSOR)
        tensor = expander.value(op.reference, frame, here.flow)
        if tensor is UNKNOWN_TENSOR:
            return expander.labelled(here, UNKNOWN_TENSOR)
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
        expander.report(frame, problem, op.span)
        return expander.labelled(here, UNKNOWN_TENSOR)

    def _unknown(self, name: str, op: ast.UseOf, frame: Frame) -> None:
        expander = self.expander
        if name in expander.missing or (frame.scope.unsure and op.arguments is None):
            expander.holes = True
            return
        span = op.reference.span
        if isinstance(op.reference, ast.Attribute) and op.reference.name.casefold() in elsewhere():
            name = frame.source.text[span.start : span.end]
        ours = elsewhere().get(name.rpartition(".")[2].casefold())
        if name in expander.nets:
            expander.report(frame, problems.NotBuiltYet(f"using a net, as `{name}`, inside another is", "write the part as a block"), span)
        elif name in layers():
            problem = problems.NotAStep(name, "is a layer, and has no parts", "what a layer takes stands in parentheses")
            expander.report(frame, problem, span)
        elif name in PLANNED_LAYERS:
            expander.report(frame, problems.NotBuiltYet(f"the layer `{name}` is", "`netspec layers` lists those that are"), span)
        elif ours is not None:
            expander.report(frame, problems.ForeignLayer(name, ours, str(layers()[ours].signature)), span)
        else:
            names = [*layers(), *self.special, *expander.blocks, *frame.scope.names()]
            expander.report(frame, problems.UnknownStep(name, closest(name, names)), span)
