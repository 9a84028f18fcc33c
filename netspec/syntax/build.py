"""What each rule of the grammar becomes: one small constructor a rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from netspec.source import Source, Span
from netspec.syntax import ast
from netspec.values import Percent, Rounded, Size


class Many(list[Any]):
    """The children of a rule that only collects."""

    __slots__ = ()


_SCALE = {"%": 0.01, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def number(text: str) -> int | float:
    """The value of a literal: whole where it can be, a :class:`Percent`, or with a suffix a :class:`Rounded` figure."""
    digits = text.replace("_", "")
    suffix = digits[-1]
    if suffix == "%":
        return Percent(float(digits[:-1]) / 100)
    if suffix not in _SCALE:
        return int(digits) if digits.isdigit() else float(digits)
    digits = digits[:-1]
    decimals = len(digits.partition(".")[2])
    return Rounded(float(digits) * _SCALE[suffix], _SCALE[suffix] / 10**decimals)


def _literal(value: Callable[[str], Any]) -> Callable[[list[Any], Span], ast.Literal]:
    return lambda items, span: ast.Literal(value(items[0].text), span)


def _size(items: list[Any], span: Span) -> ast.Literal | ast.SymbolicSize:
    parts = items[0].text.split("x")
    if all(p.isdigit() for p in parts):
        return ast.Literal(Size(map(int, parts)), span)
    return ast.SymbolicSize(items[0].text, span)


def _token_span(token: Any) -> Span:
    return Span(token.start, token.end)


def _slice(items: list[Any], span: Span) -> ast.Slice:
    colon = next(i for i, item in enumerate(items) if getattr(item, "kind", "") == "COLON")
    return ast.Slice(items[0] if colon else None, items[colon + 1] if len(items) > colon + 1 else None, span)


def _argument(items: list[Any], span: Span) -> ast.Argument:
    if len(items) == 1:
        return ast.Argument(None, items[0], span, span)
    return ast.Argument(items[0].text, items[1], _token_span(items[0]), span)


def _use_of(items: list[Any], span: Span) -> ast.UseOf:
    arguments = next((i for i in items if type(i) is ast.Arguments), None)
    return ast.UseOf(items[0], arguments, items[-1] if type(items[-1]) is ast.Body else None, span)


def labelled(items: list[Any], span: Span, source: Source, expression: Callable[..., ast.Expression]) -> ast.Step:
    """A step with its label, of which a quoted one may be computed."""
    token, operation = items
    if token.kind == "NAME":
        return ast.Step(ast.Label((token.text,), _token_span(token)), operation, span)
    return ast.Step(ast.Label(_parts(token, source, expression), _token_span(token)), operation, span)


def _parts(token: Any, source: Source, expression: Callable[..., ast.Expression]) -> tuple[str | ast.Expression, ...]:
    """The text of a computed label, and between its braces expressions."""
    parts: list[str | ast.Expression] = []
    position, end = token.start + 1, token.end - 1
    while (brace := source.text.find("{", position, end)) >= 0:
        close = source.text.find("}", brace, end)
        if close < 0:
            break
        if brace > position:
            parts.append(source.text[position:brace])
        parts.append(expression(source, brace + 1, close))
        position = close + 1
    if position < end or not parts:
        parts.append(source.text[position:end])
    return tuple(parts)


def _step(item: Any) -> ast.Step:
    return item if type(item) is ast.Step else ast.Step(None, item, item.span)


def _chain(items: list[Any], span: Span) -> ast.Chain:
    return ast.Chain(tuple(map(_step, items)), span)


def _net(items: list[Any], span: Span) -> ast.Net:
    return ast.Net(items[0].text, items[1] if len(items) == 3 else (), items[-1], _token_span(items[0]), span)


def _net_alias(items: list[Any], span: Span) -> ast.NetAlias:
    name, base, arguments = items
    return ast.NetAlias(name.text, base.text, arguments, _token_span(name), _token_span(base), span)


def _block(items: list[Any], span: Span) -> ast.Block:
    shared = items[0].kind == "SHARED"
    name, *rest = items[shared:]
    return ast.Block(name.text, rest[0] if len(rest) == 2 else (), rest[-1], shared, _token_span(name), span)


def _section(items: list[Any], span: Span) -> ast.Section:
    named = len(items) > 1 and getattr(items[1], "kind", "") == "NAME"
    entries = tuple(items[1 + named :])
    return ast.Section(items[0].text, items[1].text if named else None, entries, _token_span(items[0]), span)


def _key(items: list[Any], span: Span) -> tuple[str, Span]:
    text = items[0].text[1:-1] if items[0].kind == "STRING" else ".".join(t.text for t in items)
    return text, span


def _if(items: list[Any], span: Span) -> ast.If:
    return ast.If(items[0], items[1], items[2] if len(items) == 3 else None, span)


BUILDERS: Final[dict[str, Callable[..., Any]]] = {
    "file": lambda items, span: items,
    "use": lambda items, span: ast.Use(items[0].text, items[1].text[1:-1], _token_span(items[0]), _token_span(items[1]), span),
    "net": _net,
    "net_alias": _net_alias,
    "block": _block,
    "section": _section,
    "hole": lambda items, span: ast.Hole(tuple(items[0].text.split()), span),
    "parameters": lambda items, span: tuple(items),
    "parameter": lambda items, span: ast.Parameter(items[0].text, items[1] if len(items) == 2 else None, span),
    "setting": lambda items, span: ast.Setting(items[0][0], items[1], items[0][1], span),
    "target": lambda items, span: ast.Target(items[0].text, items[1].text, items[2], _token_span(items[1]), span),
    "subsection": lambda items, span: ast.Subsection(items[0].text, tuple(items[1:]), _token_span(items[0]), span),
    "key": _key,
    "body": lambda items, span: ast.Body(tuple(items), (), span),
    "branches": lambda items, span: ast.Body((), tuple(items), span),
    "branch": lambda items, span: ast.Branch(tuple(items), span),
    "let": lambda items, span: ast.Let(items[0].text, items[1], span),
    "chain": _chain,
    "labelled": labelled,
    "use_of": _use_of,
    "region": lambda items, span: ast.Region(items[0], span),
    "frozen": lambda items, span: ast.Frozen(items[0], span),
    "if_": _if,
    "for_": lambda items, span: ast.For(tuple(name.text for name in items[:-2]), items[-2], items[-1], span),
    "repeat": lambda items, span: ast.Repeat(items[0], items[1], span),
    "name": lambda items, span: ast.Name(items[0].text, span),
    "attribute": lambda items, span: ast.Attribute(items[0], items[1].text, span),
    "index": lambda items, span: ast.Index(items[0], items[1], span),
    "slice": _slice,
    "arguments": lambda items, span: ast.Arguments(tuple(items), span),
    "named": _argument,
    "positional": _argument,
    "call": lambda items, span: ast.Call(items[0], items[1], span),
    "conditional": lambda items, span: ast.Conditional(items[0], items[1], items[2], span),
    "binary": lambda items, span: ast.Binary(items[1].text, items[0], items[2], span),
    "unary": lambda items, span: ast.Unary(items[0].text, items[1], span),
    "flow": lambda items, span: ast.Flow(span),
    "number": _literal(number),
    "size": _size,
    "string": _literal(lambda text: text[1:-1]),
    "boolean": _literal(lambda text: text == "true"),
    "list": lambda items, span: ast.ListLiteral(tuple(items), span),
}
