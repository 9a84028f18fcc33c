"""Sections of a file: every key checked as a layer's argument is, every value written down, defaults included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from netspec.diagnostics import Problem, Related, problems
from netspec.diagnostics.collector import Collector
from netspec.diagnostics.text import closest
from netspec.freezing import NamesNothing, frozen_in_stages, learning, selected
from netspec.graph import Graph, Section, Stage
from netspec.resolve.arguments import Binder, Report
from netspec.resolve.declarations import Declarations
from netspec.resolve.evaluate import Evaluator
from netspec.resolve.scope import Namespace, Scope
from netspec.sections import OPTIMIZERS, PLANNED, PLANNED_BLOCKS, RUN_WIDE, SECTIONS, STOPS, loss_fits
from netspec.signature import signature_of
from netspec.source import Place, Source, Span
from netspec.syntax import ast
from netspec.values import Choice

Override = tuple[Source, ast.Expression]
REGIONS: Final = frozenset({"preprocess", "augment"})
"""Regions of a net that might be taken for sections."""
_PATHS: Final = ("freeze", "unfreeze")


def check_section(
    name: str, sections: tuple[ast.Section, ...], source: Source, overrides: Mapping[str, Override], collector: Collector
) -> Section:
    """The settings of ``train`` or ``data``: what the file says, what was set from outside, and defaults."""
    whole, stages = _Reader(name, collector), dict[str, _Reader]()
    for section in sections:
        for entry in section.entries:
            if isinstance(entry, ast.Setting):
                whole.once(entry, source)
            elif isinstance(entry, ast.Subsection) and name == "train" and entry.name not in {*PLANNED_BLOCKS, *PLANNED[name]}:
                _block(entry, source, whole, stages)
            else:
                _not_yet(name, entry, source, collector)
    for key, (text, expression) in overrides.items():
        stage, _, rest = key.partition(".")
        reader, own = (stages[stage], rest) if rest and stage in stages else (whole, key)
        reader.set(own, expression, Place(text, expression.span))
    complete = {p.name: whole.values.get(p.name, p.default) for p in signature_of(SECTIONS[name]).parameters}
    return Section(complete, whole.places, bool(sections), tuple(Stage(n, r.values, r.places) for n, r in stages.items()))


def _block(entry: ast.Subsection, source: Source, whole: _Reader, stages: dict[str, _Reader]) -> None:
    """Settings in braces inside ``train``: `stop { … }`, or a stage."""
    if entry.name in STOPS:
        whole.braces(entry, source)
    elif entry.name in signature_of(SECTIONS["train"]).by_name:
        whole.collector.add(
            problems.UnknownSetting("train", f"{entry.name} {{ … }}", (), None, f"{entry.name} = …"), Place(source, entry.name_span)
        )
    elif entry.name in stages:
        whole.collector.add(problems.DefinedTwice(entry.name, "stage"), Place(source, entry.name_span))
    else:
        stages[entry.name] = stage = _Reader("train", whole.collector, entry.name)
        for inner in entry.entries:
            if isinstance(inner, ast.Setting):
                stage.once(inner, source)
            elif isinstance(inner, ast.Subsection) and inner.name in STOPS:
                stage.braces(inner, source)
            else:
                _not_yet("train", inner, source, whole.collector)


@dataclass
class _Reader:
    """Settings of a section, or of a stage of it, as they are read."""

    section: str
    collector: Collector
    stage: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        return self.section if self.stage is None else f"stage {self.stage}"

    def once(self, entry: ast.Setting, source: Source) -> None:
        """A setting of the file."""
        if not self._again(entry.key, Place(source, entry.key_span)):
            self.set(entry.key, entry.value, Place(source, entry.key_span))

    def braces(self, entry: ast.Subsection, source: Source) -> None:
        """``stop { … }``: a choice whose settings stand in braces."""
        place = Place(source, entry.name_span)
        if self._again(entry.name, place):
            return
        self.places[entry.name] = place
        items: list[ast.Argument] = []
        for inner in entry.entries:
            if isinstance(inner, ast.Setting):
                items.append(ast.Argument(inner.key, inner.value, inner.key_span, inner.span))
            else:
                _not_yet(self.section, inner, source, self.collector)
        binder = Binder(entry.name, Evaluator(Scope(Namespace(""))), self._report(source))
        bound = binder.bind(signature_of(STOPS[entry.name]), ast.Arguments(tuple(items), entry.span), entry.name_span)
        self.values[entry.name] = None if bound is None else Choice(entry.name, bound.arguments)

    def set(self, key: str, expression: ast.Expression, place: Place) -> None:
        """A setting of the file, or of the command line, whose place is that of its value."""
        parameter = signature_of(SECTIONS[self.section]).by_name.get(key)
        if parameter is None:
            sentence = PLANNED[self.section].get(key)
            text = place.source.text[expression.span.start : expression.span.end]
            instead = _elsewhere(self.section, key, text, place.span == expression.span, self.values)
            self.collector.add(_planned(sentence) if sentence else _unknown(self.section, key, instead, self.owner), place)
            return
        if self.stage is not None and key in RUN_WIDE:
            self.collector.add(problems.ForTheWholeRun(key, self.stage), place)
            return
        self.places[key] = place
        if key in _PATHS:
            items = expression.items if isinstance(expression, ast.ListLiteral) else (expression,)
            self.places |= {f"{key}.{i}": Place(place.source, item.span) for i, item in enumerate(items)}
        if parameter.optional and isinstance(expression, ast.Name) and expression.name == "none":
            self.values[key] = None
            return
        binder = Binder(self.owner, Evaluator(Scope(Namespace(""))), self._report(place.source))
        self.values[key] = binder.accept(key, parameter.kind, expression)

    def _again(self, key: str, place: Place) -> bool:
        if key not in self.places:
            return False
        self.collector.add(problems.DefinedTwice(key, "setting"), place, (Related(self.places[key], "first here"),))
        return True

    def _report(self, source: Source) -> Report:
        def report(problem: Problem, span: Span, related: Mapping[Span, str] | None = None) -> None:
            spots = tuple(Related(Place(source, s), text) for s, text in (related or {}).items())
            self.collector.add(problem, Place(source, span), spots)

        return report


def check_training(graph: Graph, collector: Collector) -> None:
    """Report what is written about training and does not go with the net."""
    check_loss(graph, graph.train.values, graph.train.places, collector)
    for stage in graph.train.stages:
        check_loss(graph, stage.values, stage.places, collector)
    _check_freezing(graph, collector)


def check_loss(graph: Graph, values: Mapping[str, Any], places: Mapping[str, Place], collector: Collector) -> None:
    """Report a loss that is written and does not go with the net's one output. Where none is written, training chooses."""
    if len(graph.outputs) != 1:
        return
    loss, last = values.get("loss"), graph.nodes[graph.outputs[0].node]
    if len(last.output) != 1 or not isinstance(loss, Choice) or "loss" not in places:
        return
    ending = graph.ending(graph.outputs[0])
    outputs, weight = last.output[0], loss.settings.get("weight")
    if not loss_fits(loss.name, outputs, ending):
        collector.add(problems.LossAndOutput(loss.name, graph.name, graph.outputs[0].name, outputs, ending), places["loss"])
    elif isinstance(weight, tuple) and len(weight) != max(outputs, 2):
        collector.add(problems.WeightCount(loss.name, len(weight), max(outputs, 2)), places["loss"])


def _check_freezing(graph: Graph, collector: Collector) -> None:
    """Report paths that name nothing, and stages in which nothing learns."""
    train = graph.train
    whole = Stage("", train.values, train.places)
    written = [(stage, key) for stage in (whole, *train.stages) for key in _PATHS if stage.values.get(key)]
    named = [_named(graph, stage, key, collector) for stage, key in written]
    if not named or not all(named):
        return
    for stage, frozen in zip(train.stages or (whole,), frozen_in_stages(graph), strict=True):
        if not learning(graph, frozen):
            place = stage.places.get("freeze") or train.places.get("freeze") or stage.places.get("unfreeze")
            collector.add(problems.NothingLearns(stage.name, graph.parameters, "freeze" not in stage.places), place)


def _named(graph: Graph, stage: Stage, key: str, collector: Collector) -> bool:
    """Whether each path of a `freeze` or `unfreeze` names something; what does not is reported."""
    fine = True
    for i, path in enumerate(stage.values[key]):
        try:
            selected(graph, (path,))
        except NamesNothing as error:
            fine = False
            problem = problems.NamesNothing(path, graph.name, error.why, error.near, error.known)
            collector.add(problem, stage.places.get(f"{key}.{i}"))
    return fine


def _not_yet(section: str, entry: ast.Entry, source: Source, collector: Collector) -> None:
    """Entries that are no plain settings, as those by output or by target."""
    if isinstance(entry, ast.Hole):
        return
    if isinstance(entry, ast.Target):
        name, span = entry.keyword, entry.span
    else:
        name, span = (entry.name, entry.name_span) if isinstance(entry, ast.Subsection) else (entry.key, entry.key_span)
    sentence = PLANNED[section].get(name)
    if section == "train" and isinstance(entry, ast.Subsection):
        sentence = PLANNED_BLOCKS.get(name, sentence)
    collector.add(_planned(sentence) if sentence else _unknown(section, name), Place(source, span))


def _unknown(section: str, key: str, instead: str | None = None, owner: str | None = None) -> Problem:
    known = tuple(signature_of(SECTIONS[section]).by_name)
    return problems.UnknownSetting(owner or section, key, known, closest(key, known), instead)


def as_setting(name: str, text: str) -> str | None:
    """How to set on the command line what is no parameter of a net, and a setting of a section or of an optimizer."""
    section = next((s for s, declaration in SECTIONS.items() if name in signature_of(declaration).by_name), None)
    if section is not None:
        return f'--set "{section}.{name}={text}"'
    call = _of_optimizer(name, text)
    return f'--set "train.optimizer={call}"' if call else None


def _of_optimizer(key: str, text: str, chosen: str = "adam") -> str | None:
    """A setting as one of the optimizer: of the one that is chosen, or of the first that has it."""
    key = "lr" if key == "learning_rate" else key
    having = [name for name, declaration in OPTIMIZERS.items() if key in signature_of(declaration).by_name]
    return f"{chosen if chosen in having else having[0]}({key}={text})" if having else None


def _elsewhere(section: str, key: str, text: str, from_outside: bool, values: Mapping[str, Any]) -> str | None:
    """How to write what `train` has no setting for and an optimizer has."""
    chosen = values.get("optimizer")
    call = _of_optimizer(key.rpartition(".")[2], text, chosen.name if isinstance(chosen, Choice) else "adam")
    if section != "train" or call is None:
        return None
    return f'--set "train.optimizer={call}"' if from_outside else f"optimizer = {call}"


def _planned(sentence: str) -> problems.NotBuiltYet:
    """The sentences of the sections' own list: what is not built, and what to do instead."""
    what, _, instead = sentence.partition(": ")
    return problems.NotBuiltYet(what.removesuffix(" not built yet"), instead or None)


def check_names(declarations: Declarations, collector: Collector) -> None:
    """Report sections that do not exist, and those of nets that do not."""
    known, nets = (*SECTIONS, "expect"), tuple(declarations.nets)
    for section in declarations.sections:
        place = Place(declarations.source, section.name_span)
        if section.name in REGIONS:
            collector.add(problems.OutOfPlace(section.name, outside=True), place)
        elif section.name not in known:
            near = closest(section.name, (*known, "net", "block"))
            collector.add(problems.UnknownSection(section.name, known, near), place)
        elif section.subject is not None and section.subject not in (*nets, *declarations.missing):
            collector.add(problems.UnknownNet(section.subject, nets, closest(section.subject, nets)), place)
