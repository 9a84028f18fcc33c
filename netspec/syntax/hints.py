"""What to write instead, for the slips that are usual: those of a newcomer, and those of somebody who has just written Python.

:data:`_TABLE` is the list of them: when a slip is the one meant, and what is said of it. The first row that fits speaks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from netspec.syntax.lexer import BAD, END, Token

ITEMS: Final = frozenset({"NET", "BLOCK", "SHARED", "USE"})
"""What begins an item of a file that is no section."""
_BEGIN = {"LBRACE", "_NL", "VBAR", "__ANON_0"}
_FIGURES = {"NUMBER", "SIZE"}
_OPENERS = {"LPAR", "LSQB", "LBRACE"}
_CLOSERS = {"RPAR", "RSQB", "RBRACE"}
_IN_NETS = {"LET", "IF", "FOR", "REPEAT", "FROZEN"}
MERGES: Final = {"add", "concat", "multiply"}
_SCALES = {"K": "k", "m": "M", "g": "G", "t": "T"}
_NAMES = "names are made of the letters a to z, digits and _"
_WITH_NUMBERS = "write a size in one piece and with numbers, as 3x224x224"
_NOTHING: Final = Token("", "", 0, 0)
_OPEN_AXIS: Final = re.compile(r"x([a-zA-Z])")
_OPEN: Final = re.compile(r"(?:x[a-zA-Z])+")
"""Open sizes in small letters, as they follow a number: ``xhxw``."""

Where = Literal["file", "section", "body", "arguments", "parentheses", "list"]


@dataclass(frozen=True)
class Slip:
    """A token that does not fit, among the others.

    ``opener`` is the index of the innermost open bracket, ``begin`` that of the first token of the statement.
    """

    tokens: Sequence[Token]
    index: int
    opener: int | None
    begin: int
    where: Where

    def at(self, offset: int) -> Token:
        """The token that many places behind the one that does not fit."""
        place = self.index + offset
        return self.tokens[place] if 0 <= place < len(self.tokens) else _NOTHING

    @property
    def token(self) -> Token:
        return self.at(0)

    @property
    def kind(self) -> str:
        return self.at(0).kind

    @property
    def before(self) -> Token:
        return self.at(-1)

    @property
    def after(self) -> Token:
        return self.at(1)

    @property
    def first(self) -> Token:
        """The first token of the statement."""
        return self.tokens[self.begin]

    @property
    def owner(self) -> str:
        """The name before the innermost open bracket, arguments passed over."""
        return owner(self.tokens, self.opener)

    @property
    def barred(self) -> bool:
        """Whether there is a bar before the token within the innermost open bracket."""
        return any(t.kind == "VBAR" for t in self.tokens[self.opener or 0 : self.index])

    @property
    def touches(self) -> bool:
        """Whether there is no space before the token."""
        return self.before.end == self.token.start

    def earlier(self, text: str) -> bool:
        """Whether the statement has such a token before this one."""
        return any(t.text == text for t in self.tokens[self.begin : self.index])


def hint(tokens: Sequence[Token], index: int) -> str | None:
    """What to say of the token at ``index``, which does not fit, or ``None``."""
    slip = _slip(tokens, index)
    found = next((say for when, say in _TABLE if when(slip)), None)
    return (found(slip) if callable(found) else found) or None


def _slip(tokens: Sequence[Token], index: int) -> Slip:
    brackets = open_brackets(tokens, index)
    begin = index
    depth = 0
    while begin and not (depth == 0 and tokens[begin - 1].kind in {*_OPENERS, "_NL", "VBAR"}):
        depth += (tokens[begin - 1].kind in _CLOSERS) - (tokens[begin - 1].kind in _OPENERS)
        begin -= 1
    opener = brackets[-1] if brackets else None
    return Slip(tokens, index, opener, begin, _where(tokens, brackets))


def open_brackets(tokens: Sequence[Token], index: int) -> list[int]:
    """The brackets that are open before ``index``, the outermost first."""
    found: list[int] = []
    for i in range(index):
        kind = tokens[i].kind
        if kind in _OPENERS:
            found.append(i)
        elif kind in _CLOSERS and found:
            found.pop()
    return found


def item_start(tokens: Sequence[Token], index: int) -> int:
    """Where the item of the file begins that holds the token: behind the last line break outside of all braces."""
    brackets = open_brackets(tokens, index)
    index = brackets[0] if brackets else index
    depth = 0
    while index and not (depth == 0 and tokens[index - 1].kind == "_NL"):
        depth += (tokens[index - 1].kind in _CLOSERS) - (tokens[index - 1].kind in _OPENERS)
        index -= 1
    return index


def _where(tokens: Sequence[Token], brackets: list[int]) -> Where:
    if not brackets:
        return "file"
    innermost = tokens[brackets[-1]].kind
    if innermost == "LBRACE":
        return "body" if tokens[item_start(tokens, brackets[0])].kind in ITEMS else "section"
    if innermost == "LSQB":
        return "list"
    return "arguments" if tokens[brackets[-1] - 1].kind in {"NAME", "RPAR", "RSQB"} else "parentheses"


def owner(tokens: Sequence[Token], opener: int | None) -> str:
    """The name before a bracket, arguments passed over."""
    index = (opener or 0) - 1
    depth = 0
    while index >= 0 and (depth or tokens[index].kind == "RPAR"):
        depth += (tokens[index].kind == "RPAR") - (tokens[index].kind == "LPAR")
        index -= 1
    return tokens[index].text if index >= 0 and tokens[index].kind == "NAME" else ""


def _is_keyword(token: Token) -> bool:
    return token.kind not in {"NAME", BAD} and token.text.isidentifier()


def _one_size(s: Slip) -> str:
    """Of a size with spaces in it."""
    text = ""
    for token in s.tokens[s.index - 1 :]:
        if token.kind not in {*_FIGURES, "FLOW"}:
            break
        text += token.text
    return f"write a size in one piece: {text}" if text[-1:].isdigit() else _WITH_NUMBERS


def _called(s: Slip) -> str:
    """The name before the closed parentheses that the token follows."""
    depth, index = 0, s.index - 1
    while index >= 0:
        depth += (s.tokens[index].kind == "RPAR") - (s.tokens[index].kind == "LPAR")
        if not depth:
            break
        index -= 1
    return s.tokens[index - 1].text if index > 0 and s.tokens[index - 1].kind == "NAME" else ""


def _is_net(s: Slip, name: str) -> bool:
    """Whether the file has a net of this name, or uses one."""
    return any(a.kind in {"USE", "NET"} and b.text == name for a, b in zip(s.tokens, s.tokens[1:]))


def _raised(text: str) -> str:
    """The letters of open sizes as capitals: ``xHxW`` of ``xhxw``."""
    return _OPEN_AXIS.sub(lambda m: f"x{m[1].upper()}", text)


def _between(s: Slip, separator: str) -> str:
    """The figures between the innermost brackets, as one piece of text."""
    return separator.join(t.text for t in s.tokens[(s.opener or 0) + 1 :][:12] if t.kind == "NUMBER" and t.start < _close(s))


def _close(s: Slip) -> int:
    return next((t.start for t in s.tokens[s.index :] if t.kind == "RPAR"), s.token.end)


def _range(s: Slip) -> str:
    low, high = s.at(-2).text, s.after.text
    return f"write range({high})" if low == "0" else f"write range({low}, {high})"


def _joined(s: Slip) -> str:
    """Of two names side by side, at the beginning of a statement."""
    return f"if {s.before.text} is a label, write {s.before.text}: {s.token.text}; to join two steps, write ->"


_TABLE: Final[tuple[tuple[Callable[[Slip], object], str | Callable[[Slip], str]], ...]] = (
    # files
    (lambda s: s.where == "file" and s.first.text in {"use", "from", "import"}, "write use NAME from \"./file.net\", a line for each name"),
    # comments
    (lambda s: s.token.text == "//" and s.where in {"file", "section", "body"}, "a comment begins with #"),
    (lambda s: s.token.text == "/" and s.after.text in {"*", "**"}, "a comment begins with #"),
    (lambda s: s.token.text.isidentifier() and s.earlier("//") and s.where in {"section", "body"}, "a comment begins with #"),
    # nets and blocks
    (lambda s: s.where == "file" and s.kind == "COLON" and s.first.kind in ITEMS,
     lambda s: f"what belongs to it stands in braces: {s.first.text} {s.tokens[s.begin + 1].text} {{ … }}"),
    (lambda s: s.where == "file" and s.kind in {"_NL", END} and [s.at(i).kind for i in (-4, -2, -1)] == ["NET", "EQUAL", "NAME"],
     lambda s: f"write {s.before.text}(…), with the parameters to set between the parentheses"),
    (lambda s: s.kind in {"MINUS", "DOT"} and s.at(-2).kind in ITEMS, lambda s: f"{_NAMES}, as {s.before.text}_{s.after.text}"),
    (lambda s: s.kind == "NAME" and s.at(-2).kind in ITEMS, lambda s: f"{_NAMES}, as {s.before.text}_{s.token.text}"),
    (lambda s: s.kind in _FIGURES and s.before.kind in ITEMS, f"{_NAMES}, and begin with a letter"),
    (lambda s: s.kind == "_NL" and s.after.kind == "LBRACE", "put the { on this line"),
    (lambda s: s.where == "file" and s.first.kind == "NAME" and s.index > s.begin, "layers stand in a net: net Name { … }"),
    (lambda s: s.where == "file" and s.index == s.begin and s.kind in _IN_NETS, lambda s: f"{s.token.text} stands in a net or a block"),
    # conditions, loops and their variables
    (lambda s: s.kind == "COLON" and s.where == "body" and (s.before.kind == "ELSE" or s.first.kind in {"IF", "FOR", "REPEAT"}),
     lambda s: f"what belongs to it stands in braces: {'else' if s.before.kind == 'ELSE' else f'{s.first.text} …'} {{ … }}"),
    (lambda s: s.kind == "LPAR" and s.before.kind == "FOR", "leave the parentheses out, as for w in [8, 16] { … }"),
    (lambda s: s.kind == "COMMA" and s.first.kind == "FOR" and s.where == "body", "a list stands in brackets, as [8, 16, 32]"),
    (lambda s: s.kind == "DOT" and s.before.kind == "DOT", _range),
    (lambda s: s.token.text == "elif", "write else if"),
    (lambda s: s.kind == "EQUAL" and s.earlier("if"), "compare with =="),
    (lambda s: s.kind == "FLOW" and (s.after.kind == "COLON" or s.before.kind in {"FOR", "LET", "LPAR", "COMMA"}),
     "x stands for the tensor that flows in, and cannot be a name: choose another"),
    (lambda s: s.before.kind == "FOR" or s.at(-2).kind == "FOR" or s.first.kind == "REPEAT", ""),  # what is expected says enough
    # numbers and sizes
    (lambda s: s.kind == "DOT" and s.after.kind == "NUMBER" and s.before.kind != "NAME", lambda s: f"write 0.{s.after.text}"),
    (lambda s: s.kind == "COMMA" and s.where == "parentheses" and s.before.kind == "NUMBER",
     lambda s: f"write a size as {_between(s, 'x')}, and a list as [{_between(s, ', ')}]"),
    (lambda s: s.before.kind in _FIGURES and s.touches and s.token.text[:1] == "X",
     lambda s: f"write a small x: {s.before.text}{s.token.text.lower()}"),
    (lambda s: s.before.kind in _FIGURES and s.kind == "FLOW", _one_size),
    (lambda s: s.before.kind in _FIGURES and s.touches and s.owner == "input" and _OPEN.fullmatch(s.token.text) is not None,
     lambda s: f"open sizes are capital letters, as {s.before.text}{_raised(s.token.text)}"),
    (lambda s: s.before.kind in _FIGURES and s.touches and s.token.text[:1] == "x", _WITH_NUMBERS),
    (lambda s: s.before.kind in _FIGURES and s.touches and s.token.text in _SCALES,
     lambda s: f"write {s.before.text}{_SCALES[s.token.text]}"),
    (lambda s: s.before.kind in _FIGURES and s.kind == "NAME" and (s.touches or s.where == "section"),
     lambda s: f"a number stands without a unit: write {s.before.text}"),
    (lambda s: s.before.kind in _FIGURES and s.kind in {"NAME", *_FIGURES} and s.where in {"arguments", "list"},
     "put a comma between arguments"),
    # labels, arguments and settings
    (lambda s: s.kind == "EQUAL" and s.after.text == ">" and s.after.start == s.token.end, "steps are joined with ->"),
    (lambda s: s.before.kind == "NAME" and s.kind == "EQUAL" and s.where == "body",
     lambda s: f"a label is followed by a colon: {s.before.text}: …"),
    (lambda s: s.kind == "COLON" and s.where == "section", lambda s: f"a setting is given with =, as {s.before.text} = {s.after.text}"),
    (lambda s: s.before.kind == "NAME" and s.kind == "COLON" and s.where == "arguments",
     lambda s: f"an argument is given with =, as {s.before.text}=…"),
    (lambda s: s.before.kind == "NAME" and s.kind in {*_FIGURES, "STRING"} and s.where == "arguments",
     lambda s: f"an argument is given with =, as {s.before.text}={s.token.text}"),
    (lambda s: s.before.kind == "NAME" and s.kind in _FIGURES and s.where == "body",
     lambda s: f"arguments stand in parentheses, as {s.before.text}({s.token.text})"),
    (lambda s: s.before.kind == "COLON" and s.kind in _FIGURES and s.where == "body",
     lambda s: f"a label is followed by a layer or a block, as input({s.token.text})"),
    (lambda s: s.kind == "COLON" and s.at(-2).kind == "FROZEN", lambda s: f"the label comes first: {s.before.text}: frozen …"),
    (lambda s: s.kind == "STRING" and s.before.kind == "NAME" and s.touches,
     lambda s: f"write {s.token.text}, without the {s.before.text} before it"),
    (lambda s: s.kind == "MINUS" and s.before.kind == "NAME" and s.at(2).kind == "COLON",
     lambda s: f"{_NAMES}, as {s.before.text}_{s.after.text}"),
    (lambda s: s.kind == "NAME" and s.before.kind == "NAME" and s.after.kind == "COLON",
     lambda s: f"{_NAMES}, as {s.before.text}_{s.token.text}"),
    # what flows
    (lambda s: s.before.text == "return", "the last tensor is the result: leave return out, or write output(a, b) for several"),
    (lambda s: s.kind == "FLOW" and s.before.kind in _BEGIN and s.after.text in {"+", "*"} and s.at(2).kind == "NAME",
     lambda s: f"write {'add' if s.after.text == '+' else 'multiply'}({s.at(2).text}): what flows in is always part of it"),
    (lambda s: s.kind == "FLOW" and s.before.kind in _BEGIN, "x is the tensor that flows in already: begin with the next step"),
    (lambda s: s.token.text in {"+", "*"} and s.before.kind == "NAME" and s.after.kind == "NAME" and s.where == "body",
     lambda s: f"write {s.before.text} -> {'add' if s.token.text == '+' else 'multiply'}({s.after.text})"),
    (lambda s: s.kind == "LPAR" and s.before.kind == "RPAR" and s.where == "body",
     "a step takes what flows in: leave the second parentheses out"),
    # steps and branches
    (lambda s: s.kind == "VBAR" and s.where == "body",
     lambda s: f"branches stand in a merge, each behind a bar, the first one too: {s.owner if s.owner in MERGES else 'add'} {{ | a | b }}"),
    (lambda s: s.kind == "DOT" and s.before.kind == "RPAR" and s.where == "body" and _is_net(s, _called(s)),
     lambda s: f"the part comes before the arguments: {_called(s)}.{s.after.text}(…)"),
    (lambda s: s.kind == "DOT" and s.before.kind == "RPAR" and s.where == "body", "join steps with ->"),
    (lambda s: s.kind in {"NAME", "STRING"} and s.where == "body" and not s.barred and s.owner in MERGES,
     lambda s: f"each branch begins with a bar: {s.owner} {{ | a | b }}"),
    (lambda s: s.kind == "NAME" and s.where == "body" and s.before.kind == "NAME" and s.index == s.begin + 1, _joined),
    (lambda s: s.kind in {"NAME", "STRING"} and s.where == "body" and s.before.kind in {"RPAR", "NAME"},
     "join steps with ->, or begin a new line"),
    (lambda s: s.kind == "COMMA" and s.where == "file" and all(t.kind in {*_FIGURES, "COMMA", END} for t in s.tokens),
     lambda s: f"a list stands in brackets: write [{''.join(t.text for t in s.tokens)}]"),
    (lambda s: s.kind == "COMMA" and s.where == "body", "steps are joined with ->, or stand on lines of their own"),
    # words of the language
    (lambda s: s.kind == "COLON" and _is_keyword(s.before), lambda s: f"{s.before.text} is a word of the language, and cannot be a name"),
    (lambda s: _is_keyword(s.token), lambda s: f"{s.token.text} is a word of the language, and cannot be a name"),
)  # fmt: skip
