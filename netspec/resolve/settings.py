"""Sections of a file: every key checked, every value written down, defaults included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from netspec.diagnostics import Problem, problems
from netspec.diagnostics.collector import Collector
from netspec.diagnostics.text import closest
from netspec.graph import Section, Stage
from netspec.resolve.declarations import Declarations
from netspec.resolve.reading import SettingReader, over
from netspec.resolve.suggesting import unknown
from netspec.sections import BY_OUTPUT, SECTIONS
from netspec.signature import signature_of
from netspec.source import Place, Source
from netspec.syntax import ast

Override = tuple[Source, ast.Expression]
REGIONS: Final = frozenset({"preprocess", "augment"})
"""Regions of a net that might be taken for sections."""


def check_section(
    name: str, sections: tuple[ast.Section, ...], source: Source, overrides: Mapping[str, Override], collector: Collector
) -> Section:
    """The settings of ``train`` or ``data``: what the file says, what was set from outside, and defaults."""
    whole, stages = SettingReader(name, collector), dict[str, SettingReader]()
    for section in sections:
        for entry in section.entries:
            if not _read(entry, source, whole) and not _stage(entry, source, whole, stages):
                _report(entry, source, whole)
    for key, (text, expression) in overrides.items():
        stage, _, rest = key.partition(".")
        reader, own = (stages[stage], rest) if rest and stage in stages else (whole, key)
        reader.set(own, expression, Place(text, expression.span))
    for reader in (whole, *stages.values()):
        reader.finish()
    complete = {p.name: whole.values.get(p.name, p.default) for p in signature_of(SECTIONS[name]).parameters}
    found = tuple(Stage(n, r.values | _merged(whole.values, r.values), r.places) for n, r in stages.items())
    return Section(complete, whole.places, bool(sections), found)


def _read(entry: ast.Entry, source: Source, reader: SettingReader) -> bool:
    """Read an entry that is a setting; whether it is one."""
    if isinstance(entry, ast.Setting):
        reader.once(entry, source)
        return True
    if isinstance(entry, ast.Subsection):
        return reader.in_braces(entry, source)
    return isinstance(entry, ast.Hole) or reader.named(entry, source)


def _stage(entry: ast.Entry, source: Source, whole: SettingReader, stages: dict[str, SettingReader]) -> bool:
    """Read an entry that is a stage of `train`; whether it is one."""
    if whole.section != "train" or not isinstance(entry, ast.Subsection) or entry.name in signature_of(SECTIONS["train"]).by_name:
        return False
    if entry.name in stages:
        whole.collector.add(problems.DefinedTwice(entry.name, "stage"), Place(source, entry.name_span))
        return True
    stages[entry.name] = stage = SettingReader("train", whole.collector, entry.name, around=whole.values)
    for inner in entry.entries:
        if not _read(inner, source, stage):
            _report(inner, source, stage)
    return True


def _merged(whole: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """What a stage says by output or by part, over what `train` says: it holds for those that it names."""
    found = {key: over(whole.get(key), own[key]) for key in BY_OUTPUT if key in own}
    if own.get("rates"):
        found["rates"] = (*(whole.get("rates") or ()), *own["rates"])
    return found


def _report(entry: ast.Entry, source: Source, reader: SettingReader) -> None:
    """An entry that is no setting."""
    if isinstance(entry, ast.Subsection | ast.Target):
        reader.collector.add(_wrong_form(entry, reader), Place(source, entry.name_span))


def _wrong_form(entry: ast.Subsection | ast.Target, reader: SettingReader) -> Problem:
    known = signature_of(SECTIONS[reader.section]).by_name
    if isinstance(entry, ast.Target):
        near = closest(entry.keyword, ("target", "input")) if reader.section == "data" else None
        return unknown(reader.section, entry.keyword, f"{near} {entry.name} = …" if near else None, reader.owner)
    if entry.name in known:
        instead = f"{entry.name} NAME = …" if entry.name in ("target", "input") else f"{entry.name} = …"
        return problems.UnknownSetting(reader.owner, f"{entry.name} {{ … }}", (), None, instead)
    return unknown(reader.section, entry.name, None, reader.owner)


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
