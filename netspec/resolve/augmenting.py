"""The region ``augment { … }``: its steps, checked one by one.

They are no layers, make no nodes and have no paths: what comes of them is a list for each input, :attr:`Graph.augment`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netspec.diagnostics import problems
from netspec.diagnostics.text import closest
from netspec.graph import Augmentation, Node
from netspec.layer import Reject, layers
from netspec.resolve.arguments import Bound
from netspec.resolve.evaluate import Evaluator
from netspec.resolve.translating import Written, augmentation_line
from netspec.resolve.walk import Here
from netspec.shape import Shape, same
from netspec.signature import Signature
from netspec.source import Place, Span
from netspec.syntax import ast
from netspec.values import Tensor

if TYPE_CHECKING:
    from netspec.augmentations import Declared
    from netspec.resolve.expand import Expander


def _declared() -> Mapping[str, Declared]:
    """The catalogue, loaded by the first spec that asks for it: most have no augmentation."""
    from netspec.augmentations import augmentations

    return augmentations()


def _elsewhere() -> Mapping[str, str]:
    from netspec.augmentations import elsewhere

    return elsewhere()


@dataclass
class Augmenting:
    """The regions of one net. ``found`` are their steps by input; ``size`` is what flows inside the region that is being read."""

    expander: Expander
    found: dict[str, tuple[Augmentation, ...]] = field(default_factory=dict)
    size: Shape | None = None
    _steps: list[Augmentation] = field(default_factory=list)
    _first: dict[str, Span] = field(default_factory=dict)
    _fine: bool = True

    @property
    def inside(self) -> bool:
        """Whether a region is being read."""
        return self.size is not None

    def region(self, op: ast.UseOf, here: Here) -> Tensor | None:
        """``augment { flip(horizontal) -> rotate(0.1) }``: the raw pictures of an input changed while training; gives what flows in."""
        wrong = _why_not(op, here, self.expander.emitter.nodes)
        if wrong is not None:
            self.expander.report(here.frame, wrong, op.reference.span)
            return here.flow
        if here.frame.feed is not None:  # the net around has its own
            return here.flow
        picture = _input_of(here.flow, self.expander.emitter.nodes)
        if picture is None or op.body is None:
            return here.flow
        name = picture.label or picture.path
        if name in self._first:
            problem = problems.NotAStep("augment", "stands behind this input already", "write the steps of both into one")
            self.expander.emitter.report(here.frame, problem, op.reference.span, {self._first[name]: "first here"})
            return here.flow
        self._first[name] = op.reference.span
        self._read(op, op.body, picture, name, here)
        return here.flow

    def _read(self, op: ast.UseOf, body: ast.Body, picture: Node, name: str, here: Here) -> None:
        self.size, self._steps, self._fine = picture.output, [], True
        self.expander.body(body, here.frame.child(), here.flow)
        made, self.size = self.size, None
        self.found[name] = tuple(self._steps)
        if self._fine and not same(made, picture.output):
            self.expander.report(here.frame, problems.AugmentedSize(made, picture.output), op.reference.span)

    def step(self, op: ast.UseOf, here: Here) -> Tensor | None:
        """One step of the region."""
        text = here.frame.source.text[op.reference.span.start : op.reference.span.end]
        known = _declared().get(text)
        if known is None or here.label is not None or op.body is not None:
            self._wrong(text, op, here)
        elif self._steps and known.family != "batch" and _declared()[self._steps[-1].name].family == "batch":
            why = f"stands behind {self._steps[-1].name}, which mixes finished pictures"
            self._report(problems.NotAStep(text, why, f"write {text} before it"), op.reference.span, here)
        elif known.family == "batch" and any(s.name == text for s in self._steps):
            self._report(problems.NotAStep(text, "stands in the region twice", "take one of them out"), op.reference.span, here)
        else:
            self._bound(text, known.signature, op, here)
        return here.flow

    def _bound(self, name: str, signature: Signature, op: ast.UseOf, here: Here) -> None:
        bound = self.expander.bind(name, signature, op.arguments, op.span, here)
        if bound is None:
            self._fine = False
            return
        assert self.size is not None
        try:
            self.size = _declared()[name].rule(self.size, **bound.arguments)
        except Reject as rejection:
            self._report(rejection.problem, _at(rejection, bound, op), here)
        self._steps.append(Augmentation(name, bound.arguments, Place(here.frame.source, op.span)))

    def _wrong(self, text: str, op: ast.UseOf, here: Here) -> None:
        """Report what cannot be a step of the region."""
        ours = _elsewhere().get(_plain(text))
        if text in _declared():
            self._report(
                problems.NotAStep(text, "takes no label and no braces in augment", f"write {text} alone"), here.label_span or op.span, here
            )
        elif ours is not None:
            source = here.frame.source.text
            written = Written(op.arguments, Evaluator(here.frame.scope), lambda e: source[e.span.start : e.span.end])
            line = augmentation_line(text, ours, _declared()[ours].signature, written, self.size)
            self._report(problems.NoAugmentation(text, None, line), op.reference.span, here)
        else:
            is_layer = text in layers()
            near = closest(text, _declared())
            self._report(problems.NoAugmentation(text, near, is_layer=is_layer), op.reference.span, here)

    def _report(self, problem: problems.Problem, span: Span, here: Here) -> None:
        self._fine = False
        self.expander.report(here.frame, problem, span)


def is_augmentation(text: str) -> bool:
    """Whether this is the name of an augmentation, here or in another framework."""
    return text.rpartition(".")[2] in _declared() or _plain(text) in _elsewhere()


def among_layers(text: str, written: Written, size: Shape | None) -> problems.Problem | None:
    """What is wrong with an augmentation's name among the layers of a net; ``None`` where it is no such name."""
    if not is_augmentation(text):
        return None
    last = text.rpartition(".")[2]
    own = _declared().get(last)
    if own is not None and (line := written.as_call(last, own.signature, written.items)):
        return problems.AugmentationInNet(text, line)
    ours = last if own is not None else _elsewhere()[_plain(text)]
    return problems.AugmentationInNet(text, augmentation_line(text, ours, _declared()[ours].signature, written, size))


def _plain(text: str) -> str:
    """A name as :func:`netspec.augmentations.elsewhere` has it."""
    return text.rpartition(".")[2].casefold().replace("_", "")


def _at(rejection: Reject, bound: Bound, op: ast.UseOf) -> Span:
    return bound.spans.get(rejection.at or "", op.span)


def _why_not(op: ast.UseOf, here: Here, nodes: list[Node]) -> problems.Problem | None:
    """What keeps a region from standing where it stands."""
    if op.body is None or op.arguments is not None:
        return problems.NotAStep("augment", "is a region", "write augment { flip(horizontal) }")
    if here.label is not None:
        return problems.NotAStep("augment", "takes no label: nothing flows out of it", "take the label out")
    if here.flow is None or here.frame.region != here.frame.root:
        return problems.NotAStep("augment", "has to stand right behind an input", "move it there: it changes the raw picture")
    if here.flow.node < 0 or here.frame.feed is not None:
        return None
    if _input_of(here.flow, nodes) is None:
        return problems.NotAStep("augment", "has to stand right behind an input", "move it there: it changes the raw picture")
    picture = _input_of(here.flow, nodes)
    if picture is not None and len(picture.output) != 3:
        return problems.WrongRank("augment", picture.output, "pictures, C x H x W", "take the region out")
    return None


def _input_of(flow: Tensor | None, nodes: list[Node]) -> Node | None:
    """The input that a tensor is, or that it is the preprocessed picture of."""
    if flow is None or flow.node < 0:
        return None
    node = nodes[flow.node]
    while node.role == "preprocess" and len(node.inputs) == 1:
        node = nodes[node.inputs[0]]
    return node if node.role == "input" else None
