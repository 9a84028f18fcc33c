"""The tree of a file, as written: frozen dataclasses, a :class:`~netspec.source.Span` on each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, dataclass_transform

from netspec.source import Source, Span

node = dataclass_transform(frozen_default=True, eq_default=False)(dataclass(frozen=True, slots=True, eq=False))
"""Frozen, with slots, equal only to itself: comparing trees is nobody's business, and each generated method costs a start 0.1 ms."""

# ---- expressions


@node
class Literal:
    """A number, string, size or truth value; ``value`` is of the matching type of :mod:`netspec.values`."""

    value: Any
    span: Span


@node
class SymbolicSize:
    """``3xHxW``: a size with axes left open."""

    text: str
    span: Span


@node
class Name:
    name: str
    span: Span


@node
class Flow:
    """``x``, the tensor that flows in."""

    span: Span


@node
class Attribute:
    value: Expression
    name: str
    span: Span


@node
class Slice:
    start: Expression | None
    stop: Expression | None
    span: Span


@node
class Index:
    value: Expression
    index: Expression | Slice
    span: Span


@node
class Argument:
    """``3`` or ``stride=2``; ``name_span`` is the name's own place."""

    name: str | None
    value: Expression
    name_span: Span
    span: Span


@node
class Arguments:
    items: tuple[Argument, ...]
    span: Span


@node
class Call:
    function: Expression
    arguments: Arguments
    span: Span


@node
class ListLiteral:
    items: tuple[Expression, ...]
    span: Span


@node
class Unary:
    operator: str
    operand: Expression
    span: Span


@node
class Binary:
    operator: str
    left: Expression
    right: Expression
    span: Span


@node
class Conditional:
    then: Expression
    condition: Expression
    otherwise: Expression
    span: Span


Expression = Literal | SymbolicSize | Name | Flow | Attribute | Index | Call | ListLiteral | Unary | Binary | Conditional
Reference = Name | Attribute | Index

# ---- what flows


@node
class Hole:
    """What could not be read and has been reported; ``names`` are those it would have defined."""

    names: tuple[str, ...]
    span: Span


@node
class Label:
    """``stem:`` or ``"layer{i + 1}":``; parts are text and, between braces, expressions."""

    parts: tuple[str | Expression, ...]
    span: Span


@node
class UseOf:
    """A layer, block, net or tensor named in a chain, perhaps with arguments, perhaps with a body of branches."""

    reference: Reference
    arguments: Arguments | None
    body: Body | None
    span: Span


@node
class Region:
    body: Body
    span: Span


@node
class Frozen:
    operation: Operation
    span: Span


@node
class If:
    condition: Expression
    then: Body
    otherwise: Body | If | None
    span: Span


@node
class For:
    variable: str
    iterable: Expression
    body: Body
    span: Span


@node
class Repeat:
    count: Expression
    body: Body
    span: Span


Operation = UseOf | Region | Frozen | If | For | Repeat


@node
class Step:
    label: Label | None
    operation: Operation
    span: Span


@node
class Chain:
    steps: tuple[Step, ...]
    span: Span


@node
class Let:
    name: str
    value: Expression
    span: Span


Statement = Chain | Let | Hole


@node
class Branch:
    statements: tuple[Statement, ...]
    span: Span


@node
class Body:
    """Statements, or the branches of a merge; one of the two is empty."""

    statements: tuple[Statement, ...]
    branches: tuple[Branch, ...]
    span: Span


# ---- a file


@node
class Parameter:
    name: str
    default: Expression | None
    span: Span


@node
class Use:
    name: str
    path: str
    span: Span


@node
class Net:
    name: str
    parameters: tuple[Parameter, ...]
    body: Body
    name_span: Span
    span: Span


@node
class NetAlias:
    """``net B = A(depths=[3, 8, 36, 3])``."""

    name: str
    base: str
    arguments: Arguments
    name_span: Span
    base_span: Span
    span: Span


@node
class Block:
    name: str
    parameters: tuple[Parameter, ...]
    body: Body
    shared: bool
    name_span: Span
    span: Span


@node
class Setting:
    """``key = value`` in a section."""

    key: str
    value: Expression
    key_span: Span
    span: Span


@node
class Target:
    """``target label = class`` in a section."""

    keyword: str
    name: str
    value: Expression
    span: Span


@node
class Subsection:
    name: str
    entries: tuple[Entry, ...]
    name_span: Span
    span: Span


Entry = Setting | Target | Subsection | Hole


@node
class Section:
    """``train { … }``; ``subject`` names the net it is of, where it is not the first of the file."""

    name: str
    subject: str | None
    entries: tuple[Entry, ...]
    name_span: Span
    span: Span


Item = Use | Net | NetAlias | Block | Section | Hole


@node
class File:
    source: Source
    items: tuple[Item, ...]
