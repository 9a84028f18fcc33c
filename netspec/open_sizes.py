"""The sizes that a net leaves open: which of them it accepts, why it refuses the others, and how to say so in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import floor, lcm
from typing import Any, Final

from netspec.bounds import band
from netspec.conditions import Condition
from netspec.diagnostics.problem import Trail
from netspec.diagnostics.text import listing
from netspec.formulas import Classes, equal, written
from netspec.sizes import Dim, symbol
from netspec.source import Place

Sizes = Mapping[str, int]
_LONGEST: Final = 20_000
"""Up to how many sizes of one symbol are tried, to find out which are accepted."""
_EXAMPLES: Final = 64


@dataclass(frozen=True, slots=True)
class Objection:
    """Why sizes are refused: a rule of a layer, or that something is asked of the sizes which makes ``another`` net of them.

    ``inputs`` say what flows in where it matters, as 'gives 64x16x16'.
    """

    why: str
    inputs: tuple[str, ...] = ()
    another: bool = False

    def __str__(self) -> str:
        shapes = [text.removeprefix("gives ") for text in dict.fromkeys(self.inputs)]
        return f"{self.why}, and these are {listing(shapes)}" if shapes else self.why


@dataclass(frozen=True, slots=True)
class Demand:
    """What one use of a layer, or one place of the text, asks of the sizes.

    Where all ``conditions`` hold, it is fulfilled; where one does not, ``judge`` says what is wrong, or ``None`` where nothing is.
    """

    conditions: tuple[Condition, ...]
    judge: Callable[[Sizes], Objection | None]
    place: Place
    trail: Trail | None = None
    facts: object = None
    """What came of the use of the layer, by which its node is known."""

    def objection(self, sizes: Sizes) -> Objection | None:
        """What is wrong with these sizes here, or ``None``."""
        return None if all(c.holds(sizes) for c in self.conditions) else self.judge(sizes)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Sizes that a net does not take, the first reason, and where it lies."""

    sizes: Sizes
    objection: Objection
    place: Place
    trail: Trail | None

    def __str__(self) -> str:
        return f"{self.objection} ({self.place})"


@dataclass(frozen=True)
class Rule:
    """The sizes of one symbol that are accepted: from ``settled`` on those with these residues, and before that those in ``early``."""

    period: int
    residues: tuple[int, ...]
    settled: int
    early: tuple[int, ...]

    def __contains__(self, size: int) -> bool:
        return size in self.early if size < self.settled else size % self.period in self.residues

    @property
    def least(self) -> int:
        """The smallest size that is accepted, 0 where none is."""
        later = (n for n in range(self.settled, self.settled + self.period) if n in self)
        return min((*self.early, *later), default=0)

    @property
    def is_free(self) -> bool:
        """Whether every size is accepted."""
        return (self.period, self.residues, self.settled, self.early) == (1, (0,), 1, ())

    @property
    def is_finite(self) -> bool:
        """Whether only some few sizes are accepted."""
        return not self.residues

    def nearest(self, size: int) -> tuple[int, ...]:
        """The accepted sizes next to another one, below and above."""
        below = next((n for n in range(size - 1, max(size - 2 * self.period - self.settled, 0), -1) if n in self), None)
        above = next((n for n in range(max(size, 1), max(size, self.settled) + self.period + 1) if n in self), None)
        return tuple(n for n in (below, above) if n is not None)

    def __str__(self) -> str:
        """To follow 'H must be'."""
        return listing([*(str(n) for n in self.early), *self._regular()], "or")

    def _regular(self) -> Iterator[str]:
        first = next((n for n in range(self.settled, self.settled + self.period) if n in self), None)
        if first is None:
            return
        if self.period == 1:
            yield f"at least {first}"
            return
        text = f"a multiple of {self.period}"
        if any(self.residues):
            text = f"{listing([str(r) for r in self.residues], 'or', 6)} more than {text}"
        natural = min(r or self.period for r in self.residues)
        yield text if first <= natural else f"{text}, from {first} on"


@dataclass(frozen=True)
class OpenSizes:
    """The open sizes of a net. Symbols are in the order of the text; ``traced`` are the sizes that its formulas were found at."""

    symbols: tuple[str, ...]
    traced: Sizes
    demands: tuple[Demand, ...]

    def refusal(self, sizes: Sizes) -> Refusal | None:
        """Why the net does not take these sizes, or ``None`` where it does. Raises :class:`ValueError` where symbols are missing."""
        if missing := [s for s in self.symbols if s not in sizes]:
            raise ValueError(f"no size is given for {listing(missing)}")
        return next(self._refusals(self.demands, sizes), None)

    def _refusals(self, demands: Iterable[Demand], sizes: Sizes) -> Iterator[Refusal]:
        for demand in demands:
            objection = demand.objection(sizes)
            if objection is not None:
                yield Refusal({s: sizes[s] for s in self.symbols}, objection, demand.place, demand.trail)

    def accepts(self, **sizes: int) -> bool:
        """Whether the net takes these sizes: ``accepts(H=224, W=256)``."""
        return all(n >= 1 for n in sizes.values()) and self.refusal(sizes) is None

    @property
    def variables(self) -> dict[str, Dim]:
        """The symbols as sizes to compute with."""
        return {s: symbol(s, self.traced[s]) for s in self.symbols}

    @cached_property
    def rules(self) -> Mapping[str, Rule]:
        """For each symbol by itself the sizes that are accepted; a symbol of which that cannot be said in this way is missing."""
        found = {s: self._rule(s) for s in self.symbols}
        return {symbol: rule for symbol, rule in found.items() if rule is not None}

    @cached_property
    def relations(self) -> tuple[str, ...]:
        """What is asked of several symbols together, as ``H = W``."""
        together = (c for d in self._coupled for c in d.conditions if len(c.difference.symbols) > 1)
        return tuple(dict.fromkeys(str(c if str(c) < str(c.turned) else c.turned) for c in together))

    @cached_property
    def classes(self) -> Classes:
        """Symbols of which only sizes of one class are accepted: the class's period and residue."""
        return {s: (rule.period, rule.residues[0]) for s, rule in self.rules.items() if len(rule.residues) == 1 and not rule.early}

    @cached_property
    def _coupled(self) -> tuple[Demand, ...]:
        """The demands that tie symbols together; a condition that may fail without harm, as which of two sizes is larger, does not."""
        several = [d for d in self.demands if any(len(c.difference.symbols) > 1 for c in d.conditions)]
        return tuple(d for d in several if any(self._ties(d, dict(zip(self.symbols, sizes))) for sizes in self._grid()))

    def _ties(self, demand: Demand, sizes: Sizes) -> bool:
        together = [c for c in demand.conditions if len(c.difference.symbols) > 1]
        return any(not c.holds(sizes) for c in together) and demand.judge(sizes) is not None

    def _grid(self) -> Iterator[tuple[int, ...]]:
        few = (1, 2, 3, 5, 16, 17, 40, 97, 128, 160)
        return product(*(sorted({*few, self.traced[s], self.traced[s] + 1}) for s in self.symbols))

    def _rule(self, symbol: str) -> Rule | None:
        demands = [d for d in self.demands if d not in self._coupled and any(symbol in c.difference.symbols for c in d.conditions)]
        others = {s: n for s, n in self.traced.items() if s != symbol}
        period, settled = 1, 1
        for condition in dict.fromkeys(c for d in demands for c in d.conditions):
            alone = condition.difference.among(others)
            if isinstance(alone, Dim):
                start, every = _settles(alone, symbol, condition)
                period, settled = lcm(period, every), max(settled, start)
        if settled + 2 * period > _LONGEST:
            return None
        accepted = [n for n in range(1, settled + period) if all(d.objection({**others, symbol: n}) is None for d in demands)]
        period, residues = _reduced(period, {n % period for n in accepted if n >= settled})
        taken = set(accepted)
        while settled > 1 and (settled - 1 in taken) == ((settled - 1) % period in residues):
            settled -= 1
        return Rule(period, residues, settled, tuple(n for n in accepted if n < settled))

    def shown(self, size: Any) -> Any:
        """A formula as it may be written, now that it is known which sizes are accepted; anything else as it is."""
        return size.shown_as(written(size, self.classes)) if isinstance(size, Dim) and self.classes else size

    def equal(self, one: Any, other: Any) -> bool:
        """Whether two sizes are the same for all accepted ones."""
        if not isinstance(one, int | Dim) or not isinstance(other, int | Dim):
            return False
        if equal(one, other, self.classes):
            return True
        difference = one - other
        return isinstance(difference, Dim) and not any(difference.at(s) for s in (*self.examples(_EXAMPLES), self.traced))

    def examples(self, count: int, least: int = 1) -> list[dict[str, int]]:
        """Some accepted sizes, small ones first, and the symbols different where that can be."""
        candidates = [self._some(s, count + len(self.symbols), least) for s in self.symbols]
        found: list[dict[str, int]] = []
        for turn in range(2 * count):
            sizes = {s: some[(turn + i) % len(some)] for i, (s, some) in enumerate(zip(self.symbols, candidates))}
            found += [sizes] if sizes not in found and self.refusal(sizes) is None else []
        if len(found) < count:
            more = (dict(zip(self.symbols, sizes)) for sizes in product(*candidates))
            found += [s for s in more if s not in found and self.refusal(s) is None][: count - len(found)]
        return found[:count] or [dict(self.traced)]

    def _some(self, symbol: str, count: int, least: int) -> list[int]:
        """Accepted sizes of one symbol."""
        rule = self.rules.get(symbol)
        if rule is None or any(symbol in c.difference.symbols for d in self._coupled for c in d.conditions):
            return sorted({self.traced[symbol], *range(least, least + 4 * count)})
        found = [n for n in range(least, max(rule.settled, least) + rule.period * count + 1) if n in rule]
        return found[:count] or [self.traced[symbol]]

    def sentences(self) -> list[str]:
        """What is asked of the sizes, each with an example of what is refused, and where."""
        found: list[str] = []
        alike: dict[Rule, list[str]] = {}
        for letter, rule in self.rules.items():
            if not rule.is_free:
                alike.setdefault(rule, []).append(letter)
        for rule, symbols in alike.items():
            text = f"{listing(symbols)} must {'each ' * (len(symbols) > 1)}be {rule}"
            refused = self.refused(symbols[0])
            found.append(text if refused is None else f"{text}: with {symbols[0]} = {refused.sizes[symbols[0]]}, {refused}")
        found += (f"it must be that {relation}" for relation in self.relations)
        for letter in (s for s in self.symbols if s not in self.rules):
            found.append(f"which sizes of {letter} are accepted has no short description: `--set {letter}=SIZE` tells for one")
        return list(dict.fromkeys(found))

    def refused(self, symbol: str) -> Refusal | None:
        """A refused size of one symbol that shows why: the first behind one that is accepted, else the last before."""
        if (rule := self.rules.get(symbol)) is None:
            return None
        behind = next((n for n in range(rule.least + 1, rule.settled + rule.period + 2) if n not in rule), None)
        size = rule.least - 1 if behind is None else behind
        sizes = {**self.traced, symbol: size}
        return next(self._refusals([d for d in self.demands if d not in self._coupled], sizes), None) if size >= 1 else None


def _settles(alone: Dim, symbol: str, condition: Condition) -> tuple[int, int]:
    """From which size on it depends on the residue of the size alone, or on nothing, how a condition goes out, and the period of that.

    A formula that grows has one sign from some size on. One that does not repeats itself; so may what a rule says where a condition fails.
    """
    if not alone.is_linear:
        return 8 * alone.period + 512, alone.period
    slope, low, high = band(alone, symbol)
    if not slope:
        return 1, alone.period
    start = max(1, 1 + floor(-low / slope), 1 + floor(-high / slope)) + 1
    value = alone.at({symbol: start})
    holds = (value >= 0 if condition.order else value == 0) is condition.outcome
    return start, 1 if holds else alone.period


def _reduced(period: int, residues: Sequence[int] | set[int]) -> tuple[int, tuple[int, ...]]:
    """The shortest period that says the same."""
    for shorter in (p for p in range(1, period + 1) if period % p == 0):
        few = {r % shorter for r in residues}
        if len(few) * (period // shorter) == len(residues):
            return shorter, tuple(sorted(few))
    return period, tuple(sorted(residues))
