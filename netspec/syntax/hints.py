"""What to write instead, for the slips that are usual: those of a newcomer, and those of somebody who has just written Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from netspec.syntax.lexer import BAD, END, Token

_BEGIN = {"LBRACE", "_NL", "VBAR", "__ANON_0"}
_FIGURES = {"NUMBER", "SIZE"}


@dataclass(frozen=True)
class _Slip:
    """A token that does not fit, the ones around it, the kind of the innermost open bracket and the token before that."""

    token: Token
    before: Token
    after: Token
    bracket: str
    head: Token
    earlier: tuple[str, ...]
    """The kinds of the tokens before ``before``, the nearest first."""

    @property
    def in_braces(self) -> bool:
        return self.bracket == "LBRACE"

    @property
    def touches(self) -> bool:
        """Whether there is no space before the token."""
        return self.before.end == self.token.start


def hint(tokens: Sequence[Token], index: int) -> str | None:
    """What to say of the token at ``index``, which does not fit, or ``None``."""
    nothing = Token("", "", 0, 0)
    opener = _innermost(tokens, index)
    slip = _Slip(
        tokens[index],
        tokens[index - 1] if index else nothing,
        tokens[index + 1] if index + 1 < len(tokens) else nothing,
        "" if opener is None else tokens[opener].kind,
        tokens[opener - 1] if opener else nothing,
        tuple(t.kind for t in tokens[max(index - 4, 0) : max(index - 1, 0)][::-1]),
    )
    return next((found for rule in _RULES if (found := rule(slip)) is not None), None)


def _innermost(tokens: Sequence[Token], index: int) -> int | None:
    """The innermost open bracket."""
    depth = 0
    for i in range(index - 1, -1, -1):
        if tokens[i].kind in {"RPAR", "RSQB", "RBRACE"}:
            depth += 1
        elif tokens[i].kind in {"LPAR", "LSQB", "LBRACE"}:
            if depth == 0:
                return i
            depth -= 1
    return None


def _comment(s: _Slip) -> str | None:
    if s.token.text == "//" or (s.token.text == "/" and s.after.text in {"*", "**"}):
        return "a comment begins with #" if s.in_braces or not s.bracket else None
    return None


def _size(s: _Slip) -> str | None:
    if s.before.kind not in _FIGURES:
        return "write a size as 3x3, and a list as [1, 2]" if s.token.kind == "COMMA" and s.bracket == "LPAR" and not _call(s) else None
    if s.token.kind == "FLOW" or (s.token.kind == "NAME" and s.touches and s.token.text[0] == "x"):
        return "write a size in one piece and with numbers, as 3x224x224"
    if s.token.kind == "COMMA" and s.bracket == "LPAR" and not _call(s):
        return "write a size as 3x3, and a list as [1, 2]"
    return "put a comma between arguments" if s.token.kind in {"NAME", *_FIGURES} and not s.in_braces else None


def _call(s: _Slip) -> bool:
    """Whether the innermost parentheses are those of arguments or parameters."""
    return s.head.kind in {"NAME", "RPAR", "RSQB"}


def _label_or_argument(s: _Slip) -> str | None:
    if s.token.kind == "EQUAL" and "IF" in s.earlier:
        return "compare with =="
    if s.before.kind == "NAME" and s.token.kind == "EQUAL" and s.in_braces:
        return f"a label is followed by a colon: {s.before.text}: …"
    if s.before.kind == "NAME" and s.token.kind == "COLON" and not s.in_braces:
        return f"an argument is given with =, as {s.before.text}=…"
    if s.in_braces and s.before.kind == "NAME" and s.token.kind in _FIGURES:
        return f"arguments stand in parentheses, as {s.before.text}({s.token.text})"
    if s.bracket == "LPAR" and s.before.kind == "NAME" and s.token.kind in {*_FIGURES, "STRING"}:
        return f"an argument is given with =, as {s.before.text}={s.token.text}"
    if s.in_braces and s.before.kind == "COLON" and s.token.kind in _FIGURES:
        return f"a label is followed by a layer or a block, as input({s.token.text})"
    return None


def _join(s: _Slip) -> str | None:
    if s.before.kind == "RBRACE" and s.token.text == "elif":
        return "write else if"
    if s.token.kind == "VBAR" and s.in_braces:
        return "branches stand in a merge, each behind a bar, the first one too: add { | a | b }"
    if s.token.kind == "DOT" and s.before.kind == "RPAR" and s.in_braces:
        return "join steps with ->"
    if s.earlier[:1] == ("FOR",):
        return None
    if s.in_braces and s.token.kind in {"NAME", "STRING"} and s.before.kind in {"RPAR", "NAME"}:
        return "join steps with ->, or begin a new line"
    if s.in_braces and s.token.kind == "COMMA":
        return "steps are joined with ->, or stand on lines of their own"
    return "put the { on this line" if s.token.kind == "_NL" and s.after.kind == "LBRACE" else None


def _value(s: _Slip) -> str | None:
    if s.token.kind == "DOT" and s.after.kind == "NUMBER" and s.before.kind != "NAME":
        return f"write 0.{s.after.text}"
    return None


def _net(s: _Slip) -> str | None:
    if s.token.kind in {"_NL", END} and s.before.kind == "NAME" and s.earlier == ("EQUAL", "NAME", "NET"):
        return f"write {s.before.text}(…), with the parameters to set between the parentheses"
    return None


def _word(s: _Slip) -> str | None:
    if s.token.kind == "COLON" and _is_keyword(s.before):
        return f"{s.before.text} is a word of the language, and cannot be a name"
    if s.token.kind == "FLOW" and s.after.kind != "COLON" and s.before.kind in _BEGIN:
        return "x is the tensor that flows in already: begin with the next step"
    return f"{s.token.text} is a word of the language, and cannot be a name" if _is_keyword(s.token) else None


def _is_keyword(token: Token) -> bool:
    return token.kind not in {"NAME", BAD} and token.text.isidentifier()


_RULES: Final[tuple[Callable[[_Slip], str | None], ...]] = (_comment, _net, _value, _size, _label_or_argument, _join, _word)
