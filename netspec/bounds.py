"""How small a formula of open sizes can be: so that most comparisons are decided for all sizes at once.

A quotient that is rounded down lies between two linear functions of the symbols; putting these in its place gives a linear bound of the
whole, and the least value of that over all sizes of at least 1 is plain to see. It may be too low, and is never too high.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netspec.sizes import Dim, Monomial

_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Bound:
    """A linear function of the symbols; where it is not ``known``, nothing is."""

    slopes: dict[str, Fraction] = field(default_factory=dict)
    constant: Fraction = _ZERO
    known: bool = True

    def plus(self, other: Bound, factor: Fraction) -> Bound:
        """This and so many times another."""
        slopes = dict(self.slopes)
        for symbol, slope in other.slopes.items():
            slopes[symbol] = slopes.get(symbol, _ZERO) + slope * factor
        return Bound(slopes, self.constant + other.constant * factor, self.known and other.known)

    def least(self) -> int | None:
        """The least whole number from here up, for sizes of at least 1, or ``None`` where there is none."""
        if not self.known or any(slope < 0 for slope in self.slopes.values()):
            return None
        found = self.constant + sum(self.slopes.values(), _ZERO)
        return -(-found.numerator // found.denominator)


def least(value: Dim) -> int | None:
    """A whole number that the formula is nowhere below, for sizes of at least 1, or ``None``."""
    return _bound(value, upper=False).least()


def band(value: Dim, letter: str) -> tuple[Fraction, Fraction, Fraction]:
    """For a linear formula in one symbol its slope, and two numbers: it lies between ``slope n + low`` and ``slope n + high``."""
    low, high = _bound(value, upper=False), _bound(value, upper=True)
    return low.slopes.get(letter, _ZERO), low.constant, high.constant


def _bound(value: Dim, upper: bool) -> Bound:
    """A linear function that is nowhere below the formula (``upper``), or nowhere above it."""
    bound = Bound(constant=Fraction(value.constant))
    for atoms, factor in value.terms.items():
        side = upper is (factor > 0)
        bound = bound.plus(_of_atom(atoms[0], side) if len(atoms) == 1 else _of_product(atoms, side), Fraction(factor))
    return bound


def _of_atom(atom: Any, upper: bool) -> Bound:
    of, by = getattr(atom, "of", None), getattr(atom, "by", None)
    if of is None:
        return Bound({atom.key: Fraction(1)})
    inner = _bound(of, upper)
    if by is not None and not isinstance(by, int):  # by a formula of at least 1: from 0 to the whole of it
        low = _bound(of, upper=False).least()
        return Bound(known=False) if low is None or low < 0 else inner if upper else Bound()
    if by is not None:
        return Bound(constant=Fraction(0 if upper else 1 - by, by)).plus(inner, Fraction(1, by))
    if not upper:
        return Bound()
    return Bound({s: max(slope, _ZERO) for s, slope in inner.slopes.items()}, max(inner.constant, _ZERO), inner.known)


def _of_product(atoms: Monomial, upper: bool) -> Bound:
    """Of a product only this is known: where no factor can be negative, it is at least the product of the least ones."""
    factors = [_of_atom(atom, upper=False).least() for atom in atoms]
    if upper or any(n is None or n < 0 for n in factors):
        return Bound(known=False)
    return Bound(constant=Fraction(prod(n for n in factors if n is not None)))
