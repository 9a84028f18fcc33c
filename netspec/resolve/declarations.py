"""What a file defines: its nets, blocks and sections, and the names that stand for what is not there."""

from __future__ import annotations

from dataclasses import dataclass

from netspec.diagnostics import Related, problems
from netspec.diagnostics.collector import Collector
from netspec.diagnostics.text import closest
from netspec.layer import layers
from netspec.limits import NESTING
from netspec.source import Place, Source, Span
from netspec.syntax import ast


@dataclass(frozen=True)
class Declarations:
    """A file's definitions by name; ``missing`` are names that something wrong, or not built yet, would have defined."""

    source: Source
    nets: dict[str, ast.Net | ast.NetAlias]
    blocks: dict[str, ast.Block]
    sections: tuple[ast.Section, ...]
    missing: frozenset[str]

    def has_parameter(self, name: str) -> bool:
        """Whether any net of the file has a parameter of this name."""
        return any(p.name == name for net in self.nets.values() if isinstance(net, ast.Net) for p in net.parameters)

    def base_of(self, name: str, collector: Collector) -> tuple[ast.Net, tuple[ast.NetAlias, ...]] | None:
        """The net behind a name and the aliases passed on the way to it, nearest first; ``None`` after a report."""
        aliases: list[ast.NetAlias] = []
        net = self.nets[name]
        while isinstance(net, ast.NetAlias):
            place = Place(self.source, net.base_span)
            if net in aliases:
                self._report_circle(aliases[aliases.index(net) :], collector)
                return None
            if net.base not in self.nets:
                known = tuple(n for n in self.nets if n != name)
                if net.base not in self.missing:
                    collector.add(problems.UnknownNet(net.base, known, closest(net.base, known)), place)
                return None
            if len(aliases) == NESTING:
                collector.add(problems.TooDeep(), Place(self.source, aliases[0].base_span))
                return None
            aliases.append(net)
            net = self.nets[net.base]
        return net, tuple(aliases)

    def _report_circle(self, circle: list[ast.NetAlias], collector: Collector) -> None:
        """Nets each of which is another, round about: reported once, at the first of them in the text."""
        first = min(range(len(circle)), key=lambda i: circle[i].base_span)
        names = [net.name for net in circle[first:] + circle[:first]]
        problem = problems.RecursiveBlock(names[0], (*names, names[0]), "net")
        collector.add(problem, Place(self.source, circle[first].base_span))


def declare(file: ast.File, collector: Collector) -> Declarations:
    """Gather a file's definitions; reports what is defined twice, taken by a layer, or not built yet."""
    nets: dict[str, ast.Net | ast.NetAlias] = {}
    blocks: dict[str, ast.Block] = {}
    sections: list[ast.Section] = []
    missing: set[str] = set()
    places: dict[str, Span] = {}
    for item in file.items:
        if isinstance(item, ast.Section):
            _add_section(item, sections, file.source, collector)
            continue
        if isinstance(item, ast.Hole):
            missing.update(item.names)
            continue
        if isinstance(item, ast.Use):
            collector.add(
                problems.NotBuiltYet("taking nets from other files is", "copy what you need into this file"), Place(file.source, item.span)
            )
            missing.add(item.name)
            continue
        _check_name(item, places, missing, file.source, collector)
        if isinstance(item, ast.Block) and item.shared:
            collector.add(
                problems.NotBuiltYet("shared weights are", "write block alone: each use then has weights of its own"),
                Place(file.source, item.name_span),
            )
            missing.add(item.name)
        elif isinstance(item, ast.Block):
            blocks.setdefault(item.name, item)
        else:
            nets.setdefault(item.name, item)
    if not nets and not collector.failed:
        collector.add(problems.NoNet(), Place(file.source, Span(len(file.source.text), len(file.source.text))))
    return Declarations(file.source, nets, blocks, tuple(sections), frozenset(missing))


def _add_section(section: ast.Section, sections: list[ast.Section], source: Source, collector: Collector) -> None:
    """Add a section, or report that the file has it already."""
    first = next((s for s in sections if (s.name, s.subject) == (section.name, section.subject)), None)
    if first is None:
        sections.append(section)
        return
    what = "section" if section.subject is None else f"section of `{section.subject}`"
    related = (Related(Place(source, first.name_span), "first here"),)
    collector.add(problems.DefinedTwice(section.name, what), Place(source, section.name_span), related)


def _check_name(
    item: ast.Net | ast.NetAlias | ast.Block, places: dict[str, Span], missing: set[str], source: Source, collector: Collector
) -> None:
    what = "block" if isinstance(item, ast.Block) else "net"
    place = Place(source, item.name_span)
    if what == "block" and item.name in layers():
        collector.add(problems.TakenName(item.name, what), place)
        missing.add(item.name)
    if item.name in places:
        collector.add(problems.DefinedTwice(item.name, what), place, (Related(Place(source, places[item.name]), "first here"),))
    places.setdefault(item.name, item.name_span)
    if isinstance(item, ast.NetAlias):
        return
    seen: dict[str, Span] = {}
    for parameter in item.parameters:
        if parameter.name in seen:
            related = (Related(Place(source, seen[parameter.name]), "first here"),)
            collector.add(problems.DefinedTwice(parameter.name, "parameter"), Place(source, parameter.span), related)
        seen.setdefault(parameter.name, parameter.span)
