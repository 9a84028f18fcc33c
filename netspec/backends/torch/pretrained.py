"""The weights that a spec itself asks for: ``weights="vgg16.safetensors"`` at the use of a block, a net or a part of one.

It stands among the PyTorch backend, as reading weights does: what it needs of the file's text, the graph has kept (the file's name, the
folder of the text that names it, the part that is meant), and what it gives are tensors. Whoever builds a net without weights of its own
starts from the usual initialisation and these.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from netspec.backends.beside import open_beside
from netspec.backends.checkpoints import PREFIX
from netspec.backends.fit import compare, fits, is_counter
from netspec.backends.mapping import Row
from netspec.backends.mapping.conversion import Conversion
from netspec.backends.torch.loading import Loaded, by_order, read_checkpoint
from netspec.backends.torch.weights import PART, WeightsFile, impossible, read_opened
from netspec.diagnostics import Diagnostic, NetspecError
from netspec.diagnostics.weights import PartTwice
from netspec.graph import Graph, Node, Pretrained, Weight, is_below
from netspec.source import Source

Declared = Mapping[str, tuple[Weight, Node]]


@dataclass(frozen=True)
class Part:
    """One part of a net that starts from a file."""

    asked: Pretrained
    loaded: Loaded


def pretrained_weights(graph: Graph) -> dict[str, Tensor]:
    """The tensors that the spec of a graph asks for, by their keys; empty where it asks for none.

    Where parts lie in each other, the inner one's file has the last word. Raises a :class:`~netspec.diagnostics.NetspecError` at the
    place that asks: what reading a file raises, N806 with every tensor that does not fit, N808 to N818 where order does not tell.
    """
    return {key: tensor for part in pretrained_parts(graph) for key, tensor in part.loaded.tensors.items()}


def pretrained_parts(graph: Graph) -> list[Part]:
    """Every part of a net that starts from a file, outer ones first. Raises as :func:`pretrained_weights` does."""
    asked = list({p.path: p for p in sorted(graph.pretrained, key=lambda p: p.path.count(".") + bool(p.path))}.values())
    files: dict[tuple[Source, str], WeightsFile] = {}
    found = []
    for item in asked:
        source = (item.place.source, item.file)
        if source not in files:
            files[source] = _read_at(item)
        file = files[source]
        if item.order:
            loaded = by_order(graph, file, item.file, path=item.path, place=item.place, part=True)
        else:
            loaded = _by_name(graph, item, file, [other for other in asked if other is not item])
        found.append(Part(item, loaded))
    return found


def fresh(graph: Graph) -> tuple[str, ...]:
    """The keys of a graph that no file gives: they start from random numbers, or from those that their layer starts with."""
    asked = graph.pretrained
    return tuple(key for key, weight, n in graph.weights() if not is_counter(weight) and not any(is_below(n.path, p.path) for p in asked))


def _read_at(item: Pretrained) -> WeightsFile:
    """The file that a spec names; what goes wrong is said at the place that asks for it."""
    try:
        return _read(item)
    except NetspecError as error:
        raise NetspecError([replace(d, place=item.place) for d in error.diagnostics]) from error


def _read(item: Pretrained) -> WeightsFile:
    if item.file.startswith(PREFIX):
        return read_checkpoint(item.file)
    with open_beside(item.place.source, item.file) as opened:
        return read_opened(opened, item.file, PART)


def _by_name(graph: Graph, item: Pretrained, file: WeightsFile, others: list[Pretrained]) -> Loaded:
    """A part's tensors: those below its place in the net it was taken from, or, where there are none, all of the file."""
    declared = {key: (weight, node) for key, weight, node in graph.weights() if is_below(node.path, item.path)}
    tensors = file.by_key()
    sources = {k: s for k, s in _sources(item, declared, tensors, _is_slice(graph, item)).items() if k not in graph.left_out}
    covered = {
        key for key, (_, node) in declared.items() if any(is_below(node.path, o.path) and is_below(o.path, item.path) for o in others)
    }
    wanted = {key: pair for key, pair in declared.items() if key in sources or key not in covered}
    found = {key: tensors[source] for key, source in sources.items()}
    bad = tuple(s for key, pair in wanted.items() if key in found and fits(found[key], pair[0]) and (s := impossible(key, found[key])))
    if problem := compare(wanted, found, item.file, bad):
        problem = replace(problem, unexpected=tuple(sources[key] for key in problem.unexpected))
        raise NetspecError([Diagnostic(problem, item.place)])
    rows = tuple(Row(sources[k], w.shape, k, w.shape, Conversion(w.shape), "") for k, (w, _) in wanted.items() if k in found)
    used = set(sources.values())
    return Loaded({row.key: found[row.key] for row in rows}, rows, (), tuple(key for key in tensors if key not in used), file.metadata)


def _sources(item: Pretrained, declared: Declared, tensors: Mapping[str, Tensor], sliced: bool) -> dict[str, str]:
    """For each key of the net, that of the file. Raises N827 where a file holds the part in both ways in which it may."""
    whole = {_moved(key, item.origin, item.path): key for key in tensors if item.origin and is_below(key, item.origin)}
    alone = {_moved(key, "", item.path): key for key in tensors}
    if whole and declared and all(key in whole and key in alone for key in declared):
        first = next(iter(declared))
        raise NetspecError([Diagnostic(PartTwice(item.file, item.path, whole[first], alone[first]), item.place)])
    chosen = whole or alone
    if not sliced:
        return chosen
    steps = {_step(key, item.path) for key in declared}
    return {key: source for key, source in chosen.items() if _step(key, item.path) in steps}


def _moved(key: str, origin: str, path: str) -> str:
    """A key below one place as the same below another."""
    rest = key[len(origin) :].lstrip(".") if origin else key
    return ".".join(filter(None, (path, rest)))


def _step(key: str, path: str) -> str:
    """The step of a part that a key belongs to."""
    return key[len(path) :].lstrip(".").partition(".")[0]


def _is_slice(graph: Graph, item: Pretrained) -> bool:
    """Whether a part is a slice of steps, as ``vgg16.features[:17]``: then the file may hold the others too."""
    return any(
        re.search(r"\[[^\]]*:[^\]]*\]$", text) for node in graph.layers if is_below(node.path, item.path) for text in _uses(node, item)
    )


def _uses(node: Node, item: Pretrained) -> Iterator[str]:
    """How the uses that a layer was reached through are written, of those that ask for the weights."""
    trail = node.trail
    while trail is not None:
        place, asked = trail.place, item.place
        if place.source is asked.source and place.span.start <= asked.span.start < place.span.end:
            yield trail.block
        trail = trail.outer
