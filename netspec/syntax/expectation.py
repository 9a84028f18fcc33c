"""What could have stood where something else stands, in words."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.diagnostics import Problem, problems
from netspec.diagnostics.text import escape
from netspec.syntax.hints import hint
from netspec.syntax.lexer import END, Token

_VALUE = {"NUMBER", "SIZE", "STRING", "TRUE", "FALSE", "FLOW", "LSQB", "LPAR", "NOT"}
_OPERATORS = {"OR", "AND", "COMPARISON", "PLUS", "MINUS", "PRODUCT", "POWER", "DOT", "LSQB", "LPAR", "IF"}
_SHOWN = {
    "_NL": "a new line", "__ANON_0": "`->`", END: "the end of the file", "NAME": "a name", "STRING": "a string", "COLON": "`:`",
    "COMMA": "`,`", "EQUAL": "`=`", "LBRACE": "`{`", "RBRACE": "`}`", "LPAR": "`(`", "RPAR": "`)`", "LSQB": "`[`", "RSQB": "`]`",
    "VBAR": "`|`", "DOT": "`.`", "FLOW": "`x`",
}  # fmt: skip


def unexpected(tokens: Sequence[Token], index: int, expected: Sequence[str], whole: str = "file") -> Problem:
    """The problem of a token that none of the expected kinds fits; ``whole`` is what ends where the tokens do."""
    found = f"end of the {whole}" if tokens[index].kind == END else _found(tokens[index])
    return problems.UnexpectedToken(found, _words(set(expected)), hint(tokens, index))


def _found(token: Token) -> str:
    if token.kind == "_NL":
        return "end of the line"
    if token.kind not in {"NAME", "STRING", "NUMBER", "SIZE"} and token.text.isidentifier():
        return f"keyword `{token.text}`"
    return f"`{escape(token.text[:40])}`"


def _words(kinds: set[str]) -> tuple[str, ...]:
    kinds = kinds - {"HOLE"}
    if len(kinds & _VALUE) >= 5:
        rest = kinds - _VALUE - {"NAME", "PLUS", "MINUS"}
        return ("a value", *sorted(_SHOWN.get(k, f"`{k.lower()}`") for k in rest))
    if len(kinds & _OPERATORS) >= 8:
        kinds = kinds - _OPERATORS
    if {"FOR", "REPEAT", "FROZEN"} <= kinds:
        kinds = kinds - {"FOR", "REPEAT", "FROZEN", "IF", "NAME", "STRING", "LBRACE", "LET"}
        return ("a layer, a block or a label", *sorted(_SHOWN.get(k, f"`{k.lower()}`") for k in kinds))
    if {"NET", "BLOCK"} <= kinds:
        return ("`net`, `block`, `use` or a section",)
    return tuple(sorted(_SHOWN.get(k, f"`{k.lower()}`") for k in kinds))
