"""The grammar is LALR(1) without a conflict, its tables are those in the repository, and our driver accepts what Lark's parser accepts."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Iterator

import pytest
from lark import Lark, Token
from lark.exceptions import UnexpectedInput

from netspec import resources
from netspec.source import Source
from netspec.syntax.driver import SyntaxFault, run
from netspec.syntax.lexer import END, tokenize
from netspec.syntax.lexer import Token as OurToken
from netspec.syntax.parser import _acceptable, parse_expression
from netspec.syntax.read import read_source
from netspec.syntax.tables import generate, tables

GRAMMAR = (resources.folder("grammars") / "netspec.lark").read_bytes()
SPECS = sorted(resources.folder("specs").glob("*.net"))
TABLES = tables()
TEXTS = {"NAME": "stem", "SIZE": "3x3", "NUMBER": "7", "STRING": '"stem"', "COMPARISON": "<", "PRODUCT": "*", "_NL": "\n", "HOLE": ""}


@pytest.fixture(scope="module")
def lark() -> Lark:
    return Lark(GRAMMAR.decode(), parser="lalr", lexer="basic", strict=True, start=["file", "expression"], maybe_placeholders=False)


def test_grammar_is_strict_and_tables_are_its_own() -> None:
    made = json.loads(json.dumps(generate(GRAMMAR)))
    kept = json.loads((resources.folder("grammars") / "netspec.tables.json").read_bytes())
    assert made == kept, "make them anew with python -m netspec.syntax.tables"


def where_lark_stops(lark: Lark, tokens: list[OurToken], start: str = "file") -> int | None:
    """The index of the token that Lark refuses, or ``None``."""
    parser = lark.parse_interactive(start=start)
    for index, token in enumerate(tokens):
        try:
            if token.kind == END:
                parser.feed_eof()
            else:
                parser.feed_token(Token(token.kind, token.text))
        except UnexpectedInput:
            return index
    return None


def where_we_stop(tokens: list[OurToken], start: str = "file") -> int | None:
    source = Source("a.net", "".join(t.text for t in tokens))
    try:
        run(TABLES, tokens, start, source, parse_expression)
    except SyntaxFault as fault:
        return fault.index
    return None


def placed(kinds: list[str]) -> list[OurToken]:
    """Tokens of these kinds one behind the other, with texts of their kind."""
    spelled = {kind: text for text, kind in TABLES.keywords.items()}
    tokens, position = [], 0
    for kind in kinds:
        text = TEXTS.get(kind) or spelled.get(kind, "?")
        tokens.append(OurToken(kind, text, position, position + len(text)))
        position += len(text)
    return [*tokens, OurToken(END, "", position, position)]


def walks(count: int) -> Iterator[list[str]]:
    """Random sequences of tokens, most of which fit where they stand."""
    chance = random.Random(20_241)
    kinds = sorted({kind for row in TABLES.states for kind in row if kind.isupper() and kind != END})
    for _ in range(count):
        found: list[str] = []
        for _ in range(chance.randrange(1, 40)):
            fitting = sorted(set(_acceptable(TABLES, placed(found)[:-1])) - {END})
            found.append(chance.choice(fitting if fitting and chance.random() < 0.97 else kinds))
            if where_we_stop(placed(found)) not in {None, len(found)}:
                break
        yield found


def test_driver_agrees_with_lark_on_random_tokens(lark: Lark) -> None:
    read = 0
    for kinds in walks(150):
        tokens = placed(kinds)
        stops = where_we_stop(tokens)
        assert stops == where_lark_stops(lark, tokens), kinds
        read += len(tokens) if stops is None else stops
    assert read > 1_500


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_driver_agrees_with_lark_on_specs_with_a_token_changed(path: object, lark: Lark) -> None:
    tokens = tokenize(read_source(str(path)), TABLES)
    assert where_we_stop(tokens) is where_lark_stops(lark, tokens) is None
    chance = random.Random(7)
    kinds = [t for t in tokens if t.kind != END]
    for _ in range(12):
        changed, at = tokens.copy(), chance.randrange(len(tokens) - 1)
        how = chance.randrange(3)
        changed[at : at + (how != 1)] = [] if how == 0 else [chance.choice(kinds)]
        assert where_we_stop(changed) == where_lark_stops(lark, changed)


TERMINALS = re.findall(r"\(\?P<(\w+)>", TABLES.tokens)


def seconds(pattern: re.Pattern[str], text: str) -> float:
    began = time.process_time()
    pattern.match(text)
    return time.process_time() - began


STARTS = ["a", "1", "1.", "1e", "1_", "1x", "x", '"', "#", " ", "\t", "*", "=", "<", "-", "/", ".", "(", "%", "0x", "1x1x"]


@pytest.mark.parametrize("start", STARTS)
def test_every_terminal_takes_linear_time(start: str) -> None:
    """Whatever it begins with and whatever follows 10^5 times, the one expression of all terminals decides at once."""
    pattern = re.compile(TABLES.tokens)
    assert {"NAME", "NUMBER", "SIZE", "STRING"} <= set(TERMINALS)
    for repeated in ("a", "1", "_", "x", "1x", ".", "e", '"', " ", "#", "*", "-", "%", "\n"):
        text = start + repeated * 100_000 + "\x00"
        assert min(seconds(pattern, text) for _ in range(3)) < 0.1
