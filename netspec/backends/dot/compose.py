"""From a selection of nodes to a picture: boxes in their frames, and what is written on the arrows between them."""

from __future__ import annotations

from netspec.backends.dot import words
from netspec.backends.dot.framing import Frames
from netspec.backends.dot.grouping import Group, Grouping, group
from netspec.backends.dot.picture import Arrow, Box, Picture
from netspec.backends.dot.routing import parted, weighed
from netspec.backends.dot.rows import rows
from netspec.backends.dot.select import Selection


def compose(selection: Selection, shapes: bool = True) -> Picture:
    """Draw what is selected; with ``shapes``, the tensors' shapes on the arrows."""
    grouping = group(selection)
    first, coming = _beginnings(grouping)
    last, going = _ends(grouping)
    content = (*first, *Frames(selection, grouping.groups).content(), *last)
    content, arrows = parted(content, (*coming, *_arrows(grouping, shapes), *going))
    marks = len(grouping.groups) + len(first) + len(last)
    return Picture(selection.graph.name, _caption(selection), content, weighed(arrows), rows(content, arrows), marks)


def _arrows(grouping: Grouping, shapes: bool) -> list[Arrow]:
    """One for each way a tensor takes; its shape is written on the first, and on ways around into merges that give another."""
    selection = grouping.selection
    found: list[Arrow] = []
    told: set[str] = set()
    for here in grouping.groups:
        around = _ways_around(grouping, here)
        for place, source in enumerate(here.head.inputs):
            before = grouping.of.get(selection.shown(source))
            if before is None:
                continue
            text = "" if before.id in told else _news(grouping, before)
            if place in around and before.last.output != here.head.output:
                text = words.times(before.last.output)
            told.add(before.id)
            found.append(Arrow(before.id, here.id, text if shapes else "", place in around, around.get(place, False)))
    return found


def _news(grouping: Grouping, here: Group) -> str:
    """The shape that a group gives; nothing where that is written already."""
    entering = grouping.entering(here)
    if here.family == "input" or (entering and here.keeps(entering[0])):
        return ""
    return words.times(here.last.output)


def _ways_around(grouping: Grouping, here: Group) -> dict[int, bool]:
    """Which of a merge's inputs come the way around, from tensors that others work on too; true for the outermost.

    There is always one that does not: where all could, it is that of the latest tensor.
    """
    sources = here.head.inputs
    if here.family != "merge":
        return {}
    around = [i for i, source in enumerate(sources) if _flows_elsewhere(grouping, source, here)]
    if len(around) == len(sources):
        around.remove(max(around, key=lambda i: sources[i]))
    outermost = min(around, key=lambda i: sources[i], default=None)
    return {i: i == outermost for i in around}


def _flows_elsewhere(grouping: Grouping, source: int, here: Group) -> bool:
    return any(c != here.head.index and c in grouping.of for c in grouping.selection.consumers[source])


def _beginnings(grouping: Grouping) -> tuple[list[Box], list[Arrow]]:
    """The tensors that come into a part from outside it."""
    selection = grouping.selection
    stubs: dict[int, Box] = {}
    arrows: list[Arrow] = []
    for here in grouping.groups:
        around = _ways_around(grouping, here)
        for place, source in enumerate(here.head.inputs):
            if selection.shown(source) in grouping.of:
                continue
            node = selection.graph.nodes[source]
            lines = ([words.cut(node.label)] if node.label else []) + [words.times(node.output)]
            stub = stubs.setdefault(source, Box(f"i{len(stubs)}", tuple(lines), "stub", "stub"))
            arrows.append(Arrow(stub.id, here.id, skip=place in around, beside=around.get(place, False)))
    return list(stubs.values()), arrows


def _ends(grouping: Grouping) -> tuple[list[Box], list[Arrow]]:
    """The net's outputs; where only a part is drawn, the tensors that go out of it."""
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    for number, (name, node) in enumerate(_results(grouping)):
        before = grouping.of[grouping.selection.shown(node)]
        shape = words.times(before.last.output)
        boxes.append(
            Box(f"o{number}", (words.cut(name), shape), "input", "output") if name else Box(f"o{number}", (shape,), "stub", "stub")
        )
        arrows.append(Arrow(before.id, f"o{number}"))
    return boxes, arrows


def _results(grouping: Grouping) -> list[tuple[str, int]]:
    """What flows out, with its name if it is an output of the net."""
    selection = grouping.selection
    if selection.only is None:
        return [(o.name, o.node) for o in selection.graph.outputs]
    inside = selection.inside_nodes
    leaving = (n for n in sorted(inside) if n in selection.results or any(c not in inside for c in selection.consumers[n]))
    return [("", n) for n in {grouping.of[selection.shown(n)].id: n for n in leaving}.values()]


def _caption(selection: Selection) -> str:
    graph = selection.graph
    if selection.only is None:
        return f"{graph.name}\n{words.figures(graph.parameters, graph.trainable, graph.macs)}"
    inside = selection.inside_nodes
    owners = [n for n in graph.owners if n.index in inside]
    parameters = sum(n.facts.parameters for n in owners)
    trainable = sum(n.facts.parameters for n in owners if not n.frozen)
    macs = sum(graph.nodes[i].facts.macs for i in inside)
    return f"{graph.name}: {words.cut(selection.only, 120)}\n{words.figures(parameters, trainable, macs)}"
