"""The tree of a file, as written: frozen dataclasses, a :class:`~netspec.source.Span` on each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netspec.source import Source, Span

# ---- expressions


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, string, size or truth value; ``value`` is of the matching type of :mod:`netspec.values`."""

    value: Any
    span: Span


@dataclass(frozen=True, slots=True)
class SymbolicSize:
    """``3xHxW``: a size with axes left open."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Flow:
    """``x``, the tensor that flows in."""

    span: Span


@dataclass(frozen=True, slots=True)
class Attribute:
    value: Expression
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Slice:
    start: Expression | None
    stop: Expression | None
    span: Span


@dataclass(frozen=True, slots=True)
class Index:
    value: Expression
    index: Expression | Slice
    span: Span


@dataclass(frozen=True, slots=True)
class Argument:
    """``3`` or ``stride=2``; ``name_span`` is the name's own place."""

    name: str | None
    value: Expression
    name_span: Span
    span: Span


@dataclass(frozen=True, slots=True)
class Arguments:
    items: tuple[Argument, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    function: Expression
    arguments: Arguments
    span: Span


@dataclass(frozen=True, slots=True)
class ListLiteral:
    items: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    operand: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Expression
    right: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Conditional:
    then: Expression
    condition: Expression
    otherwise: Expression
    span: Span


Expression = Literal | SymbolicSize | Name | Flow | Attribute | Index | Call | ListLiteral | Unary | Binary | Conditional
Reference = Name | Attribute | Index

# ---- what flows


@dataclass(frozen=True, slots=True)
class Hole:
    """What could not be read and has been reported; ``names`` are those it would have defined."""

    names: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Label:
    """``stem:`` or ``"layer{i + 1}":``; parts are text and, between braces, expressions."""

    parts: tuple[str | Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class UseOf:
    """A layer, block, net or tensor named in a chain, perhaps with arguments, perhaps with a body of branches."""

    reference: Reference
    arguments: Arguments | None
    body: Body | None
    span: Span


@dataclass(frozen=True, slots=True)
class Region:
    body: Body
    span: Span


@dataclass(frozen=True, slots=True)
class Frozen:
    operation: Operation
    span: Span


@dataclass(frozen=True, slots=True)
class If:
    condition: Expression
    then: Body
    otherwise: Body | If | None
    span: Span


@dataclass(frozen=True, slots=True)
class For:
    variable: str
    iterable: Expression
    body: Body
    span: Span


@dataclass(frozen=True, slots=True)
class Repeat:
    count: Expression
    body: Body
    span: Span


Operation = UseOf | Region | Frozen | If | For | Repeat


@dataclass(frozen=True, slots=True)
class Step:
    label: Label | None
    operation: Operation
    span: Span


@dataclass(frozen=True, slots=True)
class Chain:
    steps: tuple[Step, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Let:
    name: str
    value: Expression
    span: Span


Statement = Chain | Let | Hole


@dataclass(frozen=True, slots=True)
class Branch:
    statements: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Body:
    """Statements, or the branches of a merge; one of the two is empty."""

    statements: tuple[Statement, ...]
    branches: tuple[Branch, ...]
    span: Span


# ---- a file


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    default: Expression | None
    span: Span


@dataclass(frozen=True, slots=True)
class Use:
    name: str
    path: str
    span: Span


@dataclass(frozen=True, slots=True)
class Net:
    name: str
    parameters: tuple[Parameter, ...]
    body: Body
    name_span: Span
    span: Span


@dataclass(frozen=True, slots=True)
class NetAlias:
    """``net B = A(depths=[3, 8, 36, 3])``."""

    name: str
    base: str
    arguments: Arguments
    name_span: Span
    base_span: Span
    span: Span


@dataclass(frozen=True, slots=True)
class Block:
    name: str
    parameters: tuple[Parameter, ...]
    body: Body
    shared: bool
    name_span: Span
    span: Span


@dataclass(frozen=True, slots=True)
class Setting:
    """``key = value`` in a section."""

    key: str
    value: Expression
    key_span: Span
    span: Span


@dataclass(frozen=True, slots=True)
class Target:
    """``target label = class`` in a section."""

    keyword: str
    name: str
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Subsection:
    name: str
    entries: tuple[Entry, ...]
    name_span: Span
    span: Span


Entry = Setting | Target | Subsection | Hole


@dataclass(frozen=True, slots=True)
class Section:
    """``train { … }``; ``subject`` names the net it is of, where it is not the first of the file."""

    name: str
    subject: str | None
    entries: tuple[Entry, ...]
    name_span: Span
    span: Span


Item = Use | Net | NetAlias | Block | Section | Hole


@dataclass(frozen=True, slots=True)
class File:
    source: Source
    items: tuple[Item, ...]
