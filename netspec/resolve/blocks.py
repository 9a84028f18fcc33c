"""The uses of blocks: each writes its text out anew, as a region of its own with new weights, or with the one set of a shared block."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

from netspec.diagnostics import Related, Trail, problems
from netspec.graph import Pretrained
from netspec.kinds import Anything, OneOf, Text
from netspec.resolve.arguments import Bound
from netspec.resolve.declarations import Definition
from netspec.resolve.emit import UNKNOWN_TENSOR, Emitter, Frame
from netspec.resolve.replay import Mark, Take, feeding, fill, key_of, repeat, taken
from netspec.resolve.scope import Namespace, Scope
from netspec.resolve.uses import User
from netspec.resolve.walk import Here
from netspec.shape import show as show_shape
from netspec.signature import REQUIRED, Parameter, Signature
from netspec.source import Place
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
        self.shared: dict[str, Definition] = {}
        """The shared blocks in use, by their paths."""
        self.borrowed: dict[int, Trail] = {}
        """Regions that are uses of nets or parts, and where: what is in them and leads nowhere is left out."""
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
        path = self.shared_path(block, frame) if block.shared else frame.namespace.join(str(number) if here.label is None else here.label)
        if bound is None or (block.shared and not self._alone_at(path, block, inner, op, here)):
            return self.labelled(here, UNKNOWN_TENSOR)
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
            self.spend(take.spent, op.span, here.frame)
            tensor = repeat(take, self.emitter, inner, fed, op.span)
            if here.label is not None:
                fill(inner.namespace, take, first, fed)
            return tensor
        mark, asked, spent = Mark.of(self.emitter), len(self.pretrained), self.spent
        if not self.parameters(block.parameters, given, inner, here.flow):
            return UNKNOWN_TENSOR
        tensor = self.body(block.body, inner, here.flow) or UNKNOWN_TENSOR
        if key is not None and len(self.pretrained) == asked and not self.holes:
            take = taken(self.emitter, mark, inner, fed, tensor, self.spent - spent)
            if take is not None and not any(r >= inner.region for r in self.borrowed):
                self._takes[key] = take
        return tensor

    def shared_path(self, block: ast.Block, frame: Frame) -> str:
        """Where the weights of a shared block are: at its name in the net, or in the net used as a block, whose text uses it."""
        root = self.emitter.regions[frame.root].path
        return f"{root}.{block.name}" if root else block.name

    def _alone_at(self, path: str, block: ast.Block, inner: Frame, op: ast.UseOf, here: Here) -> bool:
        """Whether no other shared block, of another file, has the path of this one."""
        first = self.shared.setdefault(path, Definition(inner.home, block))
        if first.item is block:
            return True
        places = ((first.source, first.item.name_span), (inner.source, block.name_span))
        related = tuple(Related(Place(source, span), "a block of this name") for source, span in places)
        problem = problems.DefinedTwice(block.name, "shared block")
        self.emitter.collector.add(problem, Place(here.frame.source, op.reference.span), related, here.frame.trail)
        return False

    def arguments(self, item: ast.Block | ast.Net, signature: Signature, op: ast.UseOf, here: Here) -> Bound | None:
        """What a use of a block or net is given; ``None`` after reports."""
        frame = here.frame
        bound = self.bind(item.name, signature, op.arguments, op.span, here, words=True)
        if op.body is not None:
            self.report(frame, problems.NoBody(item.name), op.body.span)
            bound = None
        if item in frame.blocks:
            self._report_circle(frame.blocks[frame.blocks.index(item) :], op, frame)
            bound = None
        if bound is not None and "map" in bound.spans and "weights" not in bound.spans and not _takes(item, "map"):
            hint = f'write {item.name}(weights="file.pth", map=order), or leave map out'
            self.report(frame, problems.MissingArguments(item.name, ("weights",), str(signature), hint=hint), bound.spans["map"])
            bound = None
        return bound

    def _report_circle(self, circle: Sequence[ast.Block | ast.Net], op: ast.UseOf, frame: Frame) -> None:
        """Report blocks or nets that use one another, round about; nets at the use that comes first in the text, whichever is compiled."""
        names = [item.name for item in circle]
        if isinstance(circle[0], ast.Block):
            self.report(frame, problems.RecursiveBlock(names[0], (*names, names[0])), op.span)
            return
        uses = [Place(frame.source, op.span), *(trail.place for trail, _ in zip(frame.trail or (), circle[1:], strict=False))]
        first = min(range(len(uses)), key=lambda i: (uses[i].source.name, uses[i].span))
        names = names[len(names) - 1 - first :] + names[: len(names) - 1 - first]
        self.emitter.collector.add(problems.RecursiveBlock(names[0], (*names, names[0]), "net"), uses[first])

    def enter(
        self, inner: Frame, item: ast.Block | ast.Net, path: str, bound: Bound, op: ast.UseOf, here: Here, name: str | None = None
    ) -> None:
        """Make ``inner`` the frame inside a use: a region, a namespace that nothing outside is seen from, and a scope of its own.

        ``name`` is what it is called by, where that is not the item's name.
        """
        frame = here.frame
        inner.namespace = Namespace(path, window=None if here.part is None else here.part.window)
        inner.scope = Scope(inner.namespace)
        title = _title(item, bound, name or item.name)
        inner.region = self.emitter.region("block", path, title, frame)
        inner.trail = Trail(title, Place(frame.source, op.span), frame.trail)
        inner.blocks = (*frame.blocks, item)
        inner.in_loop = False
        inner.text = item.body
        self.keep_pretrained(path, "", item, bound, frame)

    def keep_pretrained(self, path: str, origin: str, item: ast.Block | ast.Net, bound: Bound, frame: Frame) -> None:
        """Remember the weights that a use asks for with ``weights=``, where that is no parameter of its own."""
        if "weights" not in bound.spans or _takes(item, "weights"):
            return
        place = Place(frame.source, bound.spans["weights"])
        asked = Pretrained(
            path, origin, bound.arguments["weights"], bound.arguments.get("map") == "order" and not _takes(item, "map"), place
        )
        known = next((p for p in self.pretrained if p.path == path), None)
        if known is None:
            self.pretrained.append(asked)
        elif path not in self.shared:
            return  # the part is a part of another there, and who uses it has said which weights it gets
        elif (known.file, known.order) != (asked.file, asked.order):
            first, second = (f'those of "{p.file}"{" in order" if p.order else ""}' for p in (known, asked))
            problem = problems.SharedDiffers(path, first, second, "write weights= at one use, for all of them")
            self.emitter.collector.add(problem, place, (Related(known.place, "the first use"),), frame.trail)


def block_signature(parameters: Sequence[ast.Parameter], all_optional: bool = False) -> Signature:
    """A block's or net's parameters as a signature. Defaults stay with the block, where they are evaluated."""
    found = (Parameter(p.name, Anything(), None if p.default is not None or all_optional else REQUIRED, True, True) for p in parameters)
    return Signature(1, False, tuple(found))


def use_signature(parameters: Sequence[ast.Parameter], all_optional: bool = False) -> Signature:
    """What a use of a block or net takes: its parameters, and where its weights are."""
    own = block_signature(parameters, all_optional).parameters
    names = {p.name for p in own}
    return Signature(1, False, (*own, *(p for p in _PRETRAINED if p.name not in names)))


def _takes(item: ast.Block | ast.Net, name: str) -> bool:
    """Whether a block or net has a parameter of this name itself."""
    return any(p.name == name for p in item.parameters)


def _title(item: ast.Block | ast.Net, bound: Bound, name: str) -> str:
    """How a use of a block is named in notes and pictures: ``bottleneck(64, stride=2)``, what is as it would be anyway left out."""
    usual = {p.name: p.default.value for p in item.parameters if isinstance(p.default, ast.Literal)}
    given: list[tuple[str, Any]] = [(n, bound.arguments[n]) for n in bound.spans if n not in ("weights", "map")]
    while given and given[-1][0] in usual and given[-1][1] == usual[given[-1][0]]:
        given.pop()
    given = [(n, v) for n, v in given if not (n in bound.named and n in usual and v == usual[n])]
    texts = [(n, show_shape(v.shape) if isinstance(v, Tensor) else show(v)) for n, v in given]
    parts = [f"{n}={text}" if n in bound.named else text for n, text in texts]
    return f"{name}({', '.join(parts)})" if parts else name
