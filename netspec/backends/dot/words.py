"""What a node says: the layer with its telling arguments, short enough for a box."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from netspec.diagnostics.text import escape, magnitude, plural
from netspec.graph import Node
from netspec.layer import layers
from netspec.shape import Shape, spread
from netspec.shape import times as with_sign
from netspec.signature import Parameter
from netspec.values import show

LINE: Final = 44
"""Longer lines are cut."""
TITLE: Final = 28
"""Longer titles are broken, into lines of about one length."""

_SYMBOLS: Final = {"add": "+", "multiply": "×"}
_UNTOLD: Final = frozenset({"padding", "output_padding", "bias", "eps", "momentum", "affine", "ceil_mode", "count_include_pad"})
_TOLD_APART: Final = frozenset({"kernel", "channels", "features", "stride", "groups"})
_RESHAPES: Final = frozenset({"flatten", "identity"})


def family(node: Node) -> str:
    """What a node is coloured by: the family of its layer, ``reshape``, or ``input``."""
    if node.role == "input":
        return "input"
    if len(node.inputs) > 1:
        return "merge"
    if node.role == "preprocess":
        return "preprocess"
    return "reshape" if node.layer in _RESHAPES else layers()[node.layer].family


def symbol(node: Node) -> str | None:
    """The sign of a merge that has one."""
    return _SYMBOLS.get(node.layer)


def describe(node: Node, nodes: Sequence[Node]) -> str:
    """``conv 3×3, 64 /2``, ``maxpool 3×3 /2``, ``linear 1000``: kernel, width, whatever else is not as usual, stride."""
    arguments, rank = node.arguments, len(node.output) - 1
    told = [_size(arguments["kernel"], rank)] if "kernel" in arguments else []
    told += [str(arguments[name]) for name in ("channels", "features") if name in arguments]
    groups = arguments.get("groups", 1)
    depthwise = groups > 1 and groups == nodes[node.inputs[0]].output[0]
    if groups > 1 and not depthwise:
        told.append(f"groups {groups}")
    told += _others(node)
    name = ("depthwise " if depthwise else "") + node.layer.replace("_", " ")
    return cut(" ".join(filter(None, (name, ", ".join(told), _stride(arguments, rank)))))


def _others(node: Node) -> Iterable[str]:
    """Required arguments as they are, others by name where they are not as usual."""
    for parameter in layers()[node.layer].signature.parameters:
        if parameter.name in _UNTOLD | _TOLD_APART:
            continue
        value = node.arguments.get(parameter.name)
        if value is not None and (parameter.required or value != parameter.default):
            yield _number(value) if _bare(parameter, node.layer) else f"{parameter.name} {_number(value)}"


def _bare(parameter: Parameter, layer: str) -> bool:
    """Whether the value needs no name: a layer's first argument."""
    return parameter.positional and layers()[layer].signature.parameters[0] is parameter


def _stride(arguments: Mapping[str, Any], rank: int) -> str:
    stride = arguments.get("stride", 1)
    found = _spread(arguments["kernel"] if stride is None else stride, rank)
    if set(found) == {1}:
        return ""
    return "/" + (str(found[0]) if len(set(found)) == 1 else times(found))


def _spread(value: int | tuple[int, ...], rank: int) -> Shape:
    return spread(value, rank) or (value if isinstance(value, tuple) else (value,))


def _size(value: int | tuple[int, ...], rank: int) -> str:
    return times(_spread(value, rank))


def _number(value: object) -> str:
    """As its author would write it, decimals in four digits, or as ``1/255`` where that is what was meant."""
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_number, value)) + "]"
    if not isinstance(value, float) or value == 0 or float(f"{value:.4g}") == value:
        return show(value)
    inverse = 1 / value
    return f"1/{round(inverse)}" if abs(inverse - round(inverse)) < 1e-9 * abs(inverse) else f"{value:.4g}"


def times(shape: Shape) -> str:
    """``64×56×56``; a vector is its length."""
    return with_sign(shape, "×")


def cut(text: str, length: int = LINE) -> str:
    """Safe to show: control characters escaped, and no longer than ``length``."""
    safe = escape(text[: length + 1])
    return safe if len(safe) <= length else safe[: length - 1] + "…"


def broken(text: str, lines: int = 5) -> list[str]:
    """The text in as few lines as it takes, ``lines`` at most, broken after spaces where it can be; the lines are about equally long."""
    safe = cut(text, TITLE * lines)
    fewest, widest_word = len(_filled(safe, TITLE)), max(map(len, safe.split(" ")))
    found = next(found for width in range(min(widest_word, TITLE), TITLE + 1) if len(found := _filled(safe, width)) <= fewest)
    return found if len(found) <= lines else [*found[: lines - 1], cut(" ".join(found[lines - 1 :]), TITLE)]


def _filled(text: str, width: int) -> list[str]:
    """Lines of ``width`` letters at most."""
    found: list[str] = []
    while len(text) > width:
        end = text.rfind(" ", 1, width + 1) + 1 or width
        found.append(text[:end].rstrip())
        text = text[end:]
    return [*found, text]


def full(node: Node) -> str:
    """A line for whoever asks for more: ``layer1.0.conv1: conv → 64×56×56, 4,096 parameters, 12,845,056 MACs``."""
    facts = node.facts
    counts = ([plural(facts.parameters, "parameter")] if facts.weights else []) + ([f"{facts.macs:,} MACs"] if facts.macs else [])
    return ", ".join([f"{cut(node.path, 200)}: {node.layer} → {times(node.output)}", *counts])


def figures(parameters: int, trainable: int, macs: int) -> str:
    """``25,557,032 parameters · 4.089 GMACs``"""
    learned = f" ({trainable:,} trainable)" if trainable != parameters else ""
    return f"{plural(parameters, 'parameter')}{learned} · {magnitude(macs, 'MACs')}"
