"""A file of the language as a tree, made by tests: its parts, and how each is written.

The tree is no part of netspec: what it means is worked out a second time, by :mod:`tests.random_graphs.meaning`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from netspec.shape import Shape

Meaning = Callable[[Mapping[str, Any], Shape | None], Any]


@dataclass(frozen=True, eq=False)
class Expression:
    """A text, and its value where certain variables have values and a tensor of a certain shape flows in."""

    text: str
    value: Meaning
    literal: bool = False
    """Whether it means the same everywhere."""


@dataclass(frozen=True, eq=False)
class Named(Expression):
    """A tensor's name."""


@dataclass(frozen=True, eq=False)
class Argument:
    """One argument, by position or by name."""

    name: str
    expression: Expression
    by_name: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """One step of a chain."""

    label: Expression | None = None
    frozen: bool = False


Body = tuple[Step, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Use(Step):
    """A use of a layer; ``tensors`` are the names of those that flow in besides."""

    layer: str
    arguments: tuple[Argument, ...] = ()
    tensors: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Join(Use):
    """A merge of branches; with ``residual`` written as ``residual { … }``."""

    branches: tuple[Body, ...]
    residual: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Call(Step):
    """A use of a block."""

    block: str
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class PartOf(Call):
    """A use of a labelled step of a net: ``vgg16.features``."""

    part: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Braces(Step):
    """A region; ``preprocess`` where that is what it is."""

    body: Body
    preprocess: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Repeat(Step):
    count: Expression
    body: Body


@dataclass(frozen=True, eq=False, kw_only=True)
class For(Step):
    variable: str
    items: Expression
    body: Body


@dataclass(frozen=True, eq=False, kw_only=True)
class If(Step):
    condition: Expression
    then: Body
    otherwise: Body | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class From(Step):
    """A tensor's name that begins a chain."""

    name: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Input(Step):
    shape: Shape


@dataclass(frozen=True, eq=False, kw_only=True)
class Let(Step):
    """``let name = value``; a statement of its own."""

    name: str
    value: Expression


@dataclass(frozen=True, eq=False)
class Parameter:
    """A parameter of a block or net."""

    name: str
    default: Expression | None = None


@dataclass(frozen=True, eq=False)
class Block:
    """A block of the file, or with ``input`` a net that is used as one."""

    name: str
    parameters: tuple[Parameter, ...]
    body: Body
    shared: bool = False
    input: Input | None = None

    def text(self) -> str:
        """Its definition."""
        word = "net" if self.input else "shared block" if self.shared else "block"
        return _definition(word, self.name, self.parameters, _lines((*([self.input] if self.input else []), *self.body)))


@dataclass(frozen=True, eq=False)
class Program:
    """A file whose net is called ``Net``.

    ``outputs`` pairs the name of a result, if it has one of its own, with the tensor's, and is empty where ``output(…)`` is not written.
    ``auxiliary`` are the tensors that are results in training alone.
    """

    blocks: tuple[Block, ...]
    parameters: tuple[Parameter, ...]
    body: Body
    outputs: tuple[tuple[str | None, str], ...] = ()
    auxiliary: tuple[str, ...] = ()

    def text(self) -> str:
        """The file."""
        results = ", ".join(ref if name is None else f"{name}={ref}" for name, ref in self.outputs)
        ending = [f"output({results})"] * bool(results) + [f"auxiliary({', '.join(self.auxiliary)})"] * bool(self.auxiliary)
        return "\n".join([*(b.text() for b in self.blocks), _definition("net", "Net", self.parameters, [*_lines(self.body), *ending])])


def literal(text: str, value: Any) -> Expression:
    """An expression that means the same everywhere."""
    return Expression(text, lambda scope, flow: value, literal=True)


def variable(name: str) -> Expression:
    """The value of a parameter, a ``let`` or a loop's variable."""
    return Expression(name, lambda scope, flow: scope[name])


def named(reference: str) -> Named:
    """A tensor as an argument."""
    return Named(reference, lambda scope, flow: None)


def label(text: str) -> Expression:
    """A plain label."""
    return literal(text, text.strip('"'))


def parts_of(step: Step | Program | Block) -> Iterator[Body]:
    """The bodies inside a part of the tree."""
    for field in fields(step):
        value = getattr(step, field.name)
        if field.name == "branches":
            yield from value
        elif field.name in ("body", "then", "otherwise") and value is not None:
            yield value


def steps_of(body: Body) -> Iterator[Step]:
    """Every step, those inside others too."""
    for step in body:
        yield step
        for inner in parts_of(step):
            yield from steps_of(inner)


def everything(program: Program) -> Iterator[Step]:
    """Every step of a file, those of its blocks too."""
    for body in (*(b.body for b in program.blocks), program.body):
        yield from steps_of(body)


def exchanged(part: Any, old: Step, new: tuple[Step, ...]) -> Any:
    """The part of the tree with one step in the place of another, or none, or several."""
    if isinstance(part, tuple):
        changed = [exchanged(step, old, new) if step is not old else new for step in part]
        return tuple(s for c in changed for s in (c if isinstance(c, tuple) else (c,)))
    changes = {f.name: getattr(part, f.name) for f in fields(part) if f.name in ("body", "then", "otherwise", "branches", "blocks")}
    new_values = {
        name: tuple(exchanged(b, old, new) for b in value) if name == "branches" else exchanged(value, old, new)
        for name, value in changes.items()
        if value is not None
    }
    return replace(part, **new_values) if new_values else part


def _definition(word: str, name: str, parameters: tuple[Parameter, ...], lines: list[str]) -> str:
    given = ", ".join(p.name if p.default is None else f"{p.name} = {p.default.text}" for p in parameters)
    return f"{word} {name}{f'({given})' if given else ''} {{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


def _lines(body: Body) -> list[str]:
    """Statements on lines of their own; short steps go on a line together."""
    lines: list[str] = []
    joinable = False
    for step in body:
        written = _step(step)
        short = len(written) == 1 and not isinstance(step, Let | Input)
        if short and joinable and not isinstance(step, From) and len(lines[-1]) < 90:
            lines[-1] += f" -> {written[0]}"
        else:
            lines += written
        joinable = short
    return lines


def _step(step: Step) -> list[str]:
    if isinstance(step, Let):
        return [f"let {step.name} = {step.value.text}"]
    head = f"{step.label.text}: " if step.label else ""
    first, *rest = _operation(step)
    return [head + "frozen " * step.frozen + first, *rest]


def _operation(step: Step) -> list[str]:
    match step:
        case Join():
            word = "residual" if step.residual else step.layer + _arguments(step.tensors, step.arguments)
            if step.residual:
                return _braced(word, step.branches[0])
            return [f"{word} {{", *(f"    {line}" for branch in step.branches for line in _branch(branch)), "}"]
        case Use():
            return [step.layer + _arguments(step.tensors, step.arguments)]
        case PartOf():
            return [f"{step.block}.{step.part}" + _arguments((), step.arguments)]
        case Call():
            return [step.block + _arguments((), step.arguments)]
        case Braces():
            return _braced("preprocess" if step.preprocess else "", step.body)
        case Repeat():
            return _braced(f"repeat({step.count.text})", step.body)
        case For():
            return _braced(f"for {step.variable} in {step.items.text}", step.body)
        case If():
            taken = _braced(f"if {step.condition.text}", step.then)
            return taken if step.otherwise is None else [*taken[:-1], *_braced("} else", step.otherwise)]
        case From():
            return [step.name]
        case Input():
            return [f"input({'x'.join(map(str, step.shape))})"]
    raise TypeError(step)


def _branch(body: Body) -> list[str]:
    first, *rest = _lines(body) or [""]
    return [f"| {first}".rstrip(), *(f"  {line}" for line in rest)]


def _braced(head: str, body: Body) -> list[str]:
    return [f"{head} {{".lstrip(), *(f"    {line}" for line in _lines(body)), "}"]


def _arguments(tensors: tuple[str, ...], arguments: tuple[Argument, ...]) -> str:
    given = [*tensors, *(f"{a.name}={a.expression.text}" if a.by_name else a.expression.text for a in arguments)]
    return f"({', '.join(given)})" if given else ""
