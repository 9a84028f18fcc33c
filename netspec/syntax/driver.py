"""An LALR(1) driver over the tables.

Precedence in the grammar is a ladder of rules, most of which only rename what they contain. The driver climbs such a
ladder in one look-up: the state it ends in depends on the state below, the rung and the next token alone, so it is worked
out once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from netspec.source import Source, Span
from netspec.syntax.build import BUILDERS, Many, labelled
from netspec.syntax.lexer import END, Token
from netspec.syntax.tables import Tables

NO_ACTION: Final = -(2**31)
_span = tuple.__new__


class SyntaxFault(Exception):
    """A token that cannot stand where it does, by its index."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


class _Reduction(NamedTuple):
    """A rule made ready: ``gather`` where a child may be a list to dissolve; ``build`` is ``None`` for a rule that passes on a child."""

    unit: bool
    length: int
    origin: str
    keep: tuple[int, ...]
    gather: bool
    build: Callable[..., Any] | None


@cache
def _reductions() -> dict[int, tuple[_Reduction, ...]]:
    return {}


@cache
def _climbed() -> dict[tuple[int, int, str], int]:
    return {}


def _ready(tables: Tables) -> tuple[_Reduction, ...]:
    known = _reductions().get(id(tables))
    if known is None:
        known = _reductions()[id(tables)] = tuple(
            _Reduction(r.unit, r.length, r.origin, r.keep, r.gather, None if r.name == "" else Many if r.name == "*" else BUILDERS[r.name])
            for r in tables.rules
        )
    return known


def run(tables: Tables, tokens: Sequence[Token], start: str, source: Source, expression: Callable[..., Any]) -> Any:
    """What the tokens make, read as ``start``; ``expression`` reads what stands in computed labels. Raises :class:`SyntaxFault`.

    Three stacks go side by side: states, what was made, and where it begins. The loop is one function on purpose: a call for each
    token and reduction would cost as much as the work.
    """
    table, reductions, climbed = tables.states, _ready(tables), _climbed()
    states: list[int] = [tables.starts[start]]
    values: list[Any] = []
    begins: list[int] = []
    last = 0
    for index, token in enumerate(tokens):
        kind = token[0]
        while (action := table[states[-1]].get(kind, NO_ACTION)) < 0:
            if action == NO_ACTION:
                if kind == END and states[-1] == tables.ends[start]:
                    return values[0]
                raise SyntaxFault(index)
            unit, length, origin, keep, gather, build = reductions[~action]
            if unit:
                key = (states[-2], states[-1], kind)
                if (state := climbed.get(key)) is None:
                    state = climbed[key] = _climb(tables, *key)
                states[-1] = state
                continue
            if length:
                first, children = begins[-length], values[-length:]
                del states[-length:], values[-length:], begins[-length:]
            else:
                first, last, children = token[2], token[2], []
            if gather:
                children = _gathered(children, keep)
            elif len(keep) != length:
                children = [children[i] for i in keep]
            if build is None:
                values.append(children[0])
            elif build is Many:
                values.append(children)
            elif build is labelled:
                values.append(labelled(children, Span(first, last), source, expression))
            else:
                values.append(build(children, _span(Span, (first, last))))
            begins.append(first)
            states.append(table[states[-1]][origin])
        states.append(action)
        values.append(token)
        begins.append(token[2])
        last = token[3]
    raise AssertionError("a parse ends at $END")


def _climb(tables: Tables, below: int, state: int, kind: str) -> int:
    """The state in which a ladder of renaming rules ends."""
    while True:
        action = tables.states[state].get(kind, 0)
        if action >= 0 or not tables.rules[~action].unit:
            return state
        state = tables.states[below][tables.rules[~action].origin]


def _gathered(children: list[Any], keep: tuple[int, ...]) -> Many:
    """The kept children, lists among them dissolved. A list grows in place: a chain of 20,000 steps costs 20,000 steps."""
    kept = [children[i] for i in keep]
    items = kept.pop(0) if kept and type(kept[0]) is Many else Many()
    for child in kept:
        if type(child) is Many:
            items.extend(child)
        else:
            items.append(child)
    return items
