"""Sections of a file: every key checked as a layer's argument is, every value written down, defaults included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from netspec.diagnostics import Problem, Related, problems
from netspec.diagnostics.collector import Collector
from netspec.diagnostics.text import closest
from netspec.graph import Graph, Section
from netspec.resolve.arguments import Binder
from netspec.resolve.declarations import Declarations
from netspec.resolve.evaluate import Evaluator
from netspec.resolve.scope import Namespace, Scope
from netspec.sections import OPTIMIZERS, PLANNED, PLANNED_BLOCKS, SECTIONS, loss_fits
from netspec.signature import signature_of
from netspec.source import Place, Source, Span
from netspec.syntax import ast
from netspec.values import Choice

Override = tuple[Source, ast.Expression]
REGIONS: Final = frozenset({"preprocess", "augment"})
"""Regions of a net that might be taken for sections."""


def check_section(
    name: str, sections: tuple[ast.Section, ...], source: Source, overrides: Mapping[str, Override], collector: Collector
) -> Section:
    """The settings of ``train`` or ``data``: what the file says, what was set from outside, and defaults."""
    signature = signature_of(SECTIONS[name])
    values: dict[str, Any] = {}
    places: dict[str, Place] = {}
    for section in sections:
        for entry in section.entries:
            if not isinstance(entry, ast.Setting):
                _not_yet(name, entry, source, collector)
            elif entry.key in places:
                related = (Related(places[entry.key], "first here"),)
                collector.add(problems.DefinedTwice(entry.key, "setting"), Place(source, entry.key_span), related)
            else:
                places[entry.key] = Place(source, entry.key_span)
                _set(name, entry.key, entry.value, Place(source, entry.key_span), values, collector)
    for key, (text, expression) in overrides.items():
        place = Place(text, expression.span)
        if _set(name, key, expression, place, values, collector):
            places[key] = place
    complete = {p.name: values.get(p.name, p.default) for p in signature.parameters}
    return Section(complete, places, bool(sections))


def _set(section: str, key: str, expression: ast.Expression, place: Place, values: dict[str, Any], collector: Collector) -> bool:
    parameter = signature_of(SECTIONS[section]).by_name.get(key)
    if parameter is None:
        sentence = PLANNED[section].get(key)
        text = place.source.text[expression.span.start : expression.span.end]
        instead = _elsewhere(section, key, text, place.span == expression.span, values)
        collector.add(_planned(sentence) if sentence else _unknown(section, key, instead), place)
        return False

    def report(problem: Problem, span: Span, related: Mapping[Span, str] | None = None) -> None:
        spots = tuple(Related(Place(place.source, s), text) for s, text in (related or {}).items())
        collector.add(problem, Place(place.source, span), spots)

    values[key] = Binder(section, Evaluator(Scope(Namespace(""))), report).accept(key, parameter.kind, expression)
    return True


def check_loss(graph: Graph, collector: Collector) -> None:
    """Report a loss that is written and does not go with the net's one output. Where none is written, training chooses."""
    if len(graph.outputs) != 1:
        return
    train, last = graph.train, graph.nodes[graph.outputs[0].node]
    loss = train.values.get("loss")
    if len(last.output) != 1 or not isinstance(loss, Choice) or "loss" not in train.places:
        return
    ending = graph.ending(graph.outputs[0])
    if not loss_fits(loss.name, last.output[0], ending):
        problem = problems.LossAndOutput(loss.name, graph.name, graph.outputs[0].name, last.output[0], ending)
        collector.add(problem, train.places["loss"])


def _not_yet(section: str, entry: ast.Subsection | ast.Target | ast.Hole, source: Source, collector: Collector) -> None:
    """Entries that are no plain settings: stages, and settings by output or by target."""
    if isinstance(entry, ast.Hole):
        return
    name, span = (entry.name, entry.name_span) if isinstance(entry, ast.Subsection) else (entry.keyword, entry.span)
    sentence = PLANNED[section].get(name)
    if section == "train" and isinstance(entry, ast.Subsection):
        sentence = PLANNED_BLOCKS.get(name, sentence or PLANNED_BLOCKS[""])
    collector.add(_planned(sentence) if sentence else _unknown(section, name), Place(source, span))


def _unknown(section: str, key: str, instead: str | None = None) -> Problem:
    known = tuple(signature_of(SECTIONS[section]).by_name)
    return problems.UnknownSetting(section, key, known, closest(key, known), instead)


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
