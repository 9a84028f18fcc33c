"""The uses of blocks: each writes its text out anew, as a region of its own with new weights, or with the one set of a shared block."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

from netspec.diagnostics import Trail, problems
from netspec.graph import Pretrained
from netspec.kinds import Anything, Flow, OneOf, Text
from netspec.resolve.arguments import Bound
from netspec.resolve.emit import UNKNOWN_TENSOR, Emitter, Frame
from netspec.resolve.replay import Mark, Take, feeding, fill, key_of, repeat, taken
from netspec.resolve.scope import Namespace, Scope
from netspec.resolve.uses import User
from netspec.resolve.walk import Here
from netspec.shape import show as show_shape
from netspec.signature import REQUIRED, Parameter, Signature
from netspec.source import Place, Span
from netspec.syntax import ast
from netspec.values import Tensor, show

_PRETRAINED: Final = (
    Parameter("weights", Text(), None, False, True, aside=True),
    Parameter("map", OneOf(("order",)), None, False, True, aside=True),
)
"""What every use of a block, net or part may say beside the parameters of its own."""


class BlockUser(User):
    """Uses blocks; ``pretrained`` are the weights that uses ask for."""

    def __init__(self, emitter: Emitter) -> None:
        super().__init__(emitter)
        self.pretrained: list[Pretrained] = []
        self.shared: set[str] = set()
        """The names of the shared blocks in use."""
        self.borrowed: set[int] = set()
        """Regions that are uses of nets: what is in them and leads nowhere is left out."""
        self.repeats = True
        """Whether equal uses of a block are written out once and repeated."""
        self._takes: dict[Hashable, Take] = {}

    def block(self, block: ast.Block, here: Here, op: ast.UseOf, inner: Frame) -> Tensor | None:
        """A use of a block; ``inner`` stands in the block's own file."""
        frame = here.frame
        signature = use_signature(block.parameters)
        number = frame.namespace.count
        bound = self.arguments(block, signature, op, here)
        frame.namespace.number()
        if bound is None:
            return self.labelled(here, UNKNOWN_TENSOR)
        path = block.name if block.shared else frame.namespace.join(str(number) if here.label is None else here.label)
        if block.shared:
            self.shared.add(block.name)
        self.enter(inner, block, path, bound, op, here)
        given = {name: bound.arguments[name] for name in bound.spans if name in {p.name for p in block.parameters}}
        tensor = self._written(block, given, inner, here, op)
        self.emitter.mark(path, tensor)
        return self.labelled(here, tensor, inner.namespace)

    def _written(self, block: ast.Block, given: Mapping[str, Any], inner: Frame, here: Here, op: ast.UseOf) -> Tensor:
        """What flows out of a use: written out, or repeated from an equal use before it."""
        key = key_of(block, given, here.flow, here.frame) if self.repeats and not block.shared and here.part is None else None
        fed = feeding(given, here.flow)
        if key is not None and (take := self._takes.get(key)) is not None:
            first = len(self.emitter.nodes)
            tensor = repeat(take, self.emitter, inner, fed, op.span)
            if here.label is not None:
                fill(inner.namespace, take, first, fed)
            return tensor
        mark, asked = Mark.of(self.emitter), len(self.pretrained)
        if not self.parameters(block.parameters, given, inner, here.flow):
            return UNKNOWN_TENSOR
        tensor = self.body(block.body, inner, here.flow) or UNKNOWN_TENSOR
        if key is not None and len(self.pretrained) == asked and not self.holes:
            take = taken(self.emitter, mark, inner, fed, tensor)
            if take is not None and not any(r >= inner.region for r in self.borrowed):
                self._takes[key] = take
        return tensor

    def arguments(self, item: ast.Block | ast.Net, signature: Signature, op: ast.UseOf, here: Here) -> Bound | None:
        """What a use of a block or net is given; ``None`` after reports."""
        frame = here.frame
        bound = self.bind(item.name, signature, op.arguments, op.span, here, words=True)
        if op.body is not None:
            self.report(frame, problems.NoBody(item.name), op.body.span)
            bound = None
        if item in frame.blocks:
            names = [b.name for b in frame.blocks[frame.blocks.index(item) :]]
            problem = problems.RecursiveBlock(item.name, (*names, item.name), "block" if isinstance(item, ast.Block) else "net")
            self.report(frame, problem, op.span)
            bound = None
        return bound

    def enter(self, inner: Frame, item: ast.Block | ast.Net, path: str, bound: Bound, op: ast.UseOf, here: Here) -> None:
        """Make ``inner`` the frame inside a use: a region, a namespace that nothing outside is seen from, and a scope of its own."""
        frame = here.frame
        inner.namespace = Namespace(path, window=None if here.part is None else here.part.window)
        inner.scope = Scope(inner.namespace)
        title = _title(item.name, bound)
        inner.region = self.emitter.region("block", path, title, frame)
        inner.trail = Trail(title, Place(frame.source, op.span), frame.trail)
        inner.blocks = (*frame.blocks, item)
        inner.in_loop = False
        inner.text = item.body
        self.keep_pretrained(path, "", bound, frame, op.span)

    def keep_pretrained(self, path: str, origin: str, bound: Bound, frame: Frame, span: Span) -> None:
        """Remember the weights that a use asks for with ``weights=``."""
        if isinstance(bound.arguments.get("weights"), str) and "weights" in bound.spans:
            place = Place(frame.source, bound.spans["weights"])
            file, order = bound.arguments["weights"], bound.arguments.get("map") == "order"
            self.pretrained.append(Pretrained(path, origin, file, order, place))


def block_signature(parameters: Sequence[ast.Parameter], all_optional: bool = False) -> Signature:
    """A block's or net's parameters as a signature. Defaults stay with the block, where they are evaluated."""
    found = (Parameter(p.name, Anything(), None if p.default is not None or all_optional else REQUIRED, True, True) for p in parameters)
    return Signature(1, False, tuple(found))


def use_signature(parameters: Sequence[ast.Parameter], tensors: Sequence[str] = (), all_optional: bool = False) -> Signature:
    """What a use of a block or net takes: its parameters, the inputs of a net beside the first, and where its weights are."""
    own = block_signature(parameters, all_optional).parameters
    names = {p.name for p in own}
    inputs = (Parameter(name, Flow(), REQUIRED, False) for name in tensors if name not in names)
    return Signature(1, False, (*own, *inputs, *(p for p in _PRETRAINED if p.name not in names)))


def _title(name: str, bound: Bound) -> str:
    """How a use of a block is named in notes and pictures, each argument as it was given: ``bottleneck(64, stride=2)``."""
    given: list[tuple[str, Any]] = [(n, bound.arguments[n]) for n in bound.spans if n not in ("weights", "map")]
    texts = [(n, show_shape(v.shape) if isinstance(v, Tensor) else show(v)) for n, v in given]
    parts = [f"{n}={text}" if n in bound.named else text for n, text in texts]
    return f"{name}({', '.join(parts)})" if parts else name
