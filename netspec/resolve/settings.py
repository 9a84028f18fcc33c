"""Sections of a file: every key checked as a layer's argument is, every value written down, defaults included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec.diagnostics import Problem, Related, problems
from netspec.diagnostics.collector import Collector
from netspec.diagnostics.text import closest
from netspec.graph import Section
from netspec.resolve.arguments import Binder
from netspec.resolve.declarations import Declarations
from netspec.resolve.evaluate import Evaluator
from netspec.resolve.scope import Namespace, Scope
from netspec.sections import PLANNED, PLANNED_BLOCKS, SECTIONS
from netspec.signature import signature_of
from netspec.source import Place, Source, Span
from netspec.syntax import ast

Override = tuple[Source, ast.Expression]


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
        collector.add(_planned(sentence) if sentence else _unknown(section, key), place)
        return False

    def report(problem: Problem, span: Span, related: Mapping[Span, str] | None = None) -> None:
        spots = tuple(Related(Place(place.source, s), text) for s, text in (related or {}).items())
        collector.add(problem, Place(place.source, span), spots)

    values[key] = Binder(section, Evaluator(Scope(Namespace(""))), report).accept(key, parameter.kind, expression)
    return True


def _not_yet(section: str, entry: ast.Subsection | ast.Target | ast.Hole, source: Source, collector: Collector) -> None:
    """Entries that are no plain settings: stages, and settings by output or by target."""
    if isinstance(entry, ast.Hole):
        return
    name, span = (entry.name, entry.name_span) if isinstance(entry, ast.Subsection) else (entry.keyword, entry.span)
    sentence = PLANNED[section].get(name)
    if section == "train" and isinstance(entry, ast.Subsection):
        sentence = PLANNED_BLOCKS.get(name, sentence or PLANNED_BLOCKS[""])
    collector.add(_planned(sentence) if sentence else _unknown(section, name), Place(source, span))


def _unknown(section: str, key: str) -> Problem:
    known = tuple(signature_of(SECTIONS[section]).by_name)
    return problems.UnknownSetting(section, key, known, closest(key, known))


def _planned(sentence: str) -> problems.NotBuiltYet:
    """The sentences of the sections' own list: what is not built, and what to do instead."""
    what, _, instead = sentence.partition(": ")
    return problems.NotBuiltYet(what.removesuffix(" not built yet"), instead or None)


def check_names(declarations: Declarations, collector: Collector) -> None:
    """Report sections that do not exist, and those of nets that do not."""
    known, nets = (*SECTIONS, "expect"), tuple(declarations.nets)
    for section in declarations.sections:
        place = Place(declarations.source, section.name_span)
        if section.name not in known:
            collector.add(problems.UnknownSection(section.name, known, closest(section.name, known)), place)
        elif section.subject is not None and section.subject not in (*nets, *declarations.missing):
            collector.add(problems.UnknownNet(section.subject, nets, closest(section.subject, nets)), place)
