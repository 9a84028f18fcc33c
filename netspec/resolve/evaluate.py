"""Expressions to values. Nothing of Python is reachable from here: the operators and functions are those listed below."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor
from typing import Any, Final

from netspec.diagnostics import Problem, problems
from netspec.diagnostics.text import closest
from netspec.limits import NESTING
from netspec.resolve.scope import MISSING, Labelled, Namespace, Outside, Scope
from netspec.shape import Open, same
from netspec.source import Span
from netspec.syntax import ast
from netspec.values import UNKNOWN, Percent, Size, Tensor, Word, kind

BITS: Final = 256
LENGTH: Final = 100_000


class Failure(Exception):
    """An expression that has no value; ``problem`` is ``None`` where that has been reported already."""

    def __init__(self, problem: Problem | None, span: Span) -> None:
        super().__init__(problem)
        self.problem = problem
        self.span = span


class NeedsTrace(Exception):
    """An input with open sizes was met by a walk that knows nothing of such: it has to begin again, with a trace."""


class Evaluator:
    """Values of expressions in a scope; ``flow`` is what ``x`` stands for."""

    __slots__ = ("flow", "scope", "words")

    def __init__(self, scope: Scope, flow: Tensor | Outside | None = None, words: frozenset[str] | tuple[str, ...] = ()) -> None:
        self.scope = scope
        self.flow = flow
        self.words: frozenset[str] | tuple[str, ...] = words

    def value(self, e: ast.Expression, depth: int = 0) -> Any:
        """The value; raises :class:`Failure`."""
        if type(e) is ast.Literal:
            return e.value
        if depth > NESTING:
            raise Failure(problems.ExpressionTooDeep(), e.span)
        value = _EVALUATORS[type(e)](self, e, depth + 1)
        if value is UNKNOWN or (type(value) is Tensor and value.node < 0 and type(e) is not ast.Name):
            raise Failure(None, e.span)
        return value

    def reference(self, e: ast.Reference | ast.Expression, depth: int = 0) -> Any:
        """As :meth:`value`, but a label stays a :class:`Labelled`."""
        if type(e) is ast.Name:
            return self._lookup(e)
        if type(e) is ast.Attribute:
            base = self.reference(e.value, depth + 1) if depth < NESTING else self.value(e.value, depth)
            if isinstance(base, Labelled) and base.inside is not None and e.name in base.inside.labels:
                return base.inside.labels[e.name]
            return self._part(e, base)
        return self.value(e, depth)

    def _lookup(self, e: ast.Name) -> Any:
        found = self.scope.lookup(e.name)
        if type(found) is Outside:
            raise Failure(problems.OutsidePart(e.name, found.part), e.span)
        if found is not MISSING:
            return found
        if e.name in self.words:
            return Word(e.name)
        if self.scope.unsure:
            raise Failure(None, e.span)
        raise Failure(problems.UnknownName(e.name, closest(e.name, [*self.scope.names(), *self.words, "true", "false"])), e.span)

    def _name(self, e: ast.Name, depth: int) -> Any:
        found = self._lookup(e)
        return found.tensor if isinstance(found, Labelled) else found

    def _flow(self, e: ast.Flow, depth: int) -> Any:
        if self.flow is None:
            raise Failure(problems.UnknownName("x", None, "tensor"), e.span)
        if isinstance(self.flow, Outside):
            raise Failure(problems.OutsidePart("x", self.flow.part), e.span)
        return self.flow

    def _attribute(self, e: ast.Attribute, depth: int) -> Any:
        found = self.reference(e, depth)
        return found.tensor if isinstance(found, Labelled) else found

    def _part(self, e: ast.Attribute, base: Any) -> Any:
        tensor = base.tensor if isinstance(base, Labelled) else base
        if tensor is UNKNOWN or (isinstance(tensor, Tensor) and tensor.shape is None):
            return UNKNOWN
        parts = _parts_of(tensor)
        if e.name in parts:
            return parts[e.name]
        if isinstance(base, Labelled) and base.inside and base.inside.unsure:
            return UNKNOWN
        known = (*parts, *(base.inside.labels if isinstance(base, Labelled) and base.inside else ()))
        whole = e.value.name if isinstance(e.value, ast.Name) else "x" if isinstance(e.value, ast.Flow) else kind(tensor)
        raise Failure(problems.NoSuchPart(whole, e.name, closest(e.name, known), known), e.span)

    def _index(self, e: ast.Index, depth: int) -> Any:
        value = self.reference(e.value, depth)
        if isinstance(value, Labelled) and value.inside is not None and not isinstance(e.index, ast.Slice):
            return self._step(e, value.inside, depth)
        if isinstance(value, Labelled | Tensor):
            raise Failure(problems.CannotSlice(_text(e.value), "it is a tensor, and a part of this very net"), e.span)
        if not isinstance(value, tuple):
            raise Failure(problems.BadOperands("[ ]", (kind(value),)), e.span)
        if isinstance(e.index, ast.Slice):
            start, stop = (None if part is None else self._whole(part, depth) for part in (e.index.start, e.index.stop))
            return tuple(value)[start:stop]
        index = self._whole(e.index, depth)
        if not -len(value) <= index < len(value):
            raise Failure(problems.BadIndex(str(index), len(value)), e.index.span)
        return value[index]

    def _step(self, e: ast.Index, inside: Namespace, depth: int) -> Tensor:
        """What flows out of a step of a labelled region: ``extra[1]``."""
        assert not isinstance(e.index, ast.Slice)
        index = self._whole(e.index, depth)
        number = index + inside.count if index < 0 else index
        if number not in inside.steps:
            raise Failure(None if inside.unsure else problems.BadIndex(str(index), inside.count, _text(e.value)), e.index.span)
        return inside.steps[number]

    def _whole(self, e: ast.Expression, depth: int) -> int:
        value = self.value(e, depth)
        number = whole(value)
        if number is None:
            raise Failure(problems.BadOperands("[ ]", (kind(value),)), e.span)
        return number

    def _call(self, e: ast.Call, depth: int) -> Any:
        name = e.function.name if isinstance(e.function, ast.Name) else None
        function = _FUNCTIONS.get(name or "")
        if function is None:
            raise Failure(problems.UnknownName(name or "this", closest(name or "", _FUNCTIONS), "function"), e.function.span)
        values = [self.value(a.value, depth) for a in e.arguments.items]
        if any(a.name for a in e.arguments.items):
            raise Failure(problems.BadFunctionCall(str(name), "arguments by position only"), e.span)
        try:
            return function(*values)
        except OverflowError:
            raise Failure(problems.TooLarge(), e.span) from None
        except ZeroDivisionError:
            raise Failure(problems.DividedByZero(str(name)), e.span) from None
        except (TypeError, ValueError) as error:
            if isinstance(error, TypeError) and hasattr(error, "size"):
                raise Failure(_needs_number(error, str(name)), e.span) from None
            raise Failure(problems.BadFunctionCall(str(name), _TAKES[str(name)]), e.span) from None

    def _list(self, e: ast.ListLiteral, depth: int) -> Any:
        return tuple(self.value(item, depth) for item in e.items)

    def _unary(self, e: ast.Unary, depth: int) -> Any:
        value = self.value(e.operand, depth)
        if e.operator == "not":
            return not self.truth(value, e.operand.span)
        if not _is_number(value):
            raise Failure(problems.BadOperands(e.operator, (kind(value),)), e.span)
        return -value if e.operator == "-" else +value

    def _binary(self, e: ast.Binary, depth: int) -> Any:
        if e.operator in {"and", "or"}:
            left = self.truth(self.value(e.left, depth), e.left.span)
            if left is (e.operator == "or"):
                return left
            return self.truth(self.value(e.right, depth), e.right.span)
        spine = [e]  # a long sum leans to the left: walked, not descended
        while isinstance(spine[-1].left, ast.Binary) and spine[-1].left.operator not in {"and", "or"}:
            spine.append(spine[-1].left)
        value = self.value(spine[-1].left, depth)
        for part in reversed(spine):
            value = _operate(part, value, self.value(part.right, depth))
        return value

    def _conditional(self, e: ast.Conditional, depth: int) -> Any:
        chosen = self.truth(self.value(e.condition, depth), e.condition.span)
        return self.value(e.then if chosen else e.otherwise, depth)

    def _symbolic(self, e: ast.SymbolicSize, depth: int) -> Size:
        """``3xHxW`` where only numbers will do: its letters are the names of some."""
        found = self._axes(e)
        if symbols := tuple(axis for axis in found if isinstance(axis, str)):
            raise Failure(problems.OpenSizeElsewhere(e.text, symbols), e.span)
        return Size(found)

    def input_shape(self, e: ast.SymbolicSize) -> tuple[Any, ...]:
        """``3xHxW`` as the shape of an input: letters that name no number leave a size open."""
        from netspec.resolve.opening import open_size

        return tuple(open_size(axis) if isinstance(axis, str) else axis for axis in self._axes(e))

    def _axes(self, e: ast.SymbolicSize) -> list[Any]:
        parts: list[str] = e.text.split("x")
        return [int(p) if p.isdigit() else self._letter(p) for p in parts]

    def _letter(self, letter: str) -> Any:
        """The number that a letter of a size stands for; the letter itself where it stands for none."""
        found = self.scope.lookup(letter)
        number = found if isinstance(found, Open) else whole(found)
        return letter if number is None else number

    def truth(self, value: Any, span: Span) -> bool:
        """The value of a condition."""
        if not isinstance(value, bool):
            raise Failure(problems.NotACondition(kind(value)), span)
        return value


def _text(e: ast.Expression) -> str:
    """A dotted name as it is written."""
    if isinstance(e, ast.Attribute):
        return f"{_text(e.value)}.{e.name}"
    return e.name if isinstance(e, ast.Name) else "x"


def whole(value: Any) -> int | None:
    """A whole number as such, a decimal one without a fraction counted too, as for a layer's argument; ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or (isinstance(value, float) and not value.is_integer()):
        return None
    return int(value)


def _parts_of(value: Any) -> dict[str, Any]:
    """What may be written behind the dot of a tensor."""
    if not isinstance(value, Tensor) or value.shape is None:
        return {}
    shape = value.shape
    parts: dict[str, Any] = {"channels": shape[0], "shape": Size(shape)}
    names = {2: ("length",), 3: ("height", "width"), 4: ("depth", "height", "width")}.get(len(shape), ())
    return parts | dict(zip(names, shape[1:], strict=False))  # what is no picture has axes without names


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Open) and not isinstance(value, bool)


def _operate(e: ast.Binary, left: Any, right: Any) -> Any:
    operator = e.operator
    if operator in {"==", "!="}:
        equal = same(left, right) and isinstance(left, bool) == isinstance(right, bool)
        return equal is (operator == "==")
    if operator == "+" and isinstance(left, tuple) and isinstance(right, tuple):
        return _bounded(tuple(left) + tuple(right), e)
    if operator == "*" and type(left) is tuple and isinstance(right, int) and not isinstance(right, bool):
        if len(left) * max(right, 0) > LENGTH:
            raise Failure(problems.TooLarge(), e.span)
        return left * right
    if not _is_number(left) or not _is_number(right):
        raise Failure(problems.BadOperands(operator, (kind(left), kind(right))), e.span)
    if operator in {"/", "//", "%"} and right == 0:
        raise Failure(problems.DividedByZero(operator), e.right.span)
    if operator == "**" and isinstance(left, int) and abs(right) * max(left.bit_length(), 1) > BITS * 2 and abs(left) > 1:
        raise Failure(problems.TooLarge(), e.span)
    try:
        return _bounded(_OPERATORS[operator](_plain(left), _plain(right)), e)
    except TypeError as error:
        raise Failure(_needs_number(error, operator), e.span) from None
    except (OverflowError, ZeroDivisionError):
        raise Failure(problems.DividedByZero(operator) if left == 0 else problems.TooLarge(), e.span) from None


def _needs_number(error: TypeError, name: str) -> Problem:
    """What is wrong where an open size stands for a number."""
    size: Any = getattr(error, "size", None)
    return problems.OpenArgument(name, "what is computed with", str(size), tuple(sorted(getattr(size, "symbols", ()))))


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Percent) else value


def _bounded(value: Any, e: ast.Binary) -> Any:
    if isinstance(value, complex):
        raise Failure(problems.BadOperands("**", ("a negative number", "a fraction")), e.span)
    if (isinstance(value, int) and value.bit_length() > BITS) or (isinstance(value, tuple) and len(value) > LENGTH):
        raise Failure(problems.TooLarge(), e.span)
    return value


_OPERATORS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": lambda a, b: a**b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def round_to(value: float, divisor: int) -> int:
    """The multiple of ``divisor`` nearest to ``value``, at least ``divisor``, and not under 90 % of ``value``: the rule by which
    MobileNet and EfficientNet widths are made divisible (Sandler et al., 2018; the reference implementation)."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def _half_up(value: float) -> int:
    return floor(value + 0.5)


def _range(*bounds: float) -> tuple[int, ...]:
    numbers = [n for b in bounds if (n := whole(b)) is not None]
    if len(numbers) < len(bounds):
        raise TypeError
    found = range(*numbers)
    if found.stop - found.start > LENGTH * abs(found.step):
        raise OverflowError
    return tuple(found)


def _numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*values: Any) -> Any:
        if any(not _is_number(v) for v in values):
            raise TypeError
        return function(*values)

    return checked


def _of_many(function: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*values: Any) -> Any:
        found = values[0] if len(values) == 1 and isinstance(values[0], tuple) else values
        if not found or any(not _is_number(v) for v in found):
            raise TypeError
        return function(found)

    return checked


def _length(value: Any) -> int:
    if not isinstance(value, tuple):
        raise TypeError
    return len(value)


def _sum(values: Any) -> Any:
    if not isinstance(values, tuple) or any(not _is_number(v) for v in values):
        raise TypeError
    return sum(map(_plain, values))


_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "min": _of_many(min), "max": _of_many(max), "round": _numbers(_half_up), "floor": _numbers(floor), "ceil": _numbers(ceil),
    "round_to": _numbers(round_to), "len": _length, "sum": _sum, "range": _range,
}  # fmt: skip
_TAKES: Final = {
    "min": "numbers, or a list of them", "max": "numbers, or a list of them", "round": "one number", "floor": "one number",
    "ceil": "one number", "round_to": "a number and a divisor above 0, as round_to(37.5, 8)", "len": "one list, as len([1, 2])",
    "sum": "one list of numbers, as sum([1, 2])", "range": "one to three whole numbers, as range(4) or range(1, 4)",
}  # fmt: skip


def functions() -> dict[str, str]:
    """The functions of expressions, and what each takes."""
    return dict(_TAKES)


_EVALUATORS: Final[dict[type, Callable[[Evaluator, Any, int], Any]]] = {
    ast.Name: Evaluator._name,
    ast.Flow: Evaluator._flow,
    ast.Attribute: Evaluator._attribute,
    ast.Index: Evaluator._index,
    ast.Call: Evaluator._call,
    ast.ListLiteral: Evaluator._list,
    ast.Unary: Evaluator._unary,
    ast.Binary: Evaluator._binary,
    ast.Conditional: Evaluator._conditional,
    ast.SymbolicSize: Evaluator._symbolic,
}
