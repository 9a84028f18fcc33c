"""What a training does without being asked, and what may not be meant: said before the first step."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.data import Splits
from netspec.diagnostics.text import escape, listing, plural
from netspec.graph import Graph, is_below
from netspec.shape import show
from netspec.values import Word


def notes(graph: Graph, splits: Splits) -> Iterator[str]:
    """A sentence for each."""
    shape = graph.inputs[0].output
    if splits.path.is_dir():
        yield f"every image is made {show(shape)}: {'grey' if shape[0] == 1 else 'RGB'}, and resized where its size is another"
    layers = [n for n in graph.nodes if n.role == "preprocess"]
    if not layers:
        yield "the net has no preprocess, and gets pixels from 0 to 255; preprocess { scale(1/255) } makes them 0 to 1"
    elif layers[0].layer == "normalize" and isinstance(layers[0].arguments["mean"], Word):
        yield "normalize(imagenet) is meant for pixels from 0 to 1, and gets 0 to 255; write scale(1/255) before it"
    if splits.own and "split" in graph.data.places:
        yield "split is not used, since the data has splits of its own"
    for asked in graph.pretrained:
        count = sum(is_below(node.path, asked.path) for _, _, node in graph.weights())
        yield f"{asked.path or graph.name} starts from {escape(asked.file)}: {plural(count, 'tensor')}; all else starts fresh"
    if random := [
        n.path for n in graph.owners if n.frozen and n.facts.parameters and not any(is_below(n.path, p.path) for p in graph.pretrained)
    ]:
        yield f'frozen, and random as it begins: {listing(random, limit=5)}; name a file of weights there, as weights="FILE"'
