"""Tokens to tree: an LALR(1) driver over the tables, with recovery.

Precedence in the grammar is a ladder of rules, most of which only rename what they contain. The driver climbs such a
ladder in one look-up: the state it ends in depends on the state below, the rung and the next token alone, so it is worked
out once. After an error the whole statement is replaced by a hole, and the parse begins again: so every statement that
is wrong is reported, and what a hole would have defined is remembered, so that nothing that uses it is reported too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from netspec.diagnostics import Diagnostic
from netspec.source import Place, Source, Span
from netspec.syntax import ast
from netspec.syntax.build import BUILDERS, Many
from netspec.syntax.expectation import unexpected
from netspec.syntax.faults import BAD, MAX_ERRORS, GaveUp
from netspec.syntax.lexer import END, LexicalError, Token, tokenize
from netspec.syntax.tables import Rule, Tables, tables

_STOP: Final = -(2**31)

_tables = cache(tables)


class SyntaxFault(Exception):
    """A token that cannot stand where it does, by its index."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


def parse(source: Source) -> tuple[ast.File, list[Diagnostic]]:
    """The tree of a file, with holes where statements could not be read, and the diagnostics that say why."""
    found: list[Diagnostic] = []
    try:
        tokens = tokenize(source, _tables(), found=found)
    except LexicalError as error:
        return ast.File(source, ()), [*found, error.diagnostic]
    except GaveUp:
        return ast.File(source, ()), found
    while True:
        try:
            return ast.File(source, tuple(_Driver(_tables(), source).run(tokens, "file"))), found
        except LexicalError as error:  # inside a computed label
            found.append(error.diagnostic)
            index = next(i for i, t in enumerate(tokens) if t.end > error.diagnostic.place.span.start)  # type: ignore[union-attr]
        except SyntaxFault as fault:
            index = fault.index
            if not _reported(tokens, index):
                problem = unexpected(tokens, index, _acceptable(_tables(), tokens[:index]))
                found.append(Diagnostic(problem, Place(source, Span(tokens[index].start, tokens[index].end))))
        shorter = _with_hole(tokens, index)
        if shorter is None or len(found) >= MAX_ERRORS:
            return ast.File(source, ()), found
        tokens = shorter


def parse_expression(source: Source, start: int = 0, end: int | None = None) -> ast.Expression:
    """The expression between two offsets of a text. Raises :class:`LexicalError` or a :class:`NetspecError`'s diagnostic in one."""
    tokens = tokenize(source, _tables(), start, end)
    try:
        return _Driver(_tables(), source).run(tokens, "expression")  # type: ignore[no-any-return]
    except SyntaxFault as fault:
        token = tokens[fault.index]
        problem = unexpected(tokens, fault.index, _acceptable(_tables(), tokens[: fault.index], "expression"))
        raise LexicalError(source, problem, token.start, token.end) from None


class _Driver:
    """Runs the tables over tokens. Four stacks go side by side: states, what was made, where it begins and where it ends."""

    def __init__(self, tables: Tables, source: Source) -> None:
        self.tables = tables
        self.source = source

    def run(self, tokens: Sequence[Token], start: str) -> Any:
        table, rules, climbed = self.tables.states, self.tables.rules, _climbed()
        states: list[int] = [self.tables.starts[start]]
        values: list[Any] = []
        begins: list[int] = []
        ends: list[int] = []
        for index, token in enumerate(tokens):
            kind, _, begin, end = token
            while (action := table[states[-1]].get(kind, _STOP)) < 0:
                if action == _STOP:
                    if kind == END and states[-1] == self.tables.ends[start]:
                        return values[0]
                    raise SyntaxFault(index)
                rule = rules[~action]
                if rule.unit:
                    key = (states[-2], states[-1], kind)
                    if (state := climbed.get(key)) is None:
                        state = climbed[key] = self._climb(*key)
                    states[-1] = state
                    continue
                if length := rule.length:
                    children, first, last = values[-length:], begins[-length], ends[-1]
                    del states[-length:], values[-length:], begins[-length:], ends[-length:]
                else:
                    children, first, last = [], begin, begin
                values.append(self._made(rule, children, first, last))
                begins.append(first)
                ends.append(last)
                states.append(table[states[-1]][rule.origin])
            states.append(action)
            values.append(token)
            begins.append(begin)
            ends.append(end)
        raise AssertionError("a parse ends at $END")

    def _climb(self, below: int, state: int, kind: str) -> int:
        """The state in which a ladder of renaming rules ends."""
        while True:
            action = self.tables.states[state].get(kind, 0)
            if action >= 0 or not self.tables.rules[~action].unit:
                return state
            state = self.tables.states[below][self.tables.rules[~action].origin]

    def _made(self, rule: Rule, children: list[Any], begin: int, end: int) -> Any:
        name, keep = rule.name, rule.keep
        if name == "":
            return children[keep[0]]
        if keep and type(children[keep[0]]) is Many:  # lists grow in place: a chain of 20,000 steps costs 20,000 steps
            items, keep = children[keep[0]], keep[1:]
        else:
            items = Many()
        for i in keep:
            child = children[i]
            if type(child) is Many:
                items.extend(child)
            else:
                items.append(child)
        if name == "*":
            return items
        if name == "labelled":
            return BUILDERS[name](items, Span(begin, end), self.source, parse_expression)
        return BUILDERS[name](items, Span(begin, end))


def _acceptable(tables: Tables, tokens: Sequence[Token], start: str = "file") -> list[str]:
    """The kinds of token that can follow ``tokens``: each is tried, as the tables alone name too many where they have merged states."""
    states = [tables.starts[start]]
    for token in tokens:
        _advance(tables, states, token.kind)
    kinds = {kind for row in tables.states for kind in row if kind.isupper()} - {END, "HOLE"}
    return [kind for kind in kinds if _advance(tables, states.copy(), kind)] + (
        [END] if _advance(tables, states.copy(), END, tables.ends[start]) else []
    )


def _advance(tables: Tables, states: list[int], kind: str, end: int | None = None) -> bool:
    """Whether a token of a kind fits; ``states`` then stand behind it."""
    while (action := tables.states[states[-1]].get(kind, _STOP)) < 0:
        if action == _STOP:
            return states[-1] == end
        rule = tables.rules[~action]
        del states[len(states) - rule.length :]
        states.append(tables.states[states[-1]][rule.origin])
    states.append(action)
    return True


@cache
def _climbed() -> dict[tuple[int, int, str], int]:
    return {}


def _reported(tokens: list[Token], index: int) -> bool:
    """Whether the statement around ``index`` is known to be wrong already."""
    start, stop = _statement(tokens, index)
    return any(t.kind == BAD for t in tokens[start:stop])


def _statement(tokens: list[Token], index: int) -> tuple[int, int]:
    """Where the statement around ``index`` begins and ends."""
    start = _boundary(tokens, index - 1, -1, {"RBRACE": 1, "LBRACE": -1}, {"_NL", "LBRACE", "VBAR"}) + 1
    return start, _boundary(tokens, index, 1, {"LBRACE": 1, "RBRACE": -1}, {"_NL", "RBRACE", "VBAR", END})


def _with_hole(tokens: list[Token], index: int) -> list[Token] | None:
    """The tokens with the statement around ``index`` replaced by a hole, or ``None`` where there is no statement to replace."""
    start, stop = _statement(tokens, index)
    covered = tokens[start:stop]
    if not covered or (len(covered) == 1 and covered[0].kind == "HOLE"):
        return None
    defines = [a.text for a, b in zip(covered, covered[1:], strict=False) if b.kind in {"COLON", "EQUAL"} and a.kind == "NAME"]
    defines += [b.text for a, b in zip(covered, covered[1:], strict=False) if a.kind in {"NET", "BLOCK", "LET"} and b.kind == "NAME"]
    defines += [name for t in covered if t.kind == BAD for name in re.findall(r"([A-Za-z_][A-Za-z0-9_]{0,63})\s*:", t.text)]
    hole = Token("HOLE", " ".join(defines), covered[0].start, covered[-1].end)
    return [*tokens[:start], hole, *tokens[stop:]]


def _boundary(tokens: list[Token], index: int, step: int, depths: dict[str, int], stops: set[str]) -> int:
    """The nearest token from ``index`` on that ends a statement at the same depth of braces."""
    depth = 0
    while 0 <= index < len(tokens):
        kind = tokens[index].kind
        if depth == 0 and kind in stops:
            return index
        depth += depths.get(kind, 0)
        index += step
    return index
