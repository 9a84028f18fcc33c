"""Parts of random nets, grown step by step: a step is proposed, and kept if the layer's own rule accepts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, cast

from netspec.layer import Reject, layers
from netspec.shape import Shape, elements
from tests.random_graphs.meaning import Given, Here, Misuse, Place, Reader
from tests.random_graphs.proposals import some_arguments, text_of, written
from tests.random_graphs.rules import Rules, by_rule, facts_by_rule, fits
from tests.random_graphs.tree import (
    Argument,
    Block,
    Body,
    Braces,
    Call,
    Expression,
    For,
    If,
    Input,
    Join,
    Let,
    Named,
    Parameter,
    PartOf,
    Program,
    Repeat,
    Step,
    Use,
    exchanged,
    label,
    literal,
    named,
    steps_of,
    variable,
)

TRIES = 4


@dataclass
class Part:
    """A body that grows. ``visible`` are the tensors that can be named, ``names`` those of them that are what flows."""

    shape: Shape
    steps: list[Step] = field(default_factory=list)
    visible: dict[str, Shape] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    loop: bool = False
    depth: int = 0

    def add(self, step: Step, shape: Shape) -> None:
        self.steps.append(step)
        self.shape = shape
        self.names = set()

    def body(self) -> Body:
        return tuple(self.steps)

    def inside(self) -> Part:
        """An empty part that begins with what flows here."""
        return Part(self.shape, [], dict(self.visible), set(self.names), self.loop, self.depth + 1)


class Grower:
    """Grows parts; ``blocks`` are the file's so far."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.blocks: list[Block] = []
        self.given: dict[str, list[Expression]] = {}
        """What the first use of each block gave it."""
        self.catalogue = sorted(layers())
        self.count = 0
        self.unused = self.chance.sample([n for n in self.catalogue if not layers()[n].is_merge], 3)
        """Layers' names that may still be labels; a merge without a label goes by its own name."""

    def fresh(self, stem: str = "t") -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def grow(self, part: Part, budget: int) -> Part:
        """Add so many steps, or about as many."""
        for _ in range(budget):
            self.extend(part)
        return part

    def extend(self, part: Part) -> bool:
        """Add one step of some sort; where it comes to nothing, a layer."""
        sorts: dict[Callable[[Part], bool], float] = {self.layer: 10}
        if part.depth < 3:
            sorts |= {
                self.branches: 2,
                self.residual: 1,
                self.region: 1,
                self.call: 1.5,
                self.repeat: 0.8,
                self.loop: 0.8,
                self.choice: 0.5,
            }
        if part.visible.keys() - part.names:
            sorts[self.named] = 3
        (sort,) = self.chance.choices(list(sorts), list(sorts.values()))
        return sort(part) or self.layer(part)

    # ---- layers

    def layer(self, part: Part) -> bool:
        """One layer, whichever fits."""
        return any(self.of(self.chance.choice(self.catalogue), part) for _ in range(3 * TRIES))

    def of(self, name: str, part: Part, weightless: bool = False) -> bool:
        """One use of a layer with arguments that fit what flows in."""
        known = layers()[name]
        for _ in range(TRIES):
            others = self._others(name, part)
            if others is None:
                return False
            shapes = (part.shape, *(part.visible[o] for o in others))
            values = some_arguments(name, part.shape, self.chance)
            try:
                facts = facts_by_rule(name, shapes, values)
            except (Reject, Misuse):
                if not known.signature.parameters and not others:
                    return False
                continue
            if fits(facts.output) and not (weightless and facts.weights):
                given = written(known, values, part.shape, self.chance)
                self.put(part, Use(layer=name, arguments=given, tensors=others, frozen=self.chance.random() < 0.05), facts.output)
                return True
        return False

    def exactly(self, part: Part, name: str, **values: Any) -> bool:
        """One use of a layer with these arguments, if it is there and they fit."""
        known = layers().get(name)
        if known is None or not set(values) <= set(known.signature.by_name):
            return False
        complete = {p.name: values.get(p.name, p.default) for p in known.signature.parameters}
        try:
            output = by_rule(name, (part.shape,), complete)
        except (Reject, Misuse):
            return False
        if not fits(output):
            return False
        part.add(Use(layer=name, arguments=written(known, complete, part.shape, self.chance)), output)
        return True

    def put(self, part: Part, step: Step, shape: Shape) -> None:
        """Add a step without bodies, now and then under a label."""
        step = self.labelled(step, part)
        part.add(step, shape)
        if step.label is not None and step.label.text[0] != '"':
            part.visible[step.label.text] = shape
            part.names = {step.label.text}

    def labelled(self, step: Step, part: Part) -> Step:
        """The step, perhaps with a label; a label in quotes may be a layer's name, and then nothing can refer to it."""
        if step.label is not None or part.loop or self.chance.random() > 0.3:
            return step
        if self.chance.random() < 0.05 and self.unused:
            return replace(step, label=label(f'"{self.unused.pop()}"'))
        return replace(step, label=label(self.fresh(self.chance.choice(("t", "t", "skip", "Stage", "weight", "forward", "_modules")))))

    def _others(self, name: str, part: Part) -> tuple[str, ...] | None:
        """Names of tensors for a layer that takes several; ``None`` where there are not enough."""
        signature = layers()[name].signature
        found = sorted(part.visible.keys() - part.names)
        wanted = self.chance.choice((1, 1, 2)) if signature.variadic else signature.tensors - 1
        if wanted > len(found):
            return None
        if signature.variadic and self.chance.random() < 0.7:
            found = [f for f in found if part.visible[f] == part.shape] or found
        return tuple(self.chance.sample(found, min(wanted, len(found))))

    def named(self, part: Part) -> bool:
        """A merge with tensors that have names, brought to a shape where it fits."""
        merges = [n for n in self.catalogue if layers()[n].is_merge or layers()[n].signature.tensors > 1]
        if self.chance.random() < 0.5 and not self.reach(part, part.visible[self.chance.choice(sorted(part.visible))]):
            return False
        return any(self.of(self.chance.choice(merges), part) for _ in range(TRIES))

    # ---- from one shape to another

    def reach(self, part: Part, wanted: Shape) -> bool:
        """Bring what flows to a shape, with steps that somebody might write."""
        if part.shape == wanted:
            return True
        if len(part.shape) == len(wanted) and len(wanted) > 1:
            if part.shape[1:] != wanted[1:]:
                return (self.exactly(part, "adaptive_avgpool", size=wanted[1:]) and self.reach(part, wanted)) or self._flat(part, wanted)
            return self.exactly(part, "conv", channels=wanted[0], kernel=1) or self._flat(part, wanted)
        return self._flat(part, wanted)

    def _flat(self, part: Part, wanted: Shape) -> bool:
        if len(part.shape) > 1 and not self.exactly(part, "flatten"):
            return False
        if part.shape[0] != elements(wanted) and not self.exactly(part, "linear", features=elements(wanted)):
            return False
        return part.shape == wanted or (self.exactly(part, "reshape", shape=wanted) and part.shape == wanted)

    # ---- parts in braces

    def branches(self, part: Part) -> bool:
        """A merge of branches that are brought to agree."""
        merges = [n for n in self.catalogue if layers()[n].is_merge]
        name = self.chance.choice(merges)
        values = some_arguments(name, part.shape, self.chance)
        bodies = [part.inside()]
        self.grow(bodies[0], self.chance.randrange(3))
        wanted = bodies[0].shape
        for _ in range(self.chance.choice((1, 1, 1, 2))):
            other = part.inside()
            other.visible = {} if part.loop else dict(bodies[-1].visible)
            self.grow(other, self.chance.randrange(2))
            if not self.reach(other, self._almost(wanted)):
                return False
            bodies.append(other)
        step = Join(
            layer=name, arguments=written(layers()[name], values, part.shape, self.chance), branches=tuple(b.body() for b in bodies)
        )
        return self.compound(part, step)

    def _almost(self, shape: Shape) -> Shape:
        """The shape, or one that some merges join with it."""
        axis = self.chance.randrange(len(shape))
        if self.chance.random() < 0.75:
            return shape
        if self.chance.random() < 0.5:
            return (shape[0], *(1,) * (len(shape) - 1))
        return (*shape[:axis], self.chance.choice((1, 2, 3)), *shape[axis + 1 :])

    def residual(self, part: Part) -> bool:
        inner = self.grow(part.inside(), self.chance.randrange(1, 3))
        if not self.reach(inner, part.shape):
            return False
        return self.compound(part, Join(layer="add", branches=(inner.body(),), residual=True))

    def region(self, part: Part) -> bool:
        inner = self.grow(part.inside(), self.chance.randrange(1, 4))
        step = Braces(body=inner.body(), frozen=self.chance.random() < 0.3)
        return self.compound(part, step)

    def repeat(self, part: Part) -> bool:
        inner = part.inside()
        inner.loop = True
        self.grow(inner, self.chance.randrange(1, 3))
        count = self.chance.randrange(4)
        return self.compound(part, Repeat(count=literal(str(count), count), body=inner.body()))

    def loop(self, part: Part) -> bool:
        """A loop over numbers, one of which stands in the place of an argument, under computed labels."""
        inner = part.inside()
        inner.loop = True
        self.grow(inner, self.chance.randrange(1, 3))
        body, values = inner.body(), tuple(range(self.chance.randrange(1, 4)))
        name, stem = self.fresh("i"), self.fresh("item")
        items = literal(f"range({len(values)})", values)
        spots = [(u, a) for u, a in literals(body) if type(a.expression.value({}, None)) is int]
        if spots and self.chance.random() < 0.7:
            values = tuple(self.chance.randrange(1, 7) for _ in range(self.chance.randrange(1, 4)))
            items = literal(text_of(values, self.chance), values)
            body = exchanged_argument(body, *self.chance.choice(spots), variable(name))
        if not part.loop and len(set(values)) == len(values) and self.chance.random() < 0.7:
            first = next((s for s in body if not isinstance(s, Let) and s.label is None), None)
            computed = Expression(f'"{stem}_{{{name}}}"', lambda scope, flow: f"{stem}_{scope[name]}")
            body = body if first is None else exchanged(body, first, (replace(first, label=computed),))
        return self.compound(part, For(variable=name, items=items, body=body))

    def choice(self, part: Part) -> bool:
        """A condition: one side is never read but by the parser."""
        taken, other = (self.grow(part.inside(), self.chance.randrange(1, 3)) for _ in range(2))
        n, holds = part.shape[0], self.chance.random() < 0.5
        forms: tuple[tuple[str, Callable[[int], bool]], ...] = (
            (str(holds).lower(), lambda c: holds),
            (f"x.channels {'==' if holds else '!='} {n}", lambda c: (c == n) is holds),
            (f"x.channels > {n - 1} and {str(holds).lower()}", lambda c: c > n - 1 and holds),
            (f"not x.shape[0] {'>' if holds else '<='} {n}", lambda c: not (c > n if holds else c <= n)),
        )
        text, means = self.chance.choice(forms)
        sides = (taken.body(), other.body()) if holds else (other.body(), taken.body())
        step = If(condition=Expression(text, lambda scope, shape: means(shape[0] if shape else 0)), then=sides[0], otherwise=sides[1])
        if not holds and self.chance.random() < 0.3:
            step = replace(step, then=sides[1], otherwise=None)
        return self.compound(part, step)

    def call(self, part: Part) -> bool:
        """A use of a block: one of those that are there, or a new one."""
        if self.blocks and self.chance.random() < 0.5:
            again = self._again(self.chance.choice(self.blocks), part)
            if again is not None and self.compound(part, again):
                return True
        taken = sorted(part.visible.keys() - part.names)
        skip = {self.fresh("skip"): self.chance.choice(taken)} if taken and self.chance.random() < 0.4 else {}
        inner = Part(part.shape, visible={name: part.visible[ref] for name, ref in skip.items()}, depth=2)
        body = self.grow(inner, self.chance.randrange(1, 4)).body()
        needed = {name: ref for name, ref in skip.items() if any(name in s.tensors for s in steps_of(body) if isinstance(s, Use))}
        sort = "block" if needed else self.chance.choice(("block", "block", "block", "shared", "net"))
        return self.compound(part, self.as_block(body, part.shape, sort, needed))

    def _again(self, block: Block, part: Part) -> Call | None:
        """Another use of a block: with other numbers, or with the same, as a shared block must have them."""
        values: list[Expression] = []
        for before in self.given[block.name]:
            if isinstance(before, Named):
                same = [n for n, shape in part.visible.items() if n not in part.names and shape == part.shape]
                if not same:
                    return None
                values.append(named(self.chance.choice(sorted(same))))
            elif block.shared or type(before.value({}, None)) is not int or self.chance.random() < 0.5:
                values.append(before)
            else:
                number = self.chance.randrange(1, 7)
                values.append(literal(str(number), number))
        return self._part_of(block, self._called(block, values))

    def _part_of(self, block: Block, call: Call) -> Call:
        """A use of a net, or of a labelled step of it that names no tensor outside."""
        plain = [
            s.label.text for s in block.body if s.label and s.label.text[0] != '"' and not any(_names_tensors(i) for i in steps_of((s,)))
        ]
        if block.input is None or not plain or self.chance.random() < 0.5:
            return call
        return PartOf(block=block.name, arguments=call.arguments, part=self.chance.choice(plain))

    def as_block(self, body: Body, shape: Shape, sort: str, tensors: Mapping[str, str]) -> Call:
        """A block of this body, some of whose arguments become parameters, and a use of it that means the same."""
        found = [(Parameter(name), cast("Expression", named(reference))) for name, reference in tensors.items()]
        for _, argument in self.chance.sample(spots := literals(body), min(len(spots), self.chance.randrange(3))):
            use = next(s for s in steps_of(body) if isinstance(s, Use) and argument in s.arguments)
            name = self.fresh("p")
            body = exchanged_argument(body, use, argument, variable(name))
            default = argument.expression if self.chance.random() < 0.3 else None
            found.insert(0 if default is None else len(found), (Parameter(name, default), argument.expression))
        parameters = tuple(parameter for parameter, _ in found)
        image = Input(shape=shape, label=label(self.fresh("image"))) if sort == "net" else None
        block = Block(self.fresh("part"), parameters, body, sort == "shared", image)
        self.blocks.append(block)
        self.given[block.name] = [value for _, value in found]
        return self._called(block, self.given[block.name])

    def _called(self, block: Block, values: Sequence[Expression]) -> Call:
        given: list[Argument] = []
        for parameter, value in zip(block.parameters, values, strict=True):
            by_name = bool(given and given[-1].by_name) or self.chance.random() < 0.4
            if parameter.default is None or by_name:
                given.append(Argument(parameter.name, value, by_name))
        return Call(block=block.name, arguments=tuple(given))

    def compound(self, part: Part, step: Step) -> bool:
        """Add a step with bodies in it, if all of it can be read: under a label now and then."""
        preprocess = isinstance(step, Braces) and step.preprocess
        step = self.labelled(replace(step, frozen=step.frozen or (not preprocess and self.chance.random() < 0.05)), part)
        reader = Reader(Program(tuple(self.blocks), (), ()), Rules(), lambda shape: shape, lambda shape: shape)
        here = Here(Place(""), {n: Given(reader.seed(shape)) for n, shape in part.visible.items()})
        try:
            end = reader.body((step,), here, reader.seed(part.shape))
        except (Reject, Misuse):
            return False
        assert end is not None
        if not all(fits(node.value) for node in reader.nodes):
            return False
        part.add(step, reader.nodes[end].value)
        new = dict(here.place.references())
        part.visible |= {name: reader.nodes[node].value for name, node in new.items()}
        part.names = {name for name, node in new.items() if node == end}
        return True


def exchanged_argument(body: Body, use: Use, old: Argument, new: Expression) -> Body:
    """The body with another value for one argument."""
    given = tuple(replace(a, expression=new) if a is old else a for a in use.arguments)
    return cast("Body", exchanged(body, use, (replace(use, arguments=given),)))


def _names_tensors(step: Step) -> bool:
    return isinstance(step, Use) and bool(step.tensors)


def literals(body: Body) -> list[tuple[Use, Argument]]:
    """The arguments of layers that are plain values, with the uses they belong to."""
    return [(s, a) for s in steps_of(body) if isinstance(s, Use) for a in s.arguments if a.expression.literal]
