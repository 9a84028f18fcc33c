"""What could have stood where something else stands, in words, with a hint for the usual slips."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.diagnostics import Problem, problems
from netspec.diagnostics.text import escape
from netspec.syntax.lexer import BAD, END, Token

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
    return problems.UnexpectedToken(found, _words(set(expected)), _hint(tokens, index))


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


def _hint(tokens: Sequence[Token], index: int) -> str | None:
    token = tokens[index]
    before = tokens[index - 1] if index else None
    after = tokens[index + 1] if index + 1 < len(tokens) else None
    if before is None:
        return None
    for applies, hint in (
        (
            token.kind == "EQUAL" and before.kind == "NAME" and _in_braces(tokens, index),
            f"a label is followed by a colon: {before.text}: …",
        ),
        (
            token.kind == "COLON" and before.kind == "NAME" and not _in_braces(tokens, index),
            f"an argument is given with =, as {before.text}=…",
        ),
        (
            token.kind in {"NAME", "STRING"} and before.kind in {"RPAR", "NAME"} and _in_braces(tokens, index),
            "join steps with ->, or begin a new line",
        ),
        (token.kind in {"NUMBER", "NAME", "SIZE"} and before.kind in {"NUMBER", "SIZE"}, "put a comma between arguments"),
        (token.kind == "COMMA" and _in_braces(tokens, index), "steps are joined with ->, or stand on lines of their own"),
        (
            index > 3
            and token.kind in {"_NL", END}
            and before.kind == "NAME"
            and tokens[index - 2].kind == "EQUAL"
            and tokens[index - 4].kind == "NET",
            f"write {before.text}(…), with the parameters to set between the parentheses",
        ),
        (token.kind == "_NL" and after is not None and after.kind == "LBRACE", "put the { on this line"),
        (token.kind == "COLON" and _is_keyword(before), f"{before.text} is a word of the language, and cannot be a name"),
        (
            token.kind == "FLOW" and after is not None and after.kind != "COLON" and before.kind in {"LBRACE", "_NL", "VBAR", "__ANON_0"},
            "x is the tensor that flows in already: begin with the next step",
        ),
        (_is_keyword(token), f"{token.text} is a word of the language, and cannot be a name"),
    ):
        if applies:
            return hint
    return None


def _is_keyword(token: Token) -> bool:
    return token.kind not in {"NAME", BAD} and token.text.isidentifier()


def _in_braces(tokens: Sequence[Token], index: int) -> bool:
    return _innermost(tokens, index) == "LBRACE"


def _innermost(tokens: Sequence[Token], index: int) -> str:
    """The kind of the innermost open bracket, empty where there is none."""
    depth = 0
    for token in reversed(tokens[:index]):
        if token.kind in {"RPAR", "RSQB", "RBRACE"}:
            depth += 1
        elif token.kind in {"LPAR", "LSQB", "LBRACE"}:
            if depth == 0:
                return token.kind
            depth -= 1
    return ""
