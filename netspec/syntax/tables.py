"""The parser's tables, made from ``grammars/netspec.lark`` by Lark and kept beside it.

Three ways were open: Lark at every start (100 ms to build, 50 to import, or 50 with its own cache), Lark's stand-alone
parser (its code copied into ours), or Lark as the maker of tables that a few lines of our own read. The last costs a
start 1 ms. The file of tables carries the grammar's checksum: where the grammar has been edited since, the tables
are made afresh with Lark in memory, and ``python -m netspec.syntax.tables`` writes them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from netspec import resources

STARTS = ("file", "expression")


class Rule(NamedTuple):
    """``origin`` is the symbol a reduction makes, ``keep`` which of its symbols are kept as children.

    ``name`` is what to build: a constructor's name; ``""`` passes on a single child; ``"*"`` collects children into the list of
    whoever contains them. ``unit`` is true of a rule that only renames one symbol; ``gather`` of one whose children may be such lists.
    """

    origin: str
    length: int
    name: str
    keep: tuple[int, ...]
    gather: bool
    unit: bool


@dataclass(frozen=True)
class Tables:
    """LALR(1) tables. An action of at least 0 shifts or goes to that state, a negative one ``a`` reduces by rule ``~a``."""

    states: list[dict[str, int]]
    starts: dict[str, int]
    ends: dict[str, int]
    rules: tuple[Rule, ...]
    tokens: str
    """One regular expression with a group for each kind of token."""
    keywords: dict[str, str]


def tables() -> Tables:
    """The tables of the grammar as it stands."""
    grammar = (resources.folder("grammars") / "netspec.lark").read_bytes()
    path = resources.folder("grammars") / "netspec.tables.json"
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        data = {}
    if data.get("checksum") != crc32(grammar):
        data = generate(grammar)
    rules = tuple(
        Rule(origin, length, name, tuple(keep), gather, length == len(keep) == 1 and name in {"", "*"})
        for origin, length, name, keep, gather in data["rules"]
    )
    return Tables(data["states"], data["starts"], data["ends"], rules, data["tokens"], data["keywords"])


def generate(grammar: bytes) -> dict[str, Any]:
    """Tables as plain data, made by Lark. Raises Lark's ``GrammarError`` where the grammar is not LALR(1)."""
    from lark import Lark
    from lark.parsers.lalr_analysis import Shift

    lark = Lark(grammar.decode(), parser="lalr", lexer="basic", strict=True, start=list(STARTS), maybe_placeholders=False)
    table = lark.parser.parser._parse_table
    states = _in_order(table.states, [table.start_states[name] for name in STARTS], Shift)
    order = {state: number for number, state in enumerate(states)}
    rules = sorted({a for row in table.states.values() for kind, a in row.values() if kind is not Shift}, key=str)
    number = {rule: i for i, rule in enumerate(rules)}
    rows = [
        {name: order[arg] if kind is Shift else ~number[arg] for name, (kind, arg) in sorted(table.states[state].items())}
        for state in states
    ]
    tokens, keywords = _tokens(lark.terminals)
    return {
        "checksum": crc32(grammar),
        "starts": {name: order[state] for name, state in table.start_states.items()},
        "ends": {name: order[state] for name, state in table.end_states.items()},
        "rules": [_rule(r) for r in rules],
        "tokens": tokens,
        "keywords": keywords,
        "states": rows,
    }


def _in_order(table: Any, starts: list[Any], shift: Any) -> list[Any]:
    """The states as they are reached from the starts, by the names of symbols: the same at every making."""
    found = dict.fromkeys(starts)
    queue = list(starts)
    for state in queue:
        for _, (kind, target) in sorted(table[state].items(), key=lambda entry: str(entry[0])):
            if kind is shift and target not in found:
                found[target] = None
                queue.append(target)
    return queue


def _rule(rule: Any) -> tuple[str, int, str, tuple[int, ...], bool]:
    keep = tuple(i for i, symbol in enumerate(rule.expansion) if not (symbol.is_term and symbol.filter_out))
    if rule.origin.name.startswith("_"):
        name = "*"
    elif rule.alias is None and rule.options.expand1 and len(keep) == 1:
        name = ""
    else:
        name = str(rule.alias or rule.origin.name)
    gather = name == "*" or any(not rule.expansion[i].is_term and rule.expansion[i].name.startswith("_") for i in keep)
    return str(rule.origin.name), len(rule.expansion), name, keep, gather


def _tokens(terminals: Any) -> tuple[str, dict[str, str]]:
    """Longest possible first, as Lark's own lexer sorts them; keywords are names looked up afterwards."""
    keywords = {t.pattern.value: str(t.name) for t in terminals if t.pattern.type == "str" and t.pattern.value.isidentifier()}
    others = [t for t in terminals if t.name not in keywords.values() and t.name != "HOLE"]
    others.sort(key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name))
    return "|".join(f"(?P<{t.name}>{t.pattern.to_regexp()})" for t in others), keywords


def write(path: Path) -> None:
    """Make the tables and keep them at ``path``."""
    data = generate((resources.folder("grammars") / "netspec.lark").read_bytes())
    path.write_text(json.dumps(data, separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    write(resources.folder("grammars") / "netspec.tables.json")
