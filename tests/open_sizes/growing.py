"""Random nets with open sizes, as text: chains, skips, hourglasses and branches of strided, transposed, dilated, pooled and resized maps.

What a step makes of a picture of a certain size is asked of its rule, so that most nets are right for that size; of other sizes nothing
is known here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from netspec.layer import Reject, layers
from netspec.shape import Shape, elements
from netspec.values import Size, Word
from tests.graphs import complete

LETTERS = {1: ("T",), 2: ("H", "W"), 3: ("D", "H", "W")}
TRIES = 6
LARGEST = 60_000


@dataclass
class Step:
    """A line of the net: its text, what flows out of it at the size it was grown with, and the label it gets where it is named."""

    text: str
    shape: Shape
    label: str | None = None


@dataclass(frozen=True)
class Spec:
    """A net as text, the letters it leaves open, and sizes that it was grown with."""

    text: str
    letters: tuple[str, ...]
    grown: dict[str, int]


class Grower:
    """Grows one net."""

    def __init__(self, chance: Random, rank: int, sizes: tuple[int, ...], channels: int) -> None:
        self.chance = chance
        self.rank = rank
        self.steps = [Step("input", (channels, *sizes), "image")]

    @property
    def shape(self) -> Shape:
        return self.steps[-1].shape

    def add(self, layer: str, text: str, *others: Shape, **arguments: object) -> bool:
        """One more step, if its rule takes what flows in; now and then a wrong one is kept, and nothing comes after it."""
        given = {name: Size(v) if isinstance(v, tuple) else v for name, v in arguments.items()}
        try:
            facts = layers()[layer].infer((self.shape, *others), complete(layer, given))
        except Reject:
            return False
        if elements(facts.output) > LARGEST:
            return False
        self.steps.append(Step(text, facts.output))
        return True

    def use(self, layer: str, **arguments: object) -> bool:
        """A layer with these arguments, all of them named but the required ones."""
        known = layers()[layer].signature
        parts = [
            _written(v) if known.by_name[n].required and known.by_name[n].positional else f"{n}={_written(v)}" for n, v in arguments.items()
        ]
        return self.add(layer, f"{layer}({', '.join(parts)})" if parts else layer, **arguments)

    def grow(self, budget: int, depth: int = 0) -> None:
        for _ in range(budget):
            steps: list[Callable[[], bool]] = [self.window] * 5 + [self.same] * 2 + [self.larger, self.odd, self.branches, self.skip]
            if depth < 3:
                steps += [lambda: self.hourglass(depth)] * 2
            for _ in range(TRIES):
                if self.chance.choice(steps)():
                    break

    # ---- steps

    def number(self, most: int, least: int = 1) -> int | tuple[int, ...]:
        """One number, or now and then one for each axis."""
        if self.rank > 1 and self.chance.random() < 0.25:
            return tuple(self.chance.randint(least, most) for _ in range(self.rank))
        return self.chance.randint(least, most)

    def window(self) -> bool:
        """Something that slides."""
        chance = self.chance
        if chance.random() < 0.5:
            arguments = {"channels": chance.choice((2, 4)), "kernel": self.number(5)}
            arguments |= self.some(stride=self.number(3), padding=chance.choice((1, 1, 2, self.number(3, 0), Word("same"))))
            return self.use("conv", **arguments, **self.some(dilation=self.number(2)))
        kernel = chance.choice((2, 2, 3, self.number(4)))
        arguments = {"kernel": kernel} | self.some(stride=self.number(3), padding=1, ceil_mode=True)
        if chance.random() < 0.6:
            return self.use("maxpool", **arguments, **self.some(dilation=2) if chance.random() < 0.2 else {})
        return self.use("avgpool", **arguments)

    def some(self, **arguments: object) -> dict[str, object]:
        return {name: value for name, value in arguments.items() if self.chance.random() < 0.5}

    def same(self) -> bool:
        return self.use(self.chance.choice(("relu", "bn", "sigmoid", "dropout")))

    def larger(self) -> bool:
        """Something that makes maps larger."""
        if self.chance.random() < 0.5:
            return self.use("upsample", factor=self.chance.choice((2, 2, 3)))
        stride = self.chance.choice((1, 2, 2, 3))
        kernel = self.chance.choice((stride, 3, 4))
        more = self.some(padding=1, output_padding=stride - 1) if stride > 1 else self.some(padding=1)
        return self.use("conv_transpose", channels=self.chance.choice((2, 4)), kernel=kernel, stride=stride, **more)

    def odd(self) -> bool:
        """What is rarer: margins, parts, channels and places changed over."""
        chance = self.chance
        which = chance.randrange(6)
        if which == 0:
            return self.use("pad", sides=chance.choice((1, 2)), **self.some(mode=Word(chance.choice(("reflect", "replicate")))))
        if which == 1:
            return self.use("slice", start=chance.choice((0, 1)), step=chance.choice((1, 2)), axis=chance.randint(1, self.rank))
        if which == 2 and self.rank == 2:
            return self.use("pixel_unshuffle", factor=2) or self.use("pixel_shuffle", factor=2)
        if which == 3:
            return self.use("transpose", first=1, second=self.rank)
        if which == 4:
            return self.use("chunk", parts=2, index=chance.choice((0, 1)), axis=chance.randint(0, self.rank))
        return self.with_other(chance.choice(("crop_to", "resize_to")), chance.choice(self.steps))

    def with_other(self, layer: str, other: Step) -> bool:
        """A step that takes another tensor."""
        if other is self.steps[-1]:
            return False
        name = other.label or f"t{self.steps.index(other)}"
        if not self.add(layer, f"{layer}({name})", other.shape):
            return False
        other.label = name
        return True

    def skip(self) -> bool:
        """A merge with a tensor of before, its channels matched where they have to be."""
        fitting = [s for s in self.steps[:-1] if s.shape[1:] == self.shape[1:]]
        if not fitting:
            return False
        other = self.chance.choice(fitting)
        layer = self.chance.choice(("add", "concat", "concat", "multiply", "max", "subtract"))
        if layer != "concat" and other.shape[0] != self.shape[0]:
            self.use("conv", channels=other.shape[0], kernel=1)
        return self.with_other(layer, other)

    def hourglass(self, depth: int) -> bool:
        """Smaller, something between, larger again, and joined with what was before."""
        before = self.steps[-1]
        if min(before.shape[1:]) < 6:
            return False
        self.use("maxpool", kernel=2) if self.chance.random() < 0.5 else self.use("conv", channels=4, kernel=3, stride=2, padding=1)
        self.grow(self.chance.randint(0, 2), depth + 1)
        if self.chance.random() < 0.5:
            self.use("upsample", factor=2)
        else:
            self.use("conv_transpose", channels=4, kernel=2, stride=2)
        if self.shape[1:] != before.shape[1:]:
            return self.with_other(self.chance.choice(("crop_to", "resize_to")), before)
        return self.with_other("concat", before)

    def branches(self) -> bool:
        """A merge of several ways from here."""
        parts, shapes = [], []
        for _ in range(self.chance.randint(2, 3)):
            inner = Grower(self.chance, self.rank, self.shape[1:], self.shape[0])
            for _ in range(self.chance.randint(0, 2)):
                inner.window() or inner.same()
            parts.append(" -> ".join(s.text for s in inner.steps[1:]))
            shapes.append(inner.shape)
        axis = self.chance.choice((0, 0, 0, self.chance.randint(0, self.rank)))
        try:
            facts = layers()["concat"].infer(tuple(shapes), {"axis": axis})
        except Reject:
            if self.chance.random() < 0.98:
                return False
            self.steps.append(Step(f"concat {{ | {' | '.join(parts)} }}", shapes[0]))
            return True
        text = f"concat(axis={axis})" if axis else "concat"
        self.steps.append(Step(f"{text} {{ | {' | '.join(parts)} }}", facts.output))
        return True


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def random_net(chance: Random) -> Spec:
    """One net: of one to three axes, mostly two, with one input or two of one size."""
    rank = chance.choice((1, 2, 2, 2, 2, 2, 3))
    letters = LETTERS[rank]
    if chance.random() < 0.1:
        letters = letters[:1] * rank  # square pictures
    low, high = ((24, 96), (24, 72), (10, 20))[rank - 1]
    grown = {letter: chance.randint(low, high) for letter in letters}
    grower = Grower(chance, rank, tuple(grown[letter] for letter in letters), chance.choice((1, 3)))
    grower.grow(chance.randint(2, 9 if rank < 3 else 5))
    head = [f"    image: input({grower.steps[0].shape[0]}x{'x'.join(letters)})"]
    body = [f"    {s.label + ': ' if s.label else ''}{s.text}" for s in grower.steps[1:]]
    if chance.random() < 0.3:
        body.append("    global_avgpool -> flatten -> linear(3)")
    elif chance.random() < 0.2 and min(grower.shape[1:]) > 1:
        body.append(f"    adaptive_avgpool({chance.choice((1, 2, 3))}) -> flatten -> linear(2)")
    body = body or ["    relu"]
    return Spec("net Random {\n" + "\n".join([*head, *body]) + "\n}\n", tuple(dict.fromkeys(letters)), grown)
