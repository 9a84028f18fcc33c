"""Precedence is Python's, and every node of a tree knows its own text."""

from __future__ import annotations

import ast as python
import random

import pytest

from netspec.source import Source
from netspec.syntax import ast
from netspec.syntax.lexer import LexicalError
from netspec.syntax.parser import parse_expression

OPERATORS = {
    python.Add: "+", python.Sub: "-", python.Mult: "*", python.Div: "/", python.FloorDiv: "//", python.Mod: "%", python.Pow: "**",
    python.Lt: "<", python.LtE: "<=", python.Gt: ">", python.GtE: ">=", python.Eq: "==", python.NotEq: "!=",
    python.USub: "-", python.UAdd: "+", python.Not: "not", python.And: "and", python.Or: "or",
}  # fmt: skip
BINARY = ["+", "-", "*", "/", "//", "**", "<", "<=", ">", ">=", "==", "!=", "and", "or"]


class Chained(Exception):
    """Python reads ``a < b < c`` as one comparison; netspec has none of that."""


def of_python(e: python.expr) -> object:
    match e:
        case python.Constant():
            return e.value
        case python.Name():
            return e.id
        case python.UnaryOp():
            return (OPERATORS[type(e.op)], of_python(e.operand))
        case python.BinOp():
            return (of_python(e.left), OPERATORS[type(e.op)], of_python(e.right))
        case python.BoolOp():
            value = of_python(e.values[0])
            for part in e.values[1:]:
                value = (value, OPERATORS[type(e.op)], of_python(part))
            return value
        case python.Compare():
            if len(e.ops) > 1:
                raise Chained
            return (of_python(e.left), OPERATORS[type(e.ops[0])], of_python(e.comparators[0]))
        case python.IfExp():
            return ("if", of_python(e.body), of_python(e.test), of_python(e.orelse))
        case python.Call():
            return ("call", of_python(e.func), *map(of_python, e.args))
        case python.Subscript():
            return ("index", of_python(e.value), of_python(e.slice))
        case python.Attribute():
            return ("attribute", of_python(e.value), e.attr)
        case python.List():
            return ("list", *map(of_python, e.elts))
    raise AssertionError(e)


def of_ours(e: ast.Expression | ast.Slice) -> object:
    match e:
        case ast.Literal():
            return e.value
        case ast.Name():
            return e.name
        case ast.Unary():
            return (e.operator, of_ours(e.operand))
        case ast.Binary():
            return (of_ours(e.left), e.operator, of_ours(e.right))
        case ast.Conditional():
            return ("if", of_ours(e.then), of_ours(e.condition), of_ours(e.otherwise))
        case ast.Call():
            return ("call", of_ours(e.function), *(of_ours(a.value) for a in e.arguments.items))
        case ast.Index():
            return ("index", of_ours(e.value), of_ours(e.index))
        case ast.Attribute():
            return ("attribute", of_ours(e.value), e.name)
        case ast.ListLiteral():
            return ("list", *map(of_ours, e.items))
    raise AssertionError(e)


def written(chance: random.Random, depth: int) -> str:
    """A random expression, now and then one that neither language allows."""
    if depth == 0:
        return chance.choice(["1", "2", "30", "a", "b", "c"])
    inner = [written(chance, chance.randrange(depth)) for _ in range(3)]
    how = chance.randrange(12)
    if how < 6:
        return f"{inner[0]} {chance.choice(BINARY)} {inner[1]}"
    return [
        f"-{inner[0]}", f"not {inner[0]}", f"({inner[0]})", f"{inner[0]} if {inner[1]} else {inner[2]}",
        f"{inner[0]}[{inner[1]}]", f"f({inner[0]}, {inner[1]})",
    ][how - 6]  # fmt: skip


def test_random_expressions_group_as_in_python() -> None:
    chance = random.Random(1)
    compared = refused = 0
    for _ in range(2_000):
        text = written(chance, 4)
        try:
            wanted = of_python(python.parse(text, mode="eval").body)
        except Chained:
            continue
        except SyntaxError:
            refused += 1
            with pytest.raises(LexicalError):
                parse_expression(Source("a.net", text))
            continue
        assert of_ours(parse_expression(Source("a.net", text))) == wanted, text
        compared += 1
    assert compared > 1_000
    assert refused > 20


@pytest.mark.parametrize(
    "text", ["a < b < c", "a == b == c", "1 if 2", "lambda: 1", "a := 1", "[1 for a in b]", "a[1:2:3]", "{1: 2}", "a if b else"]
)
def test_what_python_has_and_netspec_has_not(text: str) -> None:
    with pytest.raises(LexicalError):
        parse_expression(Source("a.net", text))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2 ** 3 ** 2", (2, "**", (3, "**", 2))),
        ("-2 ** 2", ("-", (2, "**", 2))),
        ("2 ** -1", (2, "**", ("-", 1))),
        ("a - b - c", (("a", "-", "b"), "-", "c")),
        ("7 % 4", (7, "%", 4)),
        ("7%4", (7, "%", 4)),
        ("not a == b", ("not", ("a", "==", "b"))),
        ("a.b[1].c", ("attribute", ("index", ("attribute", "a", "b"), 1), "c")),
        ("[1, 2,]", ("list", 1, 2)),
        ("1_024", 1024),
        ("1e3", 1000.0),
        ("3x1x7", (3, 1, 7)),
        ('"a # b"', "a # b"),
    ],
)
def test_expression(text: str, wanted: object) -> None:
    assert of_ours(parse_expression(Source("a.net", text))) == wanted


def test_every_node_knows_its_own_text() -> None:
    chance = random.Random(2)
    for _ in range(300):
        text = written(chance, 3)
        try:
            tree = parse_expression(Source("a.net", text))
        except LexicalError:
            continue
        for part in parts(tree):
            own = text[part.span.start : part.span.end]
            assert of_ours(parse_expression(Source("a.net", own))) == of_ours(part)


def parts(e: ast.Expression) -> list[ast.Expression]:
    """A node and those below it, operators' operands and calls' arguments."""
    below: list[ast.Expression] = []
    match e:
        case ast.Unary():
            below = [e.operand]
        case ast.Binary():
            below = [e.left, e.right]
        case ast.Conditional():
            below = [e.then, e.condition, e.otherwise]
        case ast.Call():
            below = [a.value for a in e.arguments.items]
    return [e, *(found for part in below for found in parts(part))]
