"""Formulas of open sizes in words: ``H/16``, ``ceil(H/2)``, ``2 floor(H/2)``, ``3 H W + 1``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from math import gcd, lcm
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from netspec.sizes import Dim, Monomial

_LARGE: Final = 1000
"""A factor from here on stands apart: ``3H``, ``1024 H``."""

Classes = Mapping[str, tuple[int, int]]
"""For symbols of which it is known: ``(16, 4)`` where only sizes of 4 more than a multiple of 16 are accepted."""

Linear = dict[tuple[str, ...], Fraction]
"""Factors by the words they stand before: ``("H", "floor(W/2)")`` for a product; the constant is by itself, before no words."""


def written(value: Dim, classes: Classes | None = None) -> str:
    """The formula as text; with ``classes``, as it may be written for sizes of these classes alone."""
    plain = _text(_linear(value, classes or {}))
    return min(plain, _folded(value, classes or {}) or plain, key=len)


def _folded(value: Dim, classes: Classes) -> str | None:
    """A single quotient with the constant behind it taken inside: ``ceil((T - 20)/16)`` for ``ceil((T - 4)/16) - 1``."""
    if len(value.terms) != 1 or not value.constant:
        return None
    ((atoms, factor),) = value.terms.items()
    of, by = getattr(atoms[0], "of", None), getattr(atoms[0], "by", None)
    if factor != 1 or len(atoms) > 1 or of is None or not isinstance(by, int) or remainder(of, by, classes) is not None:
        return None
    return _rounded(of + value.constant * by, by, classes)


def sides(value: Dim) -> tuple[str, str]:
    """What is added and what is taken away, each as text: a comparison with 0 as one of two formulas."""
    linear = _linear(value, {})
    return _text({w: f for w, f in linear.items() if f > 0}), _text({w: -f for w, f in linear.items() if f < 0})


def grouped(text: str) -> str:
    """The same with the digits of large numbers in groups: ``9,408 H W``."""
    return re.sub(r"\d{4,}", lambda m: f"{int(m[0]):,}", text)


def is_sum(text: str) -> bool:
    """Whether a formula as text is a sum, or a difference, of several parts."""
    depth = 0
    for before, character, after in zip(" " + text, text, text[1:] + " "):
        depth += (character == "(") - (character == ")")
        if character in "+-" and depth == 0 and before == after == " ":
            return True
    return False


def equal(one: Dim | int, other: Dim | int, classes: Classes) -> bool:
    """Whether two formulas come to the same text for sizes of these classes; if not, they may still agree."""
    difference = one - other
    return difference == 0 if isinstance(difference, int) else not any(_linear(difference, classes).values())


def remainder(value: Dim | int, by: int, classes: Classes) -> int | None:
    """What is left of a formula when it is divided, where that is the same for all sizes of the classes."""
    if isinstance(value, int):
        return value % by
    total = value.constant
    for atoms, factor in value.terms.items():
        left = _left(atoms, by // gcd(factor, by), classes)
        if left is None:
            return None
        total += factor * left
    return total % by


def _left(atoms: Monomial, by: int, classes: Classes) -> int | None:
    """What is left of a product."""
    found = 1
    for atom in atoms:
        part = _left_of_atom(atom, by, classes)
        if part is None:
            return None
        found = found * part % by
    return found % by


def _left_of_atom(atom: object, by: int, classes: Classes) -> int | None:
    of, divisor, name = getattr(atom, "of", None), getattr(atom, "by", None), getattr(atom, "key", "")
    if by == 1:
        return 0
    if of is None:
        period, residue = classes.get(name, (1, 0))
        return residue % by if period % by == 0 else None
    if not isinstance(divisor, int):
        return None
    left = remainder(of, divisor * by, classes)
    return None if left is None else left // divisor


def _linear(value: Dim | int, classes: Classes) -> Linear:
    """The formula as a sum, with quotients taken apart that leave a known remainder."""
    if isinstance(value, int):
        return {(): Fraction(value)}
    if (larger := _larger(value, classes)) is not None:
        return {(larger,): Fraction(1)}
    found: Linear = {(): Fraction(value.constant)}
    for atoms, factor in value.terms.items():
        product: Linear = {(): Fraction(factor)}
        for atom in atoms:
            product = _times(product, _of_atom(atom, classes))
        for words, f in product.items():
            found[words] = found.get(words, Fraction(0)) + f
    return found


def _larger(value: Dim, classes: Classes) -> str | None:
    """What is cut off at another number than 0, where the formula is nothing but that: ``max(H - 4, 16)``."""
    if len(value.terms) != 1:
        return None
    ((atoms, factor),) = value.terms.items()
    of, by = getattr(atoms[0], "of", None), getattr(atoms[0], "by", None)
    if factor != 1 or len(atoms) > 1 or of is None or by is not None:
        return None
    return f"max({_text(_linear(of + value.constant, classes))}, {value.constant})"


def _times(one: Linear, other: Linear) -> Linear:
    found: Linear = {}
    for a, f in one.items():
        for b, g in other.items():
            words = tuple(sorted((*a, *b), key=_rank))
            found[words] = found.get(words, Fraction(0)) + f * g
    return found


def _of_atom(atom: object, classes: Classes) -> Linear:
    of, by, key = getattr(atom, "of", None), getattr(atom, "by", None), getattr(atom, "key", "")
    if of is None:
        return {(key,): Fraction(1)}
    if by is None:
        return {(f"max({_text(_linear(of, classes))}, 0)",): Fraction(1)}
    if not isinstance(by, int):
        above, below = (f"({text})" if " " in text else text for text in (_text(_linear(d, classes)) for d in (of, by)))
        return {(f"floor({above}/{below})",): Fraction(1)}
    left = remainder(of, by, classes)
    if left is not None:
        return {words: f / by for words, f in _linear(of - left, classes).items()}
    return {(_rounded(of, by, classes),): Fraction(1)}


def _rounded(of: Dim, by: int, classes: Classes) -> str:
    """A quotient rounded down, or up where that is shorter."""
    down = f"floor({_text(_scaled(_linear(of, classes), by))})"
    up = f"ceil({_text(_scaled(_linear(of - (by - 1), classes), by))})"
    return up if len(up) < len(down) else down


def _scaled(linear: Linear, by: int) -> Linear:
    return {words: f / by for words, f in linear.items()}


def _rank(words: str) -> tuple[bool, str]:
    """Symbols before quotients, both by the alphabet."""
    return len(words) > 1, words


def _text(linear: Linear) -> str:
    """A sum as text, its fractions over one line: ``(3H + 4)/8 + 2W + 1``."""
    terms = sorted(((words, f) for words, f in linear.items() if f and words), key=lambda t: (-len(t[0]), list(map(_rank, t[0]))))
    constant = linear.get((), Fraction(0))
    broken = [(words, f) for words, f in terms if f.denominator > 1]
    whole = [(words, f) for words, f in terms if f.denominator == 1]
    if not broken:
        return _sum([*whole, ((), constant)] if constant or not whole else whole)
    inside = constant if constant.denominator > 1 else Fraction(0)
    line = lcm(*(f.denominator for _, f in broken), inside.denominator)
    above = [(words, f * line) for words, f in broken] + ([((), inside * line)] if inside else [])
    sign = "-" if all(f < 0 for _, f in above) else ""
    text = _sum([(words, abs(f) if sign else f) for words, f in above])
    text = f"{sign}({text})/{line}" if " + " in text or " - " in text else f"{sign}{text}/{line}"
    rest = [*whole, *([((), constant)] if constant and not inside else [])]
    if not rest:
        return text
    after = _sum(rest)
    return f"{text} - {after[1:]}" if after.startswith("-") else f"{text} + {after}"


def _sum(terms: list[tuple[tuple[str, ...], Fraction]]) -> str:
    found = ""
    for words, f in terms:
        sign = ("-" if f < 0 else "") if not found else (" - " if f < 0 else " + ")
        found += sign + _term(words, abs(f))
    return found or "0"


def _term(words: tuple[str, ...], factor: Fraction) -> str:
    text = " ".join(words)
    if not words or factor == 1:
        return text or str(factor)
    return f"{factor}{text}" if len(text) == 1 and factor < _LARGE else f"{factor} {text}"
