"""Uses of layers, drawn from their declared signatures by the strategies of the layers' own tests, and written as somebody might."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netspec.kinds import Extent, Factors, Flag, Kind, OneOf, Real
from netspec.layer import Layer, layers
from netspec.shape import Shape
from netspec.signature import Parameter
from netspec.values import Size, Word
from tests.layers.drawing import inputs, values
from tests.random_graphs.tree import Argument, Expression, literal

BYTES = 8192
SHAPES = 100
VALUES = 16
_wanted: list[st.SearchStrategy[Any]] = []
_found: list[Any] = []


@settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def _draw(data: st.DataObject) -> None:
    _found.append(data.draw(_wanted[-1]))


def drawn(strategy: st.SearchStrategy[Any], chance: Random) -> Any:
    """A value of a strategy; equal states of ``chance`` give equal values."""
    _wanted[:] = [strategy]
    _found.clear()
    for _ in range(100):
        _draw.hypothesis.fuzz_one_input(chance.randbytes(BYTES))  # type: ignore[attr-defined]
        if _found:
            return _found[0]
    raise RuntimeError("nothing could be drawn")


def some_use(layer: str, chance: Random) -> tuple[tuple[Shape, ...], dict[str, Any]]:
    """Shapes and arguments, which may not go together."""
    shapes = _shapes(layer, chance.randrange(SHAPES))
    return shapes, some_arguments(layer, shapes[0], chance)


def some_arguments(layer: str, shape: Shape, chance: Random) -> dict[str, Any]:
    """Arguments for what flows in, which may not fit it; half of those with a default have it."""
    parameters = layers()[layer].signature.parameters
    return {
        p.name: p.default if not p.required and chance.random() < 0.5 else _value(p.kind, _matters(p.kind, shape), chance.randrange(VALUES))
        for p in parameters
    }


@lru_cache(100_000)
def _shapes(layer: str, number: int) -> tuple[Shape, ...]:
    """One of a few for each layer, as its own tests draw them."""
    return drawn(_inputs(layer), Random(f"{layer} {number}"))  # type: ignore[no-any-return]


@lru_cache(1000)
def _inputs(layer: str) -> st.SearchStrategy[Any]:
    return inputs(layers()[layer])


def _value(kind: Kind, shape: Shape, number: int) -> Any:
    """One of a few for each kind and shape: drawing anew every time would take most of a run."""
    return _values(kind, shape)[number]


@lru_cache(100_000)
def _values(kind: Kind, shape: Shape) -> tuple[Any, ...]:
    """Values of a kind, as the layers' own tests draw them."""
    several = st.lists(values(kind, shape).map(kind.accept), min_size=VALUES, max_size=VALUES)
    return tuple(plain(v) for v in drawn(several, Random(f"{type(kind).__name__} {kind.describe()} {shape}")))


def _matters(kind: Kind, shape: Shape) -> Shape:
    """As much of a shape as a value of this kind depends on."""
    if isinstance(kind, Real | Flag | OneOf):
        return (1,)
    return (1,) * min(len(shape), 4) if isinstance(kind, Extent | Factors) else shape[:4]


def plain(value: Any) -> Any:
    """The value as the language has it: a size of one number is that number."""
    return value[0] if isinstance(value, Size) and len(value) == 1 else value


def written(layer: Layer, given: Mapping[str, Any], flow: Shape | None, chance: Random) -> tuple[Argument, ...]:
    """The values as arguments: the first few by position, the others by name; defaults mostly left out."""
    found: list[Argument] = []
    positional = True
    for parameter in layer.signature.parameters:
        value = given[parameter.name]
        left_out = value is None or (not parameter.required and value == parameter.default and chance.random() < 0.9)
        positional &= parameter.positional and not left_out and (parameter.required or chance.random() < 0.3)
        if not left_out:
            found.append(Argument(parameter.name, spelled(value, parameter, flow, chance), not positional))
    return tuple(found)


def spelled(value: Any, parameter: Parameter, flow: Shape | None, chance: Random) -> Expression:
    """One of the ways to write a value."""
    if isinstance(value, str) and value in parameter.kind.words:
        return literal(value, Word(value))
    if type(value) is int and chance.random() < 0.25:
        return _computed(value, flow, chance)
    return literal(text_of(value, chance), value)


def text_of(value: Any, chance: Random) -> str:
    """A literal's text."""
    match value:
        case bool():
            return "true" if value else "false"
        case Size() if min(value) >= 0 and len(value) > 1 and chance.random() < 0.9:
            return "x".join(map(str, value))
        case tuple():
            return "[" + ", ".join(text_of(v, chance) for v in value) + "]"
        case float() if 0 < value < 1 and value * 100 == round(value * 100) and chance.random() < 0.3:
            return f"{round(value * 100)}%"
        case float():
            return repr(float(value))
        case Word():
            return str(value)
        case str():
            return f'"{value}"'
    return str(value)


def _computed(value: int, flow: Shape | None, chance: Random) -> Expression:
    """A whole number as a formula."""
    known = _of_flow(flow)
    same = [name for name, size in known.items() if size == value]
    divisible = [name for name, size in known.items() if value and size % value == 0 and size > value]
    if same and chance.random() < 0.7:
        name = chance.choice(same)
        return Expression(f"x.{name}", lambda scope, shape: _of_flow(shape)[name])
    if divisible and chance.random() < 0.7:
        name = chance.choice(divisible)
        by = known[name] // value
        return Expression(f"x.{name} // {by}", lambda scope, shape: _of_flow(shape)[name] // by)
    forms: Sequence[str] = (
        f"{value - 1} + 1", f"{2 * value} // 2", f"max({value}, {value - 3})", f"min({value + 2}, {value})", f"(9 - {9 - value})",
        f"{value} if 1 < 2 else 7", f"[5, {value}][1]", f"round({value}.25)", f"{value} * 1", f"{value % 7} + {value - value % 7}",
    )  # fmt: skip
    return literal(chance.choice(forms), value)


def _of_flow(flow: Shape | None) -> dict[str, int]:
    """What can be asked of the tensor that flows in."""
    if flow is None:
        return {}
    names = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}.get(len(flow) - 1, ())
    return {"channels": flow[0], **dict(zip(names, flow[1:], strict=False)), **{f"shape[{i}]": n for i, n in enumerate(flow)}}
