"""Uses of layers, drawn from their declared signatures by the strategies of the layers' own tests, and written as somebody might."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netspec.layer import Layer, layers
from netspec.shape import Shape
from netspec.signature import Parameter
from netspec.values import Size, Word
from tests.layers.drawing import arguments, uses
from tests.random_graphs.tree import Argument, Expression, literal

BYTES = 2048
DIFFERENT = 12
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
    shapes, values = drawn(_uses(layer), chance)
    return shapes, plain(values)


def some_arguments(layer: str, shape: Shape, chance: Random) -> dict[str, Any]:
    """Arguments for what flows in, which may not fit it."""
    return {} if not layers()[layer].signature.parameters else _some_arguments(layer, shape, chance.randrange(DIFFERENT))


@lru_cache(100_000)
def _some_arguments(layer: str, shape: Shape, number: int) -> dict[str, Any]:
    """One of a few for each layer and shape: drawing anew every time would take most of a run."""
    return plain(drawn(_arguments(layer, shape), Random(f"{layer} {shape} {number}")))


@lru_cache(1000)
def _uses(layer: str) -> st.SearchStrategy[Any]:
    return uses(layers()[layer])


@lru_cache(20_000)
def _arguments(layer: str, shape: Shape) -> st.SearchStrategy[Any]:
    return arguments(layers()[layer], shape)


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the language has them: a size of one number is that number."""
    return {n: v[0] if isinstance(v, Size) and len(v) == 1 else v for n, v in values.items()}


def written(layer: Layer, values: Mapping[str, Any], flow: Shape | None, chance: Random) -> tuple[Argument, ...]:
    """The values as arguments: the first few by position, the others by name; defaults mostly left out."""
    found: list[Argument] = []
    positional = True
    for parameter in layer.signature.parameters:
        value = values[parameter.name]
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
        case float() if 0 < value < 1 and round(value * 100, 6).is_integer() and chance.random() < 0.3:
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
