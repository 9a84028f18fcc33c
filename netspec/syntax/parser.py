"""Tokens to tree: an LALR(1) driver over the tables, with recovery.

After an error the statement is replaced by a hole, or by what was plainly meant, and the parse begins again: so every statement
that is wrong is reported, and what a hole would have defined is remembered, so that nothing that uses it is reported too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from netspec.diagnostics import Diagnostic
from netspec.source import Place, Source, Span
from netspec.syntax import ast
from netspec.syntax.driver import NO_ACTION, SyntaxFault, run
from netspec.syntax.expectation import unexpected
from netspec.syntax.faults import MAX_ERRORS, GaveUp
from netspec.syntax.lexer import END, LexicalError, Token, tokenize
from netspec.syntax.recovery import recover, reported
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
            mended = recover(tokens, index)
        except SyntaxFault as fault:
            mended = recover(tokens, fault.index)
            if not reported(tokens, fault.index):
                problem = mended.problem or unexpected(tokens, fault.index, _acceptable(_tables(), tokens[: fault.index]))
                found.append(Diagnostic(problem, Place(source, _span(tokens, mended.at))))
        if mended.tokens is None or len(found) >= MAX_ERRORS:
            return ast.File(source, ()), found
        tokens = mended.tokens


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


def _span(tokens: list[Token], index: int) -> Span:
    """What to point at: the token, or where the text ends."""
    token = tokens[index]
    if token.kind == END and index:
        return Span(tokens[index - 1].end, tokens[index - 1].end)
    return Span(token.start, token.end)
