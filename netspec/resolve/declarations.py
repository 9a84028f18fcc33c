"""What a file defines: its nets, blocks and sections, and the names that stand for what is not there."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from netspec.diagnostics import Related, problems
from netspec.diagnostics.collector import Collector
from netspec.diagnostics.text import closest
from netspec.layer import layers
from netspec.limits import NESTING
from netspec.resolve.files import Library, Opened
from netspec.source import Place, Source, Span
from netspec.syntax import ast

STEPS: Final = ("input", "output", "auxiliary", "residual", "preprocess", "augment")
"""The steps that are no layers, and have a meaning of their own."""


@dataclass(frozen=True)
class Definition:
    """A net or block, and the file that defines it."""

    home: Declarations
    item: ast.Net | ast.NetAlias | ast.Block

    @property
    def source(self) -> Source:
        return self.home.source


@dataclass(frozen=True)
class Base:
    """What a net's name stands for: the net that is written out, and the aliases passed on the way to it, nearest first."""

    home: Declarations
    net: ast.Net
    aliases: tuple[Definition, ...]


@dataclass(frozen=True, eq=False)
class Declarations:
    """A file's definitions by name, its own and those it uses; ``missing`` are names that something wrong would have defined."""

    source: Source
    nets: dict[str, ast.Net | ast.NetAlias]
    blocks: dict[str, ast.Block]
    used: dict[str, Definition]
    sections: tuple[ast.Section, ...]
    missing: frozenset[str]

    def find(self, name: str) -> Definition | None:
        """The net or block that a name means in this file."""
        item = self.blocks.get(name) or self.nets.get(name)
        return self.used.get(name) if item is None else Definition(self, item)

    def has_parameter(self, name: str) -> bool:
        """Whether any net of the file has a parameter of this name."""
        nets = (self._written(net) for net in self.nets.values())
        return any(p.name == name for net in nets if net is not None for p in net.parameters)

    def _written(self, net: ast.Net | ast.NetAlias) -> ast.Net | None:
        found = self.base_of(Definition(self, net), Collector())
        return found.net if found else None

    def base_of(self, definition: Definition, collector: Collector) -> Base | None:
        """The net behind a net or alias; ``None`` after a report."""
        aliases: list[Definition] = []
        while isinstance(definition.item, ast.NetAlias):
            alias, home = definition.item, definition.home
            place = Place(home.source, alias.base_span)
            if any(alias is passed.item for passed in aliases):
                self._report_circle(aliases[[a.item for a in aliases].index(alias) :], collector)
                return None
            found = home.find(alias.base)
            if found is None or isinstance(found.item, ast.Block):
                known = tuple(n for n in (*home.nets, *home.used) if n != alias.name)
                if alias.base not in home.missing:
                    collector.add(problems.UnknownNet(alias.base, known, closest(alias.base, known)), place)
                return None
            if len(aliases) == NESTING:
                first = aliases[0].item
                assert isinstance(first, ast.NetAlias)
                collector.add(problems.TooDeep(), Place(aliases[0].source, first.base_span))
                return None
            aliases.append(definition)
            definition = found
        assert isinstance(definition.item, ast.Net)
        return Base(definition.home, definition.item, tuple(aliases))

    def _report_circle(self, circle: list[Definition], collector: Collector) -> None:
        """Nets each of which is another, round about: reported once, at the first of them in the text."""
        items = [d.item for d in circle if isinstance(d.item, ast.NetAlias)]
        first = min(range(len(items)), key=lambda i: items[i].base_span)
        names = [net.name for net in items[first:] + items[:first]]
        problem = problems.RecursiveBlock(names[0], (*names, names[0]), "net", is_alias=True)
        collector.add(problem, Place(circle[first].source, items[first].base_span))


def declare(file: ast.File, collector: Collector, library: Library) -> Declarations:
    """Gather a file's definitions, and those of the files it uses; reports what is defined twice or taken by a layer."""
    return _declare(Opened(file.source.identity or file.source, file), collector, library, {})


def _declare(opened: Opened, collector: Collector, library: Library, done: dict[Hashable, Declarations]) -> Declarations:
    file = opened.file
    nets: dict[str, ast.Net | ast.NetAlias] = {}
    blocks: dict[str, ast.Block] = {}
    used: dict[str, Definition] = {}
    sections: list[ast.Section] = []
    missing: set[str] = set()
    places: dict[str, Span] = {}
    with library.declaring(file.source, opened.identity):
        for item in file.items:
            if isinstance(item, ast.Section):
                _add_section(item, sections, file.source, collector)
            elif isinstance(item, ast.Hole):
                missing.update(item.names)
            elif not _check_name(item, places, file.source, collector):
                missing.add(item.name)
            elif isinstance(item, ast.Block):
                blocks.setdefault(item.name, item)
            elif isinstance(item, ast.Use):
                found = _used(item, file.source, collector, library, done)
                if found is None:
                    missing.add(item.name)
                else:
                    used.setdefault(item.name, found)
            else:
                nets.setdefault(item.name, item)
    return Declarations(file.source, nets, blocks, used, tuple(sections), frozenset(missing))


def _used(use: ast.Use, source: Source, collector: Collector, library: Library, done: dict[Hashable, Declarations]) -> Definition | None:
    """What ``use NAME from "file"`` brings; ``None`` after a report.

    A net or block of that name, letter case and underscores aside, or, under any name, the file's only net.
    """
    opened = library.open(use, source)
    if opened is None:
        return None
    if opened.identity not in done:
        done[opened.identity] = _declare(opened, collector, library, done)
    there = done[opened.identity]
    own = {**there.blocks, **there.nets}
    named = [n for n in own if n == use.name] or [n for n in own if _folded(n) == _folded(use.name)]
    if not named and len(there.nets) == 1:
        named = list(there.nets)
    if named:
        return Definition(there, own[named[0]])
    if not there.missing:
        problem = problems.NotInFile(use.name, use.path, tuple(own), closest(use.name, own))
        collector.add(problem, Place(source, use.name_span))
    return None


def _folded(name: str) -> str:
    return name.replace("_", "").casefold()


def _add_section(section: ast.Section, sections: list[ast.Section], source: Source, collector: Collector) -> None:
    """Add a section, or report that the file has it already."""
    first = next((s for s in sections if (s.name, s.subject) == (section.name, section.subject)), None)
    if first is None:
        sections.append(section)
        return
    what = "section" if section.subject is None else f"section of `{section.subject}`"
    related = (Related(Place(source, first.name_span), "first here"),)
    collector.add(problems.DefinedTwice(section.name, what), Place(source, section.name_span), related)


def _check_name(item: ast.Net | ast.NetAlias | ast.Block | ast.Use, places: dict[str, Span], source: Source, collector: Collector) -> bool:
    """Whether a definition's name can be had; a second definition of one name counts for nothing."""
    what = "block" if isinstance(item, ast.Block) else "net"
    place = Place(source, item.name_span)
    taken = "layer" if item.name in layers() else "word of the language" if item.name in STEPS else None
    if taken is not None:
        collector.add(problems.TakenName(item.name, what, taken), place)
    if item.name in places:
        collector.add(problems.DefinedTwice(item.name, what), place, (Related(Place(source, places[item.name]), "first here"),))
    places.setdefault(item.name, item.name_span)
    if not isinstance(item, ast.NetAlias | ast.Use):
        _check_parameters(item.parameters, source, collector)
    return taken is None


def _check_parameters(parameters: tuple[ast.Parameter, ...], source: Source, collector: Collector) -> None:
    seen: dict[str, Span] = {}
    for parameter in parameters:
        if parameter.name in seen:
            related = (Related(Place(source, seen[parameter.name]), "first here"),)
            collector.add(problems.DefinedTwice(parameter.name, "parameter"), Place(source, parameter.span), related)
        seen.setdefault(parameter.name, parameter.span)
