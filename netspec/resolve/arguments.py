"""What was written between parentheses, matched with a declaration: every argument found, evaluated, checked and complete with defaults."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final, Protocol

from netspec.diagnostics import Problem, problems
from netspec.diagnostics.text import closest
from netspec.kinds import Flag, Kind, TensorShape
from netspec.layer import layers
from netspec.resolve.evaluate import Evaluator, Failure
from netspec.setting_kinds import FigureName, PartNames
from netspec.shape import is_open, symbols_of
from netspec.signature import ListOfChoices, OneOfChoices, Parameter, Signature, signature_of
from netspec.source import Span
from netspec.syntax import ast
from netspec.values import Choice, Tensor, Word, show


class Report(Protocol):
    """How a problem is passed on: the caller knows the source and the trail."""

    def __call__(self, problem: Problem, span: Span, related: Mapping[Span, str] = ..., /) -> None: ...


@dataclass(slots=True)
class Bound:
    """Arguments by name, complete; tensors in order, each with its place; the places of what was written."""

    arguments: dict[str, Any]
    tensors: list[tuple[Tensor, Span]] = field(default_factory=list)
    spans: dict[str, Span] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    """Which of them were given by name."""
    surplus: bool = False
    """Whether there were too many, which has been reported."""


class Binder:
    """Binds one call. ``bind`` gives ``None`` where something is wrong, after all that is wrong has been reported."""

    def __init__(self, owner: str, evaluator: Evaluator, report: Report) -> None:
        self.owner = owner
        self.evaluator = evaluator
        self.report = report
        self.fine = True
        self.meant: set[str | None] = set()
        """What misspelled names were most likely meant to be; ``None`` among them where that is anyone's guess."""
        self.passed_on: frozenset[str] = frozenset()
        """Bare words that are accepted as values, whatever the argument: what a block passes on."""

    def bind(self, signature: Signature, call: ast.Arguments | None, span: Span) -> Bound | None:
        bound = Bound({})
        places = iter(signature.positional)
        items = call.items if call is not None else ()
        tensors_wanted = len(items) if signature.variadic else signature.tensors - 1
        for argument in items:
            if argument.name is None and len(bound.tensors) < tensors_wanted:
                self._tensor(argument, bound)
                continue
            parameter = next(places, None) if argument.name is None else self._named(signature, argument)
            if parameter is None:
                if argument.name is None:
                    self._too_many(signature, argument, bound, items)
                continue
            if parameter.name in bound.spans:
                self._wrong(problems.GivenTwice(self.owner, parameter.name), argument.span, {bound.spans[parameter.name]: "first here"})
                continue
            bound.spans[parameter.name] = argument.value.span
            if argument.name is not None:
                bound.named.add(parameter.name)
            bound.arguments[parameter.name] = self.accept(parameter.name, parameter.kind, argument.value)
        return self._complete(signature, bound, span)

    def _too_many(self, signature: Signature, argument: ast.Argument, bound: Bound, items: Sequence[ast.Argument]) -> None:
        if not bound.surplus:
            instead = _as_input(items) if self.owner == "input" else None
            self._wrong(problems.TooManyArguments(self.owner, len(signature.positional), str(signature), instead), argument.span)
        bound.surplus = True

    def _complete(self, signature: Signature, bound: Bound, span: Span) -> Bound | None:
        missing: tuple[str, ...] = ()
        if not signature.required <= bound.spans.keys() and not bound.surplus:
            missing = tuple(p.name for p in signature.parameters if p.required and p.name not in bound.spans and p.name not in self.meant)
        if self.fine:  # a tensor that is wrong is there
            missing = (*signature.others[len(bound.tensors) :], *missing)
        if missing and None not in self.meant:
            self._wrong(problems.MissingArguments(self.owner, missing, ", ".join(filter(None, (*signature.others, str(signature))))), span)
        bound.arguments = signature.defaults | bound.arguments
        return bound if self.fine else None

    def accept(self, name: str, kind: Kind, expression: ast.Expression) -> Any:
        """The value of an argument as its declaration gets it, or ``None`` after a report."""
        if type(expression) is ast.Literal:
            value = expression.value
        elif isinstance(kind, ListOfChoices):
            return self._choices(name, kind, expression)
        elif isinstance(kind, OneOfChoices) and isinstance(expression, ast.Call):
            return self._choice(kind, expression)
        elif isinstance(kind, FigureName) and isinstance(expression, ast.Attribute) and (word := _dotted(expression)):
            value = Word(word)
        else:
            self.evaluator.words = self.passed_on.union(kind.words) if self.passed_on else kind.words
            try:
                if type(expression) is ast.SymbolicSize and isinstance(kind, TensorShape):
                    value = self.evaluator.input_shape(expression)
                else:
                    value = self.evaluator.value(expression)
            except Failure as failure:
                self.fine = False
                if failure.problem is not None:
                    self.report(self._or_word(failure.problem, name, kind, expression), failure.span)
                return None
        try:
            return kind.accept(value)
        except (ValueError, OverflowError):
            if is_open(value if isinstance(value, tuple) else (value,)):
                problem = problems.OpenArgument(self.owner, name, show(value), symbols_of(value))
                self._wrong(problem, expression.span)
                return None
            near = closest(value, kind.words) if isinstance(value, str) else None
            hint = _features_first(self.owner, kind, value) or kind.instead(value)
            self._wrong(problems.BadValue(self.owner, name, kind.describe(), show(value), near, hint), expression.span)
            return None

    def _or_word(self, problem: Problem, name: str, kind: Kind, expression: ast.Expression) -> Problem:
        """A lone word that is unknown where words are due is a wrong word rather than a missing variable."""
        written = _dotted(expression)
        if isinstance(problem, problems.UnknownName) and self.owner == "input" and (batch := _BATCH.fullmatch(problem.name)):
            return replace(problem, hint=f"the batch is left out: write input({batch[1]})")
        if isinstance(problem, problems.UnknownName) and name == "padding" and self.owner in _POOLS and problem.name in _POOLS[self.owner]:
            return replace(problem, hint=_POOLS[self.owner][problem.name])
        if isinstance(problem, problems.UnknownName) and written and (kind.words or isinstance(kind, PartNames | FigureName)):
            return problems.BadValue(self.owner, name, kind.describe(), written, closest(written, kind.words), kind.instead(written))
        return problem

    def _choices(self, name: str, kind: ListOfChoices, expression: ast.Expression) -> tuple[Choice, ...] | None:
        """Several named choices, or one alone."""
        items = expression.items if isinstance(expression, ast.ListLiteral) and expression.items else (expression,)
        one, found = OneOfChoices(kind.table), dict[str, Choice]()
        for item in items:
            chosen = self.accept(name, one, item)
            if chosen is not None and chosen.name in found:
                self._wrong(problems.GivenTwice(name, chosen.name), item.span)
            elif chosen is not None:
                found[chosen.name] = chosen
        return tuple(found.values()) if len(found) == len(items) else None

    def _choice(self, kind: OneOfChoices, call: ast.Call) -> Any:
        name = _dotted(call.function)
        if name not in kind.table:
            hint = self._as_here(kind, kind.ours(name), call)
            self._wrong(problems.UnknownName(name or "this", closest(name, kind.table), "choice", hint), call.function.span)
            return None
        inner = Binder(name, self.evaluator, self.report)
        bound = inner.bind(signature_of(kind.table[name]), call.arguments, call.span)
        self.fine &= inner.fine
        return Choice(name, bound.arguments) if bound else None

    def _as_here(self, kind: OneOfChoices, ours: str | None, call: ast.Call) -> str | None:
        """The line to write for a choice under its name in another framework."""
        if ours is None:
            return None
        from netspec.resolve.translating import Written, choice_line

        return f"write {choice_line(ours, signature_of(kind.table[ours]), Written(call.arguments, self.evaluator, _shown(self.evaluator)))}"

    def _tensor(self, argument: ast.Argument, bound: Bound) -> None:
        self.evaluator.words = ()
        try:
            value = self.evaluator.value(argument.value)
        except Failure as failure:
            self.fine = False
            if failure.problem is not None:
                self.report(failure.problem, failure.span)
            return
        if not isinstance(value, Tensor):
            hint = _as_tensors(self.owner, argument.value)
            self._wrong(problems.BadValue(self.owner, "each input", "a tensor", show(value), hint=hint), argument.span)
            return
        bound.tensors.append((value, argument.span))

    def _named(self, signature: Signature, argument: ast.Argument) -> Parameter | None:
        parameter = signature.by_name.get(argument.name or "")
        if parameter is None:
            name, known = argument.name or "", tuple(p.name for p in signature.parameters if not p.aside)
            near = next((ours for ours in ELSEWHERE.get(name, ()) if ours in known), None) or closest(name, known)
            self.meant.add(near)
            self._wrong(problems.UnknownArgument(self.owner, name, known, near), argument.name_span)
        return parameter

    def _wrong(self, problem: Problem, span: Span, related: Mapping[Span, str] | None = None) -> None:
        self.fine = False
        self.report(problem, span, related or {})


_POOL_PADDING: Final = {
    "same": "write half of the kernel, as padding=1 for a kernel of 3",
    "valid": "leave it out: no padding is the default",
}
_POOLS: Final = dict.fromkeys(("maxpool", "avgpool", "lp_pool"), _POOL_PADDING)
"""Poolings and the words that elsewhere say how they are padded."""

_BATCH: Final = re.compile(r"[A-Z]x([0-9]+(?:x(?:[0-9]+|[A-Z]))+)")
"""A size that begins with an open one, as that of a batch."""


def _dotted(expression: ast.Expression) -> str:
    """A word, or words with dots between them, as they are written; nothing for any other expression."""
    if isinstance(expression, ast.Attribute):
        before = _dotted(expression.value)
        return before and f"{before}.{expression.name}"
    return expression.name if isinstance(expression, ast.Name) else ""


def _shown(evaluator: Evaluator) -> Callable[[ast.Expression], str]:
    """How a value of the command line or of a section is written: nothing in it has a name."""
    return lambda expression: show(evaluator.value(expression))


def _as_input(items: Sequence[ast.Argument]) -> str:
    """An input of several numbers as one size; what is most likely its channels goes first."""
    numbers = [a.value.value for a in items if isinstance(a.value, ast.Literal) and isinstance(a.value.value, int)]
    if len(numbers) != len(items):
        return "one size, channels first, as input(3x224x224)"
    if len(numbers) == 3 and numbers[0] not in (1, 3) and numbers[2] in (1, 3):
        numbers.insert(0, numbers.pop())
    return f"input({'x'.join(map(str, numbers))})"


def _as_tensors(owner: str, e: ast.Expression) -> str | None:
    """The inputs of a merge without the brackets or quotes around them."""
    if isinstance(e, ast.Literal) and isinstance(e.value, str) and e.value.isidentifier():
        return f"write {owner}({e.value}), without quotes"
    names = [item.name for item in e.items if isinstance(item, ast.Name)] if isinstance(e, ast.ListLiteral) else []
    return f"write {owner}({', '.join(names)}), without brackets" if names else None


def _features_first(owner: str, kind: Kind, value: Any) -> str | None:
    """`linear(3072, 10)`, as in PyTorch, where the first number is the size of what flows in."""
    if owner != "linear" or not isinstance(kind, Flag) or isinstance(value, bool) or not isinstance(value, int):
        return None
    return f"the size of what flows in is worked out: write linear({value})"


ELSEWHERE: Final[Mapping[str, tuple[str, ...]]] = {
    "filters": ("channels",), "out_channels": ("channels",), "units": ("features",), "out_features": ("features",),
    "kernel_size": ("kernel",), "pool_size": ("kernel",), "strides": ("stride",), "dilation_rate": ("dilation",), "use_bias": ("bias",),
    "epsilon": ("eps",), "p": ("rate",), "negative_slope": ("slope",), "alpha": ("slope",), "dim": ("axis",), "output_size": ("size",),
    "learning_rate": ("lr",), "scale_factor": ("factor",), "upscale_factor": ("factor",), "downscale_factor": ("factor",),
    "block_size": ("size", "factor"), "align_corners": ("corners",), "interpolation": ("mode",), "padding": ("sides",),
    "cropping": ("margins",), "dims": ("axes", "axis"), "start_dim": ("start",), "end_dim": ("end",), "dim0": ("first",),
    "dim1": ("second",), "unflattened_size": ("shape",), "target_shape": ("shape",), "chunks": ("parts",),
    "split_size_or_sections": ("sizes",), "keepdim": ("keep",), "keepdims": ("keep",), "norm_type": ("norm",), "stddev": ("std",),
    "drop_prob": ("rate",), "gamma": ("factor",), "step_size": ("every",), "milestones": ("at",), "boundaries": ("at",), "rho": ("alpha",),
    "pos_weight": ("weight",), "top_k": ("k",), "initial_learning_rate": ("lr",), "num_groups": ("groups",), "num_heads": ("heads",),
}  # fmt: skip
"""Arguments by their names in other frameworks."""


@cache
def all_words() -> frozenset[str]:
    """Every bare word that some layer's argument accepts: what a block's or net's parameter may be, to be passed on."""
    return frozenset(w for known in layers().values() for p in known.signature.parameters for w in p.kind.words)
