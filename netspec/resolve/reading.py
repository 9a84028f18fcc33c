"""The settings of a section, or of a stage of training, as they are read: each checked as a layer's argument is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from netspec.diagnostics import Problem, Related, problems
from netspec.diagnostics.collector import Collector
from netspec.kinds import Kind
from netspec.resolve.arguments import Binder, Report
from netspec.resolve.evaluate import Evaluator
from netspec.resolve.scope import Namespace, Scope
from netspec.resolve.suggesting import Written, unknown_setting
from netspec.sections import BY_OUTPUT, INPUTS, RUN_WIDE, SECTIONS, STOPS, TARGETS
from netspec.setting_kinds import FactorsOfParts, ForEachOutput, SourceByName
from netspec.signature import OneOfChoices, signature_of
from netspec.source import Place, Source, Span
from netspec.syntax import ast
from netspec.values import ByOutput, Choice

LISTS: Final = ("freeze", "unfreeze")
"""Settings that may be lists of paths, of which each has a place of its own: ``freeze.0``."""
_SOURCES: Final = {"target": OneOfChoices(TARGETS), "input": OneOfChoices(INPUTS)}


@dataclass
class SettingReader:
    """Reads settings one by one. ``places`` has each by its name, and its parts: ``loss.age``, ``rates.base``, ``stop.monitor``."""

    section: str
    collector: Collector
    stage: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    around: Mapping[str, Any] = field(default_factory=dict)
    """What the section says around a stage."""
    meant: dict[str, str] = field(default_factory=dict)
    """The names of choices that there are not, by the settings that they were written for."""
    _unknown: list[tuple[str, ast.Expression, Place]] = field(default_factory=list)

    @property
    def owner(self) -> str:
        return self.section if self.stage is None else f"stage {self.stage}"

    def once(self, entry: ast.Setting, source: Source) -> None:
        """A setting of the file."""
        if not self._again(entry.key, Place(source, entry.key_span)):
            self.set(entry.key, entry.value, Place(source, entry.key_span))

    def in_braces(self, entry: ast.Subsection, source: Source) -> bool:
        """A setting in braces, as `stop { … }` or `loss { … }`; whether it is one."""
        read = self._choice if entry.name in STOPS else self._parts if entry.name in (*BY_OUTPUT, "rates") else None
        if self.section != "train" or read is None:
            return False
        place = Place(source, entry.name_span)
        if not self._again(entry.name, place):
            self.places[entry.name] = place
            read(entry, source)
        return True

    def named(self, entry: ast.Target, source: Source) -> bool:
        """A source of values with a name of its own, as `target age = column(age)`; whether it is one."""
        if self.section != "data" or entry.keyword not in _SOURCES:
            return False
        key, place = f"{entry.keyword}.{entry.name}", Place(source, entry.name_span)
        if not self._again(key, place, entry.name, entry.keyword):
            self._source(key, entry.value, place)
        return True

    def set(self, key: str, expression: ast.Expression, place: Place) -> None:
        """A setting of the file, or of the command line, whose place is that of its value."""
        parameter = signature_of(SECTIONS[self.section]).by_name.get(key)
        if parameter is None:
            if not self._set_part(key, expression, place):
                self._unknown.append((key, expression, place))
            return
        if self.stage is not None and key in RUN_WIDE:
            self.collector.add(problems.ForTheWholeRun(key, self.stage), place)
            return
        self.places[key] = place
        self.places |= {f"{key}.{part}": Place(place.source, span) for part, span in _spans(key, expression)}
        if parameter.optional and isinstance(expression, ast.Name) and expression.name == "none":
            self.values[key] = None
        elif isinstance(parameter.kind, SourceByName):
            text = place.source.text[expression.span.start : expression.span.end]
            problem = problems.BadValue(self.owner, key, parameter.kind.describe(), text, hint=parameter.kind.instead(text))
            self.collector.add(problem, Place(place.source, expression.span))
        else:
            self.values[key] = self._binder(self.owner, place.source).accept(key, parameter.kind, expression)
            if self.values[key] is None and isinstance(expression, ast.Call) and isinstance(expression.function, ast.Name):
                self.meant[key] = expression.function.name

    def finish(self) -> None:
        """Report what is no setting, once it is known what stands beside it."""
        for key, expression, place in self._unknown:
            text = place.source.text[expression.span.start : expression.span.end]
            values = {**self.around, **{k: v for k, v in self.values.items() if v is not None}}
            outside = place.span == expression.span
            self.collector.add(unknown_setting(Written(self.section, key, text, self.stage, outside, values, self.meant)), place)

    def _set_part(self, key: str, expression: ast.Expression, place: Place) -> bool:
        """What is set from outside for one output, one part or one target: `train.loss.age`; whether the key is such a one."""
        setting, _, part = key.partition(".")
        if not part:
            return False
        if self.section == "data" and setting in _SOURCES:
            self._source(key, expression, place)
            return True
        if self.section != "train" or setting not in (*BY_OUTPUT, "rates"):
            return False
        self._part(setting, part, expression, place)
        return True

    def _choice(self, entry: ast.Subsection, source: Source) -> None:
        """`stop { … }`: a choice whose settings stand in braces."""
        items: list[ast.Argument] = []
        for inner in self._settings(entry, source):
            self.places[f"{entry.name}.{inner.key}"] = Place(source, inner.value.span)
            items.append(ast.Argument(inner.key, inner.value, inner.key_span, inner.span))
        binder = self._binder(entry.name, source)
        bound = binder.bind(signature_of(STOPS[entry.name]), ast.Arguments(tuple(items), entry.span), entry.name_span)
        self.values[entry.name] = None if bound is None else Choice(entry.name, bound.arguments)

    def _parts(self, entry: ast.Subsection, source: Source) -> None:
        """`loss { age = mae }`, `rates { "base.*" = 0.1 }`: a line for each output or part."""
        self.values[entry.name] = () if entry.name == "rates" else ByOutput()
        for inner in self._settings(entry, source):
            place = Place(source, inner.key_span)
            if not self._again(f"{entry.name}.{inner.key}", place, inner.key):
                self._part(entry.name, inner.key, inner.value, place)

    def _part(self, setting: str, part: str, expression: ast.Expression, place: Place) -> None:
        self.places[f"{setting}.{part}"] = place
        value = self._binder(setting, place.source).accept(part, _of_part(setting), expression)
        if value is None:
            return
        before = self.values.get(setting)
        if setting == "rates":  # of several lines that name a layer the last holds: a line that is set anew stays where it is
            self.values[setting] = tuple({**dict(before or ()), part: value}.items())
        else:
            self.values[setting] = over(before, ByOutput({part: value}))

    def _source(self, key: str, expression: ast.Expression, place: Place) -> None:
        keyword, _, name = key.partition(".")
        self.places[key] = place
        value = self._binder(keyword, place.source).accept(name, _SOURCES[keyword], _with_names(expression))
        if value is not None:
            self.values[keyword] = {**(self.values.get(keyword) or {}), name: value}

    def _settings(self, entry: ast.Subsection, source: Source) -> Iterator[ast.Setting]:
        """The settings between braces; what else stands there is reported."""
        for inner in entry.entries:
            if isinstance(inner, ast.Setting):
                yield inner
            elif not isinstance(inner, ast.Hole):
                problem = problems.UnknownSetting(entry.name, inner.name, (), None, f"{inner.name} = …")
                self.collector.add(problem, Place(source, inner.name_span))

    def _again(self, key: str, place: Place, name: str | None = None, what: str = "setting") -> bool:
        if key not in self.places:
            return False
        self.collector.add(problems.DefinedTwice(name or key, what), place, (Related(self.places[key], "first here"),))
        return True

    def _binder(self, owner: str, source: Source) -> Binder:
        return Binder(owner, Evaluator(Scope(Namespace(""))), self._report(source))

    def _report(self, source: Source) -> Report:
        def report(problem: Problem, span: Span, related: Mapping[Span, str] | None = None) -> None:
            spots = tuple(Related(Place(source, s), text) for s, text in (related or {}).items())
            self.collector.add(problem, Place(source, span), spots)

        return report


def over(before: Any, own: Any) -> Any:
    """What holds by output where something is said again for some of them; ``before`` may hold for all alike."""
    if not isinstance(own, ByOutput) or own.otherwise is not None:
        return own
    if isinstance(before, ByOutput):
        return ByOutput(before.values | own.values, before.otherwise)
    return ByOutput(own.values, before)


def _of_part(setting: str) -> Kind:
    """What is accepted behind the name of an output, or behind a path."""
    kind = signature_of(SECTIONS["train"]).by_name[setting].kind
    return kind.one if isinstance(kind, ForEachOutput | FactorsOfParts) else kind


def _spans(key: str, expression: ast.Expression) -> Iterator[tuple[str, Span]]:
    """The places within a value that something may be said of: the paths of a list, and the figure of a schedule or of what to keep."""
    if key in LISTS:
        items = expression.items if isinstance(expression, ast.ListLiteral) else (expression,)
        yield from ((str(i), item.span) for i, item in enumerate(items))
    if isinstance(expression, ast.Call):
        yield from (("monitor", item.value.span) for item in expression.arguments.items if isinstance(item.value, ast.Attribute))


def _with_names(expression: ast.Expression) -> ast.Expression:
    """`column(age, "income in $")` with its words taken for what they are: names of columns."""
    if not isinstance(expression, ast.Call) or not isinstance(expression.function, ast.Name) or expression.function.name != "column":
        return expression
    items = expression.arguments.items
    if not items or any(item.name is not None for item in items):
        return expression
    names = ast.ListLiteral(tuple(_as_name(item.value) for item in items), Span(items[0].span.start, items[-1].span.end))
    arguments = ast.Arguments((ast.Argument(None, names, names.span, names.span),), expression.arguments.span)
    return ast.Call(expression.function, arguments, expression.span)


def _as_name(expression: ast.Expression) -> ast.Expression:
    if isinstance(expression, ast.Name):
        return ast.Literal(expression.name, expression.span)
    return ast.Literal("x", expression.span) if isinstance(expression, ast.Flow) else expression
