"""The tree of a file, as written: frozen dataclasses, a :class:`~netspec.source.Span` on each."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from netspec.source import Source, Span


class Node:
    """What all have in common: they show themselves by their fields, and are equal only to themselves.

    Comparing trees is nobody's business, and each method that a dataclass generates costs every start 0.1 ms.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in fields(self))})"  # type: ignore[arg-type]


# ---- expressions


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Literal(Node):
    """A number, string, size or truth value; ``value`` is of the matching type of :mod:`netspec.values`."""

    value: Any
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SymbolicSize(Node):
    """``3xHxW``: a size with axes left open."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Name(Node):
    name: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Flow(Node):
    """``x``, the tensor that flows in."""

    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Attribute(Node):
    value: Expression
    name: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Slice(Node):
    start: Expression | None
    stop: Expression | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Index(Node):
    value: Expression
    index: Expression | Slice
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Argument(Node):
    """``3`` or ``stride=2``; ``name_span`` is the name's own place."""

    name: str | None
    value: Expression
    name_span: Span
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Arguments(Node):
    items: tuple[Argument, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Call(Node):
    function: Expression
    arguments: Arguments
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ListLiteral(Node):
    items: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Unary(Node):
    operator: str
    operand: Expression
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Binary(Node):
    operator: str
    left: Expression
    right: Expression
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Conditional(Node):
    then: Expression
    condition: Expression
    otherwise: Expression
    span: Span


Expression = Literal | SymbolicSize | Name | Flow | Attribute | Index | Call | ListLiteral | Unary | Binary | Conditional
Reference = Name | Attribute | Index

# ---- what flows


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Hole(Node):
    """What could not be read and has been reported; ``names`` are those it would have defined."""

    names: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Label(Node):
    """``stem:`` or ``"layer{i + 1}":``; parts are text and, between braces, expressions."""

    parts: tuple[str | Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class UseOf(Node):
    """A layer, block, net or tensor named in a chain, perhaps with arguments, perhaps with a body of branches."""

    reference: Reference
    arguments: Arguments | None
    body: Body | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Region(Node):
    body: Body
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Frozen(Node):
    operation: Operation
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class If(Node):
    condition: Expression
    then: Body
    otherwise: Body | If | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class For(Node):
    """``for i in range(4) { … }``, or ``for width, stride in table { … }``, which takes each item apart."""

    variables: tuple[str, ...]
    iterable: Expression
    body: Body
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Repeat(Node):
    count: Expression
    body: Body
    span: Span


Operation = UseOf | Region | Frozen | If | For | Repeat


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Step(Node):
    label: Label | None
    operation: Operation
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Chain(Node):
    steps: tuple[Step, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Let(Node):
    name: str
    value: Expression
    span: Span


Statement = Chain | Let | Hole


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Branch(Node):
    statements: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Body(Node):
    """Statements, or the branches of a merge; one of the two is empty."""

    statements: tuple[Statement, ...]
    branches: tuple[Branch, ...]
    span: Span


# ---- a file


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Parameter(Node):
    name: str
    default: Expression | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Use(Node):
    """``use vgg16 from "netspec:vgg16"``."""

    name: str
    path: str
    name_span: Span
    path_span: Span
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Net(Node):
    name: str
    parameters: tuple[Parameter, ...]
    body: Body
    name_span: Span
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NetAlias(Node):
    """``net B = A(depths=[3, 8, 36, 3])``."""

    name: str
    base: str
    arguments: Arguments
    name_span: Span
    base_span: Span
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Block(Node):
    name: str
    parameters: tuple[Parameter, ...]
    body: Body
    shared: bool
    name_span: Span
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Setting(Node):
    """``key = value`` in a section."""

    key: str
    value: Expression
    key_span: Span
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Target(Node):
    """``target label = class`` or ``input left = column(file)`` in a section."""

    keyword: str
    name: str
    value: Expression
    name_span: Span
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Subsection(Node):
    name: str
    entries: tuple[Entry, ...]
    name_span: Span
    span: Span


Entry = Setting | Target | Subsection | Hole


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Section(Node):
    """``train { … }``; ``subject`` names the net it is of, where it is not the first of the file."""

    name: str
    subject: str | None
    entries: tuple[Entry, ...]
    name_span: Span
    span: Span


Item = Use | Net | NetAlias | Block | Section | Hole


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class File(Node):
    source: Source
    items: tuple[Item, ...]
