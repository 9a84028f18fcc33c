"""What a training does without being asked, and what may not be meant: said before the first step."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.data import Splits
from netspec.graph import Graph
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
    if graph.trainable < graph.parameters:
        yield "the frozen part keeps the random weights it begins with: beginning from given weights is not built yet"
