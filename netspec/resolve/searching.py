"""Open sizes that a rule accepts, where those that were tried are refused: found by what the rule asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice, product
from typing import Final

from netspec.conditions import Condition
from netspec.open_sizes import Demand, Sizes
from netspec.sizes import Dim

Ask = Callable[[Sizes], tuple[bool, Sequence[Condition]]]
"""Asks a rule: whether it accepts these sizes, and what it decided by them."""

_ROUNDS: Final = 5
_FARTHEST: Final = 2048
_OF_EACH: Final = 8
_MOST: Final = 4096
_SMALL: Final = 13


def accepted_sizes(tried: Sizes, ask: Ask, demands: Sequence[Demand]) -> dict[str, int] | None:
    """Sizes that a rule and all demands accept, or ``None``.

    Every comparison that the rule has made names sizes of each symbol at which it would go out otherwise; these are put together, and what
    the rule asks then is looked at in turn. At last small sizes are tried one by one.
    """
    known = _by_question(ask(tried)[1])
    for _ in range(_ROUNDS):
        values = {s: _values(s, tried, known.values(), demands) for s in tried}
        found = dict(known)
        for chosen in islice(product(*values.values()), _MOST):
            sizes = dict(zip(values, chosen))
            accepts, asked = ask(sizes)
            if accepts and all(d.objection(sizes) is None for d in demands):
                return sizes
            found = _by_question(asked) | found
        if len(found) == len(known):
            break
        known = found
    small = (dict(zip(tried, sizes)) for sizes in islice(product(range(1, _SMALL), repeat=len(tried)), _MOST))
    return next((s for s in small if ask(s)[0] and all(d.objection(s) is None for d in demands)), None)


def _by_question(conditions: Iterable[Condition]) -> dict[tuple[Dim, bool], Condition]:
    """Conditions by what was asked, whatever the answer."""
    return {(c.difference, c.order): c for c in conditions}


def other_ways(tried: Sizes, demands: Iterable[Demand]) -> Iterator[dict[str, int]]:
    """Sizes at which the text takes another way."""
    for demand in demands:
        for letter in tried:
            for n in _values(letter, tried, demand.conditions, ()):
                sizes = {**tried, letter: n}
                if not all(c.holds(sizes) for c in demand.conditions):
                    yield sizes
                    break


def _values(letter: str, tried: Sizes, conditions: Iterable[Condition], demands: Sequence[Demand]) -> list[int]:
    """Sizes of one symbol: the one that was tried, and for every condition the next ones, upwards and downwards, at which it turns.

    Those that the demands refuse anyway are passed over.
    """
    others = {s: n for s, n in tried.items() if s != letter}
    here = tried[letter]
    own = [d for d in demands if all(c.difference.symbols == {letter} for c in d.conditions)]
    found = [here]
    for condition in conditions:
        alone = condition.difference.among(others)
        if not isinstance(alone, Dim):
            continue
        turning = _turning(alone, letter, condition.order, here)
        fitting = (n for n in turning if all(d.objection({**others, letter: n}) is None for d in own))
        found += (n for n in islice(fitting, _OF_EACH) if n not in found)
    return found


def _turning(alone: Dim, letter: str, order: bool, here: int) -> Iterator[int]:
    """Sizes at which a comparison goes out otherwise than here, the next ones above and below by turns."""

    def answer(n: int) -> bool:
        value = alone.at({letter: n})
        return value >= 0 if order else value == 0

    now = answer(here)
    above, below = range(here + 1, here + _FARTHEST), range(here - 1, 0, -1)
    by_turns = chain.from_iterable(zip(above, chain(below, above[len(below) :])))
    return (n for n in by_turns if answer(n) is not now)
