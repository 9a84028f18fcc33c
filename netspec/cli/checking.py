"""The work of ``netspec check``, apart from its options: an editor runs it at every pause in typing, and can do without Typer."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netspec.cli.terminal import show_diagnostics, show_json
from netspec.compiler import Limits, compile_source
from netspec.diagnostics import Diagnostic, NetspecError
from netspec.diagnostics.collector import Collector
from netspec.diagnostics.text import listing, magnitude, plural
from netspec.freezing import NamesNothing, most_learning
from netspec.graph import Graph
from netspec.limits import MAX_BYTES, MAX_NODES
from netspec.report.figures import of_trainable, outline
from netspec.shape import show
from netspec.syntax.read import read_source

if TYPE_CHECKING:
    from netspec.data import Allowed
    from netspec.data.images.loading import Progress
    from netspec.data.looking.report import Report

_LONG: Final = 80


def check(
    spec: str | Path,
    settings: Mapping[str, str] | None = None,
    net: str | None = None,
    json: bool = False,
    max_nodes: int = MAX_NODES,
    max_bytes: int = MAX_BYTES,
    data: Path | None = None,
    allowed: Allowed | None = None,
) -> int:
    """Compile every net of a file, or the one that is named, and print what it comes to; gives the exit code.

    With ``data``, that is looked at as training the first of these nets would look at it, and what is found is printed; what is
    ``allowed`` is none of its faults.
    """
    limits, found = Limits(max_bytes, max_nodes), Collector()
    try:
        source = read_source(spec, max_bytes)
        graphs = compile_source(source, net=net, settings=settings, limits=limits, every=net is None, collector=found)
        _look_for_weights(graphs, found)
        report = None if data is None else _look_at_data(graphs[0], data, allowed)
    except NetspecError as error:
        if not json:
            raise
        show_json({"ok": False, "diagnostics": _as_data(error.diagnostics)})
        return int(error.exit)
    if json:
        nets = {**outline(graphs[0]), "nets": [outline(g) for g in graphs], "diagnostics": _as_data(found.diagnostics)}
        show_json({"ok": report is None or not report.failed, **nets, **({} if report is None else {"data": report.data()})})
    else:
        if found.diagnostics:
            show_diagnostics(found.diagnostics)
        print("\n".join(map(_sentences, graphs)))
        _show(report)
    return 0 if report is None or not report.failed else int(NetspecError(report.diagnostics()).exit)


def _look_at_data(graph: Graph, data: Path, allowed: Allowed | None) -> Report:
    """The report on data for a net, while it is made with what shows how far that is."""
    from netspec.data import STRICT
    from netspec.training.opening import look_at_data

    return look_at_data(graph, data, allowed or STRICT, _progress())


def _progress() -> Progress:
    """What shows, where a person looks on, how many files have been read."""
    from rich.console import Console

    from netspec.report.progress import Reporter

    return Reporter(Console(stderr=True)).reading


def _show(report: Report | None) -> None:
    """What was found in data, and then all that is wrong with it."""
    if report is None:
        return
    from netspec.cli.terminal import console
    from netspec.report.preflight import show_report

    show_report(console(), report)
    if diagnostics := report.diagnostics():
        sys.stdout.flush()
        show_diagnostics(diagnostics)


def _look_for_weights(graphs: Sequence[Graph], found: Collector) -> None:
    """Warn of files of weights that are asked for and are not there, without reading any. Raises N822 for a checkpoint of no such name."""
    asked = {p.place: p for graph in graphs for p in graph.pretrained}
    if not asked:
        return
    from netspec.backends.beside import is_beside
    from netspec.backends.checkpoints import PREFIX, checkpoint
    from netspec.diagnostics.weights import WeightsNotThere

    for place, item in asked.items():
        if not item.file.startswith(PREFIX):
            if not is_beside(place.source, item.file):
                found.add(WeightsNotThere(item.file), place)
            continue
        try:
            checkpoint(item.file)
        except NetspecError as error:
            found.add(error.diagnostics[0].problem, place)
    found.raise_errors()


def _as_data(diagnostics: tuple[Diagnostic, ...]) -> list[dict[str, Any]]:
    if not diagnostics:
        return []
    from netspec.diagnostics.render import as_data

    return [as_data(d) for d in diagnostics]


def _sentences(graph: Graph) -> str:
    shapes = [f"{n.path} {show(n.output)}" for n in graph.inputs]
    results = [f"{name} {show(shape)}" for name, shape in graph.output_shapes().items()]
    trainable = _trainable(graph)
    lines = [
        f"{graph.name}: {', '.join(shapes)} -> {', '.join(results)}",
        f"  {plural(graph.parameters, 'parameter')}{trainable}, {_work(graph)}, {plural(len(graph.layers), 'layer')}",
    ]
    lines += [] if graph.sizes is None else [f"  {sentence}" for sentence in graph.sizes.sentences()]
    if graph.expectations is None:
        lines.append("  expectations of the file not checked, since parameters were set")
    elif graph.expectations:
        lines.append(f"  {plural(graph.expectations, 'expectation')} {'holds' if graph.expectations == 1 else 'hold'}")
    return "\n".join(lines)


def _trainable(graph: Graph) -> str:
    """How much of it learns: as `train` says, where that is said of this net, and not of others in the file alone."""
    try:
        return of_trainable(graph.parameters, most_learning(graph), bool(graph.train.stages))
    except NamesNothing:
        return of_trainable(graph.parameters, graph.trainable, in_stages=False)


def _work(graph: Graph) -> str:
    """Multiply-accumulates; a formula that is too long to be read as their number for certain sizes."""
    text = magnitude(graph.macs, "MACs")
    if graph.sizes is None or len(text) <= _LONG:
        return text
    from netspec.sizes import at

    sizes = listing([f"{s} = {n}" for s, n in graph.sizes.traced.items()])
    return f"{magnitude(at(graph.macs, graph.sizes.traced), 'MACs')} with {sizes}"
