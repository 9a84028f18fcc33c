"""Tokens to tree: an LALR(1) driver over the tables, with recovery.

After an error the whole statement is replaced by a hole, and the parse begins again: so every statement that
is wrong is reported, and what a hole would have defined is remembered, so that nothing that uses it is reported too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

from netspec.diagnostics import Diagnostic
from netspec.source import Place, Source, Span
from netspec.syntax import ast
from netspec.syntax.driver import NO_ACTION, SyntaxFault, run
from netspec.syntax.expectation import unexpected
from netspec.syntax.faults import BAD, MAX_ERRORS, GaveUp
from netspec.syntax.lexer import END, LexicalError, Token, tokenize
from netspec.syntax.tables import Tables, tables

_tables = cache(tables)


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
            return ast.File(source, tuple(run(_tables(), tokens, "file", source, parse_expression))), found
        except LexicalError as error:  # inside a computed label
            found.append(error.diagnostic)
            index = next(i for i, t in enumerate(tokens) if t.end > error.diagnostic.place.span.start)  # type: ignore[union-attr]
        except SyntaxFault as fault:
            index = fault.index
            if not _reported(tokens, index):
                problem = unexpected(tokens, index, _acceptable(_tables(), tokens[:index]))
                found.append(Diagnostic(problem, Place(source, _span(tokens, index))))
        shorter = _with_hole(tokens, index)
        if shorter is None or len(found) >= MAX_ERRORS:
            return ast.File(source, ()), found
        tokens = shorter


def parse_expression(source: Source, start: int = 0, end: int | None = None) -> ast.Expression:
    """The expression between two offsets of a text. Raises :class:`LexicalError` or a :class:`NetspecError`'s diagnostic in one."""
    tokens = tokenize(source, _tables(), start, end)
    try:
        return run(_tables(), tokens, "expression", source, parse_expression)  # type: ignore[no-any-return]
    except SyntaxFault as fault:
        token = tokens[fault.index]
        problem = unexpected(tokens, fault.index, _acceptable(_tables(), tokens[: fault.index], "expression"), "expression")
        raise LexicalError(source, problem, token.start, token.end) from None


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
    while (action := tables.states[states[-1]].get(kind, NO_ACTION)) < 0:
        if action == NO_ACTION:
            return states[-1] == end
        rule = tables.rules[~action]
        del states[len(states) - rule.length :]
        states.append(tables.states[states[-1]][rule.origin])
    states.append(action)
    return True


def _reported(tokens: list[Token], index: int) -> bool:
    """Whether the statement around ``index`` is known to be wrong already."""
    start, stop = _statement(tokens, index)
    return any(t.kind == BAD for t in tokens[start:stop])


def _span(tokens: list[Token], index: int) -> Span:
    """What to point at: the token, or where the text ends."""
    token = tokens[index]
    if token.kind == END and index:
        return Span(tokens[index - 1].end, tokens[index - 1].end)
    return Span(token.start, token.end)


def _statement(tokens: list[Token], index: int) -> tuple[int, int]:
    """Where the statement around ``index`` begins and ends."""
    start = _boundary(tokens, index - 1, -1, {"RBRACE": 1, "LBRACE": -1}, {"_NL", "LBRACE", "VBAR"}) + 1
    if tokens[index].kind == "_NL" and tokens[index + 1].kind == "LBRACE":
        index += 1  # braces on a line of their own belong to what stands before them
    return start, _boundary(tokens, index, 1, {"LBRACE": 1, "RBRACE": -1}, {"_NL", "RBRACE", "VBAR", END})


def _with_hole(tokens: list[Token], index: int) -> list[Token] | None:
    """The tokens with the statement around ``index`` replaced by a hole, or ``None`` where there is no statement to replace."""
    start, stop = _statement(tokens, index)
    covered = tokens[start:stop]
    if not covered or (len(covered) == 1 and covered[0].kind == "HOLE"):
        return None
    defines = [a.text for a, b in pairwise(covered) if b.kind in {"COLON", "EQUAL"} and a.kind == "NAME"]
    defines += [b.text for a, b in pairwise(covered) if a.kind in {"NET", "BLOCK", "LET"} and b.kind == "NAME"]
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
