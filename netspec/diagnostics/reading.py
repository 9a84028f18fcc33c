"""N0xx: files that cannot be read. N1xx: text that is not netspec."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from netspec.diagnostics.problem import Exit, Problem
from netspec.diagnostics.text import escape, listing, plural
from netspec.limits import NAME_LENGTH, NESTING, NUMBER_LENGTH


@dataclass(frozen=True)
class SpecMissing(Problem):
    """A spec that is not there."""

    path: str
    nearby: tuple[str, ...]
    code = "N001"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"there is no file {escape(self.path)}"

    def help(self) -> str | None:
        if self.nearby:
            return f"beside it {'are' if len(self.nearby) > 1 else 'is'} {listing([escape(n) for n in self.nearby], limit=5)}"
        return "`netspec new lenet5.net` writes a first one"


@dataclass(frozen=True)
class SpecIsFolder(Problem):
    """A folder, a device or a pipe where a spec is due."""

    path: str
    specs: tuple[str, ...]
    what: str = "a folder"
    code = "N002"
    exit = Exit.USAGE

    def message(self) -> str:
        return f"{escape(self.path)} is {self.what}, and a spec is a file"

    def help(self) -> str | None:
        return f"in it {'are' if len(self.specs) > 1 else 'is'} {listing([escape(s) for s in self.specs], limit=5)}" if self.specs else None


@dataclass(frozen=True)
class SpecUnreadable(Problem):
    """A file that the system does not let us read."""

    path: str
    reason: str
    code = "N003"
    exit = Exit.ENVIRONMENT

    def message(self) -> str:
        return f"cannot read {escape(self.path)}: {escape(self.reason)}"

    def help(self) -> str:
        return "check the path and the permissions of the file"


@dataclass(frozen=True)
class NotUtf8(Problem):
    """A file in another encoding."""

    path: str
    byte: int
    looks_like: str | None
    code = "N004"

    def message(self) -> str:
        guess = f"; it looks like {self.looks_like}" if self.looks_like else ""
        return f"{escape(self.path)} is not UTF-8 at byte {self.byte}{guess}"

    def help(self) -> str:
        return "save the file as UTF-8"


@dataclass(frozen=True)
class SpecTooLarge(Problem):
    """A file beyond the limit of size."""

    path: str
    size: int
    limit: int
    code = "N005"

    def message(self) -> str:
        return f"{escape(self.path)} has {self.size:,} bytes, and a spec may have {self.limit:,}"

    def help(self) -> str:
        return "write what repeats with repeat, for and block; or raise the limit with --max-bytes"


_NAMED: Final = 8
"""How much of what could stand in a place is named."""


@dataclass(frozen=True)
class UnexpectedToken(Problem):
    """A word or sign that cannot stand where it stands."""

    found: str
    expected: tuple[str, ...]
    hint: str | None
    code = "N101"

    def message(self) -> str:
        return f"unexpected {self.found}"

    def label(self) -> str:
        if len(self.expected) > _NAMED:
            return f"expected {', '.join(self.expected[:_NAMED])}, …"
        return f"expected {listing(self.expected, 'or')}" if self.expected else ""

    def help(self) -> str | None:
        return self.hint


@dataclass(frozen=True)
class BadCharacter(Problem):
    """A character that is no part of the language."""

    character: str
    hint: str | None = None
    """What to write instead, where that takes more than the character to tell."""
    code = "N102"

    def message(self) -> str:
        point = ord(self.character)
        if point == 0:
            return "NUL byte"
        name = unicodedata.name(self.character, "") or {9: "TAB", 12: "FORM FEED", 13: "CARRIAGE RETURN", 27: "ESCAPE"}.get(point, "")
        return f"character U+{point:04X}{f' ({name})' if name else ''} not allowed"

    def help(self) -> str | None:
        point = ord(self.character)
        if self.hint:
            return self.hint
        if point == 13:
            return "end lines with a line feed, or with carriage return and line feed"
        if self.character in "'’‘“”„«»`":
            return 'write strings between "straight double quotes"'
        if self.character in "−–—":
            return "write - for minus, or -> between steps"
        if self.character in "→⇒➔➜⟶":
            return "write -> between steps"
        if self.character in "×✕":
            return "write x in a size, as 3x3"
        if self.character in "^&!":
            return {"^": "write ** for a power", "&": "write and", "!": "write not, or != between values"}[self.character]
        if self.character == ";":
            return "separate statements by line breaks, or join steps with ->"
        if unicodedata.category(self.character)[0] in "CZ":
            return "take it out: nothing on the screen shows that it is there"
        lookalike = _lookalike(self.character)
        return f"did you mean {lookalike}?" if lookalike else "names are made of the letters a to z, digits and _"


def _lookalike(character: str) -> str | None:
    """The ASCII letter a character can be mistaken for."""
    plain = unicodedata.normalize("NFKD", character)[:1]
    if plain.isascii() and plain.isalnum() and plain != character:
        return plain
    cyrillic = dict(zip("авсеԁһіјкӏмпорԛѕтухԝуАВСЕНІЈКМОРЅТХУοανρ", "abcedhijklmnopqstyxwyABCEHIJKMOPSTXYoavp", strict=False))
    return cyrillic.get(character)


@dataclass(frozen=True)
class UnclosedString(Problem):
    """A string without its closing quote."""

    code = "N103"

    def message(self) -> str:
        return "this string is not closed on its line"

    def help(self) -> str:
        return 'add the closing "'


@dataclass(frozen=True)
class Unbalanced(Problem):
    """A bracket that is not closed, or closes nothing, or another one."""

    bracket: str
    opened: str | None = None
    code = "N104"

    def message(self) -> str:
        if self.bracket in "([{":
            return f"this {self.bracket} is never closed"
        if self.opened:
            return f"this {self.bracket} closes a {self.opened}"
        return f"this {self.bracket} closes nothing"

    def help(self) -> str | None:
        pairs = {"(": ")", "[": "]", "{": "}"}
        if self.bracket in pairs:
            return f"add {pairs[self.bracket]}"
        return f"write {pairs[self.opened]}" if self.opened else f"take out the {self.bracket}, or open it before"


@dataclass(frozen=True)
class TooDeep(Problem):
    """Brackets within brackets beyond the limit."""

    code = "N105"

    def message(self) -> str:
        return f"nesting deeper than {NESTING}"

    def help(self) -> str:
        return "give the inner part a name, with block or let"


@dataclass(frozen=True)
class NameTooLong(Problem):
    """A name beyond the limit."""

    length: int
    code = "N106"

    def message(self) -> str:
        return f"a name of {self.length:,} characters; names have at most {NAME_LENGTH}"

    def help(self) -> str:
        return "choose a shorter one"


@dataclass(frozen=True)
class BadNumber(Problem):
    """A number with more digits than any figure of a network needs."""

    length: int
    code = "N107"

    def message(self) -> str:
        return f"a number of {plural(self.length, 'character')}; numbers have at most {NUMBER_LENGTH}"

    def help(self) -> str:
        return "write fewer digits, or a fraction, as 1/255"


@dataclass(frozen=True)
class NoNet(Problem):
    """A file without a net."""

    code = "N108"

    def message(self) -> str:
        return "no net defined"

    def help(self) -> str:
        return "write net Name { image: input(1x28x28) … }; `netspec new lenet5.net` writes a first one"


@dataclass(frozen=True)
class BadLabel(Problem):
    """A computed label that does not come to a name."""

    text: str
    why: str
    code = "N109"

    def message(self) -> str:
        return f'"{escape(self.text)}" cannot be a label: {self.why}'

    def notes(self) -> Iterable[str]:
        yield "labels become part of the names of weights, between dots"

    def help(self) -> str:
        return "labels are made of the letters a to z, digits and _; what is computed stands between { and }"
