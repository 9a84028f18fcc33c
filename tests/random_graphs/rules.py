"""Layers applied by their own rules: what a reader of shapes asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netspec.graph import Facts
from netspec.layer import layers
from netspec.lowering import TorchCall
from netspec.shape import Shape, elements
from netspec.values import Word
from tests.random_graphs.meaning import Misuse

MANY = 2000
LONG = 48


class Rules:
    """Applies layers by their own rules: for a reader of shapes. Uses of one path must agree, as they are one layer."""

    def __init__(self) -> None:
        self.at: dict[str, TorchCall] = {}

    def __call__(self, path: str, layer: str, inputs: Sequence[Shape], arguments: Mapping[str, Any]) -> Shape:
        facts = facts_by_rule(layer, inputs, arguments)
        if self.at.setdefault(path, facts.torch) != facts.torch:
            raise Misuse(f"uses of a shared block that need different layers at {path}")
        return facts.output


def by_rule(layer: str, inputs: Sequence[Shape], arguments: Mapping[str, Any]) -> Shape:
    """What a layer's own rule says comes out."""
    return facts_by_rule(layer, inputs, arguments).output


def facts_by_rule(layer: str, inputs: Sequence[Shape], arguments: Mapping[str, Any]) -> Facts:
    """What a layer's rule says; raises :class:`Misuse` where an argument is not of its kind, :class:`Reject` where the rule is broken."""
    found = {}
    for parameter in layers()[layer].signature.parameters:
        value = arguments[parameter.name]
        value = Word(value) if isinstance(value, str) and value in parameter.kind.words else value
        try:
            found[parameter.name] = value if value is parameter.default else parameter.kind.accept(value)
        except (ValueError, OverflowError):
            raise Misuse(f"{layer} takes no {parameter.name} of {value}") from None
    return layers()[layer].infer(tuple(inputs), found)


def fits(shape: Shape) -> bool:
    """Whether a tensor is small enough for a random net."""
    return 1 <= len(shape) <= 5 and elements(shape) <= MANY and max(shape) <= LONG
