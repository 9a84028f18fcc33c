"""How reading goes on behind a token that does not fit: with a hole in place of the statement, or with what was plainly meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from netspec.diagnostics import Problem, problems
from netspec.syntax.faults import BAD
from netspec.syntax.hints import ITEMS, MERGES, item_start, open_brackets, owner
from netspec.syntax.lexer import END, Token

_MEANT: Final = {
    "net": "net", "network": "net", "model": "net", "class": "net", "module": "net", "block": "block", "def": "block", "function": "block",
}  # fmt: skip
"""What a word at the beginning of an item was meant to be, letter case aside."""
_SECTIONS: Final = {"train", "data", "expect"}
_STARS: Final = {"*", "**"}
_REGIONS: Final = {"preprocess", "augment"}
_DEPTHS: Final = {"LBRACE": 1, "RBRACE": -1}
_DEFINES: Final = {"NET", "BLOCK", "LET", "FOR"}


@dataclass(frozen=True)
class Recovery:
    """The tokens to go on with, ``None`` where there are none; ``at`` is the token that is reported, ``problem`` what is said of it.

    Without a problem, what is said is that the token does not fit.
    """

    tokens: list[Token] | None
    at: int
    problem: Problem | None = None


def recover(tokens: list[Token], index: int) -> Recovery:
    """How to go on behind the token at ``index``, which does not fit."""
    start = item_start(tokens, index)
    brackets = open_brackets(tokens, index)
    return (
        _other_word(tokens, start)
        or _region_outside(tokens, start)
        or _section_inside(tokens, brackets)
        or _named_x(tokens, index, brackets)
        or _first_bar(tokens, index, brackets)
        or _foreign_comment(tokens, index)
        or _no_item(tokens, start, index, brackets)
        or Recovery(_with_hole(tokens, *_statement(tokens, index)), index)
    )


def _other_word(tokens: list[Token], start: int) -> Recovery | None:
    """`Net A { … }`, `model A { … }`: read as what was meant, so that what is in it is checked."""
    word = tokens[start]
    meant = _MEANT.get(word.text.casefold()) if word.kind == "NAME" else None
    named = start + 1 < len(tokens) and tokens[start + 1].kind == "NAME"
    if meant is None or tokens[start + 1].kind not in {"NAME", "LBRACE", "LPAR"}:
        return None
    name = tokens[start + 1].text if named else "Name"
    problem = problems.UnexpectedToken(f"`{word.text}`", ("`net`, `block`, `use` or a section",), f"write {meant} {name} {{ … }}")
    mended = [Token(meant.upper(), word.text, word.start, word.end)] + ([] if named else [word])
    return Recovery([*tokens[:start], *mended, *tokens[start + 1 :]], start, problem)


def _region_outside(tokens: list[Token], start: int) -> Recovery | None:
    """`preprocess { … }` beside the net."""
    if tokens[start].text not in _REGIONS or tokens[start + 1].kind != "LBRACE":
        return None
    shorter = _with_hole(tokens, *_statement(tokens, start))
    return Recovery(shorter, start, problems.OutOfPlace(tokens[start].text, outside=True)) if shorter else None


def _section_inside(tokens: list[Token], brackets: Sequence[int]) -> Recovery | None:
    """`expect { … }` in a net."""
    for opener in brackets[1:]:
        word = tokens[opener - 1]
        if tokens[opener].kind == "LBRACE" and word.text in _SECTIONS and tokens[opener - 2].kind in {"_NL", "LBRACE"}:
            return Recovery(_with_hole(tokens, *_statement(tokens, opener - 1)), opener - 1, problems.OutOfPlace(word.text, outside=False))
    return None


def _named_x(tokens: list[Token], index: int, brackets: Sequence[int]) -> Recovery | None:
    """`x: …` the first time in a net, and what follows it there without a dot: read as if x could be a label."""
    if tokens[index].kind != "FLOW" or tokens[index + 1].kind != "COLON":
        return None
    if not brackets or any(tokens[i].kind != "LBRACE" for i in brackets):
        return None
    stop = _boundary(tokens, index, 1, _DEPTHS, {"RBRACE", END}, len(brackets) - 1)
    if stop == len(tokens):
        return None
    if any(t.kind == "NAME" and t.text == "x" for t in tokens[brackets[0] : stop]):
        return None
    meant = [
        Token("NAME", *a[1:]) if a.kind == "FLOW" and b.kind not in {"DOT", "COLON"} else a
        for a, b in pairwise(tokens[index + 1 : stop + 1])
    ]
    label = Token("NAME", *tokens[index][1:])
    return Recovery([*tokens[:index], label, *meant, *tokens[stop:]], index)


def _first_bar(tokens: list[Token], index: int, brackets: Sequence[int]) -> Recovery | None:
    """`add { a | b }`: read with a bar before the first branch."""
    if tokens[index].kind != "VBAR" or not brackets or owner(tokens, brackets[-1]) not in MERGES:
        return None
    place = brackets[-1] + 1
    return Recovery([*tokens[:place], Token("VBAR", "|", tokens[place].start, tokens[place].start), *tokens[place:]], index)


def _foreign_comment(tokens: list[Token], index: int) -> Recovery | None:
    """`/* … */` over several lines."""
    texts = [t.text for t in tokens[index:]]
    if texts[0] != "/" or texts[1] not in _STARS:
        return None
    ends = (i for i in range(2, len(texts)) if texts[i - 1] in _STARS and texts[i] == "/")
    stop = index + next(ends, 0) + 1
    start, end = _statement(tokens, index)
    return Recovery(_with_hole(tokens, start, max(stop, end)), index)


def _no_item(tokens: list[Token], start: int, index: int, brackets: Sequence[int]) -> Recovery | None:
    """Steps outside of all nets, or a net without braces: what follows belongs to it, up to the next item."""
    if brackets or (tokens[start].kind in ITEMS and tokens[index].kind != "COLON"):
        return None
    stop, depth = index, 0
    while tokens[stop].kind != END and not (depth == 0 and tokens[stop].kind == "_NL" and _begins_item(tokens, stop + 1)):
        depth += (tokens[stop].kind == "LBRACE") - (tokens[stop].kind == "RBRACE")
        stop += 1
    shorter = _with_hole(tokens, start, stop)
    return Recovery(shorter, index) if shorter else None


def _begins_item(tokens: list[Token], index: int) -> bool:
    kinds = [t.kind for t in tokens[index : index + 3]]
    return kinds[0] in ITEMS or (kinds[0] == "NAME" and "LBRACE" in kinds[1:] and kinds[1] in {"NAME", "LBRACE"})


def reported(tokens: list[Token], index: int) -> bool:
    """Whether the statement around ``index`` is known to be wrong already."""
    start, stop = _statement(tokens, index)
    return any(t.kind == BAD for t in tokens[start:stop])


def _statement(tokens: list[Token], index: int) -> tuple[int, int]:
    """Where the statement around ``index`` begins and ends."""
    start = _boundary(tokens, index - 1, -1, {"RBRACE": 1, "LBRACE": -1}, {"_NL", "LBRACE", "VBAR"}) + 1
    if tokens[index].kind == "_NL" and tokens[index + 1].kind == "LBRACE":
        index += 1  # braces on a line of their own belong to what stands before them
    return start, _boundary(tokens, index, 1, _DEPTHS, {"_NL", "RBRACE", "VBAR", END})


def _with_hole(tokens: list[Token], start: int, stop: int) -> list[Token] | None:
    """The tokens with a statement replaced by a hole, or ``None`` where there is none to replace."""
    covered = tokens[start:stop]
    if not covered or (len(covered) == 1 and covered[0].kind == "HOLE"):
        return None
    defines = [a.text for a, b in pairwise(covered) if b.kind in {"COLON", "EQUAL"} and a.kind == "NAME"]
    defines += [b.text for a, b in pairwise(covered) if a.kind in _DEFINES and b.kind == "NAME"]
    defines += [name for t in covered if t.kind == BAD for name in re.findall(r"([A-Za-z_][A-Za-z0-9_]{0,63})\s*:", t.text)]
    defines += [name for t in covered if t.kind == "HOLE" for name in t.text.split()]
    hole = Token("HOLE", " ".join(defines), covered[0].start, covered[-1].end)
    return [*tokens[:start], hole, *tokens[stop:]]


def _boundary(tokens: list[Token], index: int, step: int, depths: dict[str, int], stops: set[str], depth: int = 0) -> int:
    """The nearest token from ``index`` on that ends a statement at the same depth of braces, or ``depth`` braces further out."""
    while 0 <= index < len(tokens):
        kind = tokens[index].kind
        if depth == 0 and kind in stops:
            return index
        depth += depths.get(kind, 0)
        index += step
    return index
