"""What a training does without being asked, and what may not be meant: said before the first step."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.data import Splits
from netspec.diagnostics.text import escape, listing, plural
from netspec.freezing import frozen_in_stages
from netspec.graph import Graph, is_below
from netspec.report.models import StageSettings
from netspec.sections import RUN_WIDE, SECTIONS
from netspec.shape import show
from netspec.signature import signature_of
from netspec.training.folders.checkpoint import Position
from netspec.values import Word


def going_on(position: Position, stage: StageSettings, epochs: int) -> str:
    """Where a training goes on that was broken off: ``going on in epoch 3 of 25 (stage warm), behind step 12``."""
    of = f" (stage {escape(stage.name)})" if stage.name else ""
    step = f", behind step {position.step:,}" if position.step else ""
    return f"going on in epoch {position.epoch + 1:,} of {epochs:,}{of}{step}"


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
    for key in signature_of(SECTIONS["train"]).by_name if graph.train.stages else ():
        if key in graph.train.places and key not in RUN_WIDE and all(key in stage.values for stage in graph.train.stages):
            first = graph.train.stages[0].name
            yield f"train.{key} is not used, since every stage has its own; --set train.{first}.{key}=… sets that of one"
    for asked in graph.pretrained:
        count = sum(is_below(node.path, asked.path) for _, _, node in graph.weights())
        yield f"{asked.path or graph.name} starts from {escape(asked.file)}: {plural(count, 'tensor')}; all else starts fresh"
    frozen = frozen_in_stages(graph)[0]
    if random := [
        n.path
        for n in graph.owners
        if n.path in frozen and n.facts.parameters and not any(is_below(n.path, p.path) for p in graph.pretrained)
    ]:
        yield f'frozen, and random as it begins: {listing(random, limit=5)}; name a file of weights there, as weights="FILE"'
