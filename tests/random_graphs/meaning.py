"""What a tree means, worked out apart from netspec: the language page read a second time.

The reader is told how a layer is applied. With the layers' own rules it gives shapes; with a user's PyTorch it gives tensors, and so
decides without netspec what a file computes and whether it can be computed at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from netspec.layer import layers
from netspec.shape import Shape
from netspec.signature import REQUIRED
from tests.random_graphs.tree import (
    Argument,
    Block,
    Body,
    Braces,
    Call,
    Expression,
    For,
    From,
    If,
    Input,
    Join,
    Let,
    Named,
    PartOf,
    Program,
    Repeat,
    Step,
    Use,
    label,
)

T = TypeVar("T")
LONGEST = 60
Apply = Callable[[str, str, Sequence[T], Mapping[str, Any]], T]
"""What a layer makes: its path, its name, the tensors that flow in, its arguments complete with defaults."""


class Misuse(Exception):
    """The file breaks a rule of the language, whatever its layers do."""


@dataclass(slots=True)
class Made(Generic[T]):
    """One node, in the order of the text."""

    path: str | None
    """Where its weights live; ``None`` for a merge without a label, whose path the language leaves open."""
    layer: str
    arguments: dict[str, Any]
    inputs: tuple[int, ...]
    frozen: bool
    preprocess: bool
    value: T


@dataclass(slots=True)
class Place:
    """Where labels stand: a region, a block's use, or the net."""

    path: str
    outer: Place | None = None
    labels: dict[str, tuple[int, Place | None]] = field(default_factory=dict)
    count: int = 0
    spares: dict[str, int] = field(default_factory=dict)

    def join(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def number(self) -> str:
        self.count += 1
        return str(self.count - 1)

    def spare(self, name: str) -> str:
        """What goes without a label by a name of its own: from the second on, with a number."""
        times = self.spares[name] = self.spares.get(name, 0) + 1
        return name if times == 1 else f"{name}-{times}"

    def references(self) -> Iterator[tuple[str, int]]:
        """Every label, and those inside it behind a dot, with the node it names; a layer's name can be a label, and no reference."""
        for name, (node, inside) in self.labels.items():
            if name not in layers():
                yield name, node
                yield from ((f"{name}.{inner}", n) for inner, n in (inside.references() if inside else ()))


@dataclass(slots=True)
class Here:
    """Where a statement stands."""

    place: Place
    variables: dict[str, Any]
    frozen: bool = False
    preprocess: bool = False
    net: str = ""
    """The path of the net whose text this is, or of its use: below it are its shared blocks."""

    def inner(self, place: Place | None = None) -> Here:
        return replace(self, place=place or self.place, variables=dict(self.variables))


class Reader(Generic[T]):
    """Reads one file, or a part of one; ``nodes`` are what has been made so far."""

    def __init__(self, program: Program, apply: Apply[T], shape_of: Callable[[T], Shape], given: Callable[[Shape], T]) -> None:
        self.program, self.apply, self.shape_of, self.given = program, apply, shape_of, given
        self.blocks = {b.name: b for b in program.blocks}
        self.nodes: list[Made[T]] = []
        self.outputs: dict[str, int] = {}
        self.auxiliary: dict[str, int] = {}
        self.asks = True
        """Whether this is read to find out if it can be."""

    def seed(self, value: T) -> int:
        """A tensor from outside the part that is read."""
        return self._add("", "input", {}, (), Here(Place(""), {}), value)

    def net(self) -> Reader[T]:
        """Read the whole file."""
        here = Here(Place(""), {})
        for parameter in self.program.parameters:
            assert parameter.default is not None
            here.variables[parameter.name] = parameter.default.value(here.variables, None)
        flow = self.body(self.program.body, here, None)
        for name, reference in self.program.outputs:
            self.outputs[name or reference.replace(".", "_")] = self._tensor(reference, here)
        if not self.program.outputs:
            if flow is None:
                raise Misuse("nothing flows")
            self.outputs["output"] = flow
        self.auxiliary = {reference.replace(".", "_"): self._tensor(reference, here) for reference in self.program.auxiliary}
        used = {i for node in self.nodes for i in node.inputs} | set(self.outputs.values()) | set(self.auxiliary.values())
        if len(used) < len(self.nodes):
            raise Misuse("a tensor that nothing uses")
        frozen = {node.path: node.frozen for node in self.nodes if node.path is not None}
        if any(node.path is not None and frozen[node.path] != node.frozen for node in self.nodes):
            raise Misuse("a shared block that is frozen in one use, and not in another")
        return self

    def body(self, body: Body, here: Here, flow: int | None) -> int | None:
        """Read statements one after the other; gives what flows out of the last."""
        for step in body:
            if isinstance(step, Let):
                here.variables[step.name] = self._value(step.value, here, flow)
            else:
                flow = self._step(step, here, flow)
        return flow

    def _step(self, step: Step, here: Here, flow: int | None) -> int:
        if step.frozen:
            here = replace(here, frozen=True)
        name = None if step.label is None else str(self._value(step.label, here, flow))
        if name is not None and name in here.place.labels:
            raise Misuse(f"the label {name} stands twice")
        inside: Place | None = None
        match step:
            case Input(shape=shape):
                made = self._add(name or "input", "input", {"shape": shape}, (), here, self.given(shape))
            case From(name=reference):
                made = self._tensor(reference, here)
            case Join() | Braces() | Repeat() | For() | If():
                if isinstance(step, Braces) and step.preprocess:
                    inside = Place(here.place.join(name or here.place.spare("preprocess")), here.place)
                elif name is not None:
                    here.place.number()
                    inside = Place(here.place.join(name), here.place)
                made = self._compound(step, here, inside, flow)
            case Use():
                made = self._use(step, here, name, self._flowing(flow))
            case PartOf():
                made, inside = self._part(step, here, name or here.place.number(), self._flowing(flow))
                here.place.count += name is not None
            case Call():
                number = here.place.number()
                shared = self.blocks[step.block].shared
                inside = Place(Place(here.net).join(step.block) if shared else here.place.join(name or number))
                made = self._call(step, here, inside, self._flowing(flow))
            case _:
                raise TypeError(step)
        if isinstance(step, Braces) and step.preprocess:  # from here on the input's name means the input as the net is to see it
            here.place.labels |= {n: (made, i) for n, (node, i) in here.place.labels.items() if node == flow}
        if name is not None:
            here.place.labels[name] = (made, inside)
        return made

    def _compound(self, step: Step, here: Here, inside: Place | None, flow: int | None) -> int:
        around = here.inner(inside)
        match step:
            case Join():
                return self._join(step, around, self._flowing(flow))
            case Braces():
                around.preprocess |= step.preprocess
                return self._flowing(self.body(step.body, around, flow))
            case Repeat():
                for _ in range(self._value(step.count, around, flow)):
                    flow = self.body(step.body, around.inner(), flow)
            case For():
                for item in self._value(step.items, around, flow):
                    turn = around.inner()
                    turn.variables[step.variable] = item
                    flow = self.body(step.body, turn, flow)
            case If():
                chosen = step.then if self._value(step.condition, around, flow) else step.otherwise
                flow = flow if chosen is None else self.body(chosen, around.inner(), flow)
        return self._flowing(flow)

    def _use(self, step: Use, here: Here, name: str | None, flow: int) -> int:
        others = [self._tensor(t, here) for t in step.tensors]
        merge = layers()[step.layer].is_merge
        if merge and flow in others:
            raise Misuse("a merge that names what flows in")
        number = None if merge and name is None else here.place.number()
        path = None if number is None else here.place.join(name or number)
        return self._apply(path, step, here, (flow, *others))

    def _join(self, step: Join, here: Here, flow: int) -> int:
        made = [flow] if step.residual else []
        made += [self._flowing(self.body(branch, here.inner(), flow)) for branch in step.branches]
        made += [self._tensor(t, here) for t in step.tensors]
        return self._apply(None, step, here, tuple(made), flow)

    def _apply(self, path: str | None, step: Use, here: Here, inputs: tuple[int, ...], flow: int | None = None) -> int:
        written = self._arguments(step.arguments, here, inputs[0] if flow is None else flow)
        parameters = layers()[step.layer].signature.parameters
        arguments = {p.name: written.get(p.name, p.default) for p in parameters}
        if REQUIRED in arguments.values():
            raise Misuse("an argument is missing")
        value = self.apply(path or f"merge {len(self.nodes)}", step.layer, [self.nodes[i].value for i in inputs], arguments)
        return self._add(path, step.layer, arguments, inputs, here, value)

    def _call(self, step: Call, here: Here, place: Place, flow: int) -> int:
        block = self.blocks[step.block]
        inner = replace(here, place=place, variables=self._given(block, step, here, flow))
        if block.input is not None and block.input.label is not None:
            place.labels[block.input.label.text] = (flow, None)
            inner.net = place.path
        return self._flowing(self.body(block.body, inner, flow))

    def _part(self, step: PartOf, here: Here, name: str, flow: int) -> tuple[int, Place | None]:
        """A step of a net, written out at this place: nothing of the net around it is there, but the values of its parameters."""
        block = self.blocks[step.block]
        found = next((s for s in block.body if s.label is not None and s.label.text == step.part), None)
        if found is None:
            raise Misuse(f"{step.block} has no part {step.part}")
        place = Place(here.place.path)
        variables = self._given(block, step, here, flow)
        if self.asks and block.input is not None:  # a part is one of a net that can be
            apart = Reader(self.program, self.apply, self.shape_of, self.given)
            apart.body((block.input, *block.body), Here(Place("apart"), dict(variables)), None)
        made = self._step(replace(found, label=label(name)), replace(here, place=place, variables=variables), flow)
        return made, place.labels[name][1]

    def _given(self, block: Block, step: Call, here: Here, flow: int) -> dict[str, Any]:
        """The values of a block's parameters, in the order of their declaration, as defaults may use those before them."""
        given = self._arguments(step.arguments, here, flow)
        inner = Here(here.place, {})
        for parameter in block.parameters:
            if parameter.name in given:
                inner.variables[parameter.name] = given[parameter.name]
            elif parameter.default is not None:
                inner.variables[parameter.name] = self._value(parameter.default, inner, flow)
            else:
                raise Misuse("an argument is missing")
        return inner.variables

    def _arguments(self, arguments: Sequence[Argument], here: Here, flow: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for argument in arguments:
            tensor = isinstance(argument.expression, Named)
            found[argument.name] = (
                Given(self._tensor(argument.expression.text, here)) if tensor else self._value(argument.expression, here, flow)
            )
        return found

    def _value(self, expression: Expression, here: Here, flow: int | None) -> Any:
        try:
            return expression.value(here.variables, None if flow is None else self.shape_of(self.nodes[flow].value))
        except KeyError as error:
            raise Misuse(f"there is no {error.args[0]}") from None

    def _tensor(self, reference: str, here: Here) -> int:
        """The node that a label names: ``trunk.wide``. Labels of the regions around are looked up from the inside out."""
        if isinstance(found := here.variables.get(reference), Given):
            return found.node
        first, *rest = reference.split(".")
        place: Place | None = here.place
        while place is not None and first not in place.labels:
            place = place.outer
        if place is None:
            raise Misuse(f"nothing is called {reference}")
        node, inside = place.labels[first]
        for name in rest:
            if inside is None or name not in inside.labels:
                raise Misuse(f"nothing is called {reference}")
            node, inside = inside.labels[name]
        return node

    def _flowing(self, flow: int | None) -> int:
        if flow is None:
            raise Misuse("nothing flows")
        return flow

    def _add(self, path: str | None, layer: str, arguments: dict[str, Any], inputs: tuple[int, ...], here: Here, value: T) -> int:
        if len(self.nodes) >= LONGEST:
            raise Misuse("the net is longer than a random one should be")
        self.nodes.append(Made(path, layer, arguments, inputs, here.frozen, here.preprocess, value))
        return len(self.nodes) - 1


@dataclass(frozen=True)
class Given:
    """A tensor from outside the part that is read."""

    node: int
