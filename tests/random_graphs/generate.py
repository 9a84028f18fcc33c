"""Random files: every seed gives one, valid as it stands."""

from __future__ import annotations

from functools import cache
from random import Random

from netspec.layer import Reject, layers
from netspec.shape import Shape
from tests.random_graphs.growing import Grower, Part, exchanged_argument, literals
from tests.random_graphs.meaning import Misuse, Reader
from tests.random_graphs.proposals import some_use, written
from tests.random_graphs.rules import Rules, by_rule, fits
from tests.random_graphs.tree import Body, Braces, From, Input, Let, Parameter, Program, Use, label, steps_of, variable

SEARCH = 400


def program(seed: int) -> Program:
    """The file of a seed. Layers take turns: each is meant to be in every n-th file, whatever else is."""
    chance = Random(f"graph {seed}")
    names = sorted(layers())
    for _ in range(100):
        try:
            made = _net(Grower(chance), names[seed % len(names)])
            read = shapes(made)
        except (Reject, Misuse):
            continue
        if all(fits(node.value) for node in read.nodes):
            return made
    raise RuntimeError(f"no net could be made of seed {seed}")


def shapes(made: Program) -> Reader[Shape]:
    """The file read with the layers' own rules: every node and its shape."""
    return Reader(made, Rules(), lambda shape: shape, lambda shape: shape).net()


def _net(grower: Grower, featured: str) -> Program:
    """A net around one use of a layer: its inputs, the use, and whatever grows behind it, beside it and between."""
    chance = grower.chance
    inputs, values = accepted(featured, chance.randrange(SEARCH))
    part = Part(())
    names = tuple(_input(grower, part, shape) for shape in reversed(inputs))[:-1][::-1]
    step = Use(layer=featured, arguments=written(layers()[featured], values, part.shape, chance), tensors=names)
    grower.put(part, step, by_rule(featured, inputs, values))
    dangling: list[str] = []
    for _ in range(chance.choice((1, 1, 1, 1, 2, 3))):
        if part.steps and chance.random() < 0.9:
            grower.grow(part, chance.randrange(1, 6))
        if chance.random() < 0.3 and (name := _named(grower, part)):
            dangling.append(name)
            _start_again(grower, part)
    results = [*dict.fromkeys((*dangling, _named(grower, part)))] if dangling else []
    training = [name for name in results[:-1] if "." not in name and chance.random() < 0.15]
    parameters, body = _abstracted(grower, part)
    outputs = [(grower.fresh("out") if chance.random() < 0.1 else None, name) for name in results if name not in training]
    return Program(tuple(grower.blocks), parameters, body, tuple(outputs), tuple(training))


def _input(grower: Grower, part: Part, shape: Shape) -> str:
    """An input and perhaps a few steps behind it that leave its shape alone; gives the name of what comes of them."""
    chance = grower.chance
    name = grower.fresh("image")
    part.add(Input(shape=shape, label=label(name)), shape)
    part.visible[name] = shape
    part.names = {name}
    if chance.random() < 0.2:
        _preprocess(grower, part)
    if chance.random() < 0.4:
        before = (len(part.steps), part.names, dict(part.visible))
        grower.extend(part)
        if part.shape != shape:
            del part.steps[before[0] :]
            part.shape, part.names, part.visible = shape, before[1], before[2]
    return _named(grower, part)


def _named(grower: Grower, part: Part) -> str:
    """A name for what flows, which gets one if it has none."""
    if not part.names:
        name = grower.fresh("at")
        part.add(Use(layer="identity", label=label(name)), part.shape)
        part.visible[name] = part.shape
        part.names = {name}
    return min(part.names)


def _start_again(grower: Grower, part: Part) -> None:
    """Another chain: from a tensor that is there already, or from an input of its own."""
    chance = grower.chance
    if chance.random() < 0.4:
        _input(grower, part, accepted(chance.choice(grower.catalogue), chance.randrange(SEARCH))[0][0])
        return
    name = chance.choice(sorted(part.visible))
    part.add(From(name=name), part.visible[name])
    part.names = {name}
    grower.layer(part)


def _preprocess(grower: Grower, part: Part) -> None:
    """A region for the raw input, of layers without weights."""
    inner = part.inside()
    name = grower.chance.choice(("scale", "normalize", *(n for n in grower.catalogue if layers()[n].signature.tensors == 1)))
    if not layers()[name].is_merge and grower.of(name, inner, weightless=True) and inner.shape == part.shape:
        names = part.names
        grower.compound(part, Braces(body=inner.body(), preprocess=True))
        part.names |= names


def _abstracted(grower: Grower, part: Part) -> tuple[tuple[Parameter, ...], Body]:
    """Some values of the net's arguments as parameters of the net with these defaults, or by name."""
    chance, body = grower.chance, part.body()
    parameters: list[Parameter] = []
    spots = literals(body)
    for _, argument in chance.sample(spots, min(len(spots), chance.choice((0, 0, 1, 2)))):
        use = next(s for s in steps_of(body) if isinstance(s, Use) and argument in s.arguments)
        name = grower.fresh("p")
        body = exchanged_argument(body, use, argument, variable(name))
        is_word = isinstance(argument.expression.value({}, None), str)
        if is_word or chance.random() < 0.6:  # a word may be a parameter, and no value of a `let`
            parameters.append(Parameter(name, argument.expression))
        else:
            body = (Let(name=name, value=argument.expression), *body)
    return tuple(parameters), body


@cache
def accepted(layer: str, number: int) -> tuple[tuple[Shape, ...], dict[str, object]]:
    """One of a layer's uses that its rule accepts, by number."""
    chance = Random(f"{layer} {number}")
    for _ in range(SEARCH):
        found, values = some_use(layer, chance)
        try:
            output = by_rule(layer, found, values)
        except (Reject, Misuse):
            continue
        if all(map(fits, (*found, output))):
            return found, values
    raise RuntimeError(f"of {SEARCH} uses of {layer} its rule accepted none")
