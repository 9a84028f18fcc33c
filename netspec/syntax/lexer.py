"""Text to tokens.

Line breaks separate statements, but not inside ( ) and [ ], nor where the sentence plainly goes on: after ``{ | , ->`` and
before ``} | -> else``. Those are dropped here, so that the grammar is a plain LALR(1) one. Brackets are balanced here
too: the parser, and whoever recovers from its errors, can rely on it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from netspec.diagnostics import Diagnostic, Problem, problems
from netspec.limits import NAME_LENGTH, NESTING, NUMBER_LENGTH
from netspec.source import Place, Source, Span
from netspec.syntax.tables import Tables

END = "$END"
_LINE = "_NL"
_token = tuple.__new__
_ARROW = "__ANON_0"
_OPENERS = {"LPAR": ")", "LSQB": "]", "LBRACE": "}"}
_CLOSERS = {"RPAR", "RSQB", "RBRACE"}
_NO_BREAK_AFTER = {"LBRACE", "VBAR", "COMMA", _ARROW}
_NO_BREAK_BEFORE = {"RBRACE", "VBAR", _ARROW, "ELSE", END}
_LONG = {"NAME": (NAME_LENGTH, "NameTooLong"), "NUMBER": (NUMBER_LENGTH, "BadNumber"), "SIZE": (NUMBER_LENGTH, "BadNumber")}
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_SHARE_IN_ARITHMETIC = re.compile(r"[ \t]*[A-Za-z0-9_(]")


class Token(NamedTuple):
    """A kind of token, its text, and where it stands."""

    kind: str
    text: str
    start: int
    end: int


class LexicalError(Exception):
    """Text that cannot be divided into tokens."""

    def __init__(self, source: Source, problem: Problem, start: int, end: int) -> None:
        super().__init__(problem)
        self.diagnostic = Diagnostic(problem, Place(source, Span(start, end)))


@cache
def _pattern(tokens: str) -> re.Pattern[str]:
    return re.compile(tokens)


def tokenize(source: Source, tables: Tables, start: int = 0, end: int | None = None) -> list[Token]:
    """The tokens of the text, line breaks that mean nothing left out, with an ``$END`` behind them.

    Raises :class:`LexicalError` at a character that is no part of the language, an unclosed string, a bracket that does
    not match, or a limit.
    """
    text = source.text
    end = len(text) if end is None else end
    if forbidden := _FORBIDDEN.search(text, start, end):
        raise LexicalError(source, problems.BadCharacter(forbidden[0]), forbidden.start(), forbidden.end())
    tokens: list[Token] = []
    open_brackets: list[Token] = []
    keywords = tables.keywords
    position, previous = start, "LBRACE"
    scan = _pattern(tables.tokens).scanner(text, start, end).match  # type: ignore[attr-defined]
    while (match := scan()) is not None:
        kind, found = match.lastgroup, match[0]
        position, begin = match.end(), match.start()
        if kind[:2] == "__" and kind != _ARROW:
            continue
        if kind == _LINE:
            if previous in _NO_BREAK_AFTER or (open_brackets and open_brackets[-1].kind != "LBRACE"):
                continue
        elif kind == "NAME":
            kind = keywords.get(found, kind)
        if len(found) > 60 and kind in _LONG:
            _check_length(source, kind, found, begin)
        if kind == "NUMBER" and found[-1] == "%" and _SHARE_IN_ARITHMETIC.match(text, position, end):
            tokens.append(Token("NUMBER", found[:-1], begin, position - 1))
            kind, found, begin = "PRODUCT", "%", position - 1
        if kind in _NO_BREAK_BEFORE and previous == _LINE:
            tokens.pop()
        token = _token(Token, (kind, found, begin, position))
        if kind in _OPENERS or kind in _CLOSERS:
            _balance(source, open_brackets, token)
        tokens.append(token)
        previous = kind
    if position < end:
        raise _stuck(source, position)
    if open_brackets:
        raise LexicalError(source, problems.Unbalanced(open_brackets[-1].text), open_brackets[-1].start, open_brackets[-1].end)
    if previous == _LINE and tokens:
        tokens.pop()
    tokens.append(Token(END, "", end, end))
    return tokens


def _check_length(source: Source, kind: str, found: str, begin: int) -> None:
    limit, problem = _LONG[kind]
    if len(found) > limit:
        raise LexicalError(source, getattr(problems, problem)(len(found)), begin, begin + len(found))


def _balance(source: Source, open_brackets: list[Token], token: Token) -> None:
    if token.kind in _OPENERS:
        open_brackets.append(token)
        if len(open_brackets) > NESTING:
            raise LexicalError(source, problems.TooDeep(), token.start, token.end)
        return
    if not open_brackets:
        raise LexicalError(source, problems.Unbalanced(token.text), token.start, token.end)
    opener = open_brackets.pop()
    if _OPENERS[opener.kind] != token.text:
        raise LexicalError(source, problems.Unbalanced(token.text, opener.text), token.start, token.end)


def _stuck(source: Source, position: int) -> LexicalError:
    character = source.text[position]
    if character == '"':
        stop = source.text.find("\n", position)
        return LexicalError(source, problems.UnclosedString(), position, len(source.text) if stop < 0 else stop)
    return LexicalError(source, problems.BadCharacter(character), position, position + 1)
