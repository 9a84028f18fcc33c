"""One attribute or one wire of a valid file spoiled: netspec must accept what is left exactly when PyTorch does.

What PyTorch makes of it is worked out without netspec: the tree is read with the references of a user, on tensors without memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import torch
from torch import Tensor

from netspec.compiler import compile_source
from netspec.diagnostics import NetspecError
from netspec.graph import Graph
from netspec.layer import layers
from netspec.shape import Shape, elements
from netspec.source import Source
from netspec.values import Size, Word
from tests.random_graphs.compare import Difference, Outcome, compare_program
from tests.random_graphs.exceptions import reason
from tests.random_graphs.generate import program
from tests.random_graphs.meaning import Misuse, Reader
from tests.random_graphs.proposals import some_arguments, some_use, text_of, written
from tests.random_graphs.reference import Made, references
from tests.random_graphs.tree import Argument, Input, Join, Program, Step, Use, everything, exchanged, literal

REFUSALS = (RuntimeError, ValueError, IndexError, AssertionError, TypeError, ArithmeticError, KeyError)
"""What PyTorch, or Python on the way to it, raises where something cannot be."""

LARGE = 200_000
"""Numbers in a tensor, beyond which it is not computed."""


@dataclass(frozen=True)
class Verdict:
    """What came of a spoiled file: ``accepted``, ``refused``, ``exception`` with its reason, or ``undecided`` without a reference."""

    kind: str
    outcome: Outcome | None = None
    reason: str | None = None


class Undecided(Exception):
    """No reference says what PyTorch would do."""


def spoiled(seed: int) -> Program:
    """The valid file of a seed with one thing in it changed."""
    made, chance = program(seed), Random(f"spoil {seed}")
    ways = (_value, _value, _value, _value, _value, _value, _wire, _removed, _inserted, _branch, _input)
    for _ in range(100):
        found = chance.choice(ways)(made, chance)
        if found is not None:
            return found
    raise RuntimeError(f"nothing of seed {seed} could be spoiled")


def judge(seed: int) -> Verdict:
    """Hold netspec's verdict on a spoiled file against PyTorch's; raises :class:`Difference` where they differ without a reason."""
    made = spoiled(seed)
    try:
        graph = compile_source(Source(f"{seed}.net", made.text()), net="Net")[0]
    except NetspecError as error:
        return _refused(made, error)
    return _accepted(made, graph, seed)


def _refused(made: Program, error: NetspecError) -> Verdict:
    try:
        pytorch = _in_pytorch(made)
    except Undecided:
        return Verdict("undecided")
    if isinstance(pytorch, Exception):
        return Verdict("refused")
    problem = next(d.problem for d in error.diagnostics if d.is_error)
    why = reason(problem)
    if why is None:
        raise Difference(f"PyTorch accepts this, and netspec refuses it: {problem.code} {problem.message()}")
    return Verdict("exception", reason=why)


def _accepted(made: Program, graph: Graph, seed: int) -> Verdict:
    try:
        pytorch = _in_pytorch(made)
    except Undecided:
        return Verdict("undecided")
    if isinstance(pytorch, Exception):
        raise Difference(f"netspec accepts this, and PyTorch refuses it: {type(pytorch).__name__} {str(pytorch)[:300]}")
    ours = [n.output for n in graph.nodes]
    if ours != pytorch:
        index = next(i for i, (a, b) in enumerate(zip(ours, pytorch, strict=True)) if a != b)
        raise Difference(f"node {index}, `{graph.nodes[index].layer}`, is {ours[index]} for netspec and {pytorch[index]} for PyTorch")
    sizes = [elements(n.output) for n in graph.nodes] + [elements(w.shape) for _, w, _ in graph.weights()]
    if max(sizes) > LARGE:
        return Verdict("accepted")
    return Verdict("accepted", compare_program(made, seed))


def _in_pytorch(made: Program) -> list[Shape] | Exception:
    """The shape of each node, or why PyTorch does not make it. Where tensors without memory do, real ones may not."""
    for device in ("meta", "cpu"):
        weights = Made(device)
        try:
            shapes = _shapes(made, weights)
        except (Misuse, *REFUSALS) as error:
            return error
        if any(0 in shape for shape in shapes):
            return ValueError("a tensor without numbers is no answer")
        if weights.numbers + sum(map(elements, shapes)) > LARGE:
            break
    return shapes


def _shapes(made: Program, weights: Made) -> list[Shape]:
    def apply(path: str, layer: str, inputs: Sequence[Tensor], arguments: Mapping[str, Any]) -> Tensor:
        function = references().get(layer)
        if function is None:
            raise Undecided
        result = function(weights, *inputs, **arguments)
        if result.dim() < 2:
            raise ValueError("a tensor has at least one axis beside the batch")
        return result

    with torch.inference_mode():
        read = Reader(made, apply, lambda x: tuple(x.shape[1:]), lambda shape: torch.zeros(2, *shape, device=weights.device)).net()
    return [tuple(n.value.shape[1:]) for n in read.nodes]


# ---- ways to spoil


def _uses(made: Program) -> list[Use]:
    return [s for s in everything(made) if isinstance(s, Use)]


def _value(made: Program, chance: Random) -> Program | None:
    """Another value for one argument."""
    uses = [u for u in _uses(made) if layers()[u.layer].signature.parameters and not (isinstance(u, Join) and u.residual)]
    if not uses:
        return None
    use = chance.choice(uses)
    parameter = chance.choice(layers()[use.layer].signature.parameters)
    given = next((a for a in use.arguments if a.name == parameter.name), None)
    current = parameter.default if given is None or not given.expression.literal else given.expression.value({}, None)
    value = _wrong(current, parameter.kind.words, chance)
    expression = literal(str(value) if isinstance(value, Word) else text_of(value, chance), value)
    if given is None:
        arguments = (*use.arguments, Argument(parameter.name, expression, by_name=True))
    else:
        arguments = tuple(replace(a, expression=expression) if a is given else a for a in use.arguments)
    changed: Program = exchanged(made, use, (replace(use, arguments=arguments),))
    return changed


def _wrong(value: Any, words: tuple[str, ...], chance: Random) -> Any:
    """Something that is like the value, and most likely wrong."""
    if words and chance.random() < 0.4:
        return Word(chance.choice((*words, "nonsense")))
    match value:
        case bool():
            return not value
        case int():
            return chance.choice((0, -1, -value, value + 1, value - 1, 2 * value + 1, 7, 97, 1009, 2.5))
        case float():
            return chance.choice((0.0, -1.0, -value, 1.0, value + 1, 2.0, 100.0, 0, 1, -2))
        case tuple() if value and all(isinstance(v, int | float) for v in value):
            other = list(value)
            other[chance.randrange(len(other))] = chance.choice((0, -1, 1, 2, value[0] + 1, 97))
            changed = chance.choice((other, other, other, other[:-1] or [0], [*other, 1], other[::-1], [*other, -1]))
            whole = [n for n in changed if isinstance(n, int) and n >= 0]
            return Size(changed) if len(whole) == len(changed) > 1 else tuple(changed)
        case str():
            return Word(chance.choice((*words, "nonsense", "same")))
    return chance.choice((0, -1, 1, 2, 3, 97, 0.5, Size((2, 2)), Size((1, 2, 3)), (1, 2)))


def _wire(made: Program, chance: Random) -> Program | None:
    """Another tensor where one is named, or one less, or one more."""
    uses = [u for u in _uses(made) if u.tensors]
    names = [s.label.text for s in everything(made) if s.label is not None and s.label.literal and s.label.text[0] != '"']
    if not uses or not names:
        return None
    use = chance.choice(uses)
    tensors = list(use.tensors)
    way, place = chance.random(), chance.randrange(len(tensors))
    if way < 0.6:
        tensors[place] = chance.choice(names)
    elif way < 0.8:
        del tensors[place]
    else:
        tensors.insert(place, chance.choice(names))
    changed: Program = exchanged(made, use, (replace(use, tensors=tuple(tensors)),))
    return changed


def _removed(made: Program, chance: Random) -> Program | None:
    """One step less."""
    steps = [s for s in everything(made) if isinstance(s, Use) and s.label is None]
    changed: Program | None = exchanged(made, chance.choice(steps), ()) if steps else None
    return changed


def _inserted(made: Program, chance: Random) -> Program | None:
    """A layer more, with arguments meant for another place, or in the place of one that is there."""
    name = chance.choice([n for n in sorted(layers()) if layers()[n].signature.tensors == 1 and not layers()[n].is_merge])
    shapes, values = some_use(name, chance)
    if chance.random() < 0.5:
        values = some_arguments(name, shapes[0], chance)
    step = Use(layer=name, arguments=written(layers()[name], values, None, chance))
    steps = [s for s in everything(made) if isinstance(s, Use) and not isinstance(s, Join)]
    if not steps:
        return None
    old = chance.choice(steps)
    new: tuple[Step, ...] = (replace(step, label=old.label),) if chance.random() < 0.5 and not old.tensors else (old, step)
    changed: Program = exchanged(made, old, new)
    return changed


def _branch(made: Program, chance: Random) -> Program | None:
    """A merge with another branch, or one less, or as another layer."""
    joins = [u for u in _uses(made) if isinstance(u, Join) and not u.residual]
    if not joins:
        return None
    old = chance.choice(joins)
    fewer = tuple(b for i, b in enumerate(old.branches) if i != chance.randrange(len(old.branches)))
    merge = chance.choice([n for n in sorted(layers()) if layers()[n].is_merge])
    new = chance.choice((replace(old, branches=fewer), replace(old, branches=(*old.branches, ())), replace(old, layer=merge, arguments=())))
    changed: Program | None = exchanged(made, old, (new,)) if new.branches else None
    return changed


def _input(made: Program, chance: Random) -> Program | None:
    """An input of another shape."""
    old = chance.choice([s for s in everything(made) if isinstance(s, Input)])
    shape = list(old.shape)
    shape[chance.randrange(len(shape))] = chance.choice((1, 2, 3, 5, 8, 13))
    shape = chance.choice((shape, shape, [*shape, 2], shape[:-1] or shape))
    changed: Program = exchanged(made, old, (replace(old, shape=tuple(shape)),))
    return changed
