"""Text to tokens.

Line breaks separate statements, but not inside ( ) and [ ], nor where the sentence plainly goes on: after ``{ | , ->`` and
before ``} | -> else``. Those are dropped here, so that the grammar is a plain LALR(1) one. Brackets are balanced here
too: the parser, and whoever recovers from its errors, can rely on it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, NamedTuple

from netspec.diagnostics import Diagnostic
from netspec.limits import NAME_LENGTH, NUMBER_LENGTH
from netspec.source import Source
from netspec.syntax.faults import BAD, Again, Faults, LexicalError, brackets_differ
from netspec.syntax.tables import Tables

__all__ = ["BAD", "END", "LexicalError", "Token", "tokenize"]

END: Final = "$END"
_LINE = "_NL"
_token = tuple.__new__
_ARROW = "__ANON_0"
_IGNORED = {"__IGNORE_0", "__IGNORE_1"}
_OPENERS = {"LPAR", "LSQB", "LBRACE"}
_CLOSERS = {"RPAR", "RSQB", "RBRACE"}
_NO_BREAK_AFTER = {"LBRACE", "VBAR", "COMMA", _ARROW}
_NO_BREAK_BEFORE = {"RBRACE", "VBAR", _ARROW, "ELSE", END}
_LONG = {"NAME": NAME_LENGTH, "NUMBER": NUMBER_LENGTH, "SIZE": NUMBER_LENGTH}
_SHARE_IN_ARITHMETIC = re.compile(r"[ \t]*[A-Za-z0-9_(]")


class Token(NamedTuple):
    """A kind of token, its text, and where it stands. The kind ``BAD`` is of what has been reported already."""

    kind: str
    text: str
    start: int
    end: int


@cache
def _pattern(tokens: str) -> re.Pattern[str]:
    return re.compile(tokens)


def tokenize(source: Source, tables: Tables, start: int = 0, end: int | None = None, found: list[Diagnostic] | None = None) -> list[Token]:
    """The tokens of the text, line breaks that mean nothing left out, with an ``$END`` behind them.

    With ``found``, what is wrong is put there and becomes a token of the kind ``BAD``. Raises :class:`LexicalError` at what leaves
    no sense in going on, as a brace that does not match, and without ``found`` at anything.
    """
    end = len(source.text) if end is None else end
    faults = Faults(source, found)
    faults.forbidden(start, end)
    while True:
        try:
            return _scan(source, tables, start, end, faults)
        except Again:  # with a bracket that is never closed taken for none
            continue


def _scan(source: Source, tables: Tables, start: int, end: int, faults: Faults) -> list[Token]:
    """One pass. The loop is one function on purpose: a call for each token would cost as much as the work."""
    text = source.text
    tokens: list[Token] = []
    open_brackets: list[Token] = []
    keywords = tables.keywords
    position, previous = start, "LBRACE"
    pattern = _pattern(tables.tokens)
    scan = pattern.scanner(text, start, end).match  # type: ignore[attr-defined]
    while True:
        match = scan()
        if match is None:
            if position >= end:
                break
            stop = faults.stuck(position, end)
            tokens.append(Token(BAD, text[position:stop], position, stop))
            position, previous = stop, BAD
            scan = pattern.scanner(text, stop, end).match  # type: ignore[attr-defined]
            continue
        kind, found = match.lastgroup, match[0]
        position, begin = match.end(), match.start()
        if kind in _IGNORED:
            continue
        if kind == _LINE:
            if previous == _LINE or previous in _NO_BREAK_AFTER or (open_brackets and open_brackets[-1].kind != "LBRACE"):
                continue
        elif kind == "NAME":
            kind = keywords.get(found, kind)
        if len(found) > 60 and kind in _LONG and len(found) > _LONG[kind]:
            kind = faults.too_long(kind, begin, position)
        if kind == "NUMBER" and found[-1] == "%" and _SHARE_IN_ARITHMETIC.match(text, position, end):
            tokens.append(Token("NUMBER", found[:-1], begin, position - 1))
            kind, found, begin = "PRODUCT", "%", position - 1
        if kind in _NO_BREAK_BEFORE and previous == _LINE:
            tokens.pop()
        token = _token(Token, (kind, found, begin, position))
        if (kind in _OPENERS or kind in _CLOSERS) and not _balance(open_brackets, token, faults):
            token = Token(BAD, found, begin, position)
        tokens.append(token)
        previous = token[0]
    if open_brackets:
        raise faults.left_open([(t.text, t.start) for t in open_brackets], tokens)
    if previous == _LINE and tokens:
        tokens.pop()
    tokens.append(Token(END, "", end, end))
    return tokens


def _balance(open_brackets: list[Token], token: Token, faults: Faults) -> bool:
    """Whether a bracket opens something or closes what is open; if not, that has been reported."""
    if token.kind in _OPENERS:
        if token.start in faults.broken:
            return False
        open_brackets.append(token)
        faults.depth(len(open_brackets), token.start)
        return True
    opener = open_brackets.pop() if open_brackets else None
    if opener is not None and not brackets_differ(opener.text, token.text):
        return True
    if (
        opener is not None
        and opener.text != "{"
        and open_brackets
        and not brackets_differ(open_brackets[-1].text, token.text)
        and token.text != "}"
    ):
        open_brackets.pop()
        faults.not_closed(opener.text, opener.start, token.start)
        return False
    closes = faults.mismatch(token.text, token.start, None if opener is None else (opener.text, opener.start))
    if opener is not None and not closes:
        open_brackets.append(opener)
    return False
