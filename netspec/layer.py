"""A layer is declared once: a function from the shapes that flow in and the arguments to :class:`~netspec.graph.Facts`.

Its signature declares names, types, bounds and defaults; its docstring is the reference page; its body states every
rule. ``@layer("Conv2D", "Conv2d")`` also lists the names it goes by in other frameworks, so that whoever writes one of
them is told the name to write.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from netspec.diagnostics.problem import Problem
from netspec.graph import Facts
from netspec.signature import Signature, signature_of


class Reject(Exception):
    """A rule of a layer is broken. The layer knows no place in any text: whoever called it adds that.

    ``at`` names the argument at fault, or is ``None`` for the layer itself; ``inputs`` says something of single inputs, by
    number, as 'gives 64x56x56'.
    """

    def __init__(self, problem: Problem, at: str | None = None, inputs: Mapping[int, str] | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.at = at
        self.inputs = dict(inputs or {})


@dataclass(frozen=True)
class Layer:
    """A declared layer."""

    name: str
    rule: Callable[..., Facts]
    elsewhere: tuple[str, ...] = ()
    """Its names in other frameworks."""
    _memo: dict[Any, Facts] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def signature(self) -> Signature:
        return signature_of(self.rule)

    @property
    def doc(self) -> str:
        """Its reference page: what it does, a line for each parameter, its weights and MACs."""
        return inspect.cleandoc(self.rule.__doc__ or "")

    @property
    def family(self) -> str:
        """The file it is declared in: ``conv``, ``pool``, ``norm``, …"""
        return self.rule.__module__.rpartition(".")[2]

    @property
    def is_merge(self) -> bool:
        """Whether it takes any number of tensors."""
        return self.signature.variadic

    def infer(self, shapes: tuple[tuple[int, ...], ...], arguments: Mapping[str, Any]) -> Facts:
        """The facts for these inputs and arguments (complete with defaults). Equal questions are answered once.

        Raises :class:`Reject` where a rule is broken.
        """
        key = (shapes, tuple(arguments.values()))
        facts = self._memo.get(key)
        if facts is None:
            facts = self._memo[key] = self.rule(*shapes, **arguments)
        return facts


_LAYERS: dict[str, Layer] = {}


def layer(*elsewhere: str) -> Callable[[Callable[..., Facts]], Callable[..., Facts]]:
    """Declare the function below as a layer of the function's name."""

    def declare(rule: Callable[..., Facts]) -> Callable[..., Facts]:
        name = rule.__name__.rstrip("_")
        _LAYERS[name] = Layer(name, rule, elsewhere)
        return rule

    return declare


@cache
def layers() -> Mapping[str, Layer]:
    """Every declared layer by name. The files of :mod:`netspec.layers` are found, not listed."""
    package = importlib.import_module("netspec.layers")
    for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"netspec.layers.{module}")
    return _LAYERS


def elsewhere() -> Mapping[str, str]:
    """Names of other frameworks, case-folded, and the name to write for each."""
    return {other.casefold(): known.name for known in layers().values() for other in known.elsewhere}
