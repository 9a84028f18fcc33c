"""Sizes that are left open: a :class:`Dim` is a formula in symbols such as H and W, and computes as a whole number does.

The rules of layers are run with Dims in the place of numbers. A formula is a linear combination of products of *atoms*: symbols,
quotients that are rounded down, and what is cut off at 0. Nested quotients collapse: ``floor((floor(n / a) + b) / c)`` is
``floor((n + a b) / (a c))`` (Graham, Knuth and Patashnik, "Concrete Mathematics", 1994, section 3.2), so that what a chain of strided
windows gives stays short.

Each Dim carries its value at the sizes that are being tried. A comparison is decided for all sizes where that can be (every symbol stands
for a number of at least 1), and at these sizes otherwise; then it becomes a
:class:`~netspec.conditions.Condition`, for whoever is listening. What comes
of a rule holds wherever its conditions hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import gcd, lcm, prod
from typing import Any

from netspec.bounds import least
from netspec.conditions import Condition, note
from netspec.formulas import grouped, is_sum, written
from netspec.shape import Open


class NeedsNumber(TypeError):
    """Something that only a number can do was asked of an open size, as to be the length of a loop."""

    def __init__(self, size: Dim) -> None:
        super().__init__(f"{size} is no number")
        self.size = size


@dataclass(frozen=True, eq=False)
class Atom:
    """A symbol, ``floor(of / by)``, or without ``by`` ``max(of, 0)``. The key of a symbol is its name; atoms with equal keys are equal.

    ``by`` is a formula where the proportion of a picture is kept.
    """

    key: str
    of: Dim | None = None
    by: Dim | int | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atom) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def at(self, sizes: Mapping[str, int]) -> int:
        """The value where the symbols have these."""
        if self.of is None:
            return sizes[self.key]
        return self.of.at(sizes) // at(self.by, sizes) if self.by is not None else max(self.of.at(sizes), 0)

    def among(self, sizes: Mapping[str, int]) -> Any:
        """The atom with numbers in the place of some symbols."""
        if self.of is None:
            return sizes[self.key] if self.key in sizes else Dim({(self,): 1}, 0, 1)
        by = self.by.among(sizes) if isinstance(self.by, Dim) else self.by
        return self.of.among(sizes) // by if by is not None else larger(self.of.among(sizes), 0)

    @cached_property
    def symbols(self) -> frozenset[str]:
        """The symbols in it."""
        if self.of is None:
            return frozenset({self.key})
        return self.of.symbols | self.by.symbols if isinstance(self.by, Dim) else self.of.symbols

    @cached_property
    def is_linear(self) -> bool:
        """Whether it is a symbol, or a quotient by a number of what is linear."""
        return self.of is None or (isinstance(self.by, int) and self.of.is_linear)

    @cached_property
    def period(self) -> int:
        """After so much more of a symbol, the atom has grown by the same amount, whatever the size was."""
        if isinstance(self.by, Dim):
            return _ENDLESS
        return 1 if self.of is None else self.of.period * (self.by or 1)


Monomial = tuple[Atom, ...]
"""Atoms that are multiplied, sorted by their keys."""


class Dim(Open):
    """A formula: a linear combination of monomials and a constant. ``tried`` is its value at the sizes that are being tried.

    ``==`` and ``hash`` go by the formula alone; whether two sizes agree is asked with :func:`netspec.shape.same`. Raises
    :class:`NeedsNumber` where only a number will do.
    """

    __slots__ = ("_hash", "_words", "constant", "terms", "tried")
    KIND = "an open size"

    def __init__(self, terms: dict[Monomial, int], constant: int, tried: int) -> None:
        self.terms = terms
        self.constant = constant
        self.tried = tried
        self._hash: int | None = None
        self._words: str | None = None

    # ---- what it is

    @property
    def symbols(self) -> frozenset[str]:
        """The symbols in it."""
        return frozenset[str]().union(*(atom.symbols for atoms in self.terms for atom in atoms))

    @property
    def period(self) -> int:
        """After so much more of a symbol, a formula without products has grown by the same amount, whatever the size was."""
        return lcm(*(atom.period for atoms in self.terms for atom in atoms))

    @property
    def is_linear(self) -> bool:
        """Whether it is made of symbols and of quotients by numbers alone, so that it grows by the same amount with every period."""
        return all(len(atoms) == 1 and atoms[0].is_linear for atoms in self.terms)

    def at(self, sizes: Mapping[str, int]) -> int:
        """The number where the symbols have these sizes."""
        return self.constant + sum(c * prod([a.at(sizes) for a in atoms]) for atoms, c in self.terms.items())

    def among(self, sizes: Mapping[str, int]) -> Any:
        """The formula with numbers in the place of some symbols."""
        found: Any = self.constant
        for atoms, coefficient in self.terms.items():
            found = found + prod((a.among(sizes) for a in atoms), start=coefficient)
        return found

    def trying(self, sizes: Mapping[str, int]) -> Dim:
        """The same formula, for other sizes that are being tried."""
        return Dim(self.terms, self.constant, self.at(sizes))

    def shown_as(self, words: str) -> Dim:
        """The same formula, shown otherwise: as it may be written where it is known which sizes are accepted."""
        twin = Dim(self.terms, self.constant, self.tried)
        twin._words = words
        return twin

    # ---- arithmetic

    def __add__(self, other: Any) -> Any:
        if isinstance(other, int):
            return Dim(self.terms, self.constant + other, self.tried + other)
        if not isinstance(other, Dim):
            return self._refused(other)
        terms = dict(self.terms)
        for atoms, c in other.terms.items():
            terms[atoms] = terms.get(atoms, 0) + c
        return _dim(terms, self.constant + other.constant, self.tried + other.tried)

    __radd__ = __add__

    def __neg__(self) -> Dim:
        return Dim({m: -c for m, c in self.terms.items()}, -self.constant, -self.tried)

    def __pos__(self) -> Dim:
        return self

    def __sub__(self, other: Any) -> Any:
        return self + -other if isinstance(other, int | Dim) else self._refused(other)

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, int):
            return _dim({m: c * other for m, c in self.terms.items()}, self.constant * other, self.tried * other)
        if not isinstance(other, Dim):
            return self._refused(other)
        terms: dict[Monomial, int] = {}
        for one, c in (*self.terms.items(), ((), self.constant)):
            for two, d in (*other.terms.items(), ((), other.constant)):
                atoms = tuple(sorted((*one, *two), key=lambda a: a.key))
                terms[atoms] = terms.get(atoms, 0) + c * d
        return _dim(terms, terms.pop(()), self.tried * other.tried)

    __rmul__ = __mul__

    def __pow__(self, exponent: Any) -> Any:
        if type(exponent) is not int or not 0 <= exponent <= _HIGHEST_POWER:
            raise NeedsNumber(self)
        return prod((self,) * exponent)

    def __floordiv__(self, by: Any) -> Any:
        if isinstance(by, Dim):
            return _proportion(self, by)
        if type(by) is not int:
            return self._refused(by)
        if by <= 0:
            if by == 0:
                raise ZeroDivisionError
            return -self // -by
        if all(c < 0 for c in self.terms.values()):
            return -((-self + (by - 1)) // by)
        return _quotient(self, by)

    def __mod__(self, by: Any) -> Any:
        if type(by) is not int:
            return self._refused(by)
        return self - self // by * by

    def __divmod__(self, by: Any) -> Any:
        return self // by, self % by

    def __truediv__(self, by: Any) -> Any:
        """The whole quotient, on the condition that nothing is left."""
        if type(by) is int and not self % by:
            return self // by
        return self._refused(by)

    def __rfloordiv__(self, other: Any) -> Any:
        return _proportion(Dim({}, other, other), self) if type(other) is int else self._refused(other)

    def __rmod__(self, other: Any) -> Any:
        return self._refused(other)

    __rtruediv__ = __rpow__ = __rmod__

    def __abs__(self) -> Any:
        return self if self >= 0 else -self

    def __floor__(self) -> Dim:
        return self

    def __ceil__(self) -> Dim:
        return self

    def __round__(self, digits: int | None = None) -> Dim:
        return self

    def __index__(self) -> int:
        raise NeedsNumber(self)

    __int__ = __float__ = __index__

    def _refused(self, other: object) -> Any:
        """What an operator gives for something it cannot compute with."""
        if isinstance(other, int | float | Dim):
            raise NeedsNumber(self)
        return NotImplemented

    # ---- comparison

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and self.constant == other.constant and self.terms == other.terms

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash((self.constant, frozenset(self.terms.items())))
        return self._hash

    def agrees(self, other: object) -> bool:
        difference = self - other if isinstance(other, int | Dim) else None
        return difference == 0 if not isinstance(difference, Dim) else _decide(difference, order=False)

    def __ge__(self, other: Any) -> bool:
        difference = self - other
        return difference >= 0 if type(difference) is int else _decide(difference, order=True)

    def __gt__(self, other: Any) -> bool:
        return bool(self >= other + 1)

    def __le__(self, other: Any) -> bool:
        return bool(-self >= -other)

    def __lt__(self, other: Any) -> bool:
        return bool(-self >= 1 - other)

    def __bool__(self) -> bool:
        return not self.agrees(0)

    # ---- words

    def __str__(self) -> str:
        if self._words is None:
            self._words = written(self)
        return self._words

    def __repr__(self) -> str:
        return str(self)

    def as_factor(self) -> str:
        return f"({self})" if is_sum(str(self)) else str(self)

    def __format__(self, spec: str) -> str:
        """As text; ``,`` groups the digits of large numbers, everything else is for numbers alone."""
        if "," not in spec:
            return str(self)
        return grouped(str(self))


_HIGHEST_POWER = 8
_ENDLESS = 2**40
"""The period of what has none."""


def symbol(name: str, tried: int) -> Dim:
    """An open size of this name."""
    return Dim({(Atom(name),): 1}, 0, tried)


def larger(one: Any, other: Any) -> Any:
    """The larger one of two sizes, as a formula where neither is the larger one for all sizes."""
    difference = one - other
    if type(difference) is int:
        return one if difference >= 0 else other
    if (low := least(difference)) is not None and low >= 0:
        return one
    if (low := least(-difference)) is not None and low >= 0:
        return other
    atom = Atom(f"max({_key(difference)},0)", difference)
    return Dim({(atom,): 1}, 0, max(difference.tried, 0)) + other


def at(value: Any, sizes: Mapping[str, int]) -> Any:
    """A value, with numbers in the place of all formulas in it: in shapes, lists, mappings and recorded calls."""
    if isinstance(value, Dim):
        return value.at(sizes)
    if type(value) is tuple or isinstance(value, list):
        return type(value)(at(part, sizes) for part in value)
    if isinstance(value, dict):
        return {name: at(part, sizes) for name, part in value.items()}
    return value


def _dim(terms: dict[Monomial, int], constant: int, tried: int) -> Any:
    """The formula, or a plain number where no symbol is left."""
    left = {m: c for m, c in terms.items() if c}
    return Dim(left, constant, tried) if left else constant


def _key(value: Dim) -> str:
    """A text by which equal formulas are known."""
    terms = sorted(("*".join(a.key for a in atoms), c) for atoms, c in value.terms.items())
    return "".join(f"{c:+}*{atoms}" for atoms, c in terms) + (f"{value.constant:+}" if value.constant else "")


def _quotient(value: Dim, by: int) -> Any:
    """``floor(value / by)`` with everything taken out that can be."""
    tried = value.tried // by
    outside = {m: c // by for m, c in value.terms.items()}
    inside = {m: c % by for m, c in value.terms.items() if c % by}
    common = gcd(by, *inside.values())
    by, constant = by // common, value.constant // common
    whole, constant = divmod(constant, by)
    if not inside:
        return _dim(outside, whole, tried)
    inside = {m: c // common for m, c in inside.items()}
    rest = Dim(inside, constant, 0)
    inner = _only(rest)
    if inner is not None and inner.of is not None and isinstance(inner.by, int):
        found = _dim(outside, whole, 0) + (inner.of + constant * inner.by) // (inner.by * by)
        return Dim(found.terms, found.constant, tried) if isinstance(found, Dim) else found
    atom = Atom(f"({_key(rest)})//{by}", rest, by)
    outside[(atom,)] = outside.get((atom,), 0) + 1
    return _dim(outside, whole, tried)


def _proportion(value: Dim, by: Dim) -> Any:
    """``floor(value / by)`` of formulas, where ``by`` is nowhere below 1."""
    if (low := least(by)) is None or low < 1:
        raise NeedsNumber(by)
    times = value.terms.get(next(iter(by.terms)), 0) // by.terms[next(iter(by.terms))]
    if type(rest := value - by * times) is int and 0 <= rest < low:
        return times
    return Dim({(Atom(f"({_key(value)})//({_key(by)})", value, by),): 1}, 0, value.tried // by.tried)


def _only(value: Dim) -> Atom | None:
    """The atom that a formula is, a constant aside."""
    (atoms, coefficient), *others = value.terms.items()
    return atoms[0] if not others and coefficient == 1 and len(atoms) == 1 else None


def _decide(difference: Dim, order: bool) -> bool:
    """Whether it is at least 0 (``order``), or 0: for all sizes if that can be told, else at those that are being tried."""
    low, high = least(difference), least(-difference)
    if order and low is not None and low >= 0:
        return True
    if high is not None and high > 0:
        return False
    if not order and ((low is not None and low > 0) or difference.constant % gcd(*difference.terms.values())):
        return False
    outcome = difference.tried >= 0 if order else difference.tried == 0
    note(Condition(difference, order, outcome))
    return outcome
